"""Opening the health store's file: ours, new, somebody else's, from the future, or damaged.

Before anything is written the file is looked at through a connection that cannot write. What is
not ours is refused untouched; what is damaged is renamed with its -wal and -shm and a new file
begun, which is whole before anything is renamed (`begun`). Only CORRUPT and NOTADB count as damage:
a locked, full or failing disk says nothing about the data, and calling it damage would be the loss.
"""

from __future__ import annotations

import contextlib
import os
import sqlite3
from collections.abc import Generator
from dataclasses import dataclass
from pathlib import Path
from typing import Final

from healmon.errors import StoreVersionError
from healmon.state import Snapshot
from healmon.store import begun, rescue, schema
from healmon.store.asides import BESIDE, FAMILY, free_name, holds_something, rename, set_aside, size
from healmon.store.backup import backup, must_be_whole
from healmon.store.faults import Kind, kind_of
from healmon.store.project import rebuild
from healmon.store.salvage import Salvaged, epochs_of, known_to, prepare, salvage
from healmon.store.stream import encode_snapshot
from healmon.store.tail import Tail
from healmon.store.tx import immediate
from healmon.store.upkeep import store_checkpoint
from healmon.text import as_typed, clean, quoted

BUSY_TIMEOUT: Final = 2.0
"""Seconds a statement waits for another process's lock."""
_WAL_LIMIT: Final = 4 << 20
_CACHE: Final = 512
"""KiB of pages that a healer keeps: a round touches a few; SQLite's own 2 MB fill within days."""
CHECKED: Final = "checked"
"""Key in `meta`: when the file was last checked as a whole."""
CHECK_EVERY: Final = "-7 days"


@dataclass(frozen=True, slots=True)
class Opened:
    """A store ready to be written.

    Attributes:
        conn: autocommit; usable from any one thread at a time.
        fresh: the file was begun just now.
        repaired: what was set aside and why, or empty.
    """

    conn: sqlite3.Connection
    fresh: bool
    repaired: str = ""


def connect(path: Path, parameters: str) -> sqlite3.Connection:
    """Return an autocommit connection.

    Args:
        path: the file.
        parameters: of the URI: `mode=rwc`, `mode=ro`, `immutable=1`.
    """
    uri = f"file:{quoted(str(path))}?{parameters}"
    return sqlite3.connect(
        uri, uri=True, timeout=BUSY_TIMEOUT, isolation_level=None, check_same_thread=False
    )


def open_store(path: Path, host: str, at: str) -> Opened:
    """Open the store for writing, beginning a new file where there is none or a damaged one.

    Args:
        path: the database file.
        host: kept in a file that is begun.
        at: the time now, as the store writes it.

    Raises:
        StoreVersionError: the file is another program's or a newer healmon's; it was not touched.
        sqlite3.Error, MovedError: it cannot be opened now (locked, full, read-only, …).
    """
    _finish(path, at)
    told = rescue.take_up(path, at)
    if why := rescue.widowed(path) or _mispaired(path):
        ours, beside = epochs_of(path)
        if not ours or not beside or ours == beside:
            return begin_again(path, host, at, why, by_hand=True)
        kept = set_aside(path, "orphaned", at, BESIDE)
        told = f"{path.name} had another store's -wal beside it; kept as {kept.name}-wal"
    if not path.exists() and size(path, "-shm") > 0:
        set_aside(path, "orphaned", at)  # it would tell of another -wal
    unclean = size(path, "-wal") > 0 or begun.doubted(path)
    fresh = size(path) <= 0
    try:
        _refuse_others(path)
        conn = _ready(path, host, at, check=unclean, alone=not unclean)
    except sqlite3.DatabaseError as error:
        if kind_of(error) is not Kind.DAMAGED:
            rescue.must_have_its_index(path, at, error)
            raise
        return begin_again(path, host, at, str(error))
    begun.remove(path)  # of a start that was cut short, and somebody else mended the file
    return Opened(conn, fresh, "; ".join(filter(None, (told, _still_told(conn, path)))))


