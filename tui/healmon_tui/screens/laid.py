"""The layout of the overview: what is seen at a size, and how large."""

from __future__ import annotations

from textual.app import ComposeResult
from textual.geometry import Region
from textual.strip import Strip

from healmon_tui import layout
from healmon_tui.layout import Mode, Size, Want
from healmon_tui.paint import Tone
from healmon_tui.screens.commanding import Commanding
from healmon_tui.viewmodel import PANELS, PanelId
from healmon_tui.widgets.bars import Banner, Newest, StatusBar, Tabs
from healmon_tui.widgets.context import Context
from healmon_tui.widgets.lines import Frame, blank
from healmon_tui.widgets.pausing import PauseBar


class Laid(Commanding):
    """Panels, context and lines in their places."""

    def __init__(self) -> None:
        super().__init__()
        self._zooms: list[Size] = [Size.NORMAL]
        self._rows = 0
        self._with_context = True
        self._laid_out: tuple[object, ...] = ()
        self._status = StatusBar()
        self._banner = Banner()
        self._pause = PauseBar()
        self._tabs = Tabs()
        self._newest = Newest()
        self._side = Context(id="context")

    def compose(self) -> ComposeResult:
        """Put everything in; `_lay_out` says what is seen and how large."""
        yield self._status
        yield self._banner
        yield self._pause
        yield self._tabs
        with Frame(id="body"):
            with Frame(id="panels"):
                yield from self._panels.values()
            yield self._side
        yield self._newest
        yield self._keys

    def render_lines(self, crop: Region) -> list[Strip]:
        """Return blank lines: the widgets cover them."""
        return blank(self, crop)

    @property
    def mode(self) -> Mode:
        """The shape of the screen at this size."""
        width, height = self.host.size
        return layout.mode(width, height, full=self._zoom is Size.FULL, context=self._with_context)

    @property
    def sighted(self) -> bool:
        """Whether the row under the cursor is in sight."""
        return self.mode is not Mode.TINY

    def flash(self, text: str, tone: Tone = "text") -> None:
        """Show an answer in the last line for a while, also where there is no such line else."""
        super().flash(text, tone)
        if not self.sighted:
            self.call_after_refresh(self.host.redraw)

    @property
    def _zoom(self) -> Size:
        return self._zooms[-1]

    def _lay_out(self) -> None:
        said = not self.sighted and bool(self._keys.answer)
        above = bool(self._picture and self._picture.banner) + bool(self._pause.spans)
        asked = (self.host.size, self.mode, self.panel, self._zoom, above, said, self._wants())
        if asked != self._laid_out:
            self._laid_out = asked
            self._lay_out_anew(above)

    def _lay_out_anew(self, above: int) -> None:
        width, height = self.host.size
        mode = self.mode
        single = mode is Mode.SINGLE
        for name, panel in self._panels.items():
            panel.display = mode is not Mode.TINY and (not single or name == self.panel)
            panel.bare = single
            if single:
                panel.styles.height = "1fr"
        self._tabs.display = single
        self._keys.display = self.sighted or bool(self._keys.answer)
        self._newest.display = mode is Mode.TINY or (single and self.panel != "alerts")
        self._newest.styles.height = "1fr" if mode is Mode.TINY else 2
        self.query_one("#body").display = mode is not Mode.TINY
        self.query_one("#body").set_class(mode is Mode.COLUMN, "-column")
        self._side.display = mode in (Mode.COLUMN, Mode.STRIP)
        self._side.walled = mode is Mode.COLUMN
        strip = layout.strip_lines(height, self._wants()) if mode is Mode.STRIP else 0
        self._side.styles.width = layout.side_cells(width) if mode is Mode.COLUMN else "1fr"
        self._side.styles.height = strip or "1fr"
        if mode in (Mode.STACK, Mode.STRIP, Mode.COLUMN):
            self._share(height - 2 - strip - above)

    def _share(self, lines: int) -> None:
        if self._picture is None:
            return
        half = self._zoom is Size.HALF
        self._rows = max(lines - len(PANELS), 0)
        rows = layout.share(self._rows, self._wants(), self.panel, half=half)
        for name, panel in self._panels.items():
            panel.styles.height = rows[name] + 1

    def _wants(self) -> dict[PanelId, Want]:
        views = self._picture.panels if self._picture else {}
        return {
            n: Want(self._shown(n, len(views[n].rows)), views[n].loud) if n in views else Want(0, 0)
            for n in PANELS
        }

    def _shown(self, name: PanelId, count: int) -> int:
        """Return for how many rows a panel needs room: hidden ones need none, once that is sure."""
        panel = self._panels[name]
        typed = self.typing and name == self.panel
        return count if typed or not panel.filter else max(len(panel.view.rows), 1)

    def _half_helps(self) -> bool:
        """Tell whether the panel has rows out of sight for which half the screen is more room."""
        wants = self._wants()
        rows = layout.share(self._rows, wants, self.panel)[self.panel]
        return rows < min(self._rows // 2, wants[self.panel].rows)
