"""The rows of `health_alerts`: the same as the fold of `healmon.state`, in SQL. Pure.

Unresolved rows are the snapshot's `alerts`; a resolved one that is opened again is the same row.
"""

from __future__ import annotations

from typing import Final

import msgspec

from healmon import events as ev
from healmon.clock import format_utc
from healmon.plans import RANK, Overlays
from healmon.state import AlertView
from healmon.store.details import Statement, Values, details_text

_ALERT: Final = (
    "INSERT INTO health_alerts (id, timestamp, severity, component, message, resolved,"
    " resolved_at, key, state, count, first_seen, last_seen, acknowledged_at, acknowledged_by,"
    " note, acknowledged_until, evidence, resolution, opened_at, peak, reopened, overlays)"
    " VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?)"
)
_UNKNOWN: Final = (
    "acknowledged_at = NULL, acknowledged_by = '', note = '', acknowledged_until = NULL"
)
_RANK: Final = "CASE {} WHEN 'CRITICAL' THEN 2 WHEN 'WARNING' THEN 1 ELSE 0 END"
_OF_KEY: Final = " WHERE key = ? AND resolved = 0"
_STANDING: Final = (
    "CASE WHEN state <> 'stale' THEN state WHEN opened_at IS NULL THEN 'pending'"
    " WHEN acknowledged_at IS NULL THEN 'open' ELSE 'acknowledged' END"
)
_OVER: Final = (
    "UPDATE health_alerts SET resolved = 1, state = 'resolved', resolved_at = ?, resolution = ?,"
    " overlays = NULL" + _OF_KEY
)
_OVER_IF_OPENED: Final = _OVER + " AND opened_at IS NOT NULL"
_CONFIRMED: Final = (
    "UPDATE health_alerts SET state = 'open', opened_at = ?, severity = ?, peak = ?, component = ?,"
    " message = ?, evidence = ?, count = count + 1, last_seen = ?" + _OF_KEY
)
_ALERT_IF_NEW: Final = (
    _ALERT.replace("VALUES (", "SELECT ").removesuffix(")")
    + " WHERE NOT EXISTS (SELECT 1 FROM health_alerts WHERE key = ? AND resolved = 0)"
)
_GONE: Final = "DELETE FROM health_alerts WHERE id = ?"
_NOT_CONFIRMED: Final = "DELETE FROM health_alerts" + _OF_KEY + " AND opened_at IS NULL"
_SEEN: Final = f"UPDATE health_alerts SET state = {_STANDING}, last_seen = ?{_OF_KEY}"
_WORSE: Final = (  # what was acknowledged was less than this
    "UPDATE health_alerts SET severity = ?,"
    " state = CASE state WHEN 'acknowledged' THEN 'open' ELSE state END,"
    f" {_UNKNOWN}{_OF_KEY} AND {_RANK.format('severity')} < ?"
)
_PEAK: Final = f"UPDATE health_alerts SET peak = ?{_OF_KEY} AND {_RANK.format('peak')} < ?"
_AGAIN: Final = "UPDATE health_alerts SET message = ?, evidence = ?, count = count + 1" + _OF_KEY
_STALE: Final = "UPDATE health_alerts SET state = 'stale'" + _OF_KEY
_KNOWN: Final = (
    "UPDATE health_alerts SET state = 'acknowledged', acknowledged_at = ?, acknowledged_by = ?,"
    " note = ?, acknowledged_until = ?, opened_at = COALESCE(opened_at, ?)" + _OF_KEY
)
_UNKNOWN_AGAIN: Final = (
    "UPDATE health_alerts SET state = CASE state WHEN 'stale' THEN state ELSE 'open' END,"
    f" {_UNKNOWN},"
    f" opened_at = COALESCE(opened_at, ?){_OF_KEY}"
)
_OVERLAID: Final = "UPDATE health_alerts SET overlays = ?" + _OF_KEY


