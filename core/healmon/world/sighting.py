"""What a host has that healmon could look after, seen from outside: nothing is opened or asked.

Databases are told by the names of open files, not by what is in them: closing a file that somebody
has locked in this process would drop the lock.
"""

from __future__ import annotations

import os
import re
from collections.abc import Iterable, Iterator, Mapping
from contextlib import suppress
from pathlib import Path
from typing import Final, NamedTuple

from healmon.errors import ProbeError
from healmon.text import clean
from healmon.world import procfs
from healmon.world.farmounts import OTHER_HOSTS

MOST: Final = 200
"""Files of one sort that are told."""
_NAMED: Final = re.compile(r"\.(?:db|db3|sqlite|sqlite3)$", re.IGNORECASE)
_BESIDE: Final = re.compile(r"-(?:wal|shm|journal)$")
_ESCAPED: Final = re.compile(r"\\([0-7]{3})")
_PID_FILES: Final = ("/run", "/var/run", "/tmp")  # noqa: S108 - where they are, not where to write
_PID_LIMIT: Final = 64
"""Bytes of a pid file; a longer one is none."""
SLACK: Final = 5.0
"""Seconds that a process may be younger than the file that has its pid."""


class FileSystem(NamedTuple):
    """A file system of this machine's own disks; sizes in bytes."""

    mount: str
    percent: float
    free: int


class OpenDatabase(NamedTuple):
    """A file that looks like a SQLite database, and who has it open: (pid, name)."""

    path: str
    users: tuple[tuple[int, str], ...]


class PidFile(NamedTuple):
    """A pid file whose process lives, and is not younger than the file."""

    path: str
    pid: int
    name: str


class Found(NamedTuple):
    """What a pass over all processes showed; `hidden` of them may not be looked into."""

    databases: tuple[OpenDatabase, ...]
    daemons: tuple[PidFile, ...]
    hidden: int


def file_systems() -> tuple[FileSystem, ...]:
    """Return the file systems that lie on disks of this machine, the fullest first."""
    found: dict[int, FileSystem] = {}
    for mount in _local_mounts():
        with suppress(OSError):
            device = os.stat(mount).st_dev  # noqa: PTH116 - text in, number out
            usage = os.statvfs(mount)
            usable = usage.f_blocks - usage.f_bfree + usage.f_bavail
            if not usable or (device in found and len(found[device].mount) <= len(mount)):
                continue
            percent = 100 * (usage.f_blocks - usage.f_bfree) / usable
            free = usage.f_bavail * usage.f_frsize
            found[device] = FileSystem(clean(mount), percent, free)
    return tuple(sorted(found.values(), key=lambda one: (-one.percent, one.mount)))


def _local_mounts() -> Iterator[str]:
    try:
        table = Path("/proc/self/mountinfo").read_text("utf-8", "surrogateescape")
    except OSError:
        return
    for line in table.splitlines():
        known, _, rest = line.partition(" - ")
        fields, kind = known.split(" "), rest.split(" ")
        if len(fields) < 5 or len(kind) < 2 or kind[0] in OTHER_HOSTS:
            continue
        mount = _ESCAPED.sub(lambda found: chr(int(found[1], 8)), fields[4])
        # single files that are mounted, as containers have, are no file systems to watch
        if mount == "/" or (kind[1].startswith("/dev/") and os.path.isdir(mount)):  # noqa: PTH112 - hot
            yield mount


def processes(folders: Iterable[Path], avoid: Path) -> Found:
    """Return databases that are open and pid files whose daemons live.

    Args:
        folders: where pid files may be, besides the usual places.
        avoid: files below this directory are healmon's own.
    """
    users: dict[str, set[tuple[int, str]]] = {}
    names: dict[int, tuple[str, int]] = {}
    hidden, own = 0, os.getpid()
    for pid in _pids():
        if pid == own:
            continue
        try:
            seen = _look(pid)
        except ProbeError:
            hidden += 1
            continue
        if seen is None:
            continue
        stat, paths, allowed = seen
        hidden += not allowed
        name = clean(stat.name, limit=40)
        names[pid] = (name, stat.start_ticks)
        for path in _databases(paths):
            if not Path(path).is_relative_to(avoid):
                users.setdefault(path, set()).add((pid, name))
    databases = [
        OpenDatabase(clean(path), tuple(sorted(who))) for path, who in sorted(users.items())
    ]
    daemons = tuple(_daemons([*map(Path, _PID_FILES), *folders], names))
    return Found(tuple(databases[:MOST]), daemons[:MOST], hidden)


def _pids() -> list[int]:
    try:
        return [int(name) for name in os.listdir("/proc") if name.isdecimal()]  # noqa: PTH208 - names
    except OSError:
        return []


def _look(pid: int) -> tuple[procfs.Stat, list[str], bool] | None:
    """Return a process, its open files, and whether they could be seen; None: none of interest."""
    with procfs.opened(pid) as directory:
        if directory is None:
            return None
        stat = procfs.stat_of(directory)
        if stat is None or stat.flags & procfs.KERNEL_THREAD:
            return None
        paths = [target for _, target in procfs.open_files(directory)]
        allowed = os.access("fd", os.R_OK, dir_fd=directory)
        return stat, paths, allowed


def _databases(paths: Iterable[str]) -> set[str]:
    """Return which of a process's open files are databases, by the names of all of them."""
    files = {path for path in paths if path.startswith("/") and not path.endswith(" (deleted)")}
    bases = {_BESIDE.sub("", path) for path in files if _BESIDE.search(path)}
    return {path for path in files if path in bases or _NAMED.search(path)} | (bases & files)


def _daemons(folders: Iterable[Path], names: Mapping[int, tuple[str, int]]) -> Iterator[PidFile]:
    seen: set[tuple[int, int]] = set()
    for path in _pid_files(folders):
        with suppress(OSError, ValueError, LookupError):
            status = path.stat()
            key = (status.st_dev, status.st_ino)
            if key in seen or status.st_size > _PID_LIMIT:
                continue
            seen.add(key)
            pid = int(path.read_text("ascii").split(maxsplit=1)[0])
            if pid in names and _older(names[pid][1], status.st_mtime):
                yield PidFile(clean(str(path)), pid, names[pid][0])


def _pid_files(folders: Iterable[Path]) -> Iterator[Path]:
    for folder in dict.fromkeys(folders):
        with suppress(OSError):
            for entry in sorted(os.scandir(folder), key=lambda one: one.name):
                if entry.name.endswith(".pid") and entry.is_file(follow_symlinks=False):
                    yield Path(entry.path)
                elif folder.name == "run" and entry.is_dir(follow_symlinks=False):
                    yield from sorted(Path(entry.path).glob("*.pid"))


def _older(start_ticks: int, written: float) -> bool:
    """Tell whether a process began before its pid file was written: else it is somebody else."""
    with suppress(OSError, ValueError, StopIteration):
        lines = Path("/proc/stat").read_text("ascii").splitlines()
        boot = float(next(line for line in lines if line.startswith("btime ")).split()[1])
        return boot + start_ticks / procfs.TICKS_PER_SECOND <= written + SLACK
    return False
