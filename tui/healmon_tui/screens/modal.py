"""The base of all sheets over the overview: a box of lines, keys to scroll and to close."""

from __future__ import annotations

from typing import ClassVar, Final, Generic, TypeVar

from textual import events
from textual.app import ComposeResult
from textual.binding import Binding, BindingType
from textual.screen import ModalScreen

from healmon.clock import process_seconds
from healmon_tui.host import host
from healmon_tui.paint import Line, Span, Spans, Tone
from healmon_tui.screens.reading import reading
from healmon_tui.screens.showing import Tended
from healmon_tui.widgets.box import Box

Result = TypeVar("Result")
READ: Final = 0.3
"""Seconds before which nobody can have read a plan: a key that comes sooner was meant for more."""


class Sheet(Tended, ModalScreen[Result], Generic[Result]):
    """A box that closes with `esc`; what it shows is made for the screen's width."""

    ALLOW_SELECT = False
    BINDINGS: ClassVar[list[BindingType]] = [
        *reading(8),
        Binding("ctrl+c", "close", show=False),
    ]

    def __init__(self, title: str, tone: Tone = "accent") -> None:
        super().__init__()
        self.box = Box(title, tone)
        self._opened = process_seconds()

    def body(self, cells: int) -> list[Line]:
        """Return the lines to show."""
        raise NotImplementedError

    def foot(self) -> Spans:
        """Return the line of keys."""
        return keys(("esc", "close"))

    def compose(self) -> ComposeResult:
        """Put the box in."""
        yield self.box

    def on_mount(self) -> None:
        """Fill the box."""
        self._opened = process_seconds()
        self.fill()

    @property
    def unread(self) -> bool:
        """Whether it has been there for so short that no yes can be meant for it."""
        return process_seconds() - self._opened < READ

    def on_resize(self, event: events.Resize) -> None:
        """Fill the box for another size."""
        del event
        self.fill()

    def fill(self) -> None:
        """Fill the box."""
        width, height = host(self).size
        self.box.show(self.body(Box.cells_for(width)), self.foot(), (width, height - self.below()))

    def tend(self) -> None:
        """Heed what has happened since the screen was drawn last."""

    def below(self) -> int:
        """Return how many lines other widgets take."""
        return 0

    def action_scroll(self, by: int) -> None:
        """Scroll by so many lines."""
        self.box.scroll(by)

    def action_close(self) -> None:
        """Close without an answer."""
        self.dismiss(None)


def refusal(sheet: ModalScreen[Result]) -> str:
    """Return the keys that say no, as they are shown."""
    return f"{host(sheet).key('sheet.no')} esc".strip()


def keys(*pairs: tuple[str, str]) -> Spans:
    """Return keys with what they do, for a foot; what has no key is left out."""
    spans: list[Span] = []
    for key, word in (pair for pair in pairs if pair[0]):
        spans += [Span("   ")] if spans else []
        spans += [Span(key, "accent"), Span(f" {word}", "dim")]
    return tuple(spans)
