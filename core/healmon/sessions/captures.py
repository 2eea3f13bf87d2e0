"""Which panes must be captured again, and what is kept of those that need not.

Two looks may go on at the same time (a cycle's, and that before a key), so each has what it
knows for itself; what is kept between looks is only ever replaced by something true.

tmux has a clock for each window that moves with whatever a program writes there. As long as it
stands still the screen is the one that was captured last, and most screens of most sessions stand
still. The clock counts whole seconds: a capture from the second in which it moved last may be a
moment too old, so the pane is captured once more.
"""

from __future__ import annotations

from collections.abc import Callable, Container, Mapping, Sequence
from typing import Final

import msgspec
from msgspec.structs import replace

from healmon.clock import Reading, gap
from healmon.sessions.signs import Sign
from healmon.world.pane import Pane
from healmon.world.terminal import Terminal

SETTLED: Final = 2.0
"""Seconds after which a clock of whole seconds surely has moved on."""
IDLE_EVERY: Final = 30.0
"""Seconds between two captures of a pane without tasks, which nobody acts on."""


class Kept(msgspec.Struct, frozen=True, kw_only=True):
    """What is kept of a pane.

    Attributes:
        key: who it is.
        screen: what it shows.
        activity: its window's clock when that was captured, in whole wall seconds.
        size: its columns and rows then.
        title: its title at the newest look.
        wall: wall seconds right before the window's clock was read.
        steady: steady seconds likewise.
        drawn: wall seconds since which screen and title are the same, as far as is known.
        sign: what the screen said when it was last read, and `read` from what else beside it; None:
            it says something else by now.
    """

    key: str
    screen: str
    activity: int
    size: tuple[int, int]
    title: str
    wall: float
    steady: float
    drawn: float
    sign: Sign | None = None
    read: tuple[str, str, Terminal | None] | None = None


class Captures:
    """What is kept of all panes of all sockets between two looks."""

    def __init__(self) -> None:
        self._kept: dict[str, dict[str, Kept]] = {}
        self._last: Reading | None = None

    def begin(self, now: Reading) -> bool:
        """Begin a look; after a sleep or a step of the clock nothing that was kept is believed.

        Returns:
            Whether it is.
        """
        before, self._last = self._last, now
        if before is not None and (gap(before, now) or now.wall < before.wall):
            self._kept = {}
        return bool(self._kept)

    def still(self, socket: str, panes: Sequence[Pane]) -> bool:
        """Return whether no pane of a socket has moved since it was captured."""
        kept = self._kept.get(socket, {})
        return len(kept) == len(panes) and not any(
            pane.id not in kept or _stale(pane, kept[pane.id]) for pane in panes
        )

    def of(self, socket: str) -> Mapping[str, Kept]:
        """Return what is kept of a socket's panes now, by their ids."""
        return self._kept.get(socket, {})

    def due(
        self, kept: Mapping[str, Kept], panes: Sequence[Pane], watched: Container[str], now: Reading
    ) -> list[Pane]:
        """Return which panes of a socket must be captured.

        Args:
            kept: what was kept of them as the look began.
            panes: all that are there.
            watched: the ids of those with tasks.
            now: when the look began.
        """
        return [
            pane
            for pane in panes
            if is_due(
                pane,
                kept.get(pane.id),
                now,
                watched=pane.id in watched or is_asking(kept.get(pane.id)),
            )
        ]

    def take(
        self,
        socket: str,
        panes: Sequence[Pane],
        screens: Mapping[str, str],
        now: Reading,
        before: Mapping[str, Kept] | None = None,
    ) -> dict[str, Kept]:
        """Keep what was captured; return what is known of each pane now, by its id.

        Args:
            socket: whose panes these are.
            panes: all that are there.
            screens: those that were captured.
            now: when the look began.
            before: what was kept as it began. Another look may have forgotten it since, which ends
                no session; that stays forgotten.
        """
        kept = self.of(socket)
        known = renewed(panes, {**(before or {}), **kept}, screens, now)
        self._kept[socket] = {i: one for i, one in known.items() if i in kept or i in screens}
        return known

    def sign(
        self,
        pane: Pane,
        known: Kept,
        agent: str,
        terminal: Terminal | None,
        read: Callable[[str], Sign],
    ) -> Sign:
        """Return what a pane's screen says, read again only when something is new."""
        how = (agent, pane.title, terminal)
        if known.sign is not None and known.read == how:
            return known.sign
        sign = read(known.screen)
        # another look may have seen more meanwhile: that stays
        if self._kept.get(pane.socket, {}).get(pane.id) is known:
            self._kept[pane.socket][pane.id] = replace(known, sign=sign, read=how)
        return sign

    def forget_all_but(self, sockets: Container[str]) -> None:
        """Keep nothing of all other sockets: they did not answer."""
        self._kept = {socket: kept for socket, kept in self._kept.items() if socket in sockets}


