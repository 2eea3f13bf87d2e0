"""Connections to the store beside the writer's own: the healer has one, other programs their own.

POSIX locks belong to a process, and closing any descriptor of a file drops all that the process has
on it. SQLite takes care of that among its own connections, and of nothing else. So in the healer's
process there are two connections and no more, kept open: the writer's, and this one for all others
(overrides, history for the screen). It follows the writer: it is closed before the writer lets go,
and stays closed while the file is opened by hand or renamed. What was exchanged under the writer is
left for it to mend: a new -wal would share an index with the old one, an old -wal would flow into a
new database, and locks of one process do not meet in an -shm that two databases share.
"""

from __future__ import annotations

import contextlib
import sqlite3
import threading
from collections.abc import Callable, Generator
from pathlib import Path
from typing import Final

from healmon.clock import process_seconds
from healmon.errors import StoreFaultError, StoreVersionError
from healmon.store.asides import FAMILY, size
from healmon.store.bearers import FileId, Files, identify
from healmon.store.own import Own
from healmon.store.paired import usable
from healmon.store.schema import APPLICATION_ID, VERSION
from healmon.text import clean, quoted

POLL: Final = 0.05
"""Seconds between two looks whether the healer has mended its files."""
NUDGE: Final = 20
"""Such looks after which it is asked again to."""


class Beside:
    """The second connection of the healer's process to its store. Safe from any thread.

    Args:
        path: the database file.

    Attributes:
        on_strange: called when the files are not as the writer has them open: it had better look.
            Must not wait.
    """

    def __init__(self, path: Path) -> None:
        self._path = path
        self._lock = threading.Lock()
        self._conn: sqlite3.Connection | None = None
        self._ids: Files = ()
        self._writers: Files | None = None
        self._own: Own | None = None
        self._closed = False
        self._barred = False
        self.on_strange: Callable[[], None] | None = None

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
        if self._own is not None and self._own.torn:
            self._refuse("its -shm was truncated while healmon runs")
        if self._conn is None:
            self._must_be_the_writers()
            self._conn = connect(self._path, patience, self._must_be_the_writers)
            self._ids = self._now()
        self._conn.execute(f"PRAGMA busy_timeout = {int(patience * 1000)}").fetchall()
        return self._conn

    def _must_be_the_writers(self) -> None:
        """Return if the files are those that the writer has open, or had last."""
        if self._writers is None:
            return
        now = self._now()
        if now[0] != self._writers[0] or (self._own is not None and now != self._writers):
            self._refuse("it or what is beside it was deleted or replaced while healmon runs")

    def _refuse(self, why: str) -> None:
        if self.on_strange is not None:
            self.on_strange()
        raise _fault(self._path, why)

    def follow(self, writers: Files, own: Own) -> None:
        """Note which database, -wal and -shm the writer has open."""
        self._writers, self._own = writers, own
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

    @contextlib.contextmanager
    def parting(self) -> Generator[None, None, None]:
        """Keep the connection closed while the writer lets go of its own."""
        with self.away():
            yield
            self._own = None

    def close(self) -> None:
        """Close the connection for good."""
        with self.away():
            self._closed = True

    def _close(self) -> None:
        conn, self._conn = self._conn, None
        if conn is not None:
            with contextlib.suppress(sqlite3.Error):
                conn.close()

    def _now(self) -> Files:
        return tuple(identify(Path(f"{self._path}{end}")) for end in FAMILY)


@contextlib.contextmanager
def connected(
    path: Path, patience: float, healer: int = 0, nudge: Callable[[], object] | None = None
) -> Generator[sqlite3.Connection, None, None]:
    """Give another program an autocommit connection of its own; database errors become ours.

    Args:
        path: a store of this version.
        patience: seconds to wait for another process's lock, and for files that were exchanged.
        healer: the process that has it open; 0: none has, or it is not known.
        nudge: has the healer look at its files.

    Raises:
        StoreFaultError: the store cannot be used now.
        StoreVersionError: it is not a store of this version.
    """
    try:
        with contextlib.closing(_settled(path, patience, healer, nudge)) as conn:
            yield conn
    except sqlite3.Error as error:
        raise _fault(path, str(error)) from error


class _StrangeError(StoreFaultError):
    """The files that bear the names are not those that the healer has open."""


def _settled(
    path: Path, patience: float, healer: int, nudge: Callable[[], object] | None
) -> sqlite3.Connection:
    """Return a connection to what the healer has open, once that bears the names."""
    pause, end, turn = threading.Event(), process_seconds() + patience, 0
    while True:
        late = process_seconds() >= end
        if late or usable(path, healer):
            try:
                return connect(path, patience, lambda: _must_be_usable(path, healer))
            except _StrangeError:
                if late:
                    raise
        if nudge is not None and turn % NUDGE == 0:
            nudge()
        turn += 1
        pause.wait(POLL)


def _must_be_usable(path: Path, healer: int) -> None:
    if not usable(path, healer):
        why = "it or what is beside it was deleted or replaced while healmon runs"
        raise _fault(path, why, _StrangeError)


def connect(
    path: Path, patience: float, check: Callable[[], None] | None = None
) -> sqlite3.Connection:
    """Return an autocommit connection to a store of this version; it makes no file.

    Args:
        path: the database file.
        patience: seconds to wait for another process's lock.
        check: raises where it must not be read, nor what is beside it opened.

    Raises:
        sqlite3.Error: it cannot be opened now.
        StoreFaultError: likewise.
        StoreVersionError: it is not a store of this version.
    """
    before = identify(path)
    uri = f"file:{quoted(str(path))}?mode=rw"
    conn = sqlite3.connect(
        uri, uri=True, timeout=patience, isolation_level=None, check_same_thread=False
    )
    try:
        # SQLite has the database open by now, and nothing else: to read finds the rest by its name
        _must_stand(path, before)
        if check is not None:
            check()
        _must_be_ours(conn, path)
        if check is not None:
            check()  # what lies beside it was found between the two
    except BaseException:
        conn.close()
        raise
    return conn


def _must_stand(path: Path, before: FileId | None) -> None:
    if identify(path) != before:
        raise _fault(path, "it was replaced at this moment")
    if size(path) <= 0:  # SQLite would delete the -wal beside it
        raise _fault(path, "nothing stands in it yet")


def _must_be_ours(conn: sqlite3.Connection, path: Path) -> None:
    (version,) = conn.execute("PRAGMA user_version").fetchone()
    (application,) = conn.execute("PRAGMA application_id").fetchone()
    if application != APPLICATION_ID or version != VERSION:
        raise StoreVersionError(
            f"{clean(str(path))} is not a health store of this version (layout {version};"
            f" this healmon knows {VERSION})",
            remedy="use the healmon that the running healer was started with",
        )


def _fault(path: Path, why: str, kind: type[StoreFaultError] = StoreFaultError) -> StoreFaultError:
    return kind(
        f"the health store {clean(str(path))} cannot be used now: {clean(why)}",
        remedy="see `healmon status`; the healer waits out a locked or full store by itself",
    )
