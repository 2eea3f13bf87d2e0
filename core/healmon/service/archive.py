"""The past, as a screen asks for it: where to go, what was there, and why it goes no further.

Everything here blocks for a moment and belongs into a thread beside the screen. Nothing is written.
"""

from __future__ import annotations

import contextlib
import json
import math
import sqlite3
import threading
from collections.abc import Generator
from pathlib import Path
from typing import TYPE_CHECKING, Final, Literal, NamedTuple, TypeAlias

from healmon.clock import local_time
from healmon.errors import HealmonError
from healmon.events import Recorded
from healmon.plans import RANK, Severity
from healmon.state import Snapshot
from healmon.store import moments, read
from healmon.store.bearers import Files, bearers
from healmon.store.past import Bounds, Past, Use, wall_of
from healmon.text import clean
from healmon.units import format_duration

if TYPE_CHECKING:
    from healmon.service.series import Sums

LISTED: Final = 200
"""Incidents listed at most."""
RUNS: Final = 40
"""Starts and ends of the healer listed at most."""
Where: TypeAlias = Literal["back", "forward", "incident-back", "incident-forward"]
"""To the stop before or after, or to where the incident before or after began."""


class Visit(NamedTuple):
    """A moment of the past.

    Attributes:
        number: the event after which it is shown.
        wall: wall seconds of that event: the time of the screen.
        component: what that event is about.
        snapshot: the state then.
        events: the newest events up to it, for the stories behind the state; oldest first.
        whole: those are all there ever were.
    """

    number: int
    wall: float
    component: str
    snapshot: Snapshot
    events: list[Recorded]
    whole: bool


class Entry(NamedTuple):
    """One line of the list of incidents; `number` is where to go for it."""

    number: int
    wall: float
    level: Severity
    component: str
    text: str
    ended: str = ""
    incident: bool = True


class Archive:
    """The stored past behind one link. Safe from any thread; blocks.

    Args:
        use: lends a connection for one page of rows.
    """

    def __init__(self, use: Use) -> None:
        self._past = Past(use)
        self._lock = threading.Lock()

    def go(self, where: Where, number: int = 0) -> Visit | str:
        """Return the moment in a direction, or why there is none.

        Args:
            where: which way.
            number: the event of the moment that is shown; 0: now.

        Raises:
            HealmonError: the store cannot be read now.
        """
        with self._lock:
            bounds = self._past.bounds()
            found = _WAYS[where](self._past, number or bounds.newest)
            if found is None or found < bounds.oldest:
                return self._edge(where, bounds)
            return self._visit(found)

    def at(self, number: int) -> Visit:
        """Return the moment after an event.

        Raises:
            HealmonError: the store cannot be read now.
        """
        with self._lock:
            return self._visit(number)

    def begin(self, entry: Entry) -> Visit | str:
        """Return the moment at which what is listed began, or why it cannot be shown.

        Raises:
            HealmonError: the store cannot be read now.
        """
        with self._lock:
            number = entry.number
            if entry.incident:
                number = moments.beginning(self._past, number, entry.component)
            bounds = self._past.bounds()
            if entry.number < bounds.oldest:
                return self._edge("back", bounds)
            return self._visit(max(number, bounds.oldest))

    def entries(self) -> tuple[list[Entry], str]:
        """Return incidents and starts and ends of healmon, newest first; and what is older.

        Raises:
            HealmonError: the store cannot be read now.
        """
        with self._lock:
            bounds = self._past.bounds()
            alerts, spans = _incidents(self._past)
            found = [*alerts, *_healed(self._past, spans), *_runs(self._past)]
            found = [entry for entry in found if entry.number >= bounds.oldest]
            ordered = sorted(found, key=lambda entry: entry.number, reverse=True)
            return ordered, self._edge("back", bounds)

    def sums(self, begin: float, end: float, step: float = 0.0) -> Sums:
        """Return how things went from one moment to another, as series to be drawn.

        Args:
            begin: wall seconds.
            end: wall seconds.
            step: seconds that a point stands for; 0.0: as few as make a picture.

        Raises:
            ValueError: there is no such stretch of time.
            HealmonError: the store cannot be read now.
        """
        from healmon.service.series import frame, sums  # noqa: PLC0415 - loaded when plots are wanted

        where = frame(begin, end, step)
        with self._lock:
            return sums(self._past, where)

    def _visit(self, number: int) -> Visit:
        snapshot = self._past.at(number)
        events, whole = self._past.before(number)
        rows = self._past.rows("SELECT component FROM events WHERE id = ?", number)
        about = clean(rows[0][0]) if rows else ""
        return Visit(number, snapshot.at, about, snapshot, events, whole)

    def _edge(self, where: Where, bounds: Bounds) -> str:
        if where == "forward":
            return "nothing happened after this"
        if where == "incident-forward":
            return "no incident began after this"
        if not bounds.newest:
            return "nothing has happened yet"
        rows = self._past.rows("SELECT min(timestamp) FROM events WHERE id >= ?", bounds.oldest)
        when = local_time(wall_of(rows[0][0] or ""), "%d %b %H:%M:%S")
        if bounds.pruned:
            return f"older history was pruned: it is kept from {when} on"
        return f"the history begins {when}" if where == "back" else f"no incident since {when}"


