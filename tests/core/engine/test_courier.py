"""Notices on their way: each channel by itself, nothing lost, nobody kept waiting."""

from __future__ import annotations

import asyncio
import time

import msgspec
import pytest

from healmon import events as ev
from healmon.clock import ManualClock, SystemClock, local_time
from healmon.config import settings as st
from healmon.engine import Engine, Run
from healmon.engine.changing import Amendment
from healmon.engine.courier import Courier
from healmon.engine.run import Outlet
from healmon.engine.stream import Stream
from healmon.plans import Finding
from healmon.state import replay
from healmon.world.simulated.notifying import SimulatedMessenger
from tests.helpers.made_up import MemoryJournal, ScriptedHealer
from tests.helpers.postroom import channels, key_of

KEPT = "box/things/things:one/broken"


def at_once(*names: str, **keys) -> st.Notify:
    steps = (st.Rung(after=0.0, channels=names),)
    return st.Notify(channels=channels(*names, **keys), steps=steps, group_within=0.0)


class Rig:
    """A courier on a stream of its own."""

    def __init__(
        self, notify: st.Notify, journal: MemoryJournal | None = None, clock=None, report=None
    ) -> None:
        self.journal = journal or MemoryJournal()
        self.clock = clock or ManualClock(autojump=False)
        self.stream = Stream(self.journal, self.clock)
        self.messenger = SimulatedMessenger()
        outlet = Outlet(messenger=self.messenger, notify=notify, epoch="epoch", report=report)
        self.courier = Courier(self.stream, self.clock, outlet)

    def open(self, name: str = "a") -> None:
        self.stream.emit(ev.AlertOpened(key_of(name), "CRITICAL", name, f"{name} is down"))


async def reach(condition, limit=30.0):
    async with asyncio.timeout(limit):
        while not condition():
            await asyncio.sleep(0.005)


async def attended(rig: Rig, scenario) -> None:
    attending = asyncio.create_task(rig.courier.attend())
    try:
        await scenario()
    finally:
        attending.cancel()
        await asyncio.gather(attending, return_exceptions=True)
        await rig.courier.close(0.1)


def test_what_is_due_is_made_kept_delivered_and_recorded_in_this_order():
    async def scenario():
        rig = Rig(at_once("ops"))
        rig.open()
        await rig.courier.once()
        await rig.courier.close(1.0)
        return rig

    rig = asyncio.run(scenario())
    assert rig.journal.kinds() == ["AlertOpened", "NoticeMade", "NoticeSent"]
    opened, made, sent = rig.journal.records
    assert made.cause == opened.id
    assert sent.cause == sent.event.notice == made.id
    (message,) = rig.messenger.taken
    assert message.id == f"epoch-{made.id}-{round(made.wall * 1000)}"
    assert replay(rig.journal.records) == rig.stream.snapshot


def test_an_alert_is_told_as_soon_as_it_is_there_and_closed_when_it_is_over():
    rig = None

    async def main():
        nonlocal rig
        rig = Rig(at_once("ops"))

        async def scenario():
            rig.open()
            await reach(lambda: len(rig.messenger.taken) == 1)
            rig.stream.emit(ev.AlertResolved(key_of("a"), "it is up"))
            await reach(lambda: len(rig.messenger.taken) == 2)

        await attended(rig, scenario)

    asyncio.run(main())
    assert [m.topic for m in rig.messenger.taken] == ["opened", "recovered"]


def test_a_channel_that_hangs_keeps_no_other_waiting():
    async def main():
        rig = Rig(at_once("dead", "ops", timeout=30.0))
        rig.messenger.hanging = {"dead"}

        async def scenario():
            began = time.monotonic()
            for name in ("a", "b"):
                rig.open(name)
                await reach(lambda name=name: any(name in m.title for m in rig.messenger.taken))
            assert time.monotonic() - began < 20
            assert {m.channel for m in rig.messenger.taken} == {"ops"}

        await attended(rig, scenario)
        assert {n.channel for n in rig.stream.snapshot.notices.values()} == {"dead"}

    asyncio.run(main())


