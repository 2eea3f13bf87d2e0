"""Files that are held before they are looked at, so that one look is enough.

Usually a file is looked at, judged, opened, leased, and looked at once more, as it may be another
one by then. Where the files before it were all due, it likely is too: then it is opened and leased
first, and what is judged is what is held. One that is not due is let go at once.
"""

from __future__ import annotations

import os

from healmon.world.fileuse import Users
from healmon.world.filewalk import Found


class Grip:
    """Holds files of one directory; close it.

    Args:
        users: who tells whether files are in use.
        directory: descriptor of where they are.
    """

    def __init__(self, users: Users, directory: int) -> None:
        self._lease = users.lease
        self._directory = directory
        self._held: dict[str, int] = {}

    def look(self, entry: os.DirEntry[str]) -> os.stat_result:
        """Return what a file is, and hold it if nobody else uses it.

        Raises:
            OSError: it is gone, or cannot be looked at.
        """
        name = entry.name
        # a name may be listed twice when it changes meanwhile
        if entry.is_file(follow_symlinks=False) and name not in self._held:
            leased = self._lease(self._directory, name)
            if leased is not None:
                self._held[name], st = leased
                return st
        return entry.stat(follow_symlinks=False)

    def __len__(self) -> int:
        """Return how many files are held."""
        return len(self._held)

    def take(self, name: str) -> int:
        """Return the descriptor of a file, and leave it to the caller; -1: it is not held."""
        return self._held.pop(name, -1)

    def take_all(self, files: list[Found]) -> list[int]:
        """Return the descriptors of several files, all of which are held; the same otherwise."""
        return list(map(self._held.pop, [found.name for found in files]))

    def keep(self, names: set[str]) -> None:
        """Let go of all files but these."""
        for name in self._held.keys() - names:
            # nobody else has it open, this process neither: its locks are not in danger
            os.close(self._held.pop(name))

    def close(self) -> None:
        """Let go of the files that are still held."""
        self.keep(set())
