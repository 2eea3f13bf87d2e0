"""Which files bear the names of a store: they may be exchanged beneath whoever has one open."""

from __future__ import annotations

TYPE_CHECKING = False
if TYPE_CHECKING:
    from pathlib import Path
    from typing import TypeAlias

FileId: TypeAlias = "tuple[int, int]"
"""Device and inode."""
Files: TypeAlias = "tuple[FileId | None, ...]"
"""Of a database, its -wal and its -shm."""


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
    -shm was deleted, it sees nothing new any more, or nothing at all.
    """
    file, wal, shm = (identify(path.with_name(f"{path.name}{end}")) for end in ("", "-wal", "-shm"))
    return None if file is None else (file, wal, shm)
