"""The store's rows for people and scripts. Standard library only, so that a status is instant.

Every function makes one short query and fetches all of it: a cursor left half-read would keep the
writer's -wal from shrinking. Rows are plain dicts with the columns' names; times are the store's
text. All of them raise `ReadError` when the store cannot be read.
"""

from __future__ import annotations

import contextlib
import json
import os
import sqlite3
import urllib.parse
from collections.abc import Generator
from pathlib import Path

from healmon.errors import StoreFaultError, StoreVersionError
from healmon.store.schema import APPLICATION_ID, VERSION

TYPE_CHECKING = False
if TYPE_CHECKING:
    from typing import Any, Final, TypeAlias

Row: TypeAlias = "dict[str, Any]"

PATIENCE: Final = 1.0
"""Seconds a query waits for a lock; readers of a WAL database hardly ever meet one."""

_GREATEST: Final = 2**63 - 1
"""The last id that there can be."""
_WORST_FIRST: Final = (
    "CASE severity WHEN 'CRITICAL' THEN 2 WHEN 'WARNING' THEN 1 ELSE 0 END DESC, first_seen, id"
)
_STATUS_RANK: Final = (
    "CASE status WHEN 'critical' THEN 0 WHEN 'error' THEN 1 WHEN 'unhealthy' THEN 2"
    " WHEN 'warning' THEN 3 ELSE 4 END"
)
_TROUBLES: Final = (
    "enginestarted", "enginestopped", "healerfailed", "storefaulted", "storerecovered",
    "clockjumped", "configurationchanged", "configurationrefused",
)  # fmt: skip
# "+id" below: a sort of few rows by the way of the times, not a walk through all ids; what was
# imported has ids below zero and is nobody's doing of last night
_EVENT: Final = "id, timestamp, kind, component, severity, payload, cause"


class ReadError(StoreFaultError):
    """The health store cannot be read right now."""


def open_reader(path: Path) -> sqlite3.Connection:
    """Return a connection that cannot write; close it after use.

    Raises:
        ReadError: there is no store, or it cannot be read now.
        StoreVersionError: it is a newer healmon's, or no health store.
    """
    if not path.is_file():
        raise ReadError(
            f"no health store at {path}",
            remedy="start a healer first, or name its directory with --state-dir",
        )
    if not path.stat().st_size:
        raise _empty(path)  # here, as SQLite would delete the -wal beside it
    with reading(str(path)):
        conn = sqlite3.connect(
            f"file:{urllib.parse.quote(os.fsencode(path))}?mode=ro",
            uri=True,
            timeout=PATIENCE,
            isolation_level=None,
            check_same_thread=False,
        )
        try:
            _must_be_ours(conn, path)
        except BaseException:
            conn.close()
            raise
    return conn


@contextlib.contextmanager
def reading(what: str = "") -> Generator[None, None, None]:
    """Have a database error come out as a `ReadError`."""
    try:
        yield
    except sqlite3.Error as error:
        place = f" {what}" if what else ""
        raise ReadError(
            f"the health store{place} cannot be read: {error}",
            remedy="check its permissions and its disk; a running healer mends a damaged one",
        ) from error


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
    (tables,) = conn.execute("SELECT count(*) FROM sqlite_master").fetchone()
    if not tables:
        raise _empty(path)
    raise StoreVersionError(f"{path} is not a health store", remedy="check --state-dir")


def _empty(path: Path) -> ReadError:
    return ReadError(f"{path} holds nothing yet", remedy="a healer that starts fills it")


def _rows(conn: sqlite3.Connection, sql: str, *values: str | int) -> list[Row]:
    with reading():
        cursor = conn.execute(sql, values)
        names = [column[0] for column in cursor.description]
        return [dict(zip(names, row, strict=True)) for row in cursor.fetchall()]


def _value(conn: sqlite3.Connection, sql: str) -> int | str | None:
    with reading():
        row = conn.execute(sql).fetchone()
        return row[0] if row else None


def open_alerts(conn: sqlite3.Connection) -> list[Row]:
    """Return the alerts that are confirmed and not over, worst first, then oldest first."""
    return _rows(
        conn,
        "SELECT * FROM health_alerts WHERE resolved = 0 AND opened_at IS NOT NULL"  # noqa: S608 - a constant
        f" ORDER BY {_WORST_FIRST}",
    )


def pending_alerts(conn: sqlite3.Connection) -> list[Row]:
    """Return what was found and is not confirmed, in the same order."""
    return _rows(
        conn,
        "SELECT * FROM health_alerts WHERE resolved = 0 AND opened_at IS NULL"  # noqa: S608 - a constant
        f" ORDER BY {_WORST_FIRST}",
    )


