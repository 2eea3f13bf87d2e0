"""Values and keys as tomllib gives them and as TOML writes them."""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping, Sequence
from typing import Any, Final, cast

_BARE: Final = re.compile(r"[A-Za-z0-9_-]+")
_ESCAPES: Final = {'"': '\\"', "\\": "\\\\", "\n": "\\n", "\t": "\\t", "\r": "\\r"}


def as_table(value: object) -> dict[str, Any] | None:
    """Return a value of tomllib's if it is a table."""
    return cast("dict[str, Any]", value) if isinstance(value, dict) else None


def as_list(value: object) -> list[object] | None:
    """Return a value of tomllib's if it is an array."""
    return cast("list[object]", value) if isinstance(value, list) else None


def literal(value: object) -> str:
    """Return a value as TOML text; what TOML does not know (None) as Python's `str`."""
    if isinstance(value, str):
        return _quoted(value)
    if isinstance(value, Mapping):
        table = cast("Mapping[str, object]", value)
        return inline_table({name: literal(item) for name, item in table.items()})
    if isinstance(value, Sequence):
        return array(literal(item) for item in cast("Sequence[object]", value))
    return _scalar(value)


def array(items: Iterable[str]) -> str:
    """Return an array of values that are TOML text already."""
    return f"[{', '.join(items)}]"


def inline_table(pairs: Mapping[str, str]) -> str:
    """Return an inline table of values that are TOML text already."""
    inside = ", ".join(f"{key_text(name)} = {text}" for name, text in pairs.items())
    return f"{{ {inside} }}" if inside else "{}"


def key_text(name: str) -> str:
    """Return one part of a key, in quotes where TOML wants them."""
    return name if _BARE.fullmatch(name) else _quoted(name)


def path_text(path: Iterable[str | int]) -> str:
    """Return a path of keys as people write it: `disk.rules[0].older_than`."""
    text = ""
    for part in path:
        if isinstance(part, int):
            text += f"[{part}]"
        else:
            text += f".{key_text(part)}" if text else key_text(part)
    return text


def _scalar(value: object) -> str:
    if isinstance(value, bool):
        return "true" if value else "false"
    if isinstance(value, float) and value.is_integer() and abs(value) < 1e15:
        value = int(value)
    if isinstance(value, int) and value.bit_length() > 1000:
        return hex(value)  # Python refuses to write numbers of thousands of digits
    return str(value)


def _quoted(text: str) -> str:
    return f'"{"".join(_escaped(char) for char in text)}"'


def _escaped(char: str) -> str:
    if char in _ESCAPES:
        return _ESCAPES[char]
    # more than TOML asks for: the text may be shown on a terminal
    if char.isprintable():
        return char
    return f"\\u{ord(char):04x}" if ord(char) <= 0xFFFF else f"\\U{ord(char):08x}"
