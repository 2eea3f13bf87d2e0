"""What the kernel and a directory can do, tried out without leaving anything. Touches nothing."""

from __future__ import annotations

import ctypes
import errno
import fcntl
import os
import re
import struct
from contextlib import suppress
from pathlib import Path
from typing import Final

import msgspec

from healmon.world import runner

_FLOCK: Final = struct.Struct("hhqqi4x")
_FIRST_PIDS: Final = 0xEFFFFFFC
"""Inode of the pid namespace that the kernel began with (PROC_PID_INIT_INO)."""
_TIMEX: Final = 256
"""Bytes that are more than a struct timex has."""
_ERROR: Final = 5
"""adjtimex: the clock is not synchronised (TIME_ERROR)."""
_VERSION: Final = re.compile(r"tmux (\S+)")


class Mount(msgspec.Struct, frozen=True):
    """The mount that a path lies on: where, of which sort, with which options."""

    path: str
    kind: str
    options: tuple[str, ...]


class Room(msgspec.Struct, frozen=True):
    """What is left on a file system: bytes, and files (0 of 0 where it does not count them)."""

    total: int
    free: int
    files: int
    free_files: int


def mount_of(path: str) -> Mount | None:
    """Return the mount that a path lies on, by the kernel's table alone; None: not to be told."""
    try:
        text = Path("/proc/self/mountinfo").read_text("utf-8", "surrogateescape")
    except OSError:
        return None
    best: Mount | None = None
    for line in text.splitlines():
        known, _, rest = line.partition(" - ")
        fields, kind = known.split(" "), rest.split(" ")
        if len(fields) < 6 or len(kind) < 3:
            continue
        point = re.sub(r"\\([0-7]{3})", lambda octal: chr(int(octal[1], 8)), fields[4])
        inside = path == point or path.startswith(f"{point.rstrip('/')}/")
        if inside and (best is None or len(point) >= len(best.path)):
            best = Mount(point, kind[0], tuple({*fields[5].split(","), *kind[2].split(",")}))
    return best


def room(path: str) -> Room:
    """Return what is left where a path lies.

    Raises:
        OSError: it cannot be told.
    """
    found = os.statvfs(path)
    unit = found.f_frsize
    return Room(found.f_blocks * unit, found.f_bavail * unit, found.f_files, found.f_favail)


def locks_work(folder: str) -> bool | None:
    """Return whether a lock in a directory keeps others out; None: it cannot be tried.

    It is tried on a file without a name: nothing appears in the directory, nothing is left.
    """
    try:
        fd = os.open(folder, os.O_TMPFILE | os.O_RDWR | os.O_CLOEXEC, 0o600)
    except OSError:
        return None
    try:
        other = os.open(f"/proc/self/fd/{fd}", os.O_RDWR | os.O_CLOEXEC)
    except OSError:
        os.close(fd)
        return None
    try:
        row = _FLOCK.pack(fcntl.F_WRLCK, 0, 0, 0, 0)
        fcntl.fcntl(fd, fcntl.F_OFD_SETLK, row)
        fcntl.flock(fd, fcntl.LOCK_EX | fcntl.LOCK_NB)
        return _refused(lambda: fcntl.fcntl(other, fcntl.F_OFD_SETLK, row)) and _refused(
            lambda: fcntl.flock(other, fcntl.LOCK_EX | fcntl.LOCK_NB)
        )
    except OSError:
        return False
    finally:
        os.close(other)
        os.close(fd)


def _refused(take: object) -> bool:
    assert callable(take)
    try:
        take()
    except OSError as error:
        return error.errno in {errno.EAGAIN, errno.EACCES}
    return False


def has_pidfd() -> bool:
    """Return whether the kernel names processes by descriptors, and lets us have them."""
    try:
        os.close(os.pidfd_open(os.getpid()))
    except (OSError, AttributeError):
        return False
    return True


def in_namespace() -> bool | None:
    """Return whether we see only the processes of a container; None: it cannot be told."""
    try:
        return os.stat("/proc/self/ns/pid").st_ino != _FIRST_PIDS  # noqa: PTH116 - procfs
    except OSError:
        return None


def synchronised() -> bool | None:
    """Return whether something keeps the clock right, as far as the kernel knows; None: unknown."""
    try:
        libc = ctypes.CDLL(None, use_errno=True)
        buffer = ctypes.create_string_buffer(_TIMEX)  # modes = 0: only ask
        state = int(libc.adjtimex(buffer))
    except (OSError, AttributeError):
        return None
    return None if state < 0 else state != _ERROR


def tmux_version(program: str) -> str:
    """Return what tmux calls its version; empty: it did not say.

    Raises:
        OSError: it cannot be run.
        TimeoutError: it did not answer.
    """
    said = runner.run([program, "-V"], timeout=3.0).out.decode("utf-8", "replace")
    found = _VERSION.match(said)
    return found[1] if found else ""


def texts(folders: tuple[str, ...], ends: tuple[str, ...], most: int = 2_000) -> dict[str, str]:
    """Return the small files of these directories by path; what cannot be read is left out.

    Args:
        folders: each itself, or a file.
        ends: how their names end; empty: any.
        most: files at most.
    """
    found: dict[str, str] = {}
    for folder in folders:
        place = Path(folder)
        with suppress(OSError):
            files = sorted(place.iterdir()) if place.is_dir() else [place]
            for path in files[:most]:
                if (path.name.endswith(ends) or not ends) and path.is_file():
                    with suppress(OSError), path.open("rb") as file:
                        found[str(path)] = file.read(1 << 16).decode("utf-8", "replace")
    return found
