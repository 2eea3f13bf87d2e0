"""Small hands of the fold."""

from __future__ import annotations

from typing import TypeVar

from msgspec.structs import replace

from healmon.state.views import Snapshot

_V = TypeVar("_V")


def without(mapping: dict[str, _V], key: str) -> dict[str, _V]:
    """Return a mapping that lacks a key; the same one if it lacked it already."""
    return {k: v for k, v in mapping.items() if k != key} if key in mapping else mapping


def tallied(s: Snapshot, name: str) -> Snapshot:
    """Return the snapshot with one more of `name` in this run."""
    return replace(s, tallies={**s.tallies, name: s.tallies.get(name, 0) + 1})
