"""How full things were, kept on disk: a ring of records, made at its full length at once.

Writing to it needs no free space then, which matters on the day it tells of. It is a convenience:
what cannot be read or written is lost to the forecast, and to nothing else.
"""

from __future__ import annotations

import math
import os
import struct
from collections.abc import Sequence
from contextlib import suppress
from typing import Final

from healmon.world import notes

RECORD: Final = struct.Struct("<dffI")
"""Time, percent of space, percent of inodes, 1 where something was cleaned right before."""
_FLAGS: Final = os.O_RDWR | os.O_CREAT | os.O_CLOEXEC | os.O_NOFOLLOW

Record = tuple[float, float, float, bool]


class Ring:
    """The newest `slots` records of one file.

    Args:
        path: the file; its directory is made, for its owner alone.
        slots: how many records it holds.
    """

    def __init__(self, path: str, slots: int) -> None:
        self._path = path
        self._slots = slots
        self._next = 0

    def load(self) -> list[Record]:
        """Return what is there, oldest first; nothing where it cannot be read. Blocks."""
        try:
            fd = os.open(self._path, os.O_RDONLY | os.O_CLOEXEC | os.O_NOFOLLOW)
        except OSError:
            return []
        try:
            raw = os.read(fd, self._slots * RECORD.size)
        except OSError:
            return []
        finally:
            os.close(fd)
        raw = raw[: len(raw) // RECORD.size * RECORD.size]
        found = list(enumerate(RECORD.iter_unpack(raw)))
        good = [(slot, one) for slot, one in found if _sound(one)]
        good.sort(key=lambda item: item[1][0])
        if good:
            self._next = (good[-1][0] + 1) % self._slots
        return [(at, space, inodes, bool(cut)) for _, (at, space, inodes, cut) in good]

    def add(self, records: Sequence[Record]) -> None:
        """Write more records over the oldest. Blocks; what cannot be written is lost."""
        with suppress(OSError):
            notes.make_folder(os.path.dirname(self._path))  # noqa: PTH120 - text paths
            fd = os.open(self._path, _FLAGS, 0o600)
            try:
                if os.fstat(fd).st_size < self._slots * RECORD.size:
                    os.posix_fallocate(fd, 0, self._slots * RECORD.size)
                for record in records:
                    os.pwrite(fd, RECORD.pack(*record), self._next * RECORD.size)
                    self._next = (self._next + 1) % self._slots
            finally:
                os.close(fd)


def _sound(one: tuple[float, float, float, int]) -> bool:
    at, space, inodes, cut = one
    sane = all(math.isfinite(value) and 0 <= value <= 1000 for value in (space, inodes))
    return sane and math.isfinite(at) and at > 0 and cut in {0, 1}
