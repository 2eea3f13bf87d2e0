"""The plan that clears a session, made from its facts and memory. Pure."""

from __future__ import annotations

import shlex
from collections.abc import Sequence

from healmon.config.settings import Sessions
from healmon.plans import Plan, Step, pack
from healmon.sessions.facts import ACTION, HEALER, Chords, Memory, Order, SessionFacts
from healmon.sessions.novelty import digest
from healmon.units import format_duration

COOLDOWN = 600.0
"""Seconds after a failed attempt before the same session is cleared again."""
REPEAT_AFTER = 5.0
"""Seconds before an ignored key is repeated, once."""
GONE = ("gone", "dead")


def minutes(seconds: float) -> str:
    """Return a duration as the report writes it: `45.2 min`."""
    return f"{seconds / 60:.1f} min"


def task_words(ids: Sequence[int | str]) -> str:
    """Return tasks for people: `task 77`, `tasks 77, 78`; many are cut."""
    shown = ", ".join(map(str, ids[:12])) + (f" and {len(ids) - 12} more" if len(ids) > 12 else "")
    return f"task{'' if len(ids) == 1 else 's'} {shown}"


def key_words(keys: Chords) -> str:
    """Return keys for people: `C-c`, `Escape Escape`, `Escape, then C-c`."""
    return ", then ".join(" ".join(step) for step in keys)


def make_plan(
    component: str,
    facts: SessionFacts,
    memory: Memory,
    settings: Sessions,
    *,
    by_hand: bool = False,
) -> Plan:
    """Return the plan that interrupts a session's program, if it has one, and settles its tasks."""
    order = Order(
        session=facts.session,
        socket=facts.socket,
        pane=facts.pane,
        key=facts.key,
        rows=facts.rows,
        known=memory.known,
        keys=facts.keys,
        requeue=settings.on_stuck != "fail",
        dead=facts.state == "dead",
        by_hand=by_hand,
        quiet=facts.quiet,
        reason=_reason(facts, by_hand=by_hand),
    )
    ids = ",".join(map(str, facts.tasks)) if facts.state in GONE else digest(memory.known)
    return Plan(
        healer=HEALER,
        component=component,
        action=ACTION,
        subject=f"{facts.key or facts.state} {ids}",
        why=_why(facts, by_hand=by_hand),
        steps=tuple(_steps(facts, order)),
        proof=_proof(facts, settings),
        on_failure=_on_failure(facts),
        order=pack(order),
        cooldown=COOLDOWN,
    )


def _reason(facts: SessionFacts, *, by_hand: bool) -> str:
    if facts.state == "gone":
        return f"session {facts.session} does not exist any more; noticed by healmon"
    if facts.state == "dead":
        return f"the program in session {facts.session} {facts.rule}; noticed by healmon"
    said = f"session {facts.session} stuck, nothing new for {minutes(facts.quiet)}"
    return f"{said}; cleared by healmon{' on request' if by_hand else ''}"


def _why(facts: SessionFacts, *, by_hand: bool) -> str:
    tasks = f"{task_words(facts.tasks)} assigned"
    if facts.state == "gone":
        return f"no session {facts.session} on any watched tmux socket, and {tasks} to it"
    if facts.state == "dead":
        return f"pane {facts.pane} of {facts.session} {facts.rule}, and {tasks}"
    asked = "asked for by hand: " if by_hand else ""
    said = f"; last line: {facts.last_line!r}" if facts.last_line else ""
    limit = f"stuck after {format_duration(facts.limit)}"
    return (
        f"{asked}nothing new for {minutes(facts.quiet)} ({limit}) with {tasks};"
        f" pane {facts.pane} ({facts.command}){said}"
    )


def _steps(facts: SessionFacts, order: Order) -> list[Step]:
    tmux = ("tmux", *(("-S", facts.socket) if "/" in facts.socket else ("-L", facts.socket)))
    steps: list[Step] = []
    if facts.keys and facts.mode:
        command = shlex.join([*tmux, "copy-mode", "-q", "-t", facts.pane])
        steps.append(Step(f"leave the mode that pane {facts.pane} shows", command))
    for number, keys in enumerate(facts.keys):
        text = f"press {' '.join(keys)} in pane {facts.pane} ({facts.command})"
        if number:
            text += ", only if what was pressed before did nothing"
        steps.append(Step(text, shlex.join([*tmux, "send-keys", "-t", facts.pane, *keys])))
    verb = "requeue" if order.requeue else "fail"
    limits = " (fail where its retries are used up)" if order.requeue else ""
    steps.append(Step(f"{verb} {task_words(facts.tasks)}{limits}, each only if still as seen"))
    return steps


def _proof(facts: SessionFacts, settings: Sessions) -> str:
    rows = "the rows are changed in one transaction"
    if not facts.keys:
        return rows
    return (
        f"within {format_duration(settings.verify_within)} the program ends, another is in the"
        f" foreground, or it says that it was interrupted; then {rows}"
    )


def _on_failure(facts: SessionFacts) -> str:
    if not facts.keys:
        return "nothing is changed; an alert stays, and it is tried again"
    return (
        f"one repeat after {format_duration(REPEAT_AFTER)}; still ignored, the tasks fail, nothing"
        " more is pressed and a CRITICAL alert stays"
    )
