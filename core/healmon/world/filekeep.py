"""The newest of each directory stay: found by a pass of its own, in memory for as many as stay."""

from __future__ import annotations

import heapq
import os
import stat
from collections.abc import Callable, Iterator

from healmon.world import filecalls
from healmon.world.filewalk import Found


class Newest:
    """Knows the newest matching files of the directory that a walk is in.

    Args:
        count: how many stay in each directory; 0: none has to.
        wants: says of a name and its path whether the rule names it.
    """

    def __init__(self, count: int, wants: Callable[[str, str], bool]) -> None:
        self._count = count
        self._wants = wants
        self._directory: tuple[int, str] | None = None
        self._stays: frozenset[int] = frozenset()

    def has(self, found: Found) -> bool:
        """Return whether a file is one of the newest where it is."""
        if not self._count:
            return False
        above = found.above
        directory = found.directory, above
        if directory != self._directory:
            newest = heapq.nlargest(self._count, self._pass(found.directory, above))
            self._directory, self._stays = directory, frozenset(number for _, number in newest)
        return found.st.st_ino in self._stays

    def _pass(self, directory: int, above: str) -> Iterator[tuple[int, int]]:
        fd = filecalls.again(directory)
        try:
            with os.scandir(fd) as entries:
                for entry in entries:
                    if not self._wants(entry.name, f"{above}{entry.name}"):
                        continue
                    try:
                        st = entry.stat(follow_symlinks=False)
                    except OSError:
                        continue
                    if stat.S_ISREG(st.st_mode):
                        yield st.st_mtime_ns, st.st_ino
        finally:
            os.close(fd)