def all_alerts(conn: sqlite3.Connection, limit: int, before: int = 0) -> list[Row]:
    """Return a page of alerts, resolved or not, newest first.

    Args:
        conn: from `open_reader`.
        limit: rows at most.
        before: the last id of the page before; 0: the newest page.
    """
    where = "id < ?" if before else "? = 0"
    return _rows(
        conn,
        f"SELECT * FROM health_alerts WHERE {where} ORDER BY id DESC LIMIT ?",  # noqa: S608 - constants
        min(before, _GREATEST),
        limit,
    )


def components(conn: sqlite3.Connection) -> list[Row]:
    """Return every component as last seen, by name."""
    return _rows(conn, "SELECT * FROM components ORDER BY component")


def unhealthy(conn: sqlite3.Connection) -> list[Row]:
    """Return the components that are not well, worst first."""
    return _rows(
        conn,
        "SELECT * FROM components WHERE status NOT IN ('healthy', 'recovered')"  # noqa: S608 - a constant
        f" ORDER BY {_STATUS_RANK}, component",
    )


def alerts_since(conn: sqlite3.Connection, since: str) -> list[Row]:
    """Return the alerts that are unresolved, and those that ended at that time or later."""
    waiting = _rows(conn, "SELECT * FROM health_alerts WHERE resolved = 0")
    over = "SELECT * FROM health_alerts WHERE resolved_at >= ? AND resolved = 1 AND +id > 0"
    return sorted(waiting + _rows(conn, over, since), key=lambda row: row["id"])


def metrics_since(conn: sqlite3.Connection, since: str) -> dict[str, list[Row]]:
    """Return what was done (`actions`) and what was not (`refusals`) since a time, oldest first."""
    rows = _rows(
        conn,
        "SELECT * FROM health_metrics WHERE timestamp >= ? AND +id > 0"
        " AND (action_taken <> '' OR metric_type = 'plan_refused') ORDER BY +id",
        since,
    )
    return {
        "actions": [row for row in rows if row["action_taken"]],
        "refusals": [row for row in rows if not row["action_taken"]],
    }


def reasons_since(conn: sqlite3.Connection, since: str) -> dict[str, str]:
    """Return why each plan was made that was begun since a time, by the plan's id."""
    rows = _rows(
        conn,
        "SELECT json_extract(payload, '$.plan.id') AS plan, json_extract(payload, '$.plan.why')"
        " AS why FROM events WHERE timestamp >= ? AND kind = 'planmade' ORDER BY +id",
        since,
    )
    return {str(row["plan"]): str(row["why"] or "") for row in rows}


def troubles_since(conn: sqlite3.Connection, since: str) -> list[Row]:
    """Return the events of healmon's own health since a time, oldest first.

    `before` is the time of the event before each: between the two nobody looked.
    """
    kinds = ", ".join(f"'{kind}'" for kind in _TROUBLES)
    return _rows(
        conn,
        f"SELECT {_EVENT}, (SELECT timestamp FROM events AS earlier"  # noqa: S608 - constants
        " WHERE earlier.id < events.id ORDER BY earlier.id DESC LIMIT 1) AS before"
        f" FROM events WHERE timestamp >= ? AND kind IN ({kinds}) ORDER BY +id",
        since,
    )


def recent_actions(conn: sqlite3.Connection, limit: int) -> list[Row]:
    """Return the newest remedies with their outcome (`recovered` or `error`), newest first."""
    return _rows(
        conn,
        "SELECT * FROM health_metrics WHERE action_taken <> '' AND +id > 0"
        " ORDER BY id DESC LIMIT ?",
        limit,
    )


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
    where = ["id > ?"]
    where.append("timestamp >= ?" if since else "? = ''")
    where.append("component = ?" if component else "? = ''")
    return _rows(
        conn,
        f"SELECT {_EVENT} FROM events WHERE {' AND '.join(where)} ORDER BY id LIMIT ?",  # noqa: S608 - constants
        after_id,
        since,
        component,
        limit,
    )


def events_before(
    conn: sqlite3.Connection, before: int, limit: int, component: str = ""
) -> list[Row]:
    """Return the newest events with ids below `before`, newest first; of one component, if named.

    Args:
        conn: from `open_reader`.
        before: an event's id; 0: the newest of all.
        limit: rows at most.
        component: only events about this component.
    """
    where = ["id < ?" if before else "? = 0", "component = ?" if component else "? = ''"]
    return _rows(
        conn,
        f"SELECT {_EVENT} FROM events WHERE {' AND '.join(where)} ORDER BY id DESC LIMIT ?",  # noqa: S608 - constants
        before,
        component,
        limit,
    )


