"""The bar of maintenance: what is left alone, until when, by whom and why; and what that cost."""

from __future__ import annotations

from typing import Final

from healmon import wording
from healmon.events import MaintenanceEnded
from healmon.state import EVERYTHING, FOREVER, PauseView, paused_by
from healmon.units import format_duration
from healmon_tui import glyphs
from healmon_tui.paint import Line, Span, Spans, between, clip, cut
from healmon_tui.rows.scene import Scene, short

TOLD: Final = 60.0
"""Seconds for which the end of a pause is told."""
TALL: Final = 30
"""Lines of a screen from which also the end of a component's pause has a line to spare."""
METER: Final = 12
ROOMY: Final = 100
"""Cells of a status line from which on a countdown in it has its meter."""
WIDE: Final = 140
"""Cells from which on it says of what, and till when."""
NAME: Final = 24


def bar(scene: Scene, cells: int, lines: int) -> Spans:
    """Return the bar below the status line; empty: there is nothing to tell.

    It is there while everything is paused, and for a while at the end of a pause.

    Args:
        scene: the moment.
        cells: how wide.
        lines: how high the screen is: on a low one only the end of everything's pause is told.
    """
    if scene.now < scene.snapshot.maintenance.get(EVERYTHING, 0.0) < FOREVER:
        return _pause(scene, EVERYTHING, cells)
    return _over(scene, cells, lines)


def of_row(scene: Scene, component: str, cells: int) -> Spans:
    """Return the bar of one component; empty: it is not paused, or all is and the bar says so."""
    name = _timed(scene, component)
    return _pause(scene, name, cells) if name else ()


def chip(scene: Scene, component: str, cells: int) -> Spans:
    """Return the countdown of the row under the cursor for a status line so wide; empty: as above.

    It stands in the status line, not below it, so that no row moves with the cursor.
    """
    name = _timed(scene, component)
    if not name:
        return ()
    left, drained = _left(scene, name)
    said = f" {glyphs.PAUSED} {format_duration(left)} "
    if cells >= ROOMY:
        said += f"left {_meter(drained)} "
    if cells >= WIDE:
        until = wording.till(scene.snapshot.maintenance[name], scene.now)
        said = f" {glyphs.PAUSED} {cut(short(name), NAME)}{said[2:]}till {until} "
    return (Span(said, "chip-info"),)


def _timed(scene: Scene, component: str) -> str:
    """Return the pause with an end that covers a component but not all; empty: there is none."""
    if not component or not scene.snapshot.maintenance:
        return ""
    name = paused_by(scene.snapshot, component, scene.now)
    until = scene.snapshot.maintenance.get(name, 0.0)
    return name if name != EVERYTHING and until < FOREVER else ""


def lines_of_row(scene: Scene, component: str, cells: int) -> list[Line]:
    """Return the same as lines for its context."""
    spans = of_row(scene, component, cells)
    return [Line(spans, "bar")] if spans else []


def _pause(scene: Scene, name: str, cells: int) -> Spans:
    pause = scene.snapshot.pauses.get(name, PauseView(scene.now, ""))
    until = scene.snapshot.maintenance[name]
    left, drained = _left(scene, name)
    what = "everything" if name == EVERYTHING else name
    who = f" by {pause.by}" if pause.by else ""
    why = f": {pause.note}" if pause.note else ""
    would = sum(pause.would.values())
    undone = f" {glyphs.DOT} {would} not done so far" if would else ""
    end = f" {format_duration(left)} left {_meter(drained)} till {wording.till(until, scene.now)} "
    head = f" {glyphs.PAUSED} MAINTENANCE {what}{who}{why}{undone}"
    if cells < 100:
        end = f" {format_duration(left)} left "
    return _blue(head, end, cells)


def _left(scene: Scene, name: str) -> tuple[int, int]:
    """Return the seconds that a pause has left, and how many cells of the meter."""
    pause = scene.snapshot.pauses.get(name, PauseView(scene.now, ""))
    until = scene.snapshot.maintenance[name]
    left, whole = until - scene.now, max(until - pause.since, 1.0)
    return max(int(left), 0), max(0, min(METER, round(METER * left / whole)))


def _meter(drained: int) -> str:
    return glyphs.FULL * drained + glyphs.EMPTY * (METER - drained)


def _over(scene: Scene, cells: int, lines: int) -> Spans:
    told = scene.chronicle.pause_over if scene.chronicle is not None else None
    if told is None or not 0 <= scene.now - told[0] < TOLD:
        return ()
    if lines < TALL and told[1].component != EVERYTHING:
        return ()
    return _blue(f" {glyphs.DONE} {ended(told[1])}", " ", cells)


def ended(event: MaintenanceEnded) -> str:
    """Return the end of a pause in words, with what would have been done."""
    what = "everything" if event.component == EVERYTHING else event.component
    would = "; ".join(event.would) or "nothing"
    said = ("MAINTENANCE OVER " + what, f"not done meanwhile: {would}", event.reason)
    return f" {glyphs.DOT} ".join(said)


def _blue(head: str, end: str, cells: int) -> Spans:
    line = between((Span(head, "chip-info"),), (Span(end, "chip-info"),), cells)
    return clip((Span(span.text, "chip-info") for span in line), cells)
