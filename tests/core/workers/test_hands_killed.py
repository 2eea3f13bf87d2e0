"""Scenario 11: healmon is killed at every single step of an act, and the next one takes it up.

The worker itself is the witness: it holds a lock for as long as it lives, and a second copy that
finds it held tells on us.
"""

from __future__ import annotations

import asyncio
import random
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

from healmon.clock import SystemClock
from healmon.config.settings import Worker
from healmon.healer import Hand
from healmon.workers.equipment import Equipment
from healmon.workers.healer import WorkersHealer
from healmon.workers.model import Order, StartRecord, Verb
from healmon.workers.records import Records
from healmon.world.processes import Identity
from healmon.world.system_ports import SystemPorts
from healmon.world.system_processes import SystemProcesses
from healmon.world.system_shims import SystemShims
from tests.helpers.killpoints import Player, Script, eager, equipment, plan_of
from tests.helpers.made_up import Noted
from tests.helpers.wait import until
from tests.helpers.workerhost import Host, hosting

WITNESS = """
import fcntl, os, sys, time
folder = os.path.dirname(os.path.abspath(__file__))
lock = os.open(f"{folder}/witness", os.O_RDWR | os.O_CREAT)
try:
    fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
except BlockingIOError:
    open(f"{folder}/violations", "a").write(f"{os.getpid()}\\n")
# without `subprocess`, which takes as long to load as Python itself
helper = [sys.executable, "-I", "-S", f"{folder}/helper.py"]
os.posix_spawn(helper[0], helper, os.environ, setsid=True)
open(f"{folder}/starts", "a").write(f"{os.getpid()}\\n")
time.sleep(300)
"""
# it has left the session and is deaf: only the tree leads to it, and only SIGKILL ends it
HELPER = """
import signal, time
signal.signal(signal.SIGTERM, signal.SIG_IGN)
open(__file__ + ".deaf", "a").write("x")
time.sleep(300)
"""
STEPS_AT_MOST = 60


@pytest.fixture(scope="module")
def player() -> Iterator[Player]:
    made = Player()
    yield made
    made.close()


class Scene:
    """One worker in a folder of its own, an order, and a healmon that dies of it."""

    def __init__(self, folder: Path, host: Host, *, shims: bool) -> None:
        self.folder = folder
        self.host = host
        self.shims = shims
        host.folder = folder
        host.state = folder / "state"
        host.program("helper.py", HELPER)
        script = host.program("task_worker.py", WITNESS)
        self.worker = Worker(
            name="task_worker",
            argv=(sys.executable, script),
            script=script,
            min_uptime=0.1,
            stop_timeout=0.3,
            start_timeout=30.0,
        )

    # The world.

    def record(self) -> StartRecord | None:
        return Records(self.host.state).start("task_worker")

    def told(self, name: str) -> str:
        path = self.folder / name
        return path.read_text() if path.exists() else ""

    def starts(self) -> int:
        return self.told("starts").count("\n")

    def mains(self) -> list[Identity]:
        everyone = {f.identity: f for f in self.host.processes.everyone()}
        found = self.host.running("task_worker.py")
        return [i for i in found if i in everyone and everyone[i].command[:1] == (sys.executable,)]

    def helpers(self) -> list[Identity]:
        return self.host.running("helper.py")

    def settle(self) -> None:
        """Wait until each worker that was started has its helper, and that is deaf."""

        def told() -> bool:
            # asked anew each time: a worker's child is its double until it is the helper
            return {str(main.pid) for main in self.mains()} <= set(self.told("starts").split())

        until(told, what="its start")
        until(lambda: len(self.told("helper.py.deaf")) == self.starts(), what="helpers")

    # healmon.

    def act(self, order: Order, hand: Hand) -> str:
        """Carry out an order as a healmon that lives to see its end."""
        processes = SystemProcesses()
        means = equipment(processes, shims=self.shims)
        healer = WorkersHealer(
            (self.worker,), self.host.state, processes, SystemClock(), equipment=means
        )

        async def scene() -> str:
            async with asyncio.timeout(300):
                try:
                    return (await healer.carry_out(plan_of(self.worker, order), hand)).text
                finally:
                    await healer.close()
                    if means.shims is not None:
                        means.shims.close()

        try:
            return asyncio.run(scene())
        finally:
            self.host._doors.append(processes)

    def killed(self, player: Player, order: Order, at: int) -> str:
        """Carry out an order as a healmon that dies at a step; empty when it did."""
        script = Script(
            worker=self.worker, order=order, state=str(self.host.state),
            steps=str(self.folder / "steps"), kill_at=at, shims=self.shims,
        )  # fmt: skip
        return player.play(script, self.folder / "script")

    def steps(self) -> list[str]:
        return (self.folder / "steps").read_text().splitlines()

    def take_up(self, order: Order, way: str) -> list[str]:
        """Do as the next healmon does with what it finds; return what it journaled."""
        hand = Noted()
        record = self.record()
        if record is None or record.number < order.number:
            self.act(order, hand)  # nothing had begun: whoever asked, asks again
        elif record.outcome == "begun" and way == "go on":
            self.act(Order(verb=record.verb, number=record.number, identity=record.old), hand)
        elif record.outcome == "begun":
            self._begin_anew(record, hand)
        return hand.steps

    def _begin_anew(self, record: StartRecord, hand: Hand) -> None:
        """Order what the state of the world asks for, under a number of its own."""
        mains = self.mains()
        ending = record.verb == "stop" or record.phase == "stopping"
        if ending:
            old = record.old if record.old in mains else None
            wish = 2 if record.verb == "stop" else 0
            number = record.number + 1
            self.act(Order(verb=record.verb, number=number, identity=old, wish=wish), hand)
        elif not mains:
            self.act(Order(verb="restart", number=record.number + 1), hand)


