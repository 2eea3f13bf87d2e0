"""A copy of the store through its own connection: whole, at one moment, while it is in use.

Copying the file by hand would drop this process's locks on it, and miss what is in the -wal.
"""

from __future__ import annotations

import contextlib
import os
import sqlite3
from pathlib import Path
from typing import Final

PAGES: Final = 100
"""Pages copied before others get their turn."""


def backup(conn: sqlite3.Connection, target: Path) -> None:
    """Write a whole copy of a database; the name appears only once all of it is on the disk.

    Args:
        conn: any connection to it.
        target: where; what is there is replaced.

    Raises:
        sqlite3.Error: it cannot be read or written; the copy is gone again.
        OSError: it cannot be named.
    """
    fresh = target.with_name(f".{target.name}.new")
    fresh.unlink(missing_ok=True)
    try:
        with contextlib.closing(sqlite3.connect(fresh, isolation_level=None)) as copy:
            conn.backup(copy, pages=PAGES, sleep=0)
            copy.execute("PRAGMA journal_mode = DELETE").fetchall()
        fd = os.open(fresh, os.O_RDONLY | os.O_CLOEXEC)
        try:
            os.fsync(fd)
        finally:
            os.close(fd)
        fresh.replace(target)
    except BaseException:
        with contextlib.suppress(OSError):
            fresh.unlink(missing_ok=True)
        raise
