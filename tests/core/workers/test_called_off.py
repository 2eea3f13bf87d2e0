"""Acts that are called off midway, moment by moment, under a whole engine in made-up time.

`tests/simulation/midway` found these; each is what it came down to.
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Coroutine
from pathlib import Path
from typing import Any
from unittest import mock

import pytest

from healmon import events as ev
from healmon.config.settings import Ready, Worker
from healmon.plans import Answer, unpack
from healmon.workers import budget
from healmon.workers.grants import UNKNOWN
from healmon.workers.model import Memory
from healmon.world.processes import Ended
from healmon.world.simulated.processes import Program
from tests.simulation.crowd import READY, CrowdPorts, CrowdShims, Part
from tests.simulation.living import lived_by
from tests.simulation.midway import Life
from tests.simulation.virtual import VirtualLoop


class Scene(Life):
    """One worker, whose lives go as they are told."""

    def __init__(
        self, folder: Path, loop: VirtualLoop, *, shims: bool = False, **more: object
    ) -> None:
        self.settings = {"ready": Ready(log=READY), "start_timeout": 300.0, **more}
        self.next = Part(Program())
        super().__init__("a scene", folder, loop)
        if not shims:
            self.shims = self.ports = None
        else:
            self.shims = CrowdShims(self.world, self.clock)
            self.ports = CrowdPorts(self.world, self.shims)
        self.limits = budget.NOBODY
        self.states: list[str] = []
        self.pace.pause = lambda: self.slow  # type: ignore[method-assign]
        self.slow = 0.0
        self.slower_at = "never"

    def _workers(self) -> list[Worker]:
        return [Worker(name="w", argv=("/srv/w",), **self.settings)]

    def part(self, name: str) -> Part:
        return self.next

    def hear(self, event: ev.Event) -> None:
        super().hear(event)
        if isinstance(event, ev.Observed) and event.component == "w":
            self.states.append(event.metric_value)
        if isinstance(event, ev.StepTaken) and event.text.startswith(self.slower_at):
            self.slow = 6.0

    async def reach(self, condition: Callable[[], object], what: str, limit: float = 60.0) -> None:
        end = self.now + limit
        while not condition():
            assert self.now < end, f"{what}: not within {limit:g} s; {self.states[-5:]}"
            await asyncio.sleep(0.01)
        assert not self.wrongs, self.wrongs

    async def state(self, state: str, limit: float = 60.0) -> None:
        await self.reach(lambda: self.states[-1:] == [state], state, limit)

    async def ask(self, verb: str, **arguments: object) -> Answer:
        async with asyncio.timeout(100.0):
            return await self.engine.ask(verb, "w", arguments, origin="olga")

    def memory(self) -> Memory:
        return unpack(self.engine.snapshot.memory["w"], Memory)

    def outcomes(self) -> list[str]:
        ends = ev.ActionVerified | ev.ActionFailed
        return [repr(r.event) for r in self.all() if isinstance(r.event, ends)]

    def step(self) -> str:
        view = self.engine.snapshot.plans.get("w")
        return view.steps[-1] if view is not None and view.steps else ""

    def plans(self) -> list[ev.PlanMade]:
        return [r.event for r in self.all() if isinstance(r.event, ev.PlanMade)]

    def alerts(self) -> list[str]:
        return [key.rpartition("/")[2] for key in self.engine.snapshot.alerts]

    def wanted(self) -> str:
        wish = self.healer._records.wish("w")
        return wish.desired if wish is not None else ""


@pytest.fixture
def play(tmp_path: Path) -> Callable[..., None]:
    def played(scene: Callable[[Scene], Coroutine[Any, Any, None]], **more: object) -> None:
        async def all_of_it(life: Scene) -> None:
            life.start()
            await scene(life)
            assert not life.wrongs, life.wrongs

        lived_by(lambda loop: Scene(tmp_path, loop, **more), all_of_it)

    return played


HANGS = Part(Program(), ready_after=None)


def test_a_start_that_was_paused_for_long_is_healthy_by_its_proof_only(
    play: Callable[..., None],
) -> None:
    async def scene(life: Scene) -> None:
        life.next = Part(Program(), ready_after=300.0)
        await life.reach(lambda: life.world.copies("w"), "its start")
        assert (await life.ask("pause", **{"for": 4000.0})).ok
        await asyncio.sleep(600.0)
        assert life.states[-1] == "probation"
        assert "healthy" not in life.states
        await life.ask("resume")
        await life.state("healthy")
        (verified,) = [r.event for r in life.all() if isinstance(r.event, ev.ActionVerified)]
        assert "ready: " in verified.proof

    play(scene, start_timeout=5.0)


def test_what_an_act_was_ending_when_it_was_cut_short_has_not_failed(
    play: Callable[..., None],
) -> None:
    async def scene(life: Scene) -> None:
        life.next = Part(Program(), grace=0.0, helpers=1)
        await life.state("healthy")
        (main,) = life.world.copies("w")
        for helper in set(life.world.family("w")) - {main}:
            life.world._parts[helper] = Part(Program(), grace=8.0)
        asking = asyncio.create_task(life.ask("restart"))
        await life.reach(lambda: main not in life.world.alive(), "its end, by SIGTERM")
        assert len(life.world.family("w")) == 1
        await life.kill()
        assert asking.cancelled()
        await life.reach(lambda: life.world.copies("w"), "what goes on")
        assert not life.memory().failures
        await life.state("healthy")
        assert not life.memory().failures
        assert life.world.copies("w") != [main]

    play(scene, ready=None)


def test_a_start_that_only_looks_when_the_file_is_read_again_does_not_keep_people_waiting(
    play: Callable[..., None],
) -> None:
    async def scene(life: Scene) -> None:
        await life.state("healthy")
        life.next = HANGS
        life.slow = 0.5
        life.kill_worker("w")
        await life.reach(lambda: "w" in life.healer._acting, "a look before the act")
        assert not life.engine.snapshot.plans["w"].acting
        await life.amend(0.0)
        await life.reach(lambda: life.world.copies("w"), "its start")
        assert (await life.ask("stop")).ok
        assert not life.world.copies("w")

    play(scene, restart_delay=0.0)


def test_what_is_called_off_for_another_file_goes_on_at_once(play: Callable[..., None]) -> None:
    async def scene(life: Scene) -> None:
        life.next = HANGS
        await life.state("probation", 90.0)
        for _ in range(2):
            await life.amend(5.0)
            begun = life.now
            await life.reach(lambda: life.engine._acts.busy("w"), "what goes on")
            assert life.now - begun < 2.0
        assert [made.plan.delay for made in life.plans()[1:]] == [0.0, 0.0]

    play(scene)


@pytest.mark.parametrize("how", ["paused", "killed"])
def test_who_wants_it_up_again_is_not_forgotten_when_that_is_cut_short(
    play: Callable[..., None], how: str
) -> None:
    async def scene(life: Scene) -> None:
        life.next = Part(Program(), grace=8.0)
        await life.state("healthy")
        stop = asyncio.create_task(life.ask("stop"))
        await life.reach(lambda: life.world.asked, "the SIGTERM")
        life.slow = 0.1
        start = asyncio.create_task(life.ask("start"))
        answer = await stop
        assert (answer.ok, answer.code) == (False, 75)
        assert answer.text == "failed: called off: olga asked for start_worker"
        await life.reach(lambda: life.wanted() == "up", "the wish")
        if how == "paused":
            assert (await life.ask("pause", **{"for": 600.0})).ok
            assert not (await start).ok
            await life.ask("resume")
        else:
            await life.kill()
        life.slow = 0.0
        await life.state("healthy", 90.0)
        assert life.wanted() == "up"

    play(scene, ready=None)


@pytest.mark.parametrize("how", ["called off in a look", "reload", "killed"])
def test_who_was_sent_sigterm_has_time_whoever_goes_on(play: Callable[..., None], how: str) -> None:
    async def scene(life: Scene) -> None:
        life.random.choice = lambda of: of[0]  # type: ignore[method-assign]
        life.next = Part(Program(), grace=8.0, helpers=1)
        await life.state("healthy")
        main, helper = life.world.family("w")
        asking = [asyncio.create_task(life.ask("stop"))]
        await life.reach(lambda: helper in life.world.asked, "the SIGTERM")
        asked = life.world.asked[helper]
        if how == "called off in a look":
            life.world.end(main)
            life.slow = 0.2
            asking.append(asyncio.create_task(life.ask("start")))
            await life.reach(lambda: life.plans()[-1].plan.action == "start_worker", "a start")
            await asyncio.sleep(0.5)
            assert "w" in life.healer._acting
            assert not life.engine.snapshot.plans["w"].acting
        if how == "killed":
            await life.kill()
        else:
            assert (await life.ask("pause", **{"for": 600.0})).ok
            if how == "reload":
                await life.amend(5.0)
            await life.ask("resume")
        life.slow = 0.0
        await life.state("down")
        assert life.world.ended_at[helper] == asked + 8.0
        assert life.world.asked[helper] == asked, "a second one"
        await asyncio.gather(*asking, return_exceptions=True)

    play(scene, ready=None)


def test_one_that_is_not_ready_in_time_is_not_called_well(play: Callable[..., None]) -> None:
    async def scene(life: Scene) -> None:
        life.next = HANGS
        await life.reach(life.alerts, "an alert")
        assert life.alerts() == ["unready"]
        assert life.engine.snapshot.components["w"].status == "warning"
        life.next = Part(Program())
        assert (await life.ask("restart")).ok
        await life.reach(lambda: not life.alerts(), "its end", 200.0)

    play(scene, start_timeout=5.0)


def test_what_a_killed_start_leaves_below_its_shim_is_no_daemon(play: Callable[..., None]) -> None:
    async def scene(life: Scene) -> None:
        life.next = Part(Program(), helpers=1)
        await life.reach(lambda: life.world.copies("w"), "its start")
        await asyncio.sleep(1.0)
        life.kill_worker("w")
        await life.reach(life.outcomes, "what came of it")
        assert "killed by SIGKILL" in life.outcomes()[0]

    play(scene, ready=None, min_uptime=3.0, shims=True)


def test_a_daemon_that_comes_while_its_program_is_stopped_is_not_called_gone(
    play: Callable[..., None],
) -> None:
    async def scene(life: Scene) -> None:
        life.next = Part(Program(leaves=Program()))
        await life.state("healthy")
        (main,) = life.world.copies("w")
        life.slow = 0.2
        asking = asyncio.create_task(life.ask("stop"))
        await life.reach(lambda: "keep w down" in life.step(), "the stop")
        life.world.end(main, Ended(code=0))
        answer = await asking
        (daemon,) = life.world.copies("w")
        assert not answer.ok
        assert f"pid {daemon.pid} of w still runs" in answer.text
        assert (await life.ask("stop")).ok
        assert not life.world.copies("w")

    play(scene, ready=None)


def test_a_start_that_waits_behind_a_call_that_hangs_looks_again(
    play: Callable[..., None],
) -> None:
    async def scene(life: Scene) -> None:
        life.slower_at = "start w"
        await life.reach(lambda: life.slow, "the start")
        await asyncio.sleep(1.0)
        life.start_by_hand()
        life.slow = 0.0
        await life.reach(life.outcomes, "what came of it")
        assert "already up as pid" in life.outcomes()[0]
        assert len(life.world.copies("w")) == 1

    play(scene, ready=None)


@pytest.mark.parametrize("verb", ["stop", "restart"])
def test_a_wish_in_the_moment_of_a_granted_start_ends_what_that_has_started(
    play: Callable[..., None], verb: str
) -> None:
    async def scene(life: Scene) -> None:
        grants = life.healer._grants
        await life.reach(lambda: grants._given.get("w", UNKNOWN) != UNKNOWN, "the grant")
        (first,) = life.world.copies("w")
        withdraw = grants.withdraw

        async def too_late(names: list[str]) -> None:
            life.kill_worker("w")
            await withdraw(names)

        with mock.patch.object(grants, "withdraw", too_late):
            answer = await life.ask(verb)
        assert answer.ok, answer
        assert first not in life.world.asked, "it had ended, and its shim had started another"
        (second,) = life.world.asked
        wanted, state = ("down", "down") if verb == "stop" else ("up", "healthy")
        assert life.wanted() == wanted
        await life.state(state)
        await asyncio.sleep(120.0)
        assert life.states[-1] == state
        copies = life.world.copies("w")
        assert len(copies) == (verb == "restart")
        assert not {first, second} & set(copies)
        assert not life.memory().failures

    play(scene, ready=None, restart_delay=0.0, shims=True)
