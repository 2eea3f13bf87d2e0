"""The pure fold that makes the snapshot."""

from __future__ import annotations

from collections.abc import Iterable
from typing import assert_never

from msgspec.structs import replace

from healmon import attempts
from healmon import events as ev
from healmon.state.alerting import fold_alert
from healmon.state.counts import counted
from healmon.state.holding import fold_held
from healmon.state.noticing import fold_notice
from healmon.state.parts import tallied, without
from healmon.state.pausing import fold_pause, would_have_done
from healmon.state.silencing import fold_silence, muted
from healmon.state.stepping import stepped
from healmon.state.views import (
    RECENT,
    ActionView,
    ComponentView,
    CycleView,
    EngineView,
    PlanView,
    RefusalView,
    Snapshot,
)


def replay(recorded: Iterable[ev.Recorded], start: Snapshot | None = None) -> Snapshot:
    """Return the snapshot after folding all of `recorded`, in their order."""
    snapshot = Snapshot() if start is None else start
    for record in recorded:
        snapshot = apply(snapshot, record)
    return snapshot


def apply(snapshot: Snapshot, record: ev.Recorded) -> Snapshot:
    """Return the snapshot after one more event."""
    counts = counted(snapshot, record.event)
    folded = fold_held(_fold(counts, record), record.event, record.wall)
    return replace(folded, last_id=record.id, at=record.wall)


def _fold(s: Snapshot, record: ev.Recorded) -> Snapshot:  # noqa: C901, PLR0911, PLR0912 - one case per event, on purpose in one place
    at, event = record.wall, record.event
    match event:
        case ev.EngineStarted():
            return _engine_started(s, event, at)
        case ev.EngineStopped():
            engine = replace(s.engine, running=False, stopped=event.reason)
            return replace(s, engine=engine, cycle=replace(s.cycle, running=False))
        case ev.DryRunChanged():
            return replace(s, engine=replace(s.engine, dry_run=event.on))
        case ev.CycleStarted():
            cycle = replace(s.cycle, number=event.number, running=True, started_at=at)
            return replace(s, cycle=cycle)
        case ev.CycleFinished():
            return _cycle_finished(s, event, at)
        case ev.HealerFailed():
            return replace(s, failing={**s.failing, event.healer: event.reason})
        case ev.HealerRecovered():
            return replace(s, failing=without(s.failing, event.healer))
        case ev.Observed():
            return _observed(s, event, at)
        case ev.Remembered():
            return replace(s, memory={**s.memory, event.component: event.memory})
        case ev.ComponentGone():
            return replace(
                s,
                components=without(s.components, event.component),
                memory=without(s.memory, event.component),
                refusals=without(s.refusals, event.component),
            )
        case ev.PlanMade():
            view = PlanView(
                event.plan, acting=False, made_at=at, due=event.due, due_wall=event.due_wall
            )
            return replace(
                s,
                plans={**s.plans, event.plan.component: view},
                refusals=without(s.refusals, event.plan.component),
            )
        case ev.PlanRefused():
            return would_have_done(_refused(s, event, at), event)
        case ev.ActionStarted():
            return _on_plan(_begun(s, event.component, at), event.component, acting=True)
        case ev.StepTaken():
            return _on_plan(s, event.component, step=event.text)
        case ev.PlanVetoed():
            s = _taken_back(s, event.component)
            return replace(s, plans=without(s.plans, event.component))
        case ev.PlanAbandoned():
            return _abandoned(s, event.component)
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
        case (
            ev.AlertPended() | ev.AlertDropped() | ev.AlertOpened() | ev.AlertReopened()
            | ev.AlertUpdated() | ev.AlertStale() | ev.AlertSeen() | ev.AlertResolved()
            | ev.AlertArchived() | ev.AlertNoted() | ev.AlertAcknowledged()
            | ev.AlertUnacknowledged()
        ):  # fmt: skip
            return fold_alert(s, event, record.id, at)
        case ev.AlertOverlaid():
            return fold_alert(muted(s, event), event, record.id, at)
        case ev.SilenceStarted() | ev.SilenceEnded():
            return fold_silence(s, event, record.id, at)
        case ev.NoticeMade() | ev.NoticeSent() | ev.NoticeFailed() | ev.NoticeDropped():
            return fold_notice(s, event, record.id, at)
        case ev.MaintenanceStarted() | ev.MaintenanceEnded():
            return fold_pause(s, event, at)
        case ev.ClockJumped():
            return stepped(s, event.stepped)
        case ev.StoreFaulted():
            return replace(s, engine=replace(s.engine, store_fault=event.reason))
        case ev.StoreRecovered():
            return replace(s, engine=replace(s.engine, store_fault=""))
        case ev.ConfigurationChanged():
            engine = replace(s.engine, interval=event.interval, configuration=event.digest)
            return replace(s, engine=engine)
        case (
            ev.OverrideReceived() | ev.OverrideAnswered() | ev.ConfigurationRefused()
        ):  # fmt: skip
            return s
        case _:
            assert_never(event)


def _refused(s: Snapshot, event: ev.PlanRefused, at: float) -> Snapshot:
    plan = event.plan
    refusal = RefusalView(plan.action, plan.subject, event.reason, at)
    return replace(s, refusals={**s.refusals, plan.component: refusal})


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
        configuration=event.configuration,
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
        looks=event.looks,
    )
    return tallied(replace(s, cycle=cycle), "checks")


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


def _abandoned(s: Snapshot, component: str) -> Snapshot:
    view = s.plans.get(component)
    if view is not None and view.acting:
        kept = attempts.cut_off(s.attempts, view.plan.action, component)
        s = replace(s, attempts=kept)
    return replace(s, plans=without(s.plans, component))


def _finished(s: Snapshot, action: ActionView, *, counts: bool = True) -> Snapshot:
    s = replace(
        s,
        attempts=attempts.ended(s.attempts, action.action, action.component, ok=action.ok),
        plans=without(s.plans, action.component),
        recent=(*s.recent, action)[-RECENT:],
    )
    return tallied(s, action.action if action.ok else "failed") if counts else s
