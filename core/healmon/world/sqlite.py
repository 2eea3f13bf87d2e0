"""The door to other programs' SQLite databases: who holds which lock, and does it get on.

SQLite's locks are POSIX locks on agreed bytes: in a rollback database PENDING, RESERVED and the
SHARED range, far behind the data; in a WAL database bytes of the -shm file. The kernel drops them
when their process ends, so a lock that lasts always has a living owner (or one outside our view).

A database is never opened here: a standing child without SQLite looks (`lockchild`), this process
reads `/proc/locks` and `/proc/PID` only. Nothing is ever taken, written, checkpointed or removed.
"""

from __future__ import annotations

import os
import pwd
from typing import Final, Literal, Protocol

import msgspec

from healmon.errors import ProbeError
from healmon.text import clean
from healmon.world import proclocks
from healmon.world.lockline import DEADLINE, ChildDiedError, ChildHangsError, LockLine
from healmon.world.processes import ProcessFacts

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

_DB_RANGES: Final = {
    "PENDING": (0x40000000, 0x40000000),
    "RESERVED": (0x40000001, 0x40000001),
    "SHARED": (0x40000002, 0x400001FF),
}
_SHM_RANGES: Final = {
    "WAL_WRITE": (120, 120),
    "WAL_CKPT": (121, 121),
    "WAL_RECOVER": (122, 122),
    **{f"WAL_READ{n}": (123 + n, 123 + n) for n in range(5)},
    "WAL_DMS": (128, 128),
}


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


class Whereabouts(msgspec.Struct, frozen=True):
    """What helps a person to find a process: its user, terminal and directory, cleaned."""

    user: str
    tty: str = ""
    cwd: str = ""


class Locks(Protocol):
    """Everything healmon asks about databases. Calls may block for a while: make them in Hands."""

    def look(self, path: str) -> DatabaseReading:
        """Return one look at a database; changes nothing about it.

        Raises:
            LookError: it cannot be looked at; nothing may be concluded.
        """
        ...

    def whereabouts(self, facts: ProcessFacts) -> Whereabouts:
        """Return where a process runs and for whom, as far as it can be read. Never raises."""
        ...

    def close(self) -> None:
        """Let go of what looking needs."""
        ...


class _Answer(msgspec.Struct, kw_only=True):
    """What the child says; `error` and the rest exclude each other."""

    error: Word | None = None
    text: str = ""
    path: str = ""
    device: int = 0
    inode: int = 0
    links: int = 0
    filesystem: str = ""
    mode: Literal["rollback", "wal"] = "rollback"
    page_size: int = 0
    db: FileSeen = FileSeen(0, 0)
    wal: FileSeen | None = None
    shm: FileSeen | None = None
    journal: FileSeen | None = None
    shm_device: int = 0
    shm_inode: int = 0
    change: int = 0
    wal_change: int = 0
    frames: int = 0
    copied: int = 0
    marks: tuple[int, ...] = ()
    locks: tuple[tuple[str, int, bool], ...] = ()


class SystemLocks:
    """The machine's databases, seen through one standing child. Safe from any thread.

    Args:
        deadline: seconds that one look may take.
    """

    def __init__(self, deadline: float = DEADLINE) -> None:
        self._line = LockLine(deadline)

    def look(self, path: str) -> DatabaseReading:
        """Return one look at a database; changes nothing about it.

        Raises:
            LookError: it cannot be looked at.
        """
        answer = self._ask(path)
        if answer.error is not None:
            raise LookError(answer.error, clean(answer.text, limit=300))
        exact = {Lock(pid, name, exclusive, exact=True) for name, pid, exclusive in answer.locks}
        network = answer.filesystem
        return DatabaseReading(
            path=clean(answer.path.encode("latin-1")),
            mode=answer.mode,
            device=answer.device,
            inode=answer.inode,
            links=answer.links,
            page_size=answer.page_size,
            db=answer.db,
            network=network if network in NETWORK or network.startswith("fuse") else "",
            wal=answer.wal,
            shm=answer.shm,
            journal=answer.journal,
            change=answer.change,
            wal_change=answer.wal_change,
            frames=answer.frames,
            copied=answer.copied,
            marks=answer.marks,
            locks=_completed(exact, answer) if exact else (),
        )

    def _ask(self, path: str) -> _Answer:
        try:
            return msgspec.json.decode(self._line.ask(path), type=_Answer)
        except ChildHangsError as error:
            raise LookError("hangs", str(error)) from error
        except (ChildDiedError, msgspec.ValidationError) as error:
            raise LookError("no-child", f"the lock child fails at it: {error}") from error
        except ProbeError as error:
            raise LookError("no-child", str(error)) from error

    def whereabouts(self, facts: ProcessFacts) -> Whereabouts:
        """Return where a process runs and for whom, as far as it can be read."""
        try:
            user = clean(pwd.getpwuid(facts.uid).pw_name, limit=100)
        except (KeyError, OverflowError):
            user = f"uid {facts.uid}"
        try:
            cwd = clean(os.fsencode(os.readlink(f"/proc/{facts.identity.pid}/cwd")))  # noqa: PTH115 - procfs
        except OSError:
            cwd = ""
        return Whereabouts(user, terminal_name(facts.tty), cwd)

    def close(self) -> None:
        """Send the child away; returns when it is gone."""
        self._line.close()


def terminal_name(device: int) -> str:
    """Return what people call a terminal (`pts/3`, `tty1`) by its device number; 0 is none."""
    if not device:
        return ""
    major, minor = os.major(device), os.minor(device)
    if 136 <= major <= 143:
        return f"pts/{(major - 136) * 256 + minor}"
    return f"tty{minor}" if major == 4 and minor < 64 else f"terminal {major}:{minor}"


def _completed(exact: set[Lock], answer: _Answer) -> tuple[Lock, ...]:
    """Return the exact locks and those that only the kernel's list names."""
    listed = proclocks.read()
    found = {(lock.pid, lock.name, lock.exclusive) for lock in exact}
    rows = proclocks.parse(listed, answer.device, answer.inode)
    names = _named(rows, _DB_RANGES)
    if answer.shm is not None:
        rows = proclocks.parse(listed, answer.shm_device, answer.shm_inode)
        names |= _named(rows, _SHM_RANGES)
    return tuple(sorted(exact | {Lock(*key, exact=False) for key in names - found}))


def _named(
    rows: frozenset[proclocks.LockRow], ranges: dict[str, tuple[int, int]]
) -> set[tuple[int, str, bool]]:
    """Return pid, name and kind of each lock that a row covers."""
    found: set[tuple[int, str, bool]] = set()
    for row in rows:
        for name, (first, last) in ranges.items():
            if row.start <= last and row.end >= first:
                word = "EXCLUSIVE" if name == "SHARED" and row.exclusive else name
                found.add((row.pid, word, row.exclusive))
    return found