def alert_rows(event: ev.Event, at: str, number: int) -> list[Statement]:  # noqa: C901, PLR0911 - one case per event
    """Return what an event means for `health_alerts`; nothing for events of other things.

    Args:
        event: the event.
        at: when, as the store writes it.
        number: the event's id.
    """
    match event:
        case ev.AlertPended():
            # the fold replaces an alert of the same key; so does this, and the one open alert
            # per key that the index demands can never stop the writer
            over = (_OVER, (at, "found anew", event.key))
            return [over, (_ALERT, _born(event, at, number))]
        case ev.AlertOpened():
            return _opened(event, at, number)
        case ev.AlertReopened():
            return _reopened(event, at)
        case ev.AlertNoted():
            return [(_ALERT, _noted(event, at, number))]
        case ev.AlertUpdated():
            again = (event.message, details_text(event.evidence), event.key)
            rank = RANK[event.level]
            return [
                (_SEEN, (at, event.key)),
                (_WORSE, (event.level, event.key, rank)),
                (_PEAK, (event.level, event.key, rank)),
                (_AGAIN, again),
            ]
        case ev.AlertSeen():
            return [(_SEEN, (at, event.key))]
        case ev.AlertStale():
            return [(_STALE, (event.key,))]
        case ev.AlertResolved() | ev.AlertDropped():
            return [(_OVER, (at, event.reason, event.key))]
        case ev.AlertAcknowledged():
            until = None if event.until is None else format_utc(event.until)
            return [(_KNOWN, (at, event.by, event.note, until, at, event.key))]
        case ev.AlertUnacknowledged():
            return [(_UNKNOWN_AGAIN, (at, event.key))]
        case ev.AlertOverlaid():
            return [(_OVERLAID, (_overlays(event.overlays), event.key))]
        case _:
            return []


def _overlays(overlays: Overlays) -> str | None:
    return None if overlays == Overlays() else msgspec.json.encode(overlays).decode()


def _born(event: ev.AlertPended, at: str, number: int) -> Values:
    return (
        number, at, event.level, event.component, event.message, 0, None, event.key,
        "pending", 1, at, at, None, "", "", None, details_text(event.evidence), None,
        None, event.level, 0, None,
    )  # fmt: skip


def _opened(event: ev.AlertOpened, at: str, number: int) -> list[Statement]:
    evidence = details_text(event.evidence)
    confirmed = (
        at, event.level, event.level, event.component, event.message, evidence, at, event.key,
    )  # fmt: skip
    row = (
        number, at, event.level, event.component, event.message, 0, None, event.key,
        "open", 1, at, at, None, "", "", None, evidence, None, at, event.level, 0, None,
    )  # fmt: skip
    return [
        (_OVER_IF_OPENED, (at, "opened again", event.key)),
        (_CONFIRMED, confirmed),
        (_ALERT_IF_NEW, (*row, event.key)),
    ]


def _reopened(event: ev.AlertReopened, at: str) -> list[Statement]:
    first = format_utc(event.first_seen)
    row = (
        event.incident, first, event.level, event.component, event.message, 0, None, event.key,
        "open", event.count, first, at, None, "", "", None, details_text(event.evidence), None,
        at, event.peak, event.reopened, None,
    )  # fmt: skip
    return [
        # what was pending turned out to be the incident that goes on
        (_NOT_CONFIRMED, (event.key,)),
        (_OVER, (at, "opened again", event.key)),
        (_GONE, (event.incident,)),
        (_ALERT, row),
    ]


def _noted(event: ev.AlertNoted, at: str, number: int) -> Values:
    return (
        number, at, "INFO", event.component, event.message, 1, at, event.key,
        "resolved", 1, at, at, None, "", "", None, details_text(event.evidence), "noted",
        at, "INFO", 0, None,
    )  # fmt: skip


def alert_as_is(alert: AlertView) -> Statement:
    """Return the row that says what an unresolved alert of the snapshot says."""
    first, last = format_utc(alert.first_seen), format_utc(alert.last_seen)
    known = None if alert.acknowledged_at is None else format_utc(alert.acknowledged_at)
    until = None if alert.until is None else format_utc(alert.until)
    opened = format_utc(alert.opened_at) if alert.opened_at else None
    return _ALERT, (
        alert.id, first, alert.severity, alert.component, alert.message, 0, None, alert.key,
        alert.state, alert.count, first, last, known, alert.acknowledged_by, alert.note, until,
        details_text(alert.evidence), None, opened, alert.peak, alert.reopened,
        _overlays(alert.overlays),
    )  # fmt: skip
