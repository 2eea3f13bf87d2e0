"""A pack that is wrong is told with file, line, key and remedy; a right one means what it says."""

from __future__ import annotations

import contextlib
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from healmon.errors import DataError
from healmon.sessions.packs import PackError, Packs, bundled, parse
from healmon.sessions.packs.costs import LINE
from healmon.sessions.packs.model import PRIORITY
from healmon.sessions.packs.regions import ABOVE, FOOTER, TAIL
from healmon.world.terminal import Terminal

RAW = Terminal(signals=False, canonical=False, echo=False, foreground=1)
HEAD = 'format = 1\nname = "mine"\nversion = "3"\n'
RULE = '[[rules]]\nname = "busy"\nkind = "busy"\ntail.any = ["^working"]\n'


@pytest.mark.parametrize(
    ("text", "line", "key", "says"),
    [
        ("format = ", None, "", "is not TOML"),
        ('name = "a"\nversion = "1"', None, "format", "is missing"),
        (HEAD.replace("1", "2", 1), 1, "format", "allowed: 1"),
        (HEAD.replace("mine", "Mine Own"), 2, "name", "is no name"),
        (HEAD.replace('"3"', '" "'), 3, "version", "says nothing"),
        (HEAD.replace('"3"', "3"), 3, "version", "Expected `str`, got `int`"),
        (f"{HEAD}colour = 1", 4, "colour", "unknown key"),
        (f'{HEAD}[keys]\ninterrupt = "C-c"', 5, "keys.interrupt", '"configured"'),
        (f"{HEAD}[keys]\ninterrupt = []", 5, "keys.interrupt", "has no key"),
        (f"{HEAD}[keys]\ninterrupt = [[]]", 5, "keys.interrupt", "has no key"),
        (f'{HEAD}[keys]\ninterrupt = [["C-c;"]]', 5, "keys.interrupt", "is no name of a key"),
        (
            f'{HEAD}[keys]\ninterrupt = [["C-c"]]\nexits_on = ["C-c"]',
            5,
            "keys.interrupt",
            "C-c ends the program",
        ),
        (f'{HEAD}[keys]\nresume_hint = "("', 5, "keys.resume_hint", "no regular expression"),
        (f'{HEAD}[layout]\ntop = "(a+)+"', 5, "layout.top", "without end"),
        (f'{HEAD}[layout]\nleft = "a"', 5, "layout.left", "unknown key"),
        (f'{HEAD}[text]\nchrome = ["a", "[b"]', 5, "text.chrome[1]", "found [b"),
        (HEAD + RULE.replace("busy", "", 1), 5, "rules[0].name", "is no name"),
        (HEAD + RULE.replace('kind = "busy"', 'kind = "happy"'), 6, "rules[0].kind", "happy"),
        (HEAD + RULE.replace('kind = "busy"', 'kind = "none"'), 6, "rules[0].kind", "approval"),
        (HEAD + RULE.replace('kind = "busy"\n', ""), 4, "rules[0].kind", "is missing"),
        (HEAD + RULE.replace("tail.any", "tail.one"), 7, "rules[0].tail.one", "unknown key"),
        (HEAD + RULE.replace("tail.any", "tail.none"), 4, "rules[0]", "matches every screen"),
        (HEAD + RULE.replace("^working", "(w|o)*"), 7, "rules[0].tail.any[0]", "without end"),
        (HEAD + RULE + RULE, 9, "rules[1].name", "is the name of two rules"),
        (f'{HEAD}{RULE}choices = "[1-9]"', 8, "rules[0].choices", "group named key"),
        (f'{HEAD}{RULE}terminal = ["loud"]', 8, "rules[0].terminal[0]", "loud"),
        (
            f'{HEAD}{RULE}answers = [{{ text = "Yes", keys = ["rm -rf"] }}]',
            8,
            "rules[0].answers[0].keys",
            "is no name of a key",
        ),
    ],
)
def test_what_is_wrong_is_told(text: str, line: int | None, key: str, says: str) -> None:
    with pytest.raises(PackError) as caught:
        parse(text, "packs/mine.toml")
    problem = caught.value.problem
    assert (problem.file, problem.line, problem.key) == ("packs/mine.toml", line, key)
    assert says in str(problem)
    assert isinstance(caught.value, DataError)
    assert "docs/packs.md" in str(caught.value)


@given(st.text(max_size=200))
def test_any_text_is_a_pack_or_an_error_that_says_where(text: str) -> None:
    with pytest.raises(PackError) as caught:
        parse(text, "mine.toml")
    assert caught.value.problem.file == "mine.toml"


