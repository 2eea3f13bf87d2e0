"""The door that takes over what a crash left beside a database, in a child, one at a time.

A -wal or a hot journal holds committed rows or the way back to them. Nothing here removes one:
copies are made first (`healchild`), and SQLite itself takes over what is whole.
"""

from __future__ import annotations

import json
import os
import sys
import threading
from pathlib import Path
from typing import Final, Literal, Protocol

import msgspec
from msgspec.structs import replace

from healmon.clock import Steps
from healmon.errors import ProbeError
from healmon.text import clean
from healmon.world.dbcopies import Copies
from healmon.world.runner import run

DEADLINE: Final = 60.0
"""Seconds that one may take; a child that is killed at any point has lost nothing."""
_ROOT: Final = str(Path(__file__).parents[2])
_RUN: Final = (
    "import sys; sys.path.append(sys.argv[1]); from healmon.world.healchild import main; main()"
)

MendWord = Literal["healed", "live", "full", "damaged", "mispaired", "corrupt", "failed"]


class Mended(msgspec.Struct, frozen=True, kw_only=True):
    """What came of taking over leftovers.

    Attributes:
        word: `healed`: SQLite took them over and its check is fine; `live`: somebody is there,
            nothing was done; `full`: a disk has no room, nothing was done; `damaged`: commits
            would be lost, nothing was done but the copy; `mispaired`: what lies there was written
            for another database, nothing was done but the copy; `corrupt`: taken over, but the
            check finds faults in the database; `failed`: see the text.
        text: in words.
        frames: committed frames that the -wal held.
        hot: there was a transaction to roll back.
        kept: where everything was copied to before; empty: nothing was.
        check: the lines of SQLite's quick_check.
    """

    word: MendWord
    text: str = ""
    frames: int = 0
    hot: bool = False
    kept: str = ""
    check: tuple[str, ...] = ()


class Mender(Protocol):
    """Takes over leftovers, and removes the lock of a dead `unix-dotfile` user. Calls block."""

    def heal(self, name: str, path: str, wanted: tuple[int, ...], stamp: str) -> Mended:
        """Take over what was left beside a database, unless anybody is there.

        Args:
            name: what it is called; its copies are kept under that name.
            path: the database.
            wanted: what its files must still be like (`DatabaseReading.leftover`).
            stamp: names the copy, with nothing in it that a path minds.

        Raises:
            ProbeError: what came of it is unknown; nothing is lost.
        """
        ...

    def remove_dotfile(self, path: str, mtime_ns: int) -> bool:
        """Remove the lock directory of a database, if it is still that one; False: it is not.

        Raises:
            OSError: it cannot be removed.
        """
        ...

    def prune(self, now: float, steps: Steps = ()) -> int:
        """Remove copies older than a week, but never a database's newest; returns how many."""
        ...


class SystemMender:
    """The machine's databases.

    Args:
        folder: where copies are kept, in a folder for each database.
        deadline: seconds that one healing may take.
    """

    def __init__(self, folder: Path, deadline: float = DEADLINE) -> None:
        self._copies = Copies(folder)
        self._deadline = deadline
        self._one = threading.Lock()

    def heal(self, name: str, path: str, wanted: tuple[int, ...], stamp: str) -> Mended:
        """Take over what was left beside a database, unless anybody is there."""
        with self._one:
            try:
                order = {
                    "path": os.fsencode(os.path.realpath(path)).decode("latin-1"),
                    "folder": os.fsencode(self._copies.new(name, stamp)).decode("latin-1"),
                    "print": wanted,
                }
                done = run(
                    [sys.executable, "-I", "-S", "-c", _RUN, _ROOT],
                    timeout=self._deadline,
                    stdin=json.dumps(order).encode() + b"\n",
                )
            except TimeoutError as error:
                raise ProbeError(f"healing {name}: {error}; nothing is lost") from error
            except OSError as error:
                raise ProbeError(f"healing {name}: {error.strerror}") from error
        try:
            answer = msgspec.json.decode(done.out, type=Mended)
        except msgspec.DecodeError as error:
            said = f"{done.code}: {clean(done.err[-300:])}"
            raise ProbeError(
                f"the child that heals {name} ended with {done.code}: {said}"
            ) from error
        kept = clean(answer.kept.encode("latin-1"))
        told = tuple(clean(line, limit=300) for line in answer.check)
        return replace(answer, text=clean(answer.text, limit=300), kept=kept, check=told)

    def remove_dotfile(self, path: str, mtime_ns: int) -> bool:
        """Remove the lock directory of a database, if it is still that one; False: it is not."""
        lock = Path(os.path.realpath(path) + ".lock")
        try:
            if lock.lstat().st_mtime_ns != mtime_ns:
                return False
            lock.rmdir()
        except FileNotFoundError:
            return False
        return True

    def prune(self, now: float, steps: Steps = ()) -> int:
        """Remove copies older than a week, but never a database's newest; returns how many."""
        return self._copies.prune(now, steps)
