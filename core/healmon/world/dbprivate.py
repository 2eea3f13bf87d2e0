"""A private copy of somebody else's SQLite database, made without SQLite and without a lock.

Opening a database to read it can change it: a reader leaves a -shm behind, the last one to leave
checkpoints and deletes a crash's -wal. So its files are copied as bytes, and only the copy is
opened: what a killed writer left half done is taken back there. A copy counts when nothing moved
from a moment before it to a moment after it.
"""

from __future__ import annotations

import contextlib
import itertools
import os
import shutil
import sqlite3
import tempfile
import threading
from collections.abc import Generator, Iterator
from pathlib import Path
from typing import Final

from healmon.errors import ProbeError
from healmon.text import clean
from healmon.world.taskfile import as_text, fit_to_read, quoted
from healmon.world.taskrules import Unfit

MEMBERS: Final = ("", "-wal", "-journal")
"""What belongs to a database; the -shm is only an index and is made anew."""
PREFIX: Final = "import-"
TRIES: Final = 8
STILL: Final = 0.05
"""Seconds without a change before a copy begins: more than the grain of the kernel's file times."""
CHUNK: Final = 1 << 20
_ROW_IDS: Final = ("rowid", "_rowid_", "oid")
"""What SQLite calls row ids, unless a column is called so."""

State = tuple[tuple[int, int, int] | None, ...]


@contextlib.contextmanager
def private_copy(path: Path, folder: Path) -> Generator[Path, None, None]:
    """Give a copy of a database in a folder of its own, which goes afterwards.

    Args:
        path: the database; read as bytes, nothing else.
        folder: where there is room for it; leftovers of killed copies there go first.

    Raises:
        ProbeError: it is no database, cannot be read, or is written all the time.
        OSError: the copy cannot be written.
    """
    real = os.path.realpath(path)
    try:
        fit_to_read(real)
    except Unfit as error:
        raise ProbeError(f"{clean(str(path))} {error}") from None
    for old in folder.glob(f"{PREFIX}*"):
        shutil.rmtree(old, ignore_errors=True)
    place = Path(tempfile.mkdtemp(prefix=PREFIX, dir=folder))
    try:
        yield _copied(real, place)
    finally:
        shutil.rmtree(place, ignore_errors=True)


def size_of(path: Path) -> int:
    """Return the bytes of a database with its -wal and journal; 0 for what is not there."""
    return sum(found[1] for found in _state(os.path.realpath(path)) if found is not None)


def _copied(real: str, place: Path) -> Path:
    target = place / "history.db"
    for _ in range(TRIES):
        before = _state(real)
        threading.Event().wait(STILL)
        if _state(real) != before:
            continue
        for end, found in zip(MEMBERS, before, strict=True):
            Path(f"{target}{end}").unlink(missing_ok=True)
            if found is not None:
                _copy(f"{real}{end}", f"{target}{end}")
        if _state(real) == before:
            return target
    raise ProbeError(
        f"{clean(real)} is written all the time: no copy of one moment can be made",
        remedy="stop its monitor for a moment, or import what sqlite3 FILE '.backup COPY' makes",
    )


def _state(real: str) -> State:
    """Return which files there are, their sizes and times."""
    found: list[tuple[int, int, int] | None] = []
    for end in MEMBERS:
        try:
            status = os.stat(f"{real}{end}")  # noqa: PTH116 - text in
        except FileNotFoundError:
            found.append(None)
        except OSError as error:
            raise ProbeError(f"{clean(real)}{end} cannot be looked at: {error.strerror}") from error
        else:
            found.append((status.st_ino, status.st_size, status.st_mtime_ns))
    return tuple(found)


def _copy(source: str, target: str) -> None:
    try:
        fd = os.open(source, os.O_RDONLY | os.O_NONBLOCK | os.O_NOCTTY | os.O_CLOEXEC)
    except FileNotFoundError:
        return  # the look afterwards tells
    except OSError as error:
        raise ProbeError(f"{clean(source)} cannot be read: {error.strerror}") from error
    flags = os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_NOFOLLOW | os.O_CLOEXEC
    with open(fd, "rb", buffering=0) as file, open(os.open(target, flags, 0o600), "wb") as copy:  # noqa: PTH123 - descriptors
        while part := file.read(CHUNK):
            copy.write(part)


class PrivateTables:
    """The tables of a private copy, read row by row.

    Raises:
        ProbeError: from every method: it cannot be read; says why.
    """

    def __init__(self, path: Path) -> None:
        self._conn = sqlite3.connect(path, isolation_level=None)
        self._conn.text_factory = as_text

    def close(self) -> None:
        """Let go of the copy."""
        self._conn.close()

    @property
    def application(self) -> int:
        """The number by which a program marks its files; 0 for none."""
        with _reading():
            (number,) = self._conn.execute("PRAGMA application_id").fetchone()
            return int(number)

    def columns(self, table: str) -> tuple[str, ...]:
        """Return the columns of a table as they are called; empty: there is no such table."""
        with _reading():
            rows = self._conn.execute("SELECT name FROM pragma_table_info(?)", (table,))
            return tuple(str(name) for (name,) in rows)

    def rows(self, table: str) -> Iterator[tuple[int, dict[str, object]]]:
        """Yield the rows of a table in the order of their row ids, one at a time.

        What has no row ids (a view, say) is numbered by its column `id`, or else as it comes.
        """
        known = self._row_id(table)
        order = f" ORDER BY {known}" if known else ""
        with _reading():
            found = self._conn.execute(
                f"SELECT {known or 'NULL'}, * FROM {quoted(table)}{order}"  # noqa: S608 - a quoted name
            )
            names = [str(column[0]).lower() for column in found.description[1:]]
        for place in itertools.count(1):
            with _reading():
                row = found.fetchone()
            if row is None:
                return
            values = dict(zip(names, row[1:], strict=True))
            numbers = (one for one in (row[0], values.get("id")) if isinstance(one, int))
            yield next(numbers, place), values

    def _row_id(self, table: str) -> str:
        """Return what a table's own row ids are called; empty: it has none."""
        there = {column.lower() for column in self.columns(table)}
        for name in _ROW_IDS:
            if name not in there:
                with contextlib.suppress(sqlite3.OperationalError):
                    self._conn.execute(f"SELECT {name} FROM {quoted(table)} LIMIT 0")  # noqa: S608 - a quoted name
                    return name
        return ""


@contextlib.contextmanager
def _reading() -> Generator[None, None, None]:
    try:
        yield
    except sqlite3.Error as error:
        raise ProbeError(
            f"it cannot be read: {clean(str(error))}",
            remedy="if it is damaged: sqlite3 FILE .recover | sqlite3 NEW, and import NEW",
        ) from error
