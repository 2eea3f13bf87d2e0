"""Which files a rule means, and why one of them stays. Pure; the same for real and simulated.

What a name or a stat can tell is told here. What only asking the file itself can tell (is it in
use, is it still the same) is in `fileuse` and `removal`.
"""

from __future__ import annotations

import fnmatch
import os
import re
import stat
from collections.abc import Iterable
from typing import Final, NamedTuple

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
UNDATED: Final = 1_000_000_000 * 10**9
"""Nanoseconds since the epoch (in 2001): what bears an earlier time was written by a host whose
clock had not been set yet, and nobody knows how old it is."""
_DATABASE: Final = (
    *(".db", ".db3", ".sqlite", *(f".sqlite{digit}" for digit in range(10))),
    *("-wal", "-shm", "-journal"),
)
"""Databases and their logs: closing any descriptor of one drops locks, losing one loses data."""
_DATABASE_LASTS: Final = frozenset("".join(end[-1] + end[-1].upper() for end in _DATABASE))
"""No other character is folded to the last of one of these ends."""
_ASCII: Final = frozenset(map(chr, range(0x21, 0x7F)))
_TYPE: Final = 0o170000
"""The bits of a mode that say what a file is (inode(7))."""
_COMPRESSED: Final = re.compile(r"\.(gz|tgz|bz2|xz|zst|lz4|zip|7z)\Z", re.IGNORECASE)


class Plain(NamedTuple):
    """What a file that is plainly due has in common with most: asked of it before `keeps` is.

    Attributes:
        young: nanoseconds since the epoch after which nothing may have happened to it.
        device: where it must be; None: anywhere.
        firsts: no name that begins with one of these characters,
        lasts: and ends in one of these, is kept by its name.
        usable: the rule asks for nothing else.
    """

    young: int
    device: int | None
    firsts: frozenset[str]
    lasts: frozenset[str]
    usable: bool


class Matcher:
    """Judges names and inodes for one selection.

    Args:
        selection: the rule.
        when: wall seconds that count as now.

    Attributes:
        plain: what most files that are due have in common.
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
        self.plain = Plain(
            self._young,
            self._device,
            *_harmless(self._exclude, self._shield),
            usable=not (self._picky or self._compress),
        )

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

    def wanted(self, entries: list[os.DirEntry[str]], above: str) -> list[os.DirEntry[str]]:
        """Return the entries of one directory that the rule names.

        Args:
            entries: some of what is in it.
            above: the path of the directory below the root, with a slash at the end, or empty.
        """
        ends = self._patterns.only_ends
        if ends:
            # the usual rule (`*.log`): no frame of its own for each name of a tree
            return [
                one
                for one in entries
                if (name := one.name).endswith(ends)
                and (name[0] != "." or self.wants(name, above + name))
            ]
        return [one for one in entries if self.wants(one.name, above + one.name)]

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
        if is_database(name):
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
        newest = max(inode.modified, inode.changed, inode.accessed)
        return self._differs(inode, newest)

    def _differs(self, inode: Inode, newest: int) -> str:
        """Return why a file is none of those that the rule means; empty: it is."""
        if newest < UNDATED and not self._live:
            return "undated"
        if not self._picky:
            return ""
        if self._owners and inode.owner not in self._owners:
            return "other owner"
        # the front of a live log may be a hole that an earlier cut has left
        size = min(inode.size, inode.held) if self._live else inode.size
        if self._larger and size <= self._larger:
            return "small"
        return "large" if size >= self._smaller else ""


def is_database(name: str) -> bool:
    """Return whether a file is, by its name, a database or one of its logs."""
    return name[-1] in _DATABASE_LASTS and name.casefold().endswith(_DATABASE)


def _harmless(*marks: _Globs) -> tuple[frozenset[str], frozenset[str]]:
    firsts, lasts = set(_ASCII), set(_ASCII - _DATABASE_LASTS)
    for globs in marks:
        edges = globs.edges()
        if edges is None:
            return frozenset(), frozenset()
        firsts -= edges[0]
        lasts -= edges[1]
    return frozenset(firsts), frozenset(lasts)


class _Globs:
    """Several globs at once; those with a slash are held against the path.

    Most globs over names ask for a beginning or an end, and asking that is faster than a regular
    expression; every name of a tree comes by here.
    """

    def __init__(self, globs: Iterable[str]) -> None:
        globs = self._globs = tuple(filter(None, globs))
        names = [glob for glob in globs if "/" not in glob]
        self._ends = tuple(glob[1:] for glob in names if glob[:1] == "*" and _plain(glob[1:]))
        begins = (glob[:-1] for glob in names if glob[-1:] == "*" and glob != "*")
        self._begins = tuple(filter(_plain, begins))
        self._whole = frozenset(glob for glob in names if _plain(glob))
        simple = {*self._whole, *(f"*{end}" for end in self._ends)}
        simple.update(f"{begin}*" for begin in self._begins)
        self._names = _compiled(glob for glob in names if glob not in simple)
        self._paths = _compiled(glob.lstrip("/") for glob in globs if "/" in glob)
        self._simple = bool(simple)
        further = {glob for glob in names if glob not in simple}
        self._firsts = frozenset(glob[:1] for glob in further)
        self._anything = self._paths is not None or not self._firsts.isdisjoint("*?[")

    @property
    def only_ends(self) -> tuple[str, ...]:
        """What names must end in, where nothing else is asked of them; else empty."""
        others = self._begins or self._whole or self._names or self._paths
        return () if others else self._ends

    def edges(self) -> tuple[set[str], set[str]] | None:
        """Return first and last characters, one of which every name that matches has.

        None: names can match that have nothing in common.
        """
        firsts: set[str] = set()
        lasts: set[str] = set()
        for glob in self._globs:
            name = _last(glob)
            if _plain(name[:1]) and glob == name:
                firsts.add(name[:1])
            elif name and _plain(name[-1]) and name[-1] != "]":
                lasts.add(name[-1])
            else:
                return None
        return firsts, lasts

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
