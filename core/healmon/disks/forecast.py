"""When something will be full, from how full it was. Pure.

Two views, and the nearer one answers. The *trend* is the growth from day to day (a median of
slopes between daily medians), on which the highest of each hour of the day is laid, so that a
nightly dump is expected and no alarm. The *rise* is what goes on right now (Theil-Sen since the
last drop, over three windows); it counts only while it goes on, has come a third of the way to
full, and goes where nothing went in the week before: to a new high-water mark, or faster than ever.
"""

from __future__ import annotations

from bisect import bisect_left
from collections.abc import Sequence
from itertools import pairwise
from operator import itemgetter, sub
from typing import Final, Literal, NamedTuple

import msgspec

from healmon.units import median

MINUTE: Final = 60.0
HOUR: Final = 3600.0
DAY: Final = 86_400.0
SLOT: Final = 300.0
"""Seconds that one sample stands for; it is the highest of them."""
KEPT: Final = 2304
"""Samples that are kept: eight days."""
DAYS: Final = 6
FEWEST: Final = 48
"""Samples that make a day count: four hours, as of a machine that is off at night."""
HALF: Final = 144
"""Samples that make the first day count, of which only the end is known."""
AHEAD: Final = 240
"""Hours that are looked ahead."""
DROP: Final = 1.0
"""Percentage points lost between two samples that are a drop: somebody cleaned, or rotated."""
WINDOWS: Final = (45 * MINUTE, 90 * MINUTE, 6 * HOUR)
NEAR: Final = 6 * HOUR
"""How soon a rise must end to count."""
COME: Final = 1 / 3
"""Share of the way from where a rise began to full that it must have come: what has been seen for
a while is believed for twice as long. Most rises are a copy or a backup, which end."""
HIGHER: Final = 2.0
"""Percentage points above the week's highest that are a new high."""
FASTER: Final = 1.3
"""How many times the week's fastest rise is faster than ever."""
FULL: Final = 100.0
MOST_POINTS: Final = 36
"""Points of a window that slopes are taken between."""

_AT, _LEVEL, _CUT = map(itemgetter, range(3))
"""Of a sample."""

Way = Literal["trend", "rise", "young"]


class Sample(NamedTuple):
    """How full something was; `cut`: healmon cleaned right before, so a drop says nothing."""

    at: float
    level: float
    cut: bool = False


class Forecast(msgspec.Struct, frozen=True, kw_only=True):
    """When it will be full. Seconds from `at`; percentage points an hour.

    Attributes:
        at: wall seconds of the moment that was judged from.
        eta: seconds until it is full; None: not within ten days, as far as can be told.
        soonest, latest: the band around it; None: not within ten days.
        rate: growth that this rests on.
        way: what it rests on; `young`: too little is known yet to alarm anybody.
    """

    at: float
    eta: float | None = None
    soonest: float | None = None
    latest: float | None = None
    rate: float = 0.0
    way: Way = "trend"


def foresee(samples: Sequence[Sample], now: float) -> Forecast:
    """Return when it will be full.

    Args:
        samples: oldest first, at most `KEPT` of them matter.
        now: wall seconds; later samples are passed over (a clock was set).
    """
    times, levels = _columns(samples[-KEPT:], now)
    if len(times) < 2:
        return Forecast(at=now, way="young")
    days = _days(times, levels, now)
    if len(days) < 2:
        return _young(list(zip(times, levels, strict=True)), now)
    trend, rise = _trend(days, now), _rise(times, levels, now)
    if rise.eta is not None and (trend.eta is None or rise.eta < trend.eta):
        return rise
    return trend


def _columns(samples: Sequence[Sample], now: float) -> tuple[list[float], list[float]]:
    """Return times and levels, without own cleaning and without what is later than now."""
    times: list[float] = list(map(_AT, samples))
    if not any(map(_CUT, samples)) and max(times, default=now) <= now:
        return times, list(map(_LEVEL, samples))
    points = uncut([one for one in samples if one.at <= now])
    return [at for at, _ in points], [level for _, level in points]


def uncut(samples: Sequence[Sample]) -> list[tuple[float, float]]:
    """Return times and levels as they were without own cleaning: what lies before it is lowered."""
    found: list[tuple[float, float]] = []
    lowered = 0.0
    for index in range(len(samples) - 1, -1, -1):
        one = samples[index]
        found.append((one.at, one.level - lowered))
        if one.cut and index:
            lowered += max(0.0, samples[index - 1].level - one.level)
    found.reverse()
    return found


