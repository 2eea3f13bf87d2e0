"""Databases that live in memory and lock as SQLite's do, for tests and made-up worlds."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Literal

from healmon.world.dbreading import (
    DatabaseReading,
    FileSeen,
    Lock,
    LookError,
    User,
    Users,
    Whereabouts,
    Word,
)
from healmon.world.processes import ProcessFacts

PAGE = 4096
_TEXTS: dict[Word, str] = {"missing": "No such file or directory"}


@dataclass(slots=True)
class _Database:
    mode: Literal["rollback", "wal"]
    inode: int
    pages: int = 2
    change: int = 1
    commits: int = 1
    wal_frames: int = 0
    frames: int = 0
    journal: bool = False
    unwritten: int = 0
    touched: int = 1
    connected: set[int] = field(default_factory=set[int])
    readers: dict[int, int] = field(default_factory=dict[int, int])
    writer: int | None = None
    trouble: Word | None = None
    dotfile: int | None = None


class SimulatedLocks:
    """The twin of `SystemLocks`, with verbs for what the databases' users do.

    A path is one database; pids need not exist. Pid 0 stands for a process of another pid
    namespace, pid -1 for an OFD lock.

    Args:
        alive: whether a process still exists; the locks of one that does not are gone, as the
            kernel would drop them.
    """

    def __init__(self, alive: Callable[[int], bool] = lambda _: True) -> None:
        self._alive = alive
        self._databases: dict[str, _Database] = {}
        self._inode = 100
        self._closed = False

    # what healmon asks

    def look(self, path: str) -> DatabaseReading:
        """Return one look at a database.

        Raises:
            LookError: there is none, or it was told to refuse.
        """
        if self._closed:
            raise LookError("no-child", "the lock child has been sent away")
        database = self._databases.get(path)
        if database is None:
            raise LookError("missing", _TEXTS["missing"])
        if database.trouble is not None:
            raise LookError(database.trouble, _TEXTS.get(database.trouble, database.trouble))
        self._forget_the_dead(database)
        return _reading(path, database)

    def whereabouts(self, facts: ProcessFacts) -> Whereabouts:
        """Return made-up but stable words."""
        return Whereabouts(f"uid {facts.uid}", f"pts/{facts.tty}" if facts.tty else "", "/")

    def users(self, path: str) -> Users:
        """Return everybody who is connected."""
        database = self._databases.get(path)
        if database is None:
            return Users(complete=True)
        self._forget_the_dead(database)
        found = tuple(User(pid, "") for pid in sorted(database.connected) if pid > 0)
        return Users(found, complete=True)

    def close(self) -> None:
        """Look no more."""
        self._closed = True

    # what happens to the databases

    def create(self, path: str, mode: Literal["rollback", "wal"] = "rollback") -> None:
        """Make a database; one of that path is deleted and made anew, as another inode."""
        self._inode += 1
        self._databases[path] = _Database(mode, self._inode)

    def remove(self, path: str) -> None:
        """Delete a database."""
        del self._databases[path]

    def refuse(self, path: str, word: Word | None) -> None:
        """Let every look at a database fail with this word; None: no more."""
        self._databases[path].trouble = word

    def connect(self, path: str, pid: int) -> None:
        """Open a connection and leave it idle."""
        self._databases[path].connected.add(pid)

    def leave(self, path: str, pid: int) -> None:
        """Close a connection; the last one takes what is in the -wal over into the database."""
        database = self._databases[path]
        self._drop(database, pid)
        if not database.connected:
            database.wal_frames = database.frames = 0

    def lock_by_directory(self, path: str, mtime_ns: int | None) -> None:
        """Make the lock directory of `unix-dotfile`; None: remove it."""
        self._databases[path].dotfile = mtime_ns

    def take_over(self, path: str) -> bool:
        """Do what SQLite does with leftovers at an opening; False: somebody is there."""
        database = self._databases[path]
        self._forget_the_dead(database)
        if database.connected:
            return False
        database.wal_frames = database.frames = 0
        database.journal = False
        database.touched += 1
        return True

    def read(self, path: str, pid: int) -> None:
        """Begin a read transaction and leave it open."""
        self.connect(path, pid)
        database = self._databases[path]
        database.readers[pid] = database.frames

    def begin(self, path: str, pid: int) -> None:
        """Take the write lock (`BEGIN IMMEDIATE`).

        Raises:
            ValueError: somebody else has it ("database is locked").
        """
        database = self._databases[path]
        self._forget_the_dead(database)
        if database.writer not in {None, pid}:
            raise ValueError("database is locked")
        self.read(path, pid)
        database.writer = pid

    def write(self, path: str, pid: int, *, spilled: bool = False) -> None:
        """Change a page inside the write transaction.

        A rollback database shows it in its journal. A WAL database shows nothing before the
        commit, unless the page is spilled because the cache is full.
        """
        database = self._databases[path]
        if database.writer != pid:
            raise ValueError("no write transaction")
        if database.mode == "rollback":
            database.journal = True
            database.touched += 1
            return
        database.unwritten += 1
        if spilled:
            database.touched += 1
            database.wal_frames += database.unwritten
            database.unwritten = 0

    def commit(self, path: str, pid: int) -> None:
        """End the transaction; what it wrote counts."""
        database = self._databases[path]
        if database.writer == pid:
            database.touched += 1
            database.journal = False
            if database.mode == "wal":
                database.commits += 1
                database.wal_frames += database.unwritten
                database.unwritten = 0
                database.frames = database.wal_frames
            else:
                database.change += 1
            database.writer = None
        database.readers.pop(pid, None)

    def end(self, pid: int) -> None:
        """Let a process end: all its locks are gone, its journal stays."""
        for database in self._databases.values():
            self._drop(database, pid)

    def _forget_the_dead(self, database: _Database) -> None:
        for pid in list(database.connected):
            if pid > 0 and not self._alive(pid):
                self._drop(database, pid)

    @staticmethod
    def _drop(database: _Database, pid: int) -> None:
        database.connected.discard(pid)
        database.readers.pop(pid, None)
        if database.writer == pid:
            database.writer = None
            database.unwritten = 0


def _reading(path: str, database: _Database) -> DatabaseReading:
    in_wal = database.mode == "wal"
    wal = bool(in_wal and (database.connected or database.wal_frames))
    marks = [0, *([0xFFFFFFFF] * 4)]
    slots: dict[int, int] = {}
    for mark in database.readers.values():
        # one slot for each snapshot; 0 reads the database file alone
        slot = 0 if not mark else next(n for n in range(1, 5) if marks[n] in {mark, 0xFFFFFFFF})
        marks[slot] = mark
        slots[mark] = slot
    names = _wal_locks(database, slots) if in_wal else _rollback_locks(database)
    exact: dict[str, int] = {}
    for pid, name, _ in names:
        exact.setdefault(name, pid)
    return DatabaseReading(
        path=path,
        mode=database.mode,
        device=1,
        inode=database.inode,
        links=1,
        page_size=PAGE,
        db=FileSeen(database.pages * PAGE, 1 if in_wal else database.touched),
        wal=FileSeen(32 + database.wal_frames * (PAGE + 24), database.touched) if wal else None,
        shm=FileSeen(32768, 1) if wal else None,
        journal=FileSeen(512, database.touched) if database.journal else None,
        hot=database.journal,
        dotfile=FileSeen(0, database.dotfile) if database.dotfile is not None else None,
        wal_inode=database.inode + 10_000 if wal else 0,
        change=database.change,
        wal_change=database.commits if wal else 0,
        frames=database.frames if wal else 0,
        marks=tuple(marks) if wal else (),
        locks=tuple(
            sorted(
                Lock(pid, name, exclusive, exact=exact[name] == pid)
                for pid, name, exclusive in names
            )
        ),
    )


def _rollback_locks(database: _Database) -> list[tuple[int, str, bool]]:
    held = [(pid, "SHARED", False) for pid in sorted(database.readers)]
    if database.writer is not None:
        held.append((database.writer, "RESERVED", True))
    return held


def _wal_locks(database: _Database, slots: dict[int, int]) -> list[tuple[int, str, bool]]:
    held = [
        (pid, name, False) for pid in sorted(database.connected) for name in ("SHARED", "WAL_DMS")
    ]
    held += [(pid, f"WAL_READ{slots[m]}", False) for pid, m in sorted(database.readers.items())]
    if database.writer is not None:
        held.append((database.writer, "WAL_WRITE", True))
    return held
