"""The engine with made-up healers: what it promises whatever the healers do."""

from __future__ import annotations

import asyncio
import copy

import pytest
from msgspec.structs import replace

from healmon import events as ev
from healmon.clock import ManualClock
from healmon.engine import Engine, Run, room
from healmon.errors import ProbeError, RemedyError, VetoError
from healmon.plans import Finding
from healmon.report import exit_code
from healmon.state import replay
from tests.helpers.made_up import MemoryJournal, ScriptedHealer

HOUR = 3600.0


def build(*healers, dry_run=False, journal=None, clock=None, interval=60.0):
    journal = journal or MemoryJournal()
    clock = clock or ManualClock(autojump=False)
    engine = Engine(healers, journal, clock, Run(host="box", interval=interval, dry_run=dry_run))
    return engine, journal, clock


def once(*healers, **options):
    engine, journal, _ = build(*healers, **options)
    snapshot = asyncio.run(engine.run_once())
    assert replay(journal.records) == engine.snapshot
    return snapshot, journal


async def reach(condition, limit=30.0):
    async with asyncio.timeout(limit):
        while not condition():
            await asyncio.sleep(0.005)


def test_a_fault_is_found_planned_journaled_done_proved_and_told_in_this_order():
    healer = ScriptedHealer(broken=True)
    snapshot, journal = once(healer)
    chain = [
        k for k in journal.kinds()
        if k in {"Observed", "AlertOpened", "PlanMade", "ActionStarted", "StepTaken",
                 "ActionVerified", "AlertNoted", "AlertResolved"}
    ]  # fmt: skip
    assert chain == [
        "Observed", "AlertOpened", "PlanMade", "ActionStarted", "StepTaken",
        "ActionVerified", "AlertNoted", "Observed", "AlertResolved",
    ]  # fmt: skip
    assert snapshot.components["things:one"].status == "healthy"
    assert snapshot.tallies["mend_thing"] == 1
    assert not snapshot.alerts
    assert exit_code(snapshot) == 0
    assert healer.closed


def test_every_effect_names_its_cause():
    _, journal = once(ScriptedHealer(broken=True))
    by_id = {r.id: r.event for r in journal.records}
    for record in journal.records:
        if isinstance(record.event, ev.ActionVerified):
            assert isinstance(by_id[record.cause], ev.PlanMade)
        if isinstance(record.event, ev.PlanMade):
            assert isinstance(by_id[record.cause], ev.Observed)


def test_a_dry_run_says_everything_and_touches_nothing():
    healer = ScriptedHealer(broken=True)
    snapshot, journal = once(healer, dry_run=True)
    assert healer.broken
    refused = journal.all(ev.PlanRefused)
    assert [r.reason for r in refused] == ["dry run"]
    assert not journal.all(ev.StepTaken)
    assert exit_code(snapshot) == 1


def test_a_dry_run_says_the_same_plan_once_however_many_cycles():
    healer = ScriptedHealer(broken=True)
    engine, journal, clock = build(healer, dry_run=True)

    async def scenario():
        await engine._open()
        for _ in range(20):
            await engine.cycle()
            clock.advance(60.0)
        await engine._close()

    asyncio.run(scenario())
    assert len(journal.all(ev.PlanRefused)) == 1
    assert len(journal.all(ev.AlertOpened)) == 1
    assert [e.number for e in journal.all(ev.CycleFinished)] == list(range(1, 21))


def test_a_hanging_healer_delays_nobody_and_is_told_of():
    hanging, working = ScriptedHealer("dead"), ScriptedHealer("alive", broken=True)
    hanging.deadline = 0.1

    async def stubborn():
        while True:  # a look that will not be cancelled
            try:
                await asyncio.sleep(30)
            except asyncio.CancelledError:
                if leave:
                    raise

    leave: list[bool] = []
    hanging.look_hook = stubborn
    engine, journal, _ = build(hanging, working)

    async def scenario():
        await engine._open()
        async with asyncio.timeout(30):
            await engine.cycle()
            await engine.cycle()
        assert engine.snapshot.failing["dead"]
        assert engine.snapshot.components["alive:one"].status in {"healthy", "unhealthy"}
        assert [e.late for e in journal.all(ev.CycleFinished)] == [("dead",), ("dead",)]
        alerts = engine.snapshot.alerts
        assert [a.component for a in alerts.values() if "healer-dead" in a.key] == ["healmon"]
        leave.append(True)
        for task in asyncio.all_tasks() - {asyncio.current_task()}:
            task.cancel()
        await engine._close()

    asyncio.run(scenario())
    assert hanging.looks == 1, "a look that hangs is not doubled"


