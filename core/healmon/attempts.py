"""The actions that were begun, as far back as limits reach. Pure.

What limits how often something may be done counts these: they outlive the run that made them, and a
healmon that was killed in the midst of one.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import TypeAlias

import msgspec
from msgspec.structs import replace

from healmon.plans import Plan

UNKEPT = "[no evidence:"
"""Stands in a step whose evidence could not be stored: nobody can tell later what it did."""
MOST = 100
"""How many attempts of each kind are kept."""


class Attempt(msgspec.Struct, frozen=True):
    """An action of tier 1 or 2 that was begun.

    Attributes:
        component: what it acted on.
        subject: what exactly its plan was bound to.
        origin: `healmon`, or who asked for it.
        at: wall seconds when it began.
        due: steady seconds when its moment had come: no clock that is set makes it older.
        ok: how it ended; None: nobody knows.
        cut: healmon ended in the midst of it, so that it says nothing of what the action is worth;
            not where no evidence was kept: then nobody can go on with it.
        left: the step that it was in when healmon ended.
    """

    component: str
    subject: str
    origin: str
    at: float
    due: float
    ok: bool | None = None
    cut: bool = False
    left: str = ""


Attempts: TypeAlias = dict[str, tuple[Attempt, ...]]
"""By action, oldest first."""


def begun(attempts: Attempts, plan: Plan, at: float, due: float) -> Attempts:
    """Return the attempts with one more; one of tier 0 disturbs nobody and is not kept."""
    if not plan.tier:
        return attempts
    attempt = Attempt(plan.component, plan.subject, plan.origin, at, due)
    kept = (*attempts.get(plan.action, ()), attempt)[-MOST:]
    return {**attempts, plan.action: kept}


def ended(attempts: Attempts, action: str, component: str, *, ok: bool) -> Attempts:
    """Return the attempts with how the one under way on a component ended."""
    at = _under_way(attempts, action, component)
    return attempts if at is None else _with(attempts, action, at, ok=ok)


def taken_back(attempts: Attempts, action: str, component: str) -> Attempts:
    """Return the attempts without the one under way: it was called off and did nothing."""
    at = _under_way(attempts, action, component)
    if at is None:
        return attempts
    kept = attempts[action]
    return {**attempts, action: (*kept[:at], *kept[at + 1 :])}


def cut_off(attempts: Attempts, plan: Plan, steps: Sequence[str]) -> Attempts:
    """Return the attempts with the one under way cut off: healmon ended in the midst of it.

    Args:
        attempts: all of them.
        plan: what was under way.
        steps: those of its steps that were begun.
    """
    at = _under_way(attempts, plan.action, plan.component)
    if at is None:
        return attempts
    left = "".join(steps[-1:])
    return _with(attempts, plan.action, at, cut=UNKEPT not in left, left=left)


def _with(attempts: Attempts, action: str, at: int, **changes: bool | str) -> Attempts:
    kept = attempts[action]
    return {**attempts, action: (*kept[:at], replace(kept[at], **changes), *kept[at + 1 :])}


def _under_way(attempts: Attempts, action: str, component: str) -> int | None:
    """Return where the newest attempt on a component stands, if it has not ended."""
    kept = attempts.get(action, ())
    for at in range(len(kept) - 1, -1, -1):
        if kept[at].component == component:
            return at if kept[at].ok is None and not kept[at].cut else None
    return None