def refers_to(told: list[str], pid: str) -> bool:
    return any(pid in line.replace(",", " ").split() for line in told)


def assert_each_deed_was_announced(steps: list[str], mine: set[str]) -> None:
    told: list[str] = []
    for step in steps:
        if step.startswith("journal: "):
            told.append(step)
        elif step.startswith("about to signal "):
            pid = step.split()[3]
            assert pid in mine, f"a stranger: {step}"
            assert refers_to(told, pid), f"not announced: {step}"
        elif step.startswith("about to start"):
            assert any("start task_worker" in line for line in told), "start not announced"


def played(scene: Scene, player: Player, verb: Verb, way: str, at: int) -> bool:
    """Let healmon die at a step and the next one take it up; return whether it came so far."""
    stranger = scene.host.start("tail", "-f", str(scene.folder / "task_worker.py"))
    number, old = 1, None
    if verb != "start":
        scene.act(Order(verb="restart", number=1), Noted())
        scene.settle()
        (old,) = scene.mains()
        number = 2
    mine = {str(i.pid) for i in (*scene.mains(), *scene.helpers())}
    order = Order(verb=verb, number=number, identity=old, wish=1 if verb != "restart" else 0)
    said = scene.killed(player, order, at)
    assert not said or said.startswith("proved: "), said
    steps = scene.steps()
    place = f"killed at step {at}: {steps[-1][:150]}"
    assert_each_deed_was_announced(steps, mine)
    scene.settle()
    if not said:
        scene.take_up(order, way)
        scene.settle()
    assert not (scene.folder / "violations").exists(), f"two copies; {place}"
    assert scene.host.processes.ended(stranger) is None, place
    mains, helpers = scene.mains(), scene.helpers()
    if verb == "stop":
        assert (mains, helpers) == ([], []), place
    else:
        assert len(mains) == len(helpers) == 1, place
        assert mains[0] != old, place
        assert scene.starts() == number, f"started more often than needed; {place}"
    record = scene.record()
    assert record is not None, place
    assert record.outcome == "verified" or (way == "anew" and mains), f"{record}; {place}"
    return not said


def sweep(base: Path, player: Player, verb: Verb, way: str, *, shims: bool) -> int:
    """Kill healmon at each step of an act until one is not reached; return how many there were."""
    for at in range(1, STEPS_AT_MOST):
        folder = base / str(at)
        folder.mkdir()
        with hosting(folder) as host:
            if not played(Scene(folder, host, shims=shims), player, verb, way, at):
                return at - 1
    pytest.fail("it never came to an end")


