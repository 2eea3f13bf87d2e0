"""The sessions' lines of the cycle report. Pure."""

from __future__ import annotations

import re
from collections.abc import Mapping
from typing import Final

from healmon.sessions.facts import ACTION, HEALER, SessionFacts
from healmon.sessions.planning import minutes
from healmon.sessions.recall import component_of, facts_of, is_session
from healmon.state import Snapshot, of_healer

_AFTER: Final = re.compile(r"after ([0-9.]+ min): ")
_LOST: Final = frozenset({"gone", "dead"})


def report(known: Snapshot) -> list[str]:
    """Return the sessions' lines of the cycle report; each session once, the worst first."""
    views = of_healer(known, HEALER)
    facts = {name: one for name in views if (one := facts_of(known, name)) is not None}
    sessions = {name: one for name, one in facts.items() if is_session(name)}
    open_now = _open(known)
    stuck = {
        n: minutes(f.quiet)
        for n, f in sessions.items()
        if {"stuck", "idle"} & open_now.get(n, set())
    }
    stuck |= _acted_on(known)
    lost = {n: f.rule for n, f in sessions.items() if {"gone", "dead"} & open_now.get(n, set())}
    lost |= {n: f.rule for n, f in sessions.items() if f.state in _LOST and n in stuck}
    waiting = {n: f.question or f.rule for n, f in sessions.items() if _waits(f)}
    trying = {n: f.text or f.rule for n, f in sessions.items() if "retrying" in open_now.get(n, ())}
    lines = _listed("stuck session(s)", {n: t for n, t in stuck.items() if n not in lost})
    lines += _listed("session(s) ended with active tasks", lost)
    lines += _listed("session(s) waiting for a person", waiting)
    lines += _listed("session(s) trying again and again", trying)
    unknown = {n: f.rule for n, f in facts.items() if f.state == "unknown"}
    lines += [f"   ❓ Unknown: {_name(name)}: {why}" for name, why in unknown.items()]
    return lines or ["   ✅ All sessions responsive"]


def _waits(facts: SessionFacts) -> bool:
    return bool(facts.tasks) and facts.state in {"approval", "question", "secret", "unsent"}


def _open(known: Snapshot) -> dict[str, set[str]]:
    """Return the conditions that are told of each component now."""
    found: dict[str, set[str]] = {}
    for alert in known.alerts.values():
        found.setdefault(alert.component, set()).add(alert.key.rpartition("/")[2])
    return found


def _listed(what: str, which: Mapping[str, str]) -> list[str]:
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
