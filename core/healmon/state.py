"""The snapshot that every screen shows, and the pure fold that makes it.

`apply(snapshot, event)` is total over all events and has no other input: folding the stored events
again gives exactly the snapshot that the run ended with. Times in it are wall seconds for people;
`memory` holds the healers' own steady times.
"""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any, Literal, TypeVar, assert_never

import msgspec
from msgspec.structs import replace

from healmon import attempts
from healmon import events as ev
from healmon.attempts import Attempts
from healmon.plans import RANK, Packed, Plan, Severity, Status

_V = TypeVar("_V")

AlertState = Literal["pending", "open", "acknowledged", "resolved", "stale"]
FOREVER = 253_370_764_800.0
"""Wall seconds (the year 9999) until which a component is paused that must never be touched."""
RECENT = 50
"""How many finished actions the snapshot keeps."""


class EngineView(msgspec.Struct, frozen=True):
    """The healer itself."""

    running: bool = False
    host: str = ""
    version: str = ""
    pid: int = 0
    mode: str = ""
    dry_run: bool = False
    interval: float = 60.0
    boot: str = ""
    steady_offset: float = 0.0
    started_at: float = 0.0
    stopped: str = ""
    store_fault: str = ""


class CycleView(msgspec.Struct, frozen=True):
    """The newest check cycle; `finished_at` 0.0 means none has finished in this run."""

    number: int = 0
    running: bool = False
    started_at: float = 0.0
    finished_at: float = 0.0
    seconds: float = 0.0
    next_at: float = 0.0
    late: tuple[str, ...] = ()


class ComponentView(msgspec.Struct, frozen=True):
    """One component as last seen; `since` is when its status began."""

    name: str
    healer: str
    status: Status
    summary: str
    facts: Packed
    since: float
    seen_at: float


class PlanView(msgspec.Struct, frozen=True):
    """A plan in flight: waiting for its moment, or being carried out."""

    plan: Plan
    acting: bool
    made_at: float
    due: float
    due_wall: float
    steps: tuple[str, ...] = ()


class RefusalView(msgspec.Struct, frozen=True):
    """What would have been done, and why it was not."""

    action: str
    subject: str
    reason: str
    at: float


class ActionView(msgspec.Struct, frozen=True):
    """A finished action; `details` is what its healer made of it, packed."""

    component: str
    action: str
    ok: bool
    outcome: str
    seconds: float
    at: float
    details: Packed = {}


class AlertView(msgspec.Struct, frozen=True):
    """One alert; `id` is the id of the event that opened it."""

    id: int
    key: str
    component: str
    severity: Severity
    state: AlertState
    message: str
    count: int
    first_seen: float
    last_seen: float
    evidence: Packed = {}
    acknowledged_at: float | None = None
    acknowledged_by: str = ""
    note: str = ""
    until: float | None = None
    resolved_at: float | None = None


class Snapshot(msgspec.Struct, frozen=True):
    """Everything known at one moment.

    `plans` and `refusals` are keyed by component, `attempts` by action (oldest first).
    """

    last_id: int = 0
    at: float = 0.0
    engine: EngineView = EngineView()
    cycle: CycleView = CycleView()
    failing: dict[str, str] = {}
    components: dict[str, ComponentView] = {}
    memory: dict[str, Packed] = {}
    plans: dict[str, PlanView] = {}
    refusals: dict[str, RefusalView] = {}
    alerts: dict[str, AlertView] = {}
    maintenance: dict[str, float] = {}
    recent: tuple[ActionView, ...] = ()
    tallies: dict[str, int] = {}
    attempts: Attempts = {}


def of_healer(snapshot: Snapshot, healer: str) -> dict[str, ComponentView]:
    """Return the components of one healer, by name."""
    return {n: c for n, c in snapshot.components.items() if c.healer == healer}


def open_alerts(snapshot: Snapshot) -> list[AlertView]:
    """Return the alerts not yet resolved, worst first, then oldest first."""
    alerts = [a for a in snapshot.alerts.values() if a.state != "resolved"]
    return sorted(alerts, key=lambda a: (-RANK[a.severity], a.first_seen, a.id))


def worst(snapshot: Snapshot) -> Severity | None:
    """Return the worst severity among open alerts that need somebody; None when all is well."""
    for alert in open_alerts(snapshot):
        return alert.severity if alert.severity != "INFO" else None
    return None


