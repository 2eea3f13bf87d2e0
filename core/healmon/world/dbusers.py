"""Who has a database's files open, read from /proc alone: candidates, never proof of a lock.

It costs a pass over the descriptors of all processes, so it is asked for only when something is
wrong already: a lock that stands still, a file left behind, a database that was deleted.
"""

from __future__ import annotations

import os
from collections.abc import Iterator
from typing import Final

from healmon.world.dbreading import User, Users

_ENDS: Final = (b"", b"-wal", b"-shm", b"-journal")
_DELETED: Final = b" (deleted)"


def users_of(path: str) -> Users:
    """Return who has a database's files open; those of this process are left out."""
    real = os.fsencode(os.path.realpath(path))
    names = {real + end: end.decode() for end in _ENDS}
    found: set[User] = set()
    complete = True
    own = str(os.getpid())
    try:
        pids = [name for name in os.listdir("/proc") if name.isdecimal()]  # noqa: PTH208 - names; hot
    except OSError:
        return Users()
    for pid in pids:
        if pid == own:
            continue
        try:
            for table in _tables(pid):
                found |= set(_in_table(table, int(pid), names))
        except PermissionError:
            complete = False
        except OSError:
            continue  # it has just ended
    return Users(tuple(sorted(found)), complete)


def _tables(pid: str) -> Iterator[str]:
    """Pass over the descriptor tables of a process: its own, or a thread's if only those live."""
    table = f"/proc/{pid}/fd"
    yield table
    if os.listdir(table):  # noqa: PTH208 - names; hot
        return
    threads = os.listdir(f"/proc/{pid}/task")  # noqa: PTH208 - names; hot
    if len(threads) > 1:
        # its first thread has ended, and the table of the process looks empty since
        yield f"/proc/{pid}/task/{max(threads, key=int)}/fd"


def _in_table(table: str, pid: int, names: dict[bytes, str]) -> Iterator[User]:
    for fd in os.listdir(table):  # noqa: PTH208 - names; hot
        try:
            # the link's text, not what it leads to: that may be on a mount that hangs
            link = os.readlink(f"{table}/{fd}".encode())  # noqa: PTH115 - bytes
        except FileNotFoundError:
            continue
        deleted = link.endswith(_DELETED)
        name = link.removesuffix(_DELETED)
        if name not in names:
            # another mount namespace may call it otherwise
            name = next((n for n in names if _same(table, fd, name, n)), b"")
        if name:
            ofd, writes = _info(table, fd)
            yield User(pid, names[name], deleted, ofd, writes)


def _same(table: str, fd: str, name: bytes, ours: bytes) -> bool:
    if name.rpartition(b"/")[2] != ours.rpartition(b"/")[2]:
        return False
    try:
        return os.path.samestat(os.stat(f"{table}/{fd}"), os.stat(ours))  # noqa: PTH116 - hot
    except OSError:
        return False


def _info(table: str, fd: str) -> tuple[bool, bool]:
    """Return whether a descriptor has an open-file-description lock, and whether it can write."""
    try:
        with open(f"{table}info/{fd}", "rb") as file:  # noqa: PTH123 - hot
            text = file.read(1 << 16)
    except OSError:
        return False, True
    flags = next((line.split()[1] for line in text.splitlines() if line.startswith(b"flags")), b"2")
    return b"OFDLCK" in text, int(flags, 8) & os.O_ACCMODE != os.O_RDONLY
