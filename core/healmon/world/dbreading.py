"""What one look at a SQLite database shows, as data."""

from __future__ import annotations

from typing import Final, Literal

import msgspec

from healmon.errors import ProbeError

Word = Literal[
    "missing",
    "not-permitted",
    "not-a-file",
    "empty",
    "not-sqlite",
    "unreadable",
    "hangs",
    "no-child",
]
WRITE_LOCKS: Final = ("EXCLUSIVE", "PENDING", "RESERVED", "WAL_WRITE")
"""The locks that keep others from writing, the strongest first."""
NETWORK: Final = frozenset(
    {"nfs", "nfs4", "cifs", "smb3", "smbfs", "9p", "ceph", "afs", "lustre", "gpfs", "ocfs2", "gfs2"}
)
"""File systems on which other hosts may hold locks that this one cannot see."""


class LookError(ProbeError):
    """A database cannot be looked at; `word` says why, for programs."""

    def __init__(self, word: Word, text: str) -> None:
        super().__init__(text)
        self.word = word


class Lock(msgspec.Struct, frozen=True, order=True):
    """A lock that somebody holds.

    Attributes:
        pid: who; 0: a process outside our pid namespace; negative: an open file description's
            lock (OFD), which has no process.
        name: SQLite's word for it.
        exact: F_GETLK named it at one instant; False: only the kernel's list did, which is not
            atomic.
    """

    pid: int
    name: str
    exclusive: bool
    exact: bool


class FileSeen(msgspec.Struct, frozen=True, array_like=True):
    """Size in bytes and modification time in nanoseconds of one file."""

    size: int
    mtime_ns: int


class DatabaseReading(msgspec.Struct, frozen=True, kw_only=True):
    """One look at a database.

    Attributes:
        path: with all links followed; for people.
        network: type of the file system when other hosts may share it, else empty.
        links: hard links; above 1 the other names have no -wal and see old data.
        change: the header's change counter: moves with each commit in rollback mode.
        wal_change, frames: iChange and mxFrame of the -shm: move with each commit in WAL mode.
        copied: frames that a checkpoint has copied into the database.
        marks: up to which frame each of the five reader slots reads.
        hot: the journal has a header: it belongs to a transaction that is under way, or was cut
            short and must be rolled back.
        dotfile: the directory `NAME.lock`, the lock of SQLite's `unix-dotfile`; it outlives its
            process.
        wal_inode: which file the -wal is; 0: there is none.
        waiting: pids that wait in the kernel for a lock; stock SQLite polls and is not among them.
    """

    path: str
    mode: Literal["rollback", "wal"]
    device: int
    inode: int
    links: int
    page_size: int
    db: FileSeen
    network: str = ""
    wal: FileSeen | None = None
    shm: FileSeen | None = None
    journal: FileSeen | None = None
    change: int = 0
    wal_change: int = 0
    frames: int = 0
    copied: int = 0
    marks: tuple[int, ...] = ()
    locks: tuple[Lock, ...] = ()
    hot: bool = False
    dotfile: FileSeen | None = None
    wal_inode: int = 0
    waiting: tuple[int, ...] = ()

    @property
    def leftover(self) -> tuple[int, ...] | None:
        """Which -wal or hot journal nobody has a lock beside, by sizes and times; None: none."""
        wal = self.wal is not None and self.wal.size > 0
        if self.locks or not (wal or self.hot):
            return None
        return (self.device, self.inode, *self.growth)

    @property
    def writer(self) -> Lock | None:
        """The lock that keeps others from writing, as F_GETLK named it; None: they may write."""
        for name in WRITE_LOCKS:
            for lock in self.locks:
                if lock.name == name and lock.exact and lock.exclusive:
                    return lock
        return None

    @property
    def write_locks(self) -> tuple[str, ...]:
        """The names of all write locks of the writer, as F_GETLK named them."""
        writer = self.writer
        return tuple(
            lock.name
            for lock in self.locks
            if writer is not None
            and lock.pid == writer.pid
            and lock.name in WRITE_LOCKS
            and lock.exact
            and lock.exclusive
        )

    @property
    def marker(self) -> tuple[int, int, int]:
        """What moves with every commit."""
        return self.change, self.wal_change, self.frames

    @property
    def growth(self) -> tuple[int, ...]:
        """What moves when pages are written: sizes and times of database, wal and journal."""
        files = (self.db, self.wal, self.journal)
        return tuple(n for f in files for n in ((f.size, f.mtime_ns) if f else (-1, -1)))

    def held_by(self, pid: int) -> tuple[str, ...]:
        """Return the names of the locks that a process holds."""
        return tuple(sorted({lock.name for lock in self.locks if lock.pid == pid}))


class User(msgspec.Struct, frozen=True, order=True):
    """A process that has a file of a database open.

    Attributes:
        file: which: empty for the database itself, else `-wal`, `-shm`, `-journal`.
        deleted: the file has no name any more: what is written into it is lost.
        writes: it was opened for writing.
        ofd: it has an open-file-description lock there, which F_GETLK cannot name.
    """

    pid: int
    file: str
    deleted: bool = False
    ofd: bool = False
    writes: bool = True


class Users(msgspec.Struct, frozen=True):
    """Who has a database's files open; `complete`: every process could be looked into."""

    found: tuple[User, ...] = ()
    complete: bool = False


class Whereabouts(msgspec.Struct, frozen=True):
    """What helps a person to find a process, cleaned: its user, terminal and directory.

    Attributes:
        sqlite: version of the SQLite library that it uses; empty: unknown.
    """

    user: str
    tty: str = ""
    cwd: str = ""
    sqlite: str = ""
