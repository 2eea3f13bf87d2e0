"""Fitting parts under each other into so many lines: which are cut, and where. Pure."""

from __future__ import annotations

from collections.abc import Sequence
from typing import NamedTuple

from healmon_tui.paint import Line, Spans, fill, heading
from healmon_tui.paint import cut as shortened


class Part(NamedTuple):
    """Lines under a heading.

    Attributes:
        title: of the heading; empty: it has none.
        extra: what the heading says beside it.
        least: lines that are kept before any other part gets more than its own least.
        end: where not all fit, its end is kept: the newest stands there.
        late: it gets what the others leave over.
    """

    title: str
    lines: Sequence[Line]
    extra: str = ""
    least: int = 3
    end: bool = False
    late: bool = False

    def drawn(self, cells: int, most: int | None = None) -> list[Line]:
        """Return heading and lines, `most` of them at most, the heading apart."""
        lines = self.lines
        cut = 0 if most is None else max(len(lines) - most, 0)
        if cut:
            lines = lines[cut:] if self.end else lines[: len(lines) - cut]
        if not self.title:
            return list(lines)
        extra, more = self.extra, f"+{cut} more" if cut else ""
        if cut and extra:
            extra = f"{shortened(extra, cells - len(self.title) - len(more) - 8)}  {more}"
        elif cut:
            extra = more
        return [heading(self.title, cells, extra=extra), *lines]


def flow(parts: Sequence[Part], cells: int) -> list[Line]:
    """Return all lines of all parts."""
    return [line for part in parts for line in part.drawn(cells)]


def arranged(parts: Sequence[Part], cells: int, room: int) -> list[Line]:
    """Return as much of the parts as fits into so many lines, the first ones first.

    A part that would not keep its least is left out, the last ones first; what is then left over
    goes to all that still want some, line by line.
    """
    first = _fitted([part for part in parts if part.lines and not part.late], cells, room)
    left = room - len(first)
    late = [part for part in parts if part.lines and part.late]
    return first + (_fitted(late, cells, left) if left > 1 else [])


def _fitted(parts: Sequence[Part], cells: int, room: int) -> list[Line]:
    shown = list(parts)
    while len(shown) > 1 and sum(_least(part) for part in shown) > room:
        shown.pop()
    given = [min(part.least, len(part.lines)) for part in shown]
    left = room - sum(_least(part) for part in shown)
    hungry = True
    while left > 0 and hungry:
        hungry = False
        for place, part in enumerate(shown):
            if left > 0 and given[place] < len(part.lines):
                given[place] += 1
                left -= 1
                hungry = True
    drawn = (part.drawn(cells, most) for part, most in zip(shown, given, strict=True))
    return [line for lines in drawn for line in lines][: max(room, 0)]


def beside(left: Sequence[Line], right: Sequence[Line], cells: int, wall: Spans) -> list[Line]:
    """Return two columns with a wall between them, the left one `cells` wide."""
    blank = Line()
    count = max(len(left), len(right))
    one = [*left, *[blank] * (count - len(left))]
    other = [*right, *[blank] * (count - len(right))]
    return [Line((*fill(a.spans, cells), *wall, *b.spans)) for a, b in zip(one, other, strict=True)]


def _least(part: Part) -> int:
    return min(part.least, len(part.lines)) + bool(part.title)
