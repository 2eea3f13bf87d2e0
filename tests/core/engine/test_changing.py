"""Another configuration for an engine that runs: what is well is not touched, nothing is lost."""

from __future__ import annotations

import asyncio

from healmon import events as ev
from healmon.clock import ManualClock
from healmon.config.settings import Alerts, Channel, Notify
from healmon.engine import Engine, Run
from healmon.engine.changing import Amendment
from healmon.engine.run import Outlet
from healmon.plans import Answer
from healmon.world.simulated.notifying import SimulatedMessenger
from tests.helpers.made_up import MemoryJournal, ScriptedHealer

TOLD = ev.ConfigurationChanged("olga", "/etc/healmon.toml", (ev.KeyChange("a.b"),), 5.0, "2")


def amendment(*healers, told=TOLD, notify=None, alerts=None):
    outlet = None
    if notify is not None:
        outlet = Outlet(messenger=SimulatedMessenger(), notify=notify)
    return Amendment(
        told=told, interval=5.0, alerts=alerts or Alerts(), outlet=outlet,
        healers={healer.name: healer for healer in healers},
    )  # fmt: skip


async def reach(condition, limit=30.0):
    async with asyncio.timeout(limit):
        while not condition():
            await asyncio.sleep(0.005)


def live(scenario, *healers, **run):
    """Run an engine through a scenario; returns its journal."""
    journal, clock = MemoryJournal(), ManualClock(autojump=False)
    engine = Engine(healers, journal, clock, Run(host="box", interval=60.0, **run))

    async def main():
        running = asyncio.create_task(engine.run())
        await reach(lambda: journal.all(ev.CycleFinished))
        await scenario(engine, journal, clock)
        engine.stop()
        await running

    asyncio.run(main())
    return journal


def test_a_healer_is_followed_between_two_looks_and_a_cycle_comes_at_once():
    old, other, new = ScriptedHealer(), ScriptedHealer("other"), ScriptedHealer()

    async def scenario(engine, journal, _clock):
        assert await engine.amend(amendment(new), 30.0) == []
        await reach(lambda: len(journal.all(ev.CycleFinished)) == 2)
        assert old.closed
        assert not other.closed
        assert new.looks >= 1
        assert engine.snapshot.engine.interval == 5.0
        assert engine.snapshot.engine.configuration == "2"
        assert journal.all(ev.CycleFinished)[-1].next_in <= 5.0

    journal = live(scenario, old, other)
    assert new.closed
    assert journal.all(ev.ConfigurationChanged) == [TOLD]


def test_an_act_under_way_ends_first_by_the_healer_that_began_it():
    old, new = ScriptedHealer(broken=True), ScriptedHealer(broken=True)
    gate = asyncio.Event()
    old.act_hook = gate.wait

    async def scenario(engine, journal, _clock):
        await reach(lambda: journal.all(ev.ActionStarted))
        waiting = await engine.amend(amendment(new), 0.05)
        assert waiting == ["things, mend_thing things:one"]
        assert new.looks == 0
        asked = asyncio.create_task(engine.ask("mend", "things:one", {}, origin="olga"))
        asked_again = asyncio.create_task(engine.ask("restart", "things:one", {}, origin="olga"))
        await asyncio.sleep(0.05)
        assert not asked_again.done(), "who asks meanwhile waits, and is not sent away"
        gate.set()
        await reach(lambda: new.looks and old.closed)
        assert not (await asked).ok
        assert (await asked_again).ok
        assert not old.broken
        assert not new.broken, "the newer one did what was asked since"

    journal = live(scenario, old)
    # the newer one may have seen by itself what is broken before it was asked
    assert len(journal.all(ev.ActionVerified)) in {2, 3}
    reasons = {e.reason for e in journal.all(ev.PlanAbandoned)}
    assert reasons <= {"olga asked for mend_thing"}, "the one that was planned a moment before"
    ended = len(journal.all(ev.ActionVerified)) + len(journal.all(ev.PlanAbandoned))
    assert len(journal.all(ev.PlanMade)) == ended, "each plan has an end"


def test_whoever_acted_looks_once_more_before_another_one_follows():
    """What only he knows of it is told by that look, and by no other."""
    old, new = ScriptedHealer(broken=True), ScriptedHealer(broken=True, delay=600.0)
    gate = asyncio.Event()
    old.act_hook = gate.wait

    async def scenario(engine, journal, _clock):
        await reach(lambda: journal.all(ev.ActionStarted))
        changed = asyncio.create_task(engine.amend(amendment(new), 5.0))
        await asyncio.sleep(0)
        gate.set()
        assert await changed == []
        told = [e.status for e in journal.all(ev.Observed) if e.component == "things:one"]
        assert told == ["unhealthy", "healthy"]

    live(scenario, old)


