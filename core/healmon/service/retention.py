"""When retention may take history: never by a clock that was set just now. Pure.

A host that starts with a wrong clock (no battery, a restored machine) or whose clock is set far
ahead by mistake would otherwise lose all history within a minute. Who waits an hour loses nothing.
"""

from __future__ import annotations

from typing import Final

from healmon.clock import Reading, gap

EVERY: Final = 3600.0
"""Seconds between two rounds, and for which a clock must have run true before one."""
STEP: Final = 60.0
"""Seconds by which a clock may be set without a doubt about it."""
AWAY: Final = 86400.0
"""Seconds since the last thing that is stored, after which a clock is not believed at once."""
AWAY_ONCE: Final = 30 * AWAY
"""The same for a run of one cycle, which cannot wait: the next one prunes."""


def near(last_wall: float, now_wall: float, away: float) -> bool:
    """Return whether the clock is about where it was when something was stored last."""
    return abs(now_wall - last_wall) <= away


class Rounds:
    """Says when a round is due.

    Args:
        last_wall: wall seconds of the last thing that is stored.
    """

    def __init__(self, last_wall: float) -> None:
        self._last_wall = last_wall
        self._before: Reading | None = None
        self._not_before = 0.0

    def due(self, now: Reading) -> bool:
        """Return whether one is due; the next is `EVERY` later."""
        before, self._before = self._before, now
        if before is None:
            believed = near(self._last_wall, now.wall, AWAY)
        else:
            believed = abs(gap(before, now).stepped) <= STEP
        if believed and now.steady < self._not_before:
            return False
        self._not_before = now.steady + EVERY
        return believed
