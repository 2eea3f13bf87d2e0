"""What a row is, and how an event's details fit into one. Pure."""

from __future__ import annotations

from typing import Final, TypeAlias, cast

import msgspec

from healmon.plans import Packed

Values: TypeAlias = tuple[str | int | None, ...]
Statement: TypeAlias = tuple[str, Values]

DETAILS_LIMIT: Final = 4_000
"""Characters of `details`; the event's payload holds everything."""


def details_text(details: Packed) -> str:
    """Return a JSON object of a sane size: what does not fit is left out, and that is said."""
    text = msgspec.json.encode(details).decode()
    if len(text) <= DETAILS_LIMIT:
        return text
    kept: Packed = {"cut": True}
    room = DETAILS_LIMIT - len('{"cut":true}')
    for name, value in details.items():
        # one level down as well, so that a long list of files does not cost all other facts
        fitting = _fitting(cast("Packed", value), room // 2) if isinstance(value, dict) else value
        parts: Packed = {name: fitting}
        size = len(msgspec.json.encode(parts)) + 1
        if size > room and isinstance(value, str):
            parts = {name: value[: max(0, room // 8)]}
            size = len(msgspec.json.encode(parts)) + 1
        if size <= room:
            kept.update(parts)
            room -= size
    return msgspec.json.encode(kept).decode()


def _fitting(value: Packed, room: int) -> Packed:
    kept: Packed = {}
    for name, part in value.items():
        size = len(msgspec.json.encode({name: part})) + 1
        if size <= room:
            kept[name] = part
            room -= size
    return kept
