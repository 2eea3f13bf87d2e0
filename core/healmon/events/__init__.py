"""The one vocabulary: everything that happens is one of these, frozen and in the past tense.

What is not in an event did not happen: the store keeps them, `state.apply` folds them into the
snapshot that every screen shows, reports and metrics are made from them. The words are general on
purpose: a healer brings its own facts, not its own events.
"""

from __future__ import annotations

from typing import TypeAlias

import msgspec

from healmon.events.alerting import (
    AlertAcknowledged,
    AlertArchived,
    AlertDropped,
    AlertNoted,
    AlertOpened,
    AlertOverlaid,
    AlertPended,
    AlertReopened,
    AlertResolved,
    AlertSeen,
    AlertStale,
    AlertUnacknowledged,
    AlertUpdated,
    MaintenanceEnded,
    MaintenanceStarted,
    SilenceEnded,
    SilenceStarted,
)
from healmon.events.base import Base
from healmon.events.changing import (
    ConfigurationChanged,
    ConfigurationRefused,
    Effect,
    KeyChange,
)
from healmon.events.noticing import (
    NoticeDropped,
    NoticeFailed,
    NoticeMade,
    NoticeSent,
    Topic,
)
from healmon.events.running import (
    ActionFailed,
    ActionStarted,
    ActionVerified,
    ClockJumped,
    ComponentGone,
    CycleFinished,
    CycleStarted,
    DryRunChanged,
    EngineStarted,
    EngineStopped,
    HealerFailed,
    HealerRecovered,
    Observed,
    OverrideAnswered,
    OverrideReceived,
    PlanAbandoned,
    PlanMade,
    PlanRefused,
    PlanVetoed,
    Remembered,
    StepTaken,
    StoreFaulted,
    StoreRecovered,
)
from healmon.plans import Severity

__all__ = [
    "ActionFailed",
    "ActionStarted",
    "ActionVerified",
    "AlertAcknowledged",
    "AlertArchived",
    "AlertDropped",
    "AlertNoted",
    "AlertOpened",
    "AlertOverlaid",
    "AlertPended",
    "AlertReopened",
    "AlertResolved",
    "AlertSeen",
    "AlertStale",
    "AlertUnacknowledged",
    "AlertUpdated",
    "Base",
    "ClockJumped",
    "ComponentGone",
    "ConfigurationChanged",
    "ConfigurationRefused",
    "CycleFinished",
    "CycleStarted",
    "DryRunChanged",
    "Effect",
    "EngineStarted",
    "EngineStopped",
    "Event",
    "HealerFailed",
    "HealerRecovered",
    "KeyChange",
    "MaintenanceEnded",
    "MaintenanceStarted",
    "NoticeDropped",
    "NoticeFailed",
    "NoticeMade",
    "NoticeSent",
    "Observed",
    "OverrideAnswered",
    "OverrideReceived",
    "PlanAbandoned",
    "PlanMade",
    "PlanRefused",
    "PlanVetoed",
    "Recorded",
    "Remembered",
    "SilenceEnded",
    "SilenceStarted",
    "StepTaken",
    "StoreFaulted",
    "StoreRecovered",
    "Topic",
    "component_of",
    "decode",
    "encode",
    "kind_of",
    "severity_of",
]

Event: TypeAlias = (
    EngineStarted
    | EngineStopped
    | DryRunChanged
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
    | OverrideReceived
    | OverrideAnswered
    | StoreFaulted
    | StoreRecovered
    | ConfigurationChanged
    | ConfigurationRefused
    | AlertPended
    | AlertOpened
    | AlertDropped
    | AlertUpdated
    | AlertResolved
    | AlertReopened
    | AlertStale
    | AlertSeen
    | AlertArchived
    | AlertOverlaid
    | AlertNoted
    | AlertAcknowledged
    | AlertUnacknowledged
    | SilenceStarted
    | SilenceEnded
    | MaintenanceStarted
    | MaintenanceEnded
    | NoticeMade
    | NoticeSent
    | NoticeFailed
    | NoticeDropped
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
    if isinstance(event, AlertOpened | AlertReopened | AlertUpdated):
        return event.level
    if isinstance(event, HealerFailed):
        return "CRITICAL"
    return type(event).severity
