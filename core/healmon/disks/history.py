"""How full one target was, sample by sample, and what that says of when it will be full."""

from __future__ import annotations

import hashlib
import math
from collections import deque
from collections.abc import Callable, Iterable
from dataclasses import dataclass, field
from typing import Final

from healmon.clock import Steps
from healmon.disks.forecast import HOUR, KEPT, SLOT, Forecast, Sample, foresee
from healmon.disks.model import Gauge, Outlook, Target
from healmon.world.samples import Record, Ring

ASK: Final = 900.0
"""Seconds for which a forecast is believed; asked more often, it cries wolf more often."""

HOURS: Final = 24
"""Hours of the past that an outlook tells of."""

Rows = deque[Record]


def ring_path(state_dir: str, target: Target, capacity: int) -> str:
    """Return where the samples of a target lie; one of another size has another history."""
    word = hashlib.sha256(f"{target.component}\0{capacity}".encode()).hexdigest()[:16]
    return f"{state_dir}/history/{word}.ring"


@dataclass(slots=True)
class History:
    """Samples of one target: the highest of every five minutes, eight days of them at most.

    They are written when a forecast is made, a few at once: until then one that is killed loses
    them, as it loses the sample that it is at.

    Attributes:
        ring: the file.
        steps: tells when the clock was set.
        unwritten: samples that are not in the file yet.
    """

    ring: Ring
    steps: Callable[[], Steps] = tuple
    rows: Rows = field(default_factory=lambda: Rows(maxlen=KEPT))
    outlook: Outlook | None = None
    loaded: bool = False
    unwritten: list[Record] = field(default_factory=list[Record])
    _slot: int = -1
    _began: float = 0.0
    _high: tuple[float, float] = (0.0, 0.0)
    _cut: bool = False
    _cleaned: bool = False

    def cleaned(self) -> None:
        """Note that healmon has just cleaned: the drop that follows is its own."""
        self._cleaned = True
        self.outlook = None

    def glance(self, gauge: Gauge, now: float) -> Outlook | None:
        """Count one measurement in and return the outlook; None: that is for `note` to do.

        It touches no file and makes no forecast: most measurements need no more.
        """
        if not self.loaded or self._cleaned:
            return None
        if self.outlook is None or not 0 <= now - self.outlook.at < ASK:
            return None
        self._count(_here(gauge), now)
        return self.outlook

    def note(self, gauge: Gauge, now: float) -> Outlook:
        """Count one measurement in and return the outlook. Blocks: reads and writes its file.

        Args:
            gauge: what was measured.
            now: wall seconds.
        """
        if not self.loaded:
            self.rows.extend(self.ring.load())
            self.loaded = True
        here = _here(gauge)
        self._count(here, now)
        self.write()
        if self.outlook is None or not 0 <= now - self.outlook.at < ASK:
            self.outlook = self._ask(here, now)
        return self.outlook

    def write(self) -> None:
        """Write down the samples that are not yet; what cannot be written is lost. Blocks."""
        ended, self.unwritten = self.unwritten, []
        if ended:
            self.ring.add(ended)

    def _count(self, here: tuple[float, float], now: float) -> None:
        slot = int(now // SLOT)
        if slot != self._slot or self._cleaned:
            self._begin(slot, now, here)
        self._high = (max(self._high[0], here[0]), max(self._high[1], here[1]))

    def _begin(self, slot: int, now: float, here: tuple[float, float]) -> None:
        """Keep the sample that has ended and begin another; a cleaning ends one, too."""
        if self._slot >= 0:
            row = (self._began, *self._high, self._cut)
            self.rows.append(row)
            self.unwritten.append(row)
        self._slot, self._began, self._high = slot, now, here
        self._cut, self._cleaned = self._cleaned, False

    def _ask(self, here: tuple[float, float], now: float) -> Outlook:
        found: list[tuple[Forecast, str]] = []
        rows = since_set(self.rows, self.steps(), now)
        views: tuple[tuple[str, Callable[[Record], float], float], ...] = (
            ("space", lambda row: row[1], here[0]),
            ("inodes", lambda row: row[2], here[1]),
        )
        for cause, level, newest in views:
            samples = [Sample(row[0], level(row), row[3]) for row in rows]
            samples.append(Sample(now, newest, self._cut))
            found.append((foresee(samples, now), cause))
        told, cause = min(found, key=lambda one: math.inf if one[0].eta is None else one[0].eta)
        return Outlook(
            at=now,
            eta=told.eta,
            soonest=told.soonest,
            latest=told.latest,
            rate=round(told.rate, 4),
            way=told.way,
            inodes=cause == "inodes",
            past=hourly([*((row[0], row[1]) for row in self.rows), (now, here[0])], now),
        )


def since_set(rows: Rows, steps: Steps, now: float) -> list[Record]:
    """Return the samples since the clock was set last: over a step no rate can be told.

    Args:
        rows: oldest first.
        steps: when the clock was set.
        now: wall seconds.
    """
    start = next((at for at, by, _ in reversed(steps) if abs(by) > SLOT), -math.inf)
    kept: list[Record] = []
    for row in reversed(rows):
        if not start <= row[0] <= (kept[-1][0] if kept else now):
            break
        kept.append(row)
    return kept[::-1]


def _here(gauge: Gauge) -> tuple[float, float]:
    """Return how full space and inodes are, in percent."""
    return gauge.percent, gauge.inode_percent or 0.0


def hourly(levels: Iterable[tuple[float, float]], now: float) -> tuple[float, ...]:
    """Return the highest level of each of the last hours, the newest last; -1.0: none is known.

    Args:
        levels: wall seconds and percent.
        now: wall seconds; later levels are passed over.
    """
    highest = [-1.0] * HOURS
    for at, level in levels:
        ago = int((now - at) // HOUR)
        if 0 <= ago < HOURS:
            highest[-1 - ago] = max(highest[-1 - ago], round(level, 1))
    return tuple(highest)
