"""Small files that programs leave for each other: pid files, heartbeats, records, output logs.

What others wrote is read with a limit and never trusted; our own records appear whole or not at
all.
"""

from __future__ import annotations

import errno
import os
import re
import shutil
import stat
from pathlib import Path
from typing import TypeAlias

from healmon.errors import ProbeError
from healmon.text import clean, quoted

SMALL = 1 << 16
"""Bytes of a small file that are read."""
Mark: TypeAlias = tuple[int, int, int, int, int]
"""Device, inode, bytes, and the times (ns) of content and inode."""
_WRITE = os.O_WRONLY | os.O_CREAT | os.O_TRUNC | os.O_CLOEXEC
_PID = re.compile(rb"\s*(\d{1,10})\b")


def read_small(path: str | Path) -> bytes | None:
    """Return the first 64 KiB of a regular file; None when there is none.

    Raises:
        ProbeError: there is something, and it cannot be read.
    """
    try:
        # a FIFO in its place must not hang us
        fd = os.open(path, os.O_RDONLY | os.O_NONBLOCK | os.O_CLOEXEC | os.O_NOCTTY)
        try:
            if not stat.S_ISREG(os.fstat(fd).st_mode):
                raise ProbeError(f"{clean(str(path))} is no regular file")
            return os.read(fd, SMALL)
        finally:
            os.close(fd)
    except (FileNotFoundError, NotADirectoryError):
        return None
    except OSError as error:
        raise ProbeError(f"{clean(str(path))}: {error.strerror}") from error


ABSENT: Mark = (0, 0, 0, 0, 0)
"""Of a file that is not there."""


def mark_of(path: str) -> Mark | None:
    """Return what tells one writing of a file from another; None where it cannot be seen.

    Only some time apart: times of files move in steps of the kernel's, and one that is replaced may
    come back with the number of one before.
    """
    try:
        found = os.stat(path)  # noqa: PTH116 - hot
    except (FileNotFoundError, NotADirectoryError):
        return ABSENT
    except (OSError, ValueError):
        return None
    return found.st_dev, found.st_ino, found.st_size, found.st_mtime_ns, found.st_ctime_ns


def read_pid(path: str) -> int | None:
    """Return the number that a pid file begins with; None when there is none.

    Raises:
        ProbeError: the file is there and cannot be read.
    """
    found = _PID.match(read_small(path) or b"")
    return int(found[1]) if found else None


def changed_at(path: str) -> float | None:
    """Return when a file was last written, in wall seconds; None when there is no such file.

    Raises:
        ProbeError: it cannot be told.
    """
    try:
        return os.stat(path).st_mtime  # noqa: PTH116 - hot
    except (FileNotFoundError, NotADirectoryError):
        return None
    except (OSError, ValueError) as error:
        raise ProbeError(f"{clean(path)}: {clean(str(error))}") from error


def is_file(path: str) -> bool:
    """Return whether there is a file of this name now."""
    try:
        return Path(path).is_file()
    except (OSError, ValueError):
        return False


def resolve(path: str) -> str:
    """Return a path without symbolic links and `..`; the path itself where that fails."""
    try:
        return os.path.realpath(path)
    except (OSError, ValueError):
        return path


def find_program(name: str) -> str:
    """Return where a program is that is named without a directory; empty when nowhere."""
    return shutil.which(name) or ""


def write_record(path: str | Path, data: bytes) -> None:
    """Write a small file of our own so that it appears whole or not at all.

    It outlives our own end, not a power cut: what it records ends with the boot anyway.

    Raises:
        OSError: it cannot be written.
    """
    folder, name = os.path.split(path)  # plain strings: hundreds are written at once
    fresh = f"{folder or '.'}/.{name}.new"
    try:
        fd = os.open(fresh, _WRITE, 0o600)
    except FileNotFoundError:
        make_folder(folder)
        fd = os.open(fresh, _WRITE, 0o600)
    with open(fd, "wb", buffering=0) as file:  # noqa: PTH123 - a descriptor
        left = memoryview(data)
        while left:
            left = left[file.write(left) :]
    os.replace(fresh, path)  # noqa: PTH105 - hot


def rewrite_record(path: str | Path, data: bytes) -> None:
    """Write a record as `write_record`; where there is no room for another file, over the old one.

    Who reads it in that moment may meet half of each: it is for records that come again.

    Raises:
        OSError: it cannot be written.
    """
    try:
        write_record(path, data)
    except OSError as error:
        if error.errno not in {errno.ENOSPC, errno.EDQUOT}:
            raise
        fd = os.open(path, os.O_WRONLY | os.O_NOFOLLOW | os.O_CLOEXEC)
        try:
            os.pwrite(fd, data.ljust(os.fstat(fd).st_size), 0)
        finally:
            os.close(fd)


def make_folder(path: str | Path) -> None:
    """Make a folder of our own, and each one above it that is missing, for its owner alone.

    Of folders made on the way `os.makedirs` gives only the last one the mode that it is told.

    Raises:
        OSError: it cannot be made.
    """
    missing: list[Path] = []
    folder = Path(path)
    while not folder.exists():
        missing.append(folder)
        folder = folder.parent
    for one in reversed(missing):
        one.mkdir(mode=0o700, exist_ok=True)


def rotate(path: Path, limit: int) -> None:
    """Set a file of our own aside as `NAME.1` when it has more than `limit` bytes.

    Raises:
        OSError: it cannot be renamed.
    """
    try:
        size = path.stat().st_size
    except FileNotFoundError:
        return
    if size > limit:
        path.replace(path.with_name(f"{path.name}.1"))


def tail(path: Path, lines: int, limit: int = 2000) -> str:
    """Return the last lines of a log as they may be shown; empty when there are none."""
    try:
        with path.open("rb") as file:
            size = file.seek(0, os.SEEK_END)
            file.seek(max(0, size - limit))
            data = file.read(limit)
    except OSError:
        return ""
    text = clean(data, lines=True, limit=2 * limit).rstrip("\n")
    return "\n".join(text.split("\n")[-lines:])


def size_of(path: Path) -> int:
    """Return how many bytes a file has; 0 when there is none, or it cannot be told."""
    try:
        return path.stat().st_size
    except (OSError, ValueError):
        return 0


def find_text(path: Path, text: bytes, offset: int, limit: int = 1 << 24) -> tuple[bool, int]:
    """Return whether a text stands in a growing file, and from where to look next time.

    Args:
        path: the file; none is as good as an empty one.
        text: what is looked for.
        offset: where to begin. A file that is shorter was cut or begun anew: it is read whole.
        limit: bytes that are read at most; what is left is for the next time.

    Raises:
        ProbeError: it is there and cannot be read.
    """
    try:
        with path.open("rb") as file:
            end = file.seek(0, os.SEEK_END)
            place = file.seek(offset if offset <= end else 0)
            kept = b""
            while limit > 0 and (data := file.read(min(limit, 1 << 18))):
                if text in kept + data:
                    return True, place
                place, limit = place + len(data), limit - len(data)
                kept = (kept + data)[-(len(text) - 1) :] if len(text) > 1 else b""
    except (FileNotFoundError, NotADirectoryError):
        return False, 0
    except OSError as error:
        raise ProbeError(f"{clean(str(path))}: {error.strerror}") from error
    # the text may stand half before this place
    return False, max(0, place - max(0, len(text) - 1))


def folder_name(name: str) -> str:
    """Return a name as one safe path component: `a/b` becomes `a%2Fb`."""
    safe = quoted(name, safe=" ")
    return f"%2E{safe[1:]}" if safe.startswith(".") else safe
