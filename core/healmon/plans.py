"""What a diagnosis says: verdicts, findings and plans. Data only; nothing here acts.

A *verdict* is the judgement on one component. It may hold *findings* (what is wrong, with the
evidence) and one *plan* (what would mend it, step by step, how that will be proved). The same plan
text stands in the dialog, the dry run, the log and the report: `describe()` is its only face.

`facts`, `memory` and `order` are plain JSON objects, so that a new healer needs no new word in the
vocabulary. Each healer keeps a typed struct of its own behind them and converts with `pack` and
`unpack`.
"""

from __future__ import annotations

from typing import Any, Final, Literal, TypeAlias, TypeVar

import msgspec

Status = Literal["healthy", "unhealthy", "error", "recovered", "warning", "critical", "unknown"]
Severity = Literal["CRITICAL", "WARNING", "INFO"]
Packed: TypeAlias = dict[str, Any]
"""A JSON object: string keys; values are null, bool, int, float, str, lists and such objects."""

RANK: dict[Severity, int] = {"INFO": 0, "WARNING": 1, "CRITICAL": 2}
"""Severities in rising order; an incident's severity may rise, never silently fall."""

_T = TypeVar("_T", bound=msgspec.Struct)


def worse(one: Severity, other: Severity) -> Severity:
    """Return the worse of two severities."""
    return one if RANK[one] >= RANK[other] else other


def pack(value: msgspec.Struct) -> Packed:
    """Return a struct as the JSON object that events carry (tuples become lists)."""
    packed: Packed = msgspec.json.decode(msgspec.json.encode(value))
    return packed


def unpack(packed: Packed, kind: type[_T]) -> _T:
    """Return the struct that `pack` made `packed` from.

    Raises:
        msgspec.ValidationError: it was packed by a healmon with another layout.
    """
    return msgspec.convert(packed, kind)


class Step(msgspec.Struct, frozen=True):
    """One touch of the world, in words a person can check.

    Attributes:
        text: imperative, complete: "send SIGCONT to pid 4711 (sqlite3)".
        command: the command a person would type for the same, or empty.
    """

    text: str
    command: str = ""


class Plan(msgspec.Struct, frozen=True):
    """What would mend one finding.

    Attributes:
        id: names the plan for ever; given by the engine when the plan is made.
        healer: the healer that carries it out.
        component: what it acts on, in contract form (`task_worker`, `session:a`, `disk:/`).
        action: the contract's word for it: `restart_worker`, `clear_stuck_session`, …
        subject: what exactly it is bound to (pid and start, pane, inode). Two plans with equal
            component, action and subject are the same plan made twice.
        why: what was seen and which rule that breaks.
        steps: what will be done, in order.
        proof: how it will be proved to have worked.
        on_failure: what happens if it cannot be proved.
        order: the healer's own typed order, packed.
        delay: seconds to wait before acting (backoff); looked at again afterwards.
        cooldown: seconds after a failed attempt before healmon tries the same action on the same
            component again; 0 where the healer has a backoff of its own.
        tier: 0 instantly undoable, 1 disruptive but recoverable, 2 destructive.
        origin: `healmon`, or who asked for it.
    """

    healer: str
    component: str
    action: str
    subject: str
    why: str
    steps: tuple[Step, ...]
    proof: str
    on_failure: str
    order: Packed
    delay: float = 0.0
    cooldown: float = 600.0
    tier: Literal[0, 1, 2] = 1
    origin: str = "healmon"
    id: str = ""


class Finding(msgspec.Struct, frozen=True):
    """One thing that is wrong.

    Attributes:
        condition: the stable name of what is wrong (`down`, `stuck`, `locked`, `full`): part of
            the alert's key, so never a number, a pid or a percentage.
        severity: how bad it is now.
        message: one line for a person.
        evidence: what was seen, packed.
        confirmed: its healer has made sure of it already; it is no matter of one look.
        urgent: data is at stake, or something was given up for good: nobody waits for a second
            look.
    """

    condition: str
    severity: Severity
    message: str
    evidence: Packed = {}
    confirmed: bool = False
    urgent: bool = False


