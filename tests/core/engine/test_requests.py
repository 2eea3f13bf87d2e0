"""Requests with arguments, snoozing, what must never be touched, and what the attempts remember."""

from __future__ import annotations

import asyncio

from healmon import events as ev
from healmon.attempts import Attempt
from healmon.clock import ManualClock
from healmon.engine import Engine, Run
from healmon.gate import FOREVER
from healmon.plans import Plan
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
        engine = Engine([healer], journal, ManualClock(autojump=False), Run(host="box"))
        running = asyncio.create_task(engine.run())
        async with asyncio.timeout(5):
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
            Attempt("c", "s3", "healmon", 1008.0, 5.0, ok=None),
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