def test_blindness_is_unknown_and_recovery_lifts_its_alert():
    healer = ScriptedHealer()
    engine, journal, _ = build(healer)

    async def scenario():
        await engine._open()
        await engine.cycle()
        failing = [ProbeError("the server does not answer", remedy="start it")]

        async def fail():
            if failing:
                raise failing[0]

        healer.look_hook = fail
        await engine.cycle()
        assert engine.snapshot.failing == {"things": "the server does not answer; start it"}
        assert engine.snapshot.components["things:one"].status == "unknown"
        assert exit_code(engine.snapshot) == 3
        failing.clear()
        await engine.cycle()
        await engine._close()

    asyncio.run(scenario())
    assert engine.snapshot.components["things:one"].status == "healthy"
    assert not engine.snapshot.alerts
    assert journal.all(ev.HealerRecovered)


def test_a_crash_in_one_healer_is_an_alert_and_the_others_go_on():
    bad, good = ScriptedHealer("bad"), ScriptedHealer("good", broken=True)

    async def crash():
        raise ZeroDivisionError("by design")

    bad.look_hook = crash
    snapshot, _ = once(bad, good)
    assert "ZeroDivisionError" in snapshot.failing["bad"]
    assert snapshot.components["good:one"].status == "healthy"
    (alert,) = snapshot.alerts.values()
    assert alert.severity == "CRITICAL"


@pytest.mark.parametrize(
    ("error", "kind"), [(VetoError("gone"), ev.PlanVetoed), (RemedyError("no"), ev.ActionFailed),
                        (OSError("disk"), ev.ActionFailed)]
)  # fmt: skip
def test_every_plan_ends_in_exactly_one_outcome(error, kind):
    healer = ScriptedHealer(broken=True)

    async def fail():
        raise error

    healer.act_hook = fail
    snapshot, journal = once(healer)
    outcomes = [
        r.event for r in journal.records
        if isinstance(
            r.event, ev.ActionVerified | ev.ActionFailed | ev.PlanVetoed | ev.PlanAbandoned
        )
    ]  # fmt: skip
    assert [type(o) for o in outcomes] == [kind]
    assert not snapshot.plans
    assert exit_code(snapshot) == 1


def test_a_plan_that_waits_is_called_off_when_its_healer_thinks_otherwise_and_planned_anew():
    healer = ScriptedHealer(broken=True, delay=30.0)
    engine, journal, clock = build(healer)

    async def scenario():
        await engine._open()
        await engine.cycle()
        assert [p.plan.delay for p in engine.snapshot.plans.values()] == [30.0]
        await reach(lambda: engine._acts._acts["things:one"].waiting)
        healer.hold, healer.delay = (healer.component,), 90.0
        await engine.cycle()
        await reach(lambda: not engine.snapshot.plans)
        healer.hold = ()
        await engine.cycle()
        assert [p.plan.delay for p in engine.snapshot.plans.values()] == [90.0]
        clock.advance(90.0)
        await reach(lambda: not engine.snapshot.plans)
        await engine._close()

    asyncio.run(scenario())
    (abandoned,) = journal.all(ev.PlanAbandoned)
    assert abandoned.reason == "the newest look says otherwise"
    assert len(journal.all(ev.ActionVerified)) == 1


def test_a_plan_whose_moment_has_come_is_not_called_off():
    healer = ScriptedHealer(broken=True)
    engine, journal, _ = build(healer)
    acting, go_on = asyncio.Event(), asyncio.Event()

    async def slow():
        acting.set()
        await go_on.wait()

    healer.act_hook = slow

    async def scenario():
        await engine._open()
        await engine.cycle()
        await acting.wait()
        healer.hold = (healer.component,)
        await engine.cycle()
        go_on.set()
        await reach(lambda: not engine.snapshot.plans)
        await engine._close()

    asyncio.run(scenario())
    assert not journal.all(ev.PlanAbandoned)
    assert len(journal.all(ev.ActionVerified)) == 1


