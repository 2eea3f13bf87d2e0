"""Requests with arguments, snoozing, what must never be touched, and what the attempts remember."""

from __future__ import annotations

import asyncio

from healmon import events as ev
from healmon.attempts import Attempt
from healmon.clock import ManualClock
from healmon.config.settings import Alerts
from healmon.engine import Engine, Run
from healmon.gate import FOREVER
from healmon.plans import Overlays, Plan
from healmon.state import Snapshot, replay
from tests.helpers.made_up import MemoryJournal, ScriptedHealer


class Choosy(ScriptedHealer):
    """A healer whose plans depend on what more was said."""

    asked: dict[str, object] | None = None

    def offer(self, verb, component, known, now, arguments=None):
        self.asked = arguments
        return self.plan()


def told(healer, *requests):
    """Let requests be answered, one after the other, by a running engine."""

    async def scene():
        journal = MemoryJournal()
        run = Run(host="box", alerts=Alerts(confirm_checks=1))
        engine = Engine([healer], journal, ManualClock(autojump=False), run)
        running = asyncio.create_task(engine.run())
        async with asyncio.timeout(30):
            while not engine.snapshot.cycle.finished_at:
                await asyncio.sleep(0.005)
        answers = [await engine.ask(*request, origin="tester") for request in requests]
        engine.stop("done")
        await running
        assert replay(journal.records) == engine.snapshot
        return answers, engine.snapshot, journal

    return asyncio.run(scene())


def test_what_more_is_said_reaches_the_healer_and_its_verb_does_not():
    healer = Choosy(broken=False)
    told(healer, ("offer", "things:one", {"verb": "clear", "then": "fail"}))
    assert healer.asked == {"then": "fail"}
    told(healer, ("answer", "things:one", {"number": 2}))
    assert healer.asked == {"number": 2}
    told(healer, ("clear", "things:one", {}))
    assert healer.asked is None


def test_never_touch_bars_even_what_a_person_asks_for_until_touch():
    answers, snapshot, _ = told(
        ScriptedHealer(broken=False),
        ("never-touch", "things:one", {}),
        ("clear", "things:one", {}),
        ("touch", "things:one", {}),
        ("touch", "things:one", {}),
        ("never-touch", "nobody", {}),
    )
    assert [answer.ok for answer in answers] == [True, False, True, False, False]
    assert "never to touch" in answers[1].text
    assert snapshot.maintenance == {}


def test_never_touch_outlives_any_pause_and_healmon():
    _, snapshot, _ = told(ScriptedHealer(broken=False), ("never-touch", "things:one", {}))
    assert snapshot.maintenance == {"things:one": FOREVER}


def test_a_snooze_pauses_and_acknowledges_until_the_same_moment():
    healer = ScriptedHealer(broken=True)
    healer.delay = 600.0
    answers, snapshot, _ = told(healer, ("snooze", "things:one", {"for": 7200}))
    assert answers[0].ok
    assert "2h" in answers[0].text
    (alert,) = snapshot.alerts.values()
    assert alert.state == "acknowledged"
    assert alert.until == snapshot.maintenance["things:one"]
    answers, snapshot, _ = told(
        ScriptedHealer(broken=False),
        ("snooze", "nobody", {"for": 60}),
        ("snooze", "things:one", {"for": 0}),
        ("snooze", "things:one", {}),
    )
    assert [answer.ok for answer in answers] == [False, False, False]
    assert snapshot.maintenance == {}


# What the attempts remember.


def a_plan(number=1, action="mend", component="c") -> Plan:
    return Plan("h", component, action, f"s{number}", "", (), "", "", {}, id=f"p{number}")


def folded(*events) -> Snapshot:
    records = [ev.Recorded(n, 1000.0 + n, event) for n, event in enumerate(events, 1)]
    return replay(records)


def begun(plan):
    return ev.PlanMade(plan, 5.0, 1000.0), ev.ActionStarted(plan.id, plan.component)


RESTART = ev.EngineStarted("h", "1", 2, "m", dry_run=False, interval=1, boot="", steady_offset=0)


def test_an_attempt_is_remembered_with_its_end_across_runs():
    one, two, three = a_plan(1), a_plan(2), a_plan(3)
    snapshot = folded(
        *begun(one), ev.ActionVerified(one.id, "c", "mend", "", 1.0),
        *begun(two), ev.ActionFailed(two.id, "c", "mend", "", 1.0),
        *begun(three), ev.PlanAbandoned(three.id, "c", "killed"), RESTART,
    )  # fmt: skip
    assert snapshot.recent == ()
    assert snapshot.attempts == {
        "mend": (
            Attempt("c", "s1", "healmon", 1002.0, 5.0, ok=True),
            Attempt("c", "s2", "healmon", 1005.0, 5.0, ok=False),
            Attempt("c", "s3", "healmon", 1008.0, 5.0, ok=None, cut=True),
        )
    }


