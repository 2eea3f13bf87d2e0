"""Connections to the store beside the writer's own: the healer has one, other programs their own.

POSIX locks belong to a process, and closing any descriptor of a file drops all that the process has
on it. SQLite takes care of that among its own connections, and of nothing else. So in the healer's
process there are two connections and no more, kept open: the writer's, and this one for all others
(overrides, history for the screen). It follows the writer: it is closed before the writer lets go,
and stays closed while the file is opened by hand or renamed. What was exchanged in part under the
writer is left for it to mend: a new -wal would share an index with the old one, and an old -wal
would flow into a new database.
"""

from __future__ import annotations

import contextlib
import sqlite3
import threading
from collections.abc import Generator
from pathlib import Path

from healmon.errors import StoreFaultError, StoreVersionError
from healmon.store.bearers import FileId, Files, identify
from healmon.store.schema import APPLICATION_ID, VERSION
from healmon.text import clean, quoted


class Beside:
    """The second connection of the healer's process to its store. Safe from any thread.

    Args:
        path: the database file.
    """

    def __init__(self, path: Path) -> None:
        self._path = path
        self._wal = Path(f"{path}-wal")
        self._shm = Path(f"{path}-shm")
        self._lock = threading.Lock()
        self._conn: sqlite3.Connection | None = None
        self._ids: tuple[FileId | None, FileId | None] = (None, None)
        self._writers: Files = (None, None, None)
        self._closed = False
        self._barred = False

    @contextlib.contextmanager
    def use(self, patience: float) -> Generator[sqlite3.Connection, None, None]:
        """Give the connection, in autocommit; leave no transaction and no half-read cursor behind.

        Args:
            patience: seconds to wait for another user of it, and for another process's lock.

        Raises:
            StoreFaultError: the store cannot be used now.
            StoreVersionError: it is not a store of this version.
        """
        if not self._lock.acquire(timeout=patience):
            raise _fault(self._path, "it is being opened or mended")
        try:
            yield self._ready(patience)
        except sqlite3.Error as error:
            self._close()
            raise _fault(self._path, str(error)) from error
        finally:
            self._lock.release()

    def _ready(self, patience: float) -> sqlite3.Connection:
        if self._closed:
            raise _fault(self._path, "it is closed")
        if self._barred:
            raise _fault(self._path, "it is being mended")
        if self._conn is not None and self._ids != self._now():
            self._close()  # it would go on writing into a file that was replaced
        if self._conn is None:
            self._must_belong_together()
            self._conn = connect(self._path, patience)
            self._ids = self._now()
        self._conn.execute(f"PRAGMA busy_timeout = {int(patience * 1000)}").fetchall()
        return self._conn

    def _must_belong_together(self) -> None:
        """Return if the files are all the writer's, or none is."""
        file, wal, shm = self._writers
        if file is None:
            return
        now, now_wal = self._now()
        # connections to one database share an -shm, whatever bears its name now
        shared = now != file and identify(self._shm) == shm
        if shared or (now == file) != (now_wal == wal):
            raise _fault(self._path, "it or its -wal was deleted or replaced while healmon runs")

    def follow(self, writers: Files) -> None:
        """Note which database, -wal and -shm the writer has open."""
        self._writers = writers
        self._barred = False

    def bar(self) -> None:
        """Keep the connection closed until the writer has one again (`follow`)."""
        self._barred = True

    @contextlib.contextmanager
    def away(self) -> Generator[None, None, None]:
        """Keep the connection closed meanwhile."""
        with self._lock:
            self._close()
            yield

    def let_go(self) -> None:
        """Close the connection; the next use opens it again."""
        with self.away():
            self._writers = None, None, None

    def close(self) -> None:
        """Close the connection for good."""
        with self.away():
            self._closed = True

    def _close(self) -> None:
        conn, self._conn = self._conn, None
        if conn is not None:
            with contextlib.suppress(sqlite3.Error):
                conn.close()

    def _now(self) -> tuple[FileId | None, FileId | None]:
        return identify(self._path), identify(self._wal)


@contextlib.contextmanager
def connected(path: Path, patience: float) -> Generator[sqlite3.Connection, None, None]:
    """Give another program an autocommit connection of its own; database errors become ours.

    Args:
        path: a store of this version.
        patience: seconds to wait for another process's lock.

    Raises:
        StoreFaultError: the store cannot be used now.
        StoreVersionError: it is not a store of this version.
    """
    try:
        with contextlib.closing(connect(path, patience)) as conn:
            yield conn
    except sqlite3.Error as error:
        raise _fault(path, str(error)) from error


def connect(path: Path, patience: float) -> sqlite3.Connection:
    """Return an autocommit connection to a store of this version; it makes no file.

    Raises:
        sqlite3.Error: it cannot be opened now.
        StoreVersionError: it is not a store of this version.
    """
    uri = f"file:{quoted(str(path))}?mode=rw"
    conn = sqlite3.connect(
        uri, uri=True, timeout=patience, isolation_level=None, check_same_thread=False
    )
    try:
        _must_be_ours(conn, path)
    except BaseException:
        conn.close()
        raise
    return conn


def _must_be_ours(conn: sqlite3.Connection, path: Path) -> None:
    (version,) = conn.execute("PRAGMA user_version").fetchone()
    (application,) = conn.execute("PRAGMA application_id").fetchone()
    if not path.stat().st_size:  # whoever began it had no room to write anything
        raise _fault(path, "nothing stands in it yet")
    if application != APPLICATION_ID or version != VERSION:
        raise StoreVersionError(
            f"{clean(str(path))} is not a health store of this version (layout {version};"
            f" this healmon knows {VERSION})",
            remedy="use the healmon that the running healer was started with",
        )


def _fault(path: Path, why: str) -> StoreFaultError:
    return StoreFaultError(
        f"the health store {clean(str(path))} cannot be used now: {clean(why)}",
        remedy="see `healmon status`; the healer waits out a locked or full store by itself",
    )
