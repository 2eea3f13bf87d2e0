"""A long list of lines with a cursor that stays at the end while nobody has moved it."""

from __future__ import annotations

from collections.abc import Sequence

from textual import events

from healmon_tui import glyphs
from healmon_tui.paint import Line, Span, Spans, fill, heading
from healmon_tui.widgets.lines import Lines


class Roll(Lines, can_focus=True):
    """Lines under a heading, the newest last; each is known by a number that grows.

    Attributes:
        follows: the cursor is on the newest line and stays there.
    """

    def __init__(self) -> None:
        super().__init__(id="roll")
        self.follows = True
        self._title = ""
        self._extra = ""
        self._rows: Sequence[tuple[int, Spans]] = ()
        self._cursor = 0
        self._top = 0

    @property
    def place(self) -> int | None:
        """The place of the line under the cursor; None: there is none."""
        return min(self._cursor, len(self._rows) - 1) if self._rows else None

    def show(self, title: str, extra: str, rows: Sequence[tuple[int, Spans]]) -> None:
        """Show other lines; the cursor stays on its own, by its number."""
        here = self._rows[self.place][0] if self.place is not None else 0
        line = self._cursor - self._top
        self._title, self._extra, self._rows = title, extra, rows
        if self.follows:
            self._cursor = max(len(rows) - 1, 0)
        else:
            after = (place for place, (number, _) in enumerate(rows) if number >= here)
            self._cursor = next(after, max(len(rows) - 1, 0))
            self._top = self._cursor - line
        self.renew()

    def move(self, by: int) -> None:
        """Move the cursor; on the last line it follows what comes."""
        self._cursor = max(0, min(self._cursor + by, len(self._rows) - 1))
        self.follows = self._cursor >= len(self._rows) - 1
        self.renew()

    def page(self, direction: int) -> None:
        """Move the cursor by half a screen."""
        self.move(direction * max((self.size.height - 1) // 2, 1))

    def build(self, width: int, height: int) -> list[Line]:
        """Return the heading and the lines in sight."""
        room = max(height - 1, 1)
        self._cursor = max(0, min(self._cursor, len(self._rows) - 1))
        if self._cursor >= self._top + room:
            self._top = self._cursor - room + 1
        self._top = max(0, min(self._top, self._cursor, len(self._rows) - room))
        seen = range(self._top, min(len(self._rows), self._top + room))
        return [
            heading(self._title, width, extra=self._extra),
            *(self._line(place, width) for place in seen),
        ]

    def _line(self, place: int, cells: int) -> Line:
        here = place == self._cursor
        sign = Span(glyphs.CURSOR if here else " ", "accent")
        return Line(fill((sign, *self._rows[place][1]), cells), "cursor" if here else "base")

    def on_click(self, event: events.Click) -> None:
        """Put the cursor where the mouse is."""
        if event.y > 0:
            self.move(self._top + event.y - 1 - self._cursor)

    def on_mouse_scroll_down(self, event: events.MouseScrollDown) -> None:
        """Move down with the wheel."""
        event.stop()
        self.move(1)

    def on_mouse_scroll_up(self, event: events.MouseScrollUp) -> None:
        """Move up with the wheel."""
        event.stop()
        self.move(-1)
