"""What a wall clock that was set makes of the snapshot: all that lasts goes on as it was.

The moments in it are of the wall clock, so that they outlive a restart and can be shown to people;
but what is asked of them is always how long ago, or for how long still. So all of them move along:
set far ahead, the clock would end a pause at once, and healmon would act on what a person works on;
set back, it would keep an alert from being told for a year. What was stored of the past stays as it
was told then.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Final, TypeAlias

from msgspec.structs import replace

from healmon import clock
from healmon.clock import Gap, Reading, Steps
from healmon.events import ClockJumped
from healmon.plans import Packed
from healmon.state.views import FOREVER, AlertView, ChannelView, EngineView, HeldView, Snapshot

Move: TypeAlias = Callable[[float], float]
"""From a moment to where it stands after the step."""


STAMPED: Final = {
    "workers": ("since", "down_wall", "retry_wall", "at_wall"),
    "databases": ("since_wall", "heard"),
    "disks": ("cleaned_at", "failure", "swapped_at"),
    "sessions": ("attempt_wall",),
}
"""What healers stamp in their memory with the wall clock. What other programs stamped is read as
it is, and its age told by `clock.age`."""


def clock_jumped(s: Snapshot, event: ClockJumped, at: float) -> Snapshot:
    """Return the snapshot after the wall clock was set, or the host slept."""
    seconds = event.stepped
    s = replace(s, engine=_leads(s.engine, event))
    if not seconds:
        return s

    def move(moment: float) -> float:
        return moved(moment, seconds)

    return replace(
        _work_moved(s, move),
        steps=clock.kept(s.steps, at, seconds, event.within),
        alerts={key: _alert(alert, move) for key, alert in s.alerts.items()},
        ended={key: _alert(alert, move) for key, alert in s.ended.items()},
        maintenance={name: move(until) for name, until in s.maintenance.items()},
        pauses={name: replace(pause, since=move(pause.since)) for name, pause in s.pauses.items()},
        silences={
            number: replace(one, since=move(one.since), until=move(one.until))
            for number, one in s.silences.items()
        },
        notices={
            number: replace(one, made_at=move(one.made_at), next_at=move(one.next_at))
            for number, one in s.notices.items()
        },
        channels={name: _channel(view, move) for name, view in s.channels.items()},
        held={name: _held(view, move) for name, view in s.held.items()},
    )


def moved(moment: float, seconds: float) -> float:
    """Return a moment that is as far away as before; in whole milliseconds, as the store keeps it.

    No moment (0.0) stays none.
    """
    if not moment or moment >= FOREVER:
        return moment
    later = (round(moment * 1000) + round(seconds * 1000)) / 1000
    return (later or 0.001) if later < FOREVER else moment


def missed(last: EngineView, at: float, now: Reading, boot: str, offset: float) -> Gap:
    """Return what became of the clocks while no healmon ran.

    In the same boot wall and boot seconds tell it. Over a boot there is only the wall clock.

    Args:
        last: the run before.
        at: wall seconds of the last thing that it did; 0.0: there was none.
        now: this moment.
        boot: the id of this boot.
        offset: of this clock (`SystemClock.offset`).
    """
    if not at:
        return Gap(0.0, 0.0)
    if last.boot == boot and last.lead is not None:
        slept = now.boot - (now.steady - offset) - last.slept
        stepped = now.wall - now.steady - last.lead - slept
        return Gap(
            *(each if abs(each) > clock.STEP_TOLERANCE else 0.0 for each in (slept, stepped))
        )
    away = now.wall - at
    believed = -clock.STEP_TOLERANCE <= away <= clock.BELIEVED or (last.boot == boot and away > 0)
    return Gap(0.0, 0.0 if believed else away)


def resumed(last: Snapshot, now: Reading, boot: str, offset: float) -> tuple[float, Steps]:
    """Return the offset by which the steady timeline goes on, and when the clock was set.

    In the same boot it is that of the last run, whatever the wall clock did; over a boot it goes on
    from where it stood, by as much as the wall clock is believed to tell of the time between.

    Args:
        last: what the last run knew.
        now: this moment.
        boot: the id of this boot.
        offset: of the clock that told it (`SystemClock.offset`).
    """
    view = last.engine
    if not last.at:
        return offset, ()
    went_on = view.steady_offset if view.boot == boot else offset
    monotonic = now.steady - offset
    now = now._replace(steady=monotonic + went_on)
    stepped = missed(view, last.at, now, boot, went_on).stepped
    steps = clock.kept(last.steps, now.wall, stepped, now.wall - stepped - last.at)
    if view.boot == boot:
        return went_on, steps
    steady = last.at - (view.lead or 0.0) + max(now.wall - last.at - stepped, 0.0)
    return steady - monotonic, steps


def _leads(engine: EngineView, event: ClockJumped) -> EngineView:
    if engine.lead is None:
        return engine
    lead = round(engine.lead + event.suspended + event.stepped, 3)
    return replace(engine, lead=lead, slept=round(engine.slept + event.suspended, 3))


def _work_moved(s: Snapshot, move: Move) -> Snapshot:
    """Return the snapshot with the moments of runs, cycles, looks, plans and actions moved."""
    cycle = replace(
        s.cycle,
        started_at=move(s.cycle.started_at),
        finished_at=move(s.cycle.finished_at),
        next_at=move(s.cycle.next_at),
    )
    return replace(
        s,
        engine=replace(s.engine, started_at=move(s.engine.started_at)),
        cycle=cycle,
        components={
            name: replace(view, since=move(view.since), seen_at=move(view.seen_at))
            for name, view in s.components.items()
        },
        memory={name: _memory(s, name, memory, move) for name, memory in s.memory.items()},
        plans={
            name: replace(view, made_at=move(view.made_at), due_wall=move(view.due_wall))
            for name, view in s.plans.items()
        },
        refusals={name: replace(view, at=move(view.at)) for name, view in s.refusals.items()},
        recent=tuple(replace(action, at=move(action.at)) for action in s.recent),
        outcomes={
            name: {kind: replace(action, at=move(action.at)) for kind, action in done.items()}
            for name, done in s.outcomes.items()
        },
        attempts={
            kind: tuple(replace(attempt, at=move(attempt.at)) for attempt in made)
            for kind, made in s.attempts.items()
        },
    )


def _memory(s: Snapshot, component: str, memory: Packed, move: Move) -> Packed:
    view = s.components.get(component)
    stamped = STAMPED.get(view.healer, ()) if view is not None else ()
    changed = {
        name: move(float(stamp))
        for name in stamped
        if isinstance(stamp := memory.get(name), int | float) and stamp
    }
    return {**memory, **changed} if changed else memory


def _alert(alert: AlertView, move: Move) -> AlertView:
    def perhaps(moment: float | None) -> float | None:
        return None if moment is None else move(moment)

    return replace(
        alert,
        first_seen=move(alert.first_seen),
        last_seen=move(alert.last_seen),
        opened_at=move(alert.opened_at),
        unanswered_since=move(alert.unanswered_since),
        acknowledged_at=perhaps(alert.acknowledged_at),
        until=perhaps(alert.until),
        resolved_at=perhaps(alert.resolved_at),
        told={name: move(at) for name, at in alert.told.items()},
        turns=tuple(move(at) for at in alert.turns),
    )


def _channel(view: ChannelView, move: Move) -> ChannelView:
    return replace(
        view,
        sent=tuple(move(at) for at in view.sent),
        reported_at=move(view.reported_at),
        failing_since=move(view.failing_since),
        failed_at=move(view.failed_at),
    )


def _held(view: HeldView, move: Move) -> HeldView:
    alerts = {
        key: replace(alert, over_at=move(alert.over_at)) for key, alert in view.alerts.items()
    }
    return replace(view, since=move(view.since), alerts=alerts, ended_at=move(view.ended_at))
