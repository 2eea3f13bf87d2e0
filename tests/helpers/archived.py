"""Made-up events as a store of their own, to travel through."""

from __future__ import annotations

import contextlib
import sqlite3
import threading
from collections.abc import Iterable, Iterator

from healmon import events as ev
from healmon.service.archive import Archive
from healmon.state import Snapshot, replay
from healmon.store import schema, upkeep
from healmon.store.project import Projector, event_row
from healmon.store.stream import encode_snapshot
from healmon.store.tx import immediate


class MemoryStore:
    """A health store in memory that holds the events it is given."""

    def __init__(self) -> None:
        self.conn = sqlite3.connect(":memory:", isolation_level=None, check_same_thread=False)
        self.lock = threading.Lock()
        self.lent = 0
        self.snapshot = Snapshot()
        self._rows = Projector()
        schema.migrate(self.conn, {"epoch": "made-up", "host": "atlas", "created": ""})

    def put(self, records: Iterable[ev.Recorded]) -> None:
        """Store events that are newer than all before."""
        with self.lock, immediate(self.conn):
            for record in records:
                if record.id <= self.snapshot.last_id:
                    continue
                self.snapshot = replay([record], self.snapshot)
                for sql, values in (event_row(record), *self._rows.rows(record)):
                    self.conn.execute(sql, values)

    def checkpoint(self) -> None:
        """Keep the state as it is now."""
        with self.lock, immediate(self.conn):
            upkeep.store_checkpoint(
                self.conn, self.snapshot.last_id, encode_snapshot(self.snapshot)
            )

    def prune(self, before: str) -> None:
        """Let retention take what is older."""
        pruning = upkeep.Pruning(before)
        with self.lock:
            while pruning.bite(self.conn):
                pass

    @contextlib.contextmanager
    def use(self) -> Iterator[sqlite3.Connection]:
        """Lend the connection."""
        with self.lock:
            self.lent += 1
            yield self.conn

    def archive(self) -> Archive:
        """Return its past."""
        return Archive(self.use)

    def close(self) -> None:
        """Forget everything."""
        self.conn.close()
