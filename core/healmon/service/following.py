"""Reading on in the store of another process's healer, also when it begins a new file."""

from __future__ import annotations

import contextlib
import sqlite3
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path
from typing import Generic, TypeVar

from healmon.store import read
from healmon.store.bearers import Files, bearers
from healmon.store.numbering import newest_number, stamp

T = TypeVar("T")


class Following(Generic[T]):
    """Gives what was stored since the last look. Belongs to one thread.

    Args:
        database: the health store.
        after: the id of the newest event that is known already.
        page: reads the next events after an id, oldest first; nothing when there are none.
        number: the id of one of them.

    Attributes:
        anew: how often another store took the place of the one before, with numbers of its own:
            what is given then begins with its first event. A file that goes on where the one
            before ended (a damaged or deleted one that its healer replaced) is none.
    """

    def __init__(
        self,
        database: Path,
        after: int,
        page: Callable[[sqlite3.Connection, int], Sequence[T]],
        number: Callable[[T], int],
    ) -> None:
        self._database = database
        self._after = after
        self._page = page
        self._number = number
        self._connection: sqlite3.Connection | None = None
        self._file: Files | None = None
        self._version = -1
        self._stamp = ""
        self.anew = 0

    def look(self) -> Iterator[T]:
        """Give what is new, oldest first.

        Raises:
            ReadError: the store cannot be read now; the next look goes on where this one ended.
            StoreVersionError: it is not a store of this version.
        """
        connection = self._current()
        version = read.data_version(connection)
        if version == self._version:
            return
        while batch := self._page(connection, self._after):
            for one in batch:
                self._after = self._number(one)
                yield one
        self._version = version

    def _current(self) -> sqlite3.Connection:
        """Return a connection to the file that bears the name now."""
        file = bearers(self._database)
        if self._connection is not None and file == self._file:
            return self._connection
        self.close()
        connection = read.open_reader(self._database)
        try:
            if self._after and self._is_another(connection):
                self._after, self.anew = 0, self.anew + 1
        except BaseException:
            connection.close()
            raise
        self._connection, self._file, self._version = connection, file, -1
        return connection

    def _is_another(self, connection: sqlite3.Connection) -> bool:
        """Return whether the numbers of a file are not those of the file before.

        Raises:
            ReadError: it holds nothing yet that would tell.
        """
        newest = newest_number(connection)
        if not newest:
            raise read.ReadError(f"{self._database} holds nothing yet", remedy="wait a moment")
        there = stamp(connection, self._after)
        return newest < self._after or bool(self._stamp and there and there != self._stamp)

    def close(self) -> None:
        """Let go of the file; another look opens it again."""
        connection, self._connection = self._connection, None
        if connection is None:
            return
        with contextlib.suppress(read.ReadError):
            # a file without a name can still be read by whoever has it open
            self._stamp = stamp(connection, self._after)
        connection.close()