def test_what_is_wrong_with_all_of_them_is_an_alert_of_healmon_by_its_healer():
    healer = ScriptedHealer()
    other = ScriptedHealer("others")
    engine, journal, clock = build(healer, other)
    healer.systemic = (Finding("storm", "CRITICAL", "many at once", {"n": 3}),)

    async def scenario():
        await engine._open()
        for _ in range(3):
            await engine.cycle()
            clock.advance(60.0)
        (alert,) = engine.snapshot.alerts.values()
        assert (alert.key, alert.component) == ("box/things/healmon/storm", "healmon")
        assert alert.severity == "CRITICAL"
        assert "healmon" not in engine.snapshot.components
        healer.systemic = ()
        await engine.cycle()
        assert engine.snapshot.alerts, "one look proves little"
        clock.advance(60.0)
        await engine.cycle()
        assert not engine.snapshot.alerts
        await engine._close()

    asyncio.run(scenario())
    assert len(journal.all(ev.AlertOpened)) == 1, "one alert, however many looks"


def test_a_plan_that_was_vetoed_is_not_tried_again_in_a_tight_circle():
    healer = ScriptedHealer(broken=True)
    engine, journal, clock = build(healer)

    async def veto():
        raise VetoError("not now")

    healer.act_hook = veto

    async def scenario():
        await engine._open()
        await engine.cycle()
        await reach(lambda: not engine.snapshot.plans)
        await engine.cycle()
        assert [p.plan.delay for p in engine.snapshot.plans.values()] == [0.25]
        clock.advance(1.0)
        await reach(lambda: not engine.snapshot.plans)
        await engine._close()

    asyncio.run(scenario())
    assert len(journal.all(ev.PlanVetoed)) == 2


def test_once_waits_also_for_those_whose_turn_comes_after_another():
    first, second = ScriptedHealer("first", broken=True), ScriptedHealer("second", delay=5.0)
    # the second has something to do only once the first is mended
    look = second.look

    async def later():
        second.broken = not first.broken and second.looks < 3
        return await look()

    second.look = later
    mended = first.carry_out

    async def carry_out(plan, hand):
        proof = await mended(plan, hand)
        second.wake()
        return proof

    first.carry_out = carry_out
    engine, journal, clock = build(first, second)

    async def scenario():
        task = asyncio.create_task(engine.run_once())
        while not task.done():
            clock.advance(1.0)
            await asyncio.sleep(0.005)

    asyncio.run(scenario())
    assert {e.component for e in journal.all(ev.ActionVerified)} == {"first:one", "second:one"}


def test_after_a_failure_the_same_action_cools_down():
    healer = ScriptedHealer(broken=True)

    async def fail():
        raise RemedyError("no luck")

    healer.act_hook = fail
    engine, journal, clock = build(healer)

    async def scenario():
        await engine._open()
        for _ in range(5):
            await engine.cycle()
            await reach(lambda: not engine.snapshot.plans)
            clock.advance(60)
        assert len(journal.all(ev.ActionFailed)) == 1
        assert "cool-down" in journal.all(ev.PlanRefused)[0].reason
        clock.advance(600)
        await engine.cycle()
        await reach(lambda: not engine.snapshot.plans)
        assert len(journal.all(ev.ActionFailed)) == 2
        await engine._close()

    asyncio.run(scenario())


def test_one_plan_per_component_and_a_waiting_one_gives_way_to_a_person():
    healer = ScriptedHealer(broken=True, delay=HOUR)
    engine, journal, _ = build(healer)

    async def scenario():
        await engine._open()
        for _ in range(3):
            await engine.cycle()
        assert len(journal.all(ev.PlanMade)) == 1
        answer = await engine.ask("restart", "things:one", {}, origin="tester")
        assert answer.ok, answer.text
        await engine._close()

    asyncio.run(scenario())
    assert [e.reason for e in journal.all(ev.PlanAbandoned)] == ["tester asked for mend_thing"]
    assert not healer.broken


