"""Keeping an output log small while its worker writes into it, with nobody in between.

The worker appends to the file itself (O_APPEND), so the file can neither be renamed nor rewritten.
Its older part is copied to `NAME.1` and then taken out of the live file by the file system, which
does so between two writes (`fileranges`).
"""

from __future__ import annotations

import os
import stat

from healmon.world import fileranges


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
        begin = fileranges.data_from(fd)
        if status.st_size - begin <= limit:
            return 0
        block = os.fstatvfs(fd).f_bsize
        cut = (status.st_size - limit // 2) // block * block
        if cut <= begin:
            return 0
        line = fileranges.line_end(fd, cut, status.st_size)
        _set_aside(fd, path, max(begin, cut - limit), line)
        return _take_out(fd, begin, cut, line)
    finally:
        os.close(fd)


def _set_aside(fd: int, path: str, start: int, end: int) -> None:
    """Write bytes of the log to `NAME.1`, from the first whole line on; it is replaced whole."""
    first = fileranges.line_end(fd, start, end)
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
    rest = fileranges.take_out(fd, cut)
    if rest is None:
        return 0
    if line > cut:
        # in place, so that nothing appended can be hit
        os.pwrite(fd, b" " * (line - cut - 1) + b"\n", rest)
    return cut - begin
