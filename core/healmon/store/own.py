"""Whether somebody wrote into the store's files by hand, seen through SQLite's own descriptors.

`cp backup healmon.db` and `> healmon.db-wal` leave every name and every inode as it was, and SQLite
does not look: it would copy pages of one database into another, or zeroes. Nothing is opened here
and nothing closed, for that would drop the locks of this process. What tells:

*   Only a checkpoint writes into the database, and it says in the index (-shm) how far it is. The
    database changed and the index did not: it was not a checkpoint.
*   The index says how many frames the -wal has, and which salts stand in its header.

Format: sqlite.org/walformat.html.
"""

from __future__ import annotations

import contextlib
import fcntl
import os
import struct
from pathlib import Path
from typing import Final, NamedTuple

from healmon.store.bearers import FileId

OVERWRITTEN: Final = "it was overwritten while healmon runs"
WAL_GONE: Final = "its -wal was truncated or overwritten while healmon runs"
_MAIN_HEAD: Final = 100
_HEAD: Final = 136
_HEADER: Final = 48
_CKPT_LOCK: Final = 121
_FLOCK: Final = "hhqqi4x"
_TRIES: Final = 3


class _Index(NamedTuple):
    """What the index says: the newest frame, page size, salts, and what checkpoints have done."""

    frames: int
    page: int
    salts: bytes
    copied: int
    begun: int

    @property
    def progress(self) -> tuple[bytes, int, int]:
        """What changes with every checkpoint."""
        return self.salts, self.copied, self.begun


class _Stamp(NamedTuple):
    """The database: what changes with every copy over it, and hardly otherwise."""

    size: int
    mtime: int
    head: bytes


class Own:
    """SQLite's descriptors of one database in this process; it must be the only connection to it.

    Args:
        files: the database, its -wal and its -shm.
    """

    def __init__(self, files: tuple[FileId | None, ...]) -> None:
        self._files = files
        self._index_size = 0
        self._main, self._wal, self._shm = _descriptors(files)
        self._index_size = self._size_of_index()
        self._seen: tuple[_Stamp, tuple[bytes, int, int]] | None = None
        self.remember()

    @property
    def lacks(self) -> bool:
        """Whether SQLite has others open than those that bore the names: exchanged just then."""
        fds = self._main, self._wal, self._shm
        there = [fd >= 0 for fd, file in zip(fds, self._files, strict=True) if file is not None]
        return any(there) and not all(there)

    def remember(self) -> None:
        """Take the database as it is now for right."""
        index = self._index()
        # the index first, and none while a checkpoint is at work: what is taken is never too old
        quiet = index is not None and index.copied == index.begun
        stamp = self._stamp()
        self._seen = (stamp, index.progress) if index and quiet and stamp else None

    @property
    def torn(self) -> bool:
        """Whether the -shm was truncated: to touch a page that is not there ends a process."""
        size = self._size_of_index()
        self._index_size = max(size, self._index_size)
        return size < self._index_size

    def mend(self) -> None:
        """Have SQLite make the -shm anew from the -wal, as it does where it finds the header empty.

        What was truncated of it is given back.
        """
        with contextlib.suppress(OSError):
            if self.torn:
                os.ftruncate(self._shm, self._index_size)
            os.pwrite(self._shm, bytes(_HEAD), 0)

    def fault(self) -> str:
        """Return what was done to the files by hand; empty: nothing that can be seen."""
        now = self._by_hand()
        if now is not None and self._seen is not None:
            same = self._seen[0]
            if (now.size, now.head) != (same.size, same.head):
                return OVERWRITTEN
        return "" if self._has_frames() else WAL_GONE

    @property
    def touched(self) -> bool:
        """Whether somebody wrote into the database, or only set its time."""
        return self._by_hand() is not None

    def _by_hand(self) -> _Stamp | None:
        """Return how the database is now, if it was not a checkpoint that changed it."""
        if self._seen is None:
            return None
        stamp, progress = self._seen
        now = self._stamp()
        if now is None or now == stamp:
            return None
        index = self._index()
        if index is None or index.progress != progress or self._checkpointing():
            return None
        again = self._index()
        return now if again is not None and again.progress == progress else None

    def _has_frames(self) -> bool:
        for _ in range(_TRIES):
            index = self._index()
            if index is None or not index.frames:
                return True
            status, salts = _seen(self._wal, self._files[1], 8, 16)
            if status is None:
                return True
            size = status.st_size
            if salts == index.salts and size >= 32 + index.frames * (24 + index.page):
                return True
            if index == self._index():
                return False  # nobody began the -wal anew meanwhile
        return True

    def _stamp(self) -> _Stamp | None:
        status, head = _seen(self._main, self._files[0], _MAIN_HEAD)
        return _Stamp(status.st_size, status.st_mtime_ns, head) if status is not None else None

    def _index(self) -> _Index | None:
        """Return what the index says; None: it is being written, or made anew."""
        try:
            head = os.pread(self._shm, _HEAD, 0)
        except OSError:
            return None
        if len(head) < _HEAD or not head[12] or head[:_HEADER] != head[_HEADER : 2 * _HEADER]:
            return None
        page, frames = struct.unpack_from("=HI", head, 14)
        (copied,) = struct.unpack_from("=I", head, 96)
        (begun,) = struct.unpack_from("=I", head, 128)
        return _Index(frames, page if page > 1 else 65536, head[32:40], copied, begun)

    def _checkpointing(self) -> bool:
        """Return whether another process is at a checkpoint, or that cannot be told."""
        ask = struct.pack(_FLOCK, fcntl.F_WRLCK, os.SEEK_SET, _CKPT_LOCK, 1, 0)
        try:
            kind, *_ = struct.unpack(_FLOCK, fcntl.fcntl(self._shm, fcntl.F_GETLK, ask))
        except OSError:
            return True
        return bool(kind != fcntl.F_UNLCK)

    def _size_of_index(self) -> int:
        status, _ = _seen(self._shm, self._files[2])
        return status.st_size if status is not None else self._index_size


def _seen(
    fd: int, file: FileId | None, length: int = 0, offset: int = 0
) -> tuple[os.stat_result | None, bytes]:
    """Return the status and a part of a file; None when its descriptor is another one's by now."""
    with contextlib.suppress(OSError):
        status = os.fstat(fd)
        if (status.st_dev, status.st_ino) == file:
            return status, os.pread(fd, length, offset) if length else b""
    return None, b""


def _descriptors(files: tuple[FileId | None, ...]) -> list[int]:
    """Return which descriptor of this process each file has; -1 for none."""
    found: dict[FileId, int] = {}
    with contextlib.suppress(OSError):
        for entry in Path("/proc/self/fd").iterdir():
            with contextlib.suppress(OSError, ValueError):
                fd = int(entry.name)
                status = os.fstat(fd)
                found[status.st_dev, status.st_ino] = fd
    return [-1 if file is None else found.get(file, -1) for file in files]
