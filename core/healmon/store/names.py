"""Names that a person may type, each with a word about it. Standard library only."""

from __future__ import annotations

import sqlite3
from typing import Final

from healmon.store.read import reading

PREFIX: Final = {"session": "session:", "database": "database:", "mount": "disk:"}
"""What stands before the names of these kinds in the store, and need not be typed."""
_ASK: Final = {
    "worker": "SELECT component, status FROM components WHERE healer = 'workers'",
    "session": "SELECT component, status FROM components WHERE healer = 'sessions'",
    "database": "SELECT component, status FROM components WHERE healer = 'databases'",
    "mount": "SELECT component, status FROM components WHERE healer = 'disks'",
    "component": "SELECT component, status FROM components",
    "alert": "SELECT id, component || ': ' || message FROM health_alerts"
    " WHERE resolved = 0 AND opened_at IS NOT NULL",
    "silence": "SELECT id, match FROM silences WHERE ended_at IS NULL",
    "channel": "SELECT DISTINCT channel, '' FROM notices",
}


def names(conn: sqlite3.Connection, kind: str) -> list[tuple[str, str]]:
    """Return the names of a kind, in order; of an unknown kind there are none.

    Args:
        conn: from `read.open_reader`.
        kind: `worker` `session` `database` `mount` `component` `alert` `silence` `channel`.

    Raises:
        ReadError: the store cannot be read now.
    """
    if kind not in _ASK:
        return []
    with reading():
        rows = conn.execute(f"{_ASK[kind]} ORDER BY 1").fetchall()
    prefix = PREFIX.get(kind, "")
    return [
        (str(name).removeprefix(prefix), str(about))
        for name, about in rows
        if str(name).startswith(prefix)
    ]
