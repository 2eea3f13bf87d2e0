"""What the healer's own process costs: a look at /proc no more often than every ten seconds."""

from __future__ import annotations

from collections.abc import Callable
from typing import Final, NamedTuple

from healmon.clock import process_seconds
from healmon.errors import ProbeError
from healmon.world import procfs

EVERY: Final = 10.0
"""Seconds between two looks, however often one asks."""


class Usage(NamedTuple):
    """What a process costs: percent of one core, bytes of resident memory.

    `percent` is None until there were two looks.
    """

    percent: float | None
    rss: int


class Meter:
    """Looks at the healer's process.

    Args:
        find: returns its pid; None: nobody heals.
        clock: returns seconds that only grow.
    """

    def __init__(
        self, find: Callable[[], int | None], clock: Callable[[], float] = process_seconds
    ) -> None:
        self._find = find
        self._clock = clock
        self._looked: float | None = None
        self._before: tuple[float, procfs.Stat] | None = None
        self._usage: Usage | None = None

    def read(self) -> Usage | None:
        """Return the newest figures; None: there is no such process, or it is not shown."""
        now = self._clock()
        if self._looked is None or now - self._looked >= EVERY:
            self._looked = now
            self._usage = self._look(now)
        return self._usage

    def _look(self, now: float) -> Usage | None:
        try:
            stat = procfs.stat_by(self._find() or 0)
        except ProbeError:
            return None
        before, self._before = self._before, None if stat is None else (now, stat)
        if stat is None:
            return None
        percent = None
        if before is not None and (before[1].pid, before[1].start_ticks) == (
            stat.pid,
            stat.start_ticks,
        ):
            spent = (stat.cpu_ticks - before[1].cpu_ticks) / procfs.TICKS_PER_SECOND
            percent = 100 * max(spent, 0.0) / max(now - before[0], 0.001)
        return Usage(percent, stat.rss_pages * procfs.PAGE)