def test_what_was_not_delivered_is_delivered_by_the_next_run_under_the_same_id():
    async def first():
        rig = Rig(at_once("ops", timeout=0.05))
        rig.messenger.lost = {"ops"}  # taken, and nobody heard of it
        rig.open()
        await rig.courier.once()
        await rig.courier.close(1.0)
        return rig

    one = asyncio.run(first())
    assert [r.reason for r in one.journal.all(ev.NoticeFailed)] == ["no answer within 0.05 s"]
    clock = ManualClock(wall=one.clock.read().wall + 60, autojump=False)

    async def second():
        rig = Rig(at_once("ops"), one.journal, clock)
        await rig.courier.once()
        await rig.courier.close(1.0)
        return rig

    two = asyncio.run(second())
    assert [m.id for m in two.messenger.taken] == [m.id for m in one.messenger.taken]
    assert not two.stream.snapshot.notices


def test_a_clock_that_was_set_calls_nobody_early_and_renames_no_notice():
    async def scenario():
        rungs = (st.Rung(after=0.0, channels=("ops",)), st.Rung(after=900.0, channels=("boss",)))
        notify = msgspec.structs.replace(at_once("ops", "boss", timeout=0.05), steps=rungs)
        rig = Rig(notify)
        rig.messenger.lost = {"ops"}  # taken, and nobody heard of it
        rig.open()
        await rig.courier.once()
        rig.clock.step(86400.0)  # no round of the engine has seen it yet
        rig.clock.advance(60.0)
        await rig.courier.once()
        await rig.courier.close(1.0)
        return rig

    rig = asyncio.run(scenario())
    assert [m.channel for m in rig.messenger.taken] == ["ops", "ops"]
    assert len({m.id for m in rig.messenger.taken}) == 1


def test_what_a_crashing_door_says_is_not_told():
    async def main():
        rig = Rig(at_once("ops"))

        def crash(*_):
            raise ValueError("https://host/sesame")

        rig.messenger.deliver = crash
        rig.open()
        await rig.courier.once()
        await rig.courier.close(1.0)
        return rig

    rig = asyncio.run(main())
    assert [r.reason for r in rig.journal.all(ev.NoticeFailed)] == ["crashed: ValueError"]


def test_a_courier_that_cannot_decide_says_so_and_goes_on(monkeypatch):
    async def main():
        rig = Rig(at_once("ops"))
        broken = [True]
        from healmon.engine import courier

        decide = courier.decide

        def once_broken(*arguments):
            if broken[0]:
                raise RuntimeError("no")
            return decide(*arguments)

        monkeypatch.setattr(courier, "decide", once_broken)

        async def scenario():
            rig.open()
            await reach(lambda: "notices" in rig.stream.snapshot.failing)
            broken[0] = False
            rig.open("b")
            await reach(lambda: len(rig.messenger.taken) == 2)
            assert not rig.stream.snapshot.failing

        await attended(rig, scenario)

    asyncio.run(main())


def engine(messenger, notify, *, dry_run=False):
    healer = ScriptedHealer(broken=True)
    healer.systemic = (Finding("storm", "CRITICAL", "all is lost"),)
    outlet = Outlet(messenger=messenger, notify=notify, epoch="epoch")
    run = Run(host="box", interval=0.2, dry_run=dry_run, outlet=outlet)
    journal = MemoryJournal()
    return Engine([healer], journal, SystemClock(), run), journal


def test_a_dry_run_tells_nobody():
    messenger = SimulatedMessenger()
    made, journal = engine(messenger, at_once("ops"), dry_run=True)
    asyncio.run(made.run_once())
    assert not messenger.taken
    assert not journal.all(ev.NoticeMade)


@pytest.mark.slow
def test_a_dead_channel_is_an_alert_that_leaves_by_another_and_ends_with_it(monkeypatch):
    monkeypatch.setattr("healmon.alerts.outbox.FIRST_PAUSE", 0.05)
    monkeypatch.setattr("healmon.alerts.outbox.LONGEST_PAUSE", 0.2)
    monkeypatch.setattr("healmon.alerts.channels.GRAVE_AFTER", 0.0)
    monkeypatch.setattr("healmon.engine.courier.POLL", 0.05)
    messenger = SimulatedMessenger()
    messenger.faults = {"dead": "it is down"}
    made, _ = engine(messenger, at_once("dead", "ops"))
    key = "box/healmon/healmon/channel-dead"

    async def scenario():
        running = asyncio.create_task(made.run())
        await reach(lambda: key in made.snapshot.alerts, 40)
        await reach(lambda: any("channel dead" in m.title for m in messenger.taken), 40)
        assert not [n for n in made.snapshot.notices.values() if key in n.keys]
        messenger.faults = {}
        await reach(lambda: key not in made.snapshot.alerts, 40)
        await reach(lambda: not made.snapshot.notices, 40)
        made.stop()
        await running

    asyncio.run(scenario())
    dead = [m for m in messenger.taken if m.channel == "dead"]
    assert any("all is lost" in m.body for m in dead)
    assert not any("channel dead" in m.title for m in dead)


