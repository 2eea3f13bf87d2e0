"""Which files a rule means, and why one of them stays. Pure; the same for real and simulated.

What a name or a stat can tell is told here. What only asking the file itself can tell (is it in
use, is it still the same) is in `fileuse` and `removal`.
"""

from __future__ import annotations

import fnmatch
import re
import stat
from collections.abc import Iterable
from typing import Final

from healmon.world.filedata import FOREVER, Inode, Selection

OURS: Final = ".healmon-trash-"
"""How the names of healmon's own directories of files put aside begin."""
OPT_OUT: Final = ".healmon-keep"
"""A file of this name keeps its directory and all below it from every rule."""
SHIELDED: Final = (
    *("*.pid", "*.lock", "*.lck", "*.sock", ".X*-lock", ".X11-unix", ".ICE-unix", ".XIM-unix"),
    *(".font-unix", ".Test-unix", "systemd-private-*", "snap-private-tmp", "ssh-*", "tmux-*"),
)
"""Programs find these again by name without holding them open; a rule must name one to take it."""
_DATABASE: Final = re.compile(r"(\.db3?|\.sqlite[0-9]?|-wal|-shm|-journal)\Z", re.IGNORECASE)
"""Databases and their logs: closing any descriptor of one drops locks, losing one loses data."""
_COMPRESSED: Final = re.compile(r"\.(gz|tgz|bz2|xz|zst|lz4|zip|7z)\Z", re.IGNORECASE)


class Matcher:
    """Judges names and inodes for one selection.

    Args:
        selection: the rule.
        when: wall seconds that count as now.
    """

    def __init__(self, selection: Selection, when: float) -> None:
        self._patterns = _Globs(selection.patterns)
        self._hidden = _Globs(glob for glob in selection.patterns if _last(glob).startswith("."))
        self._exclude = _Globs(selection.exclude)
        named = set(selection.patterns)
        self._shield = _Globs(glob for glob in SHIELDED if glob not in named)
        self._recursive = selection.recursive
        self._device = selection.device
        self._compress = selection.compress
        self._larger = selection.larger_than
        self._smaller = selection.smaller_than or FOREVER
        self._owners = frozenset(selection.owners)
        self._picky = bool(self._owners or self._larger or selection.smaller_than)
        # no float carries nanoseconds since the epoch exactly: subtract first
        self._young = int((when - selection.older_than) * 1e6) * 1000
        self._live = selection.live
        if selection.live:
            self._young = FOREVER

    def wants(self, name: str, path: str) -> bool:
        """Return whether a rule names this file.

        Args:
            name: its name; bytes that are no text are surrogates.
            path: the path below the root.
        """
        if name.startswith(OURS) or not self._patterns.match(name, path):
            return False
        # as in a shell, a hidden file must be named as one
        return not name.startswith(".") or self._hidden.match(name, path)

    def bars(self, name: str, path: str) -> str:
        """Return why the name alone keeps a file or a directory; empty: it does not."""
        if self._exclude.match(name, path):
            return "excluded"
        if self._shield.match(name, path):
            return "shielded"
        return ""

    def enters(self, name: str, path: str) -> str:
        """Return why a directory is not entered; empty: it is."""
        if not self._recursive:
            return "not recursive"
        return "own" if name.startswith(OURS) else self.bars(name, path)

    def keeps(self, name: str, path: str, inode: Inode) -> str:  # noqa: PLR0911 - one reason each
        """Return why a file that the rule names stays; empty: it is due."""
        barred = self.bars(name, path)
        if barred:
            return barred
        if not stat.S_ISREG(inode.mode):
            return "no regular file"
        if _DATABASE.search(name):
            return "database"
        if self._compress and _COMPRESSED.search(name):
            return "compressed"
        if inode.mode & stat.S_ISVTX:
            return "sticky"
        if inode.links > 1:
            return "hard link"
        if self._device is not None and inode.device != self._device:
            return "mount"
        if inode.newest > self._young:
            return "young"
        return self._differs(inode) if self._picky else ""

    def _differs(self, inode: Inode) -> str:
        """Return why a file is none of those that the rule means; empty: it is."""
        if self._owners and inode.owner not in self._owners:
            return "other owner"
        # the front of a live log may be a hole that an earlier cut has left
        size = min(inode.size, inode.held) if self._live else inode.size
        if self._larger and size <= self._larger:
            return "small"
        return "large" if size >= self._smaller else ""


class _Globs:
    """Several globs at once; those with a slash are held against the path."""

    def __init__(self, globs: Iterable[str]) -> None:
        globs = tuple(globs)
        self._names = _compiled(glob for glob in globs if "/" not in glob)
        self._paths = _compiled(glob.lstrip("/") for glob in globs if "/" in glob)

    def match(self, name: str, path: str) -> bool:
        if self._names is not None and self._names.match(name):
            return True
        return self._paths is not None and bool(self._paths.match(path))


def _last(glob: str) -> str:
    return glob.rpartition("/")[2]


def _compiled(globs: Iterable[str]) -> re.Pattern[str] | None:
    found = [fnmatch.translate(glob) for glob in globs]
    return re.compile("|".join(found)) if found else None
