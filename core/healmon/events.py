"""The one vocabulary: everything that happens is one of these, frozen and in the past tense.

What is not in an event did not happen: the store keeps them, `state.apply` folds them into the
snapshot that every screen shows, reports and metrics are made from them. The words are general on
purpose: a healer brings its own facts, not its own events.
"""

from __future__ import annotations

from typing import ClassVar, TypeAlias

import msgspec

from healmon.plans import Packed, Plan, Severity, Status


class _Event(msgspec.Struct, frozen=True, tag_field="kind", tag=str.lower):
    """Base of all events; `kind` in the store is the class name in lower case."""

    severity: ClassVar[Severity] = "INFO"


class EngineStarted(_Event, frozen=True):
    """A healer took over the state directory."""

    host: str
    version: str
    pid: int
    mode: str
    dry_run: bool
    interval: float
    boot: str
    steady_offset: float


class EngineStopped(_Event, frozen=True):
    """The healer ended in order."""

    reason: str


class CycleStarted(_Event, frozen=True):
    """A check cycle began; numbers count from 1 in each run."""

    number: int


class CycleFinished(_Event, frozen=True):
    """Every healer answered, or its deadline passed (`late`)."""

    number: int
    seconds: float
    next_in: float
    late: tuple[str, ...] = ()


class HealerFailed(_Event, frozen=True):
    """A healer crashed or did not answer in time; the others went on."""

    healer: str
    reason: str


class HealerRecovered(_Event, frozen=True):
    """A healer that had failed answered again."""

    healer: str


class ClockJumped(_Event, frozen=True):
    """The host slept, or its wall clock was set; in seconds."""

    suspended: float
    stepped: float


class Observed(_Event, frozen=True):
    """A component was looked at and judged."""

    healer: str
    component: str
    status: Status
    summary: str
    metric_type: str
    metric_value: str
    facts: Packed


class Remembered(_Event, frozen=True):
    """What a healer keeps in mind of a component changed."""

    component: str
    memory: Packed


class ComponentGone(_Event, frozen=True):
    """A component exists no more (session ended, taken out of the configuration)."""

    component: str


class PlanMade(_Event, frozen=True):
    """A diagnosis or a person proposed a remedy; it acts at `due` (steady seconds)."""

    plan: Plan
    due: float
    due_wall: float


class PlanRefused(_Event, frozen=True):
    """The gate said no; nothing was touched."""

    plan: Plan
    reason: str


class PlanVetoed(_Event, frozen=True):
    """The last look before acting found the world changed; nothing was touched."""

    plan_id: str
    component: str
    reason: str


class ActionStarted(_Event, frozen=True):
    """A plan passed its last look and is being carried out."""

    plan_id: str
    component: str


class StepTaken(_Event, frozen=True):
    """Written before each touch of the world: what is about to be done.

    `lasting`: what is touched outlives a power cut, so this record must, too.
    """

    plan_id: str
    component: str
    text: str
    lasting: bool = True


class ActionVerified(_Event, frozen=True):
    """The remedy worked, and this is what showed it."""

    plan_id: str
    component: str
    action: str
    proof: str
    seconds: float
    message: str = ""
    details: Packed = {}


class ActionFailed(_Event, frozen=True):
    """The remedy could not be carried out, or could not be proved."""

    severity: ClassVar[Severity] = "WARNING"

    plan_id: str
    component: str
    action: str
    reason: str
    seconds: float
    details: Packed = {}


class PlanAbandoned(_Event, frozen=True):
    """A plan ended without an outcome: healmon stopped, was killed, or a person called it off."""

    plan_id: str
    component: str
    reason: str


class AlertOpened(_Event, frozen=True):
    """Something needs attention; the event's own id is the alert's id."""

    key: str
    level: Severity
    component: str
    message: str
    evidence: Packed = {}


class AlertUpdated(_Event, frozen=True):
    """An open alert was seen again with something new to say; its level may have risen."""

    key: str
    level: Severity
    message: str
    evidence: Packed = {}


class AlertResolved(_Event, frozen=True):
    """What an alert was about is over."""

    key: str
    reason: str


class AlertNoted(_Event, frozen=True):
    """Good to know, nothing to do: born resolved ("auto-recovered")."""

    key: str
    component: str
    message: str
    evidence: Packed = {}


class AlertAcknowledged(_Event, frozen=True):
    """A person said "I know"; expires at `until` (wall seconds) unless None."""

    key: str
    by: str
    note: str = ""
    until: float | None = None


class AlertUnacknowledged(_Event, frozen=True):
    """An acknowledgement was taken back or ran out."""

    key: str
    reason: str


class MaintenanceStarted(_Event, frozen=True):
    """Actions are paused for one component, or for all (`*`), until `until` (wall seconds)."""

    component: str
    until: float
    by: str


class MaintenanceEnded(_Event, frozen=True):
    """Actions are allowed again."""

    component: str
    reason: str


class OverrideReceived(_Event, frozen=True):
    """A person or script asked for something."""

    command: int
    verb: str
    target: str
    origin: str


class OverrideAnswered(_Event, frozen=True):
    """What became of it."""

    command: int
    ok: bool
    outcome: str


class StoreFaulted(_Event, frozen=True):
    """The health store could not be written; healing goes on, events wait in memory."""

    severity: ClassVar[Severity] = "CRITICAL"

    reason: str


class StoreRecovered(_Event, frozen=True):
    """The health store is written again; `dropped` events did not fit into memory meanwhile."""

    dropped: int


Event: TypeAlias = (
    EngineStarted
    | EngineStopped
    | CycleStarted
    | CycleFinished
    | HealerFailed
    | HealerRecovered
    | ClockJumped
    | Observed
    | Remembered
    | ComponentGone
    | PlanMade
    | PlanRefused
    | PlanVetoed
    | ActionStarted
    | StepTaken
    | ActionVerified
    | ActionFailed
    | PlanAbandoned
    | AlertOpened
    | AlertUpdated
    | AlertResolved
    | AlertNoted
    | AlertAcknowledged
    | AlertUnacknowledged
    | MaintenanceStarted
    | MaintenanceEnded
    | OverrideReceived
    | OverrideAnswered
    | StoreFaulted
    | StoreRecovered
)


class Recorded(msgspec.Struct, frozen=True):
    """An event with its place in the stream.

    Attributes:
        id: ever growing within one store.
        wall: when, in epoch seconds, to the millisecond.
        event: what.
        cause: id of the event that led to it.
    """

    id: int
    wall: float
    event: Event
    cause: int | None = None


_encoder = msgspec.json.Encoder()
_decoder: msgspec.json.Decoder[Event] = msgspec.json.Decoder(Event)


def encode(event: Event) -> str:
    """Return the event as the JSON text that the store keeps in `payload`."""
    return _encoder.encode(event).decode()


def decode(payload: str) -> Event:
    """Return the event that `encode` wrote.

    Raises:
        msgspec.ValidationError: no such event in this version.
    """
    return _decoder.decode(payload)


def kind_of(event: Event) -> str:
    """Return the event's name in the store's `kind` column."""
    return type(event).__name__.lower()


def component_of(event: Event) -> str:
    """Return the component an event is about; `healmon` for what concerns the engine itself."""
    if isinstance(event, PlanMade | PlanRefused):
        return event.plan.component
    return getattr(event, "component", None) or "healmon"


def severity_of(event: Event) -> Severity:
    """Return how loud an event is in the log."""
    if isinstance(event, AlertOpened | AlertUpdated):
        return event.level
    if isinstance(event, HealerFailed):
        return "CRITICAL"
    return type(event).severity
