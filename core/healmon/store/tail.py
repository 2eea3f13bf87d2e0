"""What was committed last, known by heart until the database file itself has it.

The -wal may be truncated or the database overwritten beneath a healer: what stood there is gone
then, however well it was synced. So the newest snapshot that was written and the events after it
stay in memory, some minutes of them, and are written again into whatever goes on.
"""

from __future__ import annotations

import sqlite3
from collections import deque
from collections.abc import Iterable
from typing import Final

from healmon.state import Snapshot
from healmon.store.pieces import Piece, write_piece
from healmon.store.project import rebuild
from healmon.store.stream import decode_snapshot, encode_snapshot
from healmon.store.tx import immediate
from healmon.store.upkeep import store_checkpoint

MOST: Final = 2_000
"""Events kept at most: while somebody who reads on keeps the -wal from being taken over."""


class Tail:
    """The newest snapshot that is in the store, and the events that its file may not have yet.

    Attributes:
        newest: the highest event id that was committed.
    """

    def __init__(self) -> None:
        self._base: Snapshot | str | None = None
        self._until = 0
        self._home = 0
        self._pieces: deque[tuple[int, Piece]] = deque()
        self.newest = 0

    def begin(self, snapshot: Snapshot) -> None:
        """Note what a file says that has just been opened."""
        self._base, self._until = snapshot, snapshot.last_id
        self.newest = max(self.newest, snapshot.last_id)

    @property
    def known(self) -> bool:
        """Whether anything is known by heart."""
        return self._base is not None

    def committed(self, pieces: Iterable[Piece]) -> None:
        """Note what was committed, in order."""
        for piece in pieces:
            if piece.checkpoint is not None:
                self._until, self._base = piece.checkpoint
            elif piece.number is not None:
                self._pieces.append((piece.number, piece))
                self.newest = max(self.newest, piece.number)
        self._shorten()

    def home(self) -> None:
        """Note that the database file itself has all that was committed, on the disk."""
        self._home = self.newest
        self._shorten()

    def _shorten(self) -> None:
        until = min(self._until, self._home)
        while self._pieces and (len(self._pieces) > MOST or self._pieces[0][0] <= until):
            self._pieces.popleft()

    def lacks(self, newest: int) -> bool:
        """Return whether events are gone for good where a file has only those up to one."""
        first = self._pieces[0][0] if self._pieces else self.newest + 1
        return newest + 1 < first

    def write(self, conn: sqlite3.Connection, newest: int = -1) -> None:
        """Write what a file lacks.

        Args:
            conn: autocommit.
            newest: up to which event the file has all; below zero: it has nothing.

        Raises:
            sqlite3.Error: nothing was written.
        """
        with immediate(conn):
            for number, piece in self._pieces:
                if newest < number <= self._until:
                    write_piece(conn, piece)
            if self._base is not None and newest < self._until:
                self._write_base(conn)
            for number, piece in self._pieces:
                if number > max(newest, self._until):
                    write_piece(conn, piece)

    def _write_base(self, conn: sqlite3.Connection) -> None:
        base = self._base
        snapshot = decode_snapshot(base) if isinstance(base, str) else base or Snapshot()
        for sql, values in rebuild(snapshot):
            conn.execute(sql, values)
        text = base if isinstance(base, str) else encode_snapshot(snapshot)
        store_checkpoint(conn, self._until, text)
