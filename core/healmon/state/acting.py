"""What plans and actions make of the snapshot."""

from __future__ import annotations

from msgspec.structs import replace

from healmon import attempts
from healmon import events as ev
from healmon.state.parts import tallied, without
from healmon.state.pausing import would_have_done
from healmon.state.views import RECENT, ActionView, PlanView, RefusalView, Snapshot


def plan_made(s: Snapshot, event: ev.PlanMade, at: float) -> Snapshot:
    """Return the snapshot with a plan that waits for its moment."""
    view = PlanView(event.plan, acting=False, made_at=at, due=event.due, due_wall=event.due_wall)
    return replace(
        s,
        plans={**s.plans, event.plan.component: view},
        refusals=without(s.refusals, event.plan.component),
    )


def plan_refused(s: Snapshot, event: ev.PlanRefused, at: float) -> Snapshot:
    """Return the snapshot with why a plan may not be, counted by the pause that forbids it."""
    plan = event.plan
    refusal = RefusalView(plan.action, plan.subject, event.reason, at)
    return would_have_done(replace(s, refusals={**s.refusals, plan.component: refusal}), event)


def plan_vetoed(s: Snapshot, event: ev.PlanVetoed, _at: float) -> Snapshot:
    """Return the snapshot without a plan that fresh life forbade; it counts as no attempt."""
    s = _taken_back(s, event.component)
    return replace(s, plans=without(s.plans, event.component))


def plan_abandoned(s: Snapshot, event: ev.PlanAbandoned, _at: float) -> Snapshot:
    """Return the snapshot without a plan; an attempt at it was cut off."""
    view = s.plans.get(event.component)
    if view is not None and view.acting:
        kept = attempts.cut_off(s.attempts, view.plan, view.steps)
        s = replace(s, attempts=kept)
    return replace(s, plans=without(s.plans, event.component))


def action_started(s: Snapshot, event: ev.ActionStarted, at: float) -> Snapshot:
    """Return the snapshot with a plan that is carried out, which is an attempt."""
    return _on_plan(_begun(s, event.component, at), event.component, acting=True)


def step_taken(s: Snapshot, event: ev.StepTaken, _at: float) -> Snapshot:
    """Return the snapshot with one more step of a plan."""
    return _on_plan(s, event.component, step=event.text)


def action_verified(s: Snapshot, event: ev.ActionVerified, at: float) -> Snapshot:
    """Return the snapshot after a remedy that was proved to work."""
    action = ActionView(
        event.component,
        event.action,
        ok=True,
        outcome=event.proof,
        seconds=event.seconds,
        at=at,
        details=event.details,
    )
    # a remedy that was proved to work and yet freed nothing is done, not counted
    return _finished(s, action, counts=event.details.get("released") is not False)


def action_failed(s: Snapshot, event: ev.ActionFailed, at: float) -> Snapshot:
    """Return the snapshot after a remedy that did not work."""
    action = ActionView(
        event.component,
        event.action,
        ok=False,
        outcome=event.reason,
        seconds=event.seconds,
        at=at,
        details=event.details,
    )
    return _finished(s, action)


def _on_plan(s: Snapshot, component: str, *, acting: bool = False, step: str = "") -> Snapshot:
    view = s.plans.get(component)
    if view is None:
        return s
    steps = (*view.steps, step) if step else view.steps
    view = replace(view, acting=view.acting or acting, steps=steps)
    return replace(s, plans={**s.plans, component: view})


def _begun(s: Snapshot, component: str, at: float) -> Snapshot:
    view = s.plans.get(component)
    if view is None or view.acting:
        return s
    return replace(s, attempts=attempts.begun(s.attempts, view.plan, at, view.due))


def _taken_back(s: Snapshot, component: str) -> Snapshot:
    view = s.plans.get(component)
    if view is None or not view.acting:
        return s
    kept = attempts.taken_back(s.attempts, view.plan.action, component)
    return replace(s, attempts=kept)


def _finished(s: Snapshot, action: ActionView, *, counts: bool = True) -> Snapshot:
    mine = {**s.outcomes.get(action.component, {}), action.action: action}
    s = replace(
        s,
        attempts=attempts.ended(s.attempts, action.action, action.component, ok=action.ok),
        plans=without(s.plans, action.component),
        recent=(*s.recent, action)[-RECENT:],
        outcomes={**s.outcomes, action.component: mine},
    )
    return tallied(s, action.action if action.ok else "failed") if counts else s
