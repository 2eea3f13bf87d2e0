"""Series as charts: what each column says, in heights and in words. Pure.

A column of a chart is a stack of parts, each with a tone, so that what is counted by outcome and a
level with its extremes are drawn alike. Where nothing is known there is no column, and a zero that
is known is a thin line: they never look the same.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from itertools import groupby
from typing import Final, NamedTuple, TypeAlias

from healmon.service.series import Point, Series, Sums
from healmon.units import format_duration, format_percent
from healmon_tui.paint import Tone

LABEL: Final = 7
"""Cells of the scale at the left, and of the wall beside it."""
NICE: Final = (1, 2, 5, 10)


class Part(NamedTuple):
    """What a column is up to a height, in the chart's unit."""

    top: float
    tone: Tone


Column: TypeAlias = tuple[Part, ...]
"""Parts from the bottom up, each ending above the one before; empty: nothing is known."""


class Chart(NamedTuple):
    """One chart.

    Attributes:
        title: what it is of.
        unit: of its values: `ratio` `count` `seconds`.
        columns: oldest first, as many as the frame has pieces that are drawn.
        said: its values in words, as a whole.
        words: likewise of each column.
        bottom, top: what its lowest and highest line stand for.
    """

    title: str
    unit: str
    columns: tuple[Column, ...]
    said: str
    words: tuple[str, ...]
    bottom: float
    top: float


class Kind(NamedTuple):
    """One of several series in a chart: its label, and the tone it is drawn in."""

    label: str
    tone: Tone


class Grid(NamedTuple):
    """How the pieces of a frame become columns.

    Attributes:
        begin: wall seconds of the first column.
        step: seconds of a column.
        columns: how many there are.
    """

    begin: int
    step: int
    columns: int


def grid(sums: Sums, cells: int) -> Grid:
    """Return as many columns as fit, each of the same number of pieces."""
    pieces = max(1, math.ceil((sums.end - sums.begin) / sums.step))
    each = math.ceil(pieces / room_of(cells))
    return Grid(sums.begin, sums.step * each, math.ceil(pieces / each))


def room_of(cells: int) -> int:
    """Return the cells that columns are drawn in, beside the scale."""
    return max(cells - LABEL - 1, 1)


def charts(sums: Sums, cells: int) -> list[Chart]:
    """Return the charts for a width: the fullest disk first, then what was done and what stood."""
    where = grid(sums, cells)
    found = {name: list(of) for name, of in groupby(sums.series, lambda one: one.name)}
    disks = sorted(found.get("disk_used_ratio", ()), key=lambda one: (-_last(one), one.label))
    made = [_disk(one, where) for one in disks]
    made.append(_restarts(found.get("restarts", ()), where))
    made += [_heals(one, where) for one in found.get("heal_seconds", ())]
    made += [_stuck(one, where) for one in found.get("stuck_sessions", ())]
    made.append(_alerts(found.get("open_alerts", ()), where))
    return made


def _last(series: Series) -> float:
    return series.points[-1].value if series.points else 0.0


def gathered(series: Series, where: Grid) -> list[Point | None]:
    """Return what each column saw; None: nothing is known. Counts are added up."""
    columns: list[list[Point]] = [[] for _ in range(where.columns)]
    for point in series.points:
        place = (point.at - where.begin) // where.step
        if 0 <= place < where.columns:
            columns[place].append(point)
    adds = series.name == "restarts"
    return [_joined(points, where.begin + n * where.step, adds) for n, points in enumerate(columns)]


def _joined(points: Sequence[Point], at: int, adds: bool) -> Point | None:  # noqa: FBT001 - of one caller
    if not points:
        return None
    if adds:
        total = sum(point.value for point in points)
        return Point(at, total, total, total)
    low, high = min(p.low for p in points), max(p.high for p in points)
    return Point(at, low, high, points[-1].value)


def _disk(series: Series, where: Grid) -> Chart:
    seen = gathered(series, where)
    known = [point for point in seen if point is not None]
    low = min((point.low for point in known), default=0.0)
    high = max((point.high for point in known), default=1.0)
    bottom, top = math.floor(low * 10 + 1e-9) / 10, math.ceil(high * 10 - 1e-9) / 10
    top = max(top, bottom + 0.1)
    newest, most = (format_percent(100 * value) for value in (_last(series), high))
    return Chart(
        f"DISK {series.label}", "ratio",
        tuple(_peaked(point, "accent") for point in seen),
        f"last {newest}, highest {most}",
        tuple(_said_range(point, "ratio") for point in seen),
        bottom, top,
    )  # fmt: skip


