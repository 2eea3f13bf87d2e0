"""Series as charts of block characters: what is drawn, and in how many lines. Pure.

A column of a chart is a stack of parts, each with a tone, so that what is counted by outcome and a
level with its extremes are drawn alike. Where nothing is known there is no column, and a zero that
is known is a thin line: they never look the same.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from itertools import groupby
from typing import Final, NamedTuple, TypeAlias

from healmon.clock import local_time
from healmon.service.series import Point, Series, Sums
from healmon.units import format_duration, format_percent
from healmon_tui import glyphs
from healmon_tui.paint import Line, Span, Spans, Tone, clip, cut, fit, heading

LABEL: Final = 7
"""Cells of the scale at the left, and of the wall beside it."""
LEAST: Final = 2
"""Lines of a chart below its heading, at least."""
MOST: Final = 12
"""And at most."""
ROOMY: Final = 7
"""Lines from which on the middle of the scale is told, too."""
DAY: Final = 86_400
NICE: Final = (1, 2, 5, 10)
TIMES: Final = (60, 300, 600, 900, 1_800, 3_600, 7_200, 10_800, 21_600, 43_200)
DAYS: Final = (DAY, 2 * DAY, 5 * DAY, 7 * DAY, 14 * DAY, 30 * DAY)
"""Seconds between two times of the axis: moments that people count from."""
EIGHTHS: Final = len(glyphs.BARS)


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
    words: tuple[tuple[str, Tone], ...] = (("failed", "bad"), ("verified", "ok"))
    return _stacked("RESTARTS", series, words, where, adds=True)


def _alerts(series: Sequence[Series], where: Grid) -> Chart:
    words: tuple[tuple[str, Tone], ...] = (("CRITICAL", "bad"), ("WARNING", "warn"))
    return _stacked("OPEN ALERTS", series, words, where, adds=False)


def _stacked(
    title: str,
    series: Sequence[Series],
    words: Sequence[tuple[str, Tone]],
    where: Grid,
    *,
    adds: bool,
) -> Chart:
    """Return a chart of several series one upon the other, what is worse at the bottom."""
    mine = [(word, tone, one) for word, tone in words for one in series if one.label == word]
    seen = [(word, tone, gathered(one, where)) for word, tone, one in mine]
    columns: list[Column] = []
    told: list[str] = []
    for place in range(where.columns):
        here = [(word, tone, points[place]) for word, tone, points in seen]
        known = [(word, tone, p) for word, tone, p in here if p is not None]
        total, parts = 0.0, list[Part]()
        for _, tone, point in known:
            total += point.value if adds else point.high
            parts.append(Part(total, tone))
        columns.append(tuple(parts))
        told.append(", ".join(f"{point.value:g} {word.lower()}" for word, _, point in known))
    if adds:
        counted = [(word, sum(point.value for point in one.points)) for word, _, one in mine]
    else:
        counted = [(word, _last(one)) for word, _, one in mine if one.points]
    said = ", ".join(f"{value:g} {word.lower()}" for word, value in counted)
    top = nice(max((column[-1].top for column in columns if column), default=0.0))
    return Chart(title, "count", tuple(columns), said, tuple(told), 0.0, top)


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


def drawn(chart: Chart, cells: int, rows: int, marker: int | None, *, front: bool) -> list[Line]:
    """Return a chart as lines.

    Args:
        chart: the chart.
        cells: of a line.
        rows: lines below the heading.
        marker: the column whose values are told; None: those of the whole are.
        front: it is the one that keys are for.
    """
    told = chart.said
    if marker is not None and marker < len(chart.words):
        told = chart.words[marker] or "nothing is known"
    title = f"{glyphs.CURSOR if front else ' '}{chart.title}"
    lines = [heading(title, cells, "accent" if front else "dim", told)]
    room = room_of(cells)
    for row in reversed(range(rows)):
        text = scale_text(*_scale(chart, row, rows))
        spans = [Span(f"{fit(text, LABEL - 2, right=True)} ", "dim"), Span(glyphs.WALL, "faint")]
        lines.append(Line(clip((*spans, *_row(chart, row, rows, room, marker)), cells)))
    return lines


def _scale(chart: Chart, row: int, rows: int) -> tuple[float | None, str]:
    """Return what is written at a line of the scale, and its unit; None: nothing."""
    if row == rows - 1:
        return chart.top, chart.unit
    middle = rows >= ROOMY and row == rows // 2
    half = (chart.top + chart.bottom) / 2
    return (chart.bottom if row == 0 else half if middle else None), chart.unit


def scale_text(value: float | None, unit: str) -> str:
    """Return a value of the scale: no longer than its column."""
    if value is None:
        return ""
    if unit == "ratio":
        return f"{100 * value:.0f}%"
    return f"{value:g}s" if unit == "seconds" and value < 1000 else cut(f"{value:g}", LABEL - 2)


def _row(chart: Chart, row: int, rows: int, room: int, marker: int | None) -> Spans:
    count = len(chart.columns)
    cells = [_cell(chart, place, row, rows, marker == place) for place in range(count)]
    wide = [cells[cell * count // room] for cell in range(room)] if count else []
    return tuple(
        Span("".join(sign for sign, _ in group), tone)
        for tone, group in groupby(wide, lambda cell: cell[1])
    )


def _cell(chart: Chart, place: int, row: int, rows: int, marked: bool) -> tuple[str, Tone]:  # noqa: FBT001 - of one caller
    column = chart.columns[place]
    floor = row * EIGHTHS
    heights = [(_eighths(part.top, chart, rows), part.tone) for part in column]
    reach = [(min(height - floor, EIGHTHS), tone) for height, tone in heights if height > floor]
    if not reach:
        if column and row == 0:  # known, and nothing: not the same as not known
            return glyphs.BARS[0], "strong" if marked else "faint"
        return (glyphs.WALL, "faint") if marked else (" ", "faint")
    top = max(height for height, _ in reach)
    # what is bad is seen, however little of it there is; else whatever fills most of the cell
    below, tone = reach[0]
    if tone != "bad" and below * 2 < top:
        tone = reach[-1][1]
    return glyphs.BARS[top - 1], "strong" if marked else tone


def _eighths(value: float, chart: Chart, rows: int) -> int:
    """Return how high a value stands: where there is something, higher than a zero is drawn."""
    share = (value - chart.bottom) / (chart.top - chart.bottom)
    height = round(max(0.0, min(share, 1.0)) * rows * EIGHTHS)
    return max(height, 2) if value > 0 else 0


def axis(where: Grid, end: float, cells: int, marker: int | None) -> Line:
    """Return the line of times below all charts; where a marker is, only its time is told."""
    room = room_of(cells)
    text = " " * room
    if marker is not None:
        word = local_time(where.begin + marker * where.step, "%d %b %H:%M")
        cell = min(-(-marker * room // where.columns), max(room - len(word), 0))
        return Line(clip((Span(" " * (LABEL + cell)), Span(word, "strong")), cells))
    tick, form = _ticks(end - where.begin, room)
    ahead = _offset(where.begin)
    at = math.ceil((where.begin + ahead) / tick) * tick - ahead
    while at < end:
        word = local_time(at, form)
        cell = int((at - where.begin) // where.step) * room // where.columns
        if cell + len(word) <= room:
            text = f"{text[:cell]}{word}{text[cell + len(word) :]}"
        at += tick
    return Line((Span(" " * LABEL), Span(text, "dim")))


def _ticks(span: float, room: int) -> tuple[int, str]:
    """Return the seconds between two times that are written, and how they are."""
    form = "%H:%M" if span <= 2 * DAY else "%d %b"
    wide = 9 if form == "%H:%M" else 12
    known = TIMES if form == "%H:%M" else DAYS
    return next((tick for tick in known if tick * room >= wide * span), known[-1] * 10), form


def _offset(wall: float) -> int:
    """Return by how many seconds the person's clock is ahead of UTC."""
    text = local_time(wall, "%z")
    if len(text) < 5:
        return 0
    ahead = int(text[1:3]) * 3600 + int(text[3:5]) * 60
    return -ahead if text[0] == "-" else ahead


def room_of(cells: int) -> int:
    """Return the cells that columns are drawn in, beside the scale."""
    return max(cells - LABEL - 1, 1)


def shared(count: int, lines: int) -> list[int]:
    """Return the lines below their headings of the charts that are shown at once.

    Args:
        count: charts there are.
        lines: for all of them.
    """
    shown = max(1, min(count, lines // (LEAST + 1)))
    rows, more = divmod(max(lines - shown, shown), shown)
    return [min(rows + (place < more), MOST if shown > 1 else lines) for place in range(shown)]
