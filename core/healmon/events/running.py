"""What the engine, its healers and their plans do."""

from __future__ import annotations

from typing import ClassVar

from healmon.events.base import Base
from healmon.plans import Packed, Plan, Severity, Status


class EngineStarted(Base, frozen=True):
    """A healer took over the state directory; `configuration` is a digest of the one it read.

    `lead` is wall minus steady seconds, `slept` the seconds that the host has slept in this boot.
    """

    host: str
    version: str
    pid: int
    mode: str
    dry_run: bool
    interval: float
    boot: str
    steady_offset: float
    configuration: str = ""
    lead: float | None = None
    slept: float = 0.0


class EngineStopped(Base, frozen=True):
    """The healer ended in order."""

    reason: str


class DryRunChanged(Base, frozen=True):
    """A person switched the running healer's dry run: on, it only plans; off, it acts."""

    on: bool
    by: str


class CycleStarted(Base, frozen=True):
    """A check cycle began; numbers count from 1 in each run."""

    number: int


class CycleFinished(Base, frozen=True):
    """Every healer answered, or its deadline passed (`late`); `looks`: seconds of each."""

    number: int
    seconds: float
    next_in: float
    late: tuple[str, ...] = ()
    looks: dict[str, float] = {}


class HealerFailed(Base, frozen=True):
    """A healer crashed or did not answer in time; the others went on."""

    healer: str
    reason: str


class HealerRecovered(Base, frozen=True):
    """A healer that had failed answered again."""

    healer: str


class ClockJumped(Base, frozen=True):
    """The host slept, or its wall clock was set, `within` so many seconds; all in seconds.

    `off`: over a boot, so that it may have been off for all or a part of that.
    """

    suspended: float
    stepped: float
    off: bool = False
    within: float = 0.0


class Observed(Base, frozen=True):
    """A component was looked at and judged."""

    healer: str
    component: str
    status: Status
    summary: str
    metric_type: str
    metric_value: str
    facts: Packed


class Remembered(Base, frozen=True):
    """What a healer keeps in mind of a component changed."""

    component: str
    memory: Packed


class ComponentGone(Base, frozen=True):
    """A component exists no more (session ended, taken out of the configuration)."""

    component: str


class PlanMade(Base, frozen=True):
    """A diagnosis or a person proposed a remedy; it acts at `due` (steady seconds)."""

    plan: Plan
    due: float
    due_wall: float


class PlanRefused(Base, frozen=True):
    """The gate said no; nothing was touched."""

    plan: Plan
    reason: str


class PlanVetoed(Base, frozen=True):
    """The last look before acting found the world changed; nothing was touched."""

    plan_id: str
    component: str
    reason: str


class ActionStarted(Base, frozen=True):
    """A plan passed its last look and is being carried out."""

    plan_id: str
    component: str


class StepTaken(Base, frozen=True):
    """Written before each touch of the world: what is about to be done.

    `lasting`: what is touched outlives a power cut, so this record must, too.
    """

    plan_id: str
    component: str
    text: str
    lasting: bool = True


class ActionVerified(Base, frozen=True):
    """The remedy worked, and this is what showed it."""

    plan_id: str
    component: str
    action: str
    proof: str
    seconds: float
    message: str = ""
    details: Packed = {}


class ActionFailed(Base, frozen=True):
    """The remedy could not be carried out, or could not be proved."""

    severity: ClassVar[Severity] = "WARNING"

    plan_id: str
    component: str
    action: str
    reason: str
    seconds: float
    details: Packed = {}


class PlanAbandoned(Base, frozen=True):
    """A plan ended without an outcome: healmon stopped, was killed, or a person called it off."""

    plan_id: str
    component: str
    reason: str


class OverrideReceived(Base, frozen=True):
    """A person or script asked for something."""

    command: int
    verb: str
    target: str
    origin: str


class OverrideAnswered(Base, frozen=True):
    """What became of it."""

    command: int
    ok: bool
    outcome: str


class StoreFaulted(Base, frozen=True):
    """The health store could not be written; healing goes on, events wait in memory."""

    severity: ClassVar[Severity] = "CRITICAL"

    reason: str


class StoreRecovered(Base, frozen=True):
    """The health store is written again; `dropped` events did not fit into memory meanwhile."""

    dropped: int