def replay(recorded: Iterable[ev.Recorded], start: Snapshot | None = None) -> Snapshot:
    """Return the snapshot after folding all of `recorded`, in their order."""
    snapshot = Snapshot() if start is None else start
    for record in recorded:
        snapshot = apply(snapshot, record)
    return snapshot


def apply(snapshot: Snapshot, record: ev.Recorded) -> Snapshot:
    """Return the snapshot after one more event."""
    return replace(_fold(snapshot, record), last_id=record.id, at=record.wall)


def _fold(s: Snapshot, record: ev.Recorded) -> Snapshot:  # noqa: C901, PLR0911, PLR0912 - one case per event, on purpose in one place
    at, event = record.wall, record.event
    match event:
        case ev.EngineStarted():
            return _engine_started(s, event, at)
        case ev.EngineStopped():
            engine = replace(s.engine, running=False, stopped=event.reason)
            return replace(s, engine=engine, cycle=replace(s.cycle, running=False))
        case ev.CycleStarted():
            cycle = replace(s.cycle, number=event.number, running=True, started_at=at)
            return replace(s, cycle=cycle)
        case ev.CycleFinished():
            return _cycle_finished(s, event, at)
        case ev.HealerFailed():
            return replace(s, failing={**s.failing, event.healer: event.reason})
        case ev.HealerRecovered():
            return replace(s, failing=_without(s.failing, event.healer))
        case ev.Observed():
            return _observed(s, event, at)
        case ev.Remembered():
            return replace(s, memory={**s.memory, event.component: event.memory})
        case ev.ComponentGone():
            return replace(
                s,
                components=_without(s.components, event.component),
                memory=_without(s.memory, event.component),
                refusals=_without(s.refusals, event.component),
            )
        case ev.PlanMade():
            view = PlanView(
                event.plan, acting=False, made_at=at, due=event.due, due_wall=event.due_wall
            )
            return replace(
                s,
                plans={**s.plans, event.plan.component: view},
                refusals=_without(s.refusals, event.plan.component),
            )
        case ev.PlanRefused():
            plan = event.plan
            refusal = RefusalView(plan.action, plan.subject, event.reason, at)
            return replace(s, refusals={**s.refusals, plan.component: refusal})
        case ev.ActionStarted():
            return _on_plan(_begun(s, event.component, at), event.component, acting=True)
        case ev.StepTaken():
            return _on_plan(s, event.component, step=event.text)
        case ev.PlanVetoed():
            s = _taken_back(s, event.component)
            return replace(s, plans=_without(s.plans, event.component))
        case ev.PlanAbandoned():
            return replace(s, plans=_without(s.plans, event.component))
        case ev.ActionVerified():
            action = ActionView(
                event.component,
                event.action,
                ok=True,
                outcome=event.proof,
                seconds=event.seconds,
                at=at,
                details=event.details,
            )
            # a remedy that was proved to work and yet freed nothing is done, not counted
            return _finished(s, action, counts=event.details.get("released") is not False)
        case ev.ActionFailed():
            action = ActionView(
                event.component,
                event.action,
                ok=False,
                outcome=event.reason,
                seconds=event.seconds,
                at=at,
                details=event.details,
            )
            return _finished(s, action)
        case ev.AlertOpened():
            alert = AlertView(
                record.id, event.key, event.component, event.level, "open", event.message,
                count=1, first_seen=at, last_seen=at, evidence=event.evidence,
            )  # fmt: skip
            return _tallied(replace(s, alerts={**s.alerts, event.key: alert}), "alerts")
        case ev.AlertUpdated():
            return _alert_updated(s, event, at)
        case ev.AlertResolved():
            # a resolved alert leaves the snapshot: its history is in the store
            return replace(s, alerts=_without(s.alerts, event.key))
        case ev.AlertAcknowledged():
            return _on_alert(
                s, event.key, "acknowledged",
                acknowledged_at=at, acknowledged_by=event.by, note=event.note, until=event.until,
            )  # fmt: skip
        case ev.AlertUnacknowledged():
            return _on_alert(
                s, event.key, "open",
                acknowledged_at=None, acknowledged_by="", note="", until=None,
            )  # fmt: skip
        case ev.MaintenanceStarted():
            return replace(s, maintenance={**s.maintenance, event.component: event.until})
        case ev.MaintenanceEnded():
            return replace(s, maintenance=_without(s.maintenance, event.component))
        case ev.StoreFaulted():
            return replace(s, engine=replace(s.engine, store_fault=event.reason))
        case ev.StoreRecovered():
            return replace(s, engine=replace(s.engine, store_fault=""))
        case ev.AlertNoted():
            return _tallied(s, "alerts")
        case ev.ClockJumped() | ev.OverrideReceived() | ev.OverrideAnswered():
            return s
        case _:
            assert_never(event)