@pytest.mark.slow
@pytest.mark.parametrize("verb", ["restart", "stop", "start"])
@pytest.mark.parametrize("seed", [1, 2])
def test_11_killed_again_while_it_is_taken_up(
    tmp_path: Path, player: Player, verb: Verb, seed: int
) -> None:
    dice = random.Random(f"{verb} {seed}")
    for round_ in range(4):
        folder = tmp_path / str(round_)
        folder.mkdir()
        with hosting(folder) as host:
            scene = Scene(folder, host, shims=True)
            number, old = 1, None
            if verb != "start":
                scene.act(Order(verb="restart", number=1), Noted())
                scene.settle()
                (old,) = scene.mains()
                number = 2
            order = Order(verb=verb, number=number, identity=old, wish=1)
            deaths = []
            while True:
                at = dice.randint(1, 6 + len(deaths))
                said = scene.killed(player, order, at)
                deaths.append(f"{at}: {scene.steps()[-1][:80]}")
                scene.settle()
                assert not scene.told("violations"), f"two copies; killed at {deaths}"
                record = scene.record()
                begun = record is not None and record.number == number
                if said or (begun and record.outcome != "begun"):
                    break
                assert len(deaths) < 60, deaths
                if begun:
                    order = Order(verb=verb, number=number, identity=record.old)
            alive = (len(scene.mains()), len(scene.helpers()))
            assert alive == ((0, 0) if verb == "stop" else (1, 1)), f"{said}; {deaths}"
            assert scene.starts() == number - (verb == "stop"), deaths


@pytest.mark.slow
@pytest.mark.parametrize("way", ["go on", "anew"])
@pytest.mark.parametrize("verb", ["restart", "stop", "start"])
def test_11_killed_at_every_step_and_never_a_second_copy(
    tmp_path: Path, player: Player, verb: Verb, way: str
) -> None:
    steps = sweep(tmp_path, player, verb, way, shims=True)
    assert steps >= {"restart": 13, "stop": 9, "start": 8}[verb], "the steps are counted"


ALONE = """
import fcntl, os, time
folder = os.path.dirname(os.path.abspath(__file__))
lock = os.open(f"{folder}/witness", os.O_RDWR | os.O_CREAT)
try:
    fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
except BlockingIOError:
    open(f"{folder}/violations", "a").write(f"{os.getpid()}\\n")
open(f"{folder}/starts", "a").write(f"{os.getpid()}\\n")
time.sleep(300)
"""


def lived(scene: Scene, player: Player, at: int) -> bool:
    """Let a healmon that grants starts die at a step; return whether it came so far."""
    scene.host.program("task_worker.py", ALONE)
    script = Script(
        worker=scene.worker, order=Order(verb="start", number=1), state=str(scene.host.state),
        steps=str(scene.folder / "steps"), kill_at=at, shims=True, life=True,
    )  # fmt: skip
    said = player.play(script, scene.folder / "script")
    steps = scene.steps()
    place = f"killed at step {at}: {steps[-1][:150]}"
    if said:
        assert said == "proved: a life", said
        assert not (scene.host.state / "task_worker" / "grant").exists(), "it ended in order"
    kills = steps.count("killed")
    if steps[-1] == "killed":  # on a busy machine it may die after healmon, and be seen alive
        victim = scene.record().worker
        until(lambda: scene.host.processes.ended(victim) is not None, what="its end")

    async def next_one() -> None:
        worker, means = eager(scene.worker), Equipment(shims=SystemShims(), ports=SystemPorts())
        async with scene.host.healmon(worker, equipment=means) as healmon:
            await healmon.up()
            grant = scene.host.state / "task_worker" / "grant"
            await healmon.reach(grant.exists, f"the next grant; {place}")

    asyncio.run(next_one())
    assert not scene.told("violations"), f"two copies; {place}"
    # one that is being started is not yet who it will be
    (main,) = until(scene.mains, what=f"the worker, {place}")
    until(lambda: str(main.pid) in scene.told("starts").split(), what="its start")
    assert scene.starts() == 1 + kills, f"started more often than needed; {place}"
    record = scene.record()
    assert record is not None, place
    assert (record.worker, record.outcome) == (main, "verified"), place
    return not said


@pytest.mark.slow
def test_11_killed_at_every_step_around_a_start_that_was_granted(
    tmp_path: Path, player: Player
) -> None:
    for at in range(1, STEPS_AT_MOST):
        folder = tmp_path / str(at)
        folder.mkdir()
        with hosting(folder) as host:
            if not lived(Scene(folder, host, shims=True), player, at):
                assert at > 18, "the steps are counted"
                return
    pytest.fail("it never came to an end")
