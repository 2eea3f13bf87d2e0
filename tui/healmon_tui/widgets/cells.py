"""The cells of a row, each cut or filled to its column: most are the same again and again."""

from __future__ import annotations

from collections.abc import Sequence
from functools import lru_cache
from typing import Final

from healmon_tui.columns import Slot
from healmon_tui.paint import Span, Spans, cut_head, fill, fit, plain
from healmon_tui.rows.disks import meter
from healmon_tui.rows.scene import Row
from healmon_tui.themes import INKS

KEPT: Final = 512
"""Cells that are remembered: as many as a large screen has."""


def drawn(row: Row, slot: Slot, after: int = 0) -> Spans:
    """Return a cell of a row, exactly as wide as its column, and so many blanks."""
    column = slot.column
    if column.key == "meter":
        bar = meter(row.meter[0], slot.cells, row.meter[1]) if row.meter else ()
        return fill(bar, slot.cells + after)
    cell = row.cells.get(column.key, ())
    if column.tail and cell:
        return fill((Span(cut_head(cell[0].text, slot.cells), cell[0].tone),), slot.cells + after)
    if column.last and cell:
        return fill((Span(cell[0].text[-slot.cells :], cell[0].tone),), slot.cells + after)
    return _fitted(cell, slot.cells, column.right, after)


@lru_cache(maxsize=KEPT)
def _fitted(cell: Spans, cells: int, right: bool, after: int) -> Spans:  # noqa: FBT001 - a key
    if right:
        span = cell[0] if cell else Span("")
        return (Span(fit(span.text, cells, right=True) + " " * after, span.tone),)
    one = cell[0] if len(cell) == 1 else None
    if one is not None and one.ink is None and one.tone in INKS and plain(one.text, cells):
        # one span with its blanks: their ink is not seen
        return (Span(one.text.ljust(cells + after), one.tone),)
    return (*fill(cell, cells), Span(" " * after)) if after else fill(cell, cells)


def reaching(row: Row, slots: Sequence[Slot]) -> Sequence[Slot]:
    """Return the slots up to the last one that is not empty; that one gets the room after it."""
    end = len(slots)
    while end and not any(span.text for span in row.cells.get(slots[end - 1].column.key, ())):
        if slots[end - 1].column.key == "meter":
            break
        end -= 1
    if not end or not slots[end - 1].column.stretch or end == len(slots):
        return slots[:end]
    last, edge = slots[end - 1], slots[-1].x + slots[-1].cells
    return [*slots[: end - 1], Slot(last.column, last.x, edge - last.x)]
