"""How tones look. Two palettes of our own, and the terminal's own colours for the third.

Contrast of every tone on every ground it is drawn on is at least 4.5 (a test keeps it); `faint` is
for rules and empty parts of meters only. Under NO_COLOR only bold, dim and reverse are left.
"""

from __future__ import annotations

import os
from dataclasses import dataclass, field, replace
from typing import Final

from rich.color import Color
from rich.segment import Segment
from rich.style import Style
from textual.strip import Strip
from textual.theme import BUILTIN_THEMES, Theme

from healmon_tui import inks
from healmon_tui.glyphs import to_ascii
from healmon_tui.paint import Ground, Line, Span, Spans, Tone, fill, printable

BOLD: Final[frozenset[Tone]] = frozenset({"strong", "bad", "warn", "accent", "chip-bad"})

DARK_TONES: Final[dict[Tone, str]] = {
    "text": "#d3dae3",
    "strong": "#f2f5f8",
    "dim": "#92a0b1",
    "faint": "#3d4957",
    "ok": "#7fc78b",
    "warn": "#eab84f",
    "bad": "#ff7b72",
    "heal": "#6cb8ff",
    "calm": "#a9a3e6",
    "accent": "#5fd3c6",
}
DARK_CHIPS: Final[dict[Tone, tuple[str, str]]] = {
    "chip-warn": ("#1c1400", "#eab84f"),
    "chip-bad": ("#ffffff", "#b4232a"),
    "chip-info": ("#04182a", "#6cb8ff"),
    "chip-calm": ("#120f2e", "#a9a3e6"),
}
DARK_GROUNDS: Final[dict[Ground, str]] = {
    "base": "#10151b",
    "bar": "#1b232d",
    "cursor": "#24364a",
    "cursor-away": "#1a222c",
    "alarm": "#8f1d23",
    "sheet": "#18202a",
    "past": "#eab84f",
}
LIGHT_TONES: Final[dict[Tone, str]] = {
    "text": "#243040",
    "strong": "#0c1520",
    "dim": "#4f5b69",
    "faint": "#c2c8cf",
    "ok": "#176b35",
    "warn": "#7d4e00",
    "bad": "#b01820",
    "heal": "#0a55a3",
    "calm": "#54469f",
    "accent": "#00625f",
}
LIGHT_CHIPS: Final[dict[Tone, tuple[str, str]]] = {
    "chip-warn": ("#2b1c00", "#f0bd55"),
    "chip-bad": ("#ffffff", "#b01820"),
    "chip-info": ("#ffffff", "#0a55a3"),
    "chip-calm": ("#ffffff", "#54469f"),
}
LIGHT_GROUNDS: Final[dict[Ground, str]] = {
    "base": "#fafaf8",
    "bar": "#e9ecef",
    "cursor": "#d3e3f5",
    "cursor-away": "#eceef0",
    "alarm": "#b01820",
    "sheet": "#f3f4f3",
    "past": "#f0bd55",
}
TERMINAL_TONES: Final[dict[Tone, str]] = {
    "ok": "green",
    "warn": "yellow",
    "bad": "red",
    "heal": "blue",
    "calm": "magenta",
    "accent": "cyan",
}


_Styles = dict[tuple[Tone, Ground], Style]


INKS: Final[frozenset[Tone]] = frozenset(
    ("text", "strong", "dim", "faint", "ok", "warn", "bad", "heal", "calm", "accent")
)
"""Tones that colour letters and leave what is behind them as it is."""


