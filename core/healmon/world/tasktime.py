"""The times in a task database: four ways of writing them, read to one.

A table says `2026-02-07 22:33:00` and means UTC (SQLite's CURRENT_TIMESTAMP); the next row says
`2026-02-07T14:33:00.123456` and means the host's own zone (Python's isoformat); others say their
zone, or count seconds. Comparing them as text, or taking one for the other, is hours off.
"""

from __future__ import annotations

import re
from datetime import UTC, datetime, tzinfo
from typing import Final, Literal

Stamp = Literal["sqlite", "local", "zulu", "unix"]
"""How a time is written: as SQLite does, as isoformat without a zone, with `Z`, as a number."""

EARLIEST: Final = 1.0
LATEST: Final = 1e11
"""Seconds; beyond the year 5000 it is no count of seconds."""
_NUMBER: Final = re.compile(r"[0-9]{1,20}(?:\.[0-9]{1,20})?")
_ISO: Final = re.compile(
    r"(?P<date>\d{4}-\d\d-\d\d)(?P<gap>[T ])(?P<time>\d\d:\d\d(?::\d\d(?:\.\d{1,9})?)?)"
    r"(?P<zone> ?(?:Z|[+-]\d\d:?\d\d))?",
    re.ASCII,
)


def parse_task_time(value: object, local_zone: tzinfo | None) -> float | None:
    """Return the epoch seconds of a time as task databases write it; None: it says nothing.

    Args:
        value: what stands in the column: `YYYY-MM-DD HH:MM:SS` is UTC, the same with `T` is local,
            with `Z` or an offset it says so itself, a number counts seconds. Anything else, NULL
            and the empty text too, says nothing.
        local_zone: the zone of times without one; None is the host's own.
    """
    if isinstance(value, bool):
        return None
    if isinstance(value, int | float):
        return _seconds(value)
    if not isinstance(value, str):
        return None
    text = value.strip()
    if _NUMBER.fullmatch(text):
        return _seconds(float(text))
    found = _ISO.fullmatch(text)
    return None if found is None else _moment(found, local_zone)


def _moment(found: re.Match[str], local_zone: tzinfo | None) -> float | None:
    date, gap, time, zone = found["date"], found["gap"], found["time"], found["zone"]
    try:
        moment = datetime.fromisoformat(f"{date}T{time}{(zone or '').strip()}")
        if not zone:
            # timestamp() of a naive time is that of the host's zone, summer time and all
            moment = moment.replace(tzinfo=local_zone if gap == "T" else UTC)
        return _seconds(moment.timestamp())
    except (ValueError, OverflowError, OSError):
        return None


def _seconds(value: float) -> float | None:
    return float(value) if EARLIEST <= value < LATEST else None


def stamp_of(value: object) -> Stamp:
    """Return how a column writes its times, judged by one; `sqlite` when that cannot be told."""
    if isinstance(value, int | float) and not isinstance(value, bool):
        return "unix"
    text = value.strip() if isinstance(value, str) else ""
    if _NUMBER.fullmatch(text):
        return "unix"
    found = _ISO.fullmatch(text)
    if found is None or (found["gap"] == " " and not found["zone"]):
        return "sqlite"
    return "zulu" if found["zone"] else "local"


def format_task_time(wall: float, stamp: Stamp, local_zone: tzinfo | None) -> str | float:
    """Return a time as `stamp` writes it, so that `parse_task_time` reads the same again.

    But for parts of a second, and for the local hour that comes twice when clocks are set back.
    """
    if stamp == "unix":
        return wall
    moment = datetime.fromtimestamp(wall, UTC)
    if stamp == "zulu":
        return f"{moment:%Y-%m-%dT%H:%M:%SZ}"
    if stamp == "local":
        return moment.astimezone(local_zone).replace(tzinfo=None).isoformat()
    return f"{moment:%Y-%m-%d %H:%M:%S}"
