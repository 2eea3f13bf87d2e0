"""Colours as numbers: how far apart they are, whether one can be read on another. Pure.

A colour is `#rrggbb`. Distances and changes of lightness are made in Oklab, where equal steps look
equal; contrast is that of WCAG 2.
"""

from __future__ import annotations

from collections.abc import Iterable
from functools import cache
from typing import Final, TypeAlias

from rich.color import Color, ColorSystem

AA: Final = 4.5
"""The contrast of WCAG 2 level AA for text."""
Triple: TypeAlias = tuple[float, float, float]


def rgb(colour: str) -> tuple[int, int, int]:
    """Return red, green and blue, 0 to 255."""
    return int(colour[1:3], 16), int(colour[3:5], 16), int(colour[5:7], 16)


def hexed(red: float, green: float, blue: float) -> str:
    """Return a colour of its parts, 0 to 255, cut to what there is."""
    parts = (max(0, min(255, round(part))) for part in (red, green, blue))
    return "#" + "".join(f"{part:02x}" for part in parts)


def linear(colour: str) -> Triple:
    """Return the light of each part, 0 to 1."""
    red, green, blue = (_linear(part / 255) for part in rgb(colour))
    return red, green, blue


def _linear(part: float) -> float:
    return part / 12.92 if part <= 0.04045 else float(((part + 0.055) / 1.055) ** 2.4)


def _encoded(part: float) -> float:
    part = max(0.0, min(1.0, part))
    return 12.92 * part if part <= 0.0031308 else float(1.055 * part ** (1 / 2.4) - 0.055)


def from_linear(red: float, green: float, blue: float) -> str:
    """Return the colour of so much light."""
    return hexed(*(255 * _encoded(part) for part in (red, green, blue)))


@cache
def luminance(colour: str) -> float:
    """Return how bright a colour is, 0 to 1."""
    red, green, blue = linear(colour)
    return 0.2126 * red + 0.7152 * green + 0.0722 * blue


def contrast(one: str, other: str) -> float:
    """Return the contrast of two colours, 1 to 21."""
    low, high = sorted((luminance(one), luminance(other)))
    return (high + 0.05) / (low + 0.05)


@cache
def oklab(colour: str) -> Triple:
    """Return lightness (0 to 1), green to red, blue to yellow."""
    red, green, blue = linear(colour)
    long = (0.4122214708 * red + 0.5363325363 * green + 0.0514459929 * blue) ** (1 / 3)
    middle = (0.2119034982 * red + 0.6806995451 * green + 0.1073969566 * blue) ** (1 / 3)
    short = (0.0883024619 * red + 0.2817188376 * green + 0.6299787005 * blue) ** (1 / 3)
    return (
        0.2104542553 * long + 0.7936177850 * middle - 0.0040720468 * short,
        1.9779984951 * long - 2.4285922050 * middle + 0.4505937099 * short,
        0.0259040371 * long + 0.7827717662 * middle - 0.8086757660 * short,
    )


def from_oklab(light: float, a: float, b: float) -> str:
    """Return the nearest colour that a screen can show."""
    long = (light + 0.3963377774 * a + 0.2158037573 * b) ** 3
    middle = (light - 0.1055613458 * a - 0.0638541728 * b) ** 3
    short = (light - 0.0894841775 * a - 1.2914855480 * b) ** 3
    return from_linear(
        4.0767416621 * long - 3.3077115913 * middle + 0.2309699292 * short,
        -1.2684380046 * long + 2.6097574011 * middle - 0.3413193965 * short,
        -0.0041960863 * long - 0.7034186147 * middle + 1.7076147010 * short,
    )


def distance(one: str, other: str) -> float:
    """Return how different two colours look; below 0.02 hardly anybody sees it."""
    pairs = zip(oklab(one), oklab(other), strict=True)
    return float(sum((a - b) ** 2 for a, b in pairs) ** 0.5)


def blend(one: str, other: str, share: float) -> str:
    """Return `one` with so much of `other` in it, 0 to 1."""
    mixed = [a + (b - a) * share for a, b in zip(oklab(one), oklab(other), strict=True)]
    return from_oklab(*mixed)


def readable(ink: str, papers: Iterable[str], least: float = AA) -> str:
    """Return the ink, made lighter or darker until it can be read on all of the papers."""
    grounds = tuple(papers)

    def worst(colour: str) -> float:
        return min(contrast(colour, paper) for paper in grounds)

    if worst(ink) >= least:
        return ink
    light, a, b = oklab(ink)
    dark = sum(map(luminance, grounds)) / len(grounds) < 0.18
    found = ink
    for step in range(1, 101):
        level = min(light + step / 100, 1.0) if dark else max(light - step / 100, 0.0)
        fade = 1.0 if 0.1 < level < 0.95 else 0.5
        found = from_oklab(level, a * fade, b * fade)
        if worst(found) >= least:
            break
    return found


_LEVELS: Final = (0, 95, 135, 175, 215, 255)


@cache
def steps256() -> dict[str, str]:
    """Return the colours of a 256-colour terminal, each with what is to be asked for to get it.

    The first 16 are the user's own. Greys are rounded on their way (Rich takes them for 25 steps
    of lightness): a few can be had only by asking for another one.
    """
    cube = [hexed(r, g, b) for r in _LEVELS for g in _LEVELS for b in _LEVELS]
    greys = [hexed(*[10.2 * step] * 3) for step in range(1, 25)]
    asked = {shown256(colour): colour for colour in greys}
    return asked | {colour: colour for colour in cube if shown256(colour) == colour}


def shown256(colour: str) -> str:
    """Return what a 256-colour terminal shows where this colour is asked for."""
    number = Color.parse(colour).downgrade(ColorSystem.EIGHT_BIT).number
    assert number is not None
    if number >= 232:
        return hexed(*[8 + 10 * (number - 232)] * 3)
    cube = number - 16
    return hexed(_LEVELS[cube // 36], _LEVELS[cube // 6 % 6], _LEVELS[cube % 6])


def likeness(one: str, other: str) -> float:
    """Return how badly `one` stands in for `other`: a tint where there was none counts more."""
    tints = [(a * a + b * b) ** 0.5 for _, a, b in (oklab(one), oklab(other))]
    return distance(one, other) + float(max(tints[0] - tints[1] - 0.01, 0.0))


def nearest256(colour: str, papers: Iterable[str] = (), least: float = AA) -> str:
    """Return the most similar colour of a 256-colour terminal, readable on the papers."""
    grounds = tuple(papers)
    fit = [c for c in steps256() if all(contrast(c, paper) >= least for paper in grounds)]
    return min(fit or [*steps256()], key=lambda c: likeness(c, colour))