def test_a_plan_that_never_began_or_was_called_off_is_no_attempt():
    one, two = a_plan(1), a_plan(2)
    snapshot = folded(
        ev.PlanMade(one, 0.0, 0.0), ev.PlanVetoed(one.id, "c", "it works"),
        *begun(two), ev.PlanVetoed(two.id, "c", "it works"),
    )  # fmt: skip
    assert snapshot.attempts.get("mend", ()) == ()


def test_the_end_of_one_is_not_taken_for_the_end_of_an_older_one():
    one, two = a_plan(1), a_plan(2)
    snapshot = folded(
        *begun(one), ev.ActionVerified(one.id, "c", "mend", "", 1.0),
        ev.PlanMade(two, 0.0, 0.0), ev.ActionFailed(two.id, "c", "mend", "it crashed", 1.0),
    )  # fmt: skip
    assert [a.ok for a in snapshot.attempts["mend"]] == [True]


def test_attempts_are_bounded():
    events = [
        event
        for number in range(300)
        for event in (
            *begun(a_plan(number)),
            ev.ActionVerified(f"p{number}", "c", "mend", "", 1.0),
        )
    ]
    assert len(folded(*events).attempts["mend"]) == 100


# Silences, acknowledgements and maintenance.


def ill() -> ScriptedHealer:
    healer = ScriptedHealer(broken=True)
    healer.delay = 600.0
    return healer


def test_a_silence_says_what_it_matches_and_ends_with_what_it_muted():
    answers, snapshot, journal = told(
        ill(),
        ("silence", "things:*", {"for": 7200, "note": "new disk"}),
        ("silence", "other:*", {"for": 60}),
    )
    assert answers[0].ok
    assert "2h00m: component=things:* (1 alert now)" in answers[0].text
    assert "(no alert now)" in answers[1].text
    first, _ = snapshot.silences.values()
    assert (first.match, first.by, first.note) == ("component=things:*", "tester", "new disk")
    assert len(journal.all(ev.SilenceStarted)) == 2
    answers, snapshot, journal = told(
        ill(), ("silence", "*", {"for": 60}), ("unsilence", "0", {}), ("unsilence", "x", {})
    )
    assert [answer.ok for answer in answers] == [True, False, False]
    (number,) = snapshot.silences
    assert f"there are: {number}" in answers[1].text


def test_a_silence_can_be_taken_back_by_its_number():
    async def scene():
        journal = MemoryJournal()
        engine = Engine([ill()], journal, ManualClock(autojump=False), Run(host="box"))
        await engine._open()
        await engine.cycle()
        assert (await engine.ask("silence", "*", {"for": 60}, origin="olga")).ok
        (number,) = engine.snapshot.silences
        answer = await engine.ask("unsilence", number, {}, origin="olga")
        assert answer.ok
        assert engine.snapshot.silences == {}
        assert journal.all(ev.SilenceEnded)[0].reason.startswith("taken back by olga")
        await engine._close()

    asyncio.run(scene())


def test_what_is_only_rehearsed_is_answered_by_the_same_rules_and_not_done():
    async def scene():
        journal = MemoryJournal()
        engine = Engine([ill()], journal, ManualClock(autojump=False), Run(host="box"))
        await engine._open()
        await engine.cycle()
        (alert,) = engine.snapshot.alerts.values()
        await engine.ask("silence", "*", {"for": 60}, origin="olga")
        (number,) = engine.snapshot.silences
        before, known = len(journal.records), engine.snapshot

        async def tried(verb, target, **arguments):
            return await engine.ask("rehearse", target, {"verb": verb, **arguments}, origin="ann")

        answers = [
            await tried("acknowledge", str(alert.id), **{"for": 7200}),
            await tried("unsilence", number),
            await tried("unacknowledge", str(alert.id)),
            await tried("acknowledge", "999"),
            await tried("acknowledge", str(alert.id), **{"for": 0}),
            await tried("unsilence", "999"),
            await tried("restart", "things:one"),
        ]
        assert [answer.ok for answer in answers] == [True, True, False, False, False, False, False]
        assert answers[0].text.startswith(
            "dry run: nothing was done; without it: acknowledged for 2h00m: "
        )
        assert f"without it: silence {number} ended" in answers[1].text
        happened = {type(record.event) for record in journal.records[before:]}
        assert happened == {ev.OverrideReceived, ev.OverrideAnswered}
        now = engine.snapshot
        assert (now.alerts, now.silences) == (known.alerts, known.silences)
        await engine._close()

    asyncio.run(scene())


