"""What a shim writes down, so that it appears whole or not at all.

A record is written beside its name and renamed into place. Room for the next one is set aside
beforehand, for disks run full just when workers die; without it, the record is written later.
"""

from __future__ import annotations

import fcntl
import os
import resource
import struct
import time

LOCK, START, ENDS, GRANT = b"instance.lock", b"shim.json", b"ends.jsonl", b"grant"
ENDS_KEPT = 12
"""How many ends stand in the file."""
BLOCK = 4096
"""Bytes set aside for a record; none is longer."""
LIMIT = 1 << 16
"""Bytes that are read of anything."""
FIRST_PAUSE = 0.0002
"""Seconds until the lock is tried again, at first; each time half as long again."""

_WHOLE = struct.pack("hhqqi4x", fcntl.F_WRLCK, 0, 0, 0, 0)
"""struct flock of 64-bit Linux: all of the file."""


class Folder:
    """The folder of a worker, held open: it may be renamed meanwhile.

    Raises:
        OSError: there is none.
    """

    def __init__(self, path: bytes) -> None:
        self._fd = os.open(path, os.O_PATH | os.O_DIRECTORY)
        self._reserved: set[bytes] = set()

    def lock(self, patience: float) -> int:
        """Return a descriptor that holds the instance lock.

        The lock belongs to the open file, not to a process, and F_OFD_GETLK tells whether it is
        held without taking it: a look can never turn away a shim that starts.

        Args:
            patience: seconds that whoever holds it may take to let go.

        Raises:
            OSError: EAGAIN: somebody else holds it.
        """
        fd = os.open(LOCK, os.O_RDWR | os.O_CREAT | os.O_NOFOLLOW, 0o600, dir_fd=self._fd)
        pause = FIRST_PAUSE
        while True:
            try:
                fcntl.fcntl(fd, fcntl.F_OFD_SETLK, _WHOLE)
            except BlockingIOError:
                if patience <= 0:
                    raise
            else:
                return fd
            time.sleep(pause)
            patience -= pause
            pause *= 1.5

    def keep(self, name: bytes, data: bytes, suffix: bytes = b"new") -> bool:
        """Write a record; False when the disk refuses it."""
        beside = b".%s.%s" % (name, suffix)
        try:
            self._write(beside, data)
            os.rename(beside, name, src_dir_fd=self._fd, dst_dir_fd=self._fd)
        except OSError:
            return False
        self._reserved.discard(name)
        return True

    def reserve(self, name: bytes) -> None:
        """Set room aside for the next record of this name, if there is any."""
        if name not in self._reserved:
            try:
                self._write(b".%s.new" % name, bytes(BLOCK))
            except OSError:
                return
            self._reserved.add(name)

    def _write(self, name: bytes, data: bytes) -> None:
        # not truncated first: that would give back the room that was set aside
        flags = os.O_WRONLY | os.O_CREAT | os.O_NOFOLLOW
        fd = os.open(name, flags, 0o600, dir_fd=self._fd)
        try:
            left = data
            while left:
                left = left[os.write(fd, left) :]
            os.ftruncate(fd, len(data))
        finally:
            os.close(fd)

    def content(self, name: bytes) -> bytes:
        """Return what stands in a record; empty when it cannot be read."""
        try:
            fd = os.open(name, os.O_RDONLY | os.O_NOFOLLOW | os.O_NONBLOCK, dir_fd=self._fd)
        except OSError:
            return b""
        return _drained(fd)

    def remove(self, name: bytes) -> bool:
        """Remove a file; False when it was not there, or cannot be removed."""
        try:
            os.unlink(name, dir_fd=self._fd)
        except OSError:
            return False
        return True