@dataclass(slots=True)
class Palette:
    """One look: paints lines as strips of segments.

    Attributes:
        name: the theme's name in Textual.
        plain: True for no colours at all: bold, dim and reverse only.
        ascii: True where the terminal takes ASCII only.
    """

    name: str
    tones: dict[Tone, str]
    chips: dict[Tone, tuple[str, str]]
    grounds: dict[Ground, str]
    plain: bool = False
    ascii: bool = False
    _styles: dict[tuple[Tone, Ground], Style] = field(
        default_factory=dict[tuple[Tone, Ground], Style]
    )

    @property
    def solid(self) -> bool:
        """Whether every cell has colours of its own, and none that the terminal chooses."""
        return bool(self.grounds)

    def style(self, tone: Tone, ground: Ground) -> Style:
        """Return how a tone looks on a ground."""
        known = self._styles.get((tone, ground))
        if known is None:
            known = self._styles[tone, ground] = self._style(tone, ground)
        return known

    def _style(self, tone: Tone, ground: Ground) -> Style:
        if not self.grounds:
            return self._terminal_style(tone, ground)
        paper = self.grounds[ground]
        if tone in self.chips:
            ink, paper = self.chips[tone]
        elif ground == "alarm":
            ink = "#ffffff"
        elif ground == "past":
            ink = "#1c1400"
        else:
            ink = self.tones[tone]
        return Style(color=ink, bgcolor=paper, bold=tone in BOLD or None)

    def _terminal_style(self, tone: Tone, ground: Ground) -> Style:
        ink = "default" if self.plain else self.tones.get(tone, "default")
        if ground == "past" and not self.plain:
            ink = self.tones.get("warn", "default")
        marked = ground in ("cursor", "alarm", "past") or tone.startswith("chip")
        return Style(
            color=Color.parse(ink),
            bgcolor=Color.default(),
            bold=(tone in BOLD or ground == "bar") or None,
            dim=(tone in ("faint", "dim") and not marked) or None,
            reverse=marked or None,
        )

    def strip(self, line: Line, cells: int) -> Strip:
        """Return a line as exactly so many cells of segments.

        The last door before the terminal: nothing passes that is not printable.
        """
        segments: list[Segment] = []
        spans, ground = fill(line.spans, cells), line.ground
        for text, tone, ink in _joined(spans) if self.solid else spans:
            shown = text if text.isprintable() else printable(text)
            if self.ascii:
                shown = to_ascii(shown)
            if shown:
                style = self.style(tone, ground)
                if ink is not None:
                    style = inks.style(ink, style, self.tones, plain=self.plain)
                segments.append(Segment(shown, style))
        if self.ascii:
            return Strip(segments).adjust_cell_length(cells, self.style("text", ground))
        return Strip(segments, cells)


def _joined(spans: Spans) -> list[Span]:
    """Return fewer spans that look the same: the ink of a blank is not seen."""
    joined: list[Span] = []
    for span in spans:
        last = joined[-1] if joined else None
        if last is not None and last.ink is None and span.ink is None:
            unseen = span.tone in INKS and last.tone in INKS and span.text.isspace()
            if unseen or span.tone == last.tone:
                joined[-1] = Span(last.text + span.text, last.tone)
                continue
        joined.append(span)
    return joined


DARK: Final = "healmon-dark"
LIGHT: Final = "healmon-light"
TERMINAL: Final = "healmon-terminal"
NAMES: Final = (DARK, LIGHT, TERMINAL)


def palette(name: str, *, plain: bool = False, ascii_only: bool = False) -> Palette:
    """Return the palette of a theme; `plain` leaves no colour in it."""
    if plain or name == TERMINAL:
        return Palette(name, TERMINAL_TONES, {}, {}, plain=plain, ascii=ascii_only)
    if name == LIGHT:
        return Palette(name, LIGHT_TONES, LIGHT_CHIPS, LIGHT_GROUNDS, ascii=ascii_only)
    return Palette(name, DARK_TONES, DARK_CHIPS, DARK_GROUNDS, ascii=ascii_only)


def no_colour() -> bool:
    """Tell whether the environment asks for no colours (NO_COLOR, CLICOLOR=0)."""
    return bool(os.environ.get("NO_COLOR")) or os.environ.get("CLICOLOR") == "0"


def textual_themes() -> list[Theme]:
    """Return the themes as Textual registers them, for what it draws itself (inputs, scrolling)."""
    return [
        _theme(DARK, DARK_TONES, DARK_GROUNDS, dark=True),
        _theme(LIGHT, LIGHT_TONES, LIGHT_GROUNDS, dark=False),
        replace(BUILTIN_THEMES["ansi-dark"], name=TERMINAL),
    ]


def _theme(name: str, tones: dict[Tone, str], grounds: dict[Ground, str], *, dark: bool) -> Theme:
    return Theme(
        name=name,
        dark=dark,
        primary=tones["accent"],
        secondary=tones["heal"],
        accent=tones["accent"],
        warning=tones["warn"],
        error=tones["bad"],
        success=tones["ok"],
        foreground=tones["text"],
        background=grounds["base"],
        surface=grounds["sheet"],
        panel=grounds["bar"],
        variables={
            "input-cursor-background": tones["text"],
            "input-cursor-foreground": grounds["base"],
        },
    )