def test_of_two_people_the_later_one_is_heard_and_the_first_is_told_that_nothing_was_done():
    healer = ScriptedHealer(broken=True)
    looking = asyncio.Event()

    async def long_look_before_the_act():
        looking.set()
        await asyncio.sleep(0.2)

    carry_out = healer.carry_out

    async def hesitant(plan, hand):
        await long_look_before_the_act()
        return await carry_out(plan, hand)

    engine, journal, _ = build(healer)

    async def scenario():
        await engine._open()
        healer.broken = False
        await engine.cycle()
        healer.carry_out = hesitant
        first = asyncio.create_task(engine.ask("restart", "things:one", {}, origin="ann"))
        await looking.wait()
        second = await engine.ask("stop", "things:one", {}, origin="bob")
        told = await first
        assert second.ok, second.text
        assert not told.ok, "it was not done: nobody may read that it was"
        assert told.text == "not done: bob asked for mend_thing"
        await engine._close()

    asyncio.run(scenario())
    assert len(journal.all(ev.StepTaken)) == 1


def test_a_pause_is_heard_by_all_that_look_before_one_of_them_has_ended():
    first, other = ScriptedHealer("first"), ScriptedHealer("other")
    engine, journal, _ = build(first, other)
    looking = []

    def hesitant(healer, look, ending):
        carry_out = healer.carry_out

        async def slowly(plan, hand):
            looking.append(plan.component)
            try:
                await asyncio.sleep(look)
            except asyncio.CancelledError:
                await asyncio.sleep(ending)
                raise
            return await carry_out(plan, hand)

        healer.carry_out = slowly

    async def scenario():
        await engine._open()
        await engine.cycle()
        hesitant(first, 5.0, 0.3)
        hesitant(other, 0.1, 0.0)
        asks = [engine.ask("restart", f"{n}:one", {}, origin="ann") for n in ("first", "other")]
        asked = asyncio.gather(*asks)
        await reach(lambda: len(looking) == 2)
        assert (await engine.ask("pause", "*", {"for": 600.0}, origin="bob")).ok
        assert {answer.text for answer in await asked} == {"not done: bob asked for hands off"}
        await engine._close()

    asyncio.run(scenario())
    assert not journal.all(ev.StepTaken)


def test_a_pause_says_what_is_in_the_midst_of_something_and_finished_all_the_same():
    healer = ScriptedHealer()
    engine, _, _ = build(healer)
    goes_on = asyncio.Event()
    healer.act_hook = goes_on.wait

    async def scenario():
        await engine._open()
        await engine.cycle()
        asked = asyncio.create_task(engine.ask("restart", "things:one", {}, origin="ann"))
        await reach(lambda: engine._acts.busy("things:one"))
        answer = await engine.ask("pause", "things:one", {"for": 600.0}, origin="bob")
        assert answer.text.endswith(
            "things:one; in the midst of it, and being finished: mend_thing of things:one"
        )
        goes_on.set()
        assert (await asked).ok
        await engine._close()

    asyncio.run(scenario())


def test_what_is_asked_for_while_healmon_ends_is_refused_and_never_done_afterwards():
    healer = ScriptedHealer()
    engine, journal, _ = build(healer)
    asked = asyncio.Event()

    async def slow():
        asked.set()
        await asyncio.sleep(0.1)

    async def scenario():
        await engine._open()
        await engine.cycle()
        healer.look_hook = slow
        asking = asyncio.create_task(engine.ask("restart", "things:one", {}, origin="ann"))
        await asked.wait()
        await engine._close()
        assert (await asking).text == "not done: healmon is about to end"

    asyncio.run(scenario())
    assert not journal.all(ev.PlanMade)
    assert isinstance(journal.records[-1].event, ev.OverrideAnswered)


def test_a_person_and_a_diagnosis_never_have_two_acts_at_once_on_the_same():
    healer = ScriptedHealer(broken=True, delay=HOUR)
    engine, _, _ = build(healer)
    at_once = [0, 0]

    async def count():
        at_once[0] += 1
        at_once[1] = max(at_once)
        await asyncio.sleep(0.05)
        at_once[0] -= 1

    healer.act_hook = count

    async def scenario():
        await engine._open()
        await engine.cycle()

        def plan_again(record):
            if isinstance(record.event, ev.PlanAbandoned):  # at the moment it is called off
                room = engine._rooms[0]
                asyncio.get_running_loop().call_soon(engine._acts.propose, room, healer.plan(), 1)

        engine.subscribe(plan_again)
        healer.delay = 0.0
        answer = await engine.ask("restart", "things:one", {}, origin="ann")
        await reach(lambda: not engine.snapshot.plans)
        assert answer.ok or "under way already" in answer.text
        await engine._close()

    asyncio.run(scenario())
    assert at_once[1] == 1