def test_a_plan_that_waits_is_called_off_and_planned_anew_by_who_follows():
    old, new = ScriptedHealer(broken=True, delay=600.0), ScriptedHealer(broken=True, delay=30.0)

    async def scenario(engine, journal, _clock):
        await reach(lambda: journal.all(ev.PlanMade))
        assert await engine.amend(amendment(new), 30.0) == []
        await reach(lambda: len(journal.all(ev.PlanMade)) == 2)
        (view,) = engine.snapshot.plans.values()
        assert view.plan.delay == 30.0

    journal = live(scenario, old)
    assert next(e.reason for e in journal.all(ev.PlanAbandoned)).startswith("the configuration")


def test_a_plan_sheet_of_before_is_no_longer_on_offer():
    old, new = ScriptedHealer(broken=True, delay=600.0), ScriptedHealer(broken=True, delay=600.0)

    async def scenario(engine, _journal, _clock):
        offer = await engine.ask("offer", "things:one", {"verb": "restart"}, origin="olga")
        await engine.amend(amendment(new), 30.0)
        answer = await engine.ask("apply", offer.plan.id, {}, origin="olga")
        assert "no longer on offer" in answer.text
        assert new.broken

    live(scenario, old)


def test_two_changes_on_top_of_each_other_end_with_the_newer():
    old, second, third = (ScriptedHealer(broken=True) for _ in range(3))
    gate = asyncio.Event()
    old.act_hook = gate.wait

    async def scenario(engine, journal, _clock):
        await reach(lambda: journal.all(ev.ActionStarted))
        await engine.amend(amendment(second), 0.01)
        await engine.amend(amendment(third), 0.01)
        gate.set()
        await reach(lambda: third.looks)
        assert second.closed

    live(scenario, old)
    assert old.closed
    assert third.closed


def test_a_stop_while_a_change_waits_ends_in_order():
    old, new = ScriptedHealer(broken=True), ScriptedHealer()
    gate = asyncio.Event()
    old.act_hook = gate.wait

    async def scenario(engine, journal, _clock):
        await reach(lambda: journal.all(ev.ActionStarted))
        await engine.amend(amendment(new), 0.01)
        asyncio.get_running_loop().call_later(0.05, gate.set)

    journal = live(scenario, old)
    assert len(journal.all(ev.ActionVerified)) == 1
    assert old.closed
    assert journal.records[-1].event == ev.EngineStopped("asked to stop")


def test_rules_of_alerts_and_channels_hold_from_the_next_look_on():
    healer = ScriptedHealer()
    channel = Channel(name="ops", url="https://example.invalid/x", severity="WARNING")

    async def scenario(engine, journal, _clock):
        new = ScriptedHealer(broken=True, delay=600.0)
        rules = Alerts(confirm_checks=1)
        await engine.amend(amendment(new, notify=Notify(channels=(channel,)), alerts=rules), 30.0)
        await reach(lambda: journal.all(ev.AlertOpened))
        assert engine._courier is not None, "there was no channel before"
        await engine.amend(amendment(told=None, notify=Notify()), 30.0)

    live(scenario, healer)


def test_a_wrong_configuration_is_told_once_and_is_an_alert_until_a_right_one_is_read():
    async def scenario(engine, journal, _clock):
        engine.misread(["healmon.toml:3: x: unknown key", "healmon.toml:4: y"], "SIGHUP")
        (alert,) = engine.snapshot.alerts.values()
        assert alert.component == "healmon"
        assert alert.key.endswith("/configuration")
        assert "x: unknown key, and 1 more" in alert.message
        engine.check_now()
        await reach(lambda: len(journal.all(ev.CycleFinished)) == 2)
        assert engine.snapshot.alerts
        await engine.amend(amendment(told=None), 30.0)
        assert not engine.snapshot.alerts

    journal = live(scenario, ScriptedHealer())
    (refused,) = journal.all(ev.ConfigurationRefused)
    assert len(refused.problems) == 2


def test_what_changed_while_no_healer_ran_is_told_at_the_start():
    async def nothing(*_):
        pass

    first = live(nothing, ScriptedHealer(), configuration="1", source="/a.toml")
    assert not first.all(ev.ConfigurationChanged)
    for digest, told in (("1", []), ("2", [("start", "2")])):
        journal, clock = MemoryJournal(), ManualClock(autojump=False)
        for record in first.records:
            journal.append(record)
        engine = Engine([ScriptedHealer()], journal, clock, Run(host="box", configuration=digest))
        asyncio.run(engine.run_once())
        events = [(e.origin, e.digest) for e in journal.all(ev.ConfigurationChanged)]
        assert events == told


def test_the_request_to_reread_goes_to_whoever_reads():
    asked = []

    async def reread(arguments, origin):
        asked.append((arguments, origin))
        return Answer(ok=True, text="changed")

    async def scenario(engine, _journal, _clock):
        assert not (await engine.ask("reload", "", {}, origin="olga")).ok, "it reads no file"

    live(scenario, ScriptedHealer())

    async def with_file(engine, _journal, _clock):
        assert (await engine.ask("reload", "", {"dry_run": True}, origin="olga")).text == "changed"

    Engine.reread = staticmethod(reread)
    try:
        live(with_file, ScriptedHealer())
    finally:
        Engine.reread = None
    assert asked == [({"dry_run": True}, "olga")]
