"""Fitting columns into a width: what is dropped first, where each begins, how wide it is."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Final

from msgspec import Struct

GUTTER: Final = 3
"""Cells before the first column: the cursor, the sign, and air."""


class Column(Struct, frozen=True):
    """One column of a panel.

    Attributes:
        key: names the cell in a row.
        title: as in the heading; empty for none.
        cells: how wide; for a column that stretches, the least it must have.
        right: set numbers to the right edge.
        drop: columns with the highest number go first when room is short; 0 never goes.
        stretch: share of the room left over; 0 keeps `cells`.
        tail: of what does not fit, keep the end: the end of a path tells more.
        last: likewise, and nothing marks what is missing: a line of bars that all mean the same.
    """

    key: str
    title: str
    cells: int
    right: bool = False
    drop: int = 0
    stretch: int = 0
    tail: bool = False
    last: bool = False


class Slot(Struct, frozen=True):
    """A column in its place: `x` is its first cell, `cells` its width."""

    column: Column
    x: int
    cells: int


def place(columns: Sequence[Column], width: int) -> tuple[Slot, ...]:
    """Return the columns that fit into `width`, in their order, left to right."""
    gap = 2 if width >= 100 else 1
    kept = list(columns)
    while kept and _needed(kept, gap) > width:
        loose = [c for c in kept if c.drop]
        if not loose:
            break
        kept.remove(max(loose, key=lambda c: c.drop))
    spare = max(width - _needed(kept, gap), 0)
    shares = sum(c.stretch for c in kept)
    slots: list[Slot] = []
    x = GUTTER
    for column in kept:
        more = spare * column.stretch // shares if shares else 0
        if column.stretch:
            spare, shares = spare - more, shares - column.stretch
        cells = max(min(column.cells + more, width - x), 0)
        slots.append(Slot(column, x, cells))
        x += cells + gap
    return tuple(slots)


def name_cells(longest: int, width: int) -> int:
    """Return how wide a column of names should be: the longest one, within reason."""
    return max(10, min(longest, max(16, width // 5)))


def _needed(columns: Sequence[Column], gap: int) -> int:
    return GUTTER + sum(c.cells for c in columns) + gap * (len(columns) - 1)
