"""Reading /proc by hand (proc(5)): a directory descriptor pins the process, then plain reads.

All files read through one descriptor belong to one process: once that is gone they cannot be
read any more, whoever has its pid by then.
"""

from __future__ import annotations

import os
import select
from collections.abc import Iterator
from contextlib import AbstractContextManager, suppress
from functools import lru_cache
from typing import Final, NamedTuple

from healmon.errors import ProbeError
from healmon.text import clean
from healmon.world.processes import DEAD, Identity, Origin, ProcessFacts, Work

TICKS_PER_SECOND = os.sysconf("SC_CLK_TCK")
PAGE = os.sysconf("SC_PAGE_SIZE")
PID_MAX = 1 << 22
"""The kernel's own upper limit of pids (PID_MAX_LIMIT)."""
KERNEL_THREAD = 0x00200000
"""PF_KTHREAD of the kernel's sched.h, in field 9 of `stat`."""
_NUMBERS: Final = (b"\nPid:\t", b"\nTgid:\t")
ARGV_LIMIT = 1 << 18
"""Bytes of a command line that are read; a title may be megabytes long."""
OPEN_FILES = 1024
"""Open files of a process that are looked at."""
SHORT = 1_024
"""Bytes of a command line that is kept in mind."""
NAMESPACES_KEPT = 512
"""Processes whose namespaces are kept in mind."""
ARGUMENT_SHOWN = 1_000
"""Characters of one argument that are kept for people."""


class Stat(NamedTuple):
    """The fields of /proc/PID/stat that are used here; sizes in the kernel's units."""

    pid: int
    name: bytes
    state: str
    parent: int
    group: int
    session: int
    tty: int
    flags: int
    cpu_ticks: int
    start_ticks: int
    rss_pages: int


def parse_stat(raw: bytes) -> Stat:
    """Return the fields of one `stat` line; the name may hold spaces, parentheses, line ends."""
    head, _, tail = raw.rpartition(b")")
    pid, _, name = head.partition(b" (")
    field = tail.split(None, 22)  # field[0] is number 3 of proc(5); the last one is the rest
    state = field[0].decode("ascii")
    if state in DEAD and int(field[17]) > 1:
        state = "S"  # only its first thread has ended; the process works on
    return Stat(
        pid=int(pid),
        name=name,
        state=state,
        parent=int(field[1]),
        group=int(field[2]),
        session=int(field[3]),
        tty=int(field[4]),
        flags=int(field[6]),
        cpu_ticks=int(field[11]) + int(field[12]),
        start_ticks=int(field[19]),
        rss_pages=int(field[21]),
    )


class _Opened:
    """See `opened`; by hand, since each round opens dozens."""

    __slots__ = ("_directory", "_pid")

    def __init__(self, pid: int) -> None:
        self._pid = pid
        self._directory: int | None = None

    def __enter__(self) -> int | None:
        if 0 < self._pid <= PID_MAX:
            self._directory = _open(self._pid, "", os.O_PATH | os.O_DIRECTORY | os.O_CLOEXEC)
        return self._directory

    def __exit__(self, *_: object) -> None:
        if self._directory is not None:
            os.close(self._directory)


def opened(pid: int) -> AbstractContextManager[int | None]:
    """Give a descriptor of the directory of a process; None when nobody has the pid.

    Raises:
        ProbeError: there is such a process and /proc does not show it.
    """
    return _Opened(pid)


def _open(pid: int, file: str, flags: int) -> int | None:
    path = f"/proc/{pid}{file}"
    try:
        return os.open(path, flags)
    except FileNotFoundError:
        if _hidden(pid):
            message = f"process {pid} exists but /proc does not show it"
            raise ProbeError(message, remedy="mounted with hidepid? run healmon as root") from None
        return None
    except ProcessLookupError:
        return None
    except OSError as error:
        raise ProbeError(f"{path}: {error.strerror}") from error


