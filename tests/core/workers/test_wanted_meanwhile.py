"""What is wanted wins in every wait of an act: real workers under a real engine, and people."""

from __future__ import annotations

import asyncio
import time
from collections.abc import Iterator
from pathlib import Path

import pytest

from healmon import events as ev
from healmon.config.settings import Ready, Worker
from healmon.plans import Answer, unpack
from healmon.workers.equipment import Equipment
from healmon.workers.model import Memory
from healmon.workers.records import Records
from healmon.world.system_shims import SystemShims
from tests.helpers.rig import STARTERS, play
from tests.helpers.workerhost import Host, Live, hosting

pytestmark = pytest.mark.slow

PATIENT = 240.0
"""Seconds that nothing here may take, though each act could: start, proof and stop."""
SLOW = """
import os, signal, sys, time
def asked(*_):
    print("asked", flush=True)
signal.signal(signal.SIGTERM, asked)
print("up", flush=True)
while True:
    if os.path.exists(os.path.join(os.path.dirname(__file__), "ready")):
        print("ready", flush=True)
        break
    time.sleep(0.02)
while not os.path.exists(os.path.join(os.path.dirname(__file__), "end")):
    time.sleep(0.02)
"""
READY = Ready(log="ready")


@pytest.fixture
def host(tmp_path: Path) -> Iterator[Host]:
    with hosting(tmp_path) as made:
        yield made


def slow(host: Host, **more: object) -> Worker:
    patient = {"start_timeout": PATIENT, "stop_timeout": PATIENT, "ready": READY}
    return host.worker(SLOW, **{**patient, **more})


def said(host: Host) -> str:
    log = host.state / "task_worker" / "output.log"
    return log.read_text() if log.exists() else ""


async def ask(live: Live, verb: str, **arguments: object) -> Answer:
    """Ask for something as a person; no answer may take as long as the act that is in its way."""
    async with asyncio.timeout(PATIENT / 4):
        return await live.engine.ask(verb, "task_worker", arguments, origin="olga")


async def hangs(live: Live, host: Host) -> None:
    """Return when a start hangs in its proof."""
    await live.reach(lambda: "up" in said(host), "the program")
    live.engine.check_now()
    await live.state("probation")


async def waits_for_its_end(live: Live, host: Host, verb: str) -> tuple[int, asyncio.Task[Answer]]:
    """Return the process and the request, when the one was asked to end for the other."""
    process = await live.up()
    asked = asyncio.create_task(ask(live, verb))
    await live.reach(lambda: "asked" in said(host), "the SIGTERM")
    return process, asked


def proved(host: Host) -> str:
    record = Records(host.state).start("task_worker")
    return record.level if record is not None else ""


def acting(live: Live) -> str:
    view = live.engine.snapshot.plans.get("task_worker")
    return view.plan.action if view is not None and view.acting else ""


def wanted(host: Host) -> str:
    wish = Records(host.state).wish("task_worker")
    return wish.desired if wish is not None else ""


def memory(live: Live) -> Memory:
    return unpack(live.engine.snapshot.memory["task_worker"], Memory)


def called_off(host: Host) -> list[str]:
    return [event.reason for event in host.journal.all(ev.PlanAbandoned)]


def one_at_a_time(host: Host) -> bool:
    """Return whether no act began before the one before it had an end."""
    acting: set[str] = set()
    for record in host.journal.records:
        match record.event:
            case ev.ActionStarted() as event:
                acting.add(event.plan_id)
            case ev.ActionVerified() | ev.ActionFailed() | ev.PlanAbandoned() as event:
                acting.discard(event.plan_id)
        if len(acting) > 1:
            return False
    return True


@pytest.mark.parametrize("shims", STARTERS)
def test_a_stop_ends_a_start_that_hangs_and_costs_it_no_budget(host: Host, shims: bool) -> None:
    async def scene() -> None:
        equipment = Equipment(shims=SystemShims() if shims else None)
        worker = slow(host, stop_timeout=0.5)
        async with host.healmon(worker, equipment=equipment) as live:
            await hangs(live, host)
            answer = await ask(live, "stop")
            assert answer.ok, answer
            assert not host.running("task_worker.py")
            facts = await live.state("down")
            assert (facts.desired, facts.failures) == ("down", 0)
            assert not memory(live).failures
            assert live.alert() is None
        assert called_off(host) == ["called off: olga asked for stop_worker"]
        assert one_at_a_time(host)

    play(scene)


