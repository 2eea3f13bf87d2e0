"""How people write a key (`r`, `?`, `ctrl-y`, `shift-tab`, `F5`), and what a terminal loses.

The screen has its own names for the same keys; it translates ours. Standard library only.
"""

from __future__ import annotations

import re
from typing import Final

ALLOWED: Final = 'a key such as "R", "ctrl-y", "space" or "F5", or a list of keys'
_ALIASES: Final = {
    "escape": "esc", "return": "enter", "pagedown": "pgdn", "pageup": "pgup", "page-down": "pgdn",
    "page-up": "pgup", "del": "delete", "ins": "insert", "↓": "down", "↑": "up", "←": "left",
    "→": "right",
}  # fmt: skip
_MOVES: Final = frozenset({"up", "down", "left", "right", "home", "end", "pgup", "pgdn"})
_WORDS: Final = _MOVES | {"esc", "enter", "space", "tab", "backspace", "delete", "insert"}
_MODIFIER: Final = re.compile(r"(ctrl|alt|shift)[-+](?=.)", re.IGNORECASE)
_FUNCTION: Final = re.compile(r"f(?:[1-9]|1[0-2])")
_LOST: Final = {
    "ctrl-i": "a terminal sends it as tab",
    "ctrl-m": "a terminal sends it as enter",
    "ctrl-j": "many terminals send it as enter",
    "ctrl-h": "a terminal sends it as backspace",
    "alt-enter": "a terminal sends it as enter",
    "ctrl-c": "it copies in many terminals",
    "ctrl-s": "it stops the output of many terminals",
    "ctrl-z": "it stops a program, and the healer with it",
}


def parse(text: str) -> str:
    """Return a key in the one way that healmon writes it.

    Raises:
        ValueError: it is no key that a terminal sends; with the reason, where there is one to tell.
    """
    held: list[str] = []
    rest = text
    while found := _MODIFIER.match(rest):
        held.append(found[1].lower())
        rest = rest[found.end() :]
    word = _ALIASES.get(rest.lower(), rest.lower())
    if len(rest) == 1 and word == rest.lower():
        return _character(held, rest)
    if word not in _WORDS and not _FUNCTION.fullmatch(word):
        raise ValueError
    key = "-".join((*sorted(held), word))
    _refuse_lost(key)
    if held and not _is_sent(sorted(held), word):
        raise ValueError(f"few terminals send {key}")
    return key


def _character(held: list[str], char: str) -> str:
    if not char.isprintable() or char.isspace():
        raise ValueError
    if not held:
        return char
    if held == ["shift"]:
        raise ValueError(f'write it as the character that comes, such as "{char.upper()}"')
    key = f"{held[0]}-{char if held[0] == 'alt' else char.lower()}"
    _refuse_lost(key)
    if len(held) > 1 or not (char.isascii() and char.isalnum()):
        raise ValueError(f"few terminals send {'-'.join((*held, char))}")
    if held == ["ctrl"] and char.isdigit():
        raise ValueError(f"few terminals send {key}")
    return key


def _refuse_lost(key: str) -> None:
    if key in _LOST:
        raise ValueError(f"{key} cannot be used: {_LOST[key]}")


def _is_sent(held: list[str], word: str) -> bool:
    if word in _MOVES:
        return held in (["ctrl"], ["shift"], ["ctrl", "shift"])
    return word == "tab" and held == ["shift"]
