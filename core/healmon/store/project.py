"""Events as rows: what each event means for the tables beside `events`. Pure.

The rows say the same as `state.apply`: unresolved rows of `health_alerts` are the snapshot's
alerts, rows of `components` its components, always as of the same event, because both are written
in the transaction that keeps the event.
"""

from __future__ import annotations

from typing import Final, TypeAlias, cast

import msgspec

from healmon import events as ev
from healmon.clock import format_utc
from healmon.plans import RANK, Packed
from healmon.state import AlertView, ComponentView, Snapshot

Statement: TypeAlias = tuple[str, tuple[str | int | None, ...]]

DETAILS_LIMIT: Final = 4_000
"""Characters of `details`; the event's payload holds everything."""

EVENT: Final = (
    "INSERT INTO events (id, timestamp, kind, component, severity, payload, cause)"
    " VALUES (?, ?, ?, ?, ?, ?, ?) ON CONFLICT (id) DO NOTHING"
)
_METRIC: Final = (
    "INSERT INTO health_metrics (timestamp, component, metric_type, metric_value, status,"
    " action_taken, details, event_id) VALUES (?, ?, ?, ?, ?, ?, ?, ?)"
)
_COMPONENT: Final = (
    "INSERT INTO components (component, healer, status, summary, since, seen_at)"
    " VALUES (?, ?, ?, ?, ?, ?) ON CONFLICT (component) DO UPDATE SET"
    " since = CASE WHEN status = excluded.status THEN since ELSE excluded.since END,"
    " healer = excluded.healer, status = excluded.status, summary = excluded.summary,"
    " seen_at = excluded.seen_at"
)
_ALL_OVER: Final = (
    "UPDATE health_alerts SET resolved = 1, state = 'resolved', resolved_at = ?,"
    " resolution = 'not known any more' WHERE resolved = 0"
)
_COMPONENT_GONE: Final = "DELETE FROM components WHERE component = ?"
_ALERT: Final = (
    "INSERT INTO health_alerts (id, timestamp, severity, component, message, resolved,"
    " resolved_at, key, state, count, first_seen, last_seen, acknowledged_at, acknowledged_by,"
    " note, acknowledged_until, evidence, resolution)"
    " VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?)"
)
_RANK_NOW: Final = "CASE severity WHEN 'CRITICAL' THEN 2 WHEN 'WARNING' THEN 1 ELSE 0 END"
_ALERT_WORSE: Final = (  # what was acknowledged was less than this
    "UPDATE health_alerts SET severity = ?, state = 'open', acknowledged_at = NULL,"  # noqa: S608 - a constant
    " acknowledged_by = '', note = '', acknowledged_until = NULL"
    f" WHERE key = ? AND resolved = 0 AND {_RANK_NOW} < ?"
)
_ALERT_AGAIN: Final = (
    "UPDATE health_alerts SET message = ?, evidence = ?, count = count + 1, last_seen = ?"
    " WHERE key = ? AND resolved = 0"
)
_ALERT_OVER: Final = (
    "UPDATE health_alerts SET resolved = 1, state = 'resolved', resolved_at = ?, resolution = ?"
    " WHERE key = ? AND resolved = 0"
)
_ALERT_KNOWN: Final = (
    "UPDATE health_alerts SET state = 'acknowledged', acknowledged_at = ?, acknowledged_by = ?,"
    " note = ?, acknowledged_until = ? WHERE key = ? AND resolved = 0"
)
_ALERT_UNKNOWN: Final = (
    "UPDATE health_alerts SET state = 'open', acknowledged_at = NULL, acknowledged_by = '',"
    " note = '', acknowledged_until = NULL WHERE key = ? AND resolved = 0"
)


def event_row(record: ev.Recorded) -> Statement:
    """Return the row of `events`; written once only, however often it is tried."""
    event = record.event
    return EVENT, (
        record.id,
        format_utc(record.wall),
        ev.kind_of(event),
        ev.component_of(event),
        ev.severity_of(event),
        ev.encode(event),
        record.cause,
    )


class Projector:
    """Turns events into rows, one after the other.

    It remembers the newest refusal of each component, so that a plan refused in every cycle (dry
    run, maintenance) is one row and not one per cycle.
    """

    def __init__(self) -> None:
        self._refused: dict[str, tuple[str, str, str]] = {}

    def rows(self, record: ev.Recorded) -> list[Statement]:
        """Return what an event changes in the tables beside `events`."""
        event, at = record.event, format_utc(record.wall)
        match event:
            case ev.Observed():
                return _observed(event, at, record.id)
            case ev.ComponentGone():
                self._refused.pop(event.component, None)
                return [(_COMPONENT_GONE, (event.component,))]
            case ev.PlanMade():
                self._refused.pop(event.plan.component, None)
                return []
            case ev.PlanRefused():
                return self._plan_refused(event, at, record.id)
            case ev.ActionVerified() | ev.ActionFailed():
                return [_action(event, at, record.id)]
            case _:
                return _alert_rows(record, at)

    def _plan_refused(self, event: ev.PlanRefused, at: str, number: int) -> list[Statement]:
        plan = event.plan
        refusal = (plan.action, plan.subject, event.reason)
        if self._refused.get(plan.component) == refusal:
            return []
        self._refused[plan.component] = refusal
        steps = [step.text for step in plan.steps]
        details = {
            "summary": f"would have: {'; '.join(steps) or plan.action}",
            "not done": event.reason,
            "why": plan.why,
            "subject": plan.subject,
        }
        return [
            (
                _METRIC,
                (at, plan.component, "plan_refused", plan.action, "warning", "", _details(details),
                 number),
            )
        ]  # fmt: skip


