"""Charts as lines of block characters, and the line of times below them. Pure."""

from __future__ import annotations

import math
from itertools import groupby
from typing import Final, NamedTuple

from healmon.clock import local_time
from healmon_tui import glyphs
from healmon_tui.paint import Line, Span, Spans, Tone, clip, cut, fit, heading
from healmon_tui.plots import LABEL, Chart, Grid, room_of

LEAST: Final = 2
"""Lines of a chart below its heading, at least."""
MOST: Final = 12
"""And at most."""
ROOMY: Final = 7
"""Lines from which on the middle of the scale is told, too."""
DAY: Final = 86_400
TIMES: Final = (60, 300, 600, 900, 1_800, 3_600, 7_200, 10_800, 21_600, 43_200)
DAYS: Final = (DAY, 2 * DAY, 5 * DAY, 7 * DAY, 14 * DAY, 30 * DAY)
"""Seconds between two times of the axis: moments that people count from."""
EIGHTHS: Final = len(glyphs.BARS)


class Cell(NamedTuple):
    """A sign and its tone."""

    sign: str
    tone: Tone


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
        Span("".join(sign for sign, _ in alike), alike[0].tone)
        for alike in (list(group) for _, group in groupby(wide, lambda cell: cell.tone))
    )


def _cell(chart: Chart, place: int, row: int, rows: int, marked: bool) -> Cell:  # noqa: FBT001 - of one caller
    column = chart.columns[place]
    floor = row * EIGHTHS
    heights = [_eighths(part.top, chart, rows) - floor for part in column]
    reach = [place for place, height in enumerate(heights) if height > 0]
    if not reach:
        if column and row == 0:  # known, and nothing: not the same as not known
            return Cell(glyphs.BARS[0], "strong" if marked else "faint")
        return Cell(glyphs.WALL if marked else " ", "faint")
    top = min(heights[reach[-1]], EIGHTHS)
    # what is bad is seen, however little of it there is; else whatever fills most of the cell
    tone: Tone = column[reach[0]].tone
    if tone != "bad" and heights[reach[0]] * 2 < top:
        tone = column[reach[-1]].tone
    return Cell(glyphs.BARS[top - 1], "strong" if marked else tone)


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


def shared(count: int, lines: int) -> list[int]:
    """Return the lines below their headings of the charts that are shown at once.

    Args:
        count: charts there are.
        lines: for all of them.
    """
    shown = max(1, min(count, lines // (LEAST + 1)))
    rows, more = divmod(max(lines - shown, shown), shown)
    return [min(rows + (place < more), MOST if shown > 1 else lines) for place in range(shown)]
