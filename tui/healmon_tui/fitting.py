"""From somebody else's colours to a look of ours: what cannot be read or told apart is moved.

Textual's themes have roles of their own; a person's file may hold a few colours only; a terminal
may know 256. Pure.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from typing import Final

from textual.theme import BUILTIN_THEMES, Theme

from healmon_tui.colours import (
    blend,
    contrast,
    distance,
    likeness,
    luminance,
    nearest256,
    readable,
    steps256,
)
from healmon_tui.looks import DARK, LIGHT, OWN, READ_ON, Look
from healmon_tui.paint import Ground, Tone

APART: Final = 0.06
"""The least distance of two tones that mean different things."""
SIGNS: Final[tuple[Tone, ...]] = ("bad", "warn", "ok", "heal", "calm", "accent")
"""Tones that mean something, the most important first."""
SEEN: Final = 0.025
"""The least distance of two grounds that are beside each other."""


def of_textual(theme: Theme) -> Look:
    """Return the look that one of Textual's themes gives."""
    ours = DARK if theme.dark else LIGHT
    made = theme.to_color_system().generate()

    def named(name: str, instead: str) -> str:
        found = made.get(name, "")
        return found[:7].lower() if found.startswith("#") else instead

    base = named("background", ours.grounds["base"])
    ink = named("foreground", ours.tones["text"])
    primary = named("primary", ours.tones["heal"])
    grounds: dict[Ground, str] = {
        "base": base,
        "bar": _seen(named("surface", base), base, ink),
        "cursor": blend(base, primary, 0.28),
        "cursor-away": blend(base, primary, 0.1),
        "alarm": readable(blend(named("error", "#b01820"), "#000000", 0.25), ("#ffffff",)),
        "sheet": _seen(blend(base, named("surface", base), 0.5), base, ink),
    }
    wanted: dict[Tone, str] = {
        "text": ink,
        "strong": blend(ink, "#ffffff" if theme.dark else "#000000", 0.5),
        "dim": blend(ink, base, 0.35),
        "faint": blend(ink, base, 0.75),
        "bad": named("error", ours.tones["bad"]),
        "warn": named("warning", ours.tones["warn"]),
        "ok": named("success", ours.tones["ok"]),
        "heal": primary,
        "calm": named("secondary", ours.tones["calm"]),
        "accent": named("accent", ours.tones["accent"]),
    }
    tones = _apart(wanted, ours.tones, [grounds[g] for g in READ_ON])
    grounds["past"] = tones["warn"]
    return Look(theme.name, dark=theme.dark, tones=tones, chips=_chips(tones), grounds=grounds)


def _seen(colour: str, base: str, ink: str) -> str:
    """Return a ground that is seen on `base`."""
    for share in (0.0, 0.05, 0.08, 0.12):
        found = blend(colour, ink, share)
        if distance(found, base) >= SEEN:
            return found
    return blend(base, ink, 0.15)


def _apart(
    wanted: Mapping[Tone, str], instead: Mapping[Tone, str], papers: Iterable[str]
) -> dict[Tone, str]:
    """Return the tones, each readable on the papers and the signs told apart."""
    grounds = tuple(papers)
    tones: dict[Tone, str] = {
        tone: colour if tone == "faint" else readable(colour, grounds)
        for tone, colour in wanted.items()
        if tone not in SIGNS
    }
    taken: list[str] = []
    for tone in SIGNS:
        ways = [readable(c, grounds) for c in (wanted[tone], instead[tone], *_HUES)]
        near = [min((distance(way, other) for other in taken), default=1.0) for way in ways]
        good = next((way for way, d in zip(ways, near, strict=True) if d >= APART), None)
        tones[tone] = good or ways[near.index(max(near))]
        taken.append(tones[tone])
    return tones


_HUES: Final = ("#3f9be8", "#a07be0", "#2fb0a0", "#d070b0", "#8a94a0")
"""What is left to try when a theme has one colour for two meanings."""


def _chips(tones: Mapping[Tone, str]) -> dict[Tone, tuple[str, str]]:
    return {
        "chip-warn": _chip(tones["warn"]),
        "chip-bad": _chip(tones["bad"]),
        "chip-info": _chip(tones["heal"]),
        "chip-calm": _chip(tones["calm"]),
    }


