"""The lines that say why."""

from __future__ import annotations

from healmon.sessions.packs import bundled, explain
from healmon.sessions.packs.explaining import saved
from healmon.world.terminal import Terminal

RAW = Terminal(signals=False, canonical=False, echo=False, foreground=1)
ASKS = """\
● Bash(make)

────────────
 Bash command
   make clean
 Do you want to proceed?
 ❯ 1. Yes
   2. No
 Esc to cancel"""


def test_it_shows_the_rule_the_place_and_the_answers() -> None:
    lines = explain(bundled(), "claude", ASKS, "✳ x", RAW)
    assert lines[0].startswith("pack      claude 1 (Claude Code, tried with 2.1.197), from bundled")
    assert "terminal  raw" in lines
    assert "  ✓ claude/approval-proceed (approval, 90): tail: Do you want to proceed?" in lines
    assert "  ✗ claude/idle-title (idle): composer has no line like ^[❯>]" in lines
    assert "says      approval by claude/approval-proceed" in lines
    assert "question  Bash command · make clean · Do you want to proceed?" in lines
    assert "answer    1. Yes  (1)" in lines
    rules = [line for line in lines if line.startswith(("  ✓", "  ·", "  ✗"))]
    packs = [bundled().get("claude"), bundled().get("terminal")]
    assert len(rules) == sum(len(pack.rules) for pack in packs if pack is not None)


def test_it_says_what_was_outranked_and_what_is_not_known() -> None:
    idle = explain(bundled(), "claude", "hello\n────────────\n❯ \n────────────\n  ? for shortcuts",
                   "✳ x", RAW)  # fmt: skip
    assert sum(line.startswith("  ✓") for line in idle) == 1
    assert sum(line.startswith("  ·") for line in idle) == 1
    nothing = explain(bundled(), "my-agent", "hello", "", RAW)
    assert "          there is no pack my-agent" in nothing
    assert nothing[-1] == "says      none: no rule matched"


def test_foreign_text_is_harmless_and_short() -> None:
    lines = explain(bundled(), "claude", "\x1b[31mred\n" * 50 + "x" * 5000, "\x1b]2;t\x07", None)
    assert all(line.isprintable() and len(line) < 200 for line in lines)


def test_a_saved_screen_keeps_its_title() -> None:
    text = "# about\n# fields: cmd=claude title=[✳ a [b] c] dead=0\none\n# two\n"
    assert saved(text) == ("one\n# two\n", "✳ a [b] c")
    assert saved("# title=[x]\none") == ("one", "x")
    assert saved("one\n") == ("one\n", "")
    assert saved("") == ("", "")