def test_a_diagnosis_that_makes_no_sense_is_a_crash_of_its_healer_alone():
    bad, good = ScriptedHealer("bad"), ScriptedHealer("good", broken=True)
    sense = bad.diagnose
    engine, journal, _ = build(bad, good)

    async def scenario():
        await engine._open()
        bad.diagnose = lambda seen, known, now: replace(sense(seen, known, now), gone=([],))
        await engine.cycle()
        assert "crashed" in engine.snapshot.failing["bad"]
        await reach(lambda: not good.broken)
        bad.diagnose = sense
        await engine.cycle()
        assert not engine.snapshot.failing
        await engine._close()

    asyncio.run(scenario())
    assert len(journal.all(ev.HealerFailed)) == len(journal.all(ev.HealerRecovered)) == 1


def test_an_offer_is_a_sheet_and_only_apply_acts():
    healer = ScriptedHealer(broken=False)
    engine, journal, clock = build(healer)

    async def scenario():
        await engine._open()
        await engine.cycle()
        offer = await engine.ask("offer", "things:one", {"verb": "restart"}, origin="t")
        assert offer.ok
        assert offer.plan is not None
        assert not journal.all(ev.PlanMade)
        applied = await engine.ask("apply", offer.plan.id, {}, origin="t")
        assert applied.ok
        await reach(lambda: journal.all(ev.ActionVerified))
        again = await engine.ask("apply", offer.plan.id, {}, origin="t")
        assert not again.ok, "an offer holds once"
        stale = await engine.ask("offer", "things:one", {"verb": "restart"}, origin="t")
        clock.advance(HOUR)
        assert not (await engine.ask("apply", stale.plan.id, {}, origin="t")).ok
        assert not (await engine.ask("offer", "nobody", {"verb": "restart"}, origin="t")).ok
        assert not (await engine.ask("dance", "things:one", {}, origin="t")).ok
        assert not (await engine.ask("offer", "things:one", {}, origin="t")).ok
        await engine._close()

    asyncio.run(scenario())
    answers = journal.all(ev.OverrideAnswered)
    assert len(answers) == len(journal.all(ev.OverrideReceived)) == 8


def test_acknowledging_expires_and_can_be_taken_back():
    healer = ScriptedHealer(broken=True)
    engine, _, clock = build(healer, dry_run=True)

    async def scenario():
        await engine._open()
        await engine.cycle()
        (alert,) = engine.snapshot.alerts.values()
        ask = engine.ask
        assert (await ask("acknowledge", str(alert.id), {"note": "mine"}, origin="ann")).ok
        (alert,) = engine.snapshot.alerts.values()
        assert (alert.state, alert.acknowledged_by, alert.note) == ("acknowledged", "ann", "mine")
        assert (await ask("unacknowledge", str(alert.id), {}, origin="ann")).ok
        assert not (await ask("unacknowledge", str(alert.id), {}, origin="ann")).ok
        assert (await ask("acknowledge", str(alert.id), {"for": 60}, origin="ann")).ok
        clock.advance(61)
        await engine.cycle()
        (alert,) = engine.snapshot.alerts.values()
        assert alert.state == "open"
        assert not (await ask("acknowledge", "12345678", {}, origin="ann")).ok
        await engine._close()

    asyncio.run(scenario())


def test_maintenance_stops_actions_not_detection_and_ends_by_itself():
    healer = ScriptedHealer()
    engine, journal, clock = build(healer)

    async def scenario():
        await engine._open()
        await engine.cycle()
        assert (await engine.ask("pause", "things:one", {"for": 600}, origin="ann")).ok
        healer.broken = True
        await engine.cycle()
        assert healer.broken
        assert journal.all(ev.PlanRefused)[0].reason == "maintenance of things:one"
        assert engine.snapshot.components["things:one"].status == "unhealthy"
        clock.advance(601)
        await engine.cycle()
        await engine.cycle()
        await reach(lambda: not healer.broken)
        await engine._close()

    asyncio.run(scenario())


