"""The tables of the health store and the migrations that lead to them.

Standard library only: the instant status reads this too. The public columns come first in each
table and in the contract's order; more may follow them. All times are UTC text,
`YYYY-MM-DD HH:MM:SS.mmm`.
"""

from __future__ import annotations

import sqlite3
from collections.abc import Callable

from healmon.store.tx import immediate

TYPE_CHECKING = False
if TYPE_CHECKING:
    from typing import Final

APPLICATION_ID: Final = 0x68656C6D
"""Marks a file as a health store ("helm"); another program's database has another number."""

PUBLIC: Final[dict[str, tuple[str, ...]]] = {
    "health_metrics": (
        "id", "timestamp", "component", "metric_type", "metric_value", "status", "action_taken",
        "details",
    ),
    "health_alerts": (
        "id", "timestamp", "severity", "component", "message", "resolved", "resolved_at", "key",
        "state", "count", "first_seen", "last_seen", "acknowledged_at", "acknowledged_by", "note",
    ),
    "events": ("id", "timestamp", "kind", "component", "severity", "payload", "cause"),
    "commands": (
        "id", "created_at", "expires_at", "origin", "verb", "target", "arguments", "state",
        "outcome",
    ),
}  # fmt: skip
"""The columns that others rely on, by table."""

_V1: Final = (
    "CREATE TABLE meta (key TEXT PRIMARY KEY, value TEXT NOT NULL) WITHOUT ROWID",
    """CREATE TABLE events (
        id INTEGER PRIMARY KEY,
        timestamp TEXT NOT NULL,
        kind TEXT NOT NULL,
        component TEXT NOT NULL,
        severity TEXT NOT NULL,
        payload TEXT NOT NULL,
        cause INTEGER)""",
    "CREATE INDEX idx_events_timestamp ON events (timestamp)",
    "CREATE INDEX idx_events_component ON events (component, id)",
    "CREATE INDEX idx_events_cause ON events (cause) WHERE cause IS NOT NULL",
    # what the instant status asks for; without it a start a month ago would cost a full scan
    """CREATE INDEX idx_events_engine ON events (kind, id)
        WHERE kind = 'enginestarted' OR kind = 'enginestopped' OR kind = 'cyclefinished'""",
    """CREATE TABLE health_metrics (
        id INTEGER PRIMARY KEY,
        timestamp TEXT NOT NULL,
        component TEXT NOT NULL,
        metric_type TEXT NOT NULL,
        metric_value TEXT,
        status TEXT,
        action_taken TEXT NOT NULL DEFAULT '',
        details TEXT,
        event_id INTEGER)""",
    "CREATE INDEX idx_health_metrics_timestamp ON health_metrics (timestamp)",
    "CREATE INDEX idx_health_metrics_component ON health_metrics (component, id)",
    "CREATE INDEX idx_health_metrics_action ON health_metrics (id) WHERE action_taken <> ''",
    """CREATE TABLE health_alerts (
        id INTEGER PRIMARY KEY,
        timestamp TEXT NOT NULL,
        severity TEXT NOT NULL,
        component TEXT NOT NULL,
        message TEXT NOT NULL,
        resolved INTEGER NOT NULL DEFAULT 0,
        resolved_at TEXT,
        key TEXT NOT NULL,
        state TEXT NOT NULL,
        count INTEGER NOT NULL DEFAULT 1,
        first_seen TEXT NOT NULL,
        last_seen TEXT NOT NULL,
        acknowledged_at TEXT,
        acknowledged_by TEXT NOT NULL DEFAULT '',
        note TEXT NOT NULL DEFAULT '',
        acknowledged_until TEXT,
        evidence TEXT,
        resolution TEXT)""",
    "CREATE UNIQUE INDEX idx_health_alerts_open ON health_alerts (key) WHERE resolved = 0",
    "CREATE INDEX idx_health_alerts_timestamp ON health_alerts (timestamp)",
    "CREATE INDEX idx_health_alerts_severity ON health_alerts (severity, resolved)",
    # AUTOINCREMENT: whoever waits for a command must never read the answer to a later one
    """CREATE TABLE commands (
        id INTEGER PRIMARY KEY AUTOINCREMENT,
        created_at TEXT NOT NULL,
        expires_at TEXT NOT NULL,
        origin TEXT NOT NULL,
        verb TEXT NOT NULL,
        target TEXT NOT NULL,
        arguments TEXT NOT NULL,
        state TEXT NOT NULL,
        outcome TEXT,
        taken_at TEXT,
        answered_at TEXT)""",
    "CREATE INDEX idx_commands_waiting ON commands (id) WHERE state = 'queued'",
    """CREATE TABLE components (
        component TEXT PRIMARY KEY,
        healer TEXT NOT NULL,
        status TEXT NOT NULL,
        summary TEXT NOT NULL,
        since TEXT NOT NULL,
        seen_at TEXT NOT NULL) WITHOUT ROWID""",
    "CREATE TABLE checkpoints (event_id INTEGER PRIMARY KEY, snapshot TEXT NOT NULL)",
)


