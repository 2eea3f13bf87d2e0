"""Made-up machines and how full they are: five-minute samples over two weeks, by kind.

Those of `QUIET` never fill within what is asked; those of `FILLING` do at their end. The `HELD`
ones were put down after the estimator, as machines that it was not made for.
"""

from __future__ import annotations

import math
import random
from collections.abc import Callable
from typing import NamedTuple

SLOT = 300.0
DAY = 86_400.0
PER_DAY = int(DAY / SLOT)
START = 1_700_000_000.0


class History(NamedTuple):
    """Levels, one a slot, NaN while the machine is off; `full`: the slot in which it is full."""

    kind: str
    levels: list[float]
    full: int | None


def _made(kind: str, level: Callable[[float], float], days: float = 14.0) -> History:
    levels: list[float] = []
    for slot in range(int(days * PER_DAY)):
        value = level(slot / PER_DAY)
        levels.append(value if math.isnan(value) else min(100.0, max(0.0, value)))
        if value >= 100:
            return History(kind, levels, slot)
    return History(kind, levels, None)


def _noise(rng: random.Random, size: float = 0.05) -> Callable[[float], float]:
    return lambda _day: rng.gauss(0, size)


def _dump(hour: float, size: float, hours: float = 2.0) -> Callable[[float], float]:
    """A dump that grows over a while and is moved away at its end."""

    def level(day: float) -> float:
        since = (day % 1) * 24 - hour
        return size * since / hours if 0 <= since < hours else 0.0

    return level


def _saw(days: float, size: float) -> Callable[[float], float]:
    return lambda day: size * (day % days) / days


def _office(rng: random.Random, rate: float) -> Callable[[float], float]:
    del rng

    def level(day: float) -> float:
        hour = (day % 1) * 24
        return rate * (math.floor(day) + min(1.0, max(0.0, (hour - 8) / 10)))

    return level


def quiet(rng: random.Random) -> list[History]:
    """Return one history of each kind that does not fill."""
    n, base = _noise(rng), rng.uniform(40, 75)
    dump = _dump(rng.uniform(0, 22), rng.uniform(5, 92 - base), rng.uniform(0.5, 3))
    daily, weekly = _saw(1, rng.uniform(3, 12)), _saw(7, rng.uniform(5, 15))
    copied, size = rng.uniform(4, 12), rng.uniform(5, 15)
    rate = rng.uniform(0.1, 0.6)
    phase = rng.uniform(0, 1)

    def copy(day: float) -> float:
        return size * min(1.0, max(0.0, (day - copied) * 24))

    return [
        _made("flat", lambda d: base + n(d)),
        _made("nightly dump", lambda d: base + dump(d) + n(d)),
        _made("daily rotation", lambda d: base + daily(d + phase) + n(d)),
        _made("weekly rotation", lambda d: base + weekly(d + phase * 7) + n(d)),
        _made("one big copy", lambda d: base + copy(d) + n(d)),
        _made("cleaner", lambda d: 70 + _saw(15 / (rate * 24), 15)(d + phase) + n(d)),
    ]


def filling(rng: random.Random) -> list[History]:
    """Return one history of each kind that fills."""
    n = _noise(rng)
    grow = lambda: rng.uniform(1.5, 4)  # noqa: E731 - a draw
    base = rng.uniform(45, 65)
    dump, daily = _dump(rng.uniform(0, 22), rng.uniform(4, 10)), _saw(1, rng.uniform(3, 8))
    one, two, three, four = grow(), grow(), grow(), grow()
    begins, hours = rng.uniform(8, 13), rng.uniform(1, 8)
    office = _office(rng, four)

    def runaway(day: float) -> float:
        return max(0.0, day - begins) * 24 / hours * (100 - base)

    return [
        _made("steady", lambda d: base + one * d + n(d), 40),
        _made("dump and growth", lambda d: base + two * d + dump(d) + n(d), 40),
        _made("rotation and growth", lambda d: base + three * d + daily(d) + n(d), 40),
        _made("runaway", lambda d: base + runaway(d) + n(d)),
        _made("office hours", lambda d: base + office(d) + n(d), 40),
    ]


def _builds(rng: random.Random) -> Callable[[float], float]:
    """Builds at any hour: each grows for half of its time and is removed at its end."""
    builds = [(rng.uniform(0, 14), rng.uniform(1, 7), rng.uniform(0.5, 3)) for _ in range(90)]

    def level(day: float) -> float:
        return sum(
            size * min(1.0, (day - at) * 24 / hours * 2)
            for at, size, hours in builds
            if 0 <= (day - at) * 24 < hours
        )

    return level


def held_quiet(rng: random.Random) -> list[History]:
    """Return one history of each held-back kind that does not fill."""
    n, base = _noise(rng), rng.uniform(40, 70)
    building = _builds(rng)
    sunday, phase = rng.uniform(8, 20), rng.uniform(0, 7)
    wander = [0.0]
    for _ in range(14 * PER_DAY):
        wander.append(wander[-1] * 0.998 + rng.gauss(0, 0.12))

    def backup(day: float) -> float:
        since = ((day + phase) % 7) * 24
        return sunday * min(1.0, since / 2) if since < 6 else 0.0

    wakes, awake, work = rng.uniform(7, 10), rng.uniform(6, 14), rng.uniform(1, 6)

    def sleeping(day: float) -> float:
        since = (day % 1) * 24 - wakes
        return work * since / awake if 0 <= since < awake else math.nan

    return [
        _made("build machine", lambda d: base + min(building(d), 92 - base) + n(d)),
        _made("sunday backup", lambda d: base + backup(d) + n(d)),
        _made("wandering load", lambda d: base + wander[int(d * PER_DAY)] + n(d)),
        _made("sleeping machine", lambda d: base + sleeping(d) + n(d)),
    ]


def held_filling(rng: random.Random) -> list[History]:
    """Return one history of each held-back kind that fills."""
    n, base = _noise(rng), rng.uniform(45, 60)
    speed, rate, begins = rng.uniform(0.15, 0.4), rng.uniform(1.5, 4), rng.uniform(6, 11)
    builds = _saw(rng.uniform(0.1, 0.3), rng.uniform(2, 5))
    building, away, hours = _builds(rng), rng.uniform(8, 13), rng.uniform(1, 8)

    def runaway(day: float) -> float:
        return building(day) + max(0.0, day - away) * 24 / hours * (100 - base)

    wakes, awake, more = rng.uniform(7, 10), rng.uniform(6, 14), rng.uniform(1.5, 4)

    def sleeping(day: float) -> float:
        since = (day % 1) * 24 - wakes
        return more * (math.floor(day) + since / awake) if 0 <= since < awake else math.nan

    return [
        _made("acceleration", lambda d: base + speed * d * d + n(d), 40),
        _made("builds and growth", lambda d: base + rate * d + builds(d) + n(d), 40),
        _made("two-day copy", lambda d: base + max(0.0, d - begins) / 2 * (100 - base) + n(d)),
        _made("runaway among builds", lambda d: min(base + runaway(d), 100.0) + n(d)),
        _made("sleeping and growth", lambda d: base + sleeping(d) + n(d), 40),
    ]
