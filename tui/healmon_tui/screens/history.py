"""The list of incidents to go to: `6`."""

from __future__ import annotations

from collections.abc import Sequence
from typing import ClassVar, Final

from textual.binding import Binding, BindingType

from healmon.clock import local_time
from healmon.service.archive import Entry
from healmon_tui import glyphs
from healmon_tui.host import host
from healmon_tui.paint import Line, Span, Spans, Tone, breadth, clip, fit
from healmon_tui.screens.modal import Sheet, keys

NAMES: Final = 24
"""Cells of the longest name that is shown whole."""
DAY: Final = 43_200.0
"""Seconds within which the time of day says enough."""
_MARKS: Final[dict[str, tuple[str, Tone]]] = {
    "CRITICAL": (glyphs.BAD, "bad"), "WARNING": (glyphs.WARN, "warn"),
}  # fmt: skip


class HistorySheet(Sheet[Entry | None]):
    """Answers with what was picked, or None.

    Args:
        entries: newest first.
        edge: what is older than the last of them.
        now: wall seconds.
        here: the event that is shown; 0: now.
    """

    BINDINGS: ClassVar[list[BindingType]] = [
        Binding("enter", "pick", show=False),
        Binding("g,home", "scroll(-100000)", show=False),
        Binding("G,end", "scroll(100000)", show=False),
        Binding("q,6", "close", show=False),
    ]

    def __init__(self, entries: Sequence[Entry], edge: str, now: float, here: int = 0) -> None:
        super().__init__("history", "accent")
        self._entries = tuple(entries)
        self._edge = edge
        self._now = now
        # what is listed there began at or before its own event: the one told of next is meant
        names = max((breadth(entry.component) for entry in self._entries), default=0)
        self._names = min(names, NAMES)
        far = any(abs(now - entry.wall) > DAY for entry in self._entries)
        self._times = 12 if far else 8
        self._place = max(sum(bool(here) and e.number >= here for e in self._entries) - 1, 0)

    def body(self, cells: int) -> list[Line]:
        """Return the entries, then what is older."""
        lines = [self._line(place, entry, cells) for place, entry in enumerate(self._entries)]
        return [*lines, Line((Span(f"   {self._edge}", "dim"),))]

    def foot(self) -> Spans:
        """Return the keys."""
        pick = (("enter", "go there"),) if self._entries else ()
        app = host(self)
        move = f"{app.key('move.down')} {app.key('move.up')}"
        return keys(*pick, (move, "move"), ("esc", "stay"))

    def on_mount(self) -> None:
        """Fill the box, the cursor in sight."""
        super().on_mount()
        self.call_after_refresh(self._follow)

    def _line(self, place: int, entry: Entry, cells: int) -> Line:
        here = place == self._place
        plain: tuple[str, Tone] = (glyphs.DONE, "ok") if entry.incident else (glyphs.DOT, "dim")
        sign, tone = _MARKS.get(entry.level, plain)
        far = abs(self._now - entry.wall) > DAY
        when = local_time(entry.wall, "%d %b %H:%M" if far else "%H:%M:%S")
        spans = (
            Span(f"{glyphs.CURSOR if here else ' '} ", "accent"),
            Span(f"{when:<{self._times}} ", "dim"),
            Span(f"{sign} ", tone),
            Span(f"{fit(entry.component, self._names)}  ", "strong" if here else "text"),
            Span(entry.text, "text" if entry.incident else "dim"),
            Span(f"  {entry.ended}" if entry.ended else "", "dim"),
        )
        return Line(clip(spans, cells))

    def action_scroll(self, by: int) -> None:
        """Move the cursor."""
        self._place = max(0, min(self._place + by, len(self._entries) - 1))
        self.fill()
        self._follow()

    def _follow(self) -> None:
        self.box.reveal(self._place)

    def action_pick(self) -> None:
        """Answer with the row under the cursor."""
        self.dismiss(self._entries[self._place] if self._entries else None)
