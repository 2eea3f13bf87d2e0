"""The store's rows for people and scripts. Standard library only, so that a status is instant.

Every function makes one short query and fetches all of it: a cursor left half-read would keep the
writer's -wal from shrinking. Rows are plain dicts with the columns' names; times are the store's
text.
"""

from __future__ import annotations

import json
import sqlite3
from pathlib import Path
from typing import Any, Final, TypeAlias
from urllib.parse import quote

from healmon.errors import StoreFaultError, StoreVersionError
from healmon.store.schema import APPLICATION_ID, VERSION

Row: TypeAlias = dict[str, Any]

PATIENCE: Final = 1.0
"""Seconds a query waits for a lock; readers of a WAL database hardly ever meet one."""

_WORST_FIRST: Final = (
    "CASE severity WHEN 'CRITICAL' THEN 2 WHEN 'WARNING' THEN 1 ELSE 0 END DESC, first_seen, id"
)
_STATUS_RANK: Final = (
    "CASE status WHEN 'critical' THEN 0 WHEN 'error' THEN 1 WHEN 'unhealthy' THEN 2"
    " WHEN 'warning' THEN 3 ELSE 4 END"
)
_EVENT: Final = "id, timestamp, kind, component, severity, payload, cause"


def open_reader(path: Path) -> sqlite3.Connection:
    """Return a connection that cannot write; close it after use.

    Raises:
        StoreFaultError: there is no store, or it cannot be read now.
        StoreVersionError: it is a newer healmon's, or no health store.
    """
    if not path.exists():
        raise StoreFaultError(
            f"no health store at {path}",
            remedy="start a healer first, or name its directory with --state-dir",
        )
    try:
        conn = sqlite3.connect(
            f"file:{quote(str(path))}?mode=ro",
            uri=True,
            timeout=PATIENCE,
            isolation_level=None,
            check_same_thread=False,
        )
    except sqlite3.Error as error:
        raise _unreadable(path, error) from error
    try:
        _must_be_ours(conn, path)
    except sqlite3.Error as error:
        conn.close()
        raise _unreadable(path, error) from error
    except BaseException:
        conn.close()
        raise
    conn.row_factory = _as_dict
    return conn


def _unreadable(path: Path, error: sqlite3.Error) -> StoreFaultError:
    return StoreFaultError(
        f"the health store {path} cannot be read: {error}",
        remedy="check its permissions and its disk; a running healer mends a damaged one",
    )


def _must_be_ours(conn: sqlite3.Connection, path: Path) -> None:
    (version,) = conn.execute("PRAGMA user_version").fetchone()
    (application,) = conn.execute("PRAGMA application_id").fetchone()
    if application == APPLICATION_ID and 0 < version <= VERSION:
        return
    if application == APPLICATION_ID and version > VERSION:
        raise StoreVersionError(
            f"{path} was written by a newer healmon (layout {version}; this one knows {VERSION})",
            remedy="update healmon",
        )
    raise StoreVersionError(f"{path} is not a health store", remedy="check --state-dir")


def _as_dict(cursor: sqlite3.Cursor, values: tuple[Any, ...]) -> Row:
    return {column[0]: value for column, value in zip(cursor.description, values, strict=True)}


def open_alerts(conn: sqlite3.Connection) -> list[Row]:
    """Return the alerts not yet resolved, worst first, then oldest first."""
    return conn.execute(
        f"SELECT * FROM health_alerts WHERE resolved = 0 ORDER BY {_WORST_FIRST}"  # noqa: S608 - a constant
    ).fetchall()


def all_alerts(conn: sqlite3.Connection, limit: int) -> list[Row]:
    """Return the newest alerts, resolved or not, newest first."""
    return conn.execute(
        "SELECT * FROM health_alerts ORDER BY timestamp DESC, id DESC LIMIT ?", (limit,)
    ).fetchall()


def components(conn: sqlite3.Connection) -> list[Row]:
    """Return every component as last seen, by name."""
    return conn.execute("SELECT * FROM components ORDER BY component").fetchall()


