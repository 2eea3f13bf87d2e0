"""What a screen is shown of a session, and how it lets go of the terminal: names, nothing else.

They stand apart from those who look and visit, so that a screen need not load these to be painted.
"""

from __future__ import annotations

from collections.abc import Callable
from contextlib import AbstractContextManager

import msgspec

Leave = Callable[[], AbstractContextManager[object]]
"""Gives the terminal away for as long as its context lasts."""


class Peek(msgspec.Struct, frozen=True, kw_only=True):
    """A session's screen at a moment.

    Attributes:
        lines: what it shows, harmless to print; blank lines at its end are left out.
        at: wall seconds when it was looked at.
        title: what its program wrote into the title.
        painted: seconds since its window was last written to.
        command: what runs in it.
        reason: why nothing, or not all of it, is shown; empty: this is all of it.
        why: how the detection pack reads it, line by line.
    """

    lines: tuple[str, ...] = ()
    at: float = 0.0
    title: str = ""
    painted: float | None = None
    command: str = ""
    reason: str = ""
    why: tuple[str, ...] = ()
