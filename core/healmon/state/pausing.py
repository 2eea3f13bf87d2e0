"""What pauses make of the snapshot, and which one keeps healmon's hands off a component.

A pause is named by what it covers: a component, or a pattern of components (`session:build-*`,
`*` for everything). A plan that is refused for a pause says so in a reason of one form, and is
counted there, so that the end of the pause can tell what would have been done.
"""

from __future__ import annotations

from typing import Final

from msgspec.structs import replace

from healmon import events as ev
from healmon.state.parts import without
from healmon.state.views import PauseView, Snapshot
from healmon.text import like

EVERYTHING: Final = "*"
"""The pause that covers all components."""
COUNTED: Final = 200
"""Different plans that a pause remembers."""


def paused_by(s: Snapshot, component: str, now_wall: float) -> str:
    """Return the pause that covers a component and lasts longest; empty: none."""
    if not s.maintenance:
        return ""
    over = [
        (until, name)
        for name, until in s.maintenance.items()
        if until > now_wall and like(name, component)
    ]
    return max(over)[1] if over else ""


def paused_until(s: Snapshot, component: str, now_wall: float) -> float | None:
    """Return until when (wall seconds) healmon's hands are off a component; None: they are not."""
    return s.maintenance.get(paused_by(s, component, now_wall))


def refused_for(pause: str) -> str:
    """Return the reason for which a plan is refused during a pause."""
    return "maintenance" if pause == EVERYTHING else f"maintenance of {pause}"


def fold_pause(
    s: Snapshot, event: ev.MaintenanceStarted | ev.MaintenanceEnded, at: float
) -> Snapshot:
    """Return the snapshot after a pause began, was made longer or shorter, or ended."""
    name = event.component
    if isinstance(event, ev.MaintenanceEnded):
        # a plan that the next pause refuses counts anew
        over = refused_for(name)
        refusals = {c: view for c, view in s.refusals.items() if view.reason != over}
        return replace(
            s,
            maintenance=without(s.maintenance, name),
            pauses=without(s.pauses, name),
            refusals=refusals if len(refusals) < len(s.refusals) else s.refusals,
        )
    known = s.pauses.get(name, PauseView(at, event.by))
    view = replace(known, by=event.by, note=event.note)
    return replace(
        s,
        maintenance={**s.maintenance, name: event.until},
        pauses={**s.pauses, name: view},
    )


def would_have_done(s: Snapshot, event: ev.PlanRefused) -> Snapshot:
    """Return the snapshot in which the pause that a plan was refused for has counted it."""
    name = event.reason.removeprefix("maintenance of ")
    name = EVERYTHING if event.reason == refused_for(EVERYTHING) else name
    pause = s.pauses.get(name)
    # what a person asked for was refused to that person
    if pause is None or event.reason != refused_for(name) or event.plan.origin != "healmon":
        return s
    what = f"{event.plan.action} {event.plan.component}"
    if what not in pause.would and len(pause.would) >= COUNTED:
        return s
    would = {**pause.would, what: pause.would.get(what, 0) + 1}
    return replace(s, pauses={**s.pauses, name: replace(pause, would=would)})
