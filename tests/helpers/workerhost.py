"""Real workers under a real engine: programs in a folder, and their orderly end."""

from __future__ import annotations

import asyncio
import os
import signal
import subprocess
import sys
from collections.abc import AsyncIterator, Callable, Iterator
from contextlib import asynccontextmanager, contextmanager
from pathlib import Path

from healmon.clock import SystemClock
from healmon.config.settings import Monitor, Worker
from healmon.engine import Engine, Run
from healmon.plans import unpack
from healmon.state import AlertView
from healmon.workers import budget
from healmon.workers.equipment import Equipment
from healmon.workers.healer import WorkersHealer
from healmon.workers.model import WorkerFacts
from healmon.world.processes import Identity
from healmon.world.system_processes import SystemProcesses
from tests.helpers.made_up import MemoryJournal
from tests.helpers.wait import until

STAYS = """
import sys, time
sys.stdout.write("up\\n"); sys.stdout.flush()
time.sleep(300)
"""
# what the worlds' daemons do: fork twice, write a pid file, leave home
DAEMON = """
import os, sys, time
pid_file = os.environ.get("PID_FILE", "")
if os.fork(): os._exit(0)
os.setsid()
if os.fork(): os._exit(0)
os.chdir("/")
if pid_file:
    with open(pid_file, "w") as file: file.write(f"{os.getpid()}\\n")
time.sleep(300)
"""
FAILS = """
import sys
print("no database today"); sys.exit(1)
"""
# the same process under a title that means harm
TITLED = """
import os, sys, time
if "TITLED" not in os.environ:
    os.environ["TITLED"] = "1"
    title = "\\x1b[2J\\u202e[red]task_worker.py"
    os.execv(sys.executable, [title, __file__, *sys.argv[1:]])
time.sleep(300)
"""


class Host:
    """A folder of programs; everything that runs one of them is ended with it."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self.state = folder / "state" / "workers"
        self.processes = SystemProcesses()
        self._doors = [self.processes]
        self.journal = MemoryJournal()
        self._own: list[subprocess.Popen[bytes]] = []

    def program(self, name: str, text: str) -> str:
        path = self.folder / name
        path.write_text(text)
        return str(path)

    def worker(self, text: str = STAYS, name: str = "task_worker", **more: object) -> Worker:
        script = self.program(f"{name}.py", text)
        defaults: dict[str, object] = {
            "name": name,
            "argv": (sys.executable, script, "--daemon"),
            "script": script,
            "restart_delay": 0.2,
            "min_uptime": 0.3,
            "stop_timeout": 2.0,
            "start_timeout": 30.0,
        }
        return Worker(**{**defaults, **more})

    def start(self, *argv: str, cwd: Path | None = None) -> Identity:
        """Start a program as a person would, outside healmon."""
        child = subprocess.Popen(
            argv, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL, cwd=cwd
        )
        self._own.append(child)
        identity = until(lambda: self.processes.identify(child.pid), what="the program")
        until(lambda: self.titles(identity) == argv, what="its exec")
        return identity

    def titles(self, identity: Identity) -> tuple[str, ...]:
        origin = self.processes.origin(identity)
        return origin.argv if origin is not None else ()

    def running(self, what: str) -> list[Identity]:
        """Return who runs a program of this folder, by any argument."""
        path = str(self.folder / what)
        return [
            f.identity
            for f in self.processes.everyone()
            if f.state != "Z" and any(path in part for part in f.command)
        ]

    def kill(self, identity: Identity, number: int = signal.SIGKILL) -> None:
        """End a process behind healmon's back, and take leave of it if we started it."""
        os.kill(identity.pid, number)
        for child in self._own:
            if child.pid == identity.pid:
                child.wait(30)

    def forget_children(self) -> None:
        """Let healmon's next run be another process, that knows nobody."""
        self.processes = SystemProcesses()
        self._doors.append(self.processes)

    def close(self) -> None:
        for identity in self.running(""):
            self.processes.signal(identity, signal.SIGKILL)
        for child in self._own:
            child.kill()
            child.wait(30)
        until(lambda: not self.running(""), what="the end of all programs")
        for door in self._doors:
            list(door.everyone())  # reaps

    @asynccontextmanager
    async def healmon(
        self,
        *workers: Worker,
        interval: float = 60.0,
        equipment: Equipment | None = None,
        limits: Monitor = budget.NOBODY,
        dry_run: bool = False,
    ) -> AsyncIterator[Live]:
        """Run healmon with these workers; what it knew before it still knows."""
        clock = SystemClock()
        healer = WorkersHealer(
            workers, self.state, self.processes, clock,
            jitter=0.0, equipment=equipment, limits=limits,
        )  # fmt: skip
        run = Run(host="box", interval=interval, dry_run=dry_run)
        engine = Engine([healer], self.journal, clock, run)
        task = asyncio.create_task(engine.run())
        try:
            yield Live(engine, self, task)
        finally:
            engine.stop()
            await asyncio.wait_for(task, 90)


class Live:
    """A running healmon."""

    def __init__(self, engine: Engine, host: Host, task: asyncio.Task[None]) -> None:
        self.engine = engine
        self.host = host
        self._task = task

    def facts(self, name: str = "task_worker") -> WorkerFacts | None:
        view = self.engine.snapshot.components.get(name)
        return unpack(view.facts, WorkerFacts) if view is not None else None

    def alert(self, condition: str = "down") -> AlertView | None:
        for key, alert in self.engine.snapshot.alerts.items():
            if key.endswith(f"/{condition}"):
                return alert
        return None

    async def reach(self, condition: Callable[[], object], what: str, limit: float = 60.0) -> None:
        """Wait until something is so."""
        loop = asyncio.get_running_loop()
        end = loop.time() + limit
        while not condition():
            assert not self._task.done(), self._task.exception()
            assert loop.time() < end, f"{what}: not within {limit:g} s; {self.facts()}"
            await asyncio.sleep(0.005)

    async def up(self, but: Identity | None = None, limit: float = 60.0) -> Identity:
        """Wait until the worker is up (as somebody else than `but`) and return who it is."""

        def is_up() -> object:
            facts, now = self.facts(), self.engine.snapshot
            looked = now.engine.running and now.cycle.finished_at
            up = facts is not None and facts.state in ("healthy", "trial")
            return looked and up and facts is not None and facts.identity != but

        await self.reach(is_up, "up", limit)
        facts = self.facts()
        assert facts is not None
        assert facts.identity is not None
        return facts.identity

    async def state(self, state: str, limit: float = 60.0) -> WorkerFacts:
        def is_it() -> bool:
            facts = self.facts()
            return facts is not None and facts.state == state

        await self.reach(is_it, state, limit)
        facts = self.facts()
        assert facts is not None
        return facts


@contextmanager
def hosting(folder: Path) -> Iterator[Host]:
    host = Host(folder)
    try:
        yield host
    finally:
        host.close()
