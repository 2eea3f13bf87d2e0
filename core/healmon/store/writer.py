"""The one thread that writes the health store.

It takes what waits, writes it in one transaction and says so; while that fails it keeps what it
took, in order, and tries again with growing pauses. Nothing it meets ends it: a locked, full,
read-only or failing disk is waited out, a damaged file is set aside, a deleted one begun again.
"""

from __future__ import annotations

import logging
import sqlite3
import threading
from collections.abc import Callable
from contextlib import suppress
from pathlib import Path
from typing import Final

from healmon.clock import format_utc
from healmon.store.ballast import Ballast
from healmon.store.buffer import Buffer, Item, Work
from healmon.store.faults import Kind, MovedError, StrandedError, kind_of, words
from healmon.store.held import Held
from healmon.store.pieces import Piece, Preparer
from healmon.store.queued import queued
from healmon.store.salvage import Restoring
from healmon.store.spill import Spill
from healmon.store.upkeep import Pruning

_log = logging.getLogger(__name__)

FIRST_PAUSE: Final = 0.1
LONGEST_PAUSE: Final = 10.0
"""Seconds between two tries while the store cannot be written; doubles in between."""
SPILL_FROM: Final = 1.0
"""Seconds of a pause from which on what waits is kept beside the store, too."""
BALLAST_EVERY: Final = 100
"""Transactions between two tries to take the ballast aboard again."""


