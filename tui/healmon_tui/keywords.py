"""Keys in words: as Textual calls them, as the configuration writes them, as people read them."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Final, TypeAlias

from textual.keys import (
    _character_to_key,  # pyright: ignore[reportPrivateUsage] - `set_keymap` does so, but on commas
    key_to_character,
)

Given: TypeAlias = Mapping[str, Sequence[str]]
"""Keys that a person gave to actions, as the configuration writes them, by the action's id."""
NO_KEY: Final = "no_such_key"
"""What an action is bound to that was given no key: Textual knows no way to unbind one."""

_NAMES: Final[dict[str, str]] = {
    "escape": "esc", "down": "↓", "up": "↑", "left": "←", "right": "→", "pagedown": "PgDn",
    "pageup": "PgUp", "home": "Home", "end": "End", "delete": "Del", "insert": "Ins",
    **{f"f{number}": f"F{number}" for number in range(1, 13)},
}  # fmt: skip


def key_name(key: str) -> str:
    """Return a key as people write it."""
    return _NAMES.get(key) or _character(key) or key.replace("+", "-")


_ASCII: Final = {_character_to_key(chr(code)): chr(code) for code in range(33, 127)}


def _character(key: str) -> str:
    char = _ASCII.get(key) or key_to_character(key) or ""
    return char if char.isprintable() and char != " " else ""


_WRITTEN: Final[dict[str, str]] = {
    "escape": "esc", "pagedown": "pgdn", "pageup": "pgup",
}  # fmt: skip
"""Keys that the configuration calls otherwise than Textual."""


def written(key: str) -> str:
    """Return a key of Textual's as the configuration writes it."""
    return _character(key) or _WRITTEN.get(key, key).replace("+", "-")


def textual(key: str) -> str:
    """Return a key of the configuration's as Textual calls it."""
    if len(key) == 1:
        return _character_to_key(key)
    names = {name: ours for ours, name in _WRITTEN.items()}
    *held, word = key.split("-")
    return "+".join((*held, names.get(word, word)))


_SHOWN: Final = {shown.lower(): written(key) for key, shown in _NAMES.items()}


def read(shown: str) -> str:
    """Return a key that `key_name` wrote as the configuration writes it."""
    return shown if len(shown) == 1 and shown not in _SHOWN else _SHOWN.get(shown.lower(), shown)


def remap(given: Given) -> dict[str, str]:
    """Return the given keys as `App.set_keymap` takes them."""
    return {name: ",".join(map(textual, keys)) or NO_KEY for name, keys in given.items()}
