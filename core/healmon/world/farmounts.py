"""Mounts that another machine or program answers for: asked while it is away, they never answer.

So they are told by the kernel's table of mounts alone (proc(5), mountinfo), without a look at them.
"""

from __future__ import annotations

import os
import re
import select
import threading
from collections.abc import Iterable
from pathlib import Path
from typing import Final

OTHER_HOSTS: Final = frozenset(
    {"nfs", "nfs4", "cifs", "smb3", "smbfs", "9p", "ceph", "afs", "lustre", "gpfs", "ocfs2", "gfs2"}
)
_ESCAPED: Final = re.compile(r"\\([0-7]{3})")


def plain(point: str) -> str:
    """Return a mount point as a path; the kernel's tables escape blanks and backslashes."""
    return _ESCAPED.sub(lambda found: chr(int(found[1], 8)), point)


class Mounts:
    """A table of mounts, as one process sees them.

    Args:
        lines: of its mountinfo.

    Attributes:
        any: whether there is a far one.
    """

    def __init__(self, lines: Iterable[str]) -> None:
        self._at: dict[str, int | None] = {}
        for line in lines:
            known, _, rest = line.partition(" - ")
            fields, kind = known.split(" "), rest.partition(" ")[0]
            if len(fields) < 5:
                continue
            major, _, minor = fields[2].partition(":")
            point = plain(fields[4])
            # a later one lies over an earlier one at the same place
            far = kind in OTHER_HOSTS or kind.startswith("fuse")
            self._at[point] = os.makedev(int(major), int(minor)) if far else None
        self.any = any(device is not None for device in self._at.values())

    def has(self, point: str) -> bool:
        """Return whether anything is mounted at a path; True where the table cannot be read."""
        return point in self._at or not self._at

    def far(self, path: str) -> int | None:
        """Return the device of the far mount that an absolute path lies on; None: on a near one."""
        while self.any:
            if path in self._at:
                return self._at[path]
            if path in {"", "/"}:
                break
            path = path.rpartition("/")[0] or "/"
        return None


def mounts(process: str = "self") -> Mounts:
    """Return the mounts that a process sees; none, where they cannot be read."""
    try:
        table = Path(f"/proc/{process}/mountinfo").read_text("utf-8", "surrogateescape")
    except OSError:
        return Mounts(())
    return Mounts(table.splitlines())


class Seen:
    """What each process sees, read once for all that share a mount namespace."""

    def __init__(self) -> None:
        self._known: dict[int, Mounts] = {}

    def by(self, process: str) -> Mounts:
        """Return the mounts that a process sees."""
        try:
            space = Path(f"/proc/{process}/ns/mnt").stat().st_ino
        except OSError:
            return mounts(process)
        if space not in self._known:
            self._known[space] = mounts(process)
        return self._known[space]


class Changes:
    """Tells whether anything was mounted or unmounted since it was asked last; see proc(5).

    Safe from any thread.
    """

    def __init__(self) -> None:
        self._poll = select.poll()
        self._table: int | None = None
        self._lock = threading.Lock()

    def any(self) -> bool:
        """Return whether there was; True where it cannot be told."""
        with self._lock:
            if self._table is not None:
                return bool(self._poll.poll(0))
            try:
                self._table = os.open("/proc/self/mountinfo", os.O_RDONLY | os.O_CLOEXEC)
            except OSError:
                return True
            self._poll.register(self._table, select.POLLPRI | select.POLLERR)
            return True