class Ends:
    """The ends that a shim saw: on disk, or `pending`."""

    def __init__(self, boot: bytes, folder: Folder) -> None:
        self.pending: list[bytes] = []
        self._boot = boot
        self._folder = folder
        self._counter = oom_counter()
        self._ooms = ooms(self._counter)

    def line(
        self, pid: int, ticks: int, status: int, usage: resource.struct_rusage, *, main: bool
    ) -> bytes:
        """Return what is written of how a process ended."""
        killed = os.WIFSIGNALED(status)
        number = os.WTERMSIG(status) if killed else os.WEXITSTATUS(status)
        return (
            b'{"identity":%s,"ended":{"%s":%d},"wall":%.3f,"main":%s,"cpu_seconds":%.3f,'
            b'"max_rss":%d,"oom":%s}'
            % (
                identity(self._boot, pid, ticks),
                b"signal" if killed else b"code",
                number,
                time.time(),
                _json(truth=main),
                usage.ru_utime + usage.ru_stime,
                usage.ru_maxrss * 1024,
                _json(truth=ooms(self._counter) > self._ooms),
            )
        )

    def add(self, line: bytes) -> None:
        """Write down how a process ended."""
        self.pending.append(line)
        self.flush()

    def renew(self) -> None:
        """Let what the kernel killed until now be no concern of the next program."""
        self._ooms = ooms(self._counter)

    def flush(self, *, beside: bool = False) -> bool:
        """Bring to disk what is not there yet; False when the disk refuses it.

        Args:
            beside: another shim may be writing at the same time.
        """
        if not self.pending:
            return True
        self.pending = bounded(self.pending)
        lines = bounded(self._folder.content(ENDS).splitlines() + self.pending)
        suffix = b"%d" % os.getpid() if beside else b"new"
        kept = self._folder.keep(ENDS, b"\n".join(lines) + b"\n", suffix)
        if kept:
            self.pending = []
        elif beside:
            self._folder.remove(b".%s.%s" % (ENDS, suffix))
        return kept


def bounded(lines: list[bytes]) -> list[bytes]:
    """Return the newest ends; those of programs that were started stay longest."""
    kept = [line for line in lines if line.startswith(b"{")]
    while len(kept) > ENDS_KEPT:
        kept.remove(next((line for line in kept if b'"main":false' in line), kept[0]))
    return kept


def identity(boot: bytes, pid: int, ticks: int) -> bytes:
    """Return who a process is, as JSON."""
    return b'{"boot":"%s","pid":%d,"ticks":%d}' % (boot, pid, ticks)


def ticks_of(pid: int) -> int:
    """Return when a process started, in clock ticks since boot (proc(5), field 22)."""
    raw = read(b"/proc/%d/stat" % pid)
    return int(raw.rpartition(b")")[2].split()[19]) if raw else 0


def size_of(path: bytes) -> int:
    """Return the bytes of a file; 0 when there is none."""
    try:
        return os.stat(path).st_size  # noqa: PTH116 - pathlib is a megabyte
    except OSError:
        return 0


def oom_counter() -> bytes:
    """Return where the kernel counts whom it killed for want of memory: our cgroup, or the host."""
    for line in read(b"/proc/self/cgroup").splitlines():
        path = b"/sys/fs/cgroup%s/memory.events" % line[3:]
        if line.startswith(b"0::/") and b"\noom_kill " in read(path):
            return path
    return b"/proc/vmstat"


def ooms(counter: bytes) -> int:
    """Return how many it killed until now."""
    found = read(counter).partition(b"\noom_kill ")[2]
    return int(found.split(b"\n", 1)[0]) if found else 0


def read(path: bytes) -> bytes:
    """Return what stands in a small file of the kernel; empty when it cannot be read."""
    try:
        return _drained(os.open(path, os.O_RDONLY))
    except OSError:
        return b""


def _drained(fd: int) -> bytes:
    found = b""
    try:
        while len(found) < LIMIT and (part := os.read(fd, LIMIT)):
            found += part
    except OSError:
        return b""
    finally:
        os.close(fd)
    return found


def _json(*, truth: bool) -> bytes:
    return b"true" if truth else b"false"
