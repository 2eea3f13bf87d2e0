"""Events as rows: what each event means for the tables beside `events`. Pure.

The rows say the same as `state.apply`: unresolved rows of `health_alerts` are the snapshot's
alerts, rows of `components` its components, always as of the same event, because both are written
in the transaction that keeps the event.
"""

from __future__ import annotations

from typing import Final

import msgspec

from healmon import events as ev
from healmon.clock import format_utc
from healmon.plans import Packed
from healmon.state import FOREVER, ComponentView, NoticeView, SilenceView, Snapshot
from healmon.state.noticing import NoticeEvent
from healmon.store.alertrows import alert_as_is, alert_rows
from healmon.store.details import Statement, details_text

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
_HEARTBEAT: Final = "INSERT OR REPLACE INTO meta (key, value) VALUES ('heartbeat', ?)"
_INTERVAL: Final = "INSERT OR REPLACE INTO meta (key, value) VALUES ('interval', ?)"
_DRY_RUN: Final = "INSERT OR REPLACE INTO meta (key, value) VALUES ('dry_run', ?)"
_PAUSED: Final = "INSERT OR REPLACE INTO meta (key, value) VALUES ('paused:' || ?, ?)"
_RESUMED: Final = "DELETE FROM meta WHERE key = 'paused:' || ?"
_COMPONENT_GONE: Final = "DELETE FROM components WHERE component = ?"
_SILENCE: Final = (
    "INSERT OR REPLACE INTO silences (id, created_at, until, match, by, note)"
    " VALUES (?, ?, ?, ?, ?, ?)"
)
_MOVED: Final = tuple(  # as `state.stepping` has it
    f"UPDATE {table} SET "  # noqa: S608 - constants
    + ", ".join(f"{c} = coalesce(strftime('%Y-%m-%d %H:%M:%f', {c}, ?1), {c})" for c in columns)
    + where
    for table, columns, where in (
        ("components", ("since", "seen_at"), ""),
        ("silences", ("created_at", "until"), " WHERE ended_at IS NULL"),
        (
            "health_alerts",
            ("timestamp", "first_seen", "last_seen", "opened_at", "acknowledged_at",
             "acknowledged_until"),
            " WHERE resolved = 0",
        ),
        ("notices", ("created_at", "next_at"), " WHERE state = 'waiting'"),
        ("meta", ("value",), " WHERE key GLOB 'paused:*' AND value < '9998'"),
    )
)  # fmt: skip
_SILENCE_OVER: Final = "UPDATE silences SET ended_at = ?, resolution = ? WHERE id = ?"
_NOTICE: Final = (
    "INSERT OR REPLACE INTO notices (id, created_at, channel, topic, title, body, keys, state,"
    " attempts, next_at, sent_at, reason, level)"
    " VALUES (?, ?, ?, ?, ?, ?, ?, 'waiting', ?, ?, NULL, ?, ?)"
)
_NOTICE_SENT: Final = "UPDATE notices SET state = 'sent', sent_at = ?, reason = '' WHERE id = ?"
_NOTICE_FAILED: Final = (
    "UPDATE notices SET attempts = attempts + 1, next_at = ?, reason = ?"
    " WHERE id = ? AND state = 'waiting'"
)
_NOTICE_DROPPED: Final = (
    "UPDATE notices SET state = 'dropped', reason = ? WHERE id = ? AND state = 'waiting'"
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
    run, maintenance) is one row and not one per cycle; and its newest sample in this cycle, so that
    looks between two cycles that find nothing new are no rows.
    """

    def __init__(self) -> None:
        self._refused: dict[str, tuple[str, str, str]] = {}
        self._sampled: dict[str, tuple[str, ...]] = {}

    def rows(self, record: ev.Recorded) -> list[Statement]:  # noqa: C901, PLR0911 - one case per event
        """Return what an event changes in the tables beside `events`."""
        event, at = record.event, format_utc(record.wall)
        match event:
            case ev.Observed():
                return self._observed(event, at, record.id)
            case ev.CycleStarted():
                self._sampled.clear()
                return []
            case ev.ConfigurationChanged():
                return [(_INTERVAL, (f"{record.id} {event.interval:g}",))]
            case ev.EngineStarted() | ev.DryRunChanged() | ev.CycleFinished():
                return [_of_engine(event, at)]
            case ev.ComponentGone():
                self._refused.pop(event.component, None)
                return [(_COMPONENT_GONE, (event.component,))]
            case ev.PlanMade():
                self._refused.pop(event.plan.component, None)
                return []
            case ev.PlanRefused():
                return self._plan_refused(event, at, record.id)
            case ev.ActionVerified() | ev.ActionFailed():
                self._sampled.pop(event.component, None)  # how it is afterwards is news
                return [_action(event, at, record.id)]
            case ev.SilenceStarted() | ev.SilenceEnded():
                return _silence_rows(event, at, record.id)
            case ev.ClockJumped():
                return _clock_set(event)
            case ev.NoticeMade() | ev.NoticeSent() | ev.NoticeFailed() | ev.NoticeDropped():
                return _notice_rows(event, at, record.id)
            case _:
                return [*alert_rows(event, at, record.id), *_pauses(event)]

    def _observed(self, event: ev.Observed, at: str, number: int) -> list[Statement]:
        component = (event.component, event.healer, event.status, event.summary, at, at)
        sample = (event.status, event.metric_type, event.metric_value, event.summary)
        if self._sampled.get(event.component) == sample:
            return [(_COMPONENT, component)]
        self._sampled[event.component] = sample
        details = details_text({"summary": event.summary, "facts": event.facts})
        metric = (
            at, event.component, event.metric_type, event.metric_value, event.status, "", details,
            number,
        )  # fmt: skip
        return [(_METRIC, metric), (_COMPONENT, component)]

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
        row = (
            at, plan.component, "plan_refused", plan.action, "warning", "", details_text(details),
            number,
        )  # fmt: skip
        return [(_METRIC, row)]


def _of_engine(event: ev.EngineStarted | ev.DryRunChanged | ev.CycleFinished, at: str) -> Statement:
    if isinstance(event, ev.CycleFinished):
        return _HEARTBEAT, (at,)
    return _dry_run(on=event.dry_run if isinstance(event, ev.EngineStarted) else event.on)


def _dry_run(*, on: bool) -> Statement:
    return _DRY_RUN, ("1" if on else "0",)


def _pauses(event: ev.Event) -> list[Statement]:
    match event:
        case ev.MaintenanceStarted():
            return [_paused(event.component, event.until)]
        case ev.MaintenanceEnded():
            return [(_RESUMED, (event.component,))]
        case _:
            return []


def _paused(name: str, until: float) -> Statement:
    return _PAUSED, (name, format_utc(min(until, FOREVER)))


def _clock_set(event: ev.ClockJumped) -> list[Statement]:
    by = f"{round(event.stepped * 1000) / 1000:+.3f} seconds"
    return [(sql, (by,)) for sql in _MOVED] if event.stepped else []


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
        at, event.component, "auto_recovery", value, status, event.action, details_text(details),
        number,
    )  # fmt: skip


def _silence_rows(
    event: ev.SilenceStarted | ev.SilenceEnded, at: str, number: int
) -> list[Statement]:
    if isinstance(event, ev.SilenceEnded):
        return [(_SILENCE_OVER, (at, event.reason, event.silence))]
    until = format_utc(event.until)
    return [(_SILENCE, (number, at, until, event.match, event.by, event.note))]


def _notice_rows(event: NoticeEvent, at: str, number: int) -> list[Statement]:
    match event:
        case ev.NoticeMade():
            keys = msgspec.json.encode(event.keys).decode()
            due = format_utc(event.not_before)
            row = (
                number, at, event.channel, event.topic, event.title, event.body, keys, 0, due, "",
                event.level,
            )  # fmt: skip
            told = f"notice {number} tells it"
            replaced: list[Statement] = [(_NOTICE_DROPPED, (told, n)) for n in event.replaces]
            return [*replaced, (_NOTICE, row)]
        case ev.NoticeSent():
            return [(_NOTICE_SENT, (at, event.notice))]
        case ev.NoticeFailed():
            again = (format_utc(event.retry_at), event.reason, event.notice)
            return [(_NOTICE_FAILED, again)]
        case ev.NoticeDropped():
            return [(_NOTICE_DROPPED, (event.reason, event.notice))]


def rebuild(snapshot: Snapshot) -> list[Statement]:
    """Return the statements that make `components` and the open alerts say what a snapshot says.

    For a file that has not seen all events: a new one begun while healmon ran, or one from which
    events had to be left out.
    """
    statements: list[Statement] = [("DELETE FROM components", ())]
    statements.append(_dry_run(on=snapshot.engine.dry_run))
    statements.append(("DELETE FROM meta WHERE key GLOB 'paused:*'", ()))
    statements += [_paused(name, until) for name, until in snapshot.maintenance.items()]
    statements += [_component_as_is(view) for view in snapshot.components.values()]
    statements.append((_ALL_OVER, (format_utc(snapshot.at),)))
    for alert in snapshot.alerts.values():
        statements.append(("DELETE FROM health_alerts WHERE id = ?", (alert.id,)))
        statements.append(alert_as_is(alert))
    over = (format_utc(snapshot.at), "not known any more")
    statements.append(
        ("UPDATE silences SET ended_at = ?, resolution = ? WHERE ended_at IS NULL", over)
    )
    statements += [_silence_as_is(silence) for silence in snapshot.silences.values()]
    statements.append(("UPDATE notices SET state = 'dropped' WHERE state = 'waiting'", ()))
    statements += [_notice_as_is(notice) for notice in snapshot.notices.values()]
    return statements


def _silence_as_is(silence: SilenceView) -> Statement:
    since, until = format_utc(silence.since), format_utc(silence.until)
    return _SILENCE, (silence.id, since, until, silence.match, silence.by, silence.note)


def _notice_as_is(notice: NoticeView) -> Statement:
    keys = msgspec.json.encode(notice.keys).decode()
    made, due = format_utc(notice.made_at), format_utc(notice.next_at)
    return _NOTICE, (
        notice.id, made, notice.channel, notice.topic, notice.title, notice.body, keys,
        notice.attempts, due, notice.reason, notice.level,
    )  # fmt: skip


def _component_as_is(view: ComponentView) -> Statement:
    since, seen = format_utc(view.since), format_utc(view.seen_at)
    return _COMPONENT, (view.name, view.healer, view.status, view.summary, since, seen)
