"""What is counted for as long as the store remembers: it never shrinks, also over restarts.

`Snapshot.tallies` count one run, for its report; these count all runs, for whoever draws rates.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, Final

from msgspec.structs import replace

from healmon import events as ev
from healmon.plans import Severity
from healmon.state.views import Counts, Snapshot

SESSIONS: Final = "session:*"
"""All sessions are counted as one: their names are made by others, and have no end."""


def counted(s: Snapshot, event: ev.Event) -> Snapshot:
    """Return the snapshot with an event counted; `s` is the state before it is folded."""
    count = _COUNT.get(type(event))
    if count is None:
        return s
    counts = count(s, event)
    return s if counts is s.counts else replace(s, counts=counts)


def place_of(component: str) -> str:
    """Return the name under which the acts on a component are counted."""
    return SESSIONS if component.startswith("session:") else component


def _more(counted: dict[str, int], name: str, by: int = 1) -> dict[str, int]:
    return {**counted, name: counted.get(name, 0) + by}


def _act(s: Snapshot, component: str, action: str, outcome: str) -> Counts:
    place = place_of(component)
    acts = _more(s.counts.actions.get(place, {}), f"{action} {outcome}")
    return replace(s.counts, actions={**s.counts.actions, place: acts})


def _ended(s: Snapshot, event: ev.ActionVerified | ev.ActionFailed) -> Counts:
    ok = isinstance(event, ev.ActionVerified)
    counts = _act(s, event.component, event.action, "verified" if ok else "failed")
    total = counts.seconds.get(event.action, 0.0) + max(0.0, event.seconds)
    return replace(counts, seconds={**counts.seconds, event.action: round(total, 3)})


def _dropped(s: Snapshot, event: ev.PlanVetoed | ev.PlanAbandoned) -> Counts:
    view = s.plans.get(event.component)
    # of a plan that is followed by another one already, what it was is not known any more
    if view is None or view.plan.id != event.plan_id:
        return s.counts
    outcome = "vetoed" if isinstance(event, ev.PlanVetoed) else "abandoned"
    return _act(s, event.component, view.plan.action, outcome)


def _refused(s: Snapshot, event: ev.PlanRefused) -> Counts:
    return _act(s, event.plan.component, event.plan.action, "refused")


def _alert(s: Snapshot, event: ev.AlertOpened | ev.AlertReopened | ev.AlertNoted) -> Counts:
    level: Severity = "INFO" if isinstance(event, ev.AlertNoted) else event.level
    return replace(s.counts, alerts=_more(s.counts.alerts, level))


def _notice(s: Snapshot, event: ev.NoticeSent | ev.NoticeFailed | ev.NoticeDropped) -> Counts:
    outcome = type(event).__name__.removeprefix("Notice").lower()
    channel = _more(s.counts.notices.get(event.channel, {}), outcome)
    return replace(s.counts, notices={**s.counts.notices, event.channel: channel})


def _override(s: Snapshot, event: ev.OverrideAnswered) -> Counts:
    return replace(s.counts, overrides=_more(s.counts.overrides, "done" if event.ok else "refused"))


def _healer(s: Snapshot, event: ev.HealerFailed) -> Counts:
    return replace(s.counts, failures=_more(s.counts.failures, event.healer))


def _cycle(s: Snapshot, _event: ev.CycleFinished) -> Counts:
    return replace(s.counts, cycles=s.counts.cycles + 1)


def _start(s: Snapshot, _event: ev.EngineStarted) -> Counts:
    return replace(s.counts, starts=s.counts.starts + 1)


def _lost(s: Snapshot, event: ev.StoreRecovered) -> Counts:
    return replace(s.counts, lost=s.counts.lost + max(0, event.dropped))


_COUNT: Final[dict[type, Callable[[Snapshot, Any], Counts]]] = {
    ev.ActionVerified: _ended,
    ev.ActionFailed: _ended,
    ev.PlanVetoed: _dropped,
    ev.PlanAbandoned: _dropped,
    ev.PlanRefused: _refused,
    ev.AlertOpened: _alert,
    ev.AlertReopened: _alert,
    ev.AlertNoted: _alert,
    ev.NoticeSent: _notice,
    ev.NoticeFailed: _notice,
    ev.NoticeDropped: _notice,
    ev.OverrideAnswered: _override,
    ev.HealerFailed: _healer,
    ev.CycleFinished: _cycle,
    ev.EngineStarted: _start,
    ev.StoreRecovered: _lost,
}
