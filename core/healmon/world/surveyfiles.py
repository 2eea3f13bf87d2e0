"""Databases, logs and pid files in a tree of directories. Looks, never touches, is bounded."""

from __future__ import annotations

import os
import stat
from collections import deque
from collections.abc import Iterator
from contextlib import suppress
from itertools import islice
from typing import Final

import msgspec

from healmon.clock import process_seconds
from healmon.world.taskfile import MAGIC

DEPTH: Final = 4
"""How many directories deep."""
MOST: Final = 20_000
"""Entries that are looked at."""
PATIENCE: Final = 5.0
"""Seconds for all trees of a look."""
SKIPPED: Final = frozenset({"node_modules", "__pycache__", "site-packages", "venv", "proc", "sys"})
_HEALMON: Final = b"helm"
"""The application id of a health store (store.schema.APPLICATION_ID), as it stands in the file."""
_STORE: Final = "healmon.db"
_ENDS: Final = (".db", ".sqlite", ".sqlite3", ".db3")
_SIDES: Final = ("-wal", "-shm", "-journal")


class Log(msgspec.Struct, frozen=True):
    """A directory of logs: how many files, how many bytes, and how many of them are old.

    Attributes:
        old: bytes of logs that were not written to for a week.
    """

    path: str
    files: int
    size: int
    old: int

    def plus(self, other: Log) -> Log:
        """Return it with what lies in a directory below."""
        size, old = self.size + other.size, self.old + other.old
        return Log(self.path, self.files + other.files, size, old)


class Tree(msgspec.Struct, frozen=True):
    """What was found; `whole`: nothing was left out for its bounds."""

    databases: tuple[str, ...] = ()
    logs: tuple[Log, ...] = ()
    pid_folders: tuple[str, ...] = ()
    whole: bool = True


def is_database(path: str) -> bool:
    """Return whether a regular file begins as a SQLite database does and is no health store.

    What bears the store's name is never opened: this process may have it open through SQLite, and
    closing any descriptor of a file drops all locks that a process has on it.
    """
    if os.path.basename(path).startswith(_STORE):  # noqa: PTH119 - text
        return False
    try:
        fd = os.open(path, os.O_RDONLY | os.O_NONBLOCK | os.O_NOCTTY | os.O_CLOEXEC)
    except OSError:
        return False
    try:
        head = os.read(fd, 100) if stat.S_ISREG(os.fstat(fd).st_mode) else b""
    except OSError:
        return False
    finally:
        os.close(fd)
    return head.startswith(MAGIC) and head[68:72] != _HEALMON


def database_of(path: str) -> str:
    """Return the database that an open file belongs to by its name; empty: to none."""
    for end in _SIDES:
        if path.endswith(end):
            return path.removesuffix(end)
    return path if path.endswith(_ENDS) else ""


def walk(root: str, now: float, until: float | None = None) -> Tree:
    """Return what lies in a tree, without crossing into other file systems or through links.

    Args:
        root: an absolute path.
        now: wall seconds.
        until: process seconds at which it ends, whatever is left; None: in `PATIENCE`.
    """
    until = process_seconds() + PATIENCE if until is None else until
    databases, logs, pids = list[str](), list[Log](), list[str]()
    seen, whole = 0, True
    for folder, files, entries in _folders(root):
        seen += entries + 1
        if seen > MOST or process_seconds() > until:
            whole = False
            break
        names = [entry.name for entry in files]
        databases += [
            entry.path for entry in files if entry.name.endswith(_ENDS) and is_database(entry.path)
        ]
        if any(name.endswith(".pid") for name in names):
            pids.append(folder)
        log = _log(folder, files, now)
        if log is not None:
            logs.append(log)
    return Tree(tuple(sorted(databases)), tuple(logs), tuple(sorted(pids)), whole)


def _folders(root: str) -> Iterator[tuple[str, list[os.DirEntry[str]], int]]:
    """Yield each directory, the nearer ones first: its regular files, and how many entries."""
    waiting = deque([(root, 0)])
    try:
        device = os.stat(root).st_dev  # noqa: PTH116 - text
    except OSError:
        return
    while waiting:
        folder, depth = waiting.popleft()
        files, inside = list[os.DirEntry[str]](), list[os.DirEntry[str]]()
        with suppress(OSError), os.scandir(folder) as entries:
            # one more is too many for whoever counts them, however many there are
            inside += islice(entries, MOST + 1)
            for entry in inside:
                if not entry.name.isprintable():
                    continue
                if entry.is_file(follow_symlinks=False):
                    files.append(entry)
                elif depth < DEPTH and _goes_on(entry, device):
                    waiting.append((entry.path, depth + 1))
        yield folder, files, len(inside)


def _goes_on(entry: os.DirEntry[str], device: int) -> bool:
    if entry.name.startswith(".") or entry.name in SKIPPED:
        return False
    return (
        entry.is_dir(follow_symlinks=False) and entry.stat(follow_symlinks=False).st_dev == device
    )


def _log(folder: str, files: list[os.DirEntry[str]], now: float) -> Log | None:
    """Return what a directory holds of logs, if that is what it is for."""
    named = os.path.basename(folder) in {"log", "logs"}  # noqa: PTH119 - text
    found = [entry for entry in files if entry.name.endswith(".log") or ".log." in entry.name]
    if not found or not (named or 2 * len(found) > len(files)):
        return None
    size = old = 0
    for entry in found:
        with suppress(OSError):
            facts = entry.stat(follow_symlinks=False)
            size += facts.st_size
            old += facts.st_size if now - facts.st_mtime > 7 * 86400 else 0
    return Log(folder, len(found), size, old)
