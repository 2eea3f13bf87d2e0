"""All about one component, on a screen of its own."""

from __future__ import annotations

from typing import ClassVar

from textual.app import ComposeResult
from textual.binding import Binding, BindingType
from textual.screen import Screen

from healmon_tui import context
from healmon_tui.context import Subject
from healmon_tui.picture import Picture
from healmon_tui.widgets.bars import Banner, KeyBar, StatusBar
from healmon_tui.widgets.context import Context


class Detail(Screen[None]):
    """Facts, alerts, plan, timeline, journal; live."""

    ALLOW_SELECT = False
    BINDINGS: ClassVar[list[BindingType]] = [
        Binding("escape,q,enter", "close", show=False),
        Binding("j,down", "scroll(1)", show=False),
        Binding("k,up", "scroll(-1)", show=False),
        Binding("ctrl+d,pagedown,space", "scroll(10)", show=False),
        Binding("ctrl+u,pageup", "scroll(-10)", show=False),
        Binding("ctrl+q", "app.quit", show=False, priority=True),
    ]

    def __init__(self, about: Subject) -> None:
        super().__init__()
        self._about = about
        self._status = StatusBar()
        self._banner = Banner()
        self._side = Context()
        self._keys = KeyBar()

    def compose(self) -> ComposeResult:
        """Put the lines in."""
        yield self._status
        yield self._banner
        yield self._side
        yield self._keys

    def show(self, picture: Picture) -> None:
        """Show another moment."""
        cells = self._side.cells
        self._status.show(picture.status(self.size.width))
        self._banner.show(picture.banner)
        self._side.show(
            self._about.component,
            context.now(picture.scene, self._about, cells),
            context.past(picture.chronicle, self._about, cells, picture.upto),
        )
        self._keys.show((("esc", "back"), ("j k", "scroll")))

    def action_scroll(self, by: int) -> None:
        """Scroll by so many lines."""
        self._side.scroll(by)

    def action_close(self) -> None:
        """Back to the overview."""
        self.dismiss()
