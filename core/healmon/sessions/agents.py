"""What a screen, a title and a command line tell of the program behind them. Pure.

Everything said here comes from the detection packs; see `healmon.sessions.packs`.
"""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import PurePosixPath
from typing import Final

import msgspec

from healmon.sessions.packs import Chords, bundled
from healmon.sessions.signs import Kind, Sign
from healmon.world.terminal import Terminal

SHELLS: Final = frozenset(
    (
        "bash", "zsh", "sh", "dash", "ash", "fish", "ksh", "mksh", "tcsh", "csh", "nu", "xonsh",
        "elvish", "pwsh",
    )
)  # fmt: skip
BUSY: Final = frozenset[Kind](("busy", "tool", "retrying", "rate_limited", "starting"))
IDLE: Final = frozenset[Kind](("idle", "gave_up", "unsent"))
ASKING: Final = frozenset[Kind](("approval", "question"))


class Cues(msgspec.Struct, frozen=True):
    """What a pane says of itself.

    Attributes:
        busy: it says that it works.
        idle: it says that it waits for the next order.
        question: what it asks a person, or empty.
        cancelled: how often the screen says that a turn was cancelled.
        last_line: the last line that says anything.
    """

    busy: bool = False
    idle: bool = False
    question: str = ""
    cancelled: int = 0
    last_line: str = ""


def read(screen: str, title: str, terminal: Terminal | None, agent: str = "") -> Cues:
    """Return what a screen, its title and its terminal say.

    Without an agent every pack is asked: a program that speaks like one of them is understood.
    """
    packs = bundled()
    if agent:
        return cues_of(packs.read(agent, screen, title, terminal))
    signs = [packs.read(pack.name, screen, title, terminal) for pack in packs if not pack.generic]
    signs.insert(0, packs.read("", screen, title, terminal))
    for kinds in (ASKING, BUSY, IDLE):
        said = next((sign for sign in signs if sign.kind in kinds), None)
        if said is not None:
            return msgspec.structs.replace(cues_of(said), cancelled=max(s.cancelled for s in signs))
    return msgspec.structs.replace(cues_of(signs[0]), cancelled=max(s.cancelled for s in signs))


def cues_of(sign: Sign) -> Cues:
    """Return a sign in the words of cues."""
    return Cues(
        busy=sign.kind in BUSY,
        idle=sign.kind in IDLE,
        question=sign.question,
        cancelled=sign.cancelled,
        last_line=sign.last_line,
    )


def agent_of(argv: Sequence[str]) -> str:
    """Return which agent a command line starts, or empty."""
    return bundled().agent_of(argv)


def is_shell(argv: Sequence[str]) -> bool:
    """Return whether a command line is a shell for people, not one that runs a script."""
    if not argv or PurePosixPath(argv[0].lstrip("-")).name not in SHELLS:
        return False
    return all(word.startswith("-") and not _runs_text(word) for word in argv[1:])


def chords(interrupt: Sequence[str], terminal: Terminal | None, agent: str) -> tuple[Chords, str]:
    """Return which keys interrupt the program in the foreground, and why none may be pressed.

    Each inner tuple is one step: its keys follow each other before anything is verified.
    """
    return bundled().chords(interrupt, terminal, agent)


def _runs_text(option: str) -> bool:
    return not option.startswith("--") and "c" in option