def begin_again(
    path: Path, host: str, at: str, why: str, tail: Tail | None = None, *, by_hand: bool = False
) -> Opened:
    """Set a damaged file aside and begin a new one with what could be read of the old.

    Args:
        path: the database file, open nowhere in this process.
        host: kept in the new file.
        at: the time now, as the store writes it.
        why: what is wrong with the old one.
        tail: what is known by heart; better than what can be read.
        by_hand: SQLite would take it for something else, or delete what lies beside it.

    Raises:
        OSError: it cannot be renamed; it is as it was, or the next opening finishes this.
        sqlite3.Error: no new file can be begun; the damaged one is as it was.
    """
    if _finish(path, at):  # a rename failed the last time
        conn = _ready(path, host, at, check=False)
        return Opened(conn, fresh=True, repaired=_still_told(conn, path))
    found = salvaged(path, by_hand=by_hand or tail is not None)
    tail = tail if tail is not None and tail.known else None
    kept = free_name(path, "damaged", at)
    begun.begin(path)
    try:
        # closed before the renames: the last connection leaves one file, and it is on the disk
        with contextlib.closing(_ready(begun.place(path), host, at, check=False)) as conn:
            _tell_it_what_was_known(conn, found, kept, at, why, tail)
    except BaseException:
        with contextlib.suppress(OSError):
            begun.begin(path)
        raise
    rename(path, kept)
    begun.place(path).rename(path)
    conn = _ready(path, host, at, check=False)
    goes_on = tail is not None or found.snapshot is not None
    told = "what was known goes on" if goes_on else "what was known is lost"
    text = f"{path.name} was damaged ({clean(why)}); kept as {kept.name}, a new one begun; {told}"
    return Opened(conn, fresh=True, repaired=text)


def salvaged(path: Path, *, by_hand: bool = False) -> Salvaged:
    """Return what a damaged file, open nowhere in this process, still knows.

    Args:
        path: the file.
        by_hand: SQLite must not see what lies beside it.
    """
    if not holds_something(path):
        return Salvaged()
    found = salvage(path, None if by_hand else lambda: _known(path))
    if by_hand and found.snapshot is None and size(path) > 0:
        with contextlib.suppress(sqlite3.Error), _alone(path) as conn:
            found.snapshot = known_to(conn).snapshot
    return found


def _alone(path: Path) -> contextlib.closing[sqlite3.Connection]:
    return contextlib.closing(connect(path, "immutable=1"))


def epoch_of(conn: sqlite3.Connection) -> str:
    """Return the random name a store was born with."""
    row = conn.execute("SELECT value FROM meta WHERE key = 'epoch'").fetchone()
    return str(row[0]) if row else ""


def _tell_it_what_was_known(
    conn: sqlite3.Connection, found: Salvaged, kept: Path, at: str, why: str, tail: Tail | None
) -> None:
    if tail is not None:
        found.newest["events"] = tail.newest  # what is above is none of ours
    elif found.snapshot is not None:
        keep_snapshot(conn, found.snapshot)
    elif found.newest.get("events"):
        # no id is ever given twice
        keep_snapshot(conn, Snapshot(last_id=found.newest["events"]))
    with immediate(conn):
        prepare(conn, kept, found, at, clean(why))
    if tail is not None:
        tail.write(conn)


def _finish(path: Path, at: str) -> bool:
    """Finish what a healmon was killed in the midst of; returns whether there was anything."""
    rescue.give_back(path, at)
    if path.exists() or not (kept := begun.successor_of(path)):
        return False
    target = path.with_name(kept)
    if any(Path(f"{target}{end}").exists() for end in BESIDE if Path(f"{path}{end}").exists()):
        set_aside(path, "orphaned", at)  # not of that file
    rename(path, target)
    begun.place(path).rename(path)
    return True


