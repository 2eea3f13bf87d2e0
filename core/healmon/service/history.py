"""What rows of earlier monitors mean in the health store. Pure.

Three programs wrote tables of these names, each its own way:

* `v1`: times of SQLite (UTC, no zone), severities in lower case, alerts of no component;
* `v2`, the specification's: local times of Python (`T`, no zone), metric types;
* `ci`: another program's samples under the same name, one row with many figures.

A table may hold rows of two of them, so times and words are judged row by row.
"""

from __future__ import annotations

import hashlib
import json
import math
import re
from collections.abc import Iterable, Mapping
from datetime import UTC, datetime, tzinfo
from typing import Final, Literal, NamedTuple

from healmon.clock import format_utc
from healmon.text import clean

Layout = Literal["v1", "v2", "ci"]
Row = Mapping[str, object]

METRICS: Final = "health_metrics"
ALERTS: Final = "health_alerts"
LAYOUTS: Final[dict[str, tuple[tuple[Layout, frozenset[str]], ...]]] = {
    METRICS: (
        ("v2", frozenset({"timestamp", "component", "metric_type"})),
        ("v1", frozenset({"timestamp", "component", "status"})),
        ("ci", frozenset({"timestamp", "workers_running", "disk_usage_percent"})),
    ),
    ALERTS: (("v2", frozenset({"timestamp", "severity", "component", "message"})),),
}
"""What a table must have to be of a layout, the more telling first."""
STATUS: Final = {
    "healthy": "healthy", "running": "healthy", "ok": "healthy",
    "unhealthy": "unhealthy", "failed": "unhealthy", "stuck": "unhealthy", "down": "unhealthy",
    "error": "error", "recovered": "recovered", "warning": "warning", "critical": "critical",
}  # fmt: skip
SEVERITY: Final = {
    "critical": "CRITICAL", "error": "CRITICAL", "warning": "WARNING", "info": "INFO",
    "recovered": "INFO",
}  # fmt: skip
NOBODY: Final = "health_monitor"
"""Whom alerts without a component are of: the program that wrote them."""
LEFT_OPEN: Final = "imported; nobody ever said that it was over"
TEXT: Final = 2_000
"""Characters of one value that are kept."""
_LATEST: Final = 4_102_444_800.0
"""The year 2100; what is later is no time."""
_EPOCH_MS: Final = 1e11
_SECONDS: Final = re.compile(r"[0-9]{9,13}(\.[0-9]*)?")
"""Seconds or milliseconds since 1970 as text; a date in digits alone has eight."""
_SECOND_BITS, _ROW_BITS = 32, 21


class Entry(NamedTuple):
    """One row of the past as the store keeps it.

    Attributes:
        id: negative, the earlier the lower; from what the row says, so that it is the same again.
        mark: the same, without a doubt.
        values: of the columns that `store.imported` names, `id` and `details` left out.
        details: a JSON object: where it came from, and what has no column.
    """

    id: int
    mark: str
    values: tuple[str | int | None, ...]
    details: str


class Bad(ValueError):  # noqa: N818 - a word about a row, caught where rows are read
    """This row cannot be placed; says why."""


def layout_of(table: str, columns: Iterable[str]) -> Layout | None:
    """Return which layout a table has by its columns; None: none of those known."""
    there = [column.lower() for column in columns]
    found: Layout | None = next(
        (name for name, needed in LAYOUTS[table] if needed <= {*there}), None
    )
    if found and table == ALERTS and there.index("message") < there.index("component"):
        return "v1"  # the same columns in another order
    return found


def moment(value: object, zone: tzinfo | None) -> float:
    """Return the epoch seconds that a value means.

    Args:
        value: a text or number. A zone in it counts; without one, `T` in the middle is local time
            (Python's `isoformat`), a space UTC (SQLite's `CURRENT_TIMESTAMP`).
        zone: what local means; None: as on this host.

    Raises:
        Bad: it is no time.
    """
    if isinstance(value, bool) or not isinstance(value, int | float | str):
        raise Bad(f"{_shown(value)} is no time")
    try:
        found = _number(value) if isinstance(value, int | float) else _text_time(value, zone)
    except (ValueError, OverflowError, OSError):
        raise Bad(f"{_shown(value)} is no time") from None
    if not 0 < found < _LATEST:
        raise Bad(f"{_shown(value)} is no time of this century")
    return found


def is_local(value: object) -> bool:
    """Return whether a value is a local time that does not say of which zone."""
    if not isinstance(value, str) or "T" not in value.upper():
        return False
    try:
        return datetime.fromisoformat(value.strip()).tzinfo is None
    except ValueError:
        return False


def _number(value: float) -> float:
    return value / 1000 if value > _EPOCH_MS else float(value)


def _text_time(text: str, zone: tzinfo | None) -> float:
    text = text.strip()
    if _SECONDS.fullmatch(text):  # a column of texts makes one of a number
        return _number(float(text))
    found = datetime.fromisoformat(text)
    if found.tzinfo is None and "T" not in text.upper():
        found = found.replace(tzinfo=UTC)
    elif found.tzinfo is None and zone is not None:
        found = found.replace(tzinfo=zone)
    return found.timestamp()


