"""May this plan run now? Pure; a refusal is an event too."""

from __future__ import annotations

from healmon import state
from healmon.plans import Plan
from healmon.state import Snapshot

EVERYTHING = state.EVERYTHING
"""The component name that stands for all of them, in maintenance."""
FOREVER = state.FOREVER


def refusal(plan: Plan, snapshot: Snapshot, now_wall: float, *, dry_run: bool) -> str:
    """Return why the plan may not run now; empty: it may.

    A plan that a person asked for passes the cool-down, and nothing else.
    """
    if dry_run:
        return "dry run"
    pause = state.paused_by(snapshot, plan.component, now_wall)
    if pause and snapshot.maintenance[pause] >= FOREVER:
        return f"a person asked never to touch {pause}"
    if pause:
        return state.refused_for(pause)
    if plan.origin == "healmon":
        return _cooling(plan, snapshot, now_wall)
    return ""


def _cooling(plan: Plan, snapshot: Snapshot, now_wall: float) -> str:
    for action in reversed(state.finished_on(snapshot, plan.component)):
        if action.action != plan.action:
            continue
        # a stored moment is rounded: it may lie a little ahead
        if abs(now_wall - action.at) >= plan.cooldown:
            return ""
        if not action.ok:
            return f"cool-down after a failed attempt: {action.outcome}"
        return "cool-down: it comes and goes again and again" if _flaps(plan, snapshot) else ""
    return ""


def _flaps(plan: Plan, snapshot: Snapshot) -> bool:
    """Return whether remedies on this component work and yet do not last."""
    key = f"{snapshot.engine.host}/{plan.healer}/{plan.component}/flapping"
    alert = snapshot.alerts.get(key)
    return alert is not None and not alert.pending
