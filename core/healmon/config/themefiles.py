"""Themes of a person's own: `themes/NAME.toml` beside the configuration, or below XDG's.

base = "dark"                  # what is not said here is as in dark, light, safe, safe-light
[tones]                        # text strong dim faint ok warn bad heal calm accent
warn = "#f5e35c"
[grounds]                      # base bar cursor cursor-away alarm sheet
base = "#000000"
[chips]                        # warn bad info calm: ink and paper
warn = ["#000000", "#f5e35c"]
"""

from __future__ import annotations

import os
import re
from collections.abc import Iterable, Mapping, Sequence
from pathlib import Path
from typing import Any, Final

import msgspec

from healmon.config.faults import Faults
from healmon.config.kinds import name_fault
from healmon.config.lines import KeyPath, key_lines
from healmon.config.locate import config_home
from healmon.config.nearest import nearest
from healmon.config.screennames import CHIPS, GROUNDS, THEMES, TONES
from healmon.config.source import parse, read_text, shown
from healmon.config.toml import as_list, as_table
from healmon.errors import ConfigError, Problem

FOLDER: Final = "themes"
BASES: Final = ("dark", "light", "safe", "safe-light")
MOST: Final = 50
"""Theme files of one directory that are looked at."""
_COLOUR: Final = re.compile(r"#(?:[0-9a-fA-F]{3}|[0-9a-fA-F]{6})")
_ALLOWED: Final = 'a colour such as "#1b232d"'


class ThemeFile(msgspec.Struct, frozen=True, kw_only=True):
    """A theme of a person's own: what differs from `base`, as `#rrggbb`; chips: ink and paper."""

    name: str
    base: str = "dark"
    tones: dict[str, str] = {}
    grounds: dict[str, str] = {}
    chips: dict[str, tuple[str, str]] = {}


def folders(config: Path | None, environ: Mapping[str, str]) -> tuple[Path, ...]:
    """Return where theme files may be, the first that has a name wins."""
    beside = () if config is None else (config.absolute().parent / FOLDER,)
    return tuple(dict.fromkeys((*beside, config_home(environ) / FOLDER)))


def files(places: Iterable[Path]) -> dict[str, Path]:
    """Return the theme files there, by the theme's name."""
    found: dict[str, Path] = {}
    for place in places:
        try:
            names = sorted(os.listdir(place))  # noqa: PTH208 - names are all that is asked for
        except OSError:
            continue
        for name in [name for name in names if name.endswith(".toml")][:MOST]:
            found.setdefault(name.removesuffix(".toml"), place / name)
    return found


def read(path: Path) -> ThemeFile:
    """Return a theme file.

    Raises:
        ConfigError: it cannot be read; every fault has file, line and key.
    """
    file = shown(path)
    text = read_text(path)
    document = parse(text, file)
    faults = Faults(file, key_lines(text))
    name = path.name.removesuffix(".toml")
    if name_fault(name):
        faults.add((), f"the name of a theme: {name_fault(name)}")
    for key in document:
        if key not in ("base", "tones", "grounds", "chips"):
            near = nearest(key, ("base", "tones", "grounds", "chips"))
            faults.add((key,), "unknown key", nearest=near)
    base = document.get("base", "dark")
    if base not in BASES:
        faults.add(("base",), found=base, allowed=" | ".join(f'"{name}"' for name in BASES))
    tones, grounds = (
        _colours(document.get(key, {}), (key,), known, faults)
        for key, known in (("tones", TONES), ("grounds", GROUNDS))
    )
    chips = _chips(document.get("chips", {}), faults)
    if faults.problems():
        raise ConfigError(problems=faults.problems())
    return ThemeFile(name=name, base=str(base), tones=tones, grounds=grounds, chips=chips)


def _table(raw: object, path: KeyPath, known: Sequence[str], faults: Faults) -> dict[str, Any]:
    table = as_table(raw)
    if table is None:
        faults.add(path, found=raw, allowed="a table")
        return {}
    for name in set(table) - set(known):
        faults.add((*path, name), "unknown key", nearest=nearest(name, known))
    return {name: value for name, value in table.items() if name in known}


def _colours(raw: object, path: KeyPath, known: Sequence[str], faults: Faults) -> dict[str, str]:
    table = _table(raw, path, known, faults)
    return {name: _colour(value, (*path, name), faults) for name, value in table.items()}


def _colour(value: object, path: KeyPath, faults: Faults) -> str:
    if not isinstance(value, str) or not _COLOUR.fullmatch(value):
        faults.add(path, found=value, allowed=_ALLOWED)
        return ""
    digits = value[1:].lower()
    return "#" + (digits if len(digits) == 6 else "".join(digit * 2 for digit in digits))


def _chips(raw: object, faults: Faults) -> dict[str, tuple[str, str]]:
    chips: dict[str, tuple[str, str]] = {}
    for name, value in _table(raw, ("chips",), CHIPS, faults).items():
        pair = as_list(value)
        if pair is None or len(pair) != 2:
            faults.add(("chips", name), found=value, allowed="two colours: ink and paper")
            continue
        ink, paper = (_colour(one, ("chips", name, n), faults) for n, one in enumerate(pair))
        chips[name] = (ink, paper)
    return chips


def check(name: str, config: Path | None, environ: Mapping[str, str], faults: Faults) -> None:
    """Record that there is no theme of this name, or what is wrong with its file."""
    known = files(folders(config, environ))
    if name in known:
        try:
            read(known[name])
        except ConfigError as error:
            faults.take(error.problems)
    elif name not in THEMES:
        near = nearest(name, (*THEMES, *known))
        allowed = "" if near else ", ".join((*THEMES[:5], *known, "… (docs/themes.md)"))
        faults.add(("ui", "theme"), "no such theme", found=name, allowed=allowed, nearest=near)


def usable(
    config: Path | None, environ: Mapping[str, str]
) -> tuple[tuple[ThemeFile, ...], tuple[Problem, ...]]:
    """Return the theme files that can be used, and what is wrong with the others."""
    good: list[ThemeFile] = []
    problems: list[Problem] = []
    for path in files(folders(config, environ)).values():
        try:
            good.append(read(path))
        except ConfigError as error:
            problems += error.problems
    return tuple(good), tuple(problems)