def metric(layout: Layout, number: int, row: Row, zone: tzinfo | None, source: str) -> Entry:
    """Return a row of `health_metrics` as the store keeps it.

    Args:
        layout: of its table.
        number: its row id.
        row: its values by column.
        zone: see `moment`.
        source: the file it came from, for people.

    Raises:
        Bad: it has no time.
    """
    at = format_utc(moment(row.get("timestamp"), zone))
    if layout == "ci":
        return _sample(number, row, at, source)
    known = {"timestamp", "component", "metric_type", "metric_value", "status", "action_taken"}
    status = _word(row.get("status"))
    values = (
        at,
        component_of(row.get("component")),
        _text(row.get("metric_type")) or "imported",
        _text(row.get("metric_value")),
        STATUS.get(status.lower(), "unknown"),
        _text(row.get("action_taken")),
    )
    return _entry(METRICS, layout, number, row, values, known, source)


def _sample(number: int, row: Row, at: str, source: str) -> Entry:
    issues = _issues(row.get("issues"))
    values = (at, "host", "ci_sample", "", "warning" if issues else "healthy", "")
    return _entry(METRICS, "ci", number, row, values, {"timestamp"}, source)


def _issues(value: object) -> object:
    """Return what stands in a list of issues; a text that is no JSON is an issue itself."""
    if not isinstance(value, str):
        return value
    try:
        found: object = json.loads(value)
    except ValueError:
        return value.strip()
    return found


def alert(layout: Layout, number: int, row: Row, zone: tzinfo | None, source: str) -> Entry:
    """Return a row of `health_alerts` as the store keeps it: always as one that is over.

    None of those programs ever resolved one, so what they left open says nothing about today.
    Its end is the one it had, or else the moment it was told.

    Raises:
        Bad: it has no time, or no message.
    """
    at = format_utc(moment(row.get("timestamp"), zone))
    message = _text(row.get("message"))
    if not message:
        raise Bad("it has no message")
    level = SEVERITY.get(_word(row.get("severity")).lower(), "WARNING")
    component = component_of(row.get("component"))
    over = row.get("resolved") in (1, "1", "true", "True")
    end, resolution = at, LEFT_OPEN
    if over:
        end, resolution = _end(row.get("resolved_at"), at, zone), "imported as resolved"
    key = f"imported/{component}/{level.lower()}"
    values = (at, level, component, message, end, key, at, end, resolution, at, level)
    known = {"timestamp", "severity", "component", "message", "resolved", "resolved_at"}
    return _entry(ALERTS, layout, number, row, values, known, source)


def _end(value: object, at: str, zone: tzinfo | None) -> str:
    try:
        return max(at, format_utc(moment(value, zone)))
    except Bad:
        return at


def component_of(value: object) -> str:
    """Return what a component of theirs is called here."""
    name = _word(value)
    if name.startswith("session_") and name != "session_monitor":
        return f"session:{name.removeprefix('session_')}"
    if name.endswith(".db"):
        return f"database:{name.removesuffix('.db')}"
    return name or NOBODY


def _entry(
    table: str, layout: Layout, number: int, row: Row, values: tuple[str | int | None, ...],
    known: set[str], source: str,
) -> Entry:  # fmt: skip
    """Make the entry; what it was called before stays with it, and what has no column here."""
    said = [table, layout, number, *(_plain(row.get(name)) for name in _SAID)]
    digest = hashlib.sha256(json.dumps(said).encode()).hexdigest()
    origin = {"from": clean(source), "table": table, "layout": layout, "row": number}
    was = {
        name: _plain(row[name])
        for name in ("timestamp", "component", "status", "severity", "resolved", "resolved_at")
        if name in row and row[name] not in values and row[name] not in (None, "")
    }
    rest = {
        clean(name): _plain(value)
        for name, value in row.items()
        if name not in known and name != "id" and value not in (None, "")
    }
    ours = {"imported": {**origin, "mark": digest[:24]}, **({"was": was} if was else {})}
    told = {**ours, **{f"{name}_" if name in ours else name: rest[name] for name in rest}}
    details = json.dumps(told, ensure_ascii=False)
    return Entry(_id(row.get("timestamp"), number), digest[:24], values, details)


_SAID: Final = (
    "timestamp", "severity", "component", "message", "metric_type", "metric_value", "action_taken",
    "details", "issues",
)  # fmt: skip
"""What tells one row from another; not what may change later, such as `resolved`."""


def _id(timestamp: object, number: int) -> int:
    """Return a number below zero that JSON can carry: by the moment, then by the row.

    Whatever the zone is taken to be, it is the same, so that nothing is imported twice.
    """
    seconds = int(moment(timestamp, UTC)) & ((1 << _SECOND_BITS) - 1)
    return (seconds << _ROW_BITS | number & ((1 << _ROW_BITS) - 1)) - (1 << 53)


def _plain(value: object) -> object:
    if isinstance(value, bytes):
        return clean(value, limit=TEXT)
    if isinstance(value, str):
        return clean(value, lines=True, limit=TEXT)
    if value is None or (isinstance(value, int | float) and math.isfinite(value)):
        return value
    return clean(str(value))  # JSON has no infinity


def _word(value: object) -> str:
    return clean(str(value).strip(), limit=200) if value is not None else ""


def _text(value: object) -> str:
    return (
        clean(value if isinstance(value, bytes) else str(value), limit=TEXT)
        if value is not None
        else ""
    )


def _shown(value: object) -> str:
    return clean(repr(value), limit=60)
