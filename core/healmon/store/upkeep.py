"""Retention and free pages, in bites short enough that nobody waits for the lock."""

from __future__ import annotations

import sqlite3
import zlib
from typing import Final

from healmon.store.stream import encode_snapshot, fold
from healmon.store.tx import immediate

CHUNK: Final = 1_000
"""Rows removed in one transaction; a plain DELETE of a month locks for half a second."""
KEPT_CHECKPOINTS: Final = 3
KEYFRAME_EVERY: Final = 4_000
"""Events between two snapshots that stay for the history: what a look at it folds, some 100 ms."""
PRUNED_TO: Final = "pruned_to"
"""Key in `meta`: the highest id of the events that retention took."""
_FREE_PAGES: Final = 100
"""Pages given back in one bite, and the share of the file (1/4) that may lie fallow."""

_OLD_EVENTS: Final = (
    # never past the newest checkpoint, so that the fold of what stays is the same snapshot; the
    # newest start stays for the status of a healer that has run for longer than the retention
    """SELECT id FROM events WHERE id < :first
        AND id <= (SELECT max(event_id) FROM checkpoints)
        AND id IS NOT (SELECT max(id) FROM events WHERE kind = 'enginestarted')
        ORDER BY id LIMIT :chunk"""
)
_FIRST_KEPT: Final = (
    # in their order, not by their times alone: what was written by a clock that stood in 1970 is no
    # older than its neighbours, and must not cut off the history before it
    """SELECT min(id) FROM events WHERE timestamp >= ?
        AND timestamp <= (SELECT timestamp FROM events ORDER BY id DESC LIMIT 1)"""
)
_HIGHEST_OLD: Final = f"SELECT max(id) FROM ({_OLD_EVENTS})"  # noqa: S608 - a constant
_DELETES: Final = (
    # what a person imported (ids not above zero) stays until it is removed on purpose
    f"DELETE FROM events WHERE id IN ({_OLD_EVENTS})",  # noqa: S608 - a constant
    """DELETE FROM health_metrics WHERE id IN (SELECT id FROM health_metrics
        WHERE timestamp < :before AND +id > 0 ORDER BY timestamp LIMIT :chunk)""",
    """DELETE FROM health_alerts WHERE id IN (SELECT id FROM health_alerts
        WHERE timestamp < :before AND resolved = 1 AND resolved_at < :before AND +id > 0
        ORDER BY timestamp LIMIT :chunk)""",
    """DELETE FROM commands WHERE id IN (SELECT id FROM commands WHERE created_at < :before
        AND state NOT IN ('queued', 'taken') ORDER BY id LIMIT :chunk)""",
    """DELETE FROM notices WHERE id IN (SELECT id FROM notices WHERE created_at < :before
        AND state <> 'waiting' ORDER BY created_at LIMIT :chunk)""",
    """DELETE FROM silences WHERE id IN (SELECT id FROM silences WHERE ended_at < :before
        ORDER BY id LIMIT :chunk)""",
    # events after it are gone: nothing can be folded on from it
    """DELETE FROM keyframes WHERE event_id IN (SELECT event_id FROM keyframes WHERE event_id <
        (SELECT CAST(value AS INTEGER) FROM meta WHERE key = 'pruned_to')
        ORDER BY event_id LIMIT :chunk)""",
)
_PRUNED_TO: Final = (
    "INSERT INTO meta VALUES (?, ?) ON CONFLICT (key) DO UPDATE"
    " SET value = max(CAST(value AS INTEGER), CAST(excluded.value AS INTEGER))"
)


def store_checkpoint(conn: sqlite3.Connection, event_id: int, text: str) -> None:
    """Keep a snapshot's text, and only the newest few; within the caller's transaction.

    With it the store's name comes into the -wal (`salvage.epochs_of`): they are on one page.
    """
    conn.execute("INSERT OR REPLACE INTO checkpoints VALUES (?, ?)", (event_id, text))
    conn.execute("INSERT OR REPLACE INTO meta VALUES ('checkpoint', ?)", (str(event_id),))
    conn.execute(
        "DELETE FROM checkpoints WHERE event_id NOT IN"
        " (SELECT event_id FROM checkpoints ORDER BY event_id DESC LIMIT ?)",
        (KEPT_CHECKPOINTS,),
    )
    (last,) = conn.execute("SELECT max(event_id) FROM keyframes").fetchone()
    if last is None or event_id - last >= KEYFRAME_EVERY:
        frame = zlib.compress(text.encode(), 1)
        conn.execute("INSERT OR REPLACE INTO keyframes VALUES (?, ?)", (event_id, frame))


class Pruning:
    """One round of retention.

    Args:
        before: the store's time text; what is older goes.
    """

    def __init__(self, before: str) -> None:
        self._before = before
        self._first = 0
        self._table = -1

    def bite(self, conn: sqlite3.Connection) -> bool:
        """Do a little more; returns whether there is more to do.

        Raises:
            sqlite3.Error: not now; the same bite can be tried again.
        """
        if self._table == len(_DELETES):
            return _shrink(conn)
        if self._table == -1:
            self._fold(conn)
        elif self._delete(conn) == CHUNK:
            return True
        self._table += 1
        return True

    def _delete(self, conn: sqlite3.Connection) -> int:
        values = {"before": self._before, "first": self._first, "chunk": CHUNK}
        with immediate(conn):
            if self._table == 0:
                (highest,) = conn.execute(_HIGHEST_OLD, values).fetchone()
                if highest is not None:
                    conn.execute(_PRUNED_TO, (PRUNED_TO, str(highest)))
            return conn.execute(_DELETES[self._table], values).rowcount

    def _fold(self, conn: sqlite3.Connection) -> None:
        """Find which events go, and make sure that a checkpoint stands behind all of them."""
        (first,) = conn.execute(_FIRST_KEPT, (self._before,)).fetchone()
        if first is None:
            (newest,) = conn.execute("SELECT max(id) FROM events").fetchone()
            first = (newest or 0) + 1
        self._first = first
        (last,) = conn.execute("SELECT max(id) FROM events WHERE id < ?", (first,)).fetchone()
        (kept,) = conn.execute("SELECT max(event_id) FROM checkpoints").fetchone()
        if last is None or (kept is not None and kept >= last):
            return
        with immediate(conn):
            snapshot = fold(conn)
            store_checkpoint(conn, snapshot.last_id, encode_snapshot(snapshot))


def _shrink(conn: sqlite3.Connection) -> bool:
    """Give a few free pages back to the file system; returns whether more should go."""
    (free,) = conn.execute("PRAGMA freelist_count").fetchone()
    (pages,) = conn.execute("PRAGMA page_count").fetchone()
    if free < _FREE_PAGES or free * 4 < pages:
        return False
    # executescript steps the statement to its end; execute() would free a single page
    conn.executescript(f"PRAGMA incremental_vacuum({_FREE_PAGES})")
    (left,) = conn.execute("PRAGMA freelist_count").fetchone()
    return bool(left < free)
