"""The database file in the writer's hand, and whether it still is the one that bears the name."""

from __future__ import annotations

import contextlib
import logging
import sqlite3
from pathlib import Path
from typing import Final

from healmon.clock import format_utc
from healmon.store import asides, begun, opening, rescue
from healmon.store.backup import backup, must_be_whole
from healmon.store.ballast import Ballast
from healmon.store.bearers import FileId, identify
from healmon.store.beside import Beside
from healmon.store.faults import Kind, MovedError, StrandedError, kind_of
from healmon.store.own import WAL_GONE, Own
from healmon.store.salvage import epochs_of
from healmon.store.tail import Tail
from healmon.text import clean

_log = logging.getLogger(__name__)

GONE: Final = "it was deleted or replaced while healmon runs"
PATIENT: Final = 60
"""Tries to find room for what a deleted file holds, some ten minutes, before its room is freed."""


class Held:
    """Opens the file when it is needed, notices when it is gone, begins again when it is damaged.

    Args:
        path: the database file.
        host: kept in a file that must be begun.
        ballast: the spare megabyte.

    Attributes:
        repaired: what was set aside and why, or empty.
        changes: how often another file took the place of the one before; its rows are others.
        damage: set by the writer: why the file at the path must not be used again.
        tail: what was committed last, known by heart.
        beside: the connection of everybody else in this process.
    """

    def __init__(self, path: Path, host: str, ballast: Ballast) -> None:
        self._path = path
        self._wal = Path(f"{path}-wal")
        self._shm = Path(f"{path}-shm")
        self._host = host
        self._ballast = ballast
        self._conn: sqlite3.Connection | None = None
        self._file: FileId | None = None
        self._wal_file: FileId | None = None
        self._shm_file: FileId | None = None
        self._first: int | None = None
        self._full_sync = False
        self._own: Own | None = None
        self._tries = 0
        self._parted = False
        self._at = ""
        self.epoch = ""
        self.tail = Tail()
        self.repaired = ""
        self.changes = 0
        self.damage = ""
        self.beside = Beside(path)

    def adopt(self, conn: sqlite3.Connection) -> None:
        """Go on with a connection that has just been opened.

        Raises:
            MovedError: other files bear the names already; it is to be let go of.
        """
        self._conn = conn
        self._full_sync = self._parted = False
        self._tries = 0
        # reading also makes sure that there is a -wal to remember
        self.epoch = opening.epoch_of(conn)
        with contextlib.suppress(sqlite3.Error):  # what a crash left must not stand there alone
            conn.execute("PRAGMA wal_checkpoint(PASSIVE)").fetchall()
        self._file = identify(self._path)
        self._wal_file = identify(self._wal)
        self._shm_file = identify(self._shm)
        files = self._file, self._wal_file, self._shm_file
        self._own = Own(files)
        if self._own.lacks:
            self._wal_file = None  # what bears its name is not ours
            raise MovedError("its -wal or -shm was replaced while it was opened")
        self.beside.follow(files, self._own)

    def ready(self, wall: float, first: int | None) -> sqlite3.Connection:
        """Return the connection, opened again if it had to be closed.

        Args:
            wall: the time of what is about to be written, for the names of files set aside.
            first: the lowest event id about to be written; None: there is no event among it.

        Raises:
            sqlite3.Error, OSError, StoreVersionError: there is nothing to write to now.
        """
        self._first = self._first if first is None else first
        self._at = at = format_utc(wall)
        if self._conn is not None:
            self._look(at)
        if self._conn is None:
            self._ballast.relieve()
            with self.beside.away():
                self._adopt_new(self._open(at))
        assert self._conn is not None
        return self._conn

    def _open(self, at: str) -> opening.Opened:
        if not self.damage:
            rescue.retake(self._path, at)
        if identify(self._path) != self._file:
            self._part(at)
        elif identify(self._wal) != self._wal_file and rescue.stranger(self._path):
            asides.set_aside(self._path, "orphaned", at, asides.BESIDE)
        opened = self._opened(at)
        if rescue.is_lost(self._path):
            opened.conn.close()
            raise MovedError(GONE)
        return opened

    def _opened(self, at: str) -> opening.Opened:
        if self.damage:
            opened = opening.begin_again(self._path, self._host, at, self.damage, self.tail)
            self.damage = ""
            return opened
        opened = opening.open_store(self._path, self._host, at)
        if not self._collides(opened.conn):
            return opened
        # another store's file was put here: its ids and ours must not mix
        opened.conn.close()
        kept = asides.set_aside(self._path, "replaced", at)
        self.repaired = f"{self._path.name} was replaced while healmon ran; kept as {kept.name}"
        return opening.open_store(self._path, self._host, at)

    def _part(self, at: str) -> None:
        """Keep what was beside a file that is gone from the one that took its place.

        Its -wal would flow into that; its -shm, as long as anybody else has it open, would tell of
        pages in a -wal that is another one, and nobody could read or write.
        """
        if self._wal_file is None:
            return
        ours = {"-wal": (self._wal, self._wal_file), "-shm": (self._shm, self._shm_file)}
        left = tuple(end for end, (path, file) in ours.items() if identify(path) == file)
        asides.set_aside(self._path, "orphaned", at, left)
        self._wal_file = None

    def _collides(self, conn: sqlite3.Connection) -> bool:
        first = self._first
        if not self.epoch or first is None or opening.epoch_of(conn) == self.epoch:
            return False
        (newest,) = conn.execute("SELECT max(id) FROM events").fetchone()
        return newest is not None and newest >= first

    def _adopt_new(self, opened: opening.Opened) -> None:
        self.repaired = opened.repaired or self.repaired
        before = self._file
        try:
            missing = self._make_up(opened.conn)
        except BaseException:
            opened.conn.close()
            raise
        self.adopt(opened.conn)
        if missing or opened.fresh or before not in (None, self._file):
            self.changes += 1

    def _make_up(self, conn: sqlite3.Connection) -> bool:
        """Write again what was committed and is not there; returns whether there was anything."""
        if not self.tail.known:
            return False
        newest = newest_of(conn)
        if newest >= self.tail.newest:
            return False
        self.tail.write(conn, newest)
        gone = self.tail.lacks(newest)
        told = "some are lost; what was known goes on" if gone else "all were written again"
        text = f"{self._path.name} lacked events after {newest} that had been committed: {told}"
        self.repaired = "; ".join(filter(None, (self.repaired, text)))
        return True

    def _look(self, at: str) -> None:
        """Let go of files that somebody wrote into by hand, before anything is written to them.

        Raises:
            MovedError: they are let go of, or will be; what was committed is kept.
            StrandedError: it cannot be kept now.
            sqlite3.DatabaseError: they are damaged.
        """
        own = self._own
        if own is None:
            return
        if self.nameless:
            self.save()
            raise MovedError(GONE)
        if own.torn:
            with self.beside.away():
                own.mend()
        if not own.fault() and not own.touched:
            return
        with self.beside.away():  # it might have been at a checkpoint
            fault, touched = own.fault(), own.touched
        if fault:
            self._abandon(fault, at)
            raise MovedError(fault)
        if touched and self._conn is not None:
            self._conn.execute("PRAGMA shrink_memory")  # not of the pages that it has read before
            must_be_whole(self._conn)
            own.remember()

    def _abandon(self, fault: str, at: str) -> None:
        """Close the connection without a checkpoint: it would mix two databases.

        Raises:
            StrandedError: that cannot be had now; nothing is written meanwhile.
        """
        self.beside.bar()  # it would take the one for the -wal of the other, too
        try:
            if fault == WAL_GONE:
                begun.begin(self._path)  # to be checked: a checkpoint may have copied zeroes
            with rescue.unnamed(self._path):
                self.let_go()
            self._sort_out(fault, at)
        except OSError as error:
            raise StrandedError(f"{fault}, and it cannot be set aside: {error}") from error

    def _sort_out(self, fault: str, at: str) -> None:
        ours = identify(self._wal) == self._wal_file
        self._wal_file = None
        if fault == WAL_GONE:
            if ours:
                asides.set_aside(self._path, "orphaned", at, asides.BESIDE)
            return
        self.damage = f"{fault}: {rescue.LOST}"
        if asides.size(self._path) > 0 and epochs_of(self._path)[0] != self.epoch:
            # its rows are not ours: only what was beside it is gone through
            kept = asides.set_aside(self._path, "replaced", at, ("",))
            self.damage = f"{fault}, by what is kept as {kept.name}: {rescue.LOST}"
            rescue.widowed(self._path)

    def sync(self, conn: sqlite3.Connection, *, full: bool) -> None:
        """Have the next commits reach the disk itself (`full`) or only the kernel."""
        if full != self._full_sync:
            conn.execute(f"PRAGMA synchronous = {'FULL' if full else 'NORMAL'}")
            self._full_sync = full

    @property
    def nameless(self) -> bool:
        """Whether the database itself was deleted or replaced: nothing will come of waiting."""
        return self._conn is not None and identify(self._path) != self._file

    def must_be_ours(self) -> None:
        """Return if what was just committed is in the files that bear the names.

        Raises:
            MovedError: it is not; SQLite itself goes on writing into a nameless file, content.
            StrandedError: nor can it be now; the connection is all that has it.
        """
        if identify(self._path) != self._file:
            self.save()
            raise MovedError(GONE)
        if (identify(self._wal), identify(self._shm)) != (self._wal_file, self._shm_file):
            # all of it is still in our hands; who opens it next has other locks, another index
            if self._conn is not None:
                _bring_home(self._conn, self._path)
            raise MovedError("its -wal or -shm was deleted or replaced while healmon runs")
        if self._own is not None:
            self._own.remember()

    def save(self) -> None:
        """Keep whole what only the connection still has, if the file has lost its name.

        Raises:
            StrandedError: there is no room for that now; nobody else has it.
        """
        if self._parted or not self.nameless:
            return
        assert self._conn is not None
        with self.beside.away():
            # who opened another database beside our -wal took that over into it, and says in the
            # index that ours has it: the next transaction would begin the -wal anew
            if self._own is not None:
                self._own.mend()
        try:
            rescue.save(self._conn, self._path)
        except (sqlite3.Error, OSError) as error:
            self._tries += 1
            if kind_of(error) is Kind.FULL and self._tries < PATIENT:
                raise StrandedError(f"it was deleted, and no copy can be made: {error}") from error
            _log.warning("what %s held cannot be kept: %s", self._path.name, error)
            self.repaired = (
                f"{self._path.name} was deleted or replaced while healmon ran, and what it held"
                f" could not be read any more ({clean(str(error))}): its history is lost, what was"
                " known goes on"
            )
        self._parted = True

    def let_go(self, *, hold: bool = False) -> None:
        """Close the connection.

        Args:
            hold: `ready` opens it again: nobody can take it away until then.
        """
        with self.beside.parting():
            if self._conn is not None:
                if self._own is not None and self._own.torn:
                    self._own.mend()
                if hold and not self.damage and not self.nameless:
                    self._come_home()
                    rescue.hold(self._path)
                with contextlib.suppress(OSError):
                    self._spare()
                with contextlib.suppress(sqlite3.Error):
                    self._conn.close()
            self._conn = self._own = None

    def _come_home(self) -> None:
        """Have all in the database that is about to be closed: its name may be gone by then.

        Raises:
            StrandedError: its -wal has no name, and that cannot be had now.
        """
        assert self._conn is not None
        with contextlib.suppress(sqlite3.Error):
            if identify(self._wal) != self._wal_file:
                _bring_home(self._conn, self._path)
            else:
                self._conn.execute("PRAGMA wal_checkpoint(PASSIVE)").fetchall()

    def _spare(self) -> None:
        """Keep a -wal that somebody put in the place of ours: SQLite deletes what has its name."""
        other = not self.nameless and identify(self._wal) != self._wal_file
        if other and asides.size(self._path, "-wal") > 0:
            asides.set_aside(self._path, "orphaned", self._at, ("-wal",))


def newest_of(conn: sqlite3.Connection) -> int:
    """Return the newest event that a store knows of, retention or not."""
    events, kept = conn.execute(
        "SELECT (SELECT max(id) FROM events), (SELECT max(event_id) FROM checkpoints)"
    ).fetchone()
    return max(events or 0, kept or 0)


def _bring_home(conn: sqlite3.Connection, path: Path) -> None:
    """Have all that is in a -wal without a name in the database that bears the name."""
    (busy, *_) = conn.execute("PRAGMA wal_checkpoint(TRUNCATE)").fetchone()
    if busy:
        # somebody reads on in it, for ever perhaps: they keep what they have, we a whole copy
        try:
            backup(conn, path)
        except (OSError, sqlite3.Error) as error:
            raise StrandedError(
                f"its -wal was deleted, and no copy can be made: {error}"
            ) from error
