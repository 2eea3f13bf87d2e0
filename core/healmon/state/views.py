"""What the snapshot is made of, and simple questions to it."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Literal

import msgspec

from healmon import events as ev
from healmon.attempts import Attempts
from healmon.clock import Steps
from healmon.plans import RANK, Overlays, Packed, Plan, Severity, Status

AlertState = Literal["pending", "open", "acknowledged", "resolved", "stale"]
FOREVER = 253_370_764_800.0
"""Wall seconds (the year 9999) until which a component is paused that must never be touched."""
RECENT = 50
"""How many finished actions the snapshot keeps."""
TURNS = 20
"""How many openings and ends of an alert are kept."""


class EngineView(msgspec.Struct, frozen=True):
    """The healer itself.

    `lead` is by how much the wall clock is ahead of the steady one, `slept` for how long the host
    has slept in this boot; both as of the newest event, so that the next run can tell what became
    of the clocks meanwhile. `lead` None: not known.
    """

    running: bool = False
    host: str = ""
    version: str = ""
    pid: int = 0
    mode: str = ""
    dry_run: bool = False
    interval: float = 60.0
    boot: str = ""
    steady_offset: float = 0.0
    lead: float | None = None
    slept: float = 0.0
    started_at: float = 0.0
    stopped: str = ""
    store_fault: str = ""
    configuration: str = ""


class CycleView(msgspec.Struct, frozen=True):
    """The newest check cycle; `finished_at` 0.0 means none has finished in this run.

    `looks` are the seconds that each healer took.
    """

    number: int = 0
    running: bool = False
    started_at: float = 0.0
    finished_at: float = 0.0
    seconds: float = 0.0
    next_at: float = 0.0
    late: tuple[str, ...] = ()
    looks: dict[str, float] = {}


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
    """One alert; `id` is the id of the event that began it.

    `opened_at` 0.0: it is pending. `peak` is the worst it has been, `told` when each channel was
    last told of it, `unanswered_since` when it last began to call for somebody: opened, worse, no
    longer acknowledged, no longer muted; `turns` when it opened and ended, oldest first, over all
    incidents that are remembered. A stale one that was acknowledged keeps what was said.
    """

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
    opened_at: float = 0.0
    peak: Severity = "INFO"
    reopened: int = 0
    overlays: Overlays = Overlays()
    told: dict[str, float] = {}
    unanswered_since: float = 0.0
    resolution: str = ""
    turns: tuple[float, ...] = ()

    @property
    def pending(self) -> bool:
        """Whether it was found and is not confirmed: no alert yet, for anybody."""
        return self.state == "pending" or (self.state == "stale" and not self.opened_at)


class SilenceView(msgspec.Struct, frozen=True):
    """A silence in force; `id` is the id of the event that began it.

    `muted` are the ids of the alerts that it has muted so far.
    """

    id: int
    match: str
    since: float
    until: float
    by: str
    note: str = ""
    muted: tuple[int, ...] = ()


class PauseView(msgspec.Struct, frozen=True):
    """Who paused actions and why, and what would have been done meanwhile.

    `would` counts the plans that were refused for it, by what they would have done.
    """

    since: float
    by: str
    note: str = ""
    would: dict[str, int] = {}


class NoticeView(msgspec.Struct, frozen=True):
    """A notice in the outbox; `id` is the id of the event that made it.

    `stamp` is the wall time of that event for ever, a part of its name; `made_at` is how long ago.
    """

    id: int
    channel: str
    topic: ev.Topic
    title: str
    body: str
    keys: tuple[str, ...]
    made_at: float
    next_at: float
    attempts: int = 0
    reason: str = ""
    level: Severity = "WARNING"
    stamp: float = 0.0


class ChannelView(msgspec.Struct, frozen=True):
    """What is known of a channel; `failing_since` 0.0: it took the newest notice.

    `sent` holds when the newest notices went out, oldest first, for the rate limit; `failures`
    counts those in a row, `failed_at` is when the newest of them was; `reported_at` when the newest
    report for it was made.
    """

    sent: tuple[float, ...] = ()
    failing_since: float = 0.0
    reason: str = ""
    failures: int = 0
    failed_at: float = 0.0
    reported_at: float = 0.0


class HeldAlert(msgspec.Struct, frozen=True):
    """An alert whose notices were held back: how often it opened meanwhile, and how it stands.

    `over_at` 0.0: it is not over.
    """

    id: int
    component: str
    level: Severity
    message: str
    times: int = 0
    over_at: float = 0.0


class HeldView(msgspec.Struct, frozen=True):
    """What one silence, maintenance or flapping held back, until it was summed up.

    `ended_at` 0.0: it goes on; `told` are the channels that got the summary, `would` says what
    would have been done meanwhile.
    """

    since: float
    alerts: dict[str, HeldAlert]
    ended_at: float = 0.0
    told: tuple[str, ...] = ()
    would: tuple[str, ...] = ()


class Counts(msgspec.Struct, frozen=True):
    """What happened since the store began, over all runs; see `state.counts`.

    `actions` are keyed by component, then by `ACTION OUTCOME`; `seconds` are those of the acts that
    were verified or failed, by action; `alerts` counts those that opened, by severity, `notices`
    what became of each by channel, then by outcome; `failures` is keyed by healer; `lost` are
    events that could not be stored.
    """

    actions: dict[str, dict[str, int]] = {}
    seconds: dict[str, float] = {}
    alerts: dict[str, int] = {}
    notices: dict[str, dict[str, int]] = {}
    overrides: dict[str, int] = {}
    failures: dict[str, int] = {}
    cycles: int = 0
    starts: int = 0
    lost: int = 0


class Snapshot(msgspec.Struct, frozen=True):
    """Everything known at one moment.

    `plans` and `refusals` are keyed by component, `attempts` by action (oldest first), `alerts` and
    `ended` (alerts that may be opened again; one that is pending again stands in both) by key,
    `silences` and `notices` (not yet sent) by id. `recent` are the finished actions of this run;
    `outcomes` the newest of each kind on each component, of whatever run: who looks after it may
    not have looked since (see `finished_on`).
    `maintenance` (until when) and `pauses` (who and why) are keyed by what is paused: a component,
    or a pattern of components. `held` is keyed by what held it back: `silence:ID`,
    `maintenance:PATTERN`, `flapping:KEY`. `tallies` count this run, `counts` all runs.
    `steps` tells when the wall clock was set (`clock.Steps`). All moments are as old as they look:
    they move with the wall clock (`state.stepping`).
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
    ended: dict[str, AlertView] = {}
    silences: dict[str, SilenceView] = {}
    notices: dict[str, NoticeView] = {}
    channels: dict[str, ChannelView] = {}
    held: dict[str, HeldView] = {}
    maintenance: dict[str, float] = {}
    pauses: dict[str, PauseView] = {}
    recent: tuple[ActionView, ...] = ()
    outcomes: dict[str, dict[str, ActionView]] = {}
    tallies: dict[str, int] = {}
    attempts: Attempts = {}
    counts: Counts = Counts()
    steps: Steps = ()


