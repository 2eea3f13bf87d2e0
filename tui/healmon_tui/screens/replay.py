"""An act on a session, looked at again: its screen before, its screen after, what came of it."""

from __future__ import annotations

from typing import ClassVar

from textual import events
from textual.app import ComposeResult
from textual.binding import Binding, BindingType
from textual.screen import Screen

from healmon.plans import Packed
from healmon_tui import session
from healmon_tui.host import host
from healmon_tui.screens.reading import reading
from healmon_tui.widgets.bars import KeyBar
from healmon_tui.widgets.context import Context


class Replay(Screen[None]):
    """Before and after beside each other where there is room, else below."""

    ALLOW_SELECT = False
    BINDINGS: ClassVar[list[BindingType]] = [
        *reading(10),
        Binding("enter", "close", show=False),
        Binding("b", "close", show=False, id="session.replay"),
    ]

    def __init__(self, component: str, kept: Packed) -> None:
        super().__init__()
        self._component = component
        self._kept = kept
        self._side = Context()
        self._keys = KeyBar()

    def compose(self) -> ComposeResult:
        """Put the lines in."""
        yield self._side
        yield self._keys

    def on_mount(self) -> None:
        """Draw once the size is known."""
        self.call_after_refresh(self._draw)

    def on_resize(self, event: events.Resize) -> None:
        """Draw for another size."""
        del event
        self.call_after_refresh(self._draw)

    def _draw(self) -> None:
        before, after = session.replayed(self._kept, self._side.cells)
        self._side.show(self._component, before, after)
        app = host(self)
        self._keys.show(
            (("esc", "back"), (f"{app.key('move.down')} {app.key('move.up')}", "scroll"))
        )

    def action_scroll(self, by: int) -> None:
        """Scroll by so many lines."""
        self._side.scroll(by)

    def action_close(self) -> None:
        """Back to where it was asked for."""
        self.dismiss()
