"""One pass over a directory tree, descriptor by descriptor: never by path, never through a link.

Whatever happens to names meanwhile, a directory that was opened stays the one that was opened. It
never leaves the mount it began on, nor goes deeper than anybody's tree has a reason to be, nor
longer than it was allowed to; what was left out is counted by reason.
"""

from __future__ import annotations

import errno
import fcntl
import os
from collections import Counter
from collections.abc import Callable, Generator
from contextlib import closing
from dataclasses import dataclass, field
from itertools import islice, pairwise
from typing import Final, NamedTuple

import msgspec

from healmon.clock import process_seconds
from healmon.world import filecalls
from healmon.world.filedata import BLOCK, Inode, Key, Limits

DEPTH: Final = 200
"""Levels below the root; also the most descriptors that a walk holds."""
CHUNK: Final = 32
"""Names that are told at once, and that are seen between two looks at the time."""
CALLED_OFF: Final = "called off"
_REASONS: Final = {
    errno.ELOOP: "swapped",
    errno.ENOTDIR: "swapped",
    errno.ENOENT: "vanished",
    errno.EXDEV: "mount",
}


class Found(msgspec.Struct, frozen=True, gc=False):
    """A file on the way, and what one stat said of it.

    Attributes:
        directory: descriptor of where it is; valid until the walk goes on to the next chunk.
        name: bytes that are no text are surrogates (os.fsdecode).
        above: path of its directory below the root, with a slash at the end; empty: the root.
        st: what the stat said; `inode` is the same in words.
        newest: the latest of its times, in nanoseconds since the epoch.
        held: bytes that it occupies on the disk.
    """

    directory: int
    name: str
    above: str
    st: os.stat_result
    newest: int
    held: int

    @property
    def path(self) -> str:
        """The path below the root."""
        return self.above + self.name

    @property
    def inode(self) -> Inode:
        """What the stat said."""
        return filecalls.inode_of(self.st)

    @property
    def key(self) -> Key:
        """Which file it is."""
        return self.st.st_dev, self.st.st_ino


def found_of(directory: int, name: str, above: str, st: os.stat_result) -> Found:
    """Return a file of which a stat says what it is."""
    newest = max(st.st_mtime_ns, st.st_ctime_ns, st.st_atime_ns)
    return Found(directory, name, above, st, newest, st.st_blocks * BLOCK)


class Chunk(NamedTuple):
    """A few wanted names of one directory, none of them a directory; nothing of them is read yet.

    Attributes:
        directory: descriptor of where they are; valid until the walk goes on to the next chunk.
        above: path of the directory below the root, with a slash at the end; empty: the root.
    """

    directory: int
    above: str
    entries: list[os.DirEntry[str]]


@dataclass(slots=True)
class _Level:
    """One directory on the way down."""

    fd: int
    path: str
    key: Key
    listed: bool = False
    below: list[tuple[str, int]] = field(default_factory=list[tuple[str, int]])


def _anywhere(name: str, path: str) -> str:
    del name, path
    return ""


def _key_of(fd: int) -> Key:
    st = os.fstat(fd)
    return st.st_dev, st.st_ino


def is_there(directory: int, name: str) -> bool:
    """Return whether a directory has an entry of this name, or it cannot be told."""
    try:
        os.stat(name, dir_fd=directory, follow_symlinks=False)
    except OSError as error:
        # what cannot be asked is not known to be absent
        return error.errno != errno.ENOENT
    return True


