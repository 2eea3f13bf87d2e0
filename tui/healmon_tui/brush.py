"""Paints what one drawing changed, all at once and past Textual's own rounds.

For each widget that changed Textual sends messages, waits for its turn, and puts all lines of all
widgets together before it writes some of them. Most drawings change a few cells that nothing lies
over; those are written where they stand. Whatever is not as plain as that is left to Textual.
"""

# what Textual knows of its screens is private; it is pinned, and a test compares every cell
# pyright: reportPrivateUsage=false

from __future__ import annotations

from collections.abc import Generator, Iterable, Mapping
from contextlib import contextmanager
from typing import TYPE_CHECKING, Any, TypeAlias

from rich.console import Console
from textual._compositor import CompositorUpdate
from textual.geometry import Region
from textual.widget import Widget

from healmon_tui.paint import Line

if TYPE_CHECKING:
    from textual.app import App
    from textual.screen import Screen

Changed: TypeAlias = Mapping[int, Line | None]
"""What was there before, by the line that is another now; None: nobody knows."""


class Painted(Widget):
    """A widget whose lines can be written one by one."""

    def written(self, y: int, before: Line | None, console: Console) -> tuple[int, str]:
        """Return one line as a terminal takes it that shows `before` there, and its first cell."""
        raise NotImplementedError


class Brush:
    """Paints lines of widgets.

    Args:
        app: where.
    """

    def __init__(self, app: App[Any]) -> None:
        self._app: Any = app
        self._wet: dict[Painted, dict[int, Line | None]] | None = None
        self._free: tuple[object, dict[Widget, Region]] = (None, {})

    @contextmanager
    def gathered(self) -> Generator[None]:
        """Paint at the end what changes meanwhile."""
        if self._wet is not None:
            yield
            return
        self._wet = {}
        try:
            yield
        finally:
            wet, self._wet = self._wet, None
            if wet:
                self._paint(wet)

    def lines(self, widget: Painted, changed: Changed) -> None:
        """Paint some lines of a widget, counted from its first one."""
        if self._wet is None:
            _leave(widget, changed)
        else:
            # what the terminal shows is what was there first
            self._wet[widget] = {**changed, **self._wet.get(widget, {})}

    def _paint(self, wet: Mapping[Painted, Changed]) -> None:
        screen, console = self._app.screen, self._app.console
        free = self._free_on(screen) if self._may(screen) else {}
        written: list[str] = []
        for widget, changed in wet.items():
            at = free.get(widget)
            if at is None or at.size != widget.size or _waits(widget, screen):
                _leave(widget, changed)
                continue
            for y, before in changed.items():
                if y < at.height:
                    x, text = widget.written(y, before, console)
                    written.append(f"\x1b[{at.y + y + 1};{at.x + x + 1}H{text}")
        if written:
            # the way all that is painted goes
            self._app._display(screen, _Written("".join(written)))  # noqa: SLF001

    def _may(self, screen: Screen[Any]) -> bool:
        """Tell whether the screen is as it was laid out, and is not painted as a whole anyway."""
        waits = screen._layout_required or screen._repaint_required or screen._scroll_required  # noqa: SLF001
        return screen.is_running and not waits and not self._app._batch_count  # noqa: SLF001

    def _free_on(self, screen: Screen[Any]) -> dict[Widget, Region]:
        """Return the widgets of a screen that are in sight as a whole, and where."""
        placed = screen._compositor.visible_widgets  # noqa: SLF001
        if self._free[0] is not placed:
            front: list[Region] = []
            free: dict[Widget, Region] = {}
            for widget, (region, clip) in placed.items():
                covered = any(region.overlaps(other) for other in front)
                if not covered and clip.contains_region(region):
                    free[widget] = region
                front.append(region)
            self._free = (placed, free)
        return self._free[1]


class _Written(CompositorUpdate):
    """What is to be written, as Textual wants to be told."""

    def __init__(self, text: str) -> None:
        self._text = text

    def render_segments(self, console: Console) -> str:
        """Return it."""
        del console
        return self._text


def _waits(widget: Widget, screen: Screen[Any]) -> bool:
    """Tell whether a widget is about to be painted as a whole, or not to be seen."""
    # what it shows now was never painted: nobody knows what differs
    dirty = widget._repaint_required or widget in screen._dirty_widgets  # noqa: SLF001
    return dirty or not widget.display


def _leave(widget: Widget, changed: Iterable[int]) -> None:
    width = widget.size.width
    widget.refresh(*(Region(0, y, width, 1) for y in changed))