def _chip(paper: str) -> tuple[str, str]:
    ink = "#000000" if luminance(paper) > 0.18 else "#ffffff"
    return readable(ink, (paper,)), paper


def of_file(
    base: Look,
    name: str,
    tones: Mapping[str, str],
    chips: Mapping[str, tuple[str, str]],
    grounds: Mapping[str, str],
) -> Look:
    """Return a look with a person's colours in it, as they are: theirs to choose."""
    return Look(
        name,
        dark=luminance(grounds.get("base", base.grounds["base"])) < 0.18,
        tones={tone: tones.get(tone, colour) for tone, colour in base.tones.items()},
        chips={
            chip: chips.get(chip.removeprefix("chip-"), pair) for chip, pair in base.chips.items()
        },
        grounds={ground: grounds.get(ground, colour) for ground, colour in base.grounds.items()},
    )


def in_256(look: Look) -> Look:
    """Return the look as it is to be asked for where a terminal has 256 colours."""
    shown, ask = _shown256(look), steps256()
    return Look(
        look.name,
        dark=look.dark,
        tones={tone: ask[colour] for tone, colour in shown.tones.items()},
        chips={chip: (ask[ink], ask[paper]) for chip, (ink, paper) in shown.chips.items()},
        grounds={ground: ask[colour] for ground, colour in shown.grounds.items()},
    )


def _shown256(look: Look) -> Look:
    grounds = _grounds256(look.grounds)
    papers = [grounds[g] for g in READ_ON]
    tones: dict[Tone, str] = {}
    for tone in ("text", "strong", "dim"):
        tones[tone] = nearest256(look.tones[tone], papers)
    base = grounds["base"]
    tones["faint"] = nearest256(look.tones["faint"], (base,), 1.3)
    for tone in SIGNS:
        others = [tones[sign] for sign in SIGNS if sign in tones]
        fit = [
            c
            for c in steps256()
            if all(distance(c, other) >= APART for other in others)
            and distance(c, tones["text"]) >= SEEN
            and min(contrast(c, paper) for paper in papers) >= 4.5
        ]
        tones[tone] = _closest(fit or steps256(), look.tones[tone])
    chips: dict[Tone, tuple[str, str]] = {}
    for chip, (ink, paper) in look.chips.items():
        shown = nearest256(paper)
        chips[chip] = (nearest256(ink, (shown,)), shown)
    grounds["past"] = chips["chip-warn"][1]
    return Look(look.name, dark=look.dark, tones=tones, chips=chips, grounds=grounds)


def _closest(
    colours: Iterable[str], wanted: str, alike: Callable[[str, str], float] = distance
) -> str:
    return min(colours, key=lambda colour: alike(colour, wanted))


_BESIDE: Final[dict[Ground, tuple[Ground, ...]]] = {
    "base": (), "bar": ("base",), "sheet": ("base",), "cursor": ("base", "bar"),
    "cursor-away": ("base", "cursor"), "alarm": ("base",),
}  # fmt: skip
"""Which grounds each must be told from."""


def _grounds256(grounds: Mapping[Ground, str]) -> dict[Ground, str]:
    found: dict[Ground, str] = {}
    for ground, beside in _BESIDE.items():
        others = [found[other] for other in beside]
        fit = [c for c in steps256() if all(distance(c, o) >= SEEN for o in others)]
        if ground == "alarm":
            fit = [c for c in fit if contrast(c, "#ffffff") >= 4.5]
        tinted = ground in ("cursor", "alarm")
        found[ground] = _closest(fit, grounds[ground], distance if tinted else likeness)
    return found


def builtin(name: str) -> Look | None:
    """Return a look of ours or of Textual's by its name."""
    ours = {look.name: look for look in OWN}
    if name in ours:
        return ours[name]
    theme = BUILTIN_THEMES.get(name)
    return None if theme is None or name in ANSI else of_textual(theme)


ANSI: Final = frozenset({"ansi-dark", "ansi-light"})
"""Textual's names for the terminal's own colours: here that is `terminal`."""
