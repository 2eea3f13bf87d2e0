"""Judgements that stand are those that would be made anew, whatever has happened to whom."""

from __future__ import annotations

import random
import signal
from contextlib import suppress
from pathlib import Path
from typing import Any

import pytest
from msgspec.structs import replace

from healmon import events as ev
from healmon.clock import ManualClock
from healmon.errors import DataError
from healmon.workers.calm import Calm
from healmon.workers.model import Seen
from healmon.world.processes import Ended
from tests.helpers.witness import WatchedWorld
from tests.helpers.workerbench import Bench, a_worker
from tests.helpers.workerplay import play

NAMES = ("a", "b", "c", "d", "e", "f")
KILLED = Ended(signal=signal.SIGKILL)


def life(folder: Path, seed: int) -> list[str]:
    """Return all events of six workers of which one or another falls, is paused or is stopped."""
    dice = random.Random(seed)
    folder.mkdir()
    plain = a_worker(argv=("/bin/plain",), script="", max_failures=50, slow_failures=50)
    workers = [replace(plain, name=name, argv=(f"/bin/{name}", "-d")) for name in NAMES]
    workers[4] = replace(
        workers[4], heartbeat_file="/never", heartbeat_max_age=dice.choice([30, 90])
    )
    workers[5] = replace(workers[5], after=("a",))

    async def something(bench: Bench, world: WatchedWorld) -> None:
        name = dice.choice(NAMES)
        identity = bench.facts(name).identity
        wall = bench.clock.read().wall
        match dice.randrange(8):
            case 0:
                bench.emit(ev.MaintenanceStarted(name, wall + 40.0, "tester"))
            case 1:
                bench.emit(ev.MaintenanceEnded(name, "over"))
            case 2 | 3 as which:
                with suppress(DataError):  # it is so already
                    await bench.ask("stop" if which == 2 else "start", name)
            case _ if identity is not None:
                world.end(identity, KILLED)
            case _:
                pass

    async def scene(bench: Bench, world: WatchedWorld) -> None:
        for name in NAMES:
            await bench.round()
            while name in bench.due:
                await bench.heal()
        await bench.run(700)
        for _ in range(40):
            await something(bench, world)
            await bench.round()
            await bench.run(dice.choice([0.5, 3.0, 20.0]))

    return [ev.encode(e).replace(str(folder), "") for e in play(folder, scene, *workers).events]


@pytest.mark.slow
@pytest.mark.parametrize("seed", range(4))
def test_they_are_the_same(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, seed: int) -> None:
    stood: list[bool] = []
    stands = Calm.stands

    def counted(self: Calm, name: str, seen: Seen, *words: Any, **more: Any) -> object:
        mine = stands(self, name, seen, *words, **more)
        stood.extend([seen.fresh is None] if mine is not None else [])
        return mine

    monkeypatch.setattr(Calm, "stands", counted)
    calm = life(tmp_path / "calm", seed)
    assert stood.count(False) > 30, "a look at few tells nothing of the others"
    assert stood.count(True) > 30, "a look at all shows most of them as they were"
    monkeypatch.setattr(Calm, "stands", lambda *_, **__: None)
    assert life(tmp_path / "anew", seed) == calm


async def later(bench: Bench, seconds: float) -> None:
    assert isinstance(bench.clock, ManualClock)
    bench.clock.advance(seconds)
    await bench.round()


def test_after_a_look_that_failed_nothing_stands_of_those_that_are_not_looked_at(tmp_path: Path):
    workers = [a_worker(name=name, argv=(f"/bin/{name}",), script="") for name in "ab"]

    async def scene(bench: Bench, world: WatchedWorld) -> None:
        for name in "ab":
            world.add((f"/bin/{name}",))
        for _ in range(15):
            await later(bench, 60)
        assert bench.diagnosis.verdicts == ()
        bench.emit(ev.HealerFailed("workers", "it crashed when all was seen"))
        for name in "ab":
            facts = bench.snapshot.components[name].facts
            bench.emit(ev.Observed("workers", name, "unknown", "not seen", "", "", facts))
        bench.healer._sight.touch("a")
        await later(bench, 3)
        bench.emit(ev.HealerRecovered("workers"))
        await later(bench, 57)
        assert [bench.status(name) for name in "ab"] == ["healthy", "healthy"]

    play(tmp_path, scene, *workers)


def test_what_a_look_at_others_judged_anew_is_told_by_the_next_one_at_all(tmp_path: Path):
    workers = [a_worker(name=name, argv=(f"/bin/{name}",), script="") for name in "ab"]

    async def scene(bench: Bench, world: WatchedWorld) -> None:
        for name in "ab":
            world.add((f"/bin/{name}",))
        await bench.run(300)
        wall = bench.clock.read().wall
        bench.emit(ev.MaintenanceStarted("b", wall + 70.0, "tester"))
        await later(bench, 60)
        assert bench.facts("b").desired == "maintenance"
        bench.healer._sight.touch("a")
        await later(bench, 20)  # by then it is over
        await later(bench, 40)
        assert bench.facts("b").desired == "up"

    play(tmp_path, scene, *workers)


def test_a_heartbeat_that_never_comes_is_missed_once_it_is_time(tmp_path: Path):
    beat = str(tmp_path / "never")
    worker = a_worker(
        name="a", argv=("/bin/a",), script="", heartbeat_file=beat, heartbeat_max_age=150.0
    )

    async def scene(bench: Bench, world: WatchedWorld) -> None:
        world.add(worker.argv)
        for _ in range(2):
            await later(bench, 60)
        assert bench.diagnosis.look_again == 30.0
        await later(bench, 30)  # nothing but time has passed
        assert bench.alert("silent", "a") is not None

    play(tmp_path, scene, worker)