class Writer:
    """Writes what the buffer holds until the buffer is closed.

    Args:
        path: the database file.
        buffer: what waits.
        held: the file.
        ballast: the spare megabyte.
        spill: where what waits is kept meanwhile.

    Attributes:
        fault: why the store cannot be written now, or empty.
        on_fault: called from the writer's thread when it cannot be written any more.
        on_recover: called likewise once it can, with the number of records dropped meanwhile.
        on_stored: called likewise after each transaction; must not wait.
        on_queued: called likewise when a command waits in the store by then.
        losses: grows whenever rows are missing that the engine's snapshot knows of.
    """

    def __init__(
        self, path: Path, buffer: Buffer, held: Held, ballast: Ballast, spill: Spill
    ) -> None:
        self._path = path
        self._buffer = buffer
        self._held = held
        self._ballast = ballast
        self._spill = spill
        self._preparer = Preparer()
        self._pruning: Pruning | None = None
        # an order may stand in the file from a run before
        self._restoring: Restoring | None = Restoring(path.parent)
        self._changes = held.changes
        self._pause = 0.0
        self._relieved = False
        self._told = False
        self._commits = 0
        self._healed = 0
        self._dropped = 0
        self._dropped_told = 0
        self._wall = 0.0
        self.fault = ""
        self.on_fault: Callable[[str], None] | None = None
        self.on_recover: Callable[[int], None] | None = None
        self.on_stored: Callable[[], None] | None = None
        self.on_queued: Callable[[], None] | None = None
        self._thread = threading.Thread(target=self._run, name="healmon-store", daemon=True)

    @property
    def losses(self) -> int:
        """Grows whenever rows are missing that the engine's snapshot knows of."""
        return self._held.changes + self._preparer.lost + self._dropped

    def start(self, wall: float) -> None:
        """Begin writing; `wall` is the time now."""
        self._wall = wall
        self._thread.start()

    def join(self, timeout: float) -> bool:
        """Wait for the end after the buffer was closed; True when all was written."""
        self._thread.join(timeout)
        return not self._thread.is_alive() and not self.fault

    def _run(self) -> None:
        while (work := self._buffer.take(wait=self._idle)) is not None:
            if work.prune_before is not None:
                self._order_pruning(work.prune_before)
            if work.items or work.look:
                if not self._settle(work):
                    break
            elif self._pruning is not None:
                self._prune(self._pruning)
            elif self._restoring is not None:
                self._restore(self._restoring)
        if self._restoring is not None:
            self._restoring.close()
        with suppress(StrandedError):  # what lost its name since the last write: the next start's
            self._held.save()
        self._held.let_go()

    @property
    def _idle(self) -> bool:
        return self._pruning is None and self._restoring is None

    def _restore(self, restoring: Restoring) -> None:
        try:
            more = restoring.bite(self._held.ready(self._wall, None))
        except Exception as error:  # noqa: BLE001 - nothing it meets ends the writer
            # the order stands in the file: the next start goes on with it
            _log.warning("bringing history over stopped: %s", words(error, self._path))
            restoring.close()
            more = False
        if not more:
            self._restoring = None

    def _settle(self, work: Work) -> bool:
        """Write until it is written; False when closing came first."""
        pieces = self._preparer.prepare(work.items, self._healed)
        while True:
            try:
                pieces = self._write(pieces)
            except Exception as error:  # noqa: BLE001 - whatever it is, what waits must be kept
                self._failed(error)
                over = self._buffer.closing and self._pause > 2 * FIRST_PAUSE
                if over or self._pause >= SPILL_FROM:
                    self._keep(work.items)
                if over:
                    return False
                # meanwhile nobody has the file open: whoever moves another there moves it for good
                if not isinstance(error, MovedError) or self._pause > FIRST_PAUSE:
                    self._buffer.rest(self._pause)
                continue
            if not pieces:
                self._recovered()
                self._buffer.done(work)
                if self._spill.holds and not self._buffer.left():
                    self._forget()
                if work.items:
                    _call(self.on_stored)
                return True

    def _keep(self, items: list[Item]) -> None:
        """Keep what waits for the next start, should this process not live to write it."""
        place: Path | None = None
        try:
            place = self._spill.write(self._held.epoch, [*items, *self._buffer.waiting()])
        except Exception:  # noqa: BLE001 - nothing it meets ends the writer
            _log.exception("what waits cannot be kept")
        if self._buffer.closing:
            kept = f"is kept in {place} for the next start" if place else "is lost"
            _log.error("what the health store could not be told %s", kept)

    def _forget(self) -> None:
        """Let go of what was kept: it is in the store, and on the disk itself."""
        try:
            conn = self._held.ready(self._wall, None)
            conn.execute("PRAGMA wal_checkpoint(PASSIVE)").fetchall()
            self._spill.clear()
        except Exception as error:  # noqa: BLE001 - the next write tries again
            _log.info("what was kept stays: %s", words(error, self._path))

    def _write(self, pieces: list[Piece]) -> list[Piece]:
        if not pieces:  # only to look
            self._held.ready(self._wall, None)
            self._held.must_be_ours()
            return []
        self._wall = pieces[0].wall
        first = next((p.number for p in pieces if p.number is not None), None)
        conn = self._held.ready(self._wall, first)
        # a step is on the disk itself, not only with the kernel, before the world is touched
        self._held.sync(conn, full=any(piece.durable for piece in pieces))
        if any(piece.checkpoint for piece in pieces):
            self._bring_home(conn)
        left = self._preparer.write(conn, pieces)
        if left:
            return left
        self._held.must_be_ours()
        self._held.tail.committed(pieces)
        self._healed = max(self._healed, *(piece.wounds for piece in pieces))
        self._commits += 1
        if self._held.changes != self._changes:
            self._changes = self._held.changes
            self._restoring = Restoring(self._path.parent)
        if self._commits % BALLAST_EVERY == 0:
            self._ballast.load()
            self._spill.load()
        with suppress(sqlite3.Error):  # all was written: what ails it, the next write tells
            if self.on_queued is not None and queued(conn):
                _call(self.on_queued)
        return []

    def _bring_home(self, conn: sqlite3.Connection) -> None:
        """Have the -wal taken over, so that it begins anew with the snapshot that is written next.

        Should the database itself be lost, what was known stands in the -wal as a whole. And with
        synchronous NORMAL a disk that fails shows here only.
        """
        (busy, frames, copied) = conn.execute("PRAGMA wal_checkpoint(PASSIVE)").fetchone()
        if not busy and frames == copied:
            self._held.tail.home()

    def _order_pruning(self, before: float) -> None:
        try:
            self._pruning = Pruning(format_utc(before))
        except (ValueError, OverflowError):
            _log.warning("nothing is pruned: no calendar has the moment %r", before)

    def _prune(self, pruning: Pruning) -> None:
        try:
            more = pruning.bite(self._held.ready(self._wall, None))
        except Exception as error:  # noqa: BLE001 - nothing it meets ends the writer
            # retention can wait for its next time; whether the store is ill, the next write tells
            _log.warning("pruning stopped: %s", words(error, self._path))
            if kind_of(error) is Kind.DAMAGED:
                self._damaged(error)
            more = False
        if not more:
            self._pruning = None

    def _damaged(self, error: Exception) -> None:
        if not self._held.nameless:  # else it is another file that bears the name, a backup perhaps
            self._held.damage = str(error)
        self._let_go()

    def _let_go(self) -> None:
        with suppress(StrandedError):  # else there is nobody who has it
            self._held.save()
            self._held.let_go(hold=True)

    def _failed(self, error: Exception) -> None:
        kind = kind_of(error)
        cause = error.__cause__ if isinstance(error, StrandedError) else error
        if cause is not None and kind_of(cause) is Kind.FULL and not self._relieved:
            self._relieved = True
            if self._ballast.release():
                return
        if kind is Kind.DAMAGED:
            self._damaged(error)
        elif kind not in {Kind.LOCKED, Kind.FULL} or self._held.nameless:
            self._let_go()  # a file without a name may be all that fills the disk
        self._pause = min(2 * self._pause, LONGEST_PAUSE) or FIRST_PAUSE
        self.fault = words(error, self._path)
        self._buffer.failed()
        # also for a fault known since the opening: who listens may have come only after it
        if not self._told:
            self._told = True
            _log.error("the health store cannot be written: %s", self.fault)
            _call(self.on_fault, self.fault)

    def _recovered(self) -> None:
        self._pause = 0.0
        self._relieved = False
        if not self.fault:
            return
        self.fault = ""
        self._told = False
        self._dropped = self._buffer.dropped
        dropped, self._dropped_told = self._dropped - self._dropped_told, self._dropped
        _log.warning("the health store is written again; %d records did not fit", dropped)
        _call(self.on_recover, dropped)


def _call(callback: Callable[..., None] | None, *arguments: str | int) -> None:
    if callback is not None:
        try:
            callback(*arguments)
        except Exception:  # noqa: BLE001 - it is theirs; writing goes on
            _log.exception("whoever listens to the store failed")
