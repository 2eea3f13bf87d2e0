"""The real healer over real databases, asked by hand."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Iterable
from pathlib import Path

import msgspec
from msgspec.structs import replace

from healmon import events as ev
from healmon.clock import SystemClock
from healmon.config.settings import Database
from healmon.databases.equipment import Equipment
from healmon.databases.healer import DatabasesHealer
from healmon.databases.model import Facts, Memory
from healmon.plans import Plan, Proof, Verdict, pack, unpack
from healmon.state import Snapshot, apply
from healmon.world.mending import SystemMender
from healmon.world.processes import Identity
from healmon.world.sqlite import SystemLocks
from healmon.world.supervised import SystemSupervised
from healmon.world.system_processes import SystemProcesses
from tests.helpers.dbstory import Notebook
from tests.helpers.tmuxes import PatientTmux
from tests.helpers.wait import until

PATIENCE = 60.0
"""Seconds for an answer about locks: a busy machine may be slow to give it."""


class Watch:
    """One database under the healer's eyes.

    Args:
        path: the database.
        state: where copies go, and where the records of workers are.
        sockets: of tmux servers whose panes are known.
        settings: of the database.
    """

    def __init__(
        self,
        path: Path,
        state: Path | None = None,
        sockets: Iterable[str] = (),
        **settings: object,
    ) -> None:
        self.database = Database(name="a", path=str(path), **settings)
        self.path = path
        self.clock = SystemClock()
        self.state = state or path.parent / "state"
        self.processes = SystemProcesses()
        self.healer = DatabasesHealer(
            (self.database,), SystemLocks(PATIENCE), self.processes, self.clock,
            equipment=Equipment(
                mender=SystemMender(self.state / "databases"),
                supervised=SystemSupervised(self.state / "workers", ("w",)),
                tmux=PatientTmux(), sockets=tuple(sockets),
            ),
        )  # fmt: skip
        self.known = Snapshot()

    def look(self) -> Verdict:
        seen = asyncio.run(self.healer.look())
        (verdict,) = self.healer.diagnose(seen, self.known, self.clock.read()).verdicts
        for event in (
            ev.Observed(
                "databases", verdict.component, verdict.status, verdict.summary,
                verdict.metric_type, verdict.metric_value, verdict.facts,
            ),
            ev.Remembered(verdict.component, verdict.memory),
        ):  # fmt: skip
            now = self.clock.read().wall
            self.known = apply(self.known, ev.Recorded(self.known.last_id + 1, now, event))
        return verdict

    def word(self) -> str:
        return self.look().metric_value

    def facts(self) -> Facts:
        return unpack(self.known.components["database:a"].facts, Facts)

    def until(self, condition: Callable[[Verdict], object], what: str) -> Verdict:
        def looked() -> Verdict | None:
            verdict = self.look()
            return verdict if condition(verdict) else None

        found = until(looked, what=what)
        assert found is not None
        return found

    def finding(self, condition: str = "locked") -> Verdict:
        return self.until(
            lambda v: any(f.condition == condition for f in v.findings), f"the finding {condition}"
        )

    def due(self) -> Plan:
        """Look until a plan's moment has come."""
        found = self.until(lambda v: v.plan is not None and v.plan.delay == 0, "the plan")
        assert found.plan is not None
        return found.plan

    def carry_out(self, made: Verdict | Plan, hand: Notebook | None = None) -> Proof:
        plan = made.plan if isinstance(made, Verdict) else made
        assert plan is not None
        return asyncio.run(self.healer.carry_out(plan, hand or Notebook()))

    def forget_pause(self) -> None:
        """Let the time pass for which nothing is tried again."""
        self.healer._paused.clear()
        memory = unpack(self.known.memory["database:a"], Memory)
        told = ev.Remembered("database:a", pack(replace(memory, paused=0.0)))
        now = self.clock.read().wall
        self.known = apply(self.known, ev.Recorded(self.known.last_id + 1, now, told))

    def offer(self) -> Plan:
        return self.healer.offer("unlock", "database:a", self.known, self.clock.read())

    def employ(self, pid: int) -> Identity:
        """Write down that a process is worker `w`, as the healer of workers does."""
        identity = self.processes.identify(pid)
        assert identity is not None
        folder = self.state / "workers" / "w"
        folder.mkdir(parents=True, exist_ok=True)
        record = {"number": 1, "wall": 0.0, "steady": 0.0, "worker": msgspec.to_builtins(identity)}
        (folder / "started.json").write_bytes(msgspec.json.encode(record))
        return identity

    def copies(self) -> list[Path]:
        """Where copies were put, oldest first."""
        home = self.state / "databases" / "a"
        return sorted(home.iterdir()) if home.is_dir() else []

    def close(self) -> None:
        asyncio.run(self.healer.close())


def files(path: Path) -> dict[str, tuple[int, int, int]]:
    """Inode, size and mtime of the database and what is beside it."""
    return {
        suffix: (status.st_ino, status.st_size, status.st_mtime_ns)
        for suffix in ("", "-wal", "-journal")
        if Path(f"{path}{suffix}").exists()
        for status in [Path(f"{path}{suffix}").stat()]
    }
