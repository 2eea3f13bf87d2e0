"""Disks and files that live in memory."""

from __future__ import annotations

import stat
from collections import Counter
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, field

from healmon.world.filedata import Deed, Inode, Key, Selection, Space, Swept, Tally, Trashed
from healmon.world.filematch import OPT_OUT, Matcher
from healmon.world.roots import shut_between


@dataclass(slots=True)
class Disk:
    """A mounted disk, in bytes and inodes."""

    number: int
    size: int
    reserved: int
    inodes: int
    lazy: bool
    readonly: bool = False
    others: int = 0
    unsettled: int = 0

    def space(self, mount: str, real: str, held: int, files: int) -> Space:
        """Return how full it is, with so many bytes and files on it."""
        return Space(
            device=self.number,
            fsid=self.number,
            kind="simulated",
            mount=mount,
            real=real,
            readonly=self.readonly,
            size=self.size,
            used=min(held, self.size),
            available=max(0, self.size - self.reserved - held),
            inodes=self.inodes,
            inodes_free=max(0, self.inodes - files),
        )


@dataclass(slots=True)
class File:
    """A file, under one or several names."""

    number: int
    held: int
    newest: int
    mode: int = stat.S_IFREG | 0o644
    links: int = 1
    use: str = ""
    owner: int = 0

    def inode(self, device: int) -> Inode:
        """Return what a stat says of it."""
        times = (self.newest, self.newest, self.newest)
        sizes = (self.held, self.held)
        return Inode(device, self.number, self.mode, self.links, *sizes, *times, self.owner)


@dataclass(slots=True)
class Aside:
    """A file that was set aside."""

    file: File
    origin: str
    disk: str
    place: str
    deed: Deed
    when: float
    swapped: bool = False

    @property
    def names(self) -> tuple[str, str]:
        """Its own, and that of the sweep that put it aside."""
        return f"{self.file.number:x}", f"{int(self.when * 1e9):x}"

    def told(self, rule: str) -> Trashed:
        """Return what can be told of it."""
        name, run = self.names
        return Trashed(
            id=name,
            run=run,
            path=self.origin,
            place=self.place,
            rule=rule,
            held=self.file.held,
            modified=self.file.newest / 1e9,
            when=self.when,
        )


@dataclass(slots=True)
class Run:
    """What one sweep took so far."""

    taken: Tally = field(default_factory=Tally)
    kept: Counter[str] = field(default_factory=Counter[str])
    names: list[str] = field(default_factory=list[str])
    passed: set[Key] = field(default_factory=set[Key])

    def told(self, rule: str, partial: str) -> Swept:
        """Return what can be told of it."""
        return Swept(
            rule=rule,
            taken=self.taken,
            kept=dict(self.kept),
            names=tuple(self.names[:20]),
            passed=frozenset(self.passed),
            partial=partial,
        )


def staying(
    files: dict[str, File], selection: Selection, when: float, root: str, at: str, inode: Inode
) -> str:
    """Return why a file below a root stays, which a rule names; empty: it goes."""
    path = at.removeprefix(f"{root}/")
    matcher = Matcher(selection, when)
    reason = matcher.keeps(path.rpartition("/")[2], path, inode)
    if not reason and at in selection.protected:
        return "protected"
    count = selection.keep_newest
    newest = _newest_beside(files, root, at, matcher.wants, count) if count else ()
    return reason or ("newest" if inode.number in newest else "")


def _newest_beside(
    files: dict[str, File], root: str, at: str, wants: Callable[[str, str], bool], count: int
) -> frozenset[int]:
    """Return the numbers of the newest files that a rule names in the directory of one."""
    folder = at.rpartition("/")[0]
    beside = [
        (file.newest, file.number)
        for other, file in files.items()
        if other.rpartition("/")[0] == folder
        and wants(other.rpartition("/")[2], other.removeprefix(f"{root}/"))
    ]
    return frozenset(number for _, number in sorted(beside, reverse=True)[:count])


def matching(
    files: Mapping[str, File],
    known: Mapping[str, File],
    root: str,
    selection: Selection,
    matcher: Matcher,
) -> Iterator[str]:
    """Pass over the files below a root that a rule names, and that nothing above keeps from it.

    Args:
        files: those below the root.
        known: all files.
        root: the directory.
        selection: the rule.
        matcher: made of it.
    """
    if shut_between(root, selection.named, matcher.enters):
        return
    upper = [root[:end] for end, mark in enumerate(root) if mark == "/"]
    for at in sorted(files):
        path = at.removeprefix(f"{root}/")
        above = path.split("/")[:-1]
        parts = [(name, "/".join(above[: n + 1])) for n, name in enumerate(above)]
        barred = any(matcher.enters(*part) for part in parts)
        barred |= any(at.startswith(f"{own}/") for own in selection.protected)
        folders = [*upper, root, *(f"{root}/{'/'.join(above[: n + 1])}" for n in range(len(above)))]
        barred |= any(f"{folder}/{OPT_OUT}" in known for folder in folders)
        if not barred and matcher.wants(path.rpartition("/")[2], path):
            yield at
