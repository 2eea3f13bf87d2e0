"""Random lives of workers, by seed: what must hold after every step of every one of them."""

from __future__ import annotations

import asyncio
import random
from pathlib import Path

import pytest

from healmon.clock import ManualClock
from healmon.errors import SpawnError
from healmon.world.processes import Ended, Identity, Launch
from healmon.world.simulated.processes import Program, SimulatedProcesses
from tests.helpers.examples import first_fast, span
from tests.helpers.workerbench import Bench, a_worker

HOURS = 8
CYCLE = 60.0


class Fate:
    """Decides how each start will go, and what else happens."""

    def __init__(self, seed: int, worker_argv: tuple[str, ...]) -> None:
        self.random = random.Random(seed)
        self.argv = worker_argv
        self.mood = self.random.choice(["kind", "harsh", "mixed"])

    def program(self, _: Launch) -> Program:
        kinds = {
            "kind": ["stays", "stays", "long"],
            "harsh": ["at once", "at once", "short", "host"],
            "mixed": ["stays", "long", "short", "at once", "forks", "host"],
        }[self.mood]
        kind = self.random.choice(kinds)
        lives = {"at once": 0.0, "short": self.random.uniform(0, 30)}.get(kind)
        if kind == "long":
            lives = self.random.uniform(30, 4000)
        if kind == "host":
            return Program(refuses=SpawnError("out of processes", host_fault=True))
        if kind == "forks":
            daemon = Program(lives=self.random.choice([None, 500.0]), end=Ended(signal=9))
            return Program(lives=0.1, end=Ended(code=0), leaves=daemon)
        return Program(lives=lives, end=Ended(code=self.random.choice([0, 1, 139])))

    async def meddle(self, bench: Bench, world: SimulatedProcesses) -> None:
        """Somebody kills it, starts one by hand, asks, or ends healmon: rarely."""
        roll = self.random.random()
        mine = copies_of(world, self.argv)
        if roll < 0.02 and mine:
            world.end(self.random.choice(mine), Ended(signal=9))
        elif roll < 0.025 and not mine:
            world.add(self.argv)
        elif roll < 0.035:
            await bench.close()
            bench.begin()
        elif roll < 0.04 and bench.facts().state == "quarantined":
            await bench.ask("release")
        if self.random.random() < 0.01:
            self.mood = self.random.choice(["kind", "harsh", "mixed"])


def copies_of(world: SimulatedProcesses, argv: tuple[str, ...]) -> list[Identity]:
    origins = ((identity, world.origin(identity)) for identity in world.alive())
    return [identity for identity, origin in origins if origin and origin.argv == argv]


class Watchman:
    """Keeps the promises in view."""

    def __init__(self, bench: Bench, world: SimulatedProcesses, argv: tuple[str, ...]) -> None:
        self.bench, self.world, self.argv = bench, world, argv

    def check(self) -> None:
        bench, worker = self.bench, self.bench.workers[0]
        copies = [
            i for i in self.world.alive() if (o := self.world.origin(i)) and o.argv == self.argv
        ]
        assert len(copies) <= 1, "at most one copy"
        facts = bench.facts()
        assert not self.world.signals, "nobody was signalled"
        if facts.state in ("healthy", "trial"):
            assert facts.identity in copies
        if not bench.diagnosis.verdicts:
            assert facts.state == "healthy", "what was said stands only of one that is up"
            return
        verdict = bench.diagnosis.verdicts[0]
        if copies:
            assert verdict.plan is None, "no plan while it lives"
        assert facts.failures <= worker.max_failures + 1
        conditions = [finding.condition for finding in verdict.findings]
        assert len(conditions) == len(set(conditions)), "one finding per condition"
        if facts.state == "quarantined":
            down = [f for f in verdict.findings if f.condition == "down"]
            assert [f.severity for f in down] == ["CRITICAL"]
        memory = bench.memory()
        if verdict.plan is not None and not memory.quarantined:
            assert 0.0 <= verdict.plan.delay <= 1.2 * worker.restart_delay_max
        if memory.retry_at is not None:
            assert memory.retry_at - bench.clock.read().steady <= worker.quarantine_max

    def starts_in_any_window(self) -> int:
        times = [at for at, _, _ in self.world.spawned]
        window = self.bench.workers[0].failure_window
        return max(
            (sum(1 for t in times if start <= t < start + window) for start in times), default=0
        )


@pytest.mark.parametrize("seed", first_fast(*range(12)))
def test_whatever_happens_the_promises_hold(tmp_path: Path, seed: int) -> None:
    script = tmp_path / "task_worker.py"
    script.touch()
    argv = ("/usr/bin/python3", str(script), "--daemon")
    clock = ManualClock()
    world = SimulatedProcesses(clock)
    fate = Fate(seed, argv)
    world.behave = fate.program
    worker = a_worker(argv=argv, script=str(script), critical=seed % 2 == 0)
    bench = Bench((worker,), tmp_path / "workers", world, clock, jitter=0.2)
    watchman = Watchman(bench, world, argv)
    released = 0

    async def life() -> None:
        nonlocal released
        end = clock.read().steady + span(HOURS) * 3600
        try:
            while clock.read().steady < end:
                await bench.run(fate.random.uniform(1, CYCLE))
                watchman.check()
                asked = len(bench.steps)
                await fate.meddle(bench, world)
                released += len(bench.steps) > asked
        finally:
            await bench.close()

    asyncio.run(life())
    # the budget and one trial; a person who releases it gives it a new budget
    assert watchman.starts_in_any_window() <= worker.max_failures * (1 + released) + 1


def test_the_same_seed_is_the_same_life(tmp_path: Path) -> None:
    def lived(folder: Path) -> list[float]:
        folder.mkdir()
        clock = ManualClock()
        world = SimulatedProcesses(clock)
        script = folder / "task_worker.py"
        script.touch()
        argv = ("python3", str(script))
        world.behave = Fate(3, argv).program
        bench = Bench((a_worker(argv=argv, script=str(script)),), folder / "s", world, clock)

        async def life() -> None:
            await bench.run(3600)
            await bench.close()

        asyncio.run(life())
        return [at for at, _, _ in world.spawned]

    assert lived(tmp_path / "a") == lived(tmp_path / "b")
