"""Every sign the screen draws, each one cell wide and part of DejaVu Sans Mono.

The view model always speaks in these. Where the locale cannot carry them, `to_ascii` replaces each
by one ASCII character at the moment of drawing, so that nothing moves.
"""

from __future__ import annotations

import locale
import re
import sys
from typing import Final

from rich.cells import cell_len

from healmon.text import width

OK: Final = "●"
WARN: Final = "▲"
BAD: Final = "✗"
DONE: Final = "✓"
OFF: Final = "○"
ACKED: Final = "◐"
SILENCED: Final = "◌"
PAUSED: Final = "◫"
MARKED: Final = "◆"
UNKNOWN: Final = "?"
CURSOR: Final = "▸"
RULE: Final = "─"
WALL: Final = "│"
DOT: Final = "·"
MORE: Final = "…"
THEN: Final = "→"
FULL: Final = "━"
EMPTY: Final = "┄"
BARS: Final = "▁▂▃▄▅▆▇█"
"""From nothing to much, for spark lines."""

RISES: Final = "↗"
FALLS: Final = "↘"
LEVEL: Final = "→"
"""Which way something goes."""

_ASCII: Final = str.maketrans(
    {
        OK: "o",
        WARN: "!",
        BAD: "X",
        DONE: "+",
        OFF: "-",
        ACKED: "@",
        SILENCED: "s",
        PAUSED: "p",
        MARKED: "*",
        CURSOR: ">",
        RULE: "-",
        WALL: "|",
        DOT: "-",
        MORE: "~",
        THEN: ">",
        FULL: "#",
        EMPTY: ".",
        "╭": "+",
        "╮": "+",
        "╰": "+",
        "╯": "+",
        "├": "+",
        "┤": "+",
        RISES: "/",
        FALLS: "\\",
        LEVEL: "=",
        "×": "x",
        "–": "-",
        "∞": "8",
        **dict(zip(BARS, "_.:-=+*#", strict=True)),
    }
)

_SIMPLE: Final = re.compile(f"[ -~{''.join(map(chr, _ASCII))}]*")


def simple(text: str) -> bool:
    """Tell whether a text is ASCII and signs of ours: each one cell, nothing a terminal acts on."""
    return _SIMPLE.fullmatch(text) is not None


def to_ascii(text: str) -> str:
    """Return the text in ASCII, filling exactly as many cells."""
    text = text.translate(_ASCII)
    if text.isascii():
        return text
    return "".join(c if c.isascii() else "?" * max(cell_len(c), width(c)) for c in text)


def ascii_only() -> bool:
    """Tell whether the terminal's character set cannot carry the signs above."""
    try:
        locale.setlocale(locale.LC_CTYPE, "")
        charset = locale.nl_langinfo(locale.CODESET)
    except locale.Error:
        charset = "ascii"
    streams = (charset, getattr(sys.__stderr__, "encoding", None) or charset)
    return any(name.lower().replace("-", "").replace("_", "") != "utf8" for name in streams)
