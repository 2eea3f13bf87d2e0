"""The help screen: every key that works here, the focused panel's first."""

from __future__ import annotations

from collections.abc import Sequence
from typing import ClassVar

from textual.binding import Binding, BindingType

from healmon_tui import glyphs, keymap
from healmon_tui.host import host
from healmon_tui.paint import Line, Span, fit, wrap
from healmon_tui.screens.modal import Sheet
from healmon_tui.viewmodel import PanelId

KEYS = 14
"""Cells of the column of keys."""


class HelpSheet(Sheet[None]):
    """All keys, made from the keymap, and what the signs mean."""

    BINDINGS: ClassVar[list[BindingType]] = [
        Binding("enter", "close", show=False),
        Binding("question_mark", "close", show=False, id="app.help"),
    ]

    def __init__(self, focus: PanelId, usable: Sequence[keymap.Action]) -> None:
        super().__init__("help")
        self._focus: PanelId = focus
        self._usable = tuple(usable)

    def body(self, cells: int) -> list[Line]:
        """Return the keys by group, then the legend."""
        lines: list[Line] = []
        for title, pairs in keymap.help_lines(self._focus, self._usable, host(self).given_keys):
            lines += [Line(), Line((Span(title, "strong"),))]
            for names, text in pairs:
                for number, part in enumerate(wrap(text, cells - KEYS)):
                    head = fit(names if number == 0 else "", KEYS)
                    lines.append(Line((Span(head, "accent"), Span(part, "text"))))
        return [*lines, *_legend(), Line()]


def _legend() -> list[Line]:
    signs = (
        (Span(glyphs.BAD, "bad"), "critical, and a person is needed"),
        (Span(glyphs.BAD, "heal"), "critical, and healmon is at it"),
        (Span(glyphs.WARN, "warn"), "warning"),
        (Span(glyphs.DONE, "ok"), "healed and proved"),
        (Span(glyphs.OK, "ok"), "well"),
        (Span(glyphs.ACKED, "calm"), "acknowledged: somebody knows"),
        (Span(glyphs.OFF, "calm"), "paused or stopped on purpose"),
        (Span(glyphs.UNKNOWN, "warn"), "could not be looked at: nothing is concluded"),
    )
    lines = [Line(), Line((Span("Signs", "strong"),))]
    for sign, text in signs:
        lines.append(Line((sign, Span(" " * (KEYS - 1)), Span(text, "text"))))
    return lines
