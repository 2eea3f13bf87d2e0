"""Keys that are shown can be clicked: a click on one, or on its word, is that key."""

from __future__ import annotations

from healmon_tui.keywords import read, textual
from healmon_tui.paint import Spans, width


def key_at(spans: Spans, x: int) -> str:
    """Return the key that stands, or whose word stands, at a cell of a line of keys; else empty."""
    at, shown = 0, ""
    for span in spans:
        at += width((span,))
        if span.tone == "accent":
            shown = span.text
        elif span.tone != "dim":
            shown = ""
        if x < at:
            return named(shown) if span.text.strip() else ""
    return ""


def named(shown: str) -> str:
    """Return a key as the terminal names it, of several the first: `j k` → `j`."""
    first = shown.split(" ", maxsplit=1)[0]
    return textual(read(first))
