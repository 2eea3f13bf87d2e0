"""What every row needs to know of the world, looked up once per drawing."""

from __future__ import annotations

import math
from collections.abc import Callable, Collection, Mapping
from typing import Any, Final, NamedTuple, TypeVar, cast

from msgspec import Struct, field
from msgspec.structs import force_setattr

from healmon.plans import RANK
from healmon.state import (
    ActionView,
    AlertView,
    ComponentView,
    PlanView,
    Snapshot,
    of_healer,
    paused_until,
)
from healmon.units import format_duration
from healmon_tui import glyphs
from healmon_tui.chronicle import Chronicle, Incident
from healmon_tui.paint import Span, Spans, Tone
from healmon_tui.strips import NOTHING, Strips
from healmon_tui.turnwords import paused

Made = TypeVar("Made")

FRESH: Final = 30.0
"""Seconds for which a row shows that it was healed, or that nothing was done."""
BRIGHT: Final = 8.0
"""Seconds of these after which it fades."""
NOT_WELL: Final = frozenset({"unhealthy", "error", "critical"})
WELL_SO: Final = frozenset({"healthy", "recovered"})

_DOING: Final[dict[str, tuple[str, str]]] = {
    "restart": ("restart", "restarting"),
    "start": ("start", "starting"),
    "stop": ("stop", "stopping"),
    "clear": ("clear", "clearing"),
    "answer": ("answer", "answering"),
    "requeue": ("requeue", "requeueing"),
    "clean": ("clean", "cleaning"),
    "unlock": ("unlock", "unlocking"),
    "release": ("release", "releasing"),
}


class Mark(NamedTuple):
    """How well a component is: sign, tone, and its place in the order (0 is worst)."""

    glyph: str
    tone: Tone
    rank: int


ACKNOWLEDGED: Final = 5
"""The rank of what is wrong and known: below it somebody or healmon has something to do."""
WELL: Final = Mark(glyphs.OK, "ok", 7)


class Row(Struct, frozen=True):
    """One line of a panel.

    Attributes:
        key: stays the same while the row moves: the cursor follows it.
        component: what acts on this row act on.
        alert: the alert's key, on rows that are about one.
        cells: by column key.
        order: the row's place among others, worst first.
        meter: percent and tone of the bar in the column `meter`.
        at: wall seconds of what it tells, on rows that tell one thing.
    """

    key: str
    component: str
    mark: Mark
    cells: Mapping[str, Spans]
    order: tuple[object, ...]
    alert: str = ""
    meter: tuple[float, Tone] | None = None
    at: float = 0.0


