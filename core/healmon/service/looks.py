"""What a screen is shown of a session, and how it lets go of the terminal: names, nothing else.

They stand apart from those who look and visit, so that a screen need not load these to be painted.
"""

from __future__ import annotations

from collections.abc import Callable
from contextlib import AbstractContextManager

import msgspec

from healmon.world.sgr import Painted

Leave = Callable[[], AbstractContextManager[object]]
"""Gives the terminal away for as long as its context lasts."""


class Peek(msgspec.Struct, frozen=True, kw_only=True):
    """A session's screen at a moment.

    Attributes:
        lines: what it shows, harmless to print; blank lines at its end are left out.
        runs: the same lines in their colours; empty: they are not all shown.
        at: wall seconds when it was looked at.
        title: what its program wrote into the title.
        painted: seconds since its window was last written to.
        command: what runs in it.
        reason: why nothing, or not all of it, is shown; empty: this is all of it.
        why: how the detection pack reads it, line by line.
    """

    lines: tuple[str, ...] = ()
    runs: Painted = ()
    at: float = 0.0
    title: str = ""
    painted: float | None = None
    command: str = ""
    reason: str = ""
    why: tuple[str, ...] = ()


class Tail(msgspec.Struct, frozen=True, kw_only=True):
    """The end of a log at a moment.

    Attributes:
        lines: harmless to print, the newest last.
        runs: the same lines in their colours.
        at: wall seconds when it was looked at; 0.0: it was not.
        written: wall seconds when it was last written to; None: there is no log.
        size: bytes of the whole log.
        more: there are older lines than these.
        reason: why there is nothing to see; empty: this is it.
    """

    lines: tuple[str, ...] = ()
    runs: Painted = ()
    at: float = 0.0
    written: float | None = None
    size: int = 0
    more: bool = False
    reason: str = ""
