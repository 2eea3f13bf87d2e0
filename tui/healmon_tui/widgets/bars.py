"""The lines above and below the panels: status, banner, tabs, newest alert, keys."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Final

from textual import events
from textual.message import Message

from healmon_tui import glyphs
from healmon_tui.paint import (
    Ground,
    Line,
    Span,
    Spans,
    Tone,
    between,
    breadth,
    clip,
    cut,
    fill,
    width,
)
from healmon_tui.rows.scene import Row
from healmon_tui.viewmodel import PANELS, SHORT, TITLE, PanelId, PanelView
from healmon_tui.widgets.clicking import key_at
from healmon_tui.widgets.lines import Lines

ROOM_FOR_HELP: Final = 40
"""Cells from which on the first key, that of the help, stays beside an answer."""
ROOM_FOR_EARLIER: Final = 20
"""Cells that must be left for the answer before the newest one."""
FLASH: Final = 10.0
"""Seconds an answer stays in the footer."""
READ: Final = 2.0
"""Seconds after which an answer counts as read: before, the next one does not take its place."""


class StatusBar(Lines):
    """The first line."""

    GROUND: Ground = "bar"
    spans: Spans = ()
    ground: Ground = "bar"

    def show(self, spans: Spans, ground: Ground = "bar") -> None:
        """Show another status."""
        self.spans, self.ground = spans, ground
        self.renew()

    def build(self, width: int, height: int) -> list[Line]:
        """Return the one line."""
        del height
        return [Line(fill(self.spans, width), self.ground)]


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
        for names in (TITLE, SHORT):
            spans = self._tabs(names)
            if _cells(spans) <= width:
                break
        return [Line(clip(spans, width))]

    def _tabs(self, names: dict[PanelId, str]) -> Spans:
        spans: list[Span] = []
        for panel, view in self._views.items():
            front = panel == self._focus
            tone: Tone = "accent" if front else "dim"
            spans.append(Span("[" if front else " ", tone))
            spans.append(Span(f"{view.number} {(TITLE if front else names)[panel]}", tone))
            if view.worst is not None:
                mark = view.worst.mark
                alike = sum(row.mark.glyph == mark.glyph for row in view.rows)
                spans += [Span(" "), Span(f"{mark.glyph}{alike}", mark.tone)]
            spans.append(Span("]" if front else " ", tone))
        return tuple(spans)

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
    """The alert to know about, where the alerts panel is not in sight; more where there is room."""

    def __init__(self) -> None:
        super().__init__(id="newest")
        self._rows: list[Row] = []

    def show(self, rows: list[Row]) -> None:
        """Show other alerts, the first one first."""
        self._rows = rows
        self.renew()

    def build(self, width: int, height: int) -> list[Line]:
        """Return a rule and the alert; on more than two lines, as many alerts as fit."""
        rule = Span(glyphs.RULE * max(width - 15, 0), "faint")
        head = Line((Span(" newest alert ", "dim"), rule))
        if not self._rows:
            return [head, Line((Span("   nothing has happened yet", "dim"),))]
        if height <= 2:
            first = self._rows[0]
            return [head, Line((*_head(first), Span("  "), *first.cells["chain"]))]
        return [
            line
            for row in self._rows[: height // 2 + 1]
            for line in (Line(_head(row)), Line((Span("   "), *row.cells["chain"])))
        ]


def _head(row: Row) -> Spans:
    sign = Span(f" {row.mark.glyph} ", row.mark.tone)
    return (sign, *row.cells["time"], Span(" "), *row.cells["name"])


class KeyBar(Lines):
    """The last line: keys, or for a while the answer to one."""

    GROUND: Ground = "bar"

    def __init__(self) -> None:
        super().__init__(id="keys")
        self._keys: Sequence[tuple[str, str]] = ()
        self._answer: tuple[str, Tone] | None = None
        self._unread: tuple[str, Tone] | None = None
        self._earlier: tuple[str, Tone] | None = None
        self._prompt: Spans = ()
        self._prompt_keys: Spans = ()

    def ask(self, prompt: Spans, keys: Spans = ()) -> None:
        """Show a line that is being typed, and what ends it; empty: no longer."""
        self._prompt, self._prompt_keys = prompt, keys
        self.renew()

    def show(self, keys: Sequence[tuple[str, str]]) -> None:
        """Show other keys."""
        self._keys = keys
        self.renew()

    def flash(self, text: str, tone: Tone = "text") -> None:
        """Show an answer in place of the keys, for a while.

        One that nobody can have read yet stays behind it: the answer to a key must not be lost
        to one that comes in the same moment.
        """
        answer = (text, tone)
        self._earlier = self._unread if _still_says(self._unread, text) else None
        self._answer = self._unread = answer
        self.renew()
        self.set_timer(READ, lambda: self._read(answer))
        self.set_timer(FLASH, lambda: self._fade(answer))

    def hush(self) -> None:
        """Show the keys again."""
        self._answer = self._unread = self._earlier = None
        self.renew()

    @property
    def answer(self) -> str:
        """The answer being shown, or empty."""
        return self._answer[0] if self._answer else ""

    def _read(self, answer: tuple[str, Tone]) -> None:
        if self._unread is answer:
            self._unread = None

    def _fade(self, answer: tuple[str, Tone]) -> None:
        if self._answer is answer:
            self.hush()

    def build(self, width: int, height: int) -> list[Line]:
        """Return the one line."""
        del height
        if self._prompt:
            room = width - 1 - _cells(self._prompt_keys)
            tail = self._prompt_keys if room >= min(_cells(self._prompt), 24) else ()
            return [Line(between(self._prompt, (*tail, Span(" ")), width), "bar")]
        if self._answer is not None:
            key, word = self._keys[0] if self._keys and width >= ROOM_FOR_HELP else ("", "")
            help_ = (Span(f"  {key}", "accent"), Span(f" {word} ", "dim")) if key else ()
            room = width - 2 - sum(len(span.text) for span in help_)
            return [Line(between(self._said(self._answer, room), help_, width), "bar")]
        spans: list[Span] = []
        used = 1
        for key, word in self._keys:
            used += len(key) + 1 + len(word)
            if used > width - 1:
                break
            spans += [Span("  " if spans else " "), Span(key, "accent"), Span(f" {word}", "dim")]
            used += 2
        return [Line(tuple(spans), "bar")]

    def _said(self, answer: tuple[str, Tone], room: int) -> Spans:
        """Return the newest answer and, where there is room for some of it, the one before."""
        text, tone = answer
        said = cut(text, room)
        left = room - breadth(said) - 3
        if self._earlier is None or left < ROOM_FOR_EARLIER:
            return (Span(f" {said}", tone),)
        earlier, shade = self._earlier
        return (
            Span(f" {said}", tone), Span(f" {glyphs.DOT} ", "dim"), Span(cut(earlier, left), shade)
        )  # fmt: skip

    def on_click(self, event: events.Click) -> None:
        """Press the key that was clicked."""
        key = key_at(self._shown[0].spans if self._shown else (), event.x)
        if key and self._answer is None:
            self.app.simulate_key(key)  # pyright: ignore[reportUnknownMemberType] - App is generic


def _still_says(answer: tuple[str, Tone] | None, next_text: str) -> bool:
    """Return whether an answer has something to say beside the next one.

    A dim one only says that something is being done; one with the same subject is overtaken.
    """
    if answer is None or answer[1] == "dim":
        return False
    subject, colon, _ = answer[0].partition(": ")
    return answer[0] != next_text and not (colon and next_text.startswith(f"{subject}: "))


def _cells(spans: Spans) -> int:
    return width(spans)
