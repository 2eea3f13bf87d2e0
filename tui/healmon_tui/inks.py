"""Colours that a program chose for its own screen, fitted to the theme that they are shown in.

The sixteen named ones become the theme's own; others stay as they are, moved towards the theme's
text only as far as they need to be read. A background is hinted at. Pure.
"""

from __future__ import annotations

from functools import lru_cache
from typing import Final

from rich.color import Color, ColorType
from rich.color_triplet import ColorTriplet
from rich.style import Style

from healmon_tui.paint import Ink, Tone

NAMED: Final[tuple[Tone, ...]] = (
    "dim", "bad", "ok", "warn", "heal", "calm", "accent", "text",
    "dim", "bad", "ok", "warn", "heal", "calm", "accent", "strong",
)  # fmt: skip
"""What the sixteen colours of a terminal are here."""
READABLE: Final = 4.5
"""The least contrast of a text with its background."""
HINT: Final = 0.28
"""How much of a background is shown."""


def style(ink: Ink, base: Style, tones: dict[Tone, str], *, plain: bool = False) -> Style:
    """Return how a piece of somebody's screen looks.

    Args:
        ink: as its program wanted it.
        base: how plain text looks there.
        tones: of the theme.
        plain: no colours at all.
    """
    mine = _weights(ink)
    if plain or not (ink.fg or ink.bg):
        return base + mine
    paper = base.bgcolor
    if paper is None or paper.type is ColorType.DEFAULT or base.color is None:
        return base + mine + Style(color=_own(ink.fg), bgcolor=_own(ink.bg))
    text = base.color.get_truecolor()
    ground = paper.get_truecolor()
    if ink.bg:
        ground = _mixed(ground, _triplet(ink.bg, tones), HINT)
    wanted = _triplet(ink.fg, tones) if ink.fg else text
    return (
        base
        + mine
        + Style(
            color=Color.from_triplet(_readable(wanted, ground)), bgcolor=Color.from_triplet(ground)
        )
    )


def contrast(one: ColorTriplet, other: ColorTriplet) -> float:
    """Return the contrast of two colours, 1 to 21, as WCAG counts it."""
    high, low = sorted((_light(one), _light(other)), reverse=True)
    return (high + 0.05) / (low + 0.05)


@lru_cache(maxsize=256)
def _weights(ink: Ink) -> Style:
    has = dict.fromkeys(ink.style, True)
    return Style(
        bold=has.get("b"), dim=has.get("d"), italic=has.get("i"), underline=has.get("u"),
        reverse=has.get("r"),
    )  # fmt: skip


def _own(code: str) -> Color | None:
    """Return a colour as the terminal itself has it."""
    if not code:
        return None
    return Color.parse(code) if code.startswith("#") else Color.parse(f"color({code})")


def _triplet(code: str, tones: dict[Tone, str]) -> ColorTriplet:
    if not code.startswith("#") and int(code) < len(NAMED):
        code = tones.get(NAMED[int(code)], code)
    if code.isdecimal():
        return Color.parse(f"color({code})").get_truecolor()
    return Color.parse(code).get_truecolor()


@lru_cache(maxsize=1024)
def _readable(wanted: ColorTriplet, ground: ColorTriplet) -> ColorTriplet:
    """Return a colour as near to the wanted one as can be read there."""
    white, black = ColorTriplet(255, 255, 255), ColorTriplet(0, 0, 0)
    towards = white if contrast(white, ground) > contrast(black, ground) else black
    for step in range(11):
        found = _mixed(wanted, towards, step / 10)
        if contrast(found, ground) >= READABLE:
            return found
    return towards


def _mixed(one: ColorTriplet, other: ColorTriplet, share: float) -> ColorTriplet:
    parts = (round(a + (b - a) * share) for a, b in zip(one, other, strict=True))
    return ColorTriplet(*parts)


def _light(colour: ColorTriplet) -> float:
    parts = [part / 255 for part in colour]
    linear = [p / 12.92 if p <= 0.03928 else ((p + 0.055) / 1.055) ** 2.4 for p in parts]
    return 0.2126 * linear[0] + 0.7152 * linear[1] + 0.0722 * linear[2]
