"""What happened, as chains: found, planned, did, verified. Folds the same events as the snapshot.

The snapshot says how things are; the chronicle keeps the newest stories behind it, bounded in
every direction, so that a screen can tell them without reading the store.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Iterable
from typing import Final, Literal, NamedTuple, TypeAlias

from msgspec import Struct
from msgspec.structs import replace

from healmon import events as ev
from healmon.clock import local_time
from healmon.plans import RANK, Severity
from healmon.state import AlertView, Snapshot
from healmon.units import format_duration
from healmon_tui.ledger import Ledger
from healmon_tui.strips import Strips
from healmon_tui.turnwords import acknowledged, jump, overlaid, paused, reread, why

STORIES: Final = 300
"""Incidents kept; closed ones go first."""
TIMELINE: Final = 80
"""Moments kept for each component."""
COMPONENTS: Final = 500
"""Components whose timelines are kept."""
TOGETHER: Final = 60.0
"""Seconds within which a note belongs to the remedy before it."""


Outcome: TypeAlias = Literal["", "verified", "failed", "refused", "vetoed", "abandoned"]
State: TypeAlias = Literal["open", "acknowledged", "closed"]


class Incident(Struct, frozen=True):
    """One story: what was found, what was done about it, what showed that it worked.

    Attributes:
        id: of the event that began it.
        at: wall seconds of its newest turn.
        key: of the alert it is about; empty: none.
        origin: who asked for the action.
        did: the touches of the world, in order.
        result: the proof, or why there is none.
        note: the healer's one line about it, once it is over.
    """

    id: int
    at: float
    component: str
    level: Severity
    found: str
    key: str = ""
    state: State = "open"
    action: str = ""
    origin: str = ""
    did: tuple[str, ...] = ()
    outcome: Outcome = ""
    result: str = ""
    seconds: float = 0.0
    note: str = ""


class Moment(NamedTuple):
    """One line of a component's timeline."""

    at: float
    kind: Literal["found", "plan", "did", "good", "bad", "note"]
    text: str


