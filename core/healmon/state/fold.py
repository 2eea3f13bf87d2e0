"""The pure fold that makes the snapshot: one table from event to what it makes of it."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from typing import Any, Final, TypeAlias

from msgspec.structs import replace

from healmon import events as ev
from healmon.state import acting, running
from healmon.state.alerting import fold_alert
from healmon.state.counts import counted
from healmon.state.holding import fold_held
from healmon.state.noticing import fold_notice
from healmon.state.pausing import fold_pause
from healmon.state.silencing import fold_silence, muted
from healmon.state.stepping import clock_jumped
from healmon.state.views import Snapshot

# the fold of one event takes just that event, which a table of all of them cannot say
_At: TypeAlias = Callable[[Snapshot, Any, float], Snapshot]
_Numbered: TypeAlias = Callable[[Snapshot, Any, int, float], Snapshot]


def replay(recorded: Iterable[ev.Recorded], start: Snapshot | None = None) -> Snapshot:
    """Return the snapshot after folding all of `recorded`, in their order."""
    snapshot = Snapshot() if start is None else start
    for record in recorded:
        snapshot = apply(snapshot, record)
    return snapshot


def apply(snapshot: Snapshot, record: ev.Recorded) -> Snapshot:
    """Return the snapshot after one more event."""
    event, at = record.event, record.wall
    kind = type(event)
    folded, fold = counted(snapshot, event), _AT.get(kind)
    if fold is not None:
        folded = fold(folded, event, at)
    else:
        folded = _NUMBERED[kind](folded, event, record.id, at)
    return replace(fold_held(folded, event, at), last_id=record.id, at=at)


def _overlaid(s: Snapshot, event: ev.AlertOverlaid, number: int, at: float) -> Snapshot:
    return fold_alert(muted(s, event), event, number, at)


_AT: Final[dict[type[ev.Event], _At]] = {
    ev.EngineStarted: running.engine_started,
    ev.EngineStopped: running.engine_stopped,
    ev.DryRunChanged: running.dry_run_changed,
    ev.ConfigurationChanged: running.configuration_changed,
    ev.StoreFaulted: running.store_faulted,
    ev.StoreRecovered: running.store_recovered,
    ev.CycleStarted: running.cycle_started,
    ev.CycleFinished: running.cycle_finished,
    ev.HealerFailed: running.healer_failed,
    ev.HealerRecovered: running.healer_recovered,
    ev.Observed: running.observed,
    ev.Remembered: running.remembered,
    ev.ComponentGone: running.component_gone,
    ev.PlanMade: acting.plan_made,
    ev.PlanRefused: acting.plan_refused,
    ev.PlanVetoed: acting.plan_vetoed,
    ev.PlanAbandoned: acting.plan_abandoned,
    ev.ActionStarted: acting.action_started,
    ev.StepTaken: acting.step_taken,
    ev.ActionVerified: acting.action_verified,
    ev.ActionFailed: acting.action_failed,
    ev.MaintenanceStarted: fold_pause,
    ev.MaintenanceEnded: fold_pause,
    ev.ClockJumped: clock_jumped,
    ev.OverrideReceived: running.nothing,
    ev.OverrideAnswered: running.nothing,
    ev.ConfigurationRefused: running.nothing,
}
"""What needs to know when."""
_NUMBERED: Final[dict[type[ev.Event], _Numbered]] = {
    ev.AlertPended: fold_alert,
    ev.AlertDropped: fold_alert,
    ev.AlertOpened: fold_alert,
    ev.AlertReopened: fold_alert,
    ev.AlertUpdated: fold_alert,
    ev.AlertStale: fold_alert,
    ev.AlertSeen: fold_alert,
    ev.AlertResolved: fold_alert,
    ev.AlertArchived: fold_alert,
    ev.AlertNoted: fold_alert,
    ev.AlertAcknowledged: fold_alert,
    ev.AlertUnacknowledged: fold_alert,
    ev.AlertOverlaid: _overlaid,
    ev.SilenceStarted: fold_silence,
    ev.SilenceEnded: fold_silence,
    ev.NoticeMade: fold_notice,
    ev.NoticeSent: fold_notice,
    ev.NoticeFailed: fold_notice,
    ev.NoticeDropped: fold_notice,
}
"""What is named by its number, too. A test holds both tables against all events there are."""
