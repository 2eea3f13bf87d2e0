"""Which numbers a file gives its events: whether another one goes on where a reader was."""

from __future__ import annotations

import sqlite3

from healmon.store.read import last_event_id, reading


def newest_number(conn: sqlite3.Connection) -> int:
    """Return the highest id of an event that the file knows of, its own or one kept as known.

    Raises:
        ReadError: the store cannot be read now.
    """
    with reading():
        (kept,) = conn.execute("SELECT max(event_id) FROM checkpoints").fetchone()
    return max(last_event_id(conn), int(kept or 0))


def stamp(conn: sqlite3.Connection, event_id: int) -> str:
    """Return the store's text of the time of an event; empty: it is not there.

    Raises:
        ReadError: the store cannot be read now.
    """
    with reading():
        row = conn.execute("SELECT timestamp FROM events WHERE id = ?", (event_id,)).fetchone()
    return str(row[0]) if row else ""
