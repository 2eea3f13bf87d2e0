"""A simulated day of the whole healer: the real engine, healers and store, simulated doors.

Usage: python -m benchmarks.service.day FOLDER HOURS: prints hours and kB of memory, line by line.
"""

from __future__ import annotations

import asyncio
import gc
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from healmon.clock import ManualClock
from healmon.config.settings import Budget, Database, Disk, Monitor, Sessions, Worker
from healmon.databases.equipment import Equipment as DatabasesEquipment
from healmon.databases.healer import DatabasesHealer
from healmon.disks.healer import DisksHealer
from healmon.engine import Engine, Run
from healmon.events import CycleFinished, Recorded
from healmon.healer import Healer
from healmon.sessions.healer import SessionsHealer
from healmon.sessions.packs.user import packs_of
from healmon.store.store import Store
from healmon.workers.equipment import Equipment
from healmon.workers.healer import WorkersHealer
from healmon.world.host import SystemHost
from healmon.world.processes import Identity
from healmon.world.simulated.evidencefiles import SimulatedEvidenceFiles
from healmon.world.simulated.files import SimulatedFiles
from healmon.world.simulated.mending import SimulatedMender
from healmon.world.simulated.ports import SimulatedPorts
from healmon.world.simulated.processes import SimulatedProcesses
from healmon.world.simulated.shims import SimulatedShims
from healmon.world.simulated.sqlite import SimulatedLocks
from healmon.world.simulated.taskdb import SimulatedTaskDatabases
from healmon.world.simulated.tmux import SimulatedTmux

EVERY = 60
"""Cycles between two readings of the memory."""
DEATH = 150
"""Cycles between two deaths of a worker."""


def day(folder: Path, hours: int) -> Iterator[tuple[float, int]]:
    """Give hours and kB of memory of a healer in a process of its own."""
    argv = [sys.executable, "-m", "benchmarks.service.day", str(folder), str(hours)]
    with subprocess.Popen(argv, stdout=subprocess.PIPE, text=True) as process:
        assert process.stdout is not None
        for line in process.stdout:
            hour, kilobytes = line.split()
            yield float(hour), int(kilobytes)
    if process.returncode:
        raise subprocess.CalledProcessError(process.returncode, argv)


class _Nobody:
    def known(self) -> dict[str, tuple[Identity, ...]]:
        return {}


class World:
    """The host of the goals, made up."""

    def __init__(self, folder: Path, clock: ManualClock) -> None:
        self.processes = SimulatedProcesses(clock)
        self.processes.add(("init",), pid=1, parent=0)
        self.tmux = SimulatedTmux(clock, self.processes)
        self.panes = [self.tmux.new(f"s{number}") for number in range(10)]
        self.locks = SimulatedLocks()
        files = SimulatedFiles()
        files.add_disk("/", 10**12)
        files.add_disk("/data", 10**11)
        for name in ("a", "b"):
            self.locks.create(f"/data/{name}.db", "wal")
        workers = tuple(
            Worker(name=f"w{n}", argv=(f"/srv/w{n}",), restart_delay=1.0) for n in range(3)
        )
        databases = tuple(Database(name=n, path=f"/data/{n}.db") for n in ("a", "b"))
        means = Equipment(
            shims=SimulatedShims(self.processes, clock), ports=SimulatedPorts(self.processes),
            host=SystemHost(),
        )  # fmt: skip
        self.healers: list[Healer[Any]] = [
            WorkersHealer(
                workers, folder / "workers", self.processes, clock, equipment=means,
                limits=Monitor(name="bench"),
            ),
            SessionsHealer(
                Sessions(), (), self.tmux, SimulatedTaskDatabases(), self.processes, clock,
                SimulatedEvidenceFiles(clock), packs_of(Sessions().packs),
            ),
            DatabasesHealer(
                databases, self.locks, self.processes, clock,
                equipment=DatabasesEquipment(
                    mender=SimulatedMender(self.locks), supervised=_Nobody(), tmux=self.tmux
                ),
            ),
            DisksHealer(
                Disk(paths=("/",), budgets=(Budget(path="/data", limit=10**10),)), folder, files,
                clock,
            ),
        ]  # fmt: skip

    def live(self, number: int) -> None:
        """Let something happen: sessions say something, now and then a worker dies."""
        self.panes[number % len(self.panes)].say(f"line {number}")
        if number % DEATH == 0 and self.processes.spawned:
            self.processes.signal(self.processes.spawned[-1][1], 9)


async def live(folder: Path, hours: int) -> None:
    """Live so long, telling the memory every hour."""
    clock = ManualClock()
    world = World(folder, clock)
    store = Store.open(folder / "healmon.db", host="bench", now=clock.read())
    engine = Engine(world.healers, store, clock, Run(host="bench"))
    began = clock.read().steady

    def heard(record: Recorded) -> None:
        if isinstance(record.event, CycleFinished):
            asyncio.get_running_loop().call_soon(finished, record.event.number)

    def finished(number: int) -> None:
        world.live(number)
        passed = (clock.read().steady - began) / 3600
        if number % EVERY == 1:
            store.checkpoint(engine.snapshot)
            store.prune(clock.read().wall - 6 * 3600)
            gc.collect()
            kilobytes = int(Path("/proc/self/statm").read_text().split()[1]) * 4
            print(f"{passed:.2f} {kilobytes}", flush=True)
        if passed >= hours:
            engine.stop("the day is over")

    engine.subscribe(heard)
    await engine.run()
    store.close(20.0)


if __name__ == "__main__":
    place = Path(sys.argv[1]) / "day"
    place.mkdir(mode=0o700)
    asyncio.run(live(place, int(sys.argv[2])))