def _still_told(conn: sqlite3.Connection, path: Path) -> str:
    """Return what was set aside, in words, as long as its history is being brought over."""
    kept = begun.kept_of(conn)
    return f"{path.name} was damaged; kept as {kept}, a new one begun" if kept else ""


def keep_snapshot(conn: sqlite3.Connection, snapshot: Snapshot) -> None:
    """Write a snapshot into a file that has not seen its events: checkpoint and rows."""
    with immediate(conn):
        for sql, values in rebuild(snapshot):
            conn.execute(sql, values)
        store_checkpoint(conn, snapshot.last_id, encode_snapshot(snapshot))


@contextlib.contextmanager
def read_only(path: Path) -> Generator[sqlite3.Connection, None, None]:
    """Give a connection that sees everything, the -wal included, and cannot write.

    In a directory that cannot be written SQLite must be told that nobody else writes.
    """
    conn = connect(path, "mode=ro")
    try:
        try:
            schema.version_of(conn)
        except sqlite3.OperationalError as error:
            if size(path, "-wal") > 0 or kind_of(error) is Kind.LOCKED:
                raise
            conn.close()
            conn = connect(path, "immutable=1")
        yield conn
    finally:
        conn.close()


def _mispaired(path: Path) -> str:
    """Return why a database and the -wal beside it are not one; empty: they are, or may be.

    Files that were copied one after the other are, whatever their times say: row for row.
    """
    if not 0 < size(path, "-wal") <= rescue.LARGE:
        return ""  # nothing, or more than can be looked through at a start
    ours, beside = epochs_of(path)
    if ours and beside and ours != beside:
        return "its -wal is another store's"
    if not (why := rescue.misfit(path)):
        return ""
    try:
        with read_only(path) as conn:
            (verdict,) = conn.execute("PRAGMA integrity_check(1)").fetchone()
            return "" if verdict == "ok" else why
    except sqlite3.Error as error:
        return why if kind_of(error) is Kind.DAMAGED else ""


def _ready(
    path: Path, host: str, at: str, *, check: bool, alone: bool = False
) -> sqlite3.Connection:
    conn = connect(path, "mode=rwc")
    try:
        conn.execute("PRAGMA auto_vacuum = INCREMENTAL")  # of effect only before the first table
        schema.version_of(conn)  # a new file is there from now on, still empty
        if alone:
            rescue.must_be_alone(conn, path, at)
        _ours_alone(path)
        conn.execute("PRAGMA journal_mode = WAL")
        conn.execute("PRAGMA synchronous = NORMAL")
        conn.execute(f"PRAGMA journal_size_limit = {_WAL_LIMIT}")
        due = check or _check_is_due(conn, at)
        if due:
            _check(conn, path)
        if 0 < schema.version_of(conn) < schema.VERSION:
            # a newer layout cannot be read by the healmon of before
            backup(conn, path.with_name(f"{path.name}.layout-{schema.version_of(conn)}"))
        born = {"epoch": os.urandom(8).hex(), "host": host, "created": at, CHECKED: at}
        schema.migrate(conn, born)
        if due:
            with immediate(conn):
                conn.execute("INSERT OR REPLACE INTO meta VALUES (?, ?)", (CHECKED, at))
        conn.execute(f"PRAGMA cache_size = -{_CACHE}")  # last: a check has use for more
    except BaseException:
        conn.close()
        raise
    return conn


def _check(conn: sqlite3.Connection, path: Path) -> None:
    try:
        must_be_whole(conn)
    except sqlite3.DatabaseError:
        with contextlib.suppress(OSError):  # before the -wal goes that told of an unclean stop
            begun.begin(path)
        raise


def _ours_alone(path: Path) -> None:
    """Give the file, and so what SQLite makes beside it, to its owner alone, whatever the umask."""
    for end in FAMILY:
        with contextlib.suppress(OSError):  # by its name: to close a descriptor drops all locks
            Path(f"{path}{end}").chmod(0o600)