class Walk:
    """A pass over everything below a directory.

    Args:
        root: descriptor of the directory; stays open.
        limits: when to stop.
        wants: returns those of some entries that are looked at, by their names and the path of
            their directory (as in `Chunk`); None: all are.
        enters: says why a directory is not entered; empty: it is.
        avoid: directories that are never entered.
        locking: hold a lock on each directory while in it, and keep out of those that others
            have locked (flock(2)): how programs keep cleaners away.
        stop: asked before each directory and each chunk; True ends the walk.
        optout: a file of this name keeps its directory from being entered; empty: none does.

    Attributes:
        skipped: what was left out, by reason.
        stopped: why the walk ended early; empty: it did not.
        held: bytes that the directories themselves occupy.
        entries: how many names were seen.
    """

    def __init__(
        self,
        root: int,
        limits: Limits,
        *,
        wants: Callable[[list[os.DirEntry[str]], str], list[os.DirEntry[str]]] | None = None,
        enters: Callable[[str, str], str] = _anywhere,
        avoid: frozenset[Key] = frozenset(),
        locking: bool = False,
        stop: Callable[[], bool] | None = None,
        optout: str = "",
    ) -> None:
        self.skipped: Counter[str] = Counter()
        self.stopped = ""
        self.held = 0
        self.entries = 0
        self._root = root
        self._wants = wants
        self._enters = enters
        self._avoid = avoid
        self._locking = locking
        self._stop = stop
        self._optout = optout
        self._limits = limits
        self._stack: list[_Level] = []
        self._most = limits.entries
        self._until = process_seconds() + limits.seconds

    def __iter__(self) -> Generator[Found]:
        """Pass over all wanted files once; close the generator when leaving it early."""
        with closing(self.chunks()) as chunks:
            for directory, above, entries in chunks:
                for entry in entries:
                    try:
                        st = entry.stat(follow_symlinks=False)
                    except OSError as error:
                        self.lost(error)
                    else:
                        yield found_of(directory, entry.name, above, st)

    def chunks(self) -> Generator[Chunk]:
        """Pass over all wanted names once, a few of one directory at a time; none is empty."""
        stack = self._stack = []
        try:
            root = filecalls.again(self._root)
            stack.append(_Level(root, "", _key_of(root)))
            if not self._admits(root):
                return
            while stack and not self.stopped:
                level = stack[-1]
                if not level.listed:
                    level.listed = True
                    yield from self._list(level)
                    level.below.sort(reverse=True)
                elif level.below:
                    name, number = level.below.pop()
                    self._descend(stack, name, number)
                else:
                    os.close(stack.pop().fd)
        finally:
            for level in stack:
                os.close(level.fd)

    def _list(self, level: _Level) -> Generator[Chunk]:
        above, wants = level.path, self._wants
        try:
            with os.scandir(level.fd) as entries:
                if self._spent():
                    return
                while some := list(islice(entries, min(CHUNK, self._most - self.entries + 1))):
                    self.entries += len(some)
                    if self.entries > self._most:
                        del some[-1]
                    files = [one for one in some if not one.is_dir(follow_symlinks=False)]
                    if len(files) < len(some):
                        below = (one for one in some if one.is_dir(follow_symlinks=False))
                        level.below += [(one.name, one.inode()) for one in below]
                    if files and wants is not None:
                        files = wants(files, above)
                    if files:
                        if not self.in_place():
                            self.skipped["moved"] += 1
                            return
                        yield Chunk(level.fd, above, files)
                    if self._spent():
                        return
        except OSError as error:
            self.lost(error)

    def _descend(self, stack: list[_Level], name: str, number: int) -> None:
        path = f"{stack[-1].path}{name}"
        kept = "deep" if len(stack) > DEPTH else self._enters(name, path)
        if kept:
            self.skipped[kept] += 1
            return
        try:
            fd = filecalls.open_directory(stack[-1].fd, name)
        except OSError as error:
            self.lost(error)
            return
        try:
            # a mount point shows the number of the directory below it: but those are refused
            admitted = self._admits(fd, number)
        except BaseException:
            os.close(fd)
            raise
        if admitted:
            stack.append(_Level(fd, f"{path}/", _key_of(fd)))
        else:
            os.close(fd)

    def _admits(self, fd: int, number: int | None = None) -> bool:
        st = os.fstat(fd)
        if number is not None and st.st_ino != number:
            self.skipped["swapped"] += 1
            return False
        if (st.st_dev, st.st_ino) in self._avoid:
            self.skipped["own"] += 1
            return False
        if self._optout and is_there(fd, self._optout):
            self.skipped["opted out"] += 1
            return False
        if self._locking:
            try:
                fcntl.flock(fd, fcntl.LOCK_EX | fcntl.LOCK_NB)
            except OSError as error:
                locked = isinstance(error, BlockingIOError)
                self.skipped["locked" if locked else "unknown"] += 1
                return False
        self.held += st.st_blocks * BLOCK
        return True

    def in_place(self) -> bool:
        """Return whether the directory that the walk is in is still below the root.

        A descriptor goes along with a directory that somebody moves elsewhere.
        """
        for above, level in pairwise(self._stack):
            try:
                st = os.stat("..", dir_fd=level.fd)
            except OSError:
                return False
            if (st.st_dev, st.st_ino) != above.key:
                return False
        return True

    def lost(self, error: OSError) -> None:
        """Count something on the way that could not be looked at."""
        self.skipped[_REASONS.get(error.errno or 0, "unreadable")] += 1

    def _spent(self) -> bool:
        if self.entries > self._most:
            self.stopped = f"stopped after {self._limits.entries} entries"
        elif process_seconds() > self._until:
            self.stopped = f"stopped after {self._limits.seconds:g} s"
        elif self._stop is not None and self._stop():
            self.stopped = CALLED_OFF
        return bool(self.stopped)
