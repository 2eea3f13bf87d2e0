"""Keeping an output log small while its worker writes into it, with nobody in between.

The worker appends to the file itself (O_APPEND), so the file can neither be renamed nor rewritten.
Its older part is copied to `NAME.1` and then taken out of the live file by the file system, which
does so between two writes: FALLOC_FL_COLLAPSE_RANGE (ext4, XFS) moves the rest to the front,
FALLOC_FL_PUNCH_HOLE frees the blocks and leaves a hole that reads as zeros (tmpfs, Btrfs).
"""

from __future__ import annotations

import ctypes
import errno
import os
import stat
from typing import Final

_KEEP_SIZE, _PUNCH_HOLE, _COLLAPSE_RANGE = 0x01, 0x02, 0x08
_UNFIT: Final = frozenset({errno.EOPNOTSUPP, errno.EINVAL, errno.ENOSYS, errno.ENODEV})
"""What a file system says that cannot do it."""
_PART: Final = 1 << 20

_fallocate = ctypes.CDLL(None, use_errno=True).fallocate
_fallocate.argtypes = (ctypes.c_int, ctypes.c_int, ctypes.c_int64, ctypes.c_int64)


def trim(path: str, limit: int) -> int:
    """Keep the newest half of `limit` bytes of a log that has more than `limit`.

    What is taken out stands in `NAME.1`, up to `limit` bytes and in whole lines, before it is taken
    out; an earlier `NAME.1` is replaced. The line at the cut stands there, too, and in the log what
    the cut left of it is blank.

    Returns:
        How many bytes were freed; 0 when there is nothing to free, or no way to do so.

    Raises:
        OSError: `NAME.1` cannot be written; nothing was freed.
    """
    try:
        fd = os.open(path, os.O_RDWR | os.O_NOFOLLOW | os.O_NONBLOCK | os.O_CLOEXEC | os.O_NOCTTY)
    except FileNotFoundError:
        return 0
    try:
        status = os.fstat(fd)
        if not stat.S_ISREG(status.st_mode) or status.st_size <= limit:
            return 0
        begin = _data_from(fd)
        if status.st_size - begin <= limit:
            return 0
        block = os.fstatvfs(fd).f_bsize
        cut = (status.st_size - limit // 2) // block * block
        if cut <= begin:
            return 0
        line = _line_end(fd, cut, status.st_size)
        _set_aside(fd, path, max(begin, cut - limit), line)
        return _take_out(fd, begin, cut, line)
    finally:
        os.close(fd)


def _data_from(fd: int) -> int:
    """Return where the text begins, behind the hole that an earlier trim left."""
    try:
        return os.lseek(fd, 0, os.SEEK_DATA)
    except OSError:
        return 0


def _line_end(fd: int, start: int, end: int) -> int:
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


def _set_aside(fd: int, path: str, start: int, end: int) -> None:
    """Write bytes of the log to `NAME.1`, from the first whole line on; it is replaced whole."""
    first = _line_end(fd, start, end)
    beside = f"{path}.1.new"
    flags = os.O_WRONLY | os.O_CREAT | os.O_TRUNC | os.O_NOFOLLOW | os.O_CLOEXEC
    copy = os.open(beside, flags, 0o600)
    try:
        try:
            while first < end:
                sent = os.sendfile(copy, fd, first, end - first)
                if not sent:
                    break
                first += sent
            # what is taken out next is on disk then, even after a power cut
            os.fdatasync(copy)
        finally:
            os.close(copy)
        os.replace(beside, f"{path}.1")  # noqa: PTH105 - as the log is named
    except OSError:
        os.unlink(beside)  # noqa: PTH108 - likewise
        raise


def _take_out(fd: int, begin: int, cut: int, line: int) -> int:
    """Free what lies before `cut`; returns how many bytes that were."""
    if _range(fd, _COLLAPSE_RANGE, cut):
        rest = 0
    elif _range(fd, _PUNCH_HOLE | _KEEP_SIZE, cut):
        rest = cut
    else:
        return 0
    if line > cut:
        # in place, so that nothing appended can be hit
        os.pwrite(fd, b" " * (line - cut - 1) + b"\n", rest)
    return cut - begin


def _range(fd: int, mode: int, end: int) -> bool:
    """Take the range up to `end` out of a file; False when its file system cannot.

    Raises:
        OSError: it failed otherwise.
    """
    if not _fallocate(fd, mode, 0, end):
        return True
    number = ctypes.get_errno()
    if number in _UNFIT:
        return False
    raise OSError(number, os.strerror(number))
