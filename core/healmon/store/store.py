"""The healer's health store: events in, durable and in order; the last run's snapshot out.

`append` belongs to the engine's thread and never waits. One thread of the store's own does all
writing, so that a slow, locked or full disk delays no healing.

After a loss (records dropped while the disk was full, a file deleted under us) the rows on disk
know less than the engine does. `checkpoint_due` then asks for a snapshot, and the next `checkpoint`
makes the rows whole again.
"""

from __future__ import annotations

import asyncio
import contextlib
import logging
import sqlite3
from collections.abc import Callable
from pathlib import Path
from typing import Final

from healmon.clock import Reading, format_utc, process_seconds
from healmon.errors import StoreFaultError
from healmon.events import Recorded
from healmon.state import Snapshot, replay
from healmon.store import asides, opening, rescue, unfinished
from healmon.store.ballast import Ballast
from healmon.store.beside import Beside
from healmon.store.buffer import Buffer, Checkpoint
from healmon.store.faults import Kind, MovedError, kind_of, words
from healmon.store.held import Held
from healmon.store.spill import Spill
from healmon.store.stream import fold
from healmon.store.writer import Writer
from healmon.text import clean
from healmon.units import format_size

_log = logging.getLogger(__name__)

CAPACITY: Final = 10_000
"""Records that wait in memory at most while the store cannot be written."""
CHECKPOINT_EVERY: Final = 1_000
"""Events between two checkpoints: what a start has to fold at most, about 20 ms."""
WAL_LARGE: Final = 64 << 20
"""Bytes of a -wal that only somebody who reads on in it keeps from shrinking: it does at 4 MB."""
PATIENCE: Final = 5.0
"""Seconds that opening waits for a store that cannot be read just now."""


