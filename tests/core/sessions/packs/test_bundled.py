"""The bundled packs: each rule has a screen that it reads, and one that it must not."""

from __future__ import annotations

from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from healmon.sessions.packs import DATA, bundled, explain
from healmon.sessions.packs.catalog import GENERIC
from healmon.sessions.packs.trials import MODES, Trial, failures, read_trials, try_out
from healmon.sessions.signs import Sign
from healmon.text import clean
from healmon.world import packfiles
from healmon.world.terminal import Terminal

RAW = Terminal(signals=False, canonical=False, echo=False, foreground=1)
COOKED = Terminal(signals=True, canonical=True, echo=True, foreground=1)
FILES = packfiles.read(DATA).trials
NAMES = ["", "claude", "codex", "gemini", "opencode", "job", "raw", "terminal", "no such pack"]


def no_file(name: str) -> str:
    raise AssertionError(name)


def trials() -> list[Trial]:
    found: list[Trial] = []
    for one in FILES:
        some = read_trials(one.text, one.name)
        assert isinstance(some, tuple), some
        found += some
    return found


@pytest.mark.parametrize("trial", trials(), ids=lambda t: f"{t.agent}: {t.name}")
def test_screens_are_read_as_they_say(trial: Trial) -> None:
    sign = try_out(trial, bundled(), no_file)
    assert (sign.kind, trial.rule or sign.rule) == (trial.kind, sign.rule), explain(
        bundled(), trial.agent, trial.screen, trial.title, None
    )
    assert not {sign.rule, *sign.also}.intersection(trial.never)


def test_every_other_thing_that_the_files_say_holds() -> None:
    for one in FILES:
        assert list(failures(one.text, one.name, bundled(), no_file)) == []


def test_every_rule_wins_a_screen_and_has_a_near_miss() -> None:
    rules = {f"{pack.name}/{rule.name}" for pack in bundled() for rule in pack.rules}
    assert rules - {try_out(trial, bundled(), no_file).rule for trial in trials()} == set()
    assert rules - {rule for trial in trials() for rule in trial.never} == set()
    assert {rule for trial in trials() for rule in (*trial.never, trial.rule) if rule} <= rules


def test_every_pack_says_its_version_and_has_a_test_file() -> None:
    tested = {Path(one.name).name.removesuffix(".test.toml") for one in FILES}
    assert {pack.name for pack in bundled()} == tested
    for pack in bundled():
        assert pack.version
        assert pack.generic == (pack.name in GENERIC)
        assert pack.generic or pack.tested_with


@pytest.mark.parametrize(
    ("argv", "agent"),
    [
        (["claude"], "claude"),
        (["/usr/bin/claude", "--resume"], "claude"),
        (["node", "/x/node_modules/@anthropic-ai/claude-code/cli.js"], "claude"),
        (["node", "--no-warnings", "/x/node_modules/@openai/codex/bin/codex.js"], "codex"),
        (["node", "/usr/local/bin/codex"], "codex"),
        (["bun", "/x/opencode-ai/bin/opencode"], "opencode"),
        (["node", "/x/node_modules/@google/gemini-cli/dist/index.js"], "gemini"),
        (["node", "server.js", "codex"], ""),
        (["node", "/x/codex-notes/index.js"], ""),
        (["vim", "claude"], ""),
        (["python3", "claude.py"], ""),
        (["tail", "-f", "claude"], ""),
        ([""], ""),
        ([], ""),
    ],
)
def test_command_lines(argv: list[str], agent: str) -> None:
    assert bundled().agent_of(argv) == agent


def test_keys_are_those_that_were_measured() -> None:
    packs = bundled()
    assert packs.interrupt("claude") == (("C-c",),)
    assert packs.interrupt("codex") == packs.interrupt("gemini") == (("Escape",),)
    assert packs.interrupt("opencode") == (("Escape", "Escape"),)
    for nobody in ("job", "raw", "terminal", "", "no such pack"):
        assert packs.interrupt(nobody) is None
    for pack in packs:
        assert not {key for step in pack.interrupt or () for key in step} & pack.exits_on


