"""Opens the file of a task database without making, locking or changing it.

Standard library only, for `world.taskchild`.
"""

from __future__ import annotations

import os
import sqlite3
import stat

from healmon.world.taskrules import Unfit

TYPE_CHECKING = False
if TYPE_CHECKING:
    from typing import Any

MAGIC = b"SQLite format 3\x00"
PLAIN = frozenset(b"/-._~0123456789abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ")
"""Bytes of a path that stand for themselves in a URI."""


def real_path(path: str) -> str:
    """Return where the file itself is: there SQLite keeps its -wal, not beside a link to it."""
    return os.path.realpath(path)


def fit_to_read(path: str) -> None:
    """Raise Unfit unless this is a regular file that begins as a SQLite database does."""
    try:
        fd = os.open(path, os.O_RDONLY | os.O_NONBLOCK | os.O_NOCTTY | os.O_CLOEXEC)
    except FileNotFoundError:
        raise Unfit("there is no such file") from None
    except OSError as error:
        raise Unfit(f"cannot be opened: {error.strerror}") from None
    try:
        found = os.fstat(fd)
        if not stat.S_ISREG(found.st_mode):
            raise Unfit("is no regular file")
        if found.st_size == 0:
            raise Unfit("is empty (0 bytes): no table was ever made in it")
        if os.pread(fd, len(MAGIC), 0) != MAGIC:
            raise Unfit("is no SQLite database")
    finally:
        os.close(fd)


def wal_mode(path: str) -> bool:
    """Return whether the file's header says write-ahead log."""
    with open(path, "rb") as file:  # noqa: PTH123 - light on purpose
        return file.read(20)[18:20] == b"\x02\x02"


def state(path: str) -> tuple[int, ...]:
    """Return what changes when somebody opens it or writes into it."""
    found = os.stat(path)  # noqa: PTH116 - light on purpose
    wal = os.path.exists(path + "-wal")  # noqa: PTH110 - light on purpose
    return int(wal), found.st_ino, found.st_size, found.st_mtime_ns


def with_wal(found: tuple[int, ...]) -> bool:
    """Return whether there was a -wal, by what `state` returned."""
    return bool(found[0])


def connect(path: str, mode: str, busy: float) -> sqlite3.Connection:
    """Open an existing file; never make one."""
    # a part of urllib would take longer to load than the look takes
    safe = "".join(chr(b) if b in PLAIN else f"%{b:02X}" for b in os.fsencode(path))
    uri = f"file:{safe}?{mode}"
    database = sqlite3.connect(uri, uri=True, timeout=busy, isolation_level=None)
    # one row that is no UTF-8 must not hide all others
    database.text_factory = as_text
    return database


def as_text(raw: bytes) -> str:
    """Return a text column's bytes; those that are no UTF-8 become surrogates."""
    return raw.decode("utf-8", "surrogateescape")


def bound(value: Any) -> tuple[str, Any]:  # noqa: ANN401 - whatever SQLite holds
    """Return how a value stands in SQL, and what to bind there."""
    if isinstance(value, str):
        raw = value.encode("utf-8", "surrogateescape")
        # Python binds no text with bytes that are no UTF-8
        if raw.decode("utf-8", "replace") != value:
            return "CAST(? AS TEXT)", raw
    return "?", value


def plain(value: Any) -> Any:  # noqa: ANN401 - whatever SQLite holds
    """Return a value that JSON can carry."""
    return as_text(value) if isinstance(value, bytes) else value


def quoted(name: str) -> str:
    """Return a table's or column's name as SQL."""
    return '"' + name.replace('"', '""') + '"'


def columns_of(database: sqlite3.Connection, table: str) -> dict[str, Any]:
    """Return the columns of a table and their defaults, as SQL; empty: there is no such table."""
    # SQL compares names of columns without case
    rows = database.execute("SELECT name, dflt_value FROM pragma_table_info(?)", (table,))
    return {str(name).lower(): default for name, default in rows}
