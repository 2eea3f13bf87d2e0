"""A detection pack as data: what `*.toml` of a pack says once it is read. See docs/packs.md."""

from __future__ import annotations

import re
from dataclasses import dataclass
from typing import Final, Literal

import msgspec

from healmon.sessions.signs import Kind

Chords = tuple[tuple[str, ...], ...]
"""Steps of keys; the keys of one step follow each other before anything is verified."""
Region = Literal["title", "footer", "composer", "above", "last", "tail", "screen"]
REGIONS: Final[tuple[Region, ...]] = (
    "title", "above", "composer", "footer", "last", "tail", "screen",
)  # fmt: skip
"""Where patterns look, in the order in which a match is shown."""
Mode = Literal["secret", "reading", "echo", "raw", "cooked", "unreadable"]
"""What a terminal can be: see `Pack`'s `terminal` in docs/packs.md."""
PRIORITY: Final[dict[Kind, int]] = {
    "approval": 90, "question": 80, "starting": 75, "rate_limited": 72, "retrying": 70,
    "tool": 62, "busy": 60, "gave_up": 50, "unsent": 45, "idle": 40,
}  # fmt: skip
"""Which kind wins when several rules match and none says its own priority."""


@dataclass(frozen=True, slots=True)
class Patterns:
    """What must be in one region: a line for each of `all`, one of `any`, and none for `none`."""

    all: tuple[re.Pattern[str], ...] = ()
    any: tuple[re.Pattern[str], ...] = ()
    none: tuple[re.Pattern[str], ...] = ()


class Answer(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """An answer that counts when its text stands on the screen, and the keys that give it."""

    text: str
    keys: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class Rule:
    """One rule: all its regions and modes must fit.

    Attributes:
        name: unique in its pack.
        where: what must stand in which region, in the order of `REGIONS`.
        modes: what the terminal must be; all of them.
        blank: the screen must be empty.
        question: finds the line that asks, in the tail; answers stand on it and below it.
        about: finds the line above it after which it is said what the question is about.
        choices: finds one answer in each line: groups `key` and `text`, or its whole match.
        answers: answers known by their text.
        seconds: finds the seconds that the screen names, in the regions that the rule looks at.
        attempt: finds which attempt it is, likewise.
    """

    name: str
    kind: Kind
    priority: int
    where: tuple[tuple[Region, Patterns], ...] = ()
    modes: tuple[Mode, ...] = ()
    blank: bool = False
    question: re.Pattern[str] | None = None
    about: re.Pattern[str] | None = None
    choices: re.Pattern[str] | None = None
    answers: tuple[Answer, ...] = ()
    seconds: re.Pattern[str] | None = None
    attempt: re.Pattern[str] | None = None


@dataclass(frozen=True, slots=True)
class Layout:
    """How a program divides its screen; patterns see lines as they are, borders and blanks too.

    Attributes:
        composer: the line where a person types; the lowest one counts.
        bottom: the line that closes the composer; the footer is below it.
        top: the line that opens it, at most three lines above.
        user: a line of the conversation that the person wrote; `above` begins after it.
    """

    composer: re.Pattern[str] | None = None
    bottom: re.Pattern[str] | None = None
    top: re.Pattern[str] | None = None
    user: re.Pattern[str] | None = None


@dataclass(frozen=True, slots=True)
class Pack:
    """What is known of one program, or of one way that programs behave.

    Attributes:
        name: unique; a user's pack replaces a bundled one of the same name.
        version: of the pack.
        title: what people call the program.
        tested_with: versions of the program that the rules were tried on.
        programs: names of its command.
        packages: directories of a runner's script that make it this program.
        runners: commands that run a script: the script's name counts then.
        interrupt: keys that stop a turn, whatever the terminal's mode; None: no key is safe.
        configured: the keys of `sessions.interrupt` are as safe here as in a cooked terminal.
        exits_on: keys that may end the program; never among those that are pressed.
        resume_hint: finds the command that takes up the conversation again.
        companions: names of its helper processes that are no tools.
        cancelled: lines by which it says that a turn was cancelled.
        chrome: lines that say nothing: hints, tips, progress of the turn.
        layout: how it divides its screen.
        rules: the most important first.
        origin: the file, for people.
    """

    name: str
    version: str
    title: str = ""
    tested_with: tuple[str, ...] = ()
    programs: frozenset[str] = frozenset()
    packages: tuple[str, ...] = ()
    runners: frozenset[str] = frozenset()
    interrupt: Chords | None = None
    configured: bool = False
    exits_on: frozenset[str] = frozenset()
    resume_hint: re.Pattern[str] | None = None
    companions: frozenset[str] = frozenset()
    cancelled: tuple[re.Pattern[str], ...] = ()
    chrome: tuple[re.Pattern[str], ...] = ()
    layout: Layout = Layout()
    rules: tuple[Rule, ...] = ()
    origin: str = ""

    @property
    def generic(self) -> bool:
        """Whether it stands for a way of behaving, not for a program."""
        return not self.programs and not self.packages