def test_a_slow_cycle_never_overlaps_itself_and_a_request_wakes_it():
    healer = ScriptedHealer()
    running = [0]
    most = [0]

    async def slow():
        running[0] += 1
        most[0] = max(most[0], running[0])
        await asyncio.sleep(0.05)
        running[0] -= 1

    healer.look_hook = slow
    engine, journal, clock = build(healer, clock=ManualClock(autojump=False), interval=HOUR)

    async def scenario():
        task = asyncio.create_task(engine.run())
        for count in range(1, 4):
            await reach(lambda count=count: len(journal.all(ev.CycleFinished)) == count)
            engine.check_now()
            healer.wake()
        await reach(lambda: len(journal.all(ev.CycleFinished)) == 4)
        clock.advance(HOUR)
        await reach(lambda: len(journal.all(ev.CycleFinished)) == 5)
        engine.stop("test over")
        await asyncio.wait_for(task, 30)

    asyncio.run(scenario())
    assert most == [1]
    assert journal.all(ev.EngineStopped)[0].reason == "test over"
    assert replay(journal.records) == engine.snapshot


def test_a_wake_looks_at_once_between_cycles():
    healer = ScriptedHealer()
    engine, journal, _ = build(healer, interval=HOUR)

    async def scenario():
        task = asyncio.create_task(engine.run())
        await reach(lambda: journal.all(ev.CycleFinished))
        healer.broken = True
        healer.wake()
        await reach(lambda: journal.all(ev.ActionVerified))
        assert len(journal.all(ev.CycleFinished)) == 1
        engine.stop()
        await asyncio.wait_for(task, 30)

    asyncio.run(scenario())


def test_a_healer_that_wants_to_look_again_sooner_is_heard():
    healer = ScriptedHealer()
    healer.look_again = 0.05
    engine, journal, _ = build(healer, interval=HOUR)

    async def scenario():
        task = asyncio.create_task(engine.run())
        await reach(lambda: healer.looks > 3)
        assert len(journal.all(ev.CycleFinished)) == 1
        engine.stop()
        await asyncio.wait_for(task, 30)

    asyncio.run(scenario())


def test_stopping_lets_the_current_action_finish_and_calls_off_what_waits():
    acting, waiting = (
        ScriptedHealer("acting", broken=True),
        ScriptedHealer("waiting", broken=True, delay=HOUR),
    )

    async def work():
        await asyncio.sleep(0.2)

    acting.act_hook = work
    engine, journal, _ = build(acting, waiting)

    async def scenario():
        task = asyncio.create_task(engine.run())
        await reach(lambda: journal.all(ev.StepTaken))
        engine.stop("bye")
        await asyncio.wait_for(task, 30)

    asyncio.run(scenario())
    assert not acting.broken
    assert waiting.broken
    assert [e.component for e in journal.all(ev.PlanAbandoned)] == ["waiting:one"]
    assert [e.component for e in journal.all(ev.ActionVerified)] == ["acting:one"]


@pytest.mark.parametrize("when", ["acting", "looking"])
def test_what_an_act_has_left_is_seen_before_the_end(when):
    """Who acted may know what no other run can see any more."""
    healer, gate = ScriptedHealer(broken=True), asyncio.Event()
    engine, journal, _ = build(healer)

    async def scenario():
        if when == "acting":
            healer.act_hook = gate.wait
        task = asyncio.create_task(engine.run())
        await reach(lambda: journal.all(ev.StepTaken))
        if when == "looking":
            healer.look_hook = gate.wait
            await reach(lambda: healer.looks == 2)
        engine.stop()
        await reach(lambda: not engine._attending)
        gate.set()
        await asyncio.wait_for(task, 30)

    asyncio.run(scenario())
    assert engine.snapshot.components["things:one"].status == "healthy"
    assert isinstance(journal.records[-1].event, ev.EngineStopped)


def test_a_last_look_that_hangs_does_not_keep_the_engine(monkeypatch):
    monkeypatch.setattr(room, "LAST_LOOK", 0.05)
    healer, gate = ScriptedHealer(broken=True), asyncio.Event()
    healer.act_hook = gate.wait
    engine, journal, _ = build(healer)

    async def scenario():
        task = asyncio.create_task(engine.run())
        await reach(lambda: journal.all(ev.StepTaken))
        healer.look_hook = asyncio.Event().wait
        engine.stop()
        gate.set()
        await asyncio.wait_for(task, 30)

    asyncio.run(scenario())
    assert healer.closed
    assert isinstance(journal.records[-1].event, ev.EngineStopped)


