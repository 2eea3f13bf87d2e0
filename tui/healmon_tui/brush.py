"""Paints what one drawing changed, all at once and past Textual's own rounds.

For each widget that changed Textual sends messages, waits for its turn, and puts all lines of all
widgets together before it writes some of them. Most drawings change a few lines that nothing lies
over; those are written where they stand. Whatever is not as plain as that is left to Textual.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from typing import TYPE_CHECKING, Any

from rich.console import Console
from textual._compositor import CompositorUpdate
from textual.geometry import Region

if TYPE_CHECKING:
    from textual.app import App
    from textual.screen import Screen
    from textual.widget import Widget


class Brush:
    """Paints lines of widgets.

    Args:
        app: where.
    """

    def __init__(self, app: App[Any]) -> None:
        self._app = app
        self._wet: dict[Widget, set[int]] | None = None
        self._free: tuple[object, dict[Widget, Region]] = (None, {})

    @contextmanager
    def gathered(self) -> Iterator[None]:
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

    def lines(self, widget: Widget, changed: Iterable[int]) -> None:
        """Paint some lines of a widget, counted from its first one."""
        if self._wet is None:
            _leave(widget, changed)
        else:
            self._wet.setdefault(widget, set()).update(changed)

    def _paint(self, wet: dict[Widget, set[int]]) -> None:
        screen = self._app.screen
        free = self._free_on(screen) if self._may(screen) else {}
        written: list[str] = []
        for widget, changed in wet.items():
            region = free.get(widget)
            if region is None or region.size != widget.size or not widget.display:
                _leave(widget, changed)
                continue
            written += _written(widget, region, sorted(changed), self._app.console)
        if written:
            self._app._display(screen, _Written("".join(written)))  # noqa: SLF001

    def _may(self, screen: Screen[Any]) -> bool:
        """Tell whether the screen is as it was laid out, and nothing else is about to paint it."""
        waits = screen._layout_required or screen._repaint_required or screen._scroll_required
        return screen.is_running and not waits and not self._app._batch_count

    def _free_on(self, screen: Screen[Any]) -> dict[Widget, Region]:
        """Return the widgets of a screen that are in sight as a whole, and where."""
        placed = screen._compositor.visible_widgets
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


def _written(widget: Widget, at: Region, changed: list[int], console: Console) -> Iterator[str]:
    for y in changed:
        if y < at.height:
            yield f"\x1b[{at.y + y + 1};{at.x + 1}H"
            yield widget.render_lines(Region(0, y, at.width, 1))[0].render(console)


def _leave(widget: Widget, changed: Iterable[int]) -> None:
    width = widget.size.width
    widget.refresh(*(Region(0, y, width, 1) for y in changed))
