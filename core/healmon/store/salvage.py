"""What a damaged store still knows, and its history brought over into the new file.

At once, while the healer waits: the snapshot, so that what was known goes on, and the highest ids,
so that none is given twice. Later, in bites between other work: events, metrics and resolved
alerts. How far that has come stands in the new file itself, so a stop in between loses nothing.
"""

from __future__ import annotations

import json
import logging
import sqlite3
import zlib
from collections.abc import Callable, Iterable, Iterator
from contextlib import suppress
from dataclasses import dataclass, field
from pathlib import Path
from typing import Final

import msgspec
from msgspec.structs import replace

from healmon.clock import parse_utc
from healmon.events import Recorded, decode
from healmon.state import Snapshot, replay
from healmon.store.carving import Carver, Row, Table, Value
from healmon.store.faults import Kind, kind_of
from healmon.store.stream import fold, recorded
from healmon.store.tx import immediate

_log = logging.getLogger(__name__)

AT_ONCE: Final = 64 << 20
"""Bytes of a file that is carved while the healer waits: some ten seconds at most."""
BEYOND: Final = 10**9
"""Added to what is known where the highest id cannot be: no id is ever given twice."""
BITE: Final = 40
"""Pages brought over in one transaction: some 30 ms."""
RESTORE: Final = "restore"
"""Key in `meta`: which file is brought over, and how far."""
RESTORED: Final = "restored"
"""Key in `meta`: what came of the last one, for people."""
_IDS: Final[tuple[Table, ...]] = ("events", "health_metrics", "health_alerts")


@dataclass(slots=True)
class Salvaged:
    """What can be had at once of a damaged file.

    Attributes:
        snapshot: what was known; None when it is lost.
        frame: what was known a while before, should the newest be lost.
        newest: the highest id of each table.
    """

    snapshot: Snapshot | None = None
    frame: Snapshot | None = None
    newest: dict[Table, int] = field(default_factory=dict["Table", int])


def salvage(path: Path, ask: Callable[[], Salvaged] | None) -> Salvaged:
    """Return what a damaged file still knows.

    Args:
        path: the file, open nowhere in this process.
        ask: reads it through SQLite (`known_to`), an error when that cannot be; None: it must not.
    """
    found = Salvaged()
    try:
        found = ask() if ask is not None else found
    except sqlite3.Error:
        _log.info("SQLite cannot read what %s knew; it is carved", path.name)
    unseen = BEYOND
    try:
        if path.stat().st_size <= AT_ONCE:
            _carve(path, found)
            unseen = 0
    except OSError as error:
        _log.warning("%s cannot be carved: %s", path.name, error)
    found.snapshot = found.snapshot or found.frame
    last = found.snapshot.last_id if found.snapshot is not None else 0
    for table in _IDS:
        found.newest.setdefault(table, last + unseen)
    found.newest["events"] = max(last, found.newest["events"])
    if found.snapshot is not None:
        found.snapshot = replace(found.snapshot, last_id=found.newest["events"])
    return found


def epochs_of(path: Path) -> tuple[str, str]:
    """Return which stores a file and its -wal say that they are of; empty: that cannot be told.

    Args:
        path: the file, open nowhere in this process.
    """
    try:
        with Carver(path) as carver:
            return carver.epochs()
    except OSError:
        return "", ""


def known_to(conn: sqlite3.Connection) -> Salvaged:
    """Return what SQLite can still read of a damaged file; what it cannot is left out."""
    found = Salvaged()
    for table in _IDS:
        with suppress(sqlite3.Error):
            (newest,) = conn.execute(f"SELECT max(id) FROM {table}").fetchone()  # noqa: S608 - a constant
            found.newest[table] = max(0, int(newest or 0))
    try:
        snapshot = fold(conn)
        found.snapshot = snapshot if snapshot.last_id else None
    except sqlite3.Error:
        found.frame = _from_keyframe(conn)
    return found


def _from_keyframe(conn: sqlite3.Connection) -> Snapshot | None:
    """Return the newest state that is kept for the history, folded with what can be read after."""
    frames: list[tuple[bytes]] = []
    with suppress(sqlite3.Error):
        sql = "SELECT snapshot FROM keyframes ORDER BY event_id DESC LIMIT 3"
        frames = conn.execute(sql).fetchall()
    for (frame,) in frames:
        with suppress(zlib.error, msgspec.DecodeError, TypeError):
            start = msgspec.json.decode(zlib.decompress(frame), type=Snapshot)
            return replay(_readable(conn, start.last_id), start)
    return None


def _readable(conn: sqlite3.Connection, after: int) -> Iterator[Recorded]:
    sql = "SELECT id, timestamp, payload, cause FROM events WHERE id > ? ORDER BY id LIMIT 1000"
    while True:
        try:
            rows = conn.execute(sql, (after,)).fetchall()
        except sqlite3.Error:
            return
        if not rows:
            return
        yield from recorded(rows)
        after = rows[-1][0]


