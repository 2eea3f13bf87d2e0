"""What the life of an alert makes of the snapshot."""

from __future__ import annotations

from typing import Any, TypeAlias, assert_never

from msgspec.structs import replace

from healmon import events as ev
from healmon.plans import RANK, Overlays, worse
from healmon.state.parts import tallied, without
from healmon.state.views import TURNS, AlertView, Snapshot

AlertEvent: TypeAlias = (
    ev.AlertPended
    | ev.AlertDropped
    | ev.AlertOpened
    | ev.AlertReopened
    | ev.AlertUpdated
    | ev.AlertStale
    | ev.AlertSeen
    | ev.AlertResolved
    | ev.AlertArchived
    | ev.AlertNoted
    | ev.AlertAcknowledged
    | ev.AlertUnacknowledged
    | ev.AlertOverlaid
)
_UNKNOWN: dict[str, Any] = {
    "acknowledged_at": None,
    "acknowledged_by": "",
    "note": "",
    "until": None,
}
"""What an alert says of its acknowledgement when there is none."""


def fold_alert(s: Snapshot, event: AlertEvent, number: int, at: float) -> Snapshot:  # noqa: C901, PLR0911, PLR0912 - one case per event
    """Return the snapshot after one event of an alert; `number` is the event's id."""
    match event:
        case ev.AlertPended():
            return _put(s, _born(event, number, at))
        case ev.AlertOpened():
            return tallied(_opened(s, event, number, at), "alerts")
        case ev.AlertReopened():
            return tallied(_reopened(s, event, at), "alerts")
        case ev.AlertUpdated():
            return _updated(s, event, at)
        case ev.AlertDropped():
            return replace(s, alerts=without(s.alerts, event.key))
        case ev.AlertResolved():
            return _resolved(s, event, at)
        case ev.AlertArchived():
            return replace(s, ended=without(s.ended, event.key))
        case ev.AlertNoted():
            return tallied(s, "alerts")
        case ev.AlertStale():
            return _on(s, event.key, state="stale")
        case ev.AlertSeen():
            return _seen(s, event, at)
        case ev.AlertAcknowledged():
            return _on(
                s, event.key, state="acknowledged", opened_at=_opened_at(s, event.key, at),
                acknowledged_at=at, acknowledged_by=event.by, note=event.note, until=event.until,
            )  # fmt: skip
        case ev.AlertUnacknowledged():
            known = s.alerts.get(event.key)
            # what nobody can look at stays what it is; it calls for somebody all the same
            state = "stale" if known is not None and known.state == "stale" else "open"
            opened_at = _opened_at(s, event.key, at)
            return _on(
                s, event.key, state=state, opened_at=opened_at, unanswered_since=at, **_UNKNOWN
            )
        case ev.AlertOverlaid():
            return _overlaid(s, event, at)
        case _:
            assert_never(event)


def standing(alert: AlertView) -> AlertView:
    """Return a stale alert as it was before nobody could look."""
    if alert.state != "stale":
        return alert
    if not alert.opened_at:
        return replace(alert, state="pending")
    return replace(alert, state="open" if alert.acknowledged_at is None else "acknowledged")


def _put(s: Snapshot, alert: AlertView) -> Snapshot:
    # until it is confirmed, the incident before it can still go on
    ended = without(s.ended, alert.key) if alert.opened_at else s.ended
    return replace(s, alerts={**s.alerts, alert.key: alert}, ended=ended)


def _turned(s: Snapshot, key: str, at: float) -> tuple[float, ...]:
    """Return the turns of an alert after one more."""
    known = s.alerts.get(key)
    if known is None or not known.opened_at:
        known = s.ended.get(key)
    return (*(known.turns if known is not None else ()), at)[-TURNS:]


def _opened_at(s: Snapshot, key: str, at: float) -> float:
    """Return when an alert was opened; what a person speaks about is open from then on."""
    known = s.alerts.get(key)
    return (known.opened_at if known is not None else 0.0) or at


def _on(s: Snapshot, key: str, **changes: Any) -> Snapshot:  # noqa: ANN401 - field values
    known = s.alerts.get(key)
    return s if known is None else _put(s, replace(known, **changes))


def _overlaid(s: Snapshot, event: ev.AlertOverlaid, at: float) -> Snapshot:
    known = s.alerts.get(event.key)
    if known is None:
        return s
    unmuted = known.overlays.muted and not event.overlays.muted
    since = at if unmuted else known.unanswered_since
    return _put(s, replace(known, overlays=event.overlays, unanswered_since=since))


def _born(event: ev.AlertPended | ev.AlertOpened, number: int, at: float) -> AlertView:
    return AlertView(
        number, event.key, event.component, event.level, "pending", event.message,
        count=1, first_seen=at, last_seen=at, evidence=event.evidence, peak=event.level,
    )  # fmt: skip


def _opened(s: Snapshot, event: ev.AlertOpened, number: int, at: float) -> Snapshot:
    known = s.alerts.get(event.key)
    alert = _born(event, number, at)
    if known is not None and not known.opened_at:
        alert = replace(
            alert, id=known.id, first_seen=known.first_seen, count=known.count + 1,
            overlays=known.overlays,
        )  # fmt: skip
    before, turns = s.ended.get(event.key), _turned(s, event.key, at)
    # who was told of the incident before, and not yet of its end, is told of this one's
    told = before.told if before is not None else {}
    alert = replace(alert, state="open", opened_at=at, turns=turns, unanswered_since=at, told=told)
    return _put(s, alert)


def _reopened(s: Snapshot, event: ev.AlertReopened, at: float) -> Snapshot:
    alert = AlertView(
        event.incident, event.key, event.component, event.level, "open", event.message,
        count=event.count, first_seen=event.first_seen, last_seen=at, evidence=event.evidence,
        opened_at=at, peak=event.peak, reopened=event.reopened, turns=_turned(s, event.key, at),
        unanswered_since=at,
    )  # fmt: skip
    before = s.ended.get(event.key)
    return _put(s, alert if before is None else replace(alert, told=before.told))


def _updated(s: Snapshot, event: ev.AlertUpdated, at: float) -> Snapshot:
    known = s.alerts.get(event.key)
    if known is None:
        return s
    known = standing(known)
    changes: dict[str, Any] = {}
    if RANK[event.level] > RANK[known.severity]:
        changes = {"severity": event.level, "unanswered_since": at, **_UNKNOWN}
        if known.state == "acknowledged":
            changes["state"] = "open"
    peak = worse(known.peak, event.level)
    return _put(
        s,
        replace(
            known, message=event.message, evidence=event.evidence, count=known.count + 1,
            last_seen=at, peak=peak, **changes,
        ),
    )  # fmt: skip


def _seen(s: Snapshot, event: ev.AlertSeen, at: float) -> Snapshot:
    known = s.alerts.get(event.key)
    return s if known is None else _put(s, replace(standing(known), last_seen=at))


def _resolved(s: Snapshot, event: ev.AlertResolved, at: float) -> Snapshot:
    known = s.alerts.get(event.key)
    if known is None:
        return s
    over = replace(
        known, state="resolved", resolved_at=at, overlays=Overlays(),
        turns=_turned(s, event.key, at), resolution=event.reason,
    )  # fmt: skip
    return replace(s, alerts=without(s.alerts, event.key), ended={**s.ended, event.key: over})
