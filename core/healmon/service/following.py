"""Reading on in the store of another process's healer, also when it begins a new file."""

from __future__ import annotations

import sqlite3
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path
from typing import Generic, TypeVar

from healmon.store import read

T = TypeVar("T")


class Following(Generic[T]):
    """Gives what was stored since the last look. Belongs to one thread.

    Args:
        database: the health store.
        after: the id of the newest event that is known already.
        page: reads the next events after an id, oldest first; nothing when there are none.
        number: the id of one of them.
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
        self._file: tuple[int, int] | None = None
        self._version = -1

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
        file = read.file_id(self._database)
        if self._connection is None or file != self._file:
            self.close()
            self._connection = read.open_reader(self._database)
            self._file, self._version = file, -1
        return self._connection

    def close(self) -> None:
        """Let go of the file; another look opens it again."""
        connection, self._connection = self._connection, None
        if connection is not None:
            connection.close()
