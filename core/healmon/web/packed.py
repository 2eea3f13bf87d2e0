"""Packed facts read without trust: a missing or odd value is no value.

They may come from another version's healer; the page must not fall over any of them.
"""

from __future__ import annotations

import math
from collections.abc import Mapping
from typing import Any, Final, cast

from healmon.text import clean

BIG: Final = 10**18
"""No number that is shown is as large."""


class Facts:
    """A packed JSON object, read by kind."""

    __slots__ = ("_packed",)

    def __init__(self, packed: Mapping[str, Any]) -> None:
        self._packed = packed

    def text(self, *keys: str) -> str:
        """Return the first of these that is a text that is not empty; else empty."""
        for key in keys:
            value = self._packed.get(key)
            if isinstance(value, str) and value:
                return clean(value)
        return ""

    def number(self, *keys: str) -> float | None:
        """Return the first of these that is a finite number."""
        for key in keys:
            value = self._packed.get(key)
            if isinstance(value, int | float) and not isinstance(value, bool):
                number = float(value)
                if math.isfinite(number) and abs(number) < BIG:
                    return number
        return None

    def whole(self, *keys: str) -> int | None:
        """Return the first of these that is a number, rounded down."""
        number = self.number(*keys)
        return None if number is None else int(number)

    def flag(self, key: str) -> bool:
        """Return whether it is true."""
        return self._packed.get(key) is True

    def texts(self, key: str) -> tuple[str, ...]:
        """Return the texts and numbers of a list, as texts."""
        items = self._items(key)
        return tuple(
            clean(str(item)) for item in items
            if isinstance(item, str | int) and not isinstance(item, bool)
        )  # fmt: skip

    def inners(self, key: str) -> tuple[Facts, ...]:
        """Return the objects of a list."""
        return tuple(
            Facts(cast("Mapping[str, Any]", item))
            for item in self._items(key)
            if isinstance(item, Mapping)
        )

    def inner(self, key: str) -> Facts:
        """Return the object behind a key; an empty one if there is none."""
        value = self._packed.get(key)
        return Facts(cast("Mapping[str, Any]", value) if isinstance(value, Mapping) else {})

    def _items(self, key: str) -> list[object]:
        value = self._packed.get(key)
        return list(cast("list[object]", value)) if isinstance(value, list | tuple) else []
