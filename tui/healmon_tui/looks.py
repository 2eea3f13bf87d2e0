"""The looks of our own: which colour each tone has on which ground.

Contrast of every tone on every ground it is drawn on is at least 4.5, also where a terminal knows
256 colours only (tests keep it); `faint` is for rules and empty parts of meters only. In the two
"safe" looks ok, warn and bad differ for people who see red, green or blue otherwise, too.
"""

from __future__ import annotations

from typing import Final

from msgspec import Struct

from healmon_tui.paint import Ground, Tone

READ_ON: Final[tuple[Ground, ...]] = ("base", "bar", "cursor", "cursor-away", "sheet")
"""The grounds that text of any tone is drawn on; on `alarm` it is white."""


class Look(Struct, frozen=True):
    """Colours by tone and ground; `chips` have ink and paper of their own."""

    name: str
    dark: bool
    tones: dict[Tone, str]
    chips: dict[Tone, tuple[str, str]]
    grounds: dict[Ground, str]


DARK: Final = Look(
    "dark",
    dark=True,
    tones={
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
    },
    chips={
        "chip-warn": ("#1c1400", "#eab84f"),
        "chip-bad": ("#ffffff", "#b4232a"),
        "chip-info": ("#04182a", "#6cb8ff"),
        "chip-calm": ("#120f2e", "#a9a3e6"),
    },
    grounds={
        "base": "#10151b",
        "bar": "#1b232d",
        "cursor": "#24364a",
        "cursor-away": "#1a222c",
        "alarm": "#8f1d23",
        "sheet": "#18202a",
        "past": "#eab84f",
    },
)
LIGHT: Final = Look(
    "light",
    dark=False,
    tones={
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
    },
    chips={
        "chip-warn": ("#2b1c00", "#f0bd55"),
        "chip-bad": ("#ffffff", "#b01820"),
        "chip-info": ("#ffffff", "#0a55a3"),
        "chip-calm": ("#ffffff", "#54469f"),
    },
    grounds={
        "base": "#fafaf8",
        "bar": "#e9ecef",
        "cursor": "#d3e3f5",
        "cursor-away": "#eceef0",
        "alarm": "#b01820",
        "sheet": "#f3f4f3",
        "past": "#f0bd55",
    },
)
SAFE: Final = Look(
    "safe",
    dark=True,
    tones={
        **DARK.tones,
        "ok": "#6ab7ff",
        "warn": "#f5e35c",
        "bad": "#ff8055",
        "heal": "#d9a9ef",
        "calm": "#b3b0c8",
        "accent": "#8be0d2",
    },
    chips={
        "chip-warn": ("#1c1900", "#f5e35c"),
        "chip-bad": ("#ffffff", "#ab3200"),
        "chip-info": ("#1f0a2c", "#d9a9ef"),
        "chip-calm": ("#12111e", "#b3b0c8"),
    },
    grounds={**DARK.grounds, "alarm": "#8a2b05", "past": "#f5e35c"},
)
SAFE_LIGHT: Final = Look(
    "safe-light",
    dark=False,
    tones={
        **LIGHT.tones,
        "ok": "#005fb8",
        "warn": "#6b5a00",
        "bad": "#630010",
        "heal": "#7d2f9e",
        "calm": "#55506b",
        "accent": "#00615a",
    },
    chips={
        "chip-warn": ("#231c00", "#f0d45a"),
        "chip-bad": ("#ffffff", "#730014"),
        "chip-info": ("#ffffff", "#7d2f9e"),
        "chip-calm": ("#ffffff", "#55506b"),
    },
    grounds={**LIGHT.grounds, "alarm": "#730014", "past": "#f0d45a"},
)
OWN: Final = (DARK, LIGHT, SAFE, SAFE_LIGHT)

TERMINAL_TONES: Final[dict[Tone, str]] = {
    "ok": "green",
    "warn": "yellow",
    "bad": "red",
    "heal": "blue",
    "calm": "magenta",
    "accent": "cyan",
}
"""Of the look that has the terminal's own colours; the others are its default."""