class Scene(Struct, frozen=True):
    """A snapshot at a moment, with what rows ask of it.

    Attributes:
        known: when the failures ended that the person at this screen knows of, by component.
        chronicle: the stories behind the snapshot, if they are told.
    """

    snapshot: Snapshot
    now: float
    alerts: dict[str, list[AlertView]] = field(default_factory=dict[str, list[AlertView]])
    actions: dict[str, ActionView] = field(default_factory=dict[str, ActionView])
    known: Mapping[str, float] = field(default_factory=dict[str, float])
    chronicle: Chronicle | None = None
    _once: dict[object, Any] = field(default_factory=dict[object, Any])

    def __post_init__(self) -> None:
        """Begin with nothing made, also where this scene is another one with a difference."""
        force_setattr(self, "_once", dict[object, Any]())

    @classmethod
    def of(
        cls,
        snapshot: Snapshot,
        now: float,
        known: Mapping[str, float] | None = None,
        chronicle: Chronicle | None = None,
    ) -> Scene:
        """Return the scene at a wall time."""
        alerts: dict[str, list[AlertView]] = {}
        for alert in snapshot.alerts.values():
            if not alert.pending:
                alerts.setdefault(alert.component, []).append(alert)
        return cls(snapshot, now, alerts, done_last(snapshot, now), known or {}, chronicle)

    def once(self, make: Callable[[Scene], Made]) -> Made:
        """Return what a function makes of this scene, made once however many ask."""
        if make not in self._once:
            self._once[make] = make(self)
        return cast("Made", self._once[make])

    def views(self, healer: str) -> Collection[ComponentView]:
        """Return the components of one healer, in their order."""
        if healer not in self._once:
            self._once[healer] = of_healer(self.snapshot, healer).values()
        return cast("Collection[ComponentView]", self._once[healer])

    @property
    def all_on_hand(self) -> tuple[object, ...]:
        """All that `on_hand` looks into: while it is the same, so is that of every component."""
        snapshot = self.snapshot
        return (
            snapshot.plans,
            snapshot.refusals,
            snapshot.recent,
            snapshot.outcomes,
            snapshot.alerts,
            snapshot.pauses,
            snapshot.maintenance,
            self.chronicle,
            self.strips.reaches,
        )

    def on_hand(self, component: str) -> tuple[object, ...]:
        """Return all that there is about a component beside its view; what is equal is the same."""
        snapshot = self.snapshot
        return (
            snapshot.plans.get(component),
            snapshot.refusals.get(component),
            self.actions.get(component),
            snapshot.pauses,
            snapshot.maintenance,
            self.chronicle,
            self.strips.reaches,
            self.undone(component),
            *self.alerts.get(component, ()),
        )

    def calm(self, component: str) -> bool:
        """Tell whether nothing is wrong with a component, and nobody was at it of late."""
        return not (
            component in self.alerts
            or component in self.snapshot.plans
            or component in self.snapshot.refusals
            or component in self.actions
        )

    @property
    def strips(self) -> Strips:
        """How things went before this moment, as far as is known."""
        return NOTHING if self.chronicle is None else self.chronicle.strips

    def healing(self, component: str) -> PlanView | None:
        """Return the plan in flight for a component."""
        return self.snapshot.plans.get(component)

    def paused_until(self, component: str) -> float | None:
        """Return until when healmon keeps its hands off a component; None: it does not."""
        snapshot = self.snapshot
        return paused_until(snapshot, component, self.now) if snapshot.maintenance else None

    def healed(self, component: str) -> ActionView | None:
        """Return the newest action on a component if it was proved only a while ago."""
        action = self.actions.get(component)
        fresh = action is not None and action.ok and self.now - action.at < FRESH
        return action if fresh else None

    def failed(self, component: str) -> ActionView | None:
        """Return the newest action on a component if it failed and nobody knows of it yet."""
        action = self.actions.get(component)
        if action is None or action.ok or self.known.get(component, 0.0) >= action.at:
            return None
        acked = (a.acknowledged_at for a in self.alerts.get(component, []))
        return None if any(at is not None and at >= action.at for at in acked) else action

    def undone(self, component: str) -> Incident | None:
        """Return the newest story of a component if what a person asked for was just given up.

        What healmon itself gives up shows in how the component is.
        """
        story = self.chronicle.newest(component) if self.chronicle is not None else None
        if story is None or story.outcome not in ("vetoed", "abandoned"):
            return None
        if story.origin in ("", "healmon"):
            return None
        return story if 0 <= self.now - story.at < FRESH else None

    def mark(self, view: ComponentView) -> Mark:  # noqa: PLR0911 - one answer per degree, worst first
        """Return how well a component is, and who is at it."""
        alerts = self.alerts.get(view.name, [])
        worst = max((RANK[a.severity] for a in alerts if is_loud(a)), default=0)
        handled: Tone | None = "heal" if self.healing(view.name) else None
        if self.paused_until(view.name) is not None:
            handled = "calm"
        if worst == RANK["CRITICAL"] or (not alerts and view.status in NOT_WELL):
            return Mark(glyphs.BAD, handled or "bad", 1 if handled else 0)
        if worst == RANK["WARNING"] or (not alerts and view.status == "warning"):
            return Mark(glyphs.WARN, handled or "warn", 3 if handled else 2)
        if view.status == "unknown":
            return Mark(glyphs.UNKNOWN, "warn", 4)
        if alerts and any(RANK[a.severity] for a in alerts):
            known = any(a.acknowledged_at is not None for a in alerts)
            return Mark(glyphs.ACKED if known else glyphs.SILENCED, "calm", ACKNOWLEDGED)
        if self.paused_until(view.name) is not None:
            return Mark(glyphs.PAUSED, "calm", 8)
        if self.healed(view.name) or view.status == "recovered":
            return Mark(glyphs.DONE, "ok", 7)
        return WELL

    def state(self, view: ComponentView, word: str, tone: Tone) -> Span:
        """Return the STATE cell: what healmon is doing, or just did, or else `word`."""
        plan = self.healing(view.name)
        if plan is not None:
            return Span(doing(plan, self.now), "heal")
        if view.name not in self.actions:
            undone = self.undone(view.name) is not None
            return Span("not done", "calm") if undone else Span(word, tone)
        action = self.healed(view.name)
        if action is not None:
            fresh = self.now - action.at < BRIGHT
            return Span(f"verified {seconds(action.seconds)}", "ok" if fresh else "dim")
        failed = self.failed(view.name)
        if failed is not None and view.status not in WELL_SO:
            return Span(f"{verb(failed.action)[0]} failed", self.mark(view).tone)
        if self.undone(view.name) is not None:
            return Span("not done", "calm")
        return Span(word, tone)

    def why(self, view: ComponentView, word: str, seen: str) -> Spans:
        """Return the WHY cell: pauses and refusals first, then what was seen, if it says more."""
        known = seen or ("" if view.status in WELL_SO or view.summary == word else view.summary)
        spans: list[Span] = []
        until = self.paused_until(view.name)
        action = self.actions.get(view.name)
        refusal = self.snapshot.refusals.get(view.name)
        if until is None and action is None and refusal is None and self.undone(view.name) is None:
            return (Span(known, "text"),) if known else ()  # most of them
        if until is not None:
            spans.append(Span(paused(until), "calm"))
        elif refusal is not None and view.status not in WELL_SO:
            spans.append(Span(f"not done: {refusal.reason}", "calm"))
        elif action is not None and not action.ok and view.status not in WELL_SO:
            spans.append(Span(f"{verb(action.action)[0]} failed: {action.outcome}", "warn"))
        elif self.failed(view.name) is not None and action is not None:
            ago = format_duration(max(int(self.now - action.at), 0))
            spans.append(
                Span(f"{verb(action.action)[0]} failed {ago} ago: {action.outcome}", "warn")
            )
        elif (story := self.undone(view.name)) is not None:
            spans.append(Span(f"{verb(story.action)[0]} not done: {story.result}", "calm"))
        elif self.healed(view.name) and not self.healing(view.name) and action is not None:
            spans.append(Span(action.outcome, "dim"))
            known = ""
        if known:
            lead = f" {glyphs.DOT} " if spans else ""
            spans.append(Span(lead + known, "dim" if spans else "text"))
        return tuple(spans)


