"""The plan that clears a session, made from its facts and memory. Pure."""

from __future__ import annotations

import shlex
from collections.abc import Sequence

from healmon.config.settings import Sessions
from healmon.plans import Packed, Plan, Step, pack
from healmon.sessions.facts import ACTION, HEALER, Chords, Memory, Order, SessionFacts
from healmon.sessions.novelty import digest
from healmon.sessions.states import KEYLESS
from healmon.units import format_duration

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
    proof: Packed | None = None,
    by_hand: bool = False,
    requeue: bool | None = None,
    was: str = "",
) -> Plan:
    """Return the plan that interrupts a session's program, if it has one, and settles its tasks.

    Args:
        component: the session's.
        facts: what was last seen of it.
        memory: what is remembered of it.
        settings: `[sessions]`.
        proof: what the judge knows, for the stored evidence.
        by_hand: a person asked for it.
        requeue: what the person wants to become of the tasks; None: what the settings say.
        was: who the pane was that must have ended (see `Order`).
    """
    elsewhere = bool(memory.quarantine) and facts.state not in KEYLESS and not by_hand
    order = Order(
        session=facts.session,
        socket=facts.socket,
        pane=facts.pane,
        key=facts.key,
        was=was,
        rows=facts.rows,
        known=memory.known,
        keys=() if elsewhere else facts.keys,
        requeue=settings.on_stuck != "fail" if requeue is None else requeue,
        dead=facts.state == "dead",
        by_hand=by_hand,
        quiet=facts.quiet,
        reason=_reason(facts, memory, by_hand=by_hand, elsewhere=elsewhere),
        state=facts.state,
        matched=facts.matched,
        elsewhere=elsewhere,
        proof=proof or {},
    )
    return Plan(
        healer=HEALER,
        component=component,
        action=ACTION,
        subject=_subject(facts, memory, elsewhere=elsewhere),
        why=_why(facts, memory, by_hand=by_hand, elsewhere=elsewhere),
        steps=tuple(_steps(facts, order)),
        proof=_proof(order, settings),
        on_failure=_on_failure(order),
        order=pack(order),
        cooldown=settings.cooldown,
        # where nothing runs that could be disturbed, the rows alone are given back
        tier=0 if facts.state in GONE or elsewhere else 1,
    )


def _subject(facts: SessionFacts, memory: Memory, *, elsewhere: bool) -> str:
    ids = ",".join(map(str, facts.tasks))
    if facts.state in GONE:
        return " ".join(part for part in (facts.state, facts.key, ids) if part)
    if elsewhere:
        return f"quarantined {facts.key} {ids}"
    return f"{facts.key} {digest(memory.known)}"


def _reason(facts: SessionFacts, memory: Memory, *, by_hand: bool, elsewhere: bool) -> str:
    name, lasted = facts.session, minutes(facts.quiet)
    if facts.state == "gone":
        return f"session {name} does not exist any more; noticed by healmon"
    if facts.state == "dead":
        return f"the program in session {name} {facts.rule}; noticed by healmon"
    if elsewhere:
        return f"session {name} is hung ({memory.quarantine}); taken away by healmon"
    said, done = f"session {name} stuck, nothing new for {lasted}", "cleared by healmon"
    if facts.state == "gave_up":
        said, done = f"session {name} gave up: {facts.text or facts.rule}", "noticed by healmon"
    elif facts.state == "idle_with_task":
        said, done = f"session {name} idle with this task for {lasted}", "noticed by healmon"
    elif facts.state == "retrying":
        said = f"session {name} tried again and again: {facts.text or facts.rule}"
    return f"{said}; {done}{' on request' if by_hand else ''}"


def _why(facts: SessionFacts, memory: Memory, *, by_hand: bool, elsewhere: bool) -> str:
    tasks = f"{task_words(facts.tasks)} assigned"
    if facts.state == "gone":
        return f"no session {facts.session} on any watched tmux socket, and {tasks} to it"
    if facts.state == "dead":
        return f"pane {facts.pane} of {facts.session} {facts.rule}, and {tasks}"
    if elsewhere:
        return f"{facts.session} is quarantined ({memory.quarantine}), and {tasks} to it"
    asked = "asked for by hand: " if by_hand else ""
    said = f"; last line: {facts.last_line!r}" if facts.last_line else ""
    limit = f"{facts.state.replace('_', ' ')}, acted on after {format_duration(facts.act_at)}"
    if not facts.act_at:
        limit = facts.state.replace("_", " ")
    rule = f"; {facts.rule}" if facts.rule else ""
    return (
        f"{asked}nothing new for {minutes(facts.quiet)} ({limit}) with {tasks}{rule};"
        f" pane {facts.pane} ({facts.command}){said}"
    )


def tmux_words(socket: str) -> tuple[str, ...]:
    """Return how a person calls tmux for a socket."""
    return ("tmux", *(("-S", socket) if "/" in socket else ("-L", socket)))


def key_steps(facts: SessionFacts, chords: Chords) -> list[Step]:
    """Return the steps that press keys in a session's pane, its mode left first."""
    tmux = tmux_words(facts.socket)
    steps: list[Step] = []
    if chords and facts.mode:
        command = shlex.join([*tmux, "copy-mode", "-q", "-t", facts.pane])
        steps.append(Step(f"leave the mode that pane {facts.pane} shows", command))
    for number, keys in enumerate(chords):
        text = f"press {' '.join(keys)} in pane {facts.pane} ({facts.command})"
        if number:
            text += ", only if what was pressed before did nothing"
        steps.append(Step(text, shlex.join([*tmux, "send-keys", "-t", facts.pane, *keys])))
    return steps


def _steps(facts: SessionFacts, order: Order) -> list[Step]:
    verb = "requeue" if order.requeue else "fail"
    limits = " (fail where its retries are used up)" if order.requeue else ""
    where = ", not to this session" if order.elsewhere else ""
    text = f"{verb} {task_words(facts.tasks)}{where}{limits}, each only if still as seen"
    return [*key_steps(facts, order.keys), Step(text)]


def _proof(order: Order, settings: Sessions) -> str:
    rows = "the rows are changed in one transaction"
    if not order.keys:
        return rows
    return (
        f"within {format_duration(settings.verify_within)} the program ends, another is in the"
        f" foreground, or it says that it was interrupted; then {rows}"
    )


def _on_failure(order: Order) -> str:
    if not order.keys:
        return "nothing is changed; an alert stays, and it is tried again"
    return (
        f"one repeat after {format_duration(REPEAT_AFTER)}; still ignored, the tasks fail, nothing"
        " more is pressed and a CRITICAL alert stays"
    )