def _observed(event: ev.Observed, at: str, number: int) -> list[Statement]:
    details = _details({"summary": event.summary, "facts": event.facts})
    metric = (
        at, event.component, event.metric_type, event.metric_value, event.status, "", details,
        number,
    )  # fmt: skip
    component = (event.component, event.healer, event.status, event.summary, at, at)
    return [(_METRIC, metric), (_COMPONENT, component)]


def _action(event: ev.ActionVerified | ev.ActionFailed, at: str, number: int) -> Statement:
    details: Packed
    if isinstance(event, ev.ActionVerified):
        status, value = "recovered", "verified"
        details = {"summary": event.proof, "seconds": event.seconds, "facts": event.details}
    else:
        status, value = "error", "failed"
        details = {"summary": event.reason, "seconds": event.seconds}
        if event.details:
            details["facts"] = event.details
    details["plan"] = event.plan_id
    return _METRIC, (
        at, event.component, "auto_recovery", value, status, event.action, _details(details),
        number,
    )  # fmt: skip


def _alert_rows(record: ev.Recorded, at: str) -> list[Statement]:  # noqa: PLR0911 - one case per event
    event = record.event
    match event:
        case ev.AlertOpened():
            # the fold replaces an alert of the same key; so does this, and the one open alert
            # per key that the index demands can never stop the writer
            over: Statement = (_ALERT_OVER, (at, "opened again", event.key))
            row = (
                record.id, at, event.level, event.component, event.message, 0, None, event.key,
                "open", 1, at, at, None, "", "", None, _details(event.evidence), None,
            )  # fmt: skip
            return [over, (_ALERT, row)]
        case ev.AlertNoted():
            noted = (
                record.id, at, "INFO", event.component, event.message, 1, at, event.key,
                "resolved", 1, at, at, None, "", "", None, _details(event.evidence), "noted",
            )  # fmt: skip
            return [(_ALERT, noted)]
        case ev.AlertUpdated():
            again = (event.message, _details(event.evidence), at, event.key)
            worse = (event.level, event.key, RANK[event.level])
            return [(_ALERT_WORSE, worse), (_ALERT_AGAIN, again)]
        case ev.AlertResolved():
            return [(_ALERT_OVER, (at, event.reason, event.key))]
        case ev.AlertAcknowledged():
            until = None if event.until is None else format_utc(event.until)
            return [(_ALERT_KNOWN, (at, event.by, event.note, until, event.key))]
        case ev.AlertUnacknowledged():
            return [(_ALERT_UNKNOWN, (event.key,))]
        case _:
            return []


def rebuild(snapshot: Snapshot) -> list[Statement]:
    """Return the statements that make `components` and the open alerts say what a snapshot says.

    For a file that has not seen all events: a new one begun while healmon ran, or one from which
    events had to be left out.
    """
    statements: list[Statement] = [("DELETE FROM components", ())]
    statements += [_component_as_is(view) for view in snapshot.components.values()]
    statements.append((_ALL_OVER, (format_utc(snapshot.at),)))
    for alert in snapshot.alerts.values():
        statements.append(("DELETE FROM health_alerts WHERE id = ?", (alert.id,)))
        statements.append(_alert_as_is(alert))
    return statements


def _component_as_is(view: ComponentView) -> Statement:
    since, seen = format_utc(view.since), format_utc(view.seen_at)
    return _COMPONENT, (view.name, view.healer, view.status, view.summary, since, seen)


def _alert_as_is(alert: AlertView) -> Statement:
    first, last = format_utc(alert.first_seen), format_utc(alert.last_seen)
    known = None if alert.acknowledged_at is None else format_utc(alert.acknowledged_at)
    until = None if alert.until is None else format_utc(alert.until)
    return _ALERT, (
        alert.id, first, alert.severity, alert.component, alert.message, 0, None, alert.key,
        alert.state, alert.count, first, last, known, alert.acknowledged_by, alert.note, until,
        _details(alert.evidence), None,
    )  # fmt: skip


def _details(details: Packed) -> str:
    """Return a JSON object of a sane size: what does not fit is left out, and that is said."""
    text = msgspec.json.encode(details).decode()
    if len(text) <= DETAILS_LIMIT:
        return text
    kept: Packed = {"cut": True}
    room = DETAILS_LIMIT - len('{"cut":true}')
    for name, value in details.items():
        # one level down as well, so that a long list of files does not cost all other facts
        fitting = _fitting(cast("Packed", value), room // 2) if isinstance(value, dict) else value
        parts: Packed = {name: fitting}
        size = len(msgspec.json.encode(parts)) + 1
        if size > room and isinstance(value, str):
            parts = {name: value[: max(0, room // 8)]}
            size = len(msgspec.json.encode(parts)) + 1
        if size <= room:
            kept.update(parts)
            room -= size
    return msgspec.json.encode(kept).decode()


def _fitting(value: Packed, room: int) -> Packed:
    kept: Packed = {}
    for name, part in value.items():
        size = len(msgspec.json.encode({name: part})) + 1
        if size <= room:
            kept[name] = part
            room -= size
    return kept