def _hidden(pid: int) -> bool:
    try:
        pidfd = os.pidfd_open(pid)
    except OSError:
        return False
    try:
        poll = select.poll()
        poll.register(pidfd, select.POLLIN)
        ended = bool(poll.poll(0))
    finally:
        os.close(pidfd)
    # it may have been born between the two calls
    return not ended and not os.path.exists(f"/proc/{pid}")  # noqa: PTH110 - a path per pid is dear


def read(directory: int, name: str, limit: int = 4096) -> bytes | None:
    """Return up to `limit` bytes (4096 at least) of a file of a process; None when it has ended.

    Raises:
        ProbeError: the file may not be read.
    """
    try:
        fd = os.open(name, os.O_RDONLY | os.O_CLOEXEC, dir_fd=directory)
    except (FileNotFoundError, ProcessLookupError):
        return None
    except OSError as error:
        raise ProbeError(f"/proc/…/{name}: {error.strerror}") from error
    return _read_and_close(fd, name, limit)


def _read_and_close(fd: int, name: str, limit: int = 4096) -> bytes | None:
    try:
        data = os.read(fd, 4096)
        return data if len(data) < 4096 else _with_rest(fd, data, limit)
    except ProcessLookupError:
        return None
    except OSError as error:
        raise ProbeError(f"/proc/…/{name}: {error.strerror}") from error
    finally:
        os.close(fd)


def _with_rest(fd: int, data: bytes, limit: int) -> bytes:
    parts, size = [data], len(data)
    while size < limit and (data := os.read(fd, min(limit - size, 1 << 16))):
        parts.append(data)
        size += len(data)
    return b"".join(parts)


def stat_of(directory: int) -> Stat | None:
    """Return the `stat` of a process; None when it has ended and was reaped."""
    raw = read(directory, "stat")
    return parse_stat(raw) if raw else None


def stat_by(pid: int) -> Stat | None:
    """Return the `stat` of whoever has a pid; None when nobody has.

    Raises:
        ProbeError: there is such a process and /proc does not show it.
    """
    raw = raw_stat(pid)
    return parse_stat(raw) if raw else None


def raw_stat(pid: int) -> bytes | None:
    """Return the `stat` line of whoever has a pid; None when nobody has.

    Raises:
        ProbeError: there is such a process and /proc does not show it.
    """
    if not 0 < pid <= PID_MAX:
        return None
    fd = _open(pid, "/stat", os.O_RDONLY | os.O_CLOEXEC)
    return _read_and_close(fd, "stat") if fd is not None else None


def leads(directory: int) -> bool:
    """Return whether this is a process and not just one of its threads."""
    status = read(directory, "status")
    if status is None:
        return False
    own, first = (status.partition(name)[2].partition(b"\n")[0] for name in _NUMBERS)
    return own == first


def of_kernel(raw: bytes | None) -> bool:
    """Return whether a `stat` line is of a thread of the kernel."""
    return bool(raw and int(raw.rpartition(b")")[2].split(None, 7)[6]) & KERNEL_THREAD)


def facts_at(
    directory: int, boot: str, uptime: float, raw: bytes | None = None
) -> ProcessFacts | None:
    """Return one look at a process; None when it has ended and was reaped.

    Args:
        directory: from `opened`.
        boot: id of this boot.
        uptime: seconds on the boot clock now.
        raw: its `stat`, if that has been read just now.
    """
    raw = raw or read(directory, "stat")
    if not raw:
        return None
    stat = parse_stat(raw)
    kernel = stat.flags & KERNEL_THREAD
    return ProcessFacts(
        identity=Identity(boot, stat.pid, stat.start_ticks),
        parent=stat.parent,
        state=stat.state,
        name=_name(stat.name),
        command=_command(directory) if not kernel else (),
        cpu_seconds=stat.cpu_ticks / TICKS_PER_SECOND,
        rss=stat.rss_pages * PAGE,
        age=max(0.0, uptime - stat.start_ticks / TICKS_PER_SECOND),
        uid=os.fstat(directory).st_uid,
        tty=stat.tty,
        namespace=_namespace(directory, stat) if not kernel else 0,
        group=stat.group,
        session=stat.session,
    )


