"""Taking the front out of a file that others append to, by the file system, between two writes.

FALLOC_FL_COLLAPSE_RANGE (ext4, XFS) moves the rest to the front; FALLOC_FL_PUNCH_HOLE frees the
blocks and leaves a hole that reads as zeros (tmpfs, Btrfs): fallocate(2). Neither loses what is
appended meanwhile.
"""

from __future__ import annotations

import ctypes
import errno
import os
from typing import Final

_KEEP_SIZE, _PUNCH_HOLE, _COLLAPSE_RANGE = 0x01, 0x02, 0x08
_UNFIT: Final = frozenset({errno.EOPNOTSUPP, errno.EINVAL, errno.ENOSYS, errno.ENODEV})
"""What a file system says that cannot do it."""
_PART: Final = 1 << 20


def data_from(fd: int) -> int:
    """Return where the text begins, behind the hole that an earlier trim left."""
    try:
        return os.lseek(fd, 0, os.SEEK_DATA)
    except OSError:
        return 0


def line_end(fd: int, start: int, end: int) -> int:
    """Return where the first line begins at or behind `start`; `start` itself when none does."""
    if not start or os.pread(fd, 1, start - 1) == b"\n":
        return start
    at = start
    while part := os.pread(fd, min(_PART, end - at), at):
        found = part.find(b"\n")
        if found >= 0:
            return at + found + 1
        at += len(part)
    return start


def take_out(fd: int, end: int, *, shorten: bool = True) -> int | None:
    """Free what lies before `end`; returns where the rest begins now, or None: it cannot be done.

    Args:
        fd: opened for writing.
        end: a multiple of the block size, below the size.
        shorten: it may get shorter; otherwise only its blocks are freed.

    Raises:
        OSError: it failed otherwise.
    """
    if shorten and _range(fd, _COLLAPSE_RANGE, end):
        return 0
    return end if _range(fd, _PUNCH_HOLE | _KEEP_SIZE, end) else None


def _range(fd: int, mode: int, end: int) -> bool:
    """Take the range up to `end` out of a file; False when its file system cannot.

    Raises:
        OSError: it failed otherwise.
    """
    # asked for here: a healer that cleans nothing does without ctypes
    fallocate = ctypes.CDLL(None, use_errno=True).fallocate
    fallocate.argtypes = (ctypes.c_int, ctypes.c_int, ctypes.c_int64, ctypes.c_int64)
    if not fallocate(fd, mode, 0, end):
        return True
    number = ctypes.get_errno()
    if number in _UNFIT:
        return False
    raise OSError(number, os.strerror(number))