def _check_is_due(conn: sqlite3.Connection, at: str) -> bool:
    """Return whether a file that was always closed well has not been checked for a week."""
    if not schema.version_of(conn):
        return False
    (last,) = conn.execute("SELECT max(value) FROM meta WHERE key = ?", (CHECKED,)).fetchone()
    (before,) = conn.execute("SELECT datetime(?, ?)", (at, CHECK_EVERY)).fetchone()
    return last is None or str(last) < str(before)


def _refuse_others(path: Path) -> None:
    """Look at the file without writing a byte or leaving one.

    Raises:
        StoreVersionError: it is not ours to write.
        sqlite3.DatabaseError: it is damaged.
    """
    if size(path) <= 0:
        return
    # a connection with mode=ro makes -wal and -shm where there are none, and leaves them; with
    # immutable=1 it does not, but then it sees nothing of a -wal or a journal
    pending = size(path, "-wal") > 0 or size(path, "-journal") > 0
    if pending:
        try:
            _look(path, "mode=ro")
        except sqlite3.OperationalError as error:
            if kind_of(error) is Kind.LOCKED:
                raise
            # a full disk or a hot journal; what the file itself says will have to do
        else:
            return
    _look(path, "immutable=1")


def _look(path: Path, parameters: str) -> None:
    with contextlib.closing(connect(path, parameters)) as conn:
        _refuse_layout(conn, path)


def _refuse_layout(conn: sqlite3.Connection, path: Path) -> None:
    version = schema.version_of(conn)
    (application,) = conn.execute("PRAGMA application_id").fetchone()
    if application == schema.APPLICATION_ID:
        if version > schema.VERSION:
            raise StoreVersionError(
                f"{path} was written by a newer healmon"
                f" (layout {version}; this one knows {schema.VERSION})",
                remedy="update healmon, or give another directory with --state-dir",
            )
        if version == schema.VERSION:
            _require(conn, path)
        return
    tables = [
        str(name)
        for (name,) in conn.execute(
            "SELECT name FROM sqlite_master WHERE type = 'table' AND name NOT LIKE 'sqlite_%'"
        ).fetchall()
    ]
    if tables:
        raise _foreign(conn, path, tables)


def _foreign(conn: sqlite3.Connection, path: Path, tables: list[str]) -> StoreVersionError:
    lines = [f"{path} is not a health store of this healmon; it was left as it is"]
    for table in tables:
        if table in schema.PUBLIC:
            lines.append(f"  table {table}: found {', '.join(_columns(conn, table))}")
            lines.append(f"  table {table}: needed {', '.join(schema.PUBLIC[table])}")
    if len(lines) == 1:
        lines.append(f"  found tables: {clean(', '.join(sorted(tables)))}")
    remedy = f"`healmon import {as_typed(str(path))}` reads its history into a new store;"
    return StoreVersionError(
        "\n".join(lines), remedy=f"{remedy} move it away, or give another --state-dir"
    )


def _columns(conn: sqlite3.Connection, table: str) -> list[str]:
    rows = conn.execute("SELECT name FROM pragma_table_info(?)", (table,)).fetchall()
    return [clean(str(name)) for (name,) in rows]


def _require(conn: sqlite3.Connection, path: Path) -> None:
    for table, needed in schema.PUBLIC.items():
        found = _columns(conn, table)
        if not set(needed) <= set(found):
            raise StoreVersionError(
                f"{path}: table {table}: found {', '.join(found) or 'no such table'};"
                f" needed {', '.join(needed)}",
                remedy="somebody changed the health store; move the file away to begin a new one",
            )


def _known(path: Path) -> Salvaged:
    """Return what a damaged file still knows, as far as SQLite can read it."""
    with read_only(path) as conn:
        return known_to(conn)
