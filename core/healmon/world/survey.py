"""What runs on a host and who looks after it, for a starter configuration. Looks, never touches.

What another user wrote is evidence at most: each find carries what makes it one.
"""

from __future__ import annotations

import os
import re
import stat
from collections.abc import Iterable, Iterator
from contextlib import suppress
from pathlib import Path
from typing import Final

import msgspec

from healmon.errors import ProbeError
from healmon.text import clean
from healmon.world import farmounts, notes, procfs, sockets
from healmon.world.processes import Identity

MOST_FILES: Final = 2_000
"""Pid files of one directory that are looked at."""
_UNIT: Final = re.compile(r"/([^/]+\.(?:service|scope))(?:/|$)")
_STARTERS: Final = re.compile(
    r"(user@.*|crond?|atd|anacron|sshd?(@.*)?|getty@.*|docker|containerd|podman.*|healmon.*"
    r"|tmux.*|display-manager|gdm|lightdm|sddm)\.service"
)
"""Services that others start their programs from: systemd looks after them, not after those."""
_LOCAL: Final = frozenset(
    {"ext2", "ext3", "ext4", "xfs", "btrfs", "zfs", "f2fs", "jfs", "reiserfs", "bcachefs", "ntfs3"}
)
"""File systems of a disk of this host."""
_ROOTS: Final = frozenset({"overlay"})
"""What else may lie at `/`: a container's."""
_OWN_PIDS: Final = frozenset({"healmon.pid"})


class PidFile(msgspec.Struct, frozen=True):
    """A file that names a process.

    Attributes:
        owner: uid of the file.
        written: wall seconds.
    """

    path: str
    pid: int
    owner: int
    written: float


class FileSystem(msgspec.Struct, frozen=True):
    """A mounted file system of a disk of this host; sizes in bytes, as a program gets them."""

    path: str
    kind: str
    total: int
    free: int

    @property
    def percent(self) -> float:
        """How full it is."""
        return 100.0 * (self.total - self.free) / self.total if self.total else 0.0


def pid_files(folders: Iterable[str]) -> Iterator[PidFile]:
    """Yield the pid files that lie in these directories themselves."""
    for folder in dict.fromkeys(folders):
        named = sorted(name for name in _names(folder) if name.endswith((".pid", ".lock")))
        for name in named[:MOST_FILES]:
            if name in _OWN_PIDS or not name.isprintable():
                continue  # what cannot be written down is nobody's setting
            path = f"{folder.rstrip('/')}/{name}"
            with suppress(ProbeError, OSError):
                found = os.stat(path)  # noqa: PTH116 - text in
                pid = notes.read_pid(path) if stat.S_ISREG(found.st_mode) else None
                if pid is not None:
                    yield PidFile(path, pid, found.st_uid, found.st_mtime)


def _names(folder: str) -> list[str]:
    try:
        return os.listdir(folder)  # noqa: PTH208 - names
    except OSError:
        return []


def open_paths(identity: Identity) -> frozenset[str]:
    """Return the files with a name that a process has open, as it calls them; empty: not to see."""
    with suppress(ProbeError), procfs.opened(identity.pid) as directory:
        stat_now = procfs.stat_of(directory) if directory is not None else None
        if (
            directory is not None
            and stat_now is not None
            and stat_now.start_ticks == identity.ticks
        ):
            return frozenset(
                path
                for _, path in procfs.open_files(directory)
                if path.startswith("/") and not path.endswith(" (deleted)") and path.isprintable()
            )
    return frozenset()


def environment(identity: Identity) -> dict[str, str]:
    """Return the environment that a process was started with; empty where it may not be read."""
    with suppress(ProbeError), procfs.opened(identity.pid) as directory:
        if directory is not None:
            raw = procfs.read(directory, "environ", procfs.ARGV_LIMIT) or b""
            pairs = (entry.partition(b"=") for entry in raw.split(b"\0") if b"=" in entry)
            return {os.fsdecode(name): os.fsdecode(value) for name, _, value in pairs}
    return {}


def program(identity: Identity) -> str:
    """Return the file that a process runs, links followed; empty where it may not be seen."""
    try:
        return os.readlink(f"/proc/{identity.pid}/exe")  # noqa: PTH115 - procfs
    except OSError:
        return ""


def unit(identity: Identity) -> str:
    """Return the systemd service that a process belongs to; empty: none, a login's or cron's."""
    try:
        text = Path(f"/proc/{identity.pid}/cgroup").read_text("utf-8", "replace")
    except OSError:
        return ""
    names = [name for name in _UNIT.findall(text) if name.endswith(".service")]
    own = [name for name in names if not _STARTERS.match(name)]
    return clean(own[-1]) if own else ""


def file_systems() -> tuple[FileSystem, ...]:
    """Return the file systems of this host's disks, each once, by where they are mounted first.

    Those of other hosts are not even looked at: one that is away would never answer.
    """
    try:
        lines = Path("/proc/self/mountinfo").read_text("utf-8", "surrogateescape").splitlines()
    except OSError:
        return ()
    found: dict[str, FileSystem] = {}
    far = farmounts.Mounts(lines)
    for line in lines:
        known, _, rest = line.partition(" - ")
        fields, kind = known.split(" "), rest.partition(" ")[0]
        if len(fields) < 5 or fields[2] in found or far.far(fields[4]) is not None:
            continue
        if kind not in _LOCAL and not (kind in _ROOTS and fields[4] == "/"):
            continue
        path = re.sub(r"\\([0-7]{3})", lambda octal: chr(int(octal[1], 8)), fields[4])
        with suppress(OSError):
            if not os.path.isdir(path):  # noqa: PTH112 - text; a file that is mounted over another
                continue
            room = os.statvfs(path)
            # as the disks' healer counts: what is reserved or beyond a quota is nobody's
            usable = room.f_blocks - room.f_bfree + room.f_bavail
            size, free = usable * room.f_frsize, room.f_bavail * room.f_frsize
            found[fields[2]] = FileSystem(path, kind, size, free)
    return tuple(sorted(found.values(), key=lambda one: one.path))


def tmux_sockets(folder: str = "") -> tuple[str, ...]:
    """Return the sockets in tmux's own folder of this user: names, or paths if it is another one.

    Args:
        folder: where; default: as tmux finds it.
    """
    place = Path(folder) if folder else sockets.path_of("default").parent
    found: list[str] = []
    for name in sorted(_names(str(place))):
        with suppress(OSError):
            if stat.S_ISSOCK((place / name).stat().st_mode):
                found.append(str(place / name) if folder else name)
    return tuple(found)
