"""The context of the row under the cursor, in a column, a strip or a screen of its own."""

from __future__ import annotations

from textual import events

from healmon_tui import glyphs
from healmon_tui.arrange import beside
from healmon_tui.paint import Line, Span, heading
from healmon_tui.widgets.lines import Lines

BESIDE = 96
"""Cells from which the past stands beside the present instead of below it."""
KEPT = 3
"""Lines by which the place of whoever reads is found again."""
END = 1_000_000
"""Beyond the last line of anything."""


class Context(Lines):
    """How a component is and what happened to it, made elsewhere.

    Attributes:
        walled: draw a wall at the left: it stands beside the panels.
    """

    def __init__(self, *, id: str | None = None) -> None:  # noqa: A002 - Textual's name
        super().__init__(id=id)
        self.walled = False
        self._title = ""
        self._now: list[Line] = []
        self._past: list[Line] = []
        self._below: list[Line] = []
        self._top = 0
        self._at_end = False
        self._body: list[Line] = []

    @property
    def beside(self) -> bool:
        """Whether the past stands beside the present."""
        return not self.walled and self.size.width >= BESIDE

    @property
    def cells(self) -> int:
        """How many cells each line may have."""
        if self.beside:
            return (self.size.width - 3) // 2
        return max(self.size.width - (2 if self.walled else 0), 10)

    def show(
        self, title: str, now: list[Line], past: list[Line], below: list[Line] | None = None
    ) -> None:
        """Show another component, or another state of it; whoever reads the end stays there."""
        if title != self._title:
            self._top = 0
        elif self._at_end and self._top:
            self._top = END
        kept = self._body[self._top : self._top + KEPT] if self._top and not self._at_end else []
        self._title, self._now, self._past, self._below = title, now, past, below or []
        if kept and title == self._title:
            self._top = _place_of(kept, self._lines(), self._top)
        self.renew()

    def scroll(self, by: int) -> None:
        """Move through lines that do not fit."""
        self._top += by
        self.renew()

    def edge(self, direction: int) -> None:
        """Go to the first line, or to the last one and stay there."""
        self._top = END if direction > 0 else 0
        self.renew()

    def build(self, width: int, height: int) -> list[Line]:
        """Return the heading and the lines in sight."""
        body = self._body = self._lines()
        cells = width - (2 if self.walled else 0)
        room = max(height - 1, 0)
        self._top = max(0, min(self._top, len(body) - room))
        self._at_end = self._top == len(body) - room
        below = len(body) - self._top - room
        more = f"+{below} more" if below > 0 else ""
        lines = [heading(self._title, cells, "strong", more)]
        lines += body[self._top : self._top + room]
        if not self.walled:
            return lines
        lines += [Line()] * (height - len(lines))
        wall = Span(f"{glyphs.WALL} ", "faint")
        return [Line((wall, *line.spans), line.ground) for line in lines]

    def _lines(self) -> list[Line]:
        body = self._beside() if self.beside else [*self._now, *self._past]
        return body + self._below

    def _beside(self) -> list[Line]:
        wall = Span(f" {glyphs.WALL} ", "faint")
        left, right = self._now, self._past
        if not self._below:
            left = [*left, *[Line()] * (self.size.height - 1 - len(left))]
        return beside(left, right, self.cells, (wall,))

    def on_mouse_scroll_down(self, event: events.MouseScrollDown) -> None:
        """Scroll with the wheel."""
        event.stop()
        self.scroll(3)

    def on_mouse_scroll_up(self, event: events.MouseScrollUp) -> None:
        """Scroll with the wheel."""
        event.stop()
        self.scroll(-3)


def _place_of(kept: list[Line], body: list[Line], before: int) -> int:
    """Return where lines that were at a place are now, the nearest to it; unknown: that place."""
    found = [n for n in range(len(body)) if body[n : n + len(kept)] == kept]
    return min(found, key=lambda place: abs(place - before), default=before)
