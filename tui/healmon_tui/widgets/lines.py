"""The base of all widgets here: lines of spans, drawn through one door, repainted by difference."""

from __future__ import annotations

from textual.geometry import Region
from textual.strip import Strip
from textual.widget import Widget

from healmon_tui.host import host
from healmon_tui.paint import Ground, Line
from healmon_tui.themes import Palette


class Lines(Widget):
    """Draws what `build` returns, and repaints only the lines that changed."""

    ALLOW_SELECT = False
    GROUND: Ground = "base"

    DEFAULT_CSS = """
    Lines { width: 1fr; height: 1fr; }
    """

    def __init__(self, *, id: str | None = None, classes: str | None = None) -> None:  # noqa: A002 - Textual's name
        super().__init__(id=id, classes=classes, markup=False)
        self._shown: list[Line] = []
        self._built_for: tuple[int, int] = (-1, -1)

    def build(self, width: int, height: int) -> list[Line]:
        """Return the lines for a size; those beyond `height` are not seen."""
        raise NotImplementedError

    def renew(self) -> None:
        """Build again and repaint what differs."""
        width, height = self.size
        if not self.is_attached or not width or not height:
            self._built_for = (-1, -1)
            return
        before, same_size = self._shown, self._built_for == (width, height)
        self._shown = self.build(width, height)[:height]
        self._built_for = (width, height)
        if not same_size:
            self.refresh()
            return
        for y in range(max(len(before), len(self._shown))):
            old = before[y] if y < len(before) else None
            new = self._shown[y] if y < len(self._shown) else None
            if old != new:
                self.refresh(Region(0, y, width, 1))

    def render_line(self, y: int) -> Strip:
        """Return one painted line."""
        width, height = self.size
        if self._built_for != (width, height):
            self._shown = self.build(width, height)[:height]
            self._built_for = (width, height)
        line = self._shown[y] if y < len(self._shown) else Line((), self.GROUND)
        return self.look.strip(line, width)

    @property
    def look(self) -> Palette:
        """The app's palette."""
        return host(self).palette

    def text(self) -> str:
        """Return what is shown as plain text, one line per line of the widget."""
        width, height = self.size
        return "\n".join(self.render_line(y).text for y in range(height)) if width else ""
