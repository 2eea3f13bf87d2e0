"""Which rows a typed text keeps: pure.

A text that begins with `!` keeps the others. Case matters only where upper case was typed. What
is looked at is what is seen: the visible cells, and always name, state and why.
"""

from __future__ import annotations

from collections.abc import Collection, Sequence
from typing import Final

from msgspec import Struct
from msgspec.structs import replace

from healmon_tui.rows.scene import Row
from healmon_tui.viewmodel import PanelView

ALWAYS: Final = frozenset({"name", "state", "why"})
"""Cells that are looked at wherever they are."""
INVERSE: Final = "!"


class Filter(Struct, frozen=True):
    """A text as it was typed; an empty one keeps all rows."""

    text: str = ""

    @property
    def needle(self) -> str:
        """What is looked for."""
        return self.text.removeprefix(INVERSE)

    def __bool__(self) -> bool:
        """Whether there is anything to look for."""
        return bool(self.needle)

    def keeps(self, row: Row, visible: Collection[str]) -> bool:
        """Tell whether a row stays.

        Args:
            row: any row.
            visible: the keys of the columns that are seen.
        """
        if not self:
            return True
        found = self.finds(row, visible)
        return not found if self.text.startswith(INVERSE) else found

    def finds(self, row: Row, visible: Collection[str]) -> bool:
        """Tell whether a row has the text in it, whatever is kept."""
        texts = [row.component, *_texts(row, visible)]
        if self.needle == self.needle.lower():
            texts = [text.lower() for text in texts]
        return any(self.needle in text for text in texts)


def _texts(row: Row, visible: Collection[str]) -> list[str]:
    cells = (spans for key, spans in row.cells.items() if key in visible or key in ALWAYS)
    return ["".join(span.text for span in spans) for spans in cells]


def sieve(view: PanelView, wanted: Filter, visible: Collection[str]) -> PanelView:
    """Return a panel's view with only the rows that stay, in the same order."""
    if not wanted:
        return view
    return replace(view, rows=tuple(row for row in view.rows if wanted.keeps(row, visible)))


def following(
    rows: Sequence[Row], begin: int, by: int, wanted: Filter, visible: Collection[str]
) -> int | None:
    """Return the place of the next row that the filter keeps, going round; None: there is none."""
    count = len(rows)
    for step in range(1, count + 1):
        place = (begin + by * step) % count
        if wanted.keeps(rows[place], visible):
            return place
    return None