def _heals(series: Series, where: Grid) -> Chart:
    seen = gathered(series, where)
    longest = max((point.high for point in series.points), default=0.0)
    said = f"longest {seconds(longest)}" if series.points else "nothing was healed"
    return Chart(
        "HEAL TIMES", "seconds",
        tuple(_peaked(point, "heal") for point in seen),
        said,
        tuple("" if p is None else f"median {seconds(p.value)}, longest {seconds(p.high)}"
              for p in seen),
        0.0, nice(longest),
    )  # fmt: skip


def _stuck(series: Series, where: Grid) -> Chart:
    seen = gathered(series, where)
    most = max((point.high for point in series.points), default=0.0)
    return Chart(
        "STUCK SESSIONS", "count",
        tuple(_peaked(point, "warn") for point in seen),
        f"last {_last(series):g}, most {most:g}" if series.points else "",
        tuple(_said_range(point, "count") for point in seen),
        0.0, nice(most),
    )  # fmt: skip


def _restarts(series: Sequence[Series], where: Grid) -> Chart:
    kinds = (Kind("failed", "bad"), Kind("verified", "ok"))
    return _stacked("RESTARTS", series, kinds, where, adds=True)


def _alerts(series: Sequence[Series], where: Grid) -> Chart:
    kinds = (Kind("CRITICAL", "bad"), Kind("WARNING", "warn"))
    return _stacked("OPEN ALERTS", series, kinds, where, adds=False)


def _stacked(
    title: str,
    series: Sequence[Series],
    kinds: Sequence[Kind],
    where: Grid,
    *,
    adds: bool,
) -> Chart:
    """Return a chart of several series one upon the other, what is worse at the bottom."""
    mine = [(kind, one) for kind in kinds for one in series if one.label == kind.label]
    seen = [(kind, gathered(one, where)) for kind, one in mine]
    columns: list[Column] = []
    told: list[str] = []
    for place in range(where.columns):
        here = [(kind, point) for kind, points in seen if (point := points[place]) is not None]
        total, parts = 0.0, list[Part]()
        for kind, point in here:
            total += point.value if adds else point.high
            parts.append(Part(total, kind.tone))
        columns.append(tuple(parts))
        told.append(_counted([(kind, point.value) for kind, point in here]))
    if adds:
        said = _counted([(kind, sum(point.value for point in one.points)) for kind, one in mine])
    else:
        said = _counted([(kind, _last(one)) for kind, one in mine if one.points])
    top = nice(max((column[-1].top for column in columns if column), default=0.0))
    return Chart(title, "count", tuple(columns), said, tuple(told), 0.0, top)


def _counted(values: Sequence[tuple[Kind, float]]) -> str:
    return ", ".join(f"{value:g} {kind.label.lower()}" for kind, value in values)


def _peaked(point: Point | None, tone: Tone) -> Column:
    """Return a column up to the value, and in a faint tone up to the highest."""
    if point is None:
        return ()
    peak = (Part(point.high, "faint"),) if point.high > point.value else ()
    return (Part(point.value, tone), *peak)


def _said_range(point: Point | None, unit: str) -> str:
    if point is None:
        return ""
    said = value_text(point.value, unit)
    if point.low == point.high:
        return said
    return f"{said} ({value_text(point.low, unit)} to {value_text(point.high, unit)})"


def nice(value: float) -> float:
    """Return the next number above that people count to; at least 1."""
    if value <= 1:
        return 1.0
    power = 10.0 ** math.floor(math.log10(value))
    return next(step * power for step in NICE if step * power >= value)


def value_text(value: float, unit: str) -> str:
    """Return a value for people."""
    if unit == "ratio":
        return format_percent(100 * value)
    return seconds(value) if unit == "seconds" else f"{value:g}"


def seconds(value: float) -> str:
    """Return how long it took: what heals within seconds is told in tenths."""
    return f"{value:.1f}s" if value < 60 else format_duration(value)