def theil_sen(points: Sequence[tuple[float, float]]) -> tuple[float, float, float]:
    """Return the lower quartile, the median and the upper quartile of the slopes, per second."""
    step = max(1, len(points) // MOST_POINTS)
    thin = points[::-1][::step]
    slopes = sorted(
        (ya - yb) / (ta - tb)
        for index, (ta, ya) in enumerate(thin)
        for tb, yb in thin[index + 1 :]
        if ta > tb
    )
    if not slopes:
        return 0.0, 0.0, 0.0
    last = len(slopes) - 1
    return slopes[last // 4], median(slopes), slopes[last - last // 4]


class _Day(NamedTuple):
    """One day before now: its middle's age, its median, and the highest of each hour."""

    age: float
    middle: float
    highest: dict[int, float]


def _days(times: list[float], levels: list[float], now: float) -> list[_Day]:
    days: list[_Day] = []
    for number in range(DAYS):
        begin = now - (number + 1) * DAY
        first = bisect_left(times, begin)
        end = bisect_left(times, begin + DAY) if number else len(times)
        if end - first < (FEWEST if first else HALF):
            continue
        hours = [bisect_left(times, begin + hour * HOUR, first, end) for hour in range(24)]
        highest = {
            hour: max(levels[low:high])
            for hour, (low, high) in enumerate(pairwise((*hours, end)))
            if low < high
        }
        days.append(_Day((number + 0.5) * DAY, median(levels[first:end]), highest))
    return days


def _trend(days: list[_Day], now: float) -> Forecast:
    low, slope, high = theil_sen([(-day.age, day.middle) for day in reversed(days)])
    # what fills reaches a new high-water mark from day to day; a saw does not
    tops = theil_sen([(-day.age, max(day.highest.values())) for day in reversed(days)])
    low, slope, high = min(low, tops[0]), min(slope, tops[1]), min(high, max(tops[2], 0.0))
    high = max(high, slope)
    eta = _reaches(days, slope)
    late, early = (_reaches(days, one) for one in (low, high))
    return Forecast(at=now, eta=eta, soonest=early, latest=late, rate=slope * HOUR, way="trend")


def _reaches(days: list[_Day], slope: float) -> float | None:
    """Return in how many seconds a trend, with the highest of each hour on it, reaches full."""
    base = median([day.middle + slope * day.age for day in days])
    tops: list[float | None] = [None] * 24
    for day in days:
        shift = slope * (day.age + DAY / 2) - base
        for hour, highest in day.highest.items():
            top = highest + shift - slope * hour * HOUR
            known = tops[hour]
            if known is None or top > known:
                tops[hour] = top
    above = [top or 0.0 for top in tops]
    # one that does not rise comes no higher than on its first day
    for hour in range(AHEAD if slope > 0 else 24):
        if base + slope * hour * HOUR + above[hour % 24] >= FULL:
            return hour * HOUR
    return None


def since_drop(points: list[tuple[float, float]]) -> list[tuple[float, float]]:
    """Return the points since the last drop."""
    for index in range(len(points) - 1, 0, -1):
        if points[index - 1][1] - points[index][1] >= DROP:
            return points[index:]
    return points


def _rise(times: list[float], levels: list[float], now: float) -> Forecast:
    nothing = Forecast(at=now, way="rise")
    before = levels[max(0, bisect_left(times, now - 20 * MINUTE))]
    if levels[-1] <= before or not _unheard_of(times, levels, now):
        return nothing
    first = bisect_left(times, now - NEAR)
    recent = since_drop(list(zip(times[first:], levels[first:], strict=True)))
    began = min(level for _, level in recent)
    if levels[-1] - began < COME * (FULL - began):
        return nothing
    return _nearest(recent, now, "rise")


def _nearest(points: list[tuple[float, float]], now: float, way: Way) -> Forecast:
    found = Forecast(at=now, way=way)
    left = FULL - points[-1][1]
    for window in WINDOWS:
        part = [point for point in points if point[0] > now - window]
        if len(part) < 4:
            continue
        low, slope, high = theil_sen(part)
        eta = _seconds(left, slope)
        if eta is None or (found.eta is not None and eta >= found.eta):
            continue
        if way == "rise" and eta >= NEAR:
            continue
        found = Forecast(
            at=now,
            eta=eta,
            soonest=_seconds(left, high),
            latest=_seconds(left, low),
            rate=slope * HOUR,
            way=way,
        )
    return found


def _seconds(left: float, slope: float) -> float | None:
    eta = max(0.0, left) / slope if slope > 0 else None
    return eta if eta is not None and eta <= AHEAD * HOUR else None


def _unheard_of(times: list[float], levels: list[float], now: float) -> bool:
    """Return whether it is higher, or rises faster, than at any time of the week before."""
    older = levels[: bisect_left(times, now - NEAR)]
    if not older:
        return False
    level = levels[-1]
    if level > max(older) + HIGHER:
        return True
    span = int(WINDOWS[1] / SLOT)
    known = levels[: bisect_left(times, now - DAY)]
    fastest = max(map(sub, known[span:], known), default=0.0)
    start = levels[min(bisect_left(times, now - WINDOWS[1]), len(levels) - 1)]
    return level - start > FASTER * max(fastest, 0.1)


def _young(points: list[tuple[float, float]], now: float) -> Forecast:
    """Return what little history says: a saw below its high-water mark fills nothing."""
    recent = since_drop(points)
    fallen = points[: len(points) - len(recent)]
    if fallen and recent[-1][1] <= max(level for _, level in fallen):
        return Forecast(at=now, way="young")
    return _nearest(recent, now, "young")