class Overlays(msgspec.Struct, frozen=True):
    """What lies over an alert and mutes its notices; the alert lives on underneath.

    Attributes:
        silenced_by: id of the silence that matches it, or empty.
        inhibited_by: key of the alert that explains it, or empty.
        maintenance: the component whose maintenance covers it (`*`: all), or empty.
        flapping: it came and went too often to be told each time.
    """

    silenced_by: str = ""
    inhibited_by: str = ""
    maintenance: str = ""
    flapping: bool = False

    @property
    def muted(self) -> bool:
        """Whether notices of the alert are held back."""
        return bool(self.silenced_by or self.inhibited_by or self.maintenance or self.flapping)


class Verdict(msgspec.Struct, frozen=True):
    """The judgement on one component after one look.

    Attributes:
        component: in contract form.
        status: the contract's status word.
        summary: one line, for the WHY column.
        metric_type: what kind of sample this is in `health_metrics`.
        metric_value: its value there.
        facts: what was seen, packed: everything a screen shows of the component.
        findings: what is wrong; an open alert of this component whose condition is not among them
            is over.
        plan: what would mend it, if anything may.
        memory: what the healer must remember of the component until the next look, packed.
    """

    component: str
    status: Status
    summary: str
    metric_type: str
    metric_value: str
    facts: Packed
    findings: tuple[Finding, ...] = ()
    plan: Plan | None = None
    memory: Packed = {}


class Diagnosis(msgspec.Struct, frozen=True):
    """All verdicts of one healer after one look.

    Attributes:
        verdicts: one per component that exists now.
        gone: components that were known and exist no more; their alerts end with them.
        look_again: seconds until the healer wants to look again, if sooner than the next cycle.
        systemic: what is wrong with the host or with many components at once; an open alert of
            this healer about the whole whose condition is not among them is over.
        hold: components whose plan waits for its moment and is no longer what this look would
            plan: it is called off, and planned anew by the next look if need be.
    """

    verdicts: tuple[Verdict, ...]
    gone: tuple[str, ...] = ()
    look_again: float | None = None
    systemic: tuple[Finding, ...] = ()
    hold: tuple[str, ...] = ()


STANDS: Final = Diagnosis(())
"""All is as it was told last; said only where nothing waits for another look (`state.ground`)."""


class Proof(msgspec.Struct, frozen=True):
    """What showed that a remedy worked.

    Attributes:
        text: one line: "pid 4712 alive after 1.0 s, old pid gone".
        message: what the INFO alert says; empty: no alert.
        details: numbers and names, packed.
    """

    text: str
    message: str = ""
    details: Packed = {}


class Answer(msgspec.Struct, frozen=True):
    """What became of a request.

    Attributes:
        ok: it was done (or, for an offer, the plan is here).
        text: one line for the person who asked.
        plan: the plan sheet, for an offer.
        code: what a command line ends with when it was refused; 0: 65.
        data: the same as data, where a request has more to say than one line.
    """

    ok: bool
    text: str
    plan: Plan | None = None
    code: int = 0
    data: Packed = {}


def describe(plan: Plan) -> list[str]:
    """Return the plan as lines of text: the same in dialog, dry run, log and report."""
    lines = [f"{plan.action} {plan.component}", f"why:   {plan.why}"]
    if plan.delay:
        lines.append(f"wait:  {plan.delay:g} s, then look again")
    for number, step in enumerate(plan.steps, 1):
        lines.append(f"do {number}:  {step.text}")
        if step.command:
            lines.append(f"       $ {step.command}")
    lines.append(f"proof: {plan.proof}")
    lines.append(f"else:  {plan.on_failure}")
    return lines
