"""Is a file in use? Asked of the kernel, which knows every holder, not of a list of processes.

A write lease is granted only while nobody else has the file open, mapped or running, in any pid
namespace. It is held until the file has left its place: whoever opens it meanwhile waits for us
and is seen. Where leases cannot be had, every process's descriptors and mappings are read; a list
that is not complete proves nothing.

Closing any descriptor of a file drops the POSIX locks that this process, SQLite within it for one,
has on it. So a file that turns out to be open here too is not closed until the other is.
"""

from __future__ import annotations

import errno
import fcntl
import os
import signal
from collections.abc import Container
from contextlib import suppress
from pathlib import Path
from typing import Final, Literal

from healmon.clock import process_seconds
from healmon.world import farmounts, filecalls
from healmon.world.filedata import Inode, Key

Use = Literal["leased", "unlisted", "open", "locked", "unknown"]
"""What `claim` found: a lease, or no user in a complete list of all; or else why the file stays."""

_OPEN: Final = os.O_RDONLY | os.O_NOFOLLOW | os.O_NONBLOCK | os.O_NOCTTY | os.O_CLOEXEC
REASONS: Final = {
    errno.ENOENT: "vanished",
    errno.ELOOP: "swapped",
    errno.EBUSY: "mount",
    errno.EWOULDBLOCK: "open",
    errno.ETXTBSY: "open",
}
"""Why a file stays that could not be opened or moved; any other error: "refused"."""
_SETSIG, _SETLEASE, _GETLEASE = fcntl.F_SETSIG, fcntl.F_SETLEASE, fcntl.F_GETLEASE
_WRITE: Final = fcntl.F_WRLCK
_OURS: Final = ("leased", "unlisted")
_MOST_PARKED: Final = 64
"""Descriptors that are kept for the sake of our own locks before nothing more is opened."""
_SIGNAL: Final = int(signal.SIGURG)
"""Told to the holder of a lease that is wanted: the default, SIGIO, would end this process; this
one is ignored."""
_FRESH: Final = 1.0
"""Seconds for which one pass over all processes is believed."""
_FIRST_NAMESPACE: Final = 0xEFFFFFFC
"""Inode of the machine's own pid namespace; from any other, not all processes can be seen."""