@given(st.text(max_size=60), st.sampled_from(range(12)))
def test_a_broken_pack_is_an_error_and_no_crash(noise: str, where: int) -> None:
    lines = (HEAD + RULE).split("\n")
    lines.insert(where, noise)
    with contextlib.suppress(PackError):
        assert parse("\n".join(lines), "mine.toml").origin == "mine.toml"


FULL = (
    HEAD
    + """
title = "My Agent"
tested_with = ["1.0"]

[programs]
names = ["mine"]
packages = ["@me/mine"]
companions = ["helper"]

[keys]
interrupt = [["Escape"], ["C-g", "C-g"]]
exits_on = ["C-c"]
resume_hint = '(mine -r \\w{1,9})'

[layout]
composer = '^>'
bottom = '^---'

[[rules]]
name = "asks"
kind = "question"
tail.any = ['^Which\\?']
question = '^Which\\?'
choices = '^(?P<text>(?P<key>[0-9])\\) \\w+)$'
answers = [{ text = "(other)", keys = ["o"] }]

[[rules]]
name = "waits"
kind = "retrying"
footer.any = ['wait ((?:\\d{1,3}[hms] ?){1,3})']
seconds = 'wait ((?:\\d{1,3}[hms] ?){1,3})'
attempt = 'try (\\d+)'

[[rules]]
name = "quiet-footer"
kind = "idle"
footer.any = ['.']
above.none = ['^working']

[[rules]]
name = "low"
kind = "busy"
priority = 1
above.any = ['^working']
"""
)
COMPOSER = "\n> \n---\n"


def test_a_pack_means_what_it_says() -> None:
    packs = bundled().with_user([parse(FULL, "mine.toml")])
    assert packs.agent_of(["node", "/x/@me/mine/main.js"]) == "mine"
    assert packs.interrupt("mine") == (("Escape",), ("C-g", "C-g"))
    assert packs.companions("mine") == {"helper"}
    assert packs.resume_hint("mine", "go on: mine -r abc now") == "mine -r abc"

    asks = packs.read("mine", "Which?\n1) this\n2) that\n(other)", "", RAW)
    assert (asks.kind, asks.rule, asks.version) == ("question", "mine/asks", "3")
    assert asks.question == "Which?"
    assert [(c.text, c.keys) for c in asks.choices] == [
        ("1) this", ("1",)), ("2) that", ("2",)), ("(other)", ("o",)),
    ]  # fmt: skip

    waits = packs.read("mine", f"hello{COMPOSER}wait 1h 2m, try 4", "", RAW)
    assert (waits.kind, waits.seconds, waits.attempt) == ("retrying", 3720.0, "4")
    assert waits.where == "footer"

    assert packs.read("mine", f"working{COMPOSER}x", "", RAW).rule == "mine/low"
    assert packs.read("mine", f"done{COMPOSER}x", "", RAW).rule == "mine/quiet-footer"
    assert packs.read("mine", "nothing known", "", RAW).kind == "none"


def test_a_users_pack_replaces_a_bundled_one_of_its_name() -> None:
    text = HEAD.replace("mine", "claude") + '[programs]\nnames = ["claude"]\n' + RULE
    packs = bundled().with_user([parse(text, "mine.toml")])
    assert [pack.name for pack in packs].count("claude") == 1
    assert packs.read("claude", "working", "✳ Claude Code", RAW).rule == "claude/busy"
    assert bundled().read("claude", "working", "", RAW).kind == "none"
    assert packs.interrupt("claude") is None, "the new pack does not say that a key is safe"


def test_without_any_pack_nothing_is_known() -> None:
    sign = Packs([]).read("claude", "esc to interrupt", "⠂", RAW)
    assert (sign.kind, sign.pack) == ("none", "")


def test_the_pack_in_the_manual_is_one() -> None:
    manual = (Path(__file__).parents[4] / "docs" / "packs.md").read_text()
    examples = [part.partition("\n```")[0] for part in manual.split("```toml\n")[1:]]
    (example,) = [text for text in examples if text.startswith("format = 1")]
    pack = parse(example, "docs/packs.md")
    assert (pack.name, pack.interrupt, len(pack.rules)) == ("aider", (("C-c",),), 1)
    kinds = {kind: rank for kind, rank in PRIORITY.items() if f"| `{kind}` |" in manual}
    assert kinds == PRIORITY
    for kind, rank in PRIORITY.items():
        assert any(line.startswith(f"| `{kind}` |") and line.endswith(f"| {rank} |")
                   for line in manual.split("\n"))  # fmt: skip
    assert f"at most {LINE}" in manual.replace("\n", " ").replace("   characters", " characters")
    assert f"last {ABOVE} lines above" in manual
    assert f"last {TAIL} lines" in manual
    assert f"more than {FOOTER} of them" in manual
