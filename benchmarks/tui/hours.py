"""A busy host, hour after hour: crashes healed, sessions stuck and gone, disks cleaned, locks.

`story(hours)` is the same each time; every minute is one look at everything, as healmon has it.
"""

from __future__ import annotations

import itertools
from collections.abc import Iterator
from typing import Final

from healmon import events as ev
from healmon.plans import Plan, Step

HOST: Final = "bench"
START: Final = 1_795_000_000.0
"""Wall seconds at which it begins."""
WORKERS: Final = 30
SESSIONS: Final = 30
LIVES: Final = 45
"""Minutes after which a session ends and another one, of another name, begins."""

Told = tuple[float, ev.Event]


def story(hours: float) -> Iterator[ev.Recorded]:
    """Yield what happened, numbered, in order of time."""
    told = itertools.chain([(START, _began())], *map(_minute, range(round(hours * 60))))
    for number, (wall, event) in enumerate(told, 1):
        yield ev.Recorded(number, wall, event)


def _began() -> ev.Event:
    return ev.EngineStarted(
        HOST, "1", 1, "daemon", dry_run=False, interval=60.0, boot="b", steady_offset=0.0
    )


def _minute(minute: int) -> Iterator[Told]:
    at = START + minute * 60.0
    yield at, ev.CycleStarted(minute + 1)
    for n in range(WORKERS):
        yield at, _worker(n, minute)
    for n in range(SESSIONS):
        yield from _session(n, minute, at)
    percent = 60.0 + minute % 40
    facts = {"kind": "filesystem", "percent": percent, "free": 1e9 * (100 - percent), "size": 1e11}
    yield at, ev.Observed("disks", "disk:/", "healthy", "", "percent", "1", facts)
    verdict = {"verdict": "free", "mode": "wal", "wal_size": minute % 90 * 1e5, "path": "/srv/a.db"}
    yield at, ev.Observed("databases", "database:a", "healthy", "free", "lock", "free", verdict)
    yield at + 0.4, ev.CycleFinished(minute + 1, 0.4, 60.0)
    yield from _crash(f"w{minute % WORKERS:02}", minute, at + 7)
    if minute % 5 == 0:
        yield from _stuck(minute, at + 20)
    if minute % 40 == 39:
        yield from _cleaned(minute, at + 30)


def _worker(n: int, minute: int) -> ev.Event:
    facts = {
        "state": "healthy", "pid": 4000 + n + minute, "since": START, "restarts": minute // 30,
        "cpu": (n * 7 + minute) % 100, "rss": 61e6 + (n * 13 + minute) % 100 * 1e6, "failures": 0,
        "max_failures": 5,
    }  # fmt: skip
    return ev.Observed("workers", f"w{n:02}", "healthy", "healthy", "process", "1", facts)


def _name(n: int, minute: int) -> str:
    return f"session:agent_{n:02}_{(minute + n) // LIVES}"


def _session(n: int, minute: int, at: float) -> Iterator[Told]:
    name = _name(n, minute)
    if minute and _name(n, minute - 1) != name:
        yield at, ev.ComponentGone(_name(n, minute - 1))
    facts = {
        "state": "working", "quiet": (n + minute) % 60, "painted": 0, "pane": f"%{n}",
        "novelty": [(n + minute + k) % 40 for k in range(12)], "tasks": [n + minute],
        "command": "claude", "window": 0, "pane_index": 0,
        "last_line": f"● Reading src/module_{n}.py, part {minute}",
    }  # fmt: skip
    yield at, ev.Observed("sessions", name, "healthy", "working", "screen", "1", facts)


def _plan(component: str, healer: str, action: str, minute: int, *steps: str) -> Plan:
    return Plan(
        healer=healer, component=component, action=action, subject=f"pid {minute}",
        why=f"{component} needs it, {minute}", steps=tuple(Step(text) for text in steps),
        proof="it is looked at again", on_failure="tried again later", order={}, delay=1.0,
        id=f"1.{minute}.{component}",
    )  # fmt: skip


def _healed(plan: Plan, condition: str, found: str, at: float) -> Iterator[Told]:
    key = f"{HOST}/{plan.healer}/{plan.component}/{condition}"
    yield at, ev.AlertOpened(key, "WARNING", plan.component, found, {"at": at})
    yield at, ev.PlanMade(plan, at + 1, at + 1)
    yield at + 1, ev.ActionStarted(plan.id, plan.component)
    for step in plan.steps:
        yield at + 1, ev.StepTaken(plan.id, plan.component, step.text)
    yield (
        at + 2.2,
        ev.ActionVerified(plan.id, plan.component, plan.action, f"alive at {at:.0f}", 1.2, found),
    )
    yield at + 2.3, ev.AlertResolved(key, "up again")
    yield at + 2.3, ev.AlertArchived(key)


def _crash(name: str, minute: int, at: float) -> Iterator[Told]:
    plan = _plan(name, "workers", "restart_worker", minute, f"start {name} as number {minute}")
    yield from _healed(plan, "down", f"exited with code {minute % 128}", at)


def _stuck(minute: int, at: float) -> Iterator[Told]:
    name = _name(minute % SESSIONS, minute)
    plan = _plan(name, "sessions", "clear_stuck_session", minute, "send Ctrl+C", "queue it again")
    yield from _healed(plan, "stuck", f"quiet for {30 + minute % 20} min with a task", at)


def _cleaned(minute: int, at: float) -> Iterator[Told]:
    plan = _plan("disk:/", "disks", "clean_disk", minute, f"delete {minute} files of rule logs")
    yield from _healed(plan, "full", f"{60 + minute % 40}% used", at)
