"""What the writer writes: records and snapshots made ready, and told apart when one is unfit."""

from __future__ import annotations

import logging
import sqlite3
from dataclasses import dataclass

from healmon import events as ev
from healmon.store.buffer import Checkpoint, Item
from healmon.store.details import Statement
from healmon.store.faults import Kind, kind_of
from healmon.store.project import Projector, event_row, rebuild
from healmon.store.stream import encode_snapshot
from healmon.store.tx import immediate
from healmon.store.upkeep import store_checkpoint

_log = logging.getLogger(__name__)

UNFIT = (sqlite3.Error, OverflowError, ValueError)
"""What a record that cannot be stored raises; of SQLite's errors only those `is_unfit` names."""


@dataclass(frozen=True, slots=True)
class Piece:
    """One item as statements.

    Attributes:
        statements: for an event its own row first, then what it changes elsewhere.
        wall: the item's time.
        number: the event's id; None for a snapshot.
        durable: it must be on the disk itself before the world is touched.
        checkpoint: id and text of a snapshot.
        wounds: up to which loss the snapshot makes good.
    """

    statements: list[Statement]
    wall: float
    number: int | None = None
    durable: bool = False
    checkpoint: tuple[int, str] | None = None
    wounds: int = 0


class Preparer:
    """Makes items ready to be written, once each, however often they must be tried.

    Attributes:
        lost: records that could not be stored at all.
    """

    def __init__(self) -> None:
        self._projector = Projector()
        self.lost = 0

    def prepare(self, items: list[Item], healed: int) -> list[Piece]:
        """Return the items as pieces; what cannot be encoded is left out, counted and logged."""
        pieces: list[Piece] = []
        for item in items:
            try:
                pieces.append(self._piece(item, healed))
            except Exception as error:  # noqa: BLE001 - one unfit record must not end the writer
                if isinstance(item, Checkpoint):
                    _log.error("a snapshot cannot be stored: %r", error)
                else:
                    self.leave_out(f"event {item.id}: {error!r}")
        return pieces

    def leave_out(self, why: str) -> None:
        """Note that a record is lost."""
        self.lost += 1
        _log.error("a record cannot be stored and is left out: %s", why)

    def _piece(self, item: Item, healed: int) -> Piece:
        if isinstance(item, Checkpoint):
            snapshot = item.snapshot
            rows = rebuild(snapshot) if item.wounds > healed else []
            text = encode_snapshot(snapshot)
            return Piece(rows, snapshot.at, checkpoint=(snapshot.last_id, text), wounds=item.wounds)
        durable = isinstance(item.event, ev.StepTaken) and item.event.lasting
        rows = [event_row(item), *self._projector.rows(item)]
        return Piece(rows, item.wall, number=item.id, durable=durable)

    def write(self, conn: sqlite3.Connection, pieces: list[Piece]) -> list[Piece]:
        """Write all pieces in one transaction.

        Returns:
            Nothing when they are written. When some of them never can be, nothing was written
            and the others are returned, to be written without them.

        Raises:
            sqlite3.Error: not now; nothing was written.
        """
        try:
            with immediate(conn):
                for piece in pieces:
                    write_piece(conn, piece)
        except UNFIT as error:
            if not is_unfit(error):
                raise
            return self._fit(conn, pieces)
        return []

    def _fit(self, conn: sqlite3.Connection, pieces: list[Piece]) -> list[Piece]:
        fit: list[Piece] = []
        conn.execute("BEGIN IMMEDIATE")
        try:
            for piece in pieces:
                conn.execute("SAVEPOINT one")
                try:
                    write_piece(conn, piece)
                    fit.append(piece)
                except UNFIT as error:
                    if not is_unfit(error):
                        raise
                    conn.execute("ROLLBACK TO one")
                    self.leave_out(f"event {piece.number}: {error!r}")
                conn.execute("RELEASE one")
        finally:
            if conn.in_transaction:
                conn.execute("ROLLBACK")
        return fit


def is_unfit(error: Exception) -> bool:
    """Return whether it is the record that is to blame, not the file or the disk."""
    return not isinstance(error, sqlite3.Error) or kind_of(error) is Kind.UNFIT


def write_piece(conn: sqlite3.Connection, piece: Piece) -> None:
    """Write one piece, an event that is there already not again; within the caller's transaction.

    Raises:
        sqlite3.Error: it cannot be written, now or ever (`is_unfit`).
    """
    if piece.checkpoint is not None:
        for sql, values in piece.statements:
            conn.execute(sql, values)
        store_checkpoint(conn, *piece.checkpoint)
        return
    (sql, values), *rows = piece.statements
    if conn.execute(sql, values).rowcount == 0:
        return  # an earlier try was committed after all, rows included
    for sql, values in rows:
        conn.execute(sql, values)
