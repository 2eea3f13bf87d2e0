"""A page to read: why a session is in its state."""

from __future__ import annotations

from collections.abc import Callable
from typing import ClassVar

from textual.binding import Binding, BindingType

from healmon_tui.paint import Line
from healmon_tui.screens.modal import Sheet


class PageSheet(Sheet[None]):
    """Shows lines made for the width of the box; answers nothing."""

    BINDINGS: ClassVar[list[BindingType]] = [Binding("enter", "close", show=False)]

    def __init__(self, title: str, body: Callable[[int], list[Line]]) -> None:
        super().__init__(title)
        self._body = body

    def body(self, cells: int) -> list[Line]:
        """Return the lines."""
        return self._body(cells)
