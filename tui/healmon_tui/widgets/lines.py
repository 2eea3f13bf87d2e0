"""The base of all widgets here: lines of spans, drawn through one door, repainted by difference."""

from __future__ import annotations

from itertools import zip_longest

from rich.color import ColorSystem
from rich.console import Console
from textual.containers import Container
from textual.geometry import Region
from textual.strip import Strip
from textual.widget import Widget

from healmon_tui.brush import Painted
from healmon_tui.host import host
from healmon_tui.paint import Ground, Line, differing
from healmon_tui.themes import Palette


def blank(part: Widget, crop: Region) -> list[Strip]:
    """Return the lines of what has none of its own: all one, where Textual makes each anew."""
    look = host(part).palette
    strip = look.strip(Line(), crop.width)
    if not look.solid:
        for found in part.get_line_filters():
            strip = strip.apply_filter(found, part.background_colors[1])
    return [strip] * crop.height


class Frame(Container):
    """Holds others that cover it."""

    def render_lines(self, crop: Region) -> list[Strip]:
        """Return blank lines."""
        return blank(self, crop)


class Lines(Painted):
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
        self._painted: dict[int, tuple[Line | None, Strip]] = {}
        self._painted_with: tuple[Palette | None, int] = (None, 0)

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
        self._shown = shown = self.build(width, height)[:height]
        self._built_for = (width, height)
        if not same_size:
            self.refresh()
            return
        changed: dict[int, Line | None] = {}
        for y, (old, new) in enumerate(zip_longest(before, shown)):
            if old is new:
                continue
            if old is not None and old == new:
                shown[y] = old  # it is painted already
            else:
                changed[y] = old
        if changed:
            host(self).brush.lines(self, changed)

    def render_line(self, y: int) -> Strip:
        """Return one painted line."""
        width, height = self.size
        self._build_for(width, height)
        return self.look.strip(self._shown_at(y) or Line((), self.GROUND), width)

    def render_lines(self, crop: Region) -> list[Strip]:
        """Return painted lines, each painted once until it is another.

        Lines have neither border nor padding and paint every cell, so that nothing of what Textual
        does around a widget's content is missed here.
        """
        look, (width, height) = self.look, self.size
        self._build_for(width, height)
        if self._painted_with != (look, width):
            self._painted, self._painted_with = {}, (look, width)
        strips = [self._strip(y, width) for y in crop.line_range]
        if not look.solid:
            for found in self.get_line_filters():
                background = self.background_colors[1]
                strips = [strip.apply_filter(found, background) for strip in strips]
        span = crop.column_span
        return strips if span == (0, width) else [strip.crop(*span) for strip in strips]

    def written(self, y: int, before: Line | None, console: Console) -> tuple[int, str]:
        """Return one line as a terminal takes it that shows `before` there, and its first cell."""
        look, width = self.look, self._built_for[0]
        if not look.solid or look.ascii:
            return 0, self.render_lines(Region(0, y, width, 1))[0].render(console)
        line = self._shown_at(y) or Line((), self.GROUND)
        x, spans = differing(before, line, width)
        # as strips do
        colours = console._color_system or ColorSystem.TRUECOLOR  # noqa: SLF001 # pyright: ignore[reportPrivateUsage]
        return x, look.written(spans, line.ground, colours)

    def _strip(self, y: int, width: int) -> Strip:
        line, known = self._shown_at(y), self._painted.get(y)
        if known is None or known[0] is not line:
            strip = self.look.strip(line or Line((), self.GROUND), width)
            known = self._painted[y] = (line, strip)
        return known[1]

    def _shown_at(self, y: int) -> Line | None:
        return self._shown[y] if y < len(self._shown) else None

    def _build_for(self, width: int, height: int) -> None:
        if self._built_for != (width, height):
            self._shown = self.build(width, height)[:height]
            self._built_for = (width, height)

    @property
    def look(self) -> Palette:
        """The app's palette."""
        return host(self).palette

    def text(self) -> str:
        """Return what is shown as plain text, one line per line of the widget."""
        width, height = self.size
        return "\n".join(self.render_line(y).text for y in range(height)) if width else ""
