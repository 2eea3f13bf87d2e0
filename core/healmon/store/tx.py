"""The one way to write: a transaction that has the lock before it reads."""

from __future__ import annotations

import contextlib
import sqlite3
from collections.abc import Generator


@contextlib.contextmanager
def immediate(conn: sqlite3.Connection) -> Generator[None, None, None]:
    """Run the body in one transaction; all of it is kept, or nothing.

    The write lock is taken first: a transaction that reads and then wants to write fails at once,
    whatever its timeout, when somebody else wrote in between.
    """
    conn.execute("BEGIN IMMEDIATE")
    try:
        yield
        conn.execute("COMMIT")
    finally:
        # SQLite has already rolled back after some errors (full disk, I/O)
        if conn.in_transaction:
            with contextlib.suppress(sqlite3.Error):
                conn.execute("ROLLBACK")
