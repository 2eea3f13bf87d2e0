"""Whether a plan that is being read still fits the world: pure.

The engine looks again right before it acts, and refuses what does not hold any more. This tells
the person earlier, from the events that came since the plan was made.
"""

from __future__ import annotations

from typing import Final, NamedTuple

from healmon.plans import Plan
from healmon.state import ActionView, ComponentView, Snapshot, finished_on, paused_by
from healmon.units import format_duration
from healmon_tui.facts import Facts
from healmon_tui.paint import cut
from healmon_tui.rows.scene import WELL_SO, short, verb

_BOUND: Final[dict[str, tuple[str, ...]]] = {
    "workers": ("pid", "identity"),
    "sessions": ("key", "pane", "question"),
    "databases": ("holder_pid", "holder"),
    "disks": ("device", "kind"),
}
"""The facts of a component that a plan is bound to, by healer."""
_PAST: Final = {
    "restart": "restarted", "clear": "cleared", "clean": "cleaned", "unlock": "unlocked",
    "start": "started", "stop": "stopped", "release": "released", "answer": "answered",
}  # fmt: skip


class Binding(NamedTuple):
    """How a component was when the plan was shown."""

    view: ComponentView | None
    acted: float
    """When healmon's newest action on it ended; 0.0: none did."""
    doing: str = ""
    """The plan that was under way then: the one that was shown takes its place, or is refused."""


class Overtaken(NamedTuple):
    """What has overtaken a plan."""

    what: str
    at: float
    advice: str = "nothing to do"

    def text(self, now: float) -> str:
        """Return it in words: `task_worker restarted by itself 3 s ago, nothing to do`."""
        ago = format_duration(max(int(now - self.at), 0))
        return f"{self.what} {ago} ago, {self.advice}"


def bind(known: Snapshot, component: str) -> Binding:
    """Return how a component is now."""
    action, flying = _newest(known, component), known.plans.get(component)
    return Binding(
        known.components.get(component),
        action.at if action is not None else 0.0,
        flying.plan.id if flying is not None and flying.acting else "",
    )


def made_after(plan: Plan) -> int:
    """Return the id of the newest event that was known when a plan was made; 0: not told."""
    parts = plan.id.split(".")
    return int(parts[1]) if len(parts) == 3 and parts[1].isdecimal() else 0


def overtaken(plan: Plan, was: Binding, known: Snapshot, now: float) -> Overtaken | None:
    """Return what has overtaken a plan since it was shown; None: nothing is known to have."""
    name, view = cut(short(plan.component), 40), known.components.get(plan.component)
    if was.view is not None and view is None:
        return Overtaken(f"{name} went away", now)
    if known.engine.dry_run or paused_by(known, plan.component, now):
        what = "the dry run" if known.engine.dry_run else f"maintenance of {name}"
        return Overtaken(f"{what} began", now, "nothing is done")
    action = _newest(known, plan.component)
    if action is not None and action.at > was.acted:
        return _by_healmon(name, action)
    flying = known.plans.get(plan.component)
    if flying is not None and flying.acting and flying.plan.id not in {plan.id, was.doing}:
        doing = verb(flying.plan.action)[1]
        return Overtaken(f"healmon began {doing} {name}", flying.due_wall, "wait for its end")
    if was.view is None or view is None:
        return None
    return _by_itself(name, was.view, view)


def _newest(known: Snapshot, component: str) -> ActionView | None:
    return next(reversed(finished_on(known, component)), None)


def _by_healmon(name: str, action: ActionView) -> Overtaken:
    word = verb(action.action)[0]
    if not action.ok:
        return Overtaken(f"healmon tried to {word} {name} and failed", action.at, _AGAIN)
    return Overtaken(f"healmon {_PAST.get(word, word)} {name}", action.at)


_AGAIN: Final = "ask for a new plan"
_OTHER: Final = {
    "key": "became another pane", "pane": "became another pane",
    "question": "began to ask something else", "holder": "got another holder",
    "holder_pid": "got another holder", "device": "became another file system",
    "kind": "became another file system",
}  # fmt: skip


def _by_itself(name: str, was: ComponentView, view: ComponentView) -> Overtaken | None:
    well = view.status in WELL_SO
    advice = "nothing to do" if well else _AGAIN
    before, after = Facts(was.facts), Facts(view.facts)
    if well and was.status not in WELL_SO and was.status != "unknown":
        said = "restarted by itself" if _changed(was, view) == "pid" else "got well by itself"
        return Overtaken(f"{name} {said}", view.seen_at, advice)
    changed = _changed(was, view)
    if not changed:
        return None
    if changed not in ("pid", "identity"):
        return Overtaken(f"{name} {_OTHER[changed]}", view.seen_at, _AGAIN)
    if not after.text("pid"):
        return Overtaken(f"{name} ended", view.seen_at, _AGAIN)
    said = "restarted by itself" if before.text("pid") else "was started"
    return Overtaken(f"{name} {said}", view.seen_at, advice)


def _changed(was: ComponentView, view: ComponentView) -> str:
    """Return the first fact that plans are bound to and that is another one now; or empty."""
    keys = _BOUND.get(view.healer, ())
    return next((key for key in keys if _bare(was, key) != _bare(view, key)), "")


def _bare(view: ComponentView, key: str) -> object:
    """Return what a fact says of who it is; of a process only that, as the rest of it may grow."""
    value: object = view.facts.get(key)
    inner = Facts(view.facts).inner(key)
    who = tuple(inner.text(name) for name in ("pid", "ticks", "boot"))
    return who if isinstance(value, dict) else value
