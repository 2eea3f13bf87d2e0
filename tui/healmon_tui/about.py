"""Everything about the subject of a picture, laid out for the place it is shown in. Pure."""

from __future__ import annotations

from typing import Final, NamedTuple

from healmon_tui import context, live
from healmon_tui.arrange import arranged, flow
from healmon_tui.context import Subject
from healmon_tui.live import Seen
from healmon_tui.paint import Line, width
from healmon_tui.picture import Picture

GLANCE: Final = 14
"""Lines of a log or screen that stand among the rest, where all of it comes later."""


class Layout(NamedTuple):
    """Lines for one column, or for two and what stands below both."""

    left: list[Line]
    right: list[Line]
    below: list[Line]


def column(picture: Picture, about: Subject, seen: Seen, cells: int, room: int) -> Layout:
    """Return the right column: as much of everything as fits into `room` lines."""
    shown = live.part(seen, picture.scene.now, cells)
    parts = [
        *context.present(picture.scene, about, cells),
        *([shown] if shown is not None else []),
        *context.lately(picture.scene, picture.chronicle, about, cells, picture.upto),
        *context.journal(picture.chronicle, cells, picture.upto),
        *context.rest(picture.scene, about, cells),
    ]
    return Layout(arranged(parts, cells, room), [], [])


def strip(picture: Picture, about: Subject, seen: Seen, cells: int, room: int) -> Layout:
    """Return the strip at the bottom: how it is at the left, what is seen of it at the right."""
    shown = live.part(seen, picture.scene.now, cells)
    right = [
        *([shown] if shown is not None else []),
        *context.lately(picture.scene, picture.chronicle, about, cells, picture.upto),
        *context.journal(picture.chronicle, cells, picture.upto),
    ]
    left = context.present(picture.scene, about, cells)
    left += context.rest(picture.scene, about, cells)
    return Layout(arranged(left, cells, room), arranged(right, cells, room), [])


def screen(
    picture: Picture, about: Subject, seen: Seen, cells: tuple[int, int], room: int
) -> Layout:
    """Return a screen of its own: everything there is, the end of its log or screen last.

    Args:
        picture: the moment.
        about: the subject.
        seen: the newest look at it.
        cells: how wide a line of the columns may be, and one of the whole screen.
        room: how many lines are in sight.
    """
    column, whole = cells
    upto = picture.upto
    parts = context.present(picture.scene, about, column)
    parts += context.rest(picture.scene, about, column)
    right = flow(
        [
            *context.lately(picture.scene, picture.chronicle, about, column, upto),
            *context.journal(picture.chronicle, column, upto, about.component, 200),
        ],
        column,
    )
    left, shown = flow(parts, column), live.part(seen, picture.scene.now, whole)
    if shown is None:
        return Layout(left, right, [])
    below = shown.drawn(whole)
    two = column < whole
    if two and max(len(left), len(right)) + len(below) <= room:
        return Layout(left, right, below)
    # the newest of it is in sight at once; whoever scrolls finds all of it, in full width
    newest = live.part(seen, picture.scene.now, column) or shown
    glance = newest.drawn(column, GLANCE)
    if len(shown.lines) <= GLANCE and not any(_wide(line, column) for line in shown.lines):
        below = []
    if two:
        return Layout(left, [*glance, *right], below)
    first = parts[0].drawn(column) if parts else []
    return Layout([*first, *glance, *flow(parts[1:], column)], right, below)


def _wide(line: Line, cells: int) -> bool:
    """Tell whether a line of foreign text loses anything in so many cells; a rule does not."""
    text = "".join(span.text for span in line.spans[1:])
    return width(line.spans) > cells and len(set(text)) > 1
