"""What the recording shows: an evening of faults and how they end, on a clock that we turn.

Events are those of a made-up healer, keys those of a made-up person; the screen is real.
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from typing import Any

from textual.pilot import Pilot

from healmon import events as ev
from healmon.plans import Answer, Packed, Plan, Step
from healmon_tui.app import HealmonApp
from healmon_tui.widgets import bars
from screenshots import film
from tests.helpers.scripted import (
    ScriptedLink,
    calm_world,
    clean_plan,
    clear_plan,
    key,
    restart_plan,
    showing,
)

SIZE = (104, 32)
FRAME = 500
"""Milliseconds of the clock between two pictures."""
SHOWN = 380
"""Milliseconds for which each is shown: life is a little faster in films."""
LAST = 2000
"""Milliseconds more for the last one."""
CYCLE = 60.0
STUCK = "session:claude_architect"
DOCS = "session:claude_docs"
DISK, BASE = "disk:/", "database:assigner"


class Recording:
    """Lets things happen, and keeps a picture of every half second."""

    def __init__(self, pilot: Pilot[Any], app: HealmonApp, link: ScriptedLink) -> None:
        self.pilot, self.app, self.link = pilot, app, link
        self.frames: list[film.Frame] = []
        self._next = link.now + 12.0

    async def look(self) -> None:
        """Take one picture of now."""
        for _ in range(3):
            self.app._touched -= 3600  # noqa: SLF001 - worst comes first, as when nobody types
            self.app.redraw()
            await self.pilot.pause()
        strips = self.app.screen._compositor.render_strips()  # noqa: SLF001 - as Textual's own screenshots do
        self.frames.append(film.frame(strips, SHOWN))

    async def wait(self, seconds: float) -> None:
        """Let time pass, picture by picture."""
        for _ in range(round(seconds * 1000 / FRAME)):
            self.link.clock.advance(FRAME / 1000)
            if self.link.now >= self._next:
                self._next += CYCLE
                self.emit(ev.CycleFinished(1501, 0.4, CYCLE))
            await self.look()

    async def press(self, *keys: str) -> None:
        """Press keys, and take a picture after the last."""
        for name in keys:
            await self.pilot.press(name)
            await self.pilot.pause()
        asking = [worker for worker in self.app.workers if worker.group != "end"]
        await self.app.workers.wait_for_complete(asking)
        await self.wait(FRAME / 1000)

    def emit(self, *events: ev.Event) -> None:
        """Let something happen now."""
        for event in events:
            self.link.emit(event)

    def seen(self, healer: str, name: str, status: str, text: str, **facts: object) -> None:
        """Let a look find something."""
        self.emit(ev.Observed(healer, name, status, text, "t", "v", dict(facts)))  # type: ignore[arg-type]


def _worker(record: Recording, status: str, state: str, **facts: object) -> None:
    facts = {"restarts": 0, "failures": 0, "max_failures": 5, **facts}
    record.seen("workers", "task_worker", status, state, state=state, **facts)


def _disk(record: Recording, status: str, percent: float) -> None:
    record.seen(
        "disks", DISK, status, f"{percent}% used" if status != "healthy" else "",
        kind="filesystem", percent=percent, free=923e9 * (100 - percent) / 100, size=923e9,
        level="critical" if percent > 90 else "ok", inode_percent=12.0,
    )  # fmt: skip


async def crash(record: Recording) -> None:
    """A worker is killed; it is restarted, and the restart is proved."""
    plan = restart_plan(
        "task_worker", delay=3.0, why="task_worker was killed (SIGKILL)", id="1.1.1"
    )
    down = key("task_worker", "down")
    _worker(record, "unhealthy", "backoff", failures=1, why="killed by SIGKILL (out of memory?)",
            next_at=record.link.now + 3)  # fmt: skip
    record.emit(ev.AlertOpened(down, "CRITICAL", "task_worker", "killed by SIGKILL"))
    record.emit(ev.PlanMade(plan, record.link.now + 3, record.link.now + 3))
    await record.wait(3.0)
    record.emit(ev.ActionStarted(plan.id, "task_worker"))
    record.emit(ev.StepTaken(plan.id, "task_worker", "start workers/task_worker.py --daemon"))
    await record.wait(1.0)
    proof = "pid 50131 alive after 1.0 s, heartbeat fresh"
    _worker(record, "healthy", "healthy", pid=50131, since=record.link.now - 1, cpu=9.0, rss=54e6,
            restarts=1, failures=1)  # fmt: skip
    record.emit(
        ev.ActionVerified(plan.id, "task_worker", "restart_worker", proof, 1.2, "restarted"),
        ev.AlertResolved(down, "up again"),
    )
    await record.wait(1.0)


async def stuck(record: Recording) -> None:
    """A session hangs; the plan is looked at before it is carried out, and its effect is proved."""
    facts: Packed = {
        "state": "stalled", "quiet": 2712, "tasks": [77], "window": 1, "pane_index": 0,
        "pane": "%14", "command": "claude", "painted": 0.4, "novelty": [40, 22, 9, *[0] * 9],
        "limit": 1800, "last_line": "✻ Sorting… (45m 12s)", "pack": "claude",
        "why": "it repaints, and nothing new for 45 min",
    }  # fmt: skip
    alarm = key(STUCK, "stuck")
    record.emit(ev.Observed("sessions", STUCK, "warning", "stalled", "t", "v", facts))
    record.emit(ev.AlertOpened(alarm, "WARNING", STUCK, "nothing new for 45 min, with task 77"))
    await record.press("2")
    await record.wait(1.0)
    await record.press("x")
    await record.wait(2.5)
    plan = clear_plan(id="1.2.1")
    await record.press("y")
    record.emit(ev.PlanMade(plan, record.link.now, record.link.now))
    record.emit(ev.ActionStarted(plan.id, STUCK))
    record.emit(ev.StepTaken(plan.id, STUCK, "send Ctrl+C to pane %14"))
    await record.wait(1.0)
    record.emit(ev.StepTaken(plan.id, STUCK, "queue task 77 again (attempt 2 of 3)"))
    await record.wait(0.5)
    record.seen("sessions", STUCK, "healthy", "idle", state="idle", quiet=0, painted=0, tasks=[],
                window=1, pane_index=0, pane="%14", command="claude", last_line="❯",
                novelty=[40, 22, 9, *[0] * 8, 3], pack="claude")  # fmt: skip
    proof = "its prompt is back after 0.8 s"
    record.emit(
        ev.ActionVerified(
            plan.id, STUCK, "clear_stuck_session", proof, 0.8, "task 77 queued again"
        ),
        ev.AlertResolved(alarm, "prompt back"),
    )
    record.app.overview.hush()
    await record.wait(1.5)


async def full(record: Recording) -> None:
    """A disk fills up and is cleaned by its rules."""
    plan = clean_plan(tier=1, id="1.3.1", why="/ is 93.1% full; cleaning stops below 80%")
    alarm = key(DISK, "full")
    _disk(record, "critical", 93.1)
    record.emit(ev.AlertOpened(alarm, "CRITICAL", DISK, "93.1% used, critical at 90%"))
    record.emit(ev.PlanMade(plan, record.link.now, record.link.now))
    await record.press("3")
    record.emit(ev.ActionStarted(plan.id, DISK))
    for percent, text in ((88.0, "delete 214 files of rule logs"), (81.5, "compress 31 logs")):
        record.emit(ev.StepTaken(plan.id, DISK, text))
        await record.wait(0.5)
        _disk(record, "warning", percent)
        await record.wait(0.5)
    _disk(record, "healthy", 78.4)
    record.emit(
        ev.ActionVerified(
            plan.id, DISK, "clean_disk", "135 GB freed, / is 78.4% full", 2.4, "cleaned"
        ),
        ev.AlertResolved(alarm, "78.4% used"),
    )
    await record.wait(1.5)


def _lock(record: Recording, verdict: str, **facts: object) -> None:
    status, text = ("healthy", "free") if verdict == "free" else ("critical", f"locked: {verdict}")
    record.seen("databases", BASE, status, text, verdict=verdict, mode="wal", size=48e6,
                path="/srv/agents/data/assigner.db", wal_size=4_200_000, **facts)  # fmt: skip


async def locked(record: Recording) -> None:
    """A stopped process holds a database; it is let go on."""
    plan = Plan(
        healer="databases", component=BASE, action="clear_database_lock", subject="pid 47001",
        why="sqlite3 (pid 47001) is stopped and holds the write lock",
        steps=(Step("continue pid 47001", "kill -CONT 47001"),),
        proof="the lock is free", on_failure="a person is called", order={}, id="1.4.1",
    )  # fmt: skip
    alarm = key(BASE, "locked")
    holder = {"pid": 47001, "name": "sqlite3", "command": "sqlite3 data/assigner.db"}
    _lock(record, "stopped", since=record.link.now - 12, holder=holder)
    record.emit(ev.AlertOpened(alarm, "CRITICAL", BASE, "locked by pid 47001 (sqlite3), stopped"))
    record.emit(ev.PlanMade(plan, record.link.now, record.link.now))
    await record.press("4")
    record.emit(ev.ActionStarted(plan.id, BASE))
    record.emit(ev.StepTaken(plan.id, BASE, "send SIGCONT to pid 47001 (sqlite3)"))
    await record.wait(1.0)
    _lock(record, "free")
    record.emit(
        ev.ActionVerified(
            plan.id, BASE, "clear_database_lock", "the lock is free", 0.3, "unlocked"
        ),
        ev.AlertResolved(alarm, "free"),
    )
    await record.wait(1.0)


async def asked(record: Recording) -> None:
    """A session asks a person something: healmon types nothing, and the person knows."""
    record.seen("sessions", DOCS, "warning", "approval", state="approval", quiet=61, painted=61,
                tasks=[82], window=0, pane_index=0, pane="%82", command="claude", pack="claude",
                novelty=[4, 9, 22, 31, 8, 12, 17, 40, 6, 11, 0, 0],
                hands_off="it waits for an answer", question="Do you want to proceed? (make clean)",
                last_line="❯ 1. Yes")  # fmt: skip
    record.emit(
        ev.AlertOpened(key(DOCS, "waiting"), "WARNING", DOCS, "waits for an answer: make clean?")
    )
    await record.press("5")
    await record.wait(1.5)
    await record.press("a")
    await record.wait(2.5)


def _answers(link: ScriptedLink) -> None:
    offered = clear_plan(id="1.2.1", origin="olga")
    link.answers["offer"] = Answer(ok=True, text="", plan=offered)
    link.answers["clear"] = Answer(ok=True, text="clearing claude_architect")

    def acknowledge(_target: str, _arguments: Packed) -> Answer:
        link.emit(ev.AlertAcknowledged(key(DOCS, "waiting"), "olga", "", link.now + 14_400))
        return Answer(ok=True, text="acknowledged for 4h")

    link.answers["acknowledge"] = acknowledge


SCENES: tuple[Callable[[Recording], Any], ...] = (crash, stuck, full, locked, asked)


async def _film() -> list[film.Frame]:
    link = ScriptedLink(calm_world())
    showing(link)
    _answers(link)
    app = HealmonApp(link, clock=link.clock, plain=False, ascii_only=False)
    async with app.run_test(size=SIZE) as pilot:
        record = Recording(pilot, app, link)
        await record.wait(1.5)
        for scene in SCENES:
            await scene(record)
        last = record.frames[-1]
        return [*record.frames[:-1], film.Frame(last.lines, last.shown + LAST)]


def frames() -> list[film.Frame]:
    """Return the whole recording."""
    before = bars.FLASH
    bars.FLASH = 3600.0  # type: ignore[misc] # answers go when we say so, not by a clock on the wall
    try:
        return asyncio.run(_film())
    finally:
        bars.FLASH = before  # type: ignore[misc]