def is_due(pane: Pane, kept: Kept | None, now: Reading, *, watched: bool) -> bool:
    """Return whether a pane must be captured.

    Args:
        pane: as it is now.
        kept: what is kept of it.
        now: right before the pane's clock was read.
        watched: it has tasks, or a question is open there.
    """
    if kept is None or kept.key != pane.key or kept.size != (pane.width, pane.height):
        return True
    return _stale(pane, kept) and (watched or now.steady - kept.steady >= IDLE_EVERY)


def _stale(pane: Pane, kept: Kept) -> bool:
    """Return whether a pane may show more than what is kept of it."""
    return kept.activity != pane.window_activity or kept.wall - kept.activity < SETTLED


def is_asking(kept: Kept | None) -> bool:
    """Return whether a pane was asking a person something when it was last read."""
    return kept is not None and kept.sign is not None and bool(kept.sign.question)


def renewed(
    panes: Sequence[Pane],
    before: Mapping[str, Kept],
    screens: Mapping[str, str],
    now: Reading,
) -> dict[str, Kept]:
    """Return what is kept of the panes of one socket after a look, by pane id.

    Args:
        panes: all that are there.
        before: what was kept of them.
        screens: those that were captured; one that is neither here nor kept is left out.
        now: right before the panes' clocks were read.
    """
    found: dict[str, Kept] = {}
    for pane in panes:
        old = before.get(pane.id)
        old = old if old is not None and old.key == pane.key else None
        if pane.id in screens:
            found[pane.id] = _captured(pane, old, screens[pane.id], now)
        elif old is not None:
            same = old.title == pane.title
            found[pane.id] = old if same else replace(old, title=pane.title, drawn=now.wall)
    return found


def _captured(pane: Pane, old: Kept | None, screen: str, now: Reading) -> Kept:
    same = old is not None and old.screen == screen and old.title == pane.title
    drawn = float(pane.window_activity) if old is None else old.drawn if same else now.wall
    return Kept(
        key=pane.key,
        screen=screen,
        activity=pane.window_activity,
        size=(pane.width, pane.height),
        title=pane.title,
        wall=now.wall,
        steady=now.steady,
        drawn=drawn,
        sign=None if old is None else old.sign,
        read=old.read if old is not None and old.screen == screen else None,
    )


def own_clock(pane: Pane, kept: Kept) -> Pane:
    """Return a pane with the clock of its own screen.

    The window's clock also moves for the neighbours of a split window, so there it is only an
    upper bound: what was seen to change counts.
    """
    if pane.panes == 1:
        return pane
    return replace(pane, window_activity=min(pane.window_activity, int(kept.drawn)))


def own_clocks(panes: Sequence[Pane], known: Mapping[str, Kept]) -> list[Pane]:
    """Return the panes that are known, each with the clock of its own screen."""
    return [own_clock(pane, known[pane.id]) for pane in panes if pane.id in known]
