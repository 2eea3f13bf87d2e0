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
_DATABASE: Final = (
    *(".db", ".db3", ".sqlite", *(f".sqlite{digit}" for digit in range(10))),
    *("-wal", "-shm", "-journal"),
)
"""Databases and their logs: closing any descriptor of one drops locks, losing one loses data."""
_TYPE: Final = 0o170000
"""The bits of a mode that say what a file is (inode(7))."""
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
        self._excludes = bool(selection.exclude)
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
        if not self._patterns.match(name, path):
            return False
        # as in a shell, a hidden file must be named as one
        return name[0] != "." or (not name.startswith(OURS) and self._hidden.match(name, path))

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
        if self._excludes and self._exclude.match(name, path):
            return "excluded"
        if self._shield.match(name, path):
            return "shielded"
        mode = inode.mode
        if mode & _TYPE != stat.S_IFREG:
            return "no regular file"
        if name.casefold().endswith(_DATABASE):
            return "database"
        if self._compress and _COMPRESSED.search(name):
            return "compressed"
        if mode & stat.S_ISVTX:
            return "sticky"
        if inode.links > 1:
            return "hard link"
        if self._device is not None and inode.device != self._device:
            return "mount"
        young = self._young
        if inode.modified > young or inode.changed > young or inode.accessed > young:
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
    """Several globs at once; those with a slash are held against the path.

    Most globs over names ask for a beginning or an end, and asking that is faster than a regular
    expression; every name of a tree comes by here.
    """

    def __init__(self, globs: Iterable[str]) -> None:
        globs = tuple(globs)
        names = [glob for glob in globs if "/" not in glob]
        self._ends = tuple(glob[1:] for glob in names if glob[:1] == "*" and _plain(glob[1:]))
        self._begins = tuple(glob[:-1] for glob in names if glob[-1:] == "*" and _plain(glob[:-1]))
        self._whole = frozenset(glob for glob in names if _plain(glob))
        simple = {*self._whole, *(f"*{end}" for end in self._ends)}
        simple.update(f"{begin}*" for begin in self._begins)
        self._names = _compiled(glob for glob in names if glob not in simple)
        self._paths = _compiled(glob.lstrip("/") for glob in globs if "/" in glob)
        self._simple = bool(simple)
        further = {glob for glob in names if glob not in simple}
        begins = {glob[:1] for glob in further}
        self._anything = self._paths is not None or not begins.isdisjoint("*?[")
        self._firsts = frozenset(begins)

    def match(self, name: str, path: str) -> bool:
        if self._simple and (
            name.endswith(self._ends) or name.startswith(self._begins) or name in self._whole
        ):
            return True
        return (self._anything or name[:1] in self._firsts) and self._matched(name, path)

    def _matched(self, name: str, path: str) -> bool:
        if self._names is not None and self._names.match(name):
            return True
        return self._paths is not None and bool(self._paths.match(path))


def _plain(glob: str) -> bool:
    return not set(glob) & set("*?[")


def _last(glob: str) -> str:
    return glob.rpartition("/")[2]


def _compiled(globs: Iterable[str]) -> re.Pattern[str] | None:
    found = [fnmatch.translate(glob) for glob in globs]
    return re.compile("|".join(found)) if found else None
