"""A pack's own test file: screens, and what the packs must say of them. Pure but for saved screens.

[[screens]]
name = "asks before it runs a command"
file = "claude.screens/approval.txt"    # or screen = '''…'''
title = "✳ Claude Code"
terminal = ["raw"]
kind = "approval"
rule = "claude/approval-proceed"
"""

from __future__ import annotations

import tomllib
from collections.abc import Callable, Iterator
from typing import Any, Final

import msgspec

from healmon.config.lines import key_lines
from healmon.config.toml import path_text
from healmon.errors import Problem
from healmon.sessions.packs.catalog import Packs
from healmon.sessions.packs.explaining import saved
from healmon.sessions.packs.model import Mode
from healmon.sessions.signs import Kind, Sign, is_key
from healmon.text import clean
from healmon.world.terminal import Terminal

MODES: Final[dict[frozenset[Mode], Terminal | None]] = {
    frozenset(("unreadable",)): None,
    frozenset(("raw",)): Terminal(signals=False, canonical=False, echo=False, foreground=1),
    frozenset(("cooked",)): Terminal(signals=True, canonical=True, echo=True, foreground=1),
    frozenset(("reading",)): Terminal(
        signals=True, canonical=True, echo=True, foreground=1, reading=True
    ),
    frozenset(("secret",)): Terminal(signals=True, canonical=True, echo=False, foreground=1),
}
"""What a terminal may be called in a test file."""


class Trial(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """One screen of a test file and what must be said of it; what is empty is not compared."""

    name: str
    kind: Kind
    file: str = ""
    screen: str = ""
    title: str = ""
    agent: str = ""
    terminal: tuple[Mode, ...] = ("raw",)
    rule: str = ""
    never: tuple[str, ...] = ()
    question: str = ""
    choices: tuple[str, ...] | None = None
    seconds: float | None = None
    attempt: str = ""
    text: str = ""


class _File(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    agent: str
    screens: tuple[Trial, ...] = ()


def read_trials(text: str, origin: str) -> tuple[Trial, ...] | Problem:
    """Return the trials of a test file, or what is wrong with it."""
    try:
        document: dict[str, Any] = tomllib.loads(text)
        file = msgspec.convert(document, _File, strict=True)
    except (ValueError, RecursionError) as error:
        return Problem(origin, None, "", f"is no test file of a pack: {clean(str(error))}")
    for i, trial in enumerate(file.screens):
        if frozenset(trial.terminal) not in MODES:
            allowed = ", ".join(sorted(next(iter(modes)) for modes in MODES))
            key = f"screens[{i}].terminal"
            return Problem(origin, None, key, "is no terminal", allowed=f"one of {allowed}")
    return tuple(
        msgspec.structs.replace(trial, agent=trial.agent or file.agent) for trial in file.screens
    )


def failures(
    text: str, origin: str, packs: Packs, screen: Callable[[str], str]
) -> Iterator[Problem]:
    """Yield a problem for each screen of a test file that the packs do not read as it says.

    Args:
        text: the test file's text.
        origin: its name, for people.
        packs: what is tested.
        screen: returns the text of a saved screen, by its name in the test file.
    """
    trials = read_trials(text, origin)
    if isinstance(trials, Problem):
        yield trials
        return
    lines = key_lines(text.replace("\r\n", "\n"))
    for i, trial in enumerate(trials):
        said = try_out(trial, packs, screen)
        for key in ("kind", "rule", "question", "choices", "seconds", "attempt", "text"):
            wanted, found = getattr(trial, key), _found(said, key)
            if wanted not in {"", None} and wanted != found:
                path = ("screens", i)
                what = f"{clean(trial.name)}: expected {wanted}, the packs say {found or '-'}"
                yield Problem(origin, lines.get(path), f"{path_text(path)}.{key}", what)
        for choice in said.choices:
            for key in (key for key in choice.keys if not is_key(key)):
                what = f"{clean(trial.name)}: rule {said.rule} takes it for the key of an answer"
                allowed = "`choices` that capture a key as tmux has them, or `answers`"
                where = f"screens[{i}]"
                yield Problem(origin, lines.get(("screens", i)), where, what, clean(key), allowed)
        for rule in trial.never:
            if rule in {said.rule, *said.also}:
                what = f"{clean(trial.name)}: must not match, and does"
                yield Problem(origin, lines.get(("screens", i)), f"screens[{i}].never", what, rule)


def try_out(trial: Trial, packs: Packs, screen: Callable[[str], str]) -> Sign:
    """Return what the packs say of a trial's screen."""
    text, title = saved(screen(trial.file)) if trial.file else (trial.screen, "")
    terminal = MODES[frozenset(trial.terminal)]
    return packs.read(trial.agent, text, trial.title or title, terminal)


def _found(sign: Sign, key: str) -> object:
    if key == "choices":
        return tuple(f"{choice.text} = {' '.join(choice.keys)}" for choice in sign.choices)
    return getattr(sign, key)