@pytest.mark.parametrize(
    ("terminal", "agent", "keys"),
    [
        (COOKED, "", (("C-c",),)),
        (COOKED, "codex", (("C-c",),)),
        (RAW, "claude", (("C-c",),)),
        (RAW, "codex", (("Escape",),)),
        (RAW, "opencode", (("Escape", "Escape"),)),
        (RAW, "", ()),
        (RAW, "job", ()),
        (RAW, "raw", ()),
        (None, "claude", ()),
        (None, "", ()),
    ],
)
def test_the_key_goes_by_the_terminal_and_the_pack(terminal, agent, keys) -> None:
    found, why = bundled().chords(("C-c",), terminal, agent)
    assert found == keys
    assert bool(why) == (not keys)


def test_an_ended_agent_tells_how_to_go_on() -> None:
    packs = bundled()
    said = "Resume this session with:\nclaude --resume 0b5c7a52-0000-4000-8000-000000000000\n$ "
    hint = "claude --resume 0b5c7a52-0000-4000-8000-000000000000"
    assert packs.resume_hint("claude", said) == hint
    assert packs.resume_hint("codex", "To continue, run codex resume 0199-aa\n$") == (
        "codex resume 0199-aa"
    )
    assert packs.resume_hint("opencode", "  Continue  opencode -s ses_1a2b") == (
        "opencode -s ses_1a2b"
    )
    assert packs.resume_hint("claude", "nothing of that kind") == ""
    assert packs.resume_hint("raw", said) == packs.resume_hint("", said) == ""


def test_helpers_are_no_tools() -> None:
    assert "gopls" in bundled().companions("claude")
    assert "bash" not in bundled().companions("claude")
    assert bundled().companions("") == frozenset()


def test_a_password_hides_all_but_its_prompt() -> None:
    secret = MODES[frozenset(("secret",))]
    for agent in NAMES:
        sign = bundled().read(agent, "token=abc123\nPassword for joe:", "token=abc123", secret)
        assert sign.question == "Password for joe:"
        assert "abc123" not in repr(sign)
    screen = "token=abc123\n────────────\n❯ \n────────────\nPassword for joe:"
    assert "abc123" not in repr(bundled().read("claude", screen, "", secret))


EVERYTHING = st.text(
    st.one_of(
        st.characters(),
        st.sampled_from("\n\n\n ❯›>●⎿─━╭╰│┃╹▀⠂⠏✳✦✋◇△■•◦·()[]/yY1."),
    ),
    max_size=600,
)
TERMINALS = st.sampled_from(list(MODES.values()))


@given(st.sampled_from(NAMES), EVERYTHING, EVERYTHING, TERMINALS)
def test_any_text_is_read(agent: str, screen: str, title: str, terminal: Terminal | None) -> None:
    sign = bundled().read(agent, screen, title, terminal)
    assert isinstance(sign, Sign)
    assert (sign.kind == "none") == (sign.rule == "")
    assert bool(sign.question) <= (sign.kind in {"approval", "question"})
    for text in (sign.text, sign.question, sign.last_line, *(c.text for c in sign.choices)):
        assert text == clean(text)
        assert len(text) <= 300
    assert explain(bundled(), agent, screen, title, terminal)


@given(st.text(st.characters(categories=["L", "Nd", "Zs"]), max_size=400), TERMINALS)
def test_plain_words_are_no_sign_of_anything(screen: str, terminal: Terminal | None) -> None:
    for agent in ("claude", "codex", "gemini", "opencode"):
        sign = bundled().read(agent, f"a\n{screen}", "", terminal)
        if terminal is None or not (terminal.secret or terminal.reading):
            assert sign.kind == "none"