def test_a_plan_cut_off_by_a_kill_is_abandoned_and_looked_at_anew():
    healer = ScriptedHealer(broken=True, delay=HOUR)
    engine, journal, _ = build(healer)

    async def first():
        await engine._open()
        await engine.cycle()
        return copy.deepcopy(journal)  # as the kill leaves it: nothing closes

    journal = asyncio.run(first())
    assert journal.snapshot.plans
    healer.delay = 0.0
    engine, journal, _ = build(healer, journal=journal)
    asyncio.run(engine.run_once())
    assert "looking again" in journal.all(ev.PlanAbandoned)[0].reason
    assert not healer.broken
    assert replay(journal.records) == engine.snapshot


def test_suspend_and_clock_steps_are_events():
    engine, journal, clock = build(ScriptedHealer())

    async def scenario():
        await engine._open()
        await engine.cycle()
        clock.suspend(8 * HOUR)
        await engine.cycle()
        clock.step(-HOUR)
        await engine.cycle()
        await engine._close()

    asyncio.run(scenario())
    assert [(e.suspended, e.stepped) for e in journal.all(ev.ClockJumped)] == [
        (8 * HOUR, 0.0),
        (0.0, -HOUR),
    ]


def test_a_store_that_fails_is_one_alert_and_healing_goes_on():
    healer = ScriptedHealer()
    engine, journal, _ = build(healer, interval=HOUR)

    async def scenario():
        task = asyncio.create_task(engine.run())
        await reach(lambda: journal.all(ev.CycleFinished))
        for _ in range(3):
            engine.store_fault("disk full")
        healer.broken = True
        healer.wake()
        await reach(lambda: journal.all(ev.ActionVerified))
        store = [a for a in engine.snapshot.alerts.values() if a.key.endswith("/store")]
        assert len(store) == 1
        engine.store_recovered(0)
        await reach(lambda: not engine.snapshot.engine.store_fault)
        engine.stop()
        await asyncio.wait_for(task, 30)

    asyncio.run(scenario())
    assert not [a for a in engine.snapshot.alerts.values() if a.key.endswith("/store")]


@pytest.mark.parametrize("step", [24 * HOUR, -24 * HOUR])
def test_a_pause_lasts_as_long_as_was_asked_whatever_the_clock_is_set_to(step):
    """Ended by a step it would be an act on what a person works on; never ending, no healing."""
    healer = ScriptedHealer(broken=True)
    engine, journal, clock = build(healer)

    async def scenario():
        await engine._open()
        assert (await engine.ask("pause", "*", {"for": HOUR}, origin="olga")).ok
        assert (await engine.ask("silence", "things:*", {"for": HOUR}, origin="olga")).ok
        await engine.cycle()
        (key,) = engine.snapshot.alerts
        assert (await engine.ask("acknowledge", key, {"for": HOUR}, origin="olga")).ok
        clock.step(step)
        await engine._rooms[0].round()  # woken by an event, before the next cycle
        clock.advance(HOUR - 60.0)
        await engine.cycle()
        assert healer.broken
        assert engine.snapshot.maintenance
        assert engine.snapshot.silences
        assert engine.snapshot.alerts[key].state == "acknowledged"
        clock.advance(120.0)
        await engine.cycle()
        assert engine.snapshot.alerts[key].state == "open"
        assert not engine.snapshot.silences
        await engine.cycle()
        await reach(lambda: not healer.broken)
        await engine._close()

    asyncio.run(scenario())
    assert replay(journal.records) == engine.snapshot


def test_what_must_never_be_touched_stays_so_for_ever_whatever_the_clock_is_set_to():
    engine, _, clock = build(ScriptedHealer())

    async def scenario():
        await engine._open()
        await engine.cycle()
        await engine.ask("never-touch", "things:one", {}, origin="olga")
        before = engine.snapshot.maintenance
        clock.step(-HOUR)
        await engine.cycle()
        assert engine.snapshot.maintenance == before
        await engine._close()

    asyncio.run(scenario())


