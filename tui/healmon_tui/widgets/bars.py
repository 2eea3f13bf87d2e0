"""The lines above and below the panels: status, banner, tabs, newest alert, keys."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Final

from textual import events
from textual.message import Message

from healmon_tui import glyphs
from healmon_tui.paint import Ground, Line, Span, Spans, Tone, clip, cut, fill, width
from healmon_tui.rows.scene import Row
from healmon_tui.viewmodel import PANELS, SHORT, PanelId, PanelView
from healmon_tui.widgets.lines import Lines

FLASH: Final = 8.0
"""Seconds an answer stays in the footer."""


class StatusBar(Lines):
    """The first line."""

    GROUND: Ground = "bar"
    spans: Spans = ()

    def show(self, spans: Spans) -> None:
        """Show another status."""
        self.spans = spans
        self.renew()

    def build(self, width: int, height: int) -> list[Line]:
        """Return the one line."""
        del height
        return [Line(fill(self.spans, width), "bar")]


class Banner(Lines):
    """What a person must know first, on red."""

    GROUND: Ground = "alarm"
    message: str = ""

    def show(self, message: str) -> None:
        """Show a message; empty hides the banner."""
        self.message = message
        self.display = bool(message)
        self.renew()

    def build(self, width: int, height: int) -> list[Line]:
        """Return the one line."""
        del height
        return [
            Line(
                (Span(f" {glyphs.BAD} ", "strong"), Span(cut(self.message, width - 4), "strong")),
                "alarm",
            )
        ]


class Tabs(Lines):
    """The panels' names, where only one panel is shown."""

    class Picked(Message):
        """A tab was clicked."""

        def __init__(self, panel: PanelId) -> None:
            super().__init__()
            self.panel: PanelId = panel

    def __init__(self) -> None:
        super().__init__(id="tabs")
        self._views: dict[PanelId, PanelView] = {}
        self._focus: PanelId = "workers"

    def show(self, views: dict[PanelId, PanelView], focus: PanelId) -> None:
        """Show the panels' worst signs, one panel in front."""
        self._views, self._focus = views, focus
        self.renew()

    def build(self, width: int, height: int) -> list[Line]:
        """Return the one line."""
        del height
        for names in (len("Sessions"), 4):
            spans = self._tabs(names)
            if _cells(spans) <= width:
                break
        return [Line(clip(spans, width))]

    def _tabs(self, letters: int) -> Spans:
        spans: list[Span] = []
        for panel, view in self._views.items():
            name = SHORT[panel] if panel == self._focus else SHORT[panel][:letters]
            front = panel == self._focus
            tone: Tone = "accent" if front else "dim"
            label = f"{view.number} {name}"
            spans.append(Span("[" if front else " ", tone))
            spans.append(Span(label, tone))
            badge = self._badge(view)
            if badge is not None:
                spans += [Span(" "), badge]
            spans.append(Span("]" if front else " ", tone))
        return tuple(spans)

    @staticmethod
    def _badge(view: PanelView) -> Span | None:
        row = view.worst
        return Span(f"{row.mark.glyph}{view.loud}", row.mark.tone) if row is not None else None

    def on_click(self, event: events.Click) -> None:
        """Bring the clicked tab to the front."""
        x = 0
        spans = self._shown[0].spans if self._shown else ()
        panels = iter(PANELS)
        current: PanelId | None = None
        for span in spans:
            if span.text[:1].isdigit():
                current = next(panels, None)
            x += width((span,))
            if event.x < x:
                break
        if current is not None:
            self.post_message(self.Picked(current))


class Newest(Lines):
    """The alert to know about, where the alerts panel is not in sight."""

    def __init__(self) -> None:
        super().__init__(id="newest")
        self._row: Row | None = None

    def show(self, row: Row | None) -> None:
        """Show another alert."""
        self._row = row
        self.renew()

    def build(self, width: int, height: int) -> list[Line]:
        """Return a rule and the alert; the rule goes where there is one line only."""
        lines: list[Line] = []
        if height > 1:
            head = (Span(glyphs.RULE, "faint"), Span(" newest alert ", "dim"))
            lines.append(Line((*head, Span(glyphs.RULE * width, "faint"))))
        if self._row is None:
            return [*lines, Line((Span("   nothing has happened yet", "dim"),))]
        cells, mark = self._row.cells, self._row.mark
        spans = [Span(f" {mark.glyph}  ", mark.tone), *cells["time"], Span(" "), *cells["name"]]
        if height <= 2:
            return [*lines, Line((*spans, Span("  "), *cells["chain"]))]
        return [*lines, Line(tuple(spans)), Line((Span("    "), *cells["chain"]))]


class KeyBar(Lines):
    """The last line: keys, or for a while the answer to one."""

    GROUND: Ground = "bar"

    def __init__(self) -> None:
        super().__init__(id="keys")
        self._keys: Sequence[tuple[str, str]] = ()
        self._answer: tuple[str, Tone] | None = None

    def show(self, keys: Sequence[tuple[str, str]]) -> None:
        """Show other keys."""
        self._keys = keys
        self.renew()

    def flash(self, text: str, tone: Tone = "text") -> None:
        """Show an answer in place of the keys, for a while."""
        self._answer = (text, tone)
        self.renew()
        self.set_timer(FLASH, lambda answer=self._answer: self._fade(answer))

    @property
    def answer(self) -> str:
        """The answer being shown, or empty."""
        return self._answer[0] if self._answer else ""

    def _fade(self, answer: tuple[str, Tone]) -> None:
        if self._answer is answer:
            self._answer = None
            self.renew()

    def build(self, width: int, height: int) -> list[Line]:
        """Return the one line."""
        del height
        if self._answer is not None:
            text, tone = self._answer
            return [Line((Span(f" {cut(text, width - 2)}", tone),), "bar")]
        spans: list[Span] = [Span(" ", "text")]
        used = 1
        for key, word in self._keys:
            cells = len(key) + 1 + len(word)
            if used + cells > width:
                break
            spans += [Span(key, "accent"), Span(f" {word}", "dim"), Span("   ")]
            used += cells + 3
        return [Line(clip(spans, width), "bar")]


def _cells(spans: Spans) -> int:
    return width(spans)
