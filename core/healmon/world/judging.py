"""Which of the files that a walk comes by are due, and why the others stay."""

from __future__ import annotations

import os
import stat
from collections import Counter
from collections.abc import Callable
from typing import Final

from healmon.world.filedata import BLOCK, Key, Selection
from healmon.world.filekeep import Newest
from healmon.world.filematch import UNDATED, Matcher, is_database
from healmon.world.filewalk import Chunk, Found, Walk

_KIND: Final = 0o170000 | stat.S_ISVTX
"""The bits of a mode that say what a file is, and the sticky bit (inode(7))."""

Look = Callable[[os.DirEntry[str]], os.stat_result]
"""How a file is looked at.

Raises:
    OSError: it cannot be.
"""


class Judge:
    """Says which files are due.

    Args:
        selection: the rule.
        matcher: made of it.
        kept: counts why others stay.
        avoid: what is protected.
        passed: files that are not even counted.
    """

    def __init__(
        self,
        selection: Selection,
        matcher: Matcher,
        kept: Counter[str],
        avoid: frozenset[Key],
        passed: frozenset[Key],
    ) -> None:
        self._matcher = matcher
        self._kept = kept
        self._avoid = avoid
        self._numbers = frozenset(number for _, number in avoid)
        self._passed = passed
        self._newest = Newest(selection.keep_newest, matcher.wants)
        self._plain = matcher.plain.usable and not selection.keep_newest

    def due(self, walk: Walk, chunk: Chunk, look: Look | None = None) -> list[Found]:
        """Return those of a few wanted files of a walk that are due.

        Args:
            walk: counts what cannot be looked at.
            chunk: the files.
            look: how to look at those whose names allow it; None: as at all others.

        Every file of a tree comes by here, and most are plainly due or plainly young: that is
        asked here, in one go. All others are judged one reason after the other.
        """
        directory, above, entries = chunk
        young, device, firsts, lasts, _ = self._matcher.plain
        bars, numbers, plain = self._matcher.bars, self._numbers, self._plain and not self._passed
        regular = stat.S_IFREG
        due: list[Found] = []
        for entry in entries:
            name = entry.name
            fair = plain and (
                (name[0] in firsts and name[-1] in lasts)
                or not (bars(name, above + name) or is_database(name))
            )
            try:
                st = look(entry) if fair and look else entry.stat(follow_symlinks=False)
            except OSError as error:
                walk.lost(error)
                continue
            newest = max(st.st_mtime_ns, st.st_ctime_ns, st.st_atime_ns)
            found = Found(directory, name, above, st, newest, st.st_blocks * BLOCK)
            if (
                fair
                and UNDATED <= newest <= young
                and st.st_mode & _KIND == regular
                and st.st_nlink == 1
                and (device is None or st.st_dev == device)
                and st.st_ino not in numbers
            ) or self._stays_not(found):
                due.append(found)
        return due

    def _stays_not(self, found: Found) -> bool:
        """Return whether a file is due; counts the first reason for which it is not."""
        key = found.key
        if key in self._passed:
            return False
        reason = self._matcher.keeps(found.name, found.path, found.inode)
        if not reason and key in self._avoid:
            reason = "protected"
        if not reason and self._newest.has(found):
            reason = "newest"
        if reason:
            self._kept[reason] += 1
        return not reason
