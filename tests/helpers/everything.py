"""A made-up state that has something of everything that is told as numbers."""

from __future__ import annotations

from typing import Any

from healmon import events as ev
from healmon.plans import Overlays, Plan, Step
from healmon.state import Snapshot, replay

NOW = 1_770_000_000.0
HOSTILE = 'we"ird\\ne {x="1"} ü☃\\'
"""A name that wants to be a label, an escape, another sample."""


def plan(component: str, action: str, number: str = "p1", healer: str = "workers") -> Plan:
    step = (Step("start it"),)
    return Plan(healer, component, action, "1", "why", step, "alive", "alert", {}, id=number)


def observed(healer: str, component: str, status="healthy", **facts: Any) -> ev.Observed:
    return ev.Observed(healer, component, status, "…", "x", "1", facts)


def fold(*events: ev.Event, start: Snapshot | None = None) -> Snapshot:
    first = 1 if start is None else start.last_id + 1
    return replay(
        [ev.Recorded(n, NOW - 100 + n / 10, event) for n, event in enumerate(events, first)], start
    )


STARTED = ev.EngineStarted("box", "1.2", 7, "daemon", False, 60.0, "boot", 0.0)
LOOKS = {"workers": 0.1, "sessions": 0.2, "databases": 0.0, "disks": 0.01}


def told() -> Snapshot:
    """A state that has something of everything."""
    return fold(
        STARTED,
        observed("workers", HOSTILE, state="healthy", since=NOW - 50, rss=1 << 20, cpu=50,
                 critical=True),
        observed("workers", "down", "unhealthy", state="quarantined", since=NOW - 5),
        observed("workers", "done", state="completed"),
        observed("workers", "stopped", state="down", desired="down"),
        observed("workers", "blind", "unknown", state="healthy"),
        observed("sessions", "session:a", state="stalled", tasks=[1]),
        observed("sessions", "session:b", state="idle"),
        observed("databases", "database:x", "unhealthy", verdict="idle-in-transaction",
                 size=4096, wal_size=10, since=NOW - 30),
        observed("databases", "database:y", verdict="free", size=1),
        observed("disks", "disk:/", kind="filesystem", path="/", level="critical", percent=96.0,
                 used=96, free=4, size=100, inode_percent=10.0,
                 outlook={"at": NOW - 10, "eta": 70.0}),
        observed("disks", "disk:/logs", kind="budget", path="/logs", level="ok", percent=1.0,
                 outlook={"at": NOW, "eta": None}),
        ev.AlertOpened("box/workers/down/down", "CRITICAL", "down", "it is down"),
        ev.AlertOpened("box/disks/disk:/ /full", "WARNING", "disk:/", "full"),
        ev.AlertOverlaid("box/disks/disk:/ /full", Overlays(silenced_by="3")),
        ev.PlanMade(plan("down", "restart_worker"), 0.0, NOW),
        ev.ActionStarted("p1", "down"),
        ev.ActionVerified("p1", "down", "restart_worker", "alive", 2.5),
        ev.NoticeMade("ops", "opened", "title", "body", ("box/workers/down/down",)),
        ev.NoticeFailed(19, "ops", "refused", NOW + 60),
        ev.MaintenanceStarted("done", NOW + 3600, "me"),
        ev.HealerFailed("sessions", "no answer"),
        ev.HealerRecovered("sessions"),
        ev.CycleStarted(1),
        ev.CycleFinished(1, 0.3, 59.7, (), LOOKS),
    )  # fmt: skip
