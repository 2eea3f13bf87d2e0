"""Where copies of what a crash left beside databases are kept, and for how long."""

from __future__ import annotations

import re
from contextlib import suppress
from pathlib import Path
from typing import Final

from healmon.clock import Steps, age
from healmon.world import notes

KEEP_FOR: Final = 7 * 86400.0
"""Seconds for which a copy is kept; a database's newest one is kept for ever."""
MOST: Final = 10
"""Copies of one database at most: something that crashes again and again must not fill the disk."""
_STAMP: Final = re.compile(r"\d{8}T\d{6}Z(?:-\d{1,4})?")


class Copies:
    """Copies of each database, in a folder of its own.

    Args:
        folder: all of them.
    """

    def __init__(self, folder: Path) -> None:
        self._folder = folder

    def new(self, name: str, stamp: str) -> Path:
        """Return where the next copy of a database goes; its parent is made, it is not.

        Raises:
            OSError: the parent cannot be made.
        """
        home = self._folder / notes.folder_name(name)
        notes.make_folder(home)
        target, number = home / stamp, 1
        while target.exists():
            number += 1
            target = home / f"{stamp}-{number}"
        return target

    def prune(self, now: float, steps: Steps = ()) -> int:
        """Remove copies that are too old or too many, but never the newest; returns how many.

        Args:
            now: wall seconds.
            steps: when the clock was set: none is old, and none the newest, by that.
        """
        removed = 0
        for home in _folders(self._folder):
            ours = (copy for copy in _folders(home) if _is_ours(copy))
            made = sorted((age(steps, _made(copy), now), copy) for copy in ours)
            for place, (old, copy) in enumerate(made):
                late = old > KEEP_FOR and place > 0
                removed += (late or place >= MOST) and _remove(copy)
        return removed


def _folders(folder: Path) -> list[Path]:
    with suppress(OSError):
        return [entry for entry in folder.iterdir() if entry.is_dir() and not entry.is_symlink()]
    return []


def _is_ours(copy: Path) -> bool:
    return _STAMP.fullmatch(copy.name) is not None


def _made(copy: Path) -> float:
    try:
        return copy.lstat().st_mtime
    except OSError:
        return 0.0


def _remove(copy: Path) -> bool:
    try:
        for file in copy.iterdir():
            file.unlink()
        copy.rmdir()
    except OSError:
        return False  # the next round tries again
    return True