def event(conn: sqlite3.Connection, event_id: int) -> Row | None:
    """Return one event, or None."""
    rows = _rows(conn, f"SELECT {_EVENT} FROM events WHERE id = ?", event_id)  # noqa: S608 - a constant
    return rows[0] if rows else None


def untold(conn: sqlite3.Connection) -> list[Row]:
    """Return the channels that did not take a notice: how many wait there, and why."""
    return _rows(
        conn,
        "SELECT channel, count(*) AS waiting, max(reason) AS reason FROM notices"
        " WHERE state = 'waiting' GROUP BY channel HAVING max(attempts) > 0 ORDER BY channel",
    )


def effects(conn: sqlite3.Connection, event_id: int) -> list[Row]:
    """Return the events that this one led to, oldest first."""
    return _rows(
        conn,
        f"SELECT {_EVENT} FROM events WHERE cause = ? ORDER BY id",  # noqa: S608 - a constant
        event_id,
    )


def alert(conn: sqlite3.Connection, alert_id: int) -> Row | None:
    """Return one alert, resolved or not; or None."""
    rows = _rows(conn, "SELECT * FROM health_alerts WHERE id = ?", alert_id)
    return rows[0] if rows else None


def story(conn: sqlite3.Connection, alert_id: int, key: str, until: str, limit: int) -> list[Row]:
    """Return the events of an alert's life, oldest first.

    Args:
        conn: from `open_reader`.
        alert_id: of the event that began it.
        key: the alert's.
        until: the store's text of the time it ended; empty: it has not.
        limit: rows at most.
    """
    return _rows(
        conn,
        f"SELECT {_EVENT} FROM events WHERE id >= ? AND (? = '' OR timestamp <= ?)"  # noqa: S608 - a constant
        " AND substr(kind, 1, 5) = 'alert' AND json_extract(payload, '$.key') = ?"
        " ORDER BY id LIMIT ?",
        alert_id,
        until,
        until,
        key,
        limit,
    )


def last_event_id(conn: sqlite3.Connection) -> int:
    """Return the newest event's id, 0 when there is none."""
    return int(_value(conn, "SELECT max(id) FROM events") or 0)


def last_event_wall(conn: sqlite3.Connection) -> float:
    """Return the newest event's time in epoch seconds, 0.0 when there is none."""
    from healmon.clock import parse_utc  # noqa: PLC0415 - few readers need the clock

    newest = _value(conn, "SELECT timestamp FROM events ORDER BY id DESC LIMIT 1")
    return parse_utc(str(newest)) if newest else 0.0


def data_version(conn: sqlite3.Connection) -> int:
    """Return a number that changes when another connection has committed. 3 µs; ask often."""
    return int(_value(conn, "PRAGMA data_version") or 0)


def meta(conn: sqlite3.Connection) -> dict[str, str]:
    """Return what the file says of itself: `epoch`, `host`, `created`, `checked` and more."""
    return {row["key"]: row["value"] for row in _rows(conn, "SELECT key, value FROM meta")}


def dry_run(conn: sqlite3.Connection) -> bool:
    """Return whether the newest healer on this store only plans; False where that is not known."""
    rows = _rows(conn, "SELECT value FROM meta WHERE key = 'dry_run'")
    return bool(rows) and rows[0]["value"] == "1"


def paused(conn: sqlite3.Connection, now: str) -> list[Row]:
    """Return what nobody may act on after `now` (UTC), and until when: `component`, `until`."""
    return _rows(
        conn,
        "SELECT substr(key, 8) AS component, value AS until FROM meta"
        " WHERE key GLOB 'paused:*' AND value > ? ORDER BY component",
        now,
    )


def engine_facts(conn: sqlite3.Connection) -> dict[str, Row]:
    """Return the newest start, end and finished cycle of a healer: `started` `stopped` `cycle`.

    Each is the event's payload with its `id` and `timestamp`; absent when there was none. An end
    that is older than the start belongs to an earlier run.
    """
    names = {"started": "enginestarted", "stopped": "enginestopped", "cycle": "cyclefinished"}
    facts: dict[str, Row] = {}
    for name, kind in names.items():
        # the kind stands in the text, not as a parameter: only so the partial index serves
        rows = _rows(
            conn,
            f"SELECT {_EVENT} FROM events WHERE kind = '{kind}' ORDER BY id DESC LIMIT 1",  # noqa: S608 - constants
        )
        for row in rows:
            payload: Row = json.loads(row["payload"])
            facts[name] = {**payload, "id": row["id"], "timestamp": row["timestamp"]}
    for row in _rows(conn, "SELECT value FROM meta WHERE key = 'interval'"):
        number, _, interval = str(row["value"]).partition(" ")
        if "started" in facts and int(number) > facts["started"]["id"]:  # reread in this run
            facts["started"]["interval"] = float(interval)
    return facts
