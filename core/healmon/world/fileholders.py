"""How those who have a file open write to it: only at its end, or wherever they stand.

A writer with O_APPEND goes on at the new end when a file gets shorter; any other goes on at its old
offset and leaves a hole before it. A mapping is worse: its reader is killed (SIGBUS) behind the new
end. The kernel tells both, for every process that may be read (proc(5): fdinfo, map_files).
"""

from __future__ import annotations

import errno
import os
from typing import Final, NamedTuple

from healmon.world import farmounts
from healmon.world.filedata import Key
from healmon.world.fileuse import sees_all

_FD: Final = "fd"
_MAPS: Final = "map_files"


class Holders(NamedTuple):
    """Who has a file open, as far as can be seen.

    Attributes:
        unfit: why the file must not get shorter, by what was seen; empty: nothing speaks against.
        appends: somebody writes to it, and at its end.
        all_seen: every process of the machine could be read.
    """

    unfit: str
    appends: bool
    all_seen: bool


def holders(key: Key) -> Holders:
    """Return who else has a file open. Blocks: reads the descriptors of all processes."""
    unfit, appends, all_seen = "", False, sees_all()
    seen = farmounts.Seen()
    for name in os.listdir("/proc"):  # noqa: PTH208 - names; hot
        if not name.isdecimal() or int(name) == os.getpid():
            continue
        mounts = seen.by(name)
        try:
            for flags in _flags_of(name, key, mounts):
                appends |= bool(flags & os.O_APPEND)
                if not flags & os.O_APPEND:
                    unfit = unfit or "not appending"
        except OSError:
            all_seen = False
        try:
            # a process that shows its descriptors may still hide its mappings
            unfit = "mapped" if _has(name, _MAPS, key, mounts) else unfit
        except OSError:
            all_seen = False
    return Holders(unfit, appends, all_seen)


def _flags_of(pid: str, key: Key, mounts: farmounts.Mounts) -> list[int]:
    """Return the flags of the descriptors with which a process may write to a file.

    Raises:
        OSError: they may not be read.
    """
    flags = [_flags(pid, number) for number in _has(pid, _FD, key, mounts)]
    return [one for one in flags if one & os.O_ACCMODE != os.O_RDONLY]


def _has(pid: str, table: str, key: Key, mounts: farmounts.Mounts) -> list[str]:
    """Return the entries of a table of one process that are the file; none if it has ended.

    Raises:
        PermissionError: they may not be read.
    """
    place = f"/proc/{pid}/{table}"
    found: list[str] = []
    try:
        names = os.listdir(place)  # noqa: PTH208 - names; hot
    except (FileNotFoundError, ProcessLookupError):
        return found
    for name in names:
        try:
            # what lies on another mount that may never answer is not asked
            path = os.readlink(f"{place}/{name}")  # noqa: PTH115 - hot
            if mounts.far(path) not in {None, key[0]}:
                continue
            st = os.stat(f"{place}/{name}")  # noqa: PTH116 - hot
        except (FileNotFoundError, ProcessLookupError):
            continue
        if (st.st_dev, st.st_ino) == key:
            found.append(name)
    return found


def _flags(pid: str, number: str) -> int:
    """Return the flags with which a descriptor was opened; those of a reader, if it is closed.

    Raises:
        OSError: they may not be read.
    """
    try:
        with open(f"/proc/{pid}/fdinfo/{number}", encoding="ascii", errors="replace") as told:  # noqa: PTH123 - proc
            lines = told.read().splitlines()
    except (FileNotFoundError, ProcessLookupError):
        return os.O_RDONLY
    for line in lines:
        name, _, value = line.partition(":")
        if name == "flags":
            return int(value, 8)
    raise OSError(errno.ENODATA, os.strerror(errno.ENODATA))
