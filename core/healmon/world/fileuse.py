"""Is a file in use? Asked of the kernel, which knows every holder, not of a list of processes.

A write lease is granted only while nobody else has the file open, mapped or running, in any pid
namespace. It is held until the file has left its place: whoever opens it meanwhile waits for us
and is seen. Where leases cannot be had, every process's descriptors and mappings are read; a list
that is not complete proves nothing.
"""

from __future__ import annotations

import errno
import fcntl
import os
import signal
from contextlib import suppress
from pathlib import Path
from typing import Final, Literal

from healmon.clock import process_seconds
from healmon.world import farmounts
from healmon.world.filedata import Inode, Key

Use = Literal["leased", "unlisted", "open", "locked", "unknown"]
"""What `claim` found: a lease, or no user in a complete list of all; or else why the file stays."""

_FRESH: Final = 1.0
"""Seconds for which one pass over all processes is believed."""
_FIRST_NAMESPACE: Final = 0xEFFFFFFC
"""Inode of the machine's own pid namespace; from any other, not all processes can be seen."""


class Users:
    """Tells whether files are in use. One for all threads; keeps no descriptor."""

    def __init__(self) -> None:
        self._truthful: set[int] = set()
        self._listed: frozenset[Key] | None = None
        self._listed_at = -_FRESH

    def claim(self, fd: int, inode: Inode, kind: str) -> Use:
        """Ask for a file to ourselves; what is granted ends when the descriptor is closed.

        Args:
            fd: the only descriptor of the file in this process, opened for reading.
            inode: what it is.
            kind: type of its file system.
        """
        try:
            fcntl.flock(fd, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            return "locked"
        except OSError:
            return "unknown"
        use = self._lease(fd, inode.device)
        if use != "unknown" or not kind or kind in farmounts.OTHER_HOSTS or kind.startswith("fuse"):
            return use
        listed = self._in_use()
        if listed is None:
            return "unknown"
        return "open" if inode.key in listed else "unlisted"

    def _lease(self, fd: int, device: int) -> Use:
        # trusted only on file systems where it was seen to be refused
        if device not in self._truthful:
            if not _leases_tell(fd):
                return "unknown"
            self._truthful.add(device)
        return _leased(fd)

    def _in_use(self) -> frozenset[Key] | None:
        now = process_seconds()
        if now - self._listed_at >= _FRESH:
            self._listed = files_in_use()
            self._listed_at = now
        return self._listed


def alone(fd: int) -> bool:
    """Return whether nobody has come since a lease on this descriptor was granted."""
    return fcntl.fcntl(fd, fcntl.F_GETLEASE) == fcntl.F_WRLCK


def _leased(fd: int) -> Use:
    try:
        # the default signal to a holder, SIGIO, would end this process; SIGURG is ignored
        fcntl.fcntl(fd, fcntl.F_SETSIG, signal.SIGURG)
        fcntl.fcntl(fd, fcntl.F_SETLEASE, fcntl.F_WRLCK)
    except BlockingIOError:
        return "open"
    except OSError:
        return "unknown"
    return "leased"


def _leases_tell(fd: int) -> bool:
    """Return whether a lease is refused while there is another descriptor, as it must be."""
    try:
        other = os.open(f"/proc/self/fd/{fd}", os.O_RDONLY | os.O_CLOEXEC | os.O_NONBLOCK)
    except OSError:
        return False
    try:
        use = _leased(fd)
        if use == "leased":
            with suppress(OSError):
                fcntl.fcntl(fd, fcntl.F_SETLEASE, fcntl.F_UNLCK)
    finally:
        os.close(other)
    return use == "open"


def opened_here(key: Key) -> bool:
    """Return whether this process has the file open already.

    Then it must not even be looked at: closing any descriptor of a file drops the locks that
    SQLite, elsewhere in this process, holds on it.
    """
    for name in os.listdir("/proc/self/fd"):  # noqa: PTH208 - names; hot
        try:
            st = os.fstat(int(name))
        except OSError:
            continue
        if (st.st_dev, st.st_ino) == key:
            return True
    return False


def files_in_use() -> frozenset[Key] | None:
    """Return every file that any process has open or mapped; None when not all can be read."""
    try:
        if Path("/proc/self/ns/pid").stat().st_ino != _FIRST_NAMESPACE:
            return None
        found: set[Key] = set()
        seen = farmounts.Seen()
        for name in os.listdir("/proc"):  # noqa: PTH208 - names; hot
            if name.isdecimal() and int(name) != os.getpid():
                found |= _files_of(name, seen)
    except OSError:
        return None
    return frozenset(found)


def _files_of(pid: str, seen: farmounts.Seen) -> set[Key]:
    """Return the files that one process has open or mapped; none if it has ended.

    Raises:
        OSError: they may not be read, or lie on a mount that may never answer.
    """
    found: set[Key] = set()
    mounts = seen.by(pid)
    for table in ("fd", "map_files"):
        try:
            names = os.listdir(f"/proc/{pid}/{table}")  # noqa: PTH208 - names; hot
        except (FileNotFoundError, ProcessLookupError):
            return found
        for name in names:
            place = f"/proc/{pid}/{table}/{name}"
            try:
                if mounts.far(os.readlink(place)) is not None:  # noqa: PTH115 - hot
                    raise OSError(errno.EREMOTE, os.strerror(errno.EREMOTE), place)
                st = os.stat(place)  # noqa: PTH116 - hot
            except (FileNotFoundError, ProcessLookupError):
                continue
            found.add((st.st_dev, st.st_ino))
    return found
