"""The inbox while the engine runs: what is confirmed when, and what is believed after the dark."""

from __future__ import annotations

import asyncio

import pytest
from msgspec.structs import replace

from healmon import events as ev
from healmon import gate
from healmon.clock import ManualClock, SystemClock
from healmon.config.settings import Alerts
from healmon.engine import Engine, Run
from healmon.errors import ProbeError
from healmon.report import cycle_data, exit_code
from healmon.state import Snapshot, apply, open_alerts, replay
from tests.helpers.made_up import MemoryJournal, ScriptedHealer

KEY = "box/things/things:one/broken"
HOUR = 3_600.0


def build(*healers, journal=None, clock=None, interval=60.0, **rules):
    """Return an engine that may not act, its journal and its clock."""
    journal = journal or MemoryJournal()
    clock = clock or ManualClock(autojump=False)
    run = Run(host="box", interval=interval, dry_run=True, alerts=Alerts(**rules))
    return Engine(healers, journal, clock, run), journal, clock


def lived(engine, journal, clock, *scenes):
    """Play scenes, a cycle after each; 60 s pass before each but the first."""

    async def life():
        await engine._open()
        for number, scene in enumerate(scenes):
            if number:
                clock.advance(60.0)
            scene()
            await engine.cycle()
        await engine._close()

    asyncio.run(life())
    assert replay(journal.records) == engine.snapshot


def nothing() -> None:
    return None


def test_what_is_not_confirmed_stands_apart_and_alarms_nobody():
    engine, journal, clock = build(ScriptedHealer(broken=True))
    lived(engine, journal, clock, nothing)
    assert engine.snapshot.alerts[KEY].pending
    assert exit_code(engine.snapshot) == 0
    data = cycle_data(engine.snapshot, journal.records)
    assert data["alerts"] == []
    assert [one["key"] for one in data["pending"]] == [KEY]
    assert not journal.all(ev.AlertOpened)


@pytest.mark.slow
def test_the_engine_looks_again_soon_to_confirm_and_not_a_cycle_later():
    async def life():
        engine, _, _ = build(ScriptedHealer(broken=True), clock=SystemClock(), interval=3.0)
        run = asyncio.create_task(engine.run())
        async with asyncio.timeout(30):
            while not open_alerts(engine.snapshot):
                await asyncio.sleep(0.01)
        assert engine.snapshot.cycle.number == 1, "no second cycle was needed"
        engine.stop()
        await run

    asyncio.run(life())


def test_a_healer_that_is_silent_for_three_intervals_leaves_stale_alerts_and_decides_later():
    healer = ScriptedHealer(broken=True)
    engine, journal, clock = build(healer)

    async def silent():
        raise ProbeError("no answer")

    async def answers():
        return None

    def fall_silent():
        healer.look_hook = silent

    def speak():
        healer.look_hook = answers

    lived(
        engine, journal, clock, nothing, nothing, fall_silent, nothing, nothing, nothing, speak
    )  # fmt: skip
    told = [e for r in journal.records if getattr(e := r.event, "key", "") == KEY]
    assert [type(e).__name__ for e in told] == [
        "AlertPended", "AlertOpened", "AlertStale", "AlertSeen",
    ]  # fmt: skip
    assert "no answer" in told[2].reason
    assert engine.snapshot.alerts[KEY].state == "open"


def test_after_a_long_death_alerts_are_stale_until_somebody_looks():
    engine, journal, clock = build(ScriptedHealer(broken=True))
    lived(engine, journal, clock, nothing, nothing)
    before = engine.snapshot.alerts[KEY]
    clock.advance(2 * HOUR)
    again, _, _ = build(ScriptedHealer(broken=True), journal=journal, clock=clock)
    states = []
    again.subscribe(lambda record: states.append((type(record.event), record.event)))
    lived(again, journal, clock, nothing)
    kinds = [kind for kind, event in states if getattr(event, "key", "") == KEY]
    assert kinds == [ev.AlertStale, ev.AlertSeen]
    alert = again.snapshot.alerts[KEY]
    assert (alert.id, alert.state, alert.opened_at) == (before.id, "open", before.opened_at)


def test_a_short_restart_changes_nothing():
    engine, journal, clock = build(ScriptedHealer(broken=True))
    lived(engine, journal, clock, nothing, nothing)
    clock.advance(30.0)
    again, _, _ = build(ScriptedHealer(broken=True), journal=journal, clock=clock)
    lived(again, journal, clock, nothing)
    assert not journal.all(ev.AlertStale)
    assert len(journal.all(ev.AlertOpened)) == 1


def test_what_was_over_long_ago_is_archived_by_the_clock():
    healer = ScriptedHealer(broken=True)
    engine, journal, clock = build(healer)

    def mend():
        healer.broken = False

    lived(engine, journal, clock, nothing, nothing, mend, *[nothing] * 31)
    assert [e.key for e in journal.all(ev.AlertResolved)] == [KEY]
    assert [e.key for e in journal.all(ev.AlertArchived)] == [KEY]
    assert not engine.snapshot.ended


def test_a_remedy_that_works_and_does_not_last_waits_for_its_cool_down_while_it_flaps():
    def refused(*told, after, cooldown=600.0):
        snapshot = Snapshot()
        for number, event in enumerate(told, 1):
            snapshot = apply(snapshot, ev.Recorded(number, 1_000.0, event))
        plan = replace(ScriptedHealer().plan(), cooldown=cooldown)
        return gate.refusal(plan, snapshot, 1_000.0 + after, dry_run=False)

    started = ev.EngineStarted("box", "1", 1, "test", False, 60.0, "b", 0.0)
    done = ev.ActionVerified("p", "things:one", "mend_thing", "it is whole", 1.0)
    flaps = ev.AlertOpened("box/things/things:one/flapping", "WARNING", "things:one", "flaps")
    assert refused(started, done, after=1.0) == ""
    assert "comes and goes" in refused(started, flaps, done, after=599.0)
    assert refused(started, flaps, done, after=600.0) == ""
    assert refused(started, flaps, done, after=1.0, cooldown=0.0) == "", "it has its own backoff"


class Stamping(ScriptedHealer):
    """Remembers the moment of its first look for ever."""

    def diagnose(self, seen, known, now):
        told = super().diagnose(seen, known, now)
        memory = known.memory.get(self.component) or {"failure": now.wall}
        return replace(told, verdicts=tuple(replace(v, memory=memory) for v in told.verdicts))


def test_a_clock_that_is_set_while_a_look_goes_on_moves_what_its_healer_remembers():
    healer = Stamping("disks")  # one whose memory has moments
    engine, journal, clock = build(healer)
    began = clock.read().wall

    def set_meanwhile():
        async def step():
            clock.step(HOUR)

        healer.look_hook, healer.broken = step, True

    lived(engine, journal, clock, lambda: None, set_meanwhile)
    assert engine.snapshot.memory["disks:one"] == {"failure": began + HOUR}
