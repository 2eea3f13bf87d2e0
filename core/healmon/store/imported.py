"""History of earlier monitors in the store: rows with ids below zero.

Ids of our own rows are above zero, so the two never meet, retention spares what a person brought
over on purpose, and it sorts before everything of ours. The metric with the id 0 says what was
imported last; it also keeps the next metric of our own from going on below zero.

All of an import is one transaction: killed in the middle, nothing of it is there.
"""

from __future__ import annotations

import sqlite3
from collections.abc import Iterable
from typing import Final, NamedTuple, Protocol

from healmon.store.tx import immediate

_METRIC: Final = (
    "INSERT OR IGNORE INTO health_metrics (id, details, timestamp, component, metric_type,"
    " metric_value, status, action_taken) VALUES (?, ?, ?, ?, ?, ?, ?, ?)"
)
_ALERT: Final = (
    "INSERT OR IGNORE INTO health_alerts (id, evidence, timestamp, severity, component, message,"
    " resolved_at, key, first_seen, last_seen, resolution, opened_at, peak, resolved, state)"
    " VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, 1, 'resolved')"
)
_INSERT: Final = {"health_metrics": _METRIC, "health_alerts": _ALERT}
_MARK: Final = {
    "health_metrics": (
        "SELECT json_extract(details, '$.imported.mark') FROM health_metrics WHERE id = ?"
    ),
    "health_alerts": (
        "SELECT json_extract(evidence, '$.imported.mark') FROM health_alerts WHERE id = ?"
    ),
}
_LEDGER: Final = (
    "INSERT OR REPLACE INTO health_metrics (id, timestamp, component, metric_type, metric_value,"
    " status, action_taken, details) VALUES (0, ?, 'healmon', 'import', ?, 'healthy', '', ?)"
)
_FORGET: Final = (
    "DELETE FROM health_metrics WHERE id <= 0",
    "DELETE FROM health_alerts WHERE id < 0",
)
_COUNT: Final = (
    "SELECT (SELECT count(*) FROM health_metrics WHERE id < 0)"
    " + (SELECT count(*) FROM health_alerts WHERE id < 0)"
)


class Row(Protocol):
    """One row as it comes: see `service.history.Entry`."""

    @property
    def id(self) -> int:
        """Below zero, the earlier the lower."""
        ...

    @property
    def mark(self) -> str:
        """What it says, in short; in `details`, too."""
        ...

    @property
    def values(self) -> tuple[str | int | None, ...]:
        """The columns after id and details, in the order of the statement."""
        ...

    @property
    def details(self) -> str:
        """A JSON object with the mark."""
        ...


class Count(NamedTuple):
    """What came of rows: new here, or here already."""

    added: int
    known: int


class Import:
    """One import under way; everything is in the caller's transaction.

    Args:
        conn: the store, open for writing.
    """

    def __init__(self, conn: sqlite3.Connection) -> None:
        self._conn = conn
        self.added = dict.fromkeys(_INSERT, 0)
        self.known = dict.fromkeys(_INSERT, 0)

    def take(self, table: str, row: Row) -> None:
        """Keep a row unless it is here already."""
        number = row.id
        while not self._conn.execute(_INSERT[table], (number, row.details, *row.values)).rowcount:
            (mark,) = self._conn.execute(_MARK[table], (number,)).fetchone()
            if mark == row.mark:
                self.known[table] += 1
                return
            number += 1  # another file's row of that second: side by side
        self.added[table] += 1

    def note(self, at: str, source: str, details: str) -> None:
        """Say in the store what was imported, if anything was."""
        if any(self.added.values()):
            self._conn.execute(_LEDGER, (at, source, details))


def forget(conn: sqlite3.Connection) -> int:
    """Remove everything that was ever imported; returns how many rows."""
    with immediate(conn):
        gone = count(conn)
        for sql in _FORGET:
            conn.execute(sql)
        return gone


def count(conn: sqlite3.Connection) -> int:
    """Return how many rows were ever imported and are there."""
    (number,) = conn.execute(_COUNT).fetchone()
    return int(number)


def take_all(
    conn: sqlite3.Connection, rows: Iterable[tuple[str, Row]], at: str, source: str
) -> Import:
    """Keep rows in one transaction; all of them, or none.

    Args:
        conn: the store, open for writing, autocommit.
        rows: table and row.
        at: the time now, as the store writes it.
        source: the file, for people.

    Raises:
        sqlite3.Error: the store cannot be written; nothing was kept.
    """
    work = Import(conn)
    with immediate(conn):
        for table, row in rows:
            work.take(table, row)
        work.note(at, source, "{}")
    return work