def done_last(snapshot: Snapshot, now: float) -> dict[str, ActionView]:
    """Return what was done last to each component, as far as its row has anything to tell of it.

    Of what was done before this run began that is what has just been proved, and what failed where
    it is still not well: what has become well since needs nobody any more.
    """
    found: dict[str, ActionView] = {}
    for name, view in snapshot.components.items():
        done = snapshot.outcomes.get(name)
        if not done:
            continue
        last = max(done.values(), key=lambda action: action.at)
        if now - last.at < FRESH if last.ok else view.status not in WELL_SO:
            found[name] = last
    for action in snapshot.recent:
        found[action.component] = action
    return found


def is_loud(alert: AlertView) -> bool:
    """Tell whether nobody has said that an alert is known, nor that it is not to be told."""
    over = alert.overlays
    hushed = over.silenced_by or over.inhibited_by or over.flapping
    return alert.acknowledged_at is None and not alert.pending and not hushed


def verb(action: str) -> tuple[str, str]:
    """Return an action's word and the word while it runs: `restart`, `restarting`."""
    word = action.split("_", 1)[0]
    return _DOING.get(word, (word, f"{word}:"))


def doing(plan: PlanView, now: float) -> str:
    """Return what a plan in flight does, with its countdown or its age."""
    word, running = verb(plan.plan.action)
    left = plan.due_wall - now
    if plan.acting and len(plan.steps) >= len(plan.plan.steps) > 0:
        return f"verifying {format_duration(max(int(-left), 0))}{glyphs.MORE}"
    if plan.acting:
        return f"{running} {format_duration(max(int(-left), 0))}{glyphs.MORE}"
    return f"{word} in {format_duration(math.ceil(left))}" if left > 0 else f"{word} now"


def seconds(value: float) -> str:
    """Return how long something took: `1.2 s`, `45 s`, `3m02s`."""
    if value < 10:
        return f"{value:.1f} s"
    return f"{value:.0f} s" if value < 100 else format_duration(value)


def age(seconds: float) -> str:
    """Return how long something lasts for a row: `41s`, `12m`, `3h12m`.

    Beyond two minutes no seconds: they tell nothing there, and thirty rows that change each second
    are restless to look at, and all there is to draw.
    """
    whole = int(seconds)
    return f"{whole // 60}m" if 120 <= whole < 3600 else format_duration(whole)


def short(component: str) -> str:
    """Return a component's name without its kind: `session:a` → `a`."""
    kind, colon, name = component.partition(":")
    return name if colon and kind in ("session", "database", "disk") else component
