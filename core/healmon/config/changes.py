"""What differs between two configurations, and what of it can be in force at once. Pure."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Final

from msgspec.structs import replace

from healmon.config import settings as st
from healmon.config.mask import masked
from healmon.config.show import Shown, tables
from healmon.events import Effect, KeyChange
from healmon.text import clean

STARTED_WITH: Final = frozenset(
    {"script", "command", "args", "cwd", "env", "user", "umask", "limits"}
)
"""Keys of a worker that decide how it is started; one that runs was started with the old ones."""
FIXED: Final = ("name", "state_dir", "dry_run", "log_format", "log_size", "log_keep")
"""Keys of `[monitor]` that a running healmon keeps."""
SCREEN: Final = "ui"
"""The table that only screens read, when they are opened."""
LONGEST: Final = 200
"""Characters of a value that are told."""
HIDDEN: Final = "(not shown)"


def changes(before: st.Settings, after: st.Settings) -> tuple[KeyChange, ...]:
    """Return what differs, in the order of the file; secrets are masked.

    Args:
        before: what is in force.
        after: what was read.
    """
    old, new = _by_place(before), _by_place(after)
    shown_old, shown_new = _by_place(masked(before)), _by_place(masked(after))
    told: list[KeyChange] = []
    for place in dict.fromkeys([*old, *new]):
        if place not in new:
            told.append(_whole(place, "removed"))
        elif place not in old:
            told.append(_whole(place, "added"))
        else:
            told += _keys(place, old[place], new[place], shown_old[place], shown_new[place])
    return tuple(told)


def in_force(before: st.Settings, after: st.Settings) -> st.Settings:
    """Return the settings that hold once `after` was read by a healmon that began with `before`."""
    kept = {name: getattr(before.monitor, name) for name in FIXED}
    return replace(after, monitor=replace(after.monitor, **kept))


_Place = tuple[str, str]


def _by_place(settings: st.Settings) -> dict[_Place, Mapping[str, str]]:
    return {_place(shown): shown.keys for shown in tables(settings)}


def _place(shown: Shown) -> _Place:
    return shown.section, shown.name


def _title(place: _Place) -> str:
    section, name = place
    return clean(f"{section}.{name}" if name else section)


def _whole(place: _Place, what: Effect) -> KeyChange:
    return KeyChange(key=_title(place), effect=what)


def _keys(
    place: _Place,
    old: Mapping[str, str],
    new: Mapping[str, str],
    shown_old: Mapping[str, str],
    shown_new: Mapping[str, str],
) -> Iterator[KeyChange]:
    for key in dict.fromkeys([*old, *new]):
        if old.get(key) == new.get(key):
            continue
        was, becomes = (clean(one.get(key, ""), limit=LONGEST) for one in (shown_old, shown_new))
        if was == becomes:  # what differs is masked, or far behind
            becomes = HIDDEN
        effect = _effect(place[0], key)
        yield KeyChange(f"{_title(place)}.{key}", old=was, new=becomes, effect=effect)


def _effect(section: str, key: str) -> Effect:
    if section == "workers" and key in STARTED_WITH:
        return "next start"
    if section == "monitor" and key in FIXED:
        return "restart of healmon"
    return "next screen" if section.partition(".")[0] == SCREEN else "now"