def test_a_pause_ends_a_start_that_hangs_touches_nothing_and_its_proof_goes_on_later(
    host: Host,
) -> None:
    async def scene() -> None:
        async with host.healmon(slow(host)) as live:
            await hangs(live, host)
            mine = host.running("task_worker.py")
            assert (await ask(live, "pause", **{"for": 600.0})).ok
            assert called_off(host) == ["called off: olga asked for hands off"]
            await live.reach(
                lambda: "task_worker" in live.engine.snapshot.refusals, "what would be done"
            )
            assert not live.engine.snapshot.plans
            assert host.running("task_worker.py") == mine
            assert "hands off" in live.facts().why
            host.program("ready", "")
            assert (await ask(live, "resume")).ok
            assert [await live.up()] == mine
            assert "asked" not in said(host)
            assert len(host.journal.all(ev.ActionVerified)) == 1
            assert not memory(live).failures

    play(scene)


def test_a_restart_ends_a_start_that_hangs_and_begins_anew(host: Host) -> None:
    async def scene() -> None:
        async with host.healmon(slow(host, stop_timeout=0.5)) as live:
            await hangs(live, host)
            (first,) = host.running("task_worker.py")
            # before that it may be on its way: a second restart would be what is done anyway
            await live.reach(lambda: proved(host) == "V2", "a life of min_uptime")
            asked = asyncio.create_task(ask(live, "restart"))
            await live.reach(lambda: called_off(host), "the end of the first act")
            host.program("ready", "")
            assert (await asked).ok
            second = await live.up(but=first)
            assert host.running("task_worker.py") == [second]
            assert not memory(live).failures
        assert called_off(host) == ["called off: olga asked for restart_worker"]
        assert one_at_a_time(host)

    play(scene)


def test_a_stop_takes_over_a_restart_that_waits_for_an_end_and_asks_nobody_twice(
    host: Host,
) -> None:
    async def scene() -> None:
        host.program("ready", "")
        async with host.healmon(slow(host)) as live:
            _, restart = await waits_for_its_end(live, host, "restart")
            stop = asyncio.create_task(ask(live, "stop"))
            assert "stop_worker" in (await restart).text
            await live.reach(lambda: acting(live) == "stop_worker", "the stop")
            merged = await ask(live, "stop")
            assert not merged.ok
            assert "under way already" in merged.text
            await live.reach(lambda: wanted(host) == "down", "the wish, long before the end")
            host.program("end", "")
            assert (await stop).ok
            await live.state("down")
        assert said(host).count("asked") == 1
        assert said(host).count("up") == 1, "it was not started again"
        assert one_at_a_time(host)

    play(scene)


def test_a_start_takes_over_a_stop_that_waits_for_an_end(host: Host) -> None:
    async def scene() -> None:
        host.program("ready", "")
        async with host.healmon(slow(host)) as live:
            first, stop = await waits_for_its_end(live, host, "stop")
            live.engine.check_now()
            await live.state("stopping")
            start = asyncio.create_task(ask(live, "start"))
            assert "start_worker" in (await stop).text
            host.kill(first, 9)
            assert (await start).ok
            await live.up(but=first)
            facts = live.facts()
            assert facts is not None
            assert facts.desired == "up"
        assert said(host).count("asked") == 1
        assert one_at_a_time(host)

    play(scene)


def test_a_pause_ends_a_stop_that_waits_and_nobody_is_killed_in_it(host: Host) -> None:
    async def scene() -> None:
        host.program("ready", "")
        async with host.healmon(slow(host)) as live:
            first, restart = await waits_for_its_end(live, host, "restart")
            assert (await ask(live, "pause", **{"for": 600.0})).ok
            assert not (await restart).ok
            assert not acting(live), "nobody is left who would send the SIGKILL"
            assert host.running("task_worker.py") == [first]
            assert (await ask(live, "resume")).ok
            host.kill(first, 9)
            await live.up(but=first)

    play(scene)


def test_the_end_of_healmon_waits_for_no_proof_and_the_next_one_goes_on_with_it(
    host: Host,
) -> None:
    async def scene() -> None:
        async with host.healmon(slow(host)) as live:
            await hangs(live, host)
            mine = host.running("task_worker.py")
            began = time.monotonic()
        assert time.monotonic() - began < PATIENT / 4
        assert called_off(host) == ["called off: healmon stopped"]
        host.program("ready", "")
        async with host.healmon(slow(host)) as live:
            assert [await live.up()] == mine
        (plan,) = [e.plan for e in host.journal.all(ev.PlanMade)][1:]
        assert "that goes on" in plan.why
        assert said(host).count("up") == 1

    play(scene)


def test_a_restart_that_is_on_its_way_is_what_a_second_one_asks_for(host: Host) -> None:
    async def scene() -> None:
        host.program("ready", "")
        async with host.healmon(slow(host)) as live:
            first, one = await waits_for_its_end(live, host, "restart")
            other = await ask(live, "restart")
            assert not other.ok
            assert "restart_worker is under way already" in other.text
            host.kill(first, 9)
            assert (await one).ok

    play(scene)
