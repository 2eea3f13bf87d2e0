"""The dry run of a running healer: asked for, told as an event, over by the next start."""

from __future__ import annotations

import asyncio

import pytest

from healmon import events as ev
from healmon.clock import ManualClock
from healmon.config.settings import Alerts
from healmon.engine import Engine, Run
from tests.helpers.made_up import MemoryJournal, ScriptedHealer


def engine_of(healer, *, dry=False, journal=None):
    run = Run(host="box", alerts=Alerts(confirm_checks=1), dry_run=dry)
    return Engine([healer], journal or MemoryJournal(), ManualClock(autojump=False), run)


def played(engine, scene):
    async def whole():
        running = asyncio.create_task(engine.run())
        async with asyncio.timeout(30):
            while not engine.snapshot.cycle.finished_at:
                await asyncio.sleep(0.005)
            await scene()
        engine.stop("done")
        await running

    asyncio.run(whole())


def test_on_it_plans_and_touches_nothing_and_off_it_acts_again():
    healer = ScriptedHealer(broken=False)
    engine = engine_of(healer)

    async def scene():
        answer = await engine.ask("dry-run", "on", {}, origin="olga on pts/3")
        assert answer.ok
        assert "only plans" in answer.text
        assert engine.snapshot.engine.dry_run
        offer = await engine.ask("offer", "things:one", {"verb": "clear"}, origin="olga")
        assert offer.ok
        assert offer.text == "dry run"
        refused = await engine.ask("clear", "things:one", {}, origin="olga")
        assert not refused.ok
        assert not engine.snapshot.recent
        answer = await engine.ask("dry-run", "off", {}, origin="olga on pts/3")
        assert answer.ok
        assert not engine.snapshot.engine.dry_run
        done = await engine.ask("clear", "things:one", {}, origin="olga")
        assert done.ok, done.text

    played(engine, scene)
    told = engine.stream.journal.all(ev.DryRunChanged)
    assert told == [
        ev.DryRunChanged(True, "olga on pts/3"),
        ev.DryRunChanged(False, "olga on pts/3"),
    ]


def test_what_may_act_without_the_engine_is_taken_back():
    healer = ScriptedHealer(broken=False)
    engine = engine_of(healer)

    async def scene():
        await engine.ask("dry-run", "on", {}, origin="olga")
        await engine.ask("dry-run", "off", {}, origin="olga")

    played(engine, scene)
    assert healer.paused == ["*"]


def test_a_configured_dry_run_is_not_switched_off():
    engine = engine_of(ScriptedHealer(broken=False), dry=True)

    async def scene():
        answer = await engine.ask("dry-run", "off", {}, origin="olga")
        assert not answer.ok
        assert "monitor.dry_run = false" in answer.text
        assert engine.snapshot.engine.dry_run
        assert (await engine.ask("dry-run", "on", {}, origin="olga")).ok

    played(engine, scene)


def test_a_plan_that_waits_is_not_done_once_the_dry_run_is_on():
    healer = ScriptedHealer(broken=True, delay=30.0)
    engine = engine_of(healer)
    clock = engine._clock

    async def scene():
        assert engine.snapshot.plans
        await engine.ask("dry-run", "on", {}, origin="olga")
        clock.advance(31.0)
        while engine.snapshot.plans:
            await asyncio.sleep(0.005)
        assert not engine.snapshot.recent

    played(engine, scene)
    assert [event.reason for event in engine.stream.journal.all(ev.PlanVetoed)] == ["dry run"]


@pytest.mark.parametrize("target", ["", "maybe", "ON"])
def test_anything_else_is_refused(target):
    engine = engine_of(ScriptedHealer(broken=False))

    async def scene():
        answer = await engine.ask("dry-run", target, {}, origin="olga")
        assert not answer.ok
        assert "on or off" in answer.text

    played(engine, scene)


def test_the_next_start_acts_again():
    journal = MemoryJournal()
    engine = engine_of(ScriptedHealer(broken=False), journal=journal)

    async def scene():
        await engine.ask("dry-run", "on", {}, origin="olga")

    played(engine, scene)
    again = engine_of(ScriptedHealer(broken=False), journal=journal)

    async def later():
        while not again.snapshot.engine.running:
            await asyncio.sleep(0.005)
        assert not again.snapshot.engine.dry_run

    played(again, later)
