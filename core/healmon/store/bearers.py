"""Which files bear the names of a store: they may be exchanged beneath whoever has one open."""

from __future__ import annotations

from pathlib import Path

TYPE_CHECKING = False
if TYPE_CHECKING:
    from typing import TypeAlias

FileId: TypeAlias = "tuple[int, int]"
"""Device and inode."""
Files: TypeAlias = "tuple[FileId | None, ...]"
"""Of a database, its -wal and its -shm; perhaps how large that is."""


def identify(path: Path) -> FileId | None:
    """Return which file bears a name now; None when none does.

    By name on purpose: opening and closing the file by hand would drop this process's locks on it.
    """
    try:
        stat = path.stat()
    except OSError:
        return None
    return stat.st_dev, stat.st_ino


def bearers(path: Path) -> Files | None:
    """Return which files bear the names of a store now, None when there is no database.

    A reader that keeps a connection opens a new one when this changes: a damaged or deleted store
    is replaced by a new file, and the old connection goes on reading the old one. Where its -wal or
    -shm was deleted, it sees nothing new any more, or nothing at all. And to touch an -shm that was
    truncated ends the reader by SIGBUS, so how large that is belongs to it.
    """
    file, wal, shm = (identify(path.with_name(f"{path.name}{end}")) for end in ("", "-wal", "-shm"))
    return None if file is None else (file, wal, shm, (0, _size(Path(f"{path}-shm"))))


def _size(path: Path) -> int:
    try:
        return path.stat().st_size
    except OSError:
        return -1


class Place:
    """Which files bear the names of a store since before it was opened.

    Attributes:
        moved: others do by now.
    """

    def __init__(self, path: Path) -> None:
        self._path, self._file = path, identify(path)
        self._files: Files | None = None
        self.moved = False

    def look(self) -> bool:
        """Return whether others do; what lies beside the database is there once it was read."""
        now = bearers(self._path)
        self._files = self._files or now
        self.moved = now is None or now[0] != self._file or now != self._files
        return self.moved
