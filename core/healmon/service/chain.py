"""Why something happened: the chain of events behind an alert or an action, and what was kept."""

from __future__ import annotations

import json
import sqlite3
from typing import Any, Final, cast

from healmon.clock import local_time, parse_utc
from healmon.events import decode
from healmon.plans import Packed
from healmon.service.log import line
from healmon.store import read
from healmon.text import clean

LONGEST: Final = 200
"""Events of one chain that are told."""
_SCREENS: Final = ("before", "after")


def chain(connection: sqlite3.Connection, event_id: int) -> list[read.Row]:
    """Return an event with all that led to it and all that came of it, oldest first."""
    found: dict[int, read.Row] = {}
    above = read.event(connection, event_id)
    while above is not None and above["id"] not in found and len(found) < LONGEST:
        found[above["id"]] = above
        above = read.event(connection, above["cause"]) if above["cause"] else None
    waiting = [event_id] if found else []
    while waiting and len(found) < LONGEST:
        for row in read.effects(connection, waiting.pop(0)):
            if row["id"] not in found:
                found[row["id"]] = row
                waiting.append(row["id"])
    return [found[number] for number in sorted(found)]


def life(connection: sqlite3.Connection, alert: read.Row, rows: list[read.Row]) -> list[read.Row]:
    """Return the whole life of an alert with the chain of events behind it, oldest first.

    Of a life that is too long to be told, the beginning is.
    """
    until = alert["resolved_at"] or ""
    own = read.story(connection, alert["id"], alert["key"], until, LONGEST)
    both = {row["id"]: row for row in (*rows, *own)}
    return [both[number] for number in sorted(both)]


def told(rows: list[read.Row]) -> list[str]:
    """Return a chain as lines for people."""
    return [
        f"{row['id']:>7}  {local_time(parse_utc(row['timestamp']), '%m-%d %H:%M:%S')}  "
        f"{line(decode(row['payload']))}"
        for row in rows
    ]


def kept_lines(kept: Packed) -> list[str]:
    """Return the evidence of an act as lines for people: what was known, then both screens."""
    lines = [
        f"{clean(name).replace('_', ' '):<14} {one_line(value)}"
        for name, value in kept.items()
        if value and name not in _SCREENS
    ]
    for name in _SCREENS:
        shown: Any = kept.get(name)
        screen = str(cast("Packed", shown).get("screen", "")) if isinstance(shown, dict) else ""
        lines.append(f"{name}:")
        lines += [f"  │ {part}" for part in clean(screen, lines=True).rstrip().split("\n")]
    return lines


def one_line(value: object) -> str:
    """Return a value of evidence as one line."""
    text = json.dumps(value, ensure_ascii=False) if isinstance(value, list | dict) else str(value)
    return clean(text, limit=2000)