def argv_of(directory: int) -> list[bytes]:
    """Return the arguments of a process as they stand there now; empty when there are none."""
    return _parts(read(directory, "cmdline", ARGV_LIMIT) or b"")


def _parts(raw: bytes) -> list[bytes]:
    # a process that rewrote its title may have filled the rest with NULs, or left out the last one
    return raw.rstrip(b"\0").split(b"\0") if raw.strip(b"\0") else []


def _command(directory: int) -> tuple[str, ...]:
    raw = read(directory, "cmdline", ARGV_LIMIT) or b""
    return _known_words(raw) if len(raw) <= SHORT else _words(raw)


def _words(raw: bytes) -> tuple[str, ...]:
    return tuple(clean(part, limit=ARGUMENT_SHOWN) for part in _parts(raw))


# who is looked at in each round says the same each time
_known_words = lru_cache(maxsize=64)(_words)
_name = lru_cache(maxsize=64)(clean)


def work_at(directory: int) -> Work:
    """Return what a process has done so far and waits for; what may not be read stays unknown."""
    io: int | None = None
    waits = ""
    with suppress(ProbeError, ValueError):
        fields = dict(line.split(b": ", 1) for line in (read(directory, "io") or b"").splitlines())
        if fields:
            io = int(fields[b"rchar"]) + int(fields[b"write_bytes"])
    with suppress(ProbeError):
        waits = clean(read(directory, "wchan") or b"", limit=80)
    return Work(io, "" if waits == "0" else waits)


def open_files(directory: int) -> Iterator[tuple[str, str]]:
    """Return number and target of the open files of a process; none that may not be seen."""
    with suppress(OSError):
        fd = os.open("fd", os.O_RDONLY | os.O_DIRECTORY | os.O_CLOEXEC, dir_fd=directory)
        try:
            for number in os.listdir(fd)[:OPEN_FILES]:  # noqa: PTH208 - a descriptor is no path
                with suppress(OSError):
                    yield number, os.readlink(number, dir_fd=fd)
        finally:
            os.close(fd)


def open_count(directory: int) -> int | None:
    """Return how many files a process has open; None when that may not be seen."""
    with suppress(OSError):
        fd = os.open("fd", os.O_RDONLY | os.O_DIRECTORY | os.O_CLOEXEC, dir_fd=directory)
        try:
            return len(os.listdir(fd))  # noqa: PTH208 - a descriptor is no path
        finally:
            os.close(fd)
    return None


def children_of(pid: int) -> set[int]:
    """Return the pids of the children that the first thread of a process has; none when unknown."""
    try:
        with open(f"/proc/{pid}/task/{pid}/children", "rb") as file:  # noqa: PTH123 - a path per pid is dear
            return {int(child) for child in file.read().split()}
    except OSError:
        return set()


def origin_at(directory: int) -> Origin | None:
    """Return what a process was started as; None when it has ended."""
    argv = argv_of(directory)
    if not argv:
        return None
    return Origin(tuple(os.fsdecode(part) for part in argv), tuple(_directories(directory)))


def _directories(directory: int) -> Iterator[str]:
    with suppress(OSError):
        yield os.readlink("cwd", dir_fd=directory)
    with suppress(ProbeError):
        for entry in (read(directory, "environ", ARGV_LIMIT) or b"").split(b"\0"):
            if entry.startswith(b"PWD=/"):
                yield os.fsdecode(entry[4:])
                return


def _namespace(directory: int, stat: Stat) -> int:
    """Return the inode of its pid namespace, which never changes; see pid_namespaces(7)."""
    who = stat.pid, stat.start_ticks
    found = _NAMESPACES.get(who)  # asked once: another thread may forget all of them meanwhile
    if found is None:
        try:
            found = os.stat("ns/pid", dir_fd=directory).st_ino
        except OSError:
            return 0  # needs the right to trace it
        if len(_NAMESPACES) >= NAMESPACES_KEPT:
            _NAMESPACES.clear()
        _NAMESPACES[who] = found
    return found


_NAMESPACES: Final[dict[tuple[int, int], int]] = {}