def test_what_has_no_end_or_no_meaning_is_refused():
    answers, snapshot, _ = told(
        ill(),
        ("silence", "*", {}),
        ("silence", "*", {"for": 31 * 86400}),
        ("silence", "*", {"for": -1}),
        ("silence", "*", {"for": True}),
        ("silence", "colour=red", {"for": 60}),
        ("silence", "", {"for": 60}),
        ("silence", "999", {"for": 60}),
        ("pause", "*", {}),
        ("pause", "things:*", {"for": 31 * 86400}),
        ("pause", "nobody", {"for": 60}),
        ("resume", "things:one", {}),
        ("acknowledge", "999", {}),
        ("acknowledge", "1", {"for": 0}),
    )
    assert not any(answer.ok for answer in answers)
    assert all(answer.text and "\n" not in answer.text for answer in answers)
    assert snapshot.silences == snapshot.maintenance == {}
    assert {alert.state for alert in snapshot.alerts.values()} <= {"open", "pending"}


def test_maintenance_of_a_pattern_is_summed_up_at_its_end_also_across_runs():
    async def scene():
        clock, journal = ManualClock(autojump=False), MemoryJournal()
        healer = ScriptedHealer(broken=False)
        engine = Engine([healer], journal, clock, Run(host="box"))
        await engine._open()
        await engine.cycle()
        answer = await engine.ask(
            "pause", "things:*", {"for": 600, "note": "moving house"}, origin="ann"
        )
        assert answer.text == "actions paused for 10m: things:* (1 component)"
        assert healer.paused == ["things:*"], "what is under way hears of it"
        healer.broken = True
        for _ in range(3):
            await engine.cycle()
        assert healer.broken, "nothing is done"
        await engine._close()

        second = Engine([healer], journal, clock, Run(host="box"))
        await second._open()
        await second.cycle()
        view = second.snapshot.pauses["things:*"]
        assert (view.by, view.note) == ("ann", "moving house")
        clock.advance(601)
        await second.cycle()
        await second._close()
        (ended,) = journal.all(ev.MaintenanceEnded)
        assert ended.reason == "its time is over"
        assert ended.would == ("mend_thing things:one",)

    asyncio.run(scene())


def test_resume_says_what_was_not_done_meanwhile():
    async def scene():
        healer = ScriptedHealer(broken=False)
        engine = Engine([healer], MemoryJournal(), ManualClock(autojump=False), Run(host="box"))
        await engine._open()
        await engine.cycle()
        await engine.ask("pause", "", {"for": 600}, origin="ann")
        healer.broken = True
        await engine.cycle()
        answer = await engine.ask("resume", "", {}, origin="bob")
        assert answer.text == "actions allowed again: *; meanwhile not done: mend_thing things:one"
        await engine._close()

    asyncio.run(scene())


def test_a_silence_lies_over_its_alerts_at_once_and_healing_goes_on():
    async def scene():
        clock, journal, healer = ManualClock(autojump=False), MemoryJournal(), ill()
        run = Run(host="box", alerts=Alerts(confirm_checks=1))
        engine = Engine([healer], journal, clock, run)
        await engine._open()
        await engine.cycle()

        def overlays():
            (alert,) = engine.snapshot.alerts.values()
            return alert.overlays

        await engine.ask("silence", "things:*", {"for": 60}, origin="olga")
        (number,) = engine.snapshot.silences
        assert overlays().silenced_by == number
        assert engine.snapshot.plans["things:one"].plan.action == "mend_thing"
        await engine.ask("pause", "things:*", {"for": 600}, origin="olga")
        assert overlays().maintenance == "things:*"
        await engine.ask("resume", "things:*", {}, origin="olga")
        assert overlays().maintenance == ""
        clock.advance(61)
        await engine.cycle()
        assert overlays() == Overlays()
        (ended,) = journal.all(ev.SilenceEnded)
        assert ended.reason == "its time is over; 1 alert was muted, still open"
        await engine.ask("silence", "*", {"for": 60}, origin="olga")
        (number,) = engine.snapshot.silences
        assert overlays().silenced_by == number
        await engine.ask("unsilence", number, {}, origin="olga")
        assert overlays() == Overlays()
        await engine._close()

    asyncio.run(scene())


def test_a_request_that_crashes_is_answered_all_the_same():
    class Falls(Choosy):
        def offer(self, *_, **__):
            raise RuntimeError("not my day")

    answers, _, journal = told(Falls(broken=False), ("clear", "things:one", {}))
    assert not answers[0].ok
    assert "RuntimeError: not my day" in answers[0].text
    assert len(journal.all(ev.OverrideAnswered)) == 1
