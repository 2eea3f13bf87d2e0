"""Cells that are made when they are first asked for: of many rows few are in sight, and not whole.

They say what they would have said at once: whatever they are made of is kept until all are made.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from typing import Any, Generic, TypeVar

from healmon_tui.paint import Spans
from healmon_tui.rows.scene import Row

Seen = TypeVar("Seen")


class LateCells(Mapping[str, Spans], Generic[Seen]):
    """The cells of a row by column key.

    Args:
        makers: what makes each.
        seen: what each is made of.
    """

    __slots__ = ("_made", "_makers", "_seen")

    def __init__(self, makers: Mapping[str, Callable[[Seen], Spans]], seen: Seen) -> None:
        self._makers = makers
        self._seen: Seen | None = seen
        self._made: dict[str, Spans] = {}

    def __getitem__(self, key: str) -> Spans:
        """Return a cell.

        Raises:
            KeyError: there is no such column.
        """
        made = self._made.get(key)
        if made is None:
            maker = self._makers[key]
            assert self._seen is not None, "all are made"
            made = self._made[key] = maker(self._seen)
        return made

    def get(self, key: str, default: Any = None) -> Any:  # noqa: ANN401 - as mappings say it
        """Return a cell, or `default` if there is no such column."""
        made = self._made.get(key)
        if made is not None:
            return made
        return self[key] if key in self._makers else default

    def __iter__(self) -> Iterator[str]:
        """Go through the columns."""
        return iter(self._makers)

    def __len__(self) -> int:
        """Return how many columns there are."""
        return len(self._makers)

    def __eq__(self, other: object) -> bool:
        """Tell whether all cells say the same."""
        return self.all() == (other.all() if isinstance(other, LateCells) else other)

    __hash__ = None  # type: ignore[assignment]

    def all(self) -> dict[str, Spans]:
        """Return all cells, and let go of what they are made of."""
        if self._seen is not None:
            for key in self._makers:
                self[key]
            self._seen = None
        return self._made


def made(row: Row) -> Row:
    """Return the row with all its cells made."""
    if isinstance(row.cells, LateCells):
        row.cells.all()  # pyright: ignore[reportUnknownMemberType] - generic
    return row
