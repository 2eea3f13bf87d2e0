"""How tones look on this terminal: the themes there are, and the palette that one of them gives.

Under NO_COLOR only bold, dim and reverse are left; where a terminal knows 16 colours they are its
own, whatever the theme.
"""

from __future__ import annotations

import dataclasses
import os
from collections.abc import Iterator
from typing import Final, Literal, TypeAlias

from msgspec import Struct, field
from rich.color import Color, ColorSystem
from rich.segment import Segment
from rich.style import Style
from textual.strip import Strip
from textual.theme import BUILTIN_THEMES, Theme

from healmon_tui import inks
from healmon_tui.fitting import ANSI, builtin, in_256
from healmon_tui.glyphs import to_ascii
from healmon_tui.looks import OWN, TERMINAL_TONES, Look
from healmon_tui.paint import Ground, Ink, Line, Spans, Tone, fill, printable

BOLD: Final[frozenset[Tone]] = frozenset({"strong", "bad", "warn", "accent", "chip-bad"})

_Styles = dict[tuple[Tone, Ground], Style]


INKS: Final[frozenset[Tone]] = frozenset(
    ("text", "strong", "dim", "faint", "ok", "warn", "bad", "heal", "calm", "accent")
)
"""Tones that colour letters and leave what is behind them as it is."""


class Palette(Struct, eq=False):
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
            ink = self.chips["chip-warn"][0]
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
        """Return a line as exactly so many cells of segments."""
        pieces = self._pieces(fill(line.spans, cells), line.ground)
        segments = [Segment(shown, style) for shown, style in pieces]
        if self.ascii:
            return Strip(segments).adjust_cell_length(cells, self.style("text", line.ground))
        return Strip(segments, cells)

    def written(self, spans: Spans, ground: Ground, colours: ColorSystem) -> str:
        """Return spans as a terminal takes them, one after the other.

        What `strip` would come to, without the strip; not where the terminal takes ASCII only.
        """
        pieces, write = self._pieces(spans, ground), Strip.render_style
        return "".join([write(style, shown, colours) for shown, style in pieces])

    def _pieces(self, spans: Spans, ground: Ground) -> Iterator[tuple[str, Style]]:
        """Go through what is shown of spans, and how.

        The last door before the terminal: nothing passes that is not printable.
        """
        for text, tone, ink in _joined(spans) if self.grounds else spans:
            shown = text if text.isprintable() else printable(text)
            if self.ascii:
                shown = to_ascii(shown)
            if shown:
                style = self.style(tone, ground)
                if ink is not None:
                    style = inks.style(ink, style, self.tones, plain=self.plain)
                yield shown, style


def _joined(spans: Spans) -> list[tuple[str, Tone, Ink | None]]:
    """Return fewer pieces that look the same: the ink of a blank is not seen."""
    if not spans:
        return []
    joined: list[tuple[str, Tone, Ink | None]] = []
    said, shown, how = spans[0]
    for text, tone, ink in spans[1:]:
        if (
            how is None
            and ink is None
            and (tone == shown or (tone in INKS and shown in INKS and text.isspace()))
        ):
            said += text
            continue
        joined.append((said, shown, how))
        said, shown, how = text, tone, ink
    joined.append((said, shown, how))
    return joined


DARK: Final = "dark"
LIGHT: Final = "light"
TERMINAL: Final = "terminal"
KNOWN: Final = (
    *(look.name for look in OWN),
    TERMINAL,
    *sorted(name for name in BUILTIN_THEMES if name not in ANSI),
)
"""All themes that come with healmon, as the configuration calls them; Textual's own last."""
Depth: TypeAlias = Literal["truecolor", "256", "16"]
"""How many colours a terminal knows."""


def palette(
    theme: str | Look, *, depth: Depth = "truecolor", plain: bool = False, ascii_only: bool = False
) -> Palette:
    """Return the palette of a theme; `plain` leaves no colour in it."""
    look = builtin(theme) if isinstance(theme, str) else theme
    name = TERMINAL if look is None else look.name
    if plain or look is None or depth == "16":
        return Palette(name, TERMINAL_TONES, {}, {}, plain=plain, ascii=ascii_only)
    shown = in_256(look) if depth == "256" else look
    return Palette(name, shown.tones, shown.chips, shown.grounds, ascii=ascii_only)


def no_colour() -> bool:
    """Tell whether the environment asks for no colours (NO_COLOR, CLICOLOR=0)."""
    return bool(os.environ.get("NO_COLOR")) or os.environ.get("CLICOLOR") == "0"


def textual_theme(theme: str | Look, depth: Depth = "truecolor") -> Theme:
    """Return a theme for what Textual draws itself: inputs, scrolling, what is behind a sheet."""
    look = builtin(theme) if isinstance(theme, str) else theme
    if look is None or depth == "16":
        name = TERMINAL if look is None else look.name
        return dataclasses.replace(BUILTIN_THEMES["ansi-dark"], name=registered(name, depth))
    shown = in_256(look) if depth == "256" else look
    return _theme(registered(look.name, depth), shown.tones, shown.grounds, dark=look.dark)


def registered(name: str, depth: Depth = "truecolor") -> str:
    """Return what Textual knows a theme of ours as; it takes up another one by its name only."""
    return f"healmon-{name}" if depth == "truecolor" else f"healmon-{name}-{depth}"


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
