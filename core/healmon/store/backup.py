"""A copy of the store through SQLite: whole, at one moment, checked, while the store is in use.

Copying the file by hand would drop this process's locks on it, and miss what is in the -wal.
"""

from __future__ import annotations

import contextlib
import errno
import os
import sqlite3
from pathlib import Path
from typing import Final

from healmon.text import quoted

_NO_LINKS: Final = frozenset({errno.EPERM, errno.EOPNOTSUPP, errno.ENOSYS, errno.EMLINK})
"""What file systems without hard links say."""


def backup(conn: sqlite3.Connection, target: Path, *, replace: bool = True) -> None:
    """Write a copy of a database, for its owner's eyes; its name appears once all is on the disk.

    Args:
        conn: any connection to it; a read transaction that it is in decides of which moment.
        target: where.
        replace: whether what is there may be replaced.

    Raises:
        FileExistsError: something is there, and must not be replaced.
        sqlite3.Error: it cannot be read or written, or is damaged; the copy is gone again.
        OSError: it cannot be named; likewise.
    """
    fresh = target.with_name(f".{target.name}.{os.urandom(4).hex()}.new")
    # nobody else's file or link of that name is followed
    os.close(os.open(fresh, os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_CLOEXEC, 0o600))
    try:
        with contextlib.closing(sqlite3.connect(fresh, isolation_level=None)) as copy:
            # in one go: readers keep nobody waiting, and in pieces each commit begins it anew
            conn.backup(copy)
            copy.execute("PRAGMA journal_mode = DELETE").fetchall()
            must_be_whole(copy)
        _sync(fresh, os.O_RDONLY)
        if replace:
            fresh.replace(target)
        else:
            _name(fresh, target)
        _sync(target.parent, os.O_RDONLY | os.O_DIRECTORY)
    finally:
        for end in ("", "-journal"):  # that of a copy that a full disk cut short
            with contextlib.suppress(OSError):
                Path(f"{fresh}{end}").unlink(missing_ok=True)


def copy(source: Path, target: Path) -> None:
    """Write a copy of a database that nobody has open, and that has nothing beside it.

    Raises:
        sqlite3.Error, OSError: likewise.
    """
    uri = f"file:{quoted(str(source))}?immutable=1"
    with contextlib.closing(sqlite3.connect(uri, uri=True)) as conn:
        backup(conn, target)


def must_be_whole(conn: sqlite3.Connection) -> None:
    """Return if SQLite finds no damage.

    Raises:
        sqlite3.DatabaseError: it does.
    """
    (verdict,) = conn.execute("PRAGMA quick_check(1)").fetchone()
    if verdict != "ok":
        error = sqlite3.DatabaseError(f"quick_check: {' '.join(str(verdict).split())}")
        error.sqlite_errorcode = sqlite3.SQLITE_CORRUPT
        error.sqlite_errorname = "SQLITE_CORRUPT"
        raise error


def _name(fresh: Path, target: Path) -> None:
    """Give a file its name, if nothing has it; a rename would replace what came meanwhile."""
    try:
        target.hardlink_to(fresh)
    except OSError as error:
        if error.errno not in _NO_LINKS:
            raise
        if target.exists():
            raise FileExistsError(errno.EEXIST, os.strerror(errno.EEXIST)) from None
        fresh.rename(target)


def _sync(path: Path, flags: int) -> None:
    fd = os.open(path, flags | os.O_CLOEXEC)
    try:
        os.fsync(fd)
    finally:
        os.close(fd)
