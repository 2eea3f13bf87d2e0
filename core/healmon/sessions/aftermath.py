"""What the newest attempt on a session left behind. Pure."""

from __future__ import annotations

import re
from typing import Final

from msgspec.structs import replace

from healmon.clock import Reading
from healmon.plans import Diagnosis
from healmon.sessions import novelty, outcome, verdict
from healmon.sessions.facts import ACTION, Memory
from healmon.sessions.probe import SessionSeen
from healmon.state import ActionView, Snapshot, finished_on

_HELD: Final = re.compile(r"\b(?:ignored|frozen|swallowed)\b")


def last_attempt(known: Snapshot, component: str) -> ActionView | None:
    """Return the newest attempt to clear a session whose end is known, of whatever run."""
    mine = (a for a in reversed(finished_on(known, component)) if a.action == ACTION)
    last, cut = next(mine, None), _cut_off(known, component)
    return cut if cut is not None and (last is None or last.at < cut.at) else last


def _cut_off(known: Snapshot, component: str) -> ActionView | None:
    """Return the newest attempt if it was cut off once it was known that the program had held.

    Its tasks were being taken away then, and perhaps are: nobody would go on with it.
    """
    mine = [a for a in known.attempts.get(ACTION, ()) if a.component == component]
    if not mine or mine[-1].ok is not None:
        return None
    result = outcome.held_in(mine[-1].left)
    if not result:
        return None
    said = f"healmon ended while it was about to {mine[-1].left}"
    details = verdict.packed(verdict.Verdict(result=result, how=said))
    return ActionView(component, ACTION, ok=False, outcome=said, seconds=0.0, at=mine[-1].at,
                      details=details)  # fmt: skip


def evidence_of(known: Snapshot, component: str) -> str:
    """Return the id of the newest stored evidence of a session, or empty."""
    for action in reversed(finished_on(known, component)):
        found = verdict.of(action)
        if found is not None and found.evidence:
            return found.evidence
    return ""


def noticed(memory: Memory, last: ActionView | None, seen: SessionSeen, now: Reading) -> Memory:
    """Return the memory with the newest attempt in it, if it was not noticed before."""
    # not by which is later: the clock may have been set back since
    if last is None or last.at == memory.attempt_wall:
        return memory
    memory = replace(
        memory, attempt_wall=last.at, turns=(), agreed="", agree=0, agree_at=0.0, samples=0
    )
    if last.ok and _elsewhere(last) and memory.quarantine:
        return memory  # other tasks were taken from it: its program is what it was
    if last.ok:
        return replace(memory, failure="", quarantine="", program=0)
    # our own keys have left their marks on the screen: they are no progress
    known = novelty.absorb(memory.known, seen.screen, now.steady)
    memory = replace(memory, known=known, failure=last.outcome)
    return _quarantined(memory, last, seen)


def _elsewhere(last: ActionView) -> bool:
    told = verdict.of(last)
    return told is not None and told.elsewhere


def _quarantined(memory: Memory, last: ActionView, seen: SessionSeen) -> Memory:
    told = verdict.of(last)
    held = not told.let_go if told is not None else _HELD.search(last.outcome) is not None
    if not held:
        return memory
    program = 0 if seen.terminal is None else seen.terminal.foreground
    return replace(memory, quarantine=last.outcome, program=program)


def watched(memory: Memory, seen: SessionSeen) -> Memory:
    """Return the memory of a quarantine that knows which program it is about."""
    if not memory.quarantine or memory.program or seen.terminal is None:
        return memory
    return replace(memory, program=seen.terminal.foreground)


def is_other_program(memory: Memory, seen: SessionSeen) -> bool:
    """Return whether another program than the quarantined one is in the foreground.

    A shell that waits for a command is one: no key is ever pressed there, so none was ignored.
    """
    if memory.quarantine and seen.family is not None and seen.family.prompt:
        return True
    now = 0 if seen.terminal is None else seen.terminal.foreground
    return bool(memory.quarantine and memory.program and now and now != memory.program)


def held(diagnosis: Diagnosis) -> frozenset[str]:
    """Return the keys of panes whose programs must be looked at, though they have no task.

    They are no place for tasks until their program has ended: without a look nobody would know.
    """
    keys = (
        str(verdict.memory.get("key", "")).rpartition(".")[0]
        for verdict in diagnosis.verdicts
        if verdict.memory.get("quarantine") and not verdict.facts.get("tasks")
    )
    return frozenset(key for key in keys if key)


def released(memory: Memory) -> Memory:
    """Return the memory without its quarantine."""
    return replace(memory, quarantine="", program=0, failure="", trouble="")