def test_a_store_that_was_damaged_meanwhile_is_an_alert_that_names_what_was_kept():
    engine, journal, _ = build(ScriptedHealer())

    async def scenario():
        await engine._open()
        await engine.cycle()
        engine.store_fault("file is not a database")
        engine.store_recovered(0, "healmon.db was damaged; kept as healmon.db.damaged-1")
        await reach(lambda: journal.all(ev.StoreRecovered))
        found = [a for k, a in engine.snapshot.alerts.items() if k.endswith("/store-repaired")]
        assert [alert.state for alert in found] == ["open"]
        assert "healmon.db.damaged-1" in found[0].message
        await engine._close()

    asyncio.run(scenario())


def test_a_cycle_that_is_called_off_leaves_rooms_that_can_be_looked_into_again():
    healer, gate = ScriptedHealer(), asyncio.Event()
    healer.look_hook = gate.wait
    engine, journal, _ = build(healer)

    async def scenario():
        await engine._open()
        cycle = asyncio.create_task(engine.cycle())
        await asyncio.sleep(0.05)
        cycle.cancel()
        with pytest.raises(asyncio.CancelledError):
            await cycle
        gate.set()
        await asyncio.sleep(0.05)
        assert not journal.all(ev.Observed), "nobody waits for what that look saw"
        async with asyncio.timeout(30):
            await engine.cycle()
        assert journal.all(ev.Observed)
        await engine._close()

    asyncio.run(scenario())
    assert healer.looks == 2


def test_a_cycle_waits_for_a_round_that_goes_on_and_makes_another_one():
    busy, other = ScriptedHealer("busy"), ScriptedHealer("other")
    gate = asyncio.Event()
    busy.look_hook = gate.wait
    engine, journal, _ = build(busy, other)

    async def scenario():
        await engine._open()
        going = asyncio.create_task(engine._rooms[0].round())
        await asyncio.sleep(0.05)
        cycle = asyncio.create_task(engine.cycle())
        await asyncio.sleep(0.05)
        assert (busy.looks, other.looks) == (1, 1)
        gate.set()
        async with asyncio.timeout(30):
            assert await going
            await cycle
        assert busy.looks == 2
        assert journal.all(ev.CycleFinished)[-1].late == ()
        await engine._close()

    asyncio.run(scenario())


@pytest.mark.parametrize("step", [-3600.0, 3600.0])
def test_what_is_asked_right_after_the_clock_was_set_lasts_as_long_as_was_asked(
    step: float,
) -> None:
    engine, _, clock = build(ScriptedHealer())

    async def scenario():
        await engine._open()
        await engine.cycle()
        clock.step(step)  # and nobody has noticed it yet
        asked = await engine.ask("pause", "things:one", {"for": 1200.0}, origin="olga")
        assert asked.ok
        await engine.cycle()
        left = engine.snapshot.maintenance["things:one"] - clock.read().wall
        assert 1190 < left <= 1200
        await engine._close()

    asyncio.run(scenario())


def test_an_engine_that_fails_as_it_tells_fails_with_that_and_its_rooms_stay_usable():
    engine, journal, _ = build(ScriptedHealer())

    def broken(record: ev.Recorded) -> None:
        if isinstance(record.event, ev.Observed | ev.HealerFailed):
            raise ZeroDivisionError

    async def scenario():
        await engine._open()
        engine.subscribe(broken)
        with pytest.raises(ZeroDivisionError):
            await engine.cycle()
        engine.stream.unsubscribe(broken)
        async with asyncio.timeout(30):
            await engine.cycle()
        assert journal.all(ev.CycleFinished)[-1].late == ()
        await engine._close()

    asyncio.run(scenario())


def test_an_engine_of_which_a_part_fails_between_two_rounds_fails_with_it_at_once():
    healer = ScriptedHealer()
    engine, journal, _ = build(healer)

    def broken(record: ev.Recorded) -> None:
        if isinstance(record.event, ev.HealerFailed):
            raise ZeroDivisionError

    async def fail():
        raise ProbeError("nothing is to be seen")

    async def scenario():
        engine.subscribe(broken)
        running = asyncio.create_task(engine.run())
        await reach(lambda: journal.all(ev.CycleFinished))
        healer.look_hook = fail
        healer.wake()
        with pytest.raises(ZeroDivisionError):
            await asyncio.wait_for(running, 5.0)
        assert len(journal.all(ev.CycleStarted)) == 1

    asyncio.run(scenario())
