"""Whether a command waits in the store to be taken."""

from __future__ import annotations

import sqlite3


def queued(conn: sqlite3.Connection) -> bool:
    """Return whether one does.

    Raises:
        sqlite3.Error: the store cannot be read.
    """
    asked = conn.execute("SELECT EXISTS (SELECT 1 FROM commands WHERE state = 'queued')")
    return bool(asked.fetchone()[0])
