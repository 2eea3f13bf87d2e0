"""What is told of a session: alerts, status, summary. Pure.

What lasts for minutes before it is told is confirmed by that: no second look is wanted.
"""

from __future__ import annotations

from typing import Final

from healmon.plans import Finding, Packed, Severity, Status
from healmon.sessions.facts import Memory, SessionFacts
from healmon.sessions.planning import minutes, task_words
from healmon.sessions.troubles import Condition, Trouble
from healmon.sessions.words import State
from healmon.state import Snapshot
from healmon.units import format_duration

HEALTH: Final[dict[State, Status]] = {"unknown": "unknown", "gone": "unknown", "dead": "unknown"}
_OUTAGE: Final = frozenset({"stuck", "retrying", "idle"})
"""Conditions that an outage tells in one, instead of each session."""


def told(
    facts: SessionFacts, memory: Memory, trouble: Trouble | None, *, flaps: bool, acting: bool
) -> tuple[Finding, ...]:
    """Return what is wrong with a session that is there, and may be acted on right now."""
    found: list[Finding] = []
    evidence = _evidence(facts, memory)
    tasks = f" with {task_words(facts.tasks)}" if facts.tasks else ""
    condition = trouble.condition if trouble is not None and trouble.told else ""
    if memory.failure:
        said = f"{facts.session} is stuck and could not be cleared: {memory.failure}"
        found.append(Finding("stuck", "CRITICAL", said, evidence, urgent=True))
    elif trouble is not None and condition:
        severity: Severity = "WARNING"
        text = f"{_said(facts, trouble)}{tasks}{_what_next(facts, trouble)}"
        found.append(Finding(condition, severity, text, evidence, confirmed=True))
    elif memory.trouble:
        seen = "is being cleared" if acting else "shows a sign of life"
        said = f"{facts.session} {seen}{tasks}; not yet sure that it works again"
        found.append(Finding(memory.trouble, "WARNING", said, evidence, confirmed=True))
    if flaps:
        said = f"{facts.session} gets stuck and goes on again and again{tasks}: it is not acted on"
        found.append(Finding("flapping", "WARNING", said, evidence, confirmed=True))
    if memory.quarantine:
        until = "its program has ended or it is cleared by hand"
        said = f"{facts.session} is no place for tasks until {until}: {memory.quarantine}"
        found.append(Finding("quarantined", "WARNING", said, evidence, urgent=True))
    return tuple(found)


def _said(facts: SessionFacts, trouble: Trouble) -> str:
    lasted, name = minutes(trouble.age), facts.session
    told: dict[Condition, str] = {
        "stuck": f"{name} is stuck: {_stuck(facts)}",
        "waiting": f"{name} waits for an answer for {lasted}: {facts.question or facts.rule}",
        "idle": f"{name} is idle for {lasted}",
        "unsent": f"{name} has unsent text in its composer for {lasted}",
        "retrying": f"{name} tries again and again for {lasted}: {facts.text or facts.rule}",
        "suspended": f"{name} stands still for {lasted}: {facts.rule}",
    }
    if trouble.state == "gave_up":
        return f"{name} gave up {lasted} ago: {facts.text or facts.rule}"
    return told[trouble.condition]


def _stuck(facts: SessionFacts) -> str:
    said = f"nothing new for {minutes(facts.quiet)}"
    return f"{said}, {facts.rule}" if facts.state in {"tool", "frozen"} else said


def _what_next(facts: SessionFacts, trouble: Trouble) -> str:
    if facts.hands_off and trouble.condition in {"stuck", "idle"}:
        return f"; not touched: {facts.hands_off}"
    if facts.held and trouble.due:
        return f"; not acted on: {facts.held}"
    return ""


def _evidence(facts: SessionFacts, memory: Memory) -> Packed:
    return {
        "pane": facts.pane, "command": facts.command, "tasks": list(facts.tasks),
        "quiet_since": facts.quiet_since, "rule": facts.rule, "last_line": facts.last_line,
        "matched": facts.matched, "pack": facts.pack, "text": facts.text,
        "question": facts.question, "new_lines": list(memory.minutes),
    }  # fmt: skip


def of_outage(
    known: Snapshot, component: str, findings: tuple[Finding, ...]
) -> tuple[Finding, ...]:
    """Return what is told of a session in an outage beside it: what was told before."""
    open_now = {
        alert.key.rpartition("/")[2]
        for alert in known.alerts.values()
        if alert.component == component
    }
    return tuple(f for f in findings if f.condition not in _OUTAGE or f.condition in open_now)


def status_of(
    facts: SessionFacts, trouble: Trouble | None, findings: tuple[Finding, ...]
) -> Status:
    """Return the status word of a session that is there."""
    worst = max((f.severity == "CRITICAL" for f in findings), default=None)
    due = trouble is not None and trouble.due and trouble.condition in {"stuck", "idle"}
    lost = facts.state in {"dead", "gone"}
    if worst or (findings and (due or lost)):
        return "unhealthy"
    if findings:
        return "warning"
    return HEALTH.get(facts.state, "healthy") if facts.tasks else "healthy"


def summary_of(facts: SessionFacts, trouble: Trouble | None) -> str:
    """Return the one line that tells how a session stands."""
    said = facts.question or facts.rule
    protected = facts.state == "protected" and trouble is not None and trouble.told
    still = protected or facts.state in {"stalled", "frozen", "quiet", "tool"}
    if still and facts.quiet >= 60:
        said = f"{said}; quiet for {facts.quiet / 60:.0f} min"
    elif trouble is not None and trouble.told:
        said = (
            f"{said}, for {format_duration(trouble.age // 60 * 60)}" if trouble.age >= 60 else said
        )
    if facts.held and trouble is not None and trouble.due:
        said = f"{said}; held: {facts.held}"
    return f"{said}; {task_words(facts.tasks)}" if facts.tasks else said