def _carve(path: Path, found: Salvaged) -> None:
    checkpoints: dict[int, Snapshot] = {}
    events: dict[int, Row] = {}
    with Carver(path) as carver:
        for row in carver.rows(1, carver.pages):
            number, text = row.values[0], row.values[1]
            if not isinstance(number, int) or not isinstance(text, str) or number < 0:
                continue
            if row.table == "checkpoints":
                snapshot = _snapshot(text)
                if snapshot is not None and snapshot.last_id == number:
                    checkpoints[number] = snapshot
                continue
            found.newest[row.table] = max(number, found.newest.get(row.table, 0))
            if row.table == "events" and found.snapshot is None:
                events[number] = row
    if found.snapshot is not None:
        return
    start = checkpoints[max(checkpoints)] if checkpoints else Snapshot()
    later = sorted(number for number in events if number > start.last_id)
    if checkpoints or (later and later[0] == 1):
        found.snapshot = replay(_recorded(events[number] for number in later), start)


def _snapshot(text: str) -> Snapshot | None:
    try:
        return msgspec.json.decode(text, type=Snapshot)
    except msgspec.DecodeError:
        return None


def _recorded(rows: Iterable[Row]) -> Iterable[Recorded]:
    for row in rows:
        number, timestamp, *_, payload, cause = row.values
        try:
            event = decode(str(payload))
            cause = cause if isinstance(cause, int) else None
            yield Recorded(int(str(number)), parse_utc(str(timestamp)), event, cause)
        except (msgspec.DecodeError, ValueError):
            continue


_INSERTS: Final[dict[Table, str]] = {
    "events": "INSERT OR IGNORE INTO events VALUES (?, ?, ?, ?, ?, ?, ?)",
    "health_metrics": "INSERT OR IGNORE INTO health_metrics VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?)",
    "health_alerts": (
        "INSERT OR IGNORE INTO health_alerts"
        " VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?)"
    ),
}
_ALERT_COLUMNS: Final = 22
_NEWER: Final = (None, "", 0, None)
"""What a row of layout 1 says in the columns that came later."""


def prepare(conn: sqlite3.Connection, kept: Path, salvaged: Salvaged, at: str, why: str) -> None:
    """Note in a new file what is to be brought over, within the caller's transaction.

    Ids go on behind the highest old ones: the first metric of the new file says what happened.
    """
    order = {"file": kept.name, "page": 1, "rows": 0, "newest": salvaged.newest}
    conn.execute("INSERT OR REPLACE INTO meta VALUES (?, ?)", (RESTORE, json.dumps(order)))
    number = salvaged.newest.get("health_metrics", 0) + 1
    details = json.dumps({"file": kept.name, "why": why}, ensure_ascii=False)
    conn.execute(
        "INSERT INTO health_metrics (id, timestamp, component, metric_type, metric_value, status,"
        " details) VALUES (?, ?, 'healmon', 'store', 'damaged', 'warning', ?)",
        (number, at, details),
    )


class Restoring:
    """Brings the history of a damaged store over, a bite at a time.

    Args:
        folder: where the damaged file was set aside.
    """

    def __init__(self, folder: Path) -> None:
        self._folder = folder
        self._carver: Carver | None = None

    def bite(self, conn: sqlite3.Connection) -> bool:
        """Bring a little more over; returns whether there is more to do.

        Raises:
            sqlite3.Error: not now; the same bite can be tried again.
        """
        row = conn.execute("SELECT value FROM meta WHERE key = ?", (RESTORE,)).fetchone()
        if row is None:
            self.close()
            return False
        order = json.loads(row[0])
        try:
            carver = self._carver = self._carver or Carver(self._folder / order["file"])
            rows = list(carver.rows(order["page"], order["page"] + BITE - 1))
        except (OSError, KeyError, TypeError) as error:
            self._finish(conn, f"history of the damaged store is not brought over: {error}")
            return False
        with immediate(conn):
            order["rows"] += sum(_insert(conn, row, order["newest"]) for row in rows)
            order["page"] += BITE
            conn.execute("UPDATE meta SET value = ? WHERE key = ?", (json.dumps(order), RESTORE))
        if order["page"] <= carver.pages:
            return True
        self._finish(conn, f"{order['rows']} rows were brought over from {order['file']}")
        return False

    def _finish(self, conn: sqlite3.Connection, told: str) -> None:
        self.close()
        _log.warning("the health store: %s", told)
        with immediate(conn):
            conn.execute("DELETE FROM meta WHERE key = ?", (RESTORE,))
            conn.execute("INSERT OR REPLACE INTO meta VALUES (?, ?)", (RESTORED, told))

    def close(self) -> None:
        """Let go of the damaged file."""
        if self._carver is not None:
            self._carver.close()
            self._carver = None


def _insert(conn: sqlite3.Connection, row: Row, newest: dict[str, int]) -> int:
    """Insert one old row; returns 1, or 0 for what the new file has or must not have.

    Open alerts came with the snapshot. An id above the highest known old one is none of the old;
    those below zero were imported.
    """
    sql = _INSERTS.get(row.table)
    number: Value = row.values[0]
    if sql is None or not isinstance(number, int) or number > newest.get(row.table, 0):
        return 0
    if row.table == "health_alerts" and row.values[5] != 1:
        return 0
    values = row.values
    if row.table == "health_alerts" and len(values) < _ALERT_COLUMNS:
        values = (*values, *_NEWER)
    try:
        return conn.execute(sql, values).rowcount
    except sqlite3.Error as error:
        if kind_of(error) is Kind.UNFIT:
            return 0
        raise
