"""A box of lines in the middle of the screen: what sheets are drawn in."""

from __future__ import annotations

from textual import events

from healmon_tui import glyphs
from healmon_tui.host import host
from healmon_tui.paint import Ground, Line, Span, Spans, Tone, clip, fill
from healmon_tui.paint import width as cells_of
from healmon_tui.widgets.clicking import key_at
from healmon_tui.widgets.lines import Lines

WIDEST = 88
"""Cells of the widest box: lines longer than this are hard to read."""


class Box(Lines):
    """Title, body and foot inside a border; scrolls when the body is longer than the screen.

    Attributes:
        open_below: leave the bottom open, for an input that follows.
    """

    GROUND: Ground = "sheet"

    def __init__(self, title: str, tone: Tone = "accent") -> None:
        super().__init__(id="box")
        self._title = title
        self._tone: Tone = tone
        self._body: list[Line] = []
        self._foot: Spans = ()
        self._top = 0

    @staticmethod
    def cells_for(screen_width: int) -> int:
        """Return how many cells a line of the body may have on such a screen."""
        return box_cells(screen_width) - 4

    def show(self, body: list[Line], foot: Spans, screen: tuple[int, int]) -> None:
        """Show a body, taking as little of the screen as it needs."""
        self._body, self._foot = body, foot
        self.styles.width = box_cells(screen[0])
        self.styles.height = min(len(body) + 4, screen[1])
        self.renew()

    def line_at(self, x: int, y: int) -> int | None:
        """Return which line of the body stands at a place of the screen; None: no line does."""
        line = y - self.region.y - 1
        inside = self.region.contains(x, y) and 0 <= line < self.size.height - 4
        return self._top + line if inside else None

    def scroll(self, by: int) -> None:
        """Move through a body that does not fit."""
        self._top += by
        self.renew()

    def reveal(self, place: int) -> None:
        """Move so that a line of the body is in sight."""
        room = max(self.size.height - 4, 1)
        self._top = min(max(self._top, place - room + 1), place)
        self.renew()

    def build(self, width: int, height: int) -> list[Line]:
        """Return border, body in sight and foot."""
        room = max(height - 4, 1)
        self._top = max(0, min(self._top, len(self._body) - room))
        below = len(self._body) - self._top - room
        foot, rule = self._foot, ""
        if below > 0:
            app = host(self)
            move = f"{app.key('move.down')} {app.key('move.up')}"
            foot = (*foot, Span("   "), Span(move, "accent"), Span(f" {below} more lines", "dim"))
            if cells_of(foot) > width - 4:
                # that there is more to read must not be what is cut
                foot, rule = self._foot, f"{move} {below} more lines"
        lines = [_edge("╭", "╮", width, self._title, self._tone)]
        shown = self._body[self._top : self._top + room]
        lines += [_inside(line.spans, width) for line in shown]
        lines += [_inside((), width)] * (room - len(shown))
        parting = _edge("├", "┤", width, rule, "dim")
        return [*lines, parting, _inside(foot, width), _edge("╰", "╯", width)]

    def on_click(self, event: events.Click) -> None:
        """Press the key of the foot that was clicked."""
        if event.y == self.size.height - 2:
            key = key_at(self._foot, event.x - 2)
            if key:
                self.app.simulate_key(key)  # pyright: ignore[reportUnknownMemberType] - App is generic

    def on_mouse_scroll_down(self, event: events.MouseScrollDown) -> None:
        """Scroll with the wheel."""
        event.stop()
        self.scroll(3)

    def on_mouse_scroll_up(self, event: events.MouseScrollUp) -> None:
        """Scroll with the wheel."""
        event.stop()
        self.scroll(-3)


def box_cells(screen_width: int) -> int:
    """Return how wide a box is; where little would be left beside it, it takes all."""
    return WIDEST if screen_width >= WIDEST + 8 else screen_width


def _edge(left: str, right: str, cells: int, title: str = "", tone: Tone = "accent") -> Line:
    spans: Spans = (Span(left, "faint"),)
    if title:
        spans = (*spans, Span(glyphs.RULE, "faint"), Span(f" {title} ", tone))
    spans = clip(spans, cells - 2)
    rule = glyphs.RULE * (cells - 1 - cells_of(spans))
    return Line((*spans, Span(rule, "faint"), Span(right, "faint")), "sheet")


def _inside(spans: Spans, cells: int) -> Line:
    wall = Span(glyphs.WALL, "faint")
    return Line((wall, Span(" "), *fill(spans, cells - 4), Span(" "), wall), "sheet")