def _without(mapping: dict[str, _V], key: str) -> dict[str, _V]:
    return {k: v for k, v in mapping.items() if k != key} if key in mapping else mapping


def _engine_started(s: Snapshot, event: ev.EngineStarted, at: float) -> Snapshot:
    engine = EngineView(
        running=True,
        host=event.host,
        version=event.version,
        pid=event.pid,
        mode=event.mode,
        dry_run=event.dry_run,
        interval=event.interval,
        boot=event.boot,
        steady_offset=event.steady_offset,
        started_at=at,
    )
    return replace(s, engine=engine, cycle=CycleView(), failing={}, tallies={}, recent=())


def _cycle_finished(s: Snapshot, event: ev.CycleFinished, at: float) -> Snapshot:
    cycle = replace(
        s.cycle,
        running=False,
        finished_at=at,
        seconds=event.seconds,
        next_at=at + event.next_in,
        late=event.late,
    )
    return _tallied(replace(s, cycle=cycle), "checks")


def _observed(s: Snapshot, event: ev.Observed, at: float) -> Snapshot:
    known = s.components.get(event.component)
    view = ComponentView(
        name=event.component,
        healer=event.healer,
        status=event.status,
        summary=event.summary,
        facts=event.facts,
        since=known.since if known is not None and known.status == event.status else at,
        seen_at=at,
    )
    return replace(s, components={**s.components, event.component: view})


def _on_plan(s: Snapshot, component: str, *, acting: bool = False, step: str = "") -> Snapshot:
    view = s.plans.get(component)
    if view is None:
        return s
    steps = (*view.steps, step) if step else view.steps
    view = replace(view, acting=view.acting or acting, steps=steps)
    return replace(s, plans={**s.plans, component: view})


def _begun(s: Snapshot, component: str, at: float) -> Snapshot:
    view = s.plans.get(component)
    if view is None or view.acting:
        return s
    return replace(s, attempts=attempts.begun(s.attempts, view.plan, at, view.due))


def _taken_back(s: Snapshot, component: str) -> Snapshot:
    view = s.plans.get(component)
    if view is None or not view.acting:
        return s
    kept = attempts.taken_back(s.attempts, view.plan.action, component)
    return replace(s, attempts=kept)


def _finished(s: Snapshot, action: ActionView, *, counts: bool = True) -> Snapshot:
    s = replace(
        s,
        attempts=attempts.ended(s.attempts, action.action, action.component, ok=action.ok),
        plans=_without(s.plans, action.component),
        recent=(*s.recent, action)[-RECENT:],
    )
    return _tallied(s, action.action if action.ok else "failed") if counts else s


def _alert_updated(s: Snapshot, event: ev.AlertUpdated, at: float) -> Snapshot:
    known = s.alerts.get(event.key)
    if known is None:
        return s
    rose = RANK[event.level] > RANK[known.severity]
    alert = replace(
        known,
        severity=event.level if rose else known.severity,
        state="open" if rose else known.state,
        acknowledged_at=None if rose else known.acknowledged_at,
        acknowledged_by="" if rose else known.acknowledged_by,
        note="" if rose else known.note,
        until=None if rose else known.until,
        message=event.message,
        evidence=event.evidence,
        count=known.count + 1,
        last_seen=at,
    )
    return replace(s, alerts={**s.alerts, event.key: alert})


def _on_alert(s: Snapshot, key: str, state: AlertState, **changes: Any) -> Snapshot:  # noqa: ANN401 - field values
    known = s.alerts.get(key)
    if known is None:
        return s
    return replace(s, alerts={**s.alerts, key: replace(known, state=state, **changes)})


def _tallied(s: Snapshot, name: str) -> Snapshot:
    return replace(s, tallies={**s.tallies, name: s.tallies.get(name, 0) + 1})
