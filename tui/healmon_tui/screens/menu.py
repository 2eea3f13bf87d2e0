"""A short list to pick from: the faults of the demo."""

from __future__ import annotations

from collections.abc import Sequence
from typing import ClassVar

from textual import events
from textual.binding import Binding, BindingType

from healmon_tui import glyphs
from healmon_tui.paint import Line, Span, Spans
from healmon_tui.screens.modal import Sheet, keys


class MenuSheet(Sheet[int | None]):
    """Answers with the place of what was picked, or None."""

    BINDINGS: ClassVar[list[BindingType]] = [
        Binding("enter", "pick", show=False),
    ]

    def __init__(self, title: str, names: Sequence[str]) -> None:
        super().__init__(title)
        self._names = tuple(names)
        self._place = 0
        self.above = 0
        """Lines of the body before the names."""

    def body(self, cells: int) -> list[Line]:
        """Return the names, numbered."""
        del cells
        return [self._line(place, name) for place, name in enumerate(self._names)]

    def foot(self) -> Spans:
        """Return the keys."""
        return keys(("enter", "do it"), ("1-9", "at once"), ("esc", "no"))

    def _line(self, place: int, name: str) -> Line:
        here = place == self._place
        number = f"{place + 1}" if place < 9 else " "
        sign = glyphs.CURSOR if here else " "
        return Line(
            (
                Span(f"{sign} ", "accent"),
                Span(f"{number}  ", "accent"),
                Span(name, "strong" if here else "text"),
            )
        )

    def action_scroll(self, by: int) -> None:
        """Move the cursor."""
        self._place = max(0, min(self._place + by, len(self._names) - 1))
        self.fill()

    def on_click(self, event: events.Click) -> None:
        """Put the cursor on a clicked row; a second click picks it."""
        line = self.box.line_at(event.screen_x, event.screen_y)
        place = -1 if line is None else line - self.above
        if 0 <= place < len(self._names):
            self.action_scroll(place - self._place)
            if event.chain == 2:
                self.action_pick()

    def action_pick(self) -> None:
        """Answer with the row under the cursor."""
        self.dismiss(self._place if self._names else None)

    def on_key(self, event: events.Key) -> None:
        """Answer with a digit."""
        if event.character and event.character in "123456789":
            place = int(event.character) - 1
            if place < len(self._names):
                event.stop()
                self.dismiss(place)


class LiftSheet(MenuSheet):
    """Silences and pauses in force, to end one of them."""

    def foot(self) -> Spans:
        """Return the keys."""
        return keys(("enter", "end it"), ("1-9", "at once"), ("esc", "leave all"))