def unhealthy(conn: sqlite3.Connection) -> list[Row]:
    """Return the components that are not well, worst first."""
    return conn.execute(
        "SELECT * FROM components WHERE status NOT IN ('healthy', 'recovered')"  # noqa: S608 - a constant
        f" ORDER BY {_STATUS_RANK}, component"
    ).fetchall()


def recent_actions(conn: sqlite3.Connection, limit: int) -> list[Row]:
    """Return the newest remedies with their outcome (`recovered` or `error`), newest first."""
    return conn.execute(
        "SELECT * FROM health_metrics WHERE action_taken <> '' ORDER BY id DESC LIMIT ?", (limit,)
    ).fetchall()


def events(
    conn: sqlite3.Connection,
    after_id: int,
    limit: int,
    *,
    since: str = "",
    component: str = "",
) -> list[Row]:
    """Return events with ids above `after_id`, oldest first.

    Args:
        conn: from `open_reader`.
        after_id: 0 for all.
        limit: rows at most.
        since: only events of this time (the store's text) or later.
        component: only events about this component.
    """
    where, values = ["id > ?"], [after_id, since, component, limit]
    where.append("timestamp >= ?" if since else "? = ''")
    where.append("component = ?" if component else "? = ''")
    return conn.execute(
        f"SELECT {_EVENT} FROM events WHERE {' AND '.join(where)} ORDER BY id LIMIT ?",  # noqa: S608 - constants
        values,
    ).fetchall()


def event(conn: sqlite3.Connection, event_id: int) -> Row | None:
    """Return one event, or None."""
    row: Row | None = conn.execute(
        f"SELECT {_EVENT} FROM events WHERE id = ?",  # noqa: S608 - a constant
        (event_id,),
    ).fetchone()
    return row


def effects(conn: sqlite3.Connection, event_id: int) -> list[Row]:
    """Return the events that this one led to, oldest first."""
    return conn.execute(
        f"SELECT {_EVENT} FROM events WHERE cause = ? ORDER BY id",  # noqa: S608 - a constant
        (event_id,),
    ).fetchall()


def last_event_id(conn: sqlite3.Connection) -> int:
    """Return the newest event's id, 0 when there is none."""
    (newest,) = conn.execute("SELECT max(id) AS newest FROM events").fetchone().values()
    return int(newest or 0)


def data_version(conn: sqlite3.Connection) -> int:
    """Return a number that changes when another connection has committed. 3 µs; ask often."""
    (version,) = conn.execute("PRAGMA data_version").fetchone().values()
    return int(version)


def meta(conn: sqlite3.Connection) -> dict[str, str]:
    """Return what the file was born with: `epoch`, `host`, `created`."""
    rows: list[Row] = conn.execute("SELECT key, value FROM meta").fetchall()
    return {row["key"]: row["value"] for row in rows}


def file_id(path: Path) -> tuple[int, int] | None:
    """Return which file bears the name now, None when none does.

    A reader that keeps a connection opens a new one when this changes: a damaged or deleted store
    is replaced by a new file, and the old connection goes on reading the old one.
    """
    try:
        stat = path.stat()
    except OSError:
        return None
    return stat.st_dev, stat.st_ino


def engine_facts(conn: sqlite3.Connection) -> dict[str, Row]:
    """Return the newest start, end and finished cycle of a healer: `started` `stopped` `cycle`.

    Each is the event's payload with its `id` and `timestamp`; absent when there was none. An end
    that is older than the start belongs to an earlier run.
    """
    names = {"started": "enginestarted", "stopped": "enginestopped", "cycle": "cyclefinished"}
    facts: dict[str, Row] = {}
    for name, kind in names.items():
        # the kind stands in the text, not as a parameter: only so the partial index serves
        row: Row | None = conn.execute(
            f"SELECT {_EVENT} FROM events WHERE kind = '{kind}' ORDER BY id DESC LIMIT 1"  # noqa: S608 - constants
        ).fetchone()
        if row is not None:
            payload: Row = json.loads(row["payload"])
            facts[name] = {**payload, "id": row["id"], "timestamp": row["timestamp"]}
    return facts
