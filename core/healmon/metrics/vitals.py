"""What the healer's process costs, out of /proc.

Never asked in a scrape: whoever serves asks now and then, and hands the answer on.
"""

from __future__ import annotations

from typing import Final

from healmon.clock import Clock
from healmon.errors import ProbeError
from healmon.metrics.model import Process
from healmon.world import procfs

EVERY: Final = 10.0
"""Seconds between two looks that are enough."""


class Vitals:
    """Looks at a process; belongs to one thread.

    Args:
        clock: tells when a process began.
    """

    def __init__(self, clock: Clock) -> None:
        self._clock = clock
        self._born: tuple[int, int] = (0, 0)
        self._started = 0.0

    def look(self, pid: int | None) -> Process | None:
        """Return what a process costs; None: there is none, or it is not shown to us."""
        try:
            with procfs.opened(pid or 0) as directory:
                stat = None if directory is None else procfs.stat_of(directory)
                if directory is None or stat is None:
                    return None
                files = procfs.open_count(directory)
        except ProbeError:
            return None
        return Process(
            cpu_seconds=stat.cpu_ticks / procfs.TICKS_PER_SECOND,
            resident=stat.rss_pages * procfs.PAGE,
            started=self._start_of(stat),
            open_files=files,
        )

    def _start_of(self, stat: procfs.Stat) -> float:
        born = (stat.pid, stat.start_ticks)
        if born != self._born:  # told once: clocks drift, and the moment does not
            now = self._clock.read()
            ago = now.boot - stat.start_ticks / procfs.TICKS_PER_SECOND
            self._born, self._started = born, round(now.wall - ago, 2)
        return self._started
