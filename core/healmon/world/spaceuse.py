"""Who holds the space of a file system: its biggest directories and files, and deleted ones.

Looks only: directories through the safe walk, processes through /proc. Nothing is opened but
directories.
"""

from __future__ import annotations

import heapq
import os
import stat
from collections.abc import Callable, Iterator
from contextlib import closing

import msgspec

from healmon.clock import process_seconds
from healmon.errors import ProbeError
from healmon.text import clean
from healmon.world import farmounts
from healmon.world.filedata import BLOCK, Key, Limits
from healmon.world.filewalk import Walk

DEPTH = 6
"""Levels of directories that are told apart."""
MOST_DIRECTORIES = 20_000
"""Directories whose sums are kept; what lies in further ones counts for those above."""
SHARE = 0.8
"""A directory of which one below holds this much is left out for that one."""
DELETED = " (deleted)"
_TOLD = 5000
"""Entries between two reports of progress."""


class Part(msgspec.Struct, frozen=True, kw_only=True):
    """A directory with all below it, or a file: bytes on the disk. `path` is cleaned."""

    path: str
    held: int
    key: Key = (0, 0)


class Breakdown(msgspec.Struct, frozen=True, kw_only=True):
    """What a tree holds; `partial`: why not all was seen."""

    device: int
    held: int
    entries: int
    directories: tuple[Part, ...]
    files: tuple[Part, ...]
    partial: str = ""


class Opened(msgspec.Struct, frozen=True, kw_only=True):
    """A file that a process has open: bytes on the disk; `deleted`: it has no name any more."""

    pid: int
    command: str
    fd: int
    path: str
    held: int
    key: Key
    deleted: bool


def breakdown(
    path: str, limits: Limits, most: int = 10, progress: Callable[[int], None] | None = None
) -> Breakdown:
    """Return the biggest directories and files below a directory, on its own mount. Blocks.

    Args:
        path: where.
        limits: how far the walk may go.
        most: how many of each.
        progress: told from time to time how many entries were seen.

    Raises:
        ProbeError: the directory cannot be read.
    """
    try:
        root = os.open(path, os.O_RDONLY | os.O_DIRECTORY | os.O_CLOEXEC)
    except OSError as error:
        raise ProbeError(f"{clean(path)}: {error.strerror}") from error
    sums: dict[str, int] = {"": 0}
    biggest: list[tuple[int, str, Key]] = []
    several: set[Key] = set()
    try:
        walk = Walk(root, limits)
        with closing(iter(walk)) as files:
            for number, found in enumerate(files, 1):
                key, held = found.key, found.held
                if progress is not None and number % _TOLD == 0:
                    progress(walk.entries)
                if found.st.st_nlink > 1:
                    if key in several:
                        continue
                    several.add(key)
                _add(sums, found.path, held)
                if len(biggest) < most:
                    heapq.heappush(biggest, (held, found.path, key))
                elif held > biggest[0][0]:
                    heapq.heapreplace(biggest, (held, found.path, key))
        device = os.fstat(root).st_dev
    finally:
        os.close(root)
    base = path.rstrip("/")
    unseen = walk.skipped["unreadable"] + walk.skipped["deep"]
    partial = walk.stopped or (f"{unseen} directories could not be read" if unseen else "")
    return Breakdown(
        device=device,
        held=sums[""] + walk.held,
        entries=walk.entries,
        directories=tuple(
            Part(path=clean(f"{base}/{name}", limit=300), held=held)
            for name, held in told(sums, most)
        ),
        files=tuple(
            Part(path=clean(f"{base}/{name}", limit=300), held=held, key=key)
            for held, name, key in sorted(biggest, reverse=True)
        ),
        partial=partial,
    )


def _add(sums: dict[str, int], path: str, held: int) -> None:
    sums[""] += held
    at = path.find("/")
    for _ in range(DEPTH):
        if at < 0:
            return
        name = path[:at]
        if name in sums:
            sums[name] += held
        elif len(sums) < MOST_DIRECTORIES:
            sums[name] = held
        else:
            return
        at = path.find("/", at + 1)


def told(sums: dict[str, int], most: int) -> list[tuple[str, int]]:
    """Return the biggest directories; one that is mostly one below it gives way to that one."""
    below: dict[str, int] = {}
    for name, held in sums.items():
        if name:
            above = name.rpartition("/")[0]
            below[above] = max(below.get(above, 0), held)
    kept = [
        (name, held)
        for name, held in sums.items()
        if name and held and below.get(name, 0) < held * SHARE
    ]
    return heapq.nlargest(most, kept, key=lambda one: one[1])


def opened(device: int, wanted: frozenset[Key] = frozenset(), seconds: float = 5.0) -> list[Opened]:
    """Return deleted files of a device that are still open, and who has others open. Blocks.

    Processes that may not be read are passed over: what they hold stays unexplained.

    Args:
        device: the file system.
        wanted: files, besides deleted ones, whose holders are asked for.
        seconds: when to stop.
    """
    until = process_seconds() + seconds
    found: list[Opened] = []
    seen = farmounts.Seen()
    for name in os.listdir("/proc"):  # noqa: PTH208 - names; hot
        if process_seconds() > until:
            break
        if name.isdecimal():
            found += _opened_by(int(name), device, wanted, seen)
    found.sort(key=lambda one: (-one.held, one.pid, one.fd))
    return found


def _opened_by(
    pid: int, device: int, wanted: frozenset[Key], mounted: farmounts.Seen
) -> Iterator[Opened]:
    command = ""
    try:
        numbers = os.listdir(f"/proc/{pid}/fd")  # noqa: PTH208 - names; hot
    except OSError:
        return
    seen: set[Key] = set()
    mounts = mounted.by(str(pid))
    for number in numbers:
        place = f"/proc/{pid}/fd/{number}"
        try:
            path = os.readlink(place)  # noqa: PTH115 - hot
            deleted = path.endswith(DELETED)
            if not path.startswith("/") or not (deleted or wanted):
                continue
            if mounts.far(path) not in {None, device}:
                continue
            st = os.stat(place)  # noqa: PTH116 - hot
        except OSError:
            continue
        key = (st.st_dev, st.st_ino)
        deleted = deleted and st.st_nlink == 0
        if st.st_dev != device or not stat.S_ISREG(st.st_mode) or key in seen:
            continue
        if not deleted and key not in wanted:
            continue
        seen.add(key)
        command = command or _command(pid)
        yield Opened(
            pid=pid,
            command=command,
            fd=int(number),
            path=clean(path.removesuffix(DELETED), limit=300),
            held=st.st_blocks * BLOCK,
            key=key,
            deleted=deleted,
        )


def _command(pid: int) -> str:
    try:
        with open(f"/proc/{pid}/comm", encoding="utf-8", errors="replace") as file:  # noqa: PTH123 - proc
            return clean(file.read().strip(), limit=40) or "?"
    except OSError:
        return "?"
