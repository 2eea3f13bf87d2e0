"""Which SQLite a process uses, and whether that one can lose commits at a checkpoint."""

from __future__ import annotations

import os
import re
import stat
from contextlib import suppress
from functools import lru_cache
from typing import Final

_VERSION: Final = re.compile(rb"\x00(3\.\d{1,2}\.\d{1,2})\x00")
_LIBRARY: Final = re.compile(rb"(?m)\s(/\S*sqlite3?\b[^/\n]*\.so[^/\n]*)$")
_LIMIT: Final = 16 << 20
_FIXED: Final = {44: 6, 50: 7, 51: 3}
"""The first whole release of each branch that has the repair; later branches all have it."""


def wal_reset_bug(version: str) -> bool:
    """Return whether two connections that checkpoint and write at once can lose commits.

    See sqlite.org/wal.html, "The WAL-reset bug": from 3.7.0 on. False for what is no version.
    """
    try:
        major, minor, patch = (int(part) for part in version.split("."))
    except ValueError:
        return False
    if major != 3 or minor < 7 or minor > max(_FIXED):
        return False
    return patch < _FIXED[minor] if minor in _FIXED else True


def version_in(pid: int) -> str:
    """Return the version of the SQLite library that a process has mapped; empty when unknown.

    A program with SQLite built into it is unknown. Reads the library's file, once for each file.
    """
    with suppress(OSError):
        with open(f"/proc/{pid}/maps", "rb") as file:  # noqa: PTH123 - procfs
            found = set(_LIBRARY.findall(file.read(_LIMIT)))
        for name in sorted(found):
            # as that process sees it, be it in a container
            path = f"/proc/{pid}/root{os.fsdecode(name)}"
            status = os.stat(path)  # noqa: PTH116 - procfs
            if not stat.S_ISREG(status.st_mode):
                continue
            version = _version_of(path, status.st_dev, status.st_ino, status.st_mtime_ns)
            if version:
                return version
    return ""


@lru_cache(maxsize=32)
def _version_of(path: str, *_identity: int) -> str:
    # somebody may put a pipe in its place: that must not hang us
    fd = os.open(path, os.O_RDONLY | os.O_NONBLOCK | os.O_CLOEXEC | os.O_NOCTTY)
    with os.fdopen(fd, "rb") as file:
        found = _VERSION.search(file.read(_LIMIT))
    return found[1].decode() if found else ""
