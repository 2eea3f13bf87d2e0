"""A spare megabyte: held while all is well, let go when the disk is full.

A full disk is one of the things healmon mends, and mending it must be on record. The megabyte makes
room for the alert, the journal of the cleaning and its proof.
"""

from __future__ import annotations

import contextlib
import os
from collections.abc import Generator
from pathlib import Path
from typing import Final

SIZE: Final = 1 << 20
ROOM: Final = 16 * SIZE
"""Free bytes from which on the ballast is taken aboard again."""
TIGHT: Final = SIZE // 4
"""Free bytes below which opening a database is not safe."""


class Ballast:
    """One preallocated file; emptied in place, so nothing is ever unlinked."""

    def __init__(self, path: Path) -> None:
        self._path = path

    @property
    def aboard(self) -> bool:
        """Whether there is something to let go."""
        try:
            return self._path.stat().st_size > 0
        except OSError:
            return False

    def load(self) -> bool:
        """Reserve the space if there is plenty; True when it is held."""
        if self.aboard:
            return True
        try:
            free = os.statvfs(self._path.parent)
            if free.f_bavail * free.f_frsize < ROOM:
                return False
            with _opened(self._path, os.O_CREAT) as fd:
                os.posix_fallocate(fd, 0, SIZE)
        except OSError:
            return False
        return True

    def relieve(self) -> bool:
        """Release it if the file system is as good as full; True when it was released.

        Worth doing before a database is opened there: on some full file systems the page of the
        shared index that cannot be allocated does not fail the call but kills the process.
        """
        try:
            free = os.statvfs(self._path.parent)
        except OSError:
            return False
        return free.f_bavail * free.f_frsize < TIGHT and self.release()

    def release(self) -> bool:
        """Give the space back to the file system; True when there was some."""
        if not self.aboard:
            return False
        try:
            with _opened(self._path) as fd:
                os.ftruncate(fd, 0)
        except OSError:
            return False
        return True


@contextlib.contextmanager
def _opened(path: Path, flags: int = 0) -> Generator[int, None, None]:
    fd = os.open(path, os.O_WRONLY | os.O_NOFOLLOW | os.O_CLOEXEC | flags, 0o600)
    try:
        yield fd
    finally:
        os.close(fd)
