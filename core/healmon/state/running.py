"""What the engine's own events make of the snapshot: runs, cycles, looks, memory, settings."""

from __future__ import annotations

from msgspec.structs import replace

from healmon import events as ev
from healmon.state.parts import tallied, without
from healmon.state.views import ComponentView, CycleView, EngineView, Snapshot


def engine_started(s: Snapshot, event: ev.EngineStarted, at: float) -> Snapshot:
    """Return the snapshot at the begin of a run: what one run counts begins anew."""
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
        lead=event.lead,
        slept=event.slept,
        started_at=at,
        configuration=event.configuration,
    )
    return replace(s, engine=engine, cycle=CycleView(), failing={}, tallies={}, recent=())


def engine_stopped(s: Snapshot, event: ev.EngineStopped, _at: float) -> Snapshot:
    """Return the snapshot after the end of a run, and of its cycle."""
    engine = replace(s.engine, running=False, stopped=event.reason)
    return replace(s, engine=engine, cycle=replace(s.cycle, running=False))


def dry_run_changed(s: Snapshot, event: ev.DryRunChanged, _at: float) -> Snapshot:
    """Return the snapshot of a healer that only plans, or acts again."""
    return replace(s, engine=replace(s.engine, dry_run=event.on))


def configuration_changed(s: Snapshot, event: ev.ConfigurationChanged, _at: float) -> Snapshot:
    """Return the snapshot under another configuration."""
    engine = replace(s.engine, interval=event.interval, configuration=event.digest)
    return replace(s, engine=engine)


def store_faulted(s: Snapshot, event: ev.StoreFaulted, _at: float) -> Snapshot:
    """Return the snapshot of a healer whose store cannot be written."""
    return replace(s, engine=replace(s.engine, store_fault=event.reason))


def store_recovered(s: Snapshot, _event: ev.StoreRecovered, _at: float) -> Snapshot:
    """Return the snapshot of a healer whose store can be written again."""
    return replace(s, engine=replace(s.engine, store_fault=""))


def cycle_started(s: Snapshot, event: ev.CycleStarted, at: float) -> Snapshot:
    """Return the snapshot in a cycle."""
    cycle = replace(s.cycle, number=event.number, running=True, started_at=at)
    return replace(s, cycle=cycle)


def cycle_finished(s: Snapshot, event: ev.CycleFinished, at: float) -> Snapshot:
    """Return the snapshot after a cycle, which is counted."""
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


def healer_failed(s: Snapshot, event: ev.HealerFailed, _at: float) -> Snapshot:
    """Return the snapshot with a healer that could not look, and why."""
    return replace(s, failing={**s.failing, event.healer: event.reason})


def healer_recovered(s: Snapshot, event: ev.HealerRecovered, _at: float) -> Snapshot:
    """Return the snapshot in which a healer looks again."""
    return replace(s, failing=without(s.failing, event.healer))


def observed(s: Snapshot, event: ev.Observed, at: float) -> Snapshot:
    """Return the snapshot with a component as it was seen; its status keeps when it began."""
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


def remembered(s: Snapshot, event: ev.Remembered, _at: float) -> Snapshot:
    """Return the snapshot with what a healer wants to know of a component later."""
    return replace(s, memory={**s.memory, event.component: event.memory})


def component_gone(s: Snapshot, event: ev.ComponentGone, _at: float) -> Snapshot:
    """Return the snapshot that knows no more of a component."""
    return replace(
        s,
        components=without(s.components, event.component),
        memory=without(s.memory, event.component),
        refusals=without(s.refusals, event.component),
        outcomes=without(s.outcomes, event.component),
    )


def nothing(s: Snapshot, _event: ev.Event, _at: float) -> Snapshot:
    """Return the same snapshot: what was asked and answered is told, not kept."""
    return s
