"""Moments as the web tells them: UTC, RFC 3339, milliseconds."""

from __future__ import annotations

from healmon.clock import format_utc
from healmon.state import FOREVER


def moment(wall: float) -> str:
    """Return `2026-11-27T10:00:00.000Z`; of a time that no calendar has, the epoch's."""
    try:
        text = format_utc(wall)
    except (ValueError, OverflowError, OSError):
        text = format_utc(0.0)
    return f"{text[:10]}T{text[11:]}Z"


def moment_or_none(wall: float | None) -> str | None:
    """Return the same; None where there is no such moment: 0.0, or one that never comes."""
    return moment(wall) if wall is not None and 0.0 < wall < FOREVER else None


def stored(text: str | None) -> str | None:
    """Return a time of the store as one of the web's."""
    return f"{text[:10]}T{text[11:]}Z" if text else None
