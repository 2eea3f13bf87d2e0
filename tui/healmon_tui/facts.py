"""Reading packed facts without trusting them: a missing or odd value is no value.

Facts come from healers of this version, of another version, or out of a store; a screen must not
fall over any of them.
"""

from __future__ import annotations

import math
from collections.abc import Mapping
from typing import Any, Final, cast

BIG: Final = 10**18
"""No number that is shown is as large."""


class Facts:
    """A packed JSON object, read by kind."""

    __slots__ = ("_packed",)

    def __init__(self, packed: Mapping[str, Any]) -> None:
        self._packed = packed

    def text(self, *keys: str) -> str:
        """Return the first of these that is a non-empty text or a number, as text; else empty."""
        for key in keys:
            value = self._packed.get(key)
            if value is None:
                continue  # most of what is asked for
            if isinstance(value, str) and value:
                return value
            if isinstance(value, int | float) and not isinstance(value, bool):
                return _short(value)
        return ""

    def number(self, *keys: str) -> float | None:
        """Return the first of these that is a finite number; else None."""
        for key in keys:
            value = self._packed.get(key)
            number = None if value is None else _number(value)
            if number is not None:
                return number
        return None

    def texts(self, key: str) -> tuple[str, ...]:
        """Return a list of texts or numbers as texts; a single one as a list of one."""
        value = self._packed.get(key)
        if isinstance(value, list | tuple):
            items = cast("list[object]", value)
            return tuple(Facts({"": item}).text("") for item in items)
        one = self.text(key)
        return (one,) if one else ()

    def items(self, key: str) -> tuple[object, ...]:
        """Return a list of anything."""
        value = self._packed.get(key)
        return tuple(cast("list[object]", value)) if isinstance(value, list | tuple) else ()

    def numbers(self, key: str) -> tuple[float, ...]:
        """Return a list of finite numbers; what is none among them is left out."""
        found = [_number(item) for item in self.items(key)]
        return tuple([number for number in found if number is not None])

    def inners(self, key: str) -> tuple[Facts, ...]:
        """Return a list of objects; what is none among them is left out."""
        value = self._packed.get(key)
        items = cast("list[object]", value) if isinstance(value, list | tuple) else []
        return tuple(
            Facts(cast("Mapping[str, Any]", item)) for item in items if isinstance(item, Mapping)
        )

    def pairs(self, key: str) -> tuple[tuple[str, str], ...]:
        """Return an object's texts and numbers by their names; what is none is left out."""
        value = self._packed.get(key)
        inner = cast("Mapping[str, Any]", value if isinstance(value, Mapping) else {})
        texts = ((name, Facts(inner).text(name)) for name in inner)
        return tuple((name, text) for name, text in texts if text)

    def inner(self, key: str) -> Facts:
        """Return the object behind a key; an empty one if there is none."""
        value = self._packed.get(key)
        return Facts(cast("Mapping[str, Any]", value) if isinstance(value, Mapping) else {})


def _number(value: object) -> float | None:
    if type(value) is int and -BIG < value < BIG:
        return float(value)  # most of them
    if isinstance(value, bool) or not isinstance(value, int | float):
        return None
    return float(value) if abs(value) < BIG and math.isfinite(value) else None


def _short(value: float) -> str:
    if isinstance(value, float):
        return f"{value:g}"
    # turning a huge whole number into digits is slow and refused by Python beyond a limit
    return str(value) if abs(value) < BIG else "?"