class Users:
    """Tells whether files are in use. One for all threads."""

    def __init__(self) -> None:
        self._truthful: set[int] = set()
        self._listed: frozenset[Key] | None = None
        self._listed_at = -_FRESH
        self._parked: dict[int, Key] = {}

    def hold(self, directory: int, name: str, judged: os.stat_result, kind: str) -> tuple[int, str]:
        """Open a file and have it to ourselves, if it is still the one that was judged.

        Args:
            directory: descriptor of where it is.
            name: its name there.
            judged: what it was then.
            kind: type of its file system.

        Returns:
            A descriptor, to be closed, and "leased" or "unlisted"; or -1 and why the file stays.
        """
        # a lease tells without a look at all our descriptors, and leaves no gap after it
        sure = judged.st_dev in self._truthful
        if self._parked or not sure:
            key = judged.st_dev, judged.st_ino
            if self._is_parked(key) or (not sure and opened_here(key)):
                return -1, "open"
        try:
            fd = os.open(name, _OPEN, dir_fd=directory)
        except OSError as error:
            return -1, REASONS.get(error.errno or 0, "refused")
        word: str = "unknown"
        try:
            word = _leased(fd) if sure else self._lease(fd, judged.st_dev)
            if word != "leased":
                key = judged.st_dev, judged.st_ino
                word = self._told(fd, key, kind, word)
                if word == "unlisted" and opened_here(key, (fd,)):
                    word = "open"
            if word in _OURS:
                if filecalls.unchanged(judged, os.fstat(fd)):
                    return fd, word
                word = "changed"
        except OSError:
            word = "unknown"
        self.put_down(fd)
        return -1, word

    def lease(self, directory: int, name: str) -> tuple[int, os.stat_result] | None:
        """Open a file that was not looked at, and lease it, where leases are known to tell.

        Returns:
            A descriptor, to be closed, and what it is now; None: `hold` has to be asked.
        """
        if self._parked:
            return None
        try:
            fd = os.open(name, _OPEN, dir_fd=directory)
        except OSError:
            return None
        if _leased(fd) == "leased":
            try:
                st = os.fstat(fd)
            except OSError:
                os.close(fd)
                return None
            if st.st_dev in self._truthful:
                return fd, st
        self.put_down(fd)
        return None

    def claim(self, fd: int, inode: Inode, kind: str) -> Use:
        """Return whether others use a file, to which a descriptor is open; a lease stays on it.

        Where none is granted, a lock does (flock(2)): whoever cannot wait for it has to drop it.

        Args:
            fd: the only descriptor of the file in this process.
            inode: what it is.
            kind: type of its file system.
        """
        use = self._lease(fd, inode.device)
        return use if use == "leased" else self._told(fd, inode.key, kind, use)

    def unused_since(self, fd: int, since: float) -> bool:
        """Return whether nobody had a file open at some moment after that one.

        For files without a lease, that have left their names: who was not too late is seen.

        Args:
            fd: our descriptor of the file.
            since: process seconds at which it had left.
        """
        st = os.fstat(fd)
        key, listed = (st.st_dev, st.st_ino), self._in_use(since)
        return listed is not None and key not in listed and not opened_here(key, (fd,))

    def _is_parked(self, key: Key) -> bool:
        return len(self._parked) > _MOST_PARKED or key in self._parked.values()

    def put_down(self, fd: int) -> None:
        """Close the descriptor of a file that stays, unless that would drop locks of our own."""
        st = os.fstat(fd)
        key = st.st_dev, st.st_ino
        if opened_here(key, (fd,)):
            self._parked[fd] = key
        else:
            os.close(fd)

    def release(self) -> None:
        """Close what was kept open for the sake of other descriptors, if those are gone."""
        for fd, key in list(self._parked.items()):
            if opened_here(key, set(self._parked)):
                continue
            if self._parked.pop(fd, None) is not None:  # another thread may have been here
                os.close(fd)

    def _told(self, fd: int, key: Key, kind: str, use: Use) -> Use:
        """Return why a file stays for which no lease was granted, or that all others were asked.

        With a lease nobody else has it open, and so nobody else has locked it.
        """
        try:
            fcntl.flock(fd, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            return "locked"
        except OSError:
            return "unknown"
        if use != "unknown" or not kind or kind in farmounts.OTHER_HOSTS or kind.startswith("fuse"):
            return use
        listed = self._in_use()
        if listed is None:
            return "unknown"
        return "open" if key in listed else "unlisted"

    def _lease(self, fd: int, device: int) -> Use:
        # trusted only on file systems where it was seen to be refused
        if device not in self._truthful:
            if not _leases_tell(fd):
                return "unknown"
            self._truthful.add(device)
        return _leased(fd)

    def _in_use(self, since: float = 0.0) -> frozenset[Key] | None:
        now = process_seconds()
        if now - self._listed_at >= _FRESH or self._listed_at <= since:
            self._listed = files_in_use()
            self._listed_at = now
        return self._listed


def alone(fd: int) -> bool:
    """Return whether nobody has come since a lease on this descriptor was granted."""
    return fcntl.fcntl(fd, _GETLEASE) == _WRITE


def _leased(fd: int) -> Use:
    try:
        fcntl.fcntl(fd, _SETSIG, _SIGNAL)
        fcntl.fcntl(fd, _SETLEASE, _WRITE)
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


def opened_here(key: Key, but: Container[int] = ()) -> bool:
    """Return whether this process has a file open, by another descriptor than these."""
    for name in os.listdir("/proc/self/fd"):  # noqa: PTH208 - names; hot
        if int(name) in but:
            continue
        try:
            st = os.fstat(int(name))
        except OSError:
            continue
        if (st.st_dev, st.st_ino) == key:
            return True
    return False


def sees_all() -> bool:
    """Return whether every process of the machine can be seen from here."""
    try:
        return Path("/proc/self/ns/pid").stat().st_ino == _FIRST_NAMESPACE
    except OSError:
        return False


def files_in_use() -> frozenset[Key] | None:
    """Return every file that any process has open or mapped; None when not all can be read."""
    if not sees_all():
        return None
    try:
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