class Reader:
    """A connection of one's own to another program's store: it cannot write.

    It is opened when it is needed, and anew when another file bears the name.
    """

    def __init__(self, path: Path) -> None:
        self._path = path
        self._lock = threading.Lock()
        self._file: Files | None = None
        self._conn: sqlite3.Connection | None = None

    @contextlib.contextmanager
    def use(self) -> Generator[sqlite3.Connection, None, None]:
        """Lend the connection.

        Raises:
            ReadError, StoreVersionError: the store cannot be read now.
        """
        with self._lock:
            file = bearers(self._path)
            if self._conn is None or file != self._file:
                self._close()
                self._conn, self._file = read.open_reader(self._path), file
            try:
                yield self._conn
            except (sqlite3.Error, HealmonError):
                self._close()
                raise

    def close(self) -> None:
        """Let go of the file; the next use opens it again."""
        with self._lock:
            self._close()

    def _close(self) -> None:
        conn, self._conn = self._conn, None
        if conn is not None:
            conn.close()


_WAYS: Final = {
    "back": moments.stop_before,
    "forward": moments.stop_after,
    "incident-back": moments.incident_before,
    "incident-forward": moments.incident_after,
}


Spans: TypeAlias = dict[str, list[tuple[float, float]]]
"""When each component had an alert, in wall seconds."""
STILL: Final = 5.0
"""Seconds after the end of an alert in which what is done belongs to it."""


def _incidents(past: Past) -> tuple[list[Entry], Spans]:
    rows = past.rows(
        "SELECT id, opened_at, severity, peak, component, message, resolved_at, resolution,"
        " acknowledged_by FROM health_alerts WHERE opened_at IS NOT NULL"
        " AND (severity <> 'INFO' OR peak NOT IN ('', 'INFO')) ORDER BY id DESC LIMIT ?",
        LISTED,
    )
    entries: list[Entry] = []
    spans: Spans = {}
    for number, opened, severity, peak, component, message, resolved_at, resolution, by in rows:
        at, over = wall_of(opened), wall_of(resolved_at) if resolved_at else math.inf
        spans.setdefault(component, []).append((at, over + STILL))
        level = max((_level(severity), _level(peak)), key=RANK.__getitem__)
        ended = _ended(at, over, clean(resolution or ""), clean(by))
        entries.append(Entry(int(number), at, level, clean(component), clean(message), ended))
    return entries, spans


def _healed(past: Past, spans: Spans) -> list[Entry]:
    """Return what was done where no alert was open: there was none, or it was needed no more."""
    rows = past.rows(
        "SELECT event_id, timestamp, component, action_taken, status,"
        " json_extract(details, '$.summary') FROM health_metrics WHERE action_taken <> ''"
        " AND event_id IS NOT NULL ORDER BY id DESC LIMIT ?",
        LISTED,
    )
    entries: list[Entry] = []
    for number, timestamp, component, action, status, summary in rows:
        at = wall_of(timestamp)
        if any(since <= at <= until for since, until in spans.get(component, ())):
            continue
        verified = status == "recovered"
        text = f"{clean(action).replace('_', ' ')} {'verified' if verified else 'failed'}"
        level: Severity = "INFO" if verified else "WARNING"
        said = clean(str(summary or ""))
        entries.append(Entry(int(number), at, level, clean(component), text, said))
    return entries


def _ended(opened: float, over: float, resolution: str, by: str) -> str:
    if over == math.inf:
        return f"acknowledged by {by}" if by else "still open"
    took = format_duration(max(0, int(over - opened)))
    return f"after {took}: {resolution}" if resolution else f"after {took}"


def _level(text: str) -> Severity:
    return "CRITICAL" if text == "CRITICAL" else "WARNING" if text == "WARNING" else "INFO"


def _runs(past: Past) -> list[Entry]:
    entries: list[Entry] = []
    for kind in ("enginestarted", "enginestopped"):
        rows = past.rows(
            f"SELECT id, timestamp, payload FROM events WHERE kind = '{kind}'"  # noqa: S608 - constants
            " ORDER BY id DESC LIMIT ?",
            RUNS,
        )
        for number, timestamp, payload in rows:
            said = json.loads(payload)
            text = (
                f"healmon {said.get('version')} started, pid {said.get('pid')}"
                if kind == "enginestarted"
                else f"healmon ended: {said.get('reason')}"
            )
            entries.append(
                Entry(int(number), wall_of(timestamp), "INFO", "healmon", clean(text),
                      incident=False)
            )  # fmt: skip
    return entries
