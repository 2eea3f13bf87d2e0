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
from healmon.world import dbusers, proclocks
from healmon.world.dbreading import (
    NETWORK,
    DatabaseReading,
    FileSeen,
    Lock,
    LookError,
    Users,
    Whereabouts,
    Word,
)
from healmon.world.lockline import DEADLINE, ChildDiedError, ChildHangsError, LockLine
from healmon.world.processes import ProcessFacts
from healmon.world.sqliteversion import version_in

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

    def users(self, path: str) -> Users:
        """Return who has a database's files open, as far as it can be seen; dear. Never raises."""
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
    hot: bool = False
    dotfile: FileSeen | None = None
    wal_inode: int = 0
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
        locks, waiting = _completed(exact, answer) if exact else ((), ())
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
            hot=answer.hot,
            dotfile=answer.dotfile,
            wal_inode=answer.wal_inode,
            change=answer.change,
            wal_change=answer.wal_change,
            frames=answer.frames,
            copied=answer.copied,
            marks=answer.marks,
            locks=locks,
            waiting=waiting,
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
        version = version_in(facts.identity.pid)
        return Whereabouts(user, terminal_name(facts.tty), cwd, version)

    def users(self, path: str) -> Users:
        """Return who has a database's files open, as far as it can be seen."""
        return dbusers.users_of(path)

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


def _completed(exact: set[Lock], answer: _Answer) -> tuple[tuple[Lock, ...], tuple[int, ...]]:
    """Return the exact locks with those that only the kernel's list names, and who waits there."""
    listed = proclocks.read()
    found = {(lock.pid, lock.name, lock.exclusive) for lock in exact}
    rows = proclocks.parse(listed, answer.device, answer.inode)
    names = _named(rows, _DB_RANGES)
    waiting = proclocks.waiters(listed, answer.device, answer.inode)
    if answer.shm is not None:
        rows = proclocks.parse(listed, answer.shm_device, answer.shm_inode)
        names |= _named(rows, _SHM_RANGES)
        waiting |= proclocks.waiters(listed, answer.shm_device, answer.shm_inode)
    locks = sorted(exact | {Lock(*key, exact=False) for key in names - found})
    return tuple(locks), tuple(sorted(waiting))


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