def reporting(report):
    async def main():
        clock = ManualClock(autojump=False)
        notify = msgspec.structs.replace(
            at_once("ops"), report_at=local_time(clock.read().wall + 120, "%H:%M")
        )
        rig = Rig(notify, clock=clock, report=report)
        rig.stream.emit(ev.EngineStarted("box", "1", 1, "daemon", False, 60.0, "boot", 0.0))
        await rig.courier.once()
        assert not rig.messenger.taken
        clock.advance(180)
        await rig.courier.once()
        await rig.courier.once()
        await rig.courier.close(1.0)
        return rig.messenger.taken

    return asyncio.run(main())


def test_the_report_is_told_at_its_time():
    (message,) = reporting(lambda seconds: ("night", f"{seconds:g} s"))
    assert (message.topic, message.title, message.level) == ("report", "night", "INFO")
    assert message.body.startswith("86400 s\n")


def test_a_report_that_cannot_be_made_is_told_too():
    def broken(_):
        raise OSError("no store")

    (message,) = reporting(broken)
    assert message.title == "box: the report could not be made"
    assert "OSError: no store" in message.body


def heard_by(journal: MemoryJournal, *happens, silenced: str) -> list[ev.NoticeMade]:
    """Return what an engine tells at its start, and of what happens then; nobody looks."""
    notify = at_once("ops", severity="WARNING")
    outlet = Outlet(messenger=SimulatedMessenger(), notify=notify, epoch="e")

    async def scenario() -> None:
        healer = ScriptedHealer()
        engine = Engine(
            [healer], journal, ManualClock(autojump=False), Run(host="box", outlet=outlet)
        )
        await engine._open()
        await engine.ask("silence", silenced, {"for": 60.0}, origin="me")
        for happen in happens:
            happen(engine)
            engine._courier._look()
        await engine._close()

    asyncio.run(scenario())
    return journal.all(ev.NoticeMade)


def test_an_alert_of_healmon_itself_is_not_told_before_its_silence_lies_over_it():
    happens = (
        lambda engine: engine.store_fault("disk is full"),
        lambda engine: engine.misread(["x"], "SIGHUP"),
    )
    assert not heard_by(MemoryJournal(), *happens, silenced="healmon")
    assert heard_by(MemoryJournal(), *happens, silenced="another")


def test_a_kill_between_a_silence_and_what_it_lies_over_does_not_have_it_told():
    def stored(*more: ev.Event) -> MemoryJournal:
        journal = MemoryJournal()
        opened = ev.AlertOpened(KEPT, "CRITICAL", "things:one", "it is broken")
        begun = ev.EngineStarted("box", "1", 1, "daemon", False, 60.0, "boot", 0.0)
        for number, event in enumerate((begun, opened, *more), 1):
            journal.append(ev.Recorded(number, ManualClock().read().wall, event))
        return journal

    until = ManualClock().read().wall + 600.0
    silence, pause = (
        ev.SilenceStarted("things:one", until, "me"),
        ev.MaintenanceStarted("*", until, "me"),
    )
    assert heard_by(stored(), silenced="another")
    for muting in (silence, pause):
        assert not heard_by(stored(muting), silenced="another")


def test_an_engine_that_is_not_open_yet_tells_by_its_newest_rules_and_once():
    messenger = SimulatedMessenger()
    outlet = Outlet(messenger=messenger, notify=at_once("ops"), epoch="e")
    amendment = Amendment(told=None, interval=60.0, alerts=st.Alerts(), outlet=outlet, healers={})

    async def scenario() -> Engine:
        engine = Engine([], MemoryJournal(), ManualClock(autojump=False), Run(host="box"))
        await engine.amend(amendment)
        assert engine._courier is None
        await engine._open()
        assert engine._courier is not None
        await engine._close()
        return engine

    asyncio.run(scenario())