def _to_v1(conn: sqlite3.Connection) -> None:
    for statement in _V1:
        conn.execute(statement)
    conn.execute(f"PRAGMA application_id = {APPLICATION_ID}")


_V2: Final = (
    "ALTER TABLE health_alerts ADD COLUMN opened_at TEXT",
    "ALTER TABLE health_alerts ADD COLUMN peak TEXT NOT NULL DEFAULT ''",
    "ALTER TABLE health_alerts ADD COLUMN reopened INTEGER NOT NULL DEFAULT 0",
    "ALTER TABLE health_alerts ADD COLUMN overlays TEXT",
    "CREATE INDEX idx_health_alerts_resolved_at ON health_alerts (resolved_at)",
    """CREATE TABLE silences (
        id INTEGER PRIMARY KEY,
        created_at TEXT NOT NULL,
        until TEXT NOT NULL,
        match TEXT NOT NULL,
        by TEXT NOT NULL,
        note TEXT NOT NULL DEFAULT '',
        ended_at TEXT,
        resolution TEXT)""",
    """CREATE TABLE notices (
        id INTEGER PRIMARY KEY,
        created_at TEXT NOT NULL,
        channel TEXT NOT NULL,
        topic TEXT NOT NULL,
        title TEXT NOT NULL,
        body TEXT NOT NULL,
        keys TEXT NOT NULL,
        state TEXT NOT NULL,
        attempts INTEGER NOT NULL DEFAULT 0,
        next_at TEXT NOT NULL,
        sent_at TEXT,
        reason TEXT NOT NULL DEFAULT '',
        level TEXT NOT NULL DEFAULT '')""",
    "CREATE INDEX idx_notices_waiting ON notices (id) WHERE state = 'waiting'",
    "CREATE INDEX idx_notices_created_at ON notices (created_at)",
)


def _to_v2(conn: sqlite3.Connection) -> None:
    for statement in _V2:
        conn.execute(statement)
    conn.execute("UPDATE health_alerts SET opened_at = first_seen, peak = severity")


UNTOLD: Final = "('observed', 'remembered', 'cyclestarted', 'cyclefinished')"
"""Kinds of events that tell no story: most of them, and none of those that a person steps to."""

_V3: Final = (
    # what the history folds on from: a checkpoint now and then that is not replaced
    "CREATE TABLE keyframes (event_id INTEGER PRIMARY KEY, snapshot BLOB NOT NULL)",
    f"CREATE INDEX idx_events_told ON events (id) WHERE kind NOT IN {UNTOLD}",
    """CREATE INDEX idx_events_incidents ON events (id)
        WHERE kind = 'alertopened' OR kind = 'alertreopened' OR kind = 'actionstarted'""",
)


def _to_v3(conn: sqlite3.Connection) -> None:
    for statement in _V3:
        conn.execute(statement)


MIGRATIONS: Final[tuple[Callable[[sqlite3.Connection], None], ...]] = (_to_v1, _to_v2, _to_v3)
"""Step n leads from layout n to layout n + 1; steps are only ever added."""

VERSION: Final = len(MIGRATIONS)
"""The layout this healmon writes: `PRAGMA user_version`."""


def version_of(conn: sqlite3.Connection) -> int:
    """Return the layout of a file; 0 for a new one."""
    (version,) = conn.execute("PRAGMA user_version").fetchone()
    return int(version)


def migrate(conn: sqlite3.Connection, born: dict[str, str]) -> None:
    """Bring a file to the newest layout, all or nothing.

    Args:
        conn: an autocommit connection to a file that is new or ours.
        born: `meta` rows of a file that has none yet (epoch, host, created).
    """
    if version_of(conn) == VERSION:
        return
    with immediate(conn):
        # read again: another process may have migrated while we waited for the lock
        for step in MIGRATIONS[version_of(conn) :]:
            step(conn)
        conn.execute(f"PRAGMA user_version = {VERSION}")
        conn.executemany("INSERT OR IGNORE INTO meta VALUES (?, ?)", born.items())