def of_healer(snapshot: Snapshot, healer: str) -> dict[str, ComponentView]:
    """Return the components of one healer, by name."""
    return {n: c for n, c in snapshot.components.items() if c.healer == healer}


def finished_on(snapshot: Snapshot, component: str) -> list[ActionView]:
    """Return what was done last to a component, oldest first; also before this run began."""
    here = [action for action in snapshot.recent if action.component == component]
    before = snapshot.outcomes.get(component)
    if before:
        here += [action for action in before.values() if action not in here]
        here.sort(key=lambda action: action.at)
    return here


def open_alerts(snapshot: Snapshot) -> list[AlertView]:
    """Return the alerts that are confirmed and not over, worst first, then oldest first."""
    return _sorted(a for a in snapshot.alerts.values() if not a.pending)


def pending_alerts(snapshot: Snapshot) -> list[AlertView]:
    """Return what was found and is not confirmed, in the same order."""
    return _sorted(a for a in snapshot.alerts.values() if a.pending)


def _sorted(alerts: Iterable[AlertView]) -> list[AlertView]:
    return sorted(alerts, key=lambda a: (-RANK[a.severity], a.first_seen, a.id))


def worst(snapshot: Snapshot) -> Severity | None:
    """Return the worst severity among open alerts that need somebody; None when all is well."""
    for alert in open_alerts(snapshot):
        return alert.severity if alert.severity != "INFO" else None
    return None
