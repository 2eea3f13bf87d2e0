"""What became of an attempt, in words; and the report's lines, which are read from them. Pure."""

from __future__ import annotations

import re
from collections.abc import Sequence
from typing import Final

from healmon.plans import Proof
from healmon.sessions.diagnose import component_of, facts_of
from healmon.sessions.facts import ACTION, HEALER, Order
from healmon.sessions.planning import minutes, task_words
from healmon.state import Snapshot, of_healer
from healmon.world.taskdb import Settled

_AFTER: Final = re.compile(r"after ([0-9.]+ min): ")


def after(quiet: float, text: str) -> str:
    """Return an outcome that says how long the session had been quiet."""
    return f"after {minutes(quiet)}: {text}"


def settled_words(settled: Sequence[Settled]) -> str:
    """Return what became of tasks: `tasks 77, 78: requeued; task 79: left as completed`."""
    groups: dict[str, list[int | str]] = {}
    for one in settled:
        word: str = one.outcome
        if word == "left":
            word = f"left as {one.status}" if one.status else "is gone"
        groups.setdefault(word, []).append(one.id)
    return "; ".join(f"{task_words(ids)}: {word}" for word, ids in groups.items())


def proof(order: Order, how: str, settled: Sequence[Settled]) -> Proof:
    """Return the proof of a session that was cleared, or whose tasks were settled."""
    words = settled_words(settled)
    done = f"{how}; {words}" if how else words
    message = f"Cleared stuck session {order.session} ({words})"
    if not order.key or order.dead:
        message = f"Settled the tasks of {order.session}, which has ended ({words})"
    details = {
        "quiet_seconds": order.quiet,
        "keys": [list(step) for step in order.keys],
        "how": how,
        "tasks": {str(one.id): one.outcome for one in settled},
    }
    text = after(order.quiet, done) if order.key and not order.dead else done
    return Proof(text, message, details)


def report(known: Snapshot) -> list[str]:
    """Return the sessions' lines of the cycle report; each session once, the worst first."""
    views = of_healer(known, HEALER)
    facts = {name: facts_of(known, name) for name in views}
    sessions = {
        name: one
        for name, one in facts.items()
        if one is not None and name.startswith(component_of(""))
    }
    stuck = {n: minutes(f.quiet) for n, f in sessions.items() if views[n].status == "unhealthy"}
    stuck |= _acted_on(known)
    lost = {n: f.rule for n, f in sessions.items() if f.state in {"gone", "dead"} and n in stuck}
    lines = _listed("stuck session(s)", {n: t for n, t in stuck.items() if n not in lost})
    lines += _listed("session(s) ended with active tasks", lost)
    waiting = {n: f.question for n, f in sessions.items() if f.state == "waiting"}
    lines += _listed("session(s) waiting for a person", waiting)
    unknown = {n: f.rule for n, f in sessions.items() if f.state == "unknown"}
    unknown |= {n: f.rule for n, f in facts.items() if f is not None and n not in sessions}
    lines += [f"   ❓ Unknown: {_name(name)}: {why}" for name, why in unknown.items()]
    return lines or ["   ✅ All sessions responsive"]


def _listed(what: str, which: dict[str, str]) -> list[str]:
    if not which:
        return []
    return [
        f"   ⚠️  Found {len(which)} {what}",
        *(f"      - {_name(name)}: {text}" for name, text in which.items()),
    ]


def _acted_on(known: Snapshot) -> dict[str, str]:
    """Return the sessions that were cleared (or not) in this cycle: they were found stuck in it."""
    found: dict[str, str] = {}
    for action in known.recent:
        said = _AFTER.match(action.outcome)
        if action.action == ACTION and action.at >= known.cycle.started_at and said is not None:
            found[action.component] = said[1]
    return found


def _name(component: str) -> str:
    return component.removeprefix(component_of(""))