class Chronicle:
    """The newest stories, timelines and touches.

    Attributes:
        skipped: stories that fell out before they were over.
        ledger: the touches of the world, and who was told of what.
        strips: how things went lately.
        pause_over: when the newest end of maintenance was, and what it told.
    """

    def __init__(self) -> None:
        self.skipped = 0
        self.ledger = Ledger()
        self.strips = Strips()
        self.pause_over: tuple[float, ev.MaintenanceEnded] | None = None
        self._stories: dict[int, Incident] = {}
        self._current: dict[str, int] = {}
        self._by_key: dict[str, int] = {}
        self._timelines: dict[str, deque[Moment]] = {}

    def incidents(self) -> Iterable[Incident]:
        """Return the stories, oldest first."""
        return self._stories.values()

    def newest(self, component: str) -> Incident | None:
        """Return the newest story of a component."""
        return self._stories.get(self._current.get(component, -1))

    def timeline(self, component: str) -> tuple[Moment, ...]:
        """Return what happened to a component, oldest first."""
        return tuple(self._timelines.get(component, ()))

    def seed(self, snapshot: Snapshot) -> None:
        """Begin with the alerts that are open now; a story that is not about one is over."""
        self.strips.seed(snapshot)
        for story in list(self._stories.values()):
            if story.key and story.state != "closed" and story.key not in snapshot.alerts:
                self._put(replace(story, state="closed"))
        for alert in sorted(snapshot.alerts.values(), key=lambda a: a.last_seen):
            if not alert.pending and alert.key not in self._by_key:
                self._put(_from_alert(alert))

    def add(self, record: ev.Recorded) -> None:
        """Fold one more event."""
        event, at = record.event, record.wall
        self.strips.add(record)
        if isinstance(event, ev.Observed):
            return  # most of all events, and no story
        self.ledger.add(record)
        match event:
            case ev.AlertOpened() | ev.AlertUpdated() | ev.AlertResolved() | ev.AlertNoted():
                self._on_alert(record, event)
            case ev.PlanMade() | ev.PlanRefused():
                self._on_plan(record, event)
            case ev.StepTaken():
                self._mark(event.component, at, "did", event.text)
                story = self._open(event.component)
                if story is not None:
                    self._put(replace(story, did=(*story.did, event.text)[-20:]))
            case ev.ActionVerified() | ev.ActionFailed() | ev.PlanVetoed() | ev.PlanAbandoned():
                self._on_outcome(record, event)
            case _:
                self._on_turn(record)
                self._on_healmon(record)

    def _on_turn(self, record: ev.Recorded) -> None:
        event, at = record.event, record.wall
        match event:
            case ev.AlertReopened():
                self._reopen(record, event)
            case ev.AlertPended():
                self._mark(event.component, at, "note", f"not confirmed yet: {event.message}")
            case ev.AlertStale():
                self._turn(event.key, at, "note", f"stale: {event.reason}")
            case ev.AlertOverlaid():
                self._turn(event.key, at, "note", overlaid(event.overlays))
            case ev.AlertAcknowledged():
                self._turn(event.key, at, "note", acknowledged(event), state="acknowledged")
            case ev.AlertUnacknowledged():
                self._turn(event.key, at, "note", f"open again: {event.reason}", state="open")
            case _:
                return

    def _on_alert(
        self,
        record: ev.Recorded,
        event: ev.AlertOpened | ev.AlertUpdated | ev.AlertResolved | ev.AlertNoted,
    ) -> None:
        at = record.wall
        if isinstance(event, ev.AlertOpened):
            self._mark(event.component, at, "found", event.message)
            story = self._stories.get(self._by_key.get(event.key, -1))
            if story is None:
                story = self._open(event.component)
            if story is None or story.key not in ("", event.key):
                story = Incident(record.id, at, event.component, event.level, "")
            story = replace(story, at=at, key=event.key, level=event.level, found=event.message)
            self._put(replace(story, state="open"), current=True)
        elif isinstance(event, ev.AlertUpdated):
            self._update(event, at)
        elif isinstance(event, ev.AlertResolved):
            story = self._turn(event.key, at, "good", f"over: {event.reason}", state="closed")
            if story is not None and not story.result:
                self._put(replace(story, result=event.reason))
        else:
            self._note(record, event)

    def _update(self, event: ev.AlertUpdated, at: float) -> None:
        story = self._stories.get(self._by_key.get(event.key, -1))
        if story is None:
            return
        self._mark(story.component, at, "found", event.message)
        rose = RANK[event.level] > RANK[story.level]
        story = replace(story, found=event.message)
        if rose:
            story = replace(story, at=at, level=event.level, state="open")
        self._put(story)

    def _reopen(self, record: ev.Recorded, event: ev.AlertReopened) -> None:
        self._mark(event.component, record.wall, "found", f"again: {event.message}")
        story = self._stories.get(self._current.get(event.component, -1))
        if story is None or story.key != event.key:
            story = Incident(record.id, record.wall, event.component, event.level, "", event.key)
        story = replace(
            story, at=record.wall, level=event.level, found=event.message, state="open",
            action="", did=(), outcome="", result="", note="",
        )  # fmt: skip
        self._put(story, current=True)

    def _note(self, record: ev.Recorded, event: ev.AlertNoted) -> None:
        story = self._stories.get(self._current.get(event.component, -1))
        recent = story is not None and record.wall - story.at <= TOGETHER
        if story is not None and recent and story.outcome == "verified":
            self._put(replace(story, note=event.message))
            return
        self._mark(event.component, record.wall, "note", event.message)
        self._tell(record, event.component, event.message)

    def _on_plan(self, record: ev.Recorded, event: ev.PlanMade | ev.PlanRefused) -> None:
        plan, at = event.plan, record.wall
        story = self._open(plan.component)
        if isinstance(event, ev.PlanRefused):
            self._mark(plan.component, at, "plan", f"not done: {plan.action}: {event.reason}")
            if story is None:
                story = Incident(record.id, at, plan.component, "INFO", plan.why, state="closed")
            story = replace(story, action=plan.action, outcome="refused", result=event.reason)
            self._put(story)
            return
        origin = "" if plan.origin == "healmon" else f" for {plan.origin}"
        wait = f" in {format_duration(plan.delay)}" if plan.delay else ""
        self._mark(plan.component, at, "plan", f"planned {plan.action}{wait}{origin}")
        if story is None:
            story = Incident(record.id, at, plan.component, "INFO", plan.why)
        story = replace(
            story, action=plan.action, origin=plan.origin, did=(), outcome="", result="", note=""
        )
        self._put(story, current=True)

    def _on_outcome(
        self,
        record: ev.Recorded,
        event: ev.ActionVerified | ev.ActionFailed | ev.PlanVetoed | ev.PlanAbandoned,
    ) -> None:
        at = record.wall
        outcome: Outcome
        if isinstance(event, ev.ActionVerified):
            outcome, result, took = "verified", event.proof, event.seconds
            self._mark(event.component, at, "good", f"verified: {event.proof}")
        elif isinstance(event, ev.ActionFailed):
            outcome, result, took = "failed", event.reason, event.seconds
            self._mark(event.component, at, "bad", f"{event.action} failed: {event.reason}")
        else:
            outcome = "vetoed" if isinstance(event, ev.PlanVetoed) else "abandoned"
            result, took = event.reason, 0.0
            self._mark(event.component, at, "note", f"not done: {event.reason}")
        story = self._open(event.component)
        if story is None:
            return
        state: State = story.state if story.key else "closed"
        self._put(replace(story, at=at, outcome=outcome, result=result, seconds=took, state=state))

    def _on_healmon(self, record: ev.Recorded) -> None:
        event = record.event
        match event:
            case ev.EngineStarted():
                dry = ", dry run" if event.dry_run else ""
                text = f"healmon {event.version} started, pid {event.pid}{dry}"
            case ev.DryRunChanged():
                said = "dry run on: nothing is touched" if event.on else "dry run off: acting again"
                text = f"{said}, by {event.by}"
            case ev.EngineStopped():
                text = f"healmon ended: {event.reason}"
            case ev.ClockJumped():
                text = jump(event)
            case ev.ConfigurationChanged() | ev.ConfigurationRefused():
                text = reread(event)
            case ev.MaintenanceStarted():
                text = f"{paused(event.until)} by {event.by}{why(event.note)}"
            case ev.MaintenanceEnded():
                self.pause_over = (record.wall, event)
                would = f"; not done meanwhile: {'; '.join(event.would)}" if event.would else ""
                text = f"no longer paused: {event.reason}{would}"
            case ev.SilenceStarted():
                until = local_time(event.until, "%H:%M")
                text = f"silence {record.id} by {event.by} till {until}: {event.match}"
                text += why(event.note, " - ")
            case ev.SilenceEnded():
                text = f"silence {event.silence} ended: {event.reason}"
            case _:
                return
        component = getattr(event, "component", "healmon")
        component = "healmon" if component == "*" else component
        self._mark(component, record.wall, "note", text)
        self._tell(record, component, text)

    def _tell(self, record: ev.Recorded, component: str, text: str) -> None:
        self._put(Incident(record.id, record.wall, component, "INFO", text, state="closed"))

    def _turn(
        self,
        key: str,
        at: float,
        kind: Literal["note", "good"],
        text: str,
        *,
        state: State | None = None,
    ) -> Incident | None:
        story = self._stories.get(self._by_key.get(key, -1))
        if story is None:
            return None
        self._mark(story.component, at, kind, text)
        state = state or story.state
        story = replace(story, state=state, at=at if state == "closed" else story.at)
        self._put(story)
        return story

    def _open(self, component: str) -> Incident | None:
        story = self._stories.get(self._current.get(component, -1))
        return story if story is not None and story.state != "closed" else None

    def _put(self, story: Incident, *, current: bool = False) -> None:
        self._stories[story.id] = story
        if current or story.key:
            self._current[story.component] = story.id
        if story.key and story.state != "closed":
            self._by_key[story.key] = story.id
        elif self._by_key.get(story.key) == story.id:
            del self._by_key[story.key]
        if len(self._stories) > STORIES:
            self._forget()

    def _forget(self) -> None:
        over = next((s for s in self._stories.values() if s.state == "closed"), None)
        if over is None:
            over = next(iter(self._stories.values()))
            self.skipped += 1
        del self._stories[over.id]
        if self._by_key.get(over.key) == over.id:
            del self._by_key[over.key]
        if self._current.get(over.component) == over.id:
            del self._current[over.component]

    def _mark(
        self,
        component: str,
        at: float,
        kind: Literal["found", "plan", "did", "good", "bad", "note"],
        text: str,
    ) -> None:
        timeline: deque[Moment] = self._timelines.pop(component, deque(maxlen=TIMELINE))
        if len(self._timelines) >= COMPONENTS:
            # the one to which nothing happened for longest
            del self._timelines[next(iter(self._timelines))]
        self._timelines[component] = timeline
        timeline.append(Moment(at, kind, text))


def _from_alert(alert: AlertView) -> Incident:
    state: State = "open" if alert.acknowledged_at is None else "acknowledged"
    return Incident(
        alert.id, alert.first_seen, alert.component, alert.severity, alert.message,
        key=alert.key, state=state,
    )  # fmt: skip