class Store:
    """The writer's face of the health store.

    Attributes:
        path: the database file.
        last_id: the newest event's id at opening; the engine gives the next ones.
        snapshot: what the last run ended with.
    """

    def __init__(self, path: Path, held: Held, ballast: Ballast, capacity: int) -> None:
        self.path = path
        self.last_id = 0
        self.snapshot = Snapshot()
        self._held = held
        self._buffer = Buffer(capacity)
        self._spill = Spill(path.parent)
        self._writer = Writer(path, self._buffer, held, ballast, self._spill)
        self._since = 0
        self._losses = 0
        self._newest = 0
        self._kept = 0
        self._born = ""

    @classmethod
    def open(
        cls,
        path: Path,
        *,
        host: str,
        now: Reading,
        on_fault: Callable[[str], None] | None = None,
        on_recover: Callable[[int], None] | None = None,
        capacity: int = CAPACITY,
    ) -> Store:
        """Open the store, beginning a new one where there is none.

        A file that can be read but not written (full or read-only disk) is no reason not to heal:
        the store opens with its `fault` set and writes once it can.

        Args:
            path: the database file; its directory exists.
            host: this host's name, kept in a new file.
            now: the time.
            on_fault: see the property.
            on_recover: see the property.
            capacity: records that wait in memory at most.

        Raises:
            StoreVersionError: the file is a newer healmon's or another program's; untouched.
            StoreFaultError: what the last run knew cannot be read; healing would be blind.
        """
        ballast = Ballast(path.with_name("healmon.ballast"))
        store = cls(path, Held(path, host, ballast), ballast, capacity)
        store.on_fault, store.on_recover = on_fault, on_recover
        store.beside.on_strange = store._buffer.put_look
        ballast.relieve()
        with contextlib.suppress(OSError):
            rescue.let_off(path, format_utc(now.wall))
            unfinished.clear_away(path, format_utc(now.wall))
        error = store._load(host, format_utc(now.wall), ballast)
        if error is not None:
            store._load_unwritable(error)
        store._held.tail.begin(store.snapshot)
        store._held.epoch = store._held.epoch or store._born
        store._take_up_spilled(format_utc(now.wall))
        ballast.load()
        store._spill.load()
        store._writer.start(now.wall)
        return store

    def _load(self, host: str, at: str, ballast: Ballast) -> Exception | None:
        """Open for writing and learn what the last run knew; returns why that cannot be now."""
        end = process_seconds() + PATIENCE
        while True:
            try:
                opened = opening.open_store(self.path, host, at)
                with contextlib.suppress(OSError):  # held in the midst of being taken up
                    rescue.let_off(self.path, at)
                self._take_up(opened, host, at)
            except (sqlite3.Error, OSError, MovedError) as error:
                self._held.let_go()
                kind = kind_of(error)
                roomier = kind is Kind.FULL and ballast.release()
                again = kind is Kind.LOCKED or isinstance(error, MovedError)
                if not roomier and (not again or process_seconds() > end):
                    return error
            else:
                return None

    def _take_up(self, opened: opening.Opened, host: str, at: str) -> None:
        try:
            self._know(opened.conn)
        except sqlite3.DatabaseError as error:
            opened.conn.close()
            if kind_of(error) is not Kind.DAMAGED:
                raise
            opened = opening.begin_again(self.path, host, at, str(error))
            self._know(opened.conn)
        self._held.repaired = opened.repaired
        self._held.adopt(opened.conn)

    def _load_unwritable(self, error: Exception) -> None:
        self._writer.fault = words(error, self.path)
        if not asides.holds_something(self.path):
            return  # nothing was ever known; healing can begin
        try:
            with opening.read_only(self.path) as conn:
                self._know(conn)
        except sqlite3.Error as blind:
            if self._know_by_salvage(blind):
                return
            raise StoreFaultError(
                f"what the last run knew cannot be read: {words(blind, self.path)}",
                remedy="healing without it would be blind; mend that and start again",
            ) from error

    def _know_by_salvage(self, error: sqlite3.Error) -> bool:
        """Learn what a damaged file still knows for which no new one can be begun now."""
        found = opening.salvaged(self.path) if kind_of(error) is Kind.DAMAGED else None
        if found is None or found.snapshot is None:
            return False
        self.snapshot = found.snapshot
        self.last_id = max(found.snapshot.last_id, found.newest.get("events", 0))
        self._held.damage = str(error)  # so that it is begun once there is room
        return True

    def _take_up_spilled(self, at: str) -> None:
        """Go on with what the last run could not write: first of all that is written."""
        kept = self._spill.read()
        if kept is None:
            return
        if self.last_id and kept.epoch and self._born and kept.epoch != self._born:
            place = self._spill.set_aside(at)
            _log.error("what waited for another health store is not taken up; kept as %s", place)
            return
        later = [record for record in kept.records if record.id > self.last_id]
        base = self.snapshot
        if kept.snapshot is not None and kept.snapshot.last_id > base.last_id:
            base = kept.snapshot
        known = replay((record for record in later if record.id > base.last_id), base)
        for record in later:
            self.append(record)
        if known.last_id > self.snapshot.last_id:
            self._held.changes += 1  # what did not fit is missing from the rows
            self.snapshot, self.last_id = known, known.last_id
            self.checkpoint(known)
            _log.warning("%d records that could not be written before are now", len(later))

    def _know(self, conn: sqlite3.Connection) -> None:
        self.snapshot, self._born = fold(conn), opening.epoch_of(conn)
        newest, kept = conn.execute(
            "SELECT (SELECT max(id) FROM events), (SELECT max(event_id) FROM checkpoints)"
        ).fetchone()
        self.last_id = max(self.snapshot.last_id, newest or 0)
        self._kept = kept or 0
        self._since = self.last_id - self._kept

    @property
    def fault(self) -> str:
        """Why the store cannot be written now; empty: it can."""
        return self._writer.fault

    @property
    def repaired(self) -> str:
        """What was set aside, and why; empty: nothing since the store was opened."""
        return self._held.repaired

    @property
    def beside(self) -> Beside:
        """The one other connection of this process, for whoever else in it needs one."""
        return self._held.beside

    @property
    def pinned(self) -> str:
        """Why the file's -wal grows and grows, in words; empty: it does not."""
        wal = self.path.with_name(f"{self.path.name}-wal")
        try:
            size = wal.stat().st_size
        except OSError:
            return ""
        if size < WAL_LARGE:
            return ""
        return (
            f"it is {format_size(size)}, as another program reads on in it without an end;"
            f" `fuser {clean(str(self.path))}` names who has it open"
        )

    @property
    def epoch(self) -> str:
        """The random name the file was born with; with host and id it names an event for ever."""
        return self._held.epoch

    @property
    def dropped(self) -> int:
        """How many records did not fit into memory, in all."""
        return self._buffer.dropped

    @property
    def on_fault(self) -> Callable[[str], None] | None:
        """Called from the store's thread with the reason when it cannot be written any more."""
        return self._writer.on_fault

    @on_fault.setter
    def on_fault(self, callback: Callable[[str], None] | None) -> None:
        self._writer.on_fault = callback

    @property
    def on_recover(self) -> Callable[[int], None] | None:
        """Called from the store's thread once it can, with how many records were dropped."""
        return self._writer.on_recover

    @on_recover.setter
    def on_recover(self, callback: Callable[[int], None] | None) -> None:
        self._writer.on_recover = callback

    @property
    def on_stored(self) -> Callable[[], None] | None:
        """Called from the store's thread after each transaction; must not wait."""
        return self._writer.on_stored

    @on_stored.setter
    def on_stored(self, callback: Callable[[], None] | None) -> None:
        self._writer.on_stored = callback

    @property
    def on_queued(self) -> Callable[[], None] | None:
        """Called likewise when a command is seen to wait in the store; must not wait."""
        return self._writer.on_queued

    @on_queued.setter
    def on_queued(self, callback: Callable[[], None] | None) -> None:
        self._writer.on_queued = callback

    def append(self, record: Recorded) -> None:
        """Keep one more event. Never blocks, never raises; ids must grow."""
        self._since += 1
        self._newest = record.id
        self._buffer.put(record)

    async def flush(self, timeout: float) -> bool:  # noqa: ASYNC109 - a deadline, not a cancellation
        """Return True once everything appended so far is committed.

        False when the store is faulted or `timeout` seconds have passed. A batch that holds a
        lasting `StepTaken` is on the disk itself by then; others are safe from the end of this
        process.
        """
        if self.fault:
            return False
        waiter = self._buffer.waiter()
        if waiter is None:
            return True
        try:
            return await asyncio.wait_for(asyncio.wrap_future(waiter), timeout)
        except TimeoutError:
            return False

    @property
    def checkpoint_due(self) -> bool:
        """Whether `checkpoint` should be called with the newest snapshot."""
        return self._since >= CHECKPOINT_EVERY or self._writer.losses != self._losses

    def checkpoint(self, snapshot: Snapshot) -> None:
        """Keep a snapshot, so that a start need not fold all events. Never blocks.

        Args:
            snapshot: the fold of every event appended so far.
        """
        losses = self._writer.losses
        if snapshot.last_id == self._kept and losses == self._losses:
            return
        self._since = 0
        self._kept = snapshot.last_id
        if snapshot.last_id >= self._newest:
            self._losses = losses  # an older one could not make rows whole
        self._buffer.put_checkpoint(Checkpoint(snapshot, self._losses))

    def prune(self, before_wall: float) -> None:
        """Have everything older than `before_wall` removed in small bites; never open alerts.

        Returns at once. What `snapshot` is at the next start stays the same.
        """
        self._buffer.put_prune(before_wall)

    def close(self, timeout: float) -> bool:
        """Write what waits and let go of the file; True when all of it was written.

        Blocks for `timeout` seconds at most.
        """
        self._held.beside.close()
        self._buffer.close()
        return self._writer.join(timeout)
