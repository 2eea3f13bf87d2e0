"""Caps, cool-down, breaker, turns, quarantine: what holds healmon back, and for how long."""

from __future__ import annotations

from itertools import pairwise

import pytest
from msgspec.structs import replace

from healmon import events as ev
from healmon.attempts import UNKEPT
from healmon.gate import FOREVER
from healmon.plans import unpack
from healmon.sessions.facts import Order
from tests.helpers.sessionjudge import (
    BUSY,
    CYCLE,
    GAVE_UP,
    HOUR,
    IDLE,
    RAW,
    SPINNER,
    BenchOfSessions,
    a_family,
    a_job,
    a_session,
    a_task,
)

QUICK = {"stuck_after": 300.0, "confirm_for": 0.0}


def hung(*names):
    return lambda _: [a_session(name) for name in names]


def acts(bench, seconds, make, result="cleared"):
    """Let every plan be carried out like this; return when, and on whom."""
    done = []
    until = bench.now + seconds
    while bench.now < until:
        bench.clock.advance(min(CYCLE, bench.diagnosis.look_again or CYCLE))
        bench.look(*make(bench.now))
        for plan in bench.planned():
            if bench.begin(plan):
                done.append((bench.now, plan.component.partition(":")[2]))
                bench.end(plan, result)
    return done


def test_a_session_is_left_alone_after_an_act():
    bench = BenchOfSessions(**QUICK, acts_per_session=100, acts_per_hour=100)
    times = [at for at, _ in acts(bench, 2 * HOUR, hung("a"))]
    assert len(times) > 4
    assert min(b - a for a, b in pairwise(times)) >= 600


@pytest.mark.slow
def test_no_session_is_acted_on_more_than_twice_in_six_hours():
    bench = BenchOfSessions(**QUICK)
    times = [at for at, _ in acts(bench, 13 * HOUR, hung("a"))]
    assert len(times) == 6, "two, and two again whenever six hours are over"
    for at in times:
        assert sum(at <= t < at + 6 * HOUR for t in times) <= 2


@pytest.mark.slow
def test_no_more_than_five_acts_an_hour_on_all_sessions():
    names = [f"s{n}" for n in range(12)]
    bench = BenchOfSessions(**QUICK, outage=100)
    done = acts(bench, HOUR + 300, hung(*names))
    assert len(done) == 5
    held = [bench.facts(name).held for name in names]
    assert any("on all sessions" in why for why in held)
    done += acts(bench, 3 * HOUR, hung(*names))
    for at, _ in done:
        assert sum(at <= t < at + HOUR for t, _ in done) <= 5


def test_a_restart_forgets_no_act():
    bench = BenchOfSessions(**QUICK, cooldown=0.0)
    done = acts(bench, HOUR, hung("a"))
    assert len(done) == 2
    bench.start()
    assert not acts(bench, 4 * HOUR, hung("a"))
    assert "on this session" in bench.facts().held


def test_an_act_that_was_vetoed_counts_for_nothing():
    bench = BenchOfSessions(**QUICK, acts_per_session=1)
    bench.look(a_session())
    bench.run(400, hung("a"))
    assert bench.begin(bench.planned()[0])
    bench.emit(ev.PlanVetoed("x", "session:a", "it shows something new"))
    bench.look(a_session(), after=1)
    assert bench.plan() is not None


@pytest.mark.slow
def test_the_breaker_opens_after_two_in_vain_and_lets_one_try_after_six_hours():
    bench = BenchOfSessions(**QUICK, cooldown=0.0, acts_per_session=100, acts_per_hour=100)
    done = acts(bench, 5 * HOUR, hung("a"), "error")
    assert len(done) == 2
    assert "attempts in a row" in bench.facts().held
    done = acts(bench, 3 * HOUR, hung("a"), "error")
    assert len(done) == 1, "half open: one more"
    assert not acts(bench, 2 * HOUR, hung("a"))


def cut_off(bench):
    """Let healmon be killed in the midst of the plan that is there, and another one look."""
    assert bench.begin(bench.planned()[0])
    bench.start()
    bench.run(400, hung("a"))


def test_an_act_that_healmons_end_cut_off_is_gone_on_with_as_the_same_act():
    bench = BenchOfSessions(**QUICK, acts_per_session=1, acts_per_hour=1)
    bench.run(400, hung("a"))
    began = bench.now
    for _ in range(2):
        cut_off(bench)
    assert bench.now < began + 2 * 600, "there is no cool-down between its halves"
    plan = bench.planned()[0]
    assert bench.begin(plan)
    bench.end(plan)
    bench.run(700, hung("a"))
    assert "1 acts on this session" in bench.facts().held


@pytest.mark.slow
def test_an_act_in_whose_midst_healmon_ends_time_and_again_is_suspected():
    bench = BenchOfSessions(**QUICK)
    bench.run(400, hung("a"))
    for _ in range(5):
        cut_off(bench)
    assert "healmon ended in the midst of 5 attempts" in bench.facts().held
    assert bench.plan() is None
    bench.run(6 * HOUR, hung("a"))
    assert bench.plan() is not None, "half open: one more"


def test_what_was_cut_off_neither_counts_as_a_failure_nor_hides_one():
    bench = BenchOfSessions(**QUICK, cooldown=0.0, acts_per_session=9, acts_per_hour=9)
    bench.run(400, hung("a"))
    for result in ("error", "", "error"):
        if not result:
            cut_off(bench)
            continue
        plan = bench.planned()[0]
        assert bench.begin(plan)
        bench.end(plan, result)
        bench.run(400, hung("a"))
    assert "2 attempts in a row cleared nothing" in bench.facts().held


def test_acts_that_are_cut_off_on_one_session_after_another_count_for_the_hour():
    bench = BenchOfSessions(**QUICK, acts_per_hour=3, outage=99)
    names = [f"s{n}" for n in range(6)]
    touched = []
    for _ in range(12):  # each act ends what it was about, and healmon with it
        bench.run(400, hung(*names))
        for plan in bench.planned():
            assert bench.begin(plan)
            touched.append(bench.now)
            names.remove(plan.component.partition(":")[2])
        bench.start()
    assert len(touched) > 3
    assert all(sum(at <= t < at + HOUR for t in touched) <= 3 for at in touched)


def test_what_was_cut_off_without_evidence_is_gone_on_with_by_nobody():
    bench = BenchOfSessions(**QUICK)
    bench.run(400, hung("a"))
    plan = bench.planned()[0]
    assert bench.begin(plan)
    bench.emit(ev.StepTaken(plan.id, plan.component, f"press C-c {UNKEPT} the disk is full]"))
    bench.start()
    bench.run(400, hung("a"))
    assert "cool-down" in bench.facts().held


@pytest.mark.slow
def test_attempts_of_a_boot_that_told_a_later_time_do_not_hold_for_ever():
    bench = BenchOfSessions(**QUICK)
    assert len(acts(bench, 1500, hung("a"), "error")) == 2
    assert "attempts in a row" in bench.facts().held
    now = bench.clock.read()
    bench.clock._reading = now._replace(steady=now.steady - 5000 * HOUR)
    bench.start()
    bench.run(7 * HOUR, hung("a"))
    assert bench.plan() is not None


def test_a_failure_is_noticed_also_when_the_clock_was_set_back_before():
    bench = BenchOfSessions(**QUICK)
    bench.look(a_session())
    bench.clock.step(-HOUR)
    done = acts(bench, 900, hung("a"), "ignored")
    assert done
    assert {"stuck", "quarantined"} <= bench.open()


def test_a_look_between_the_end_of_the_tasks_and_of_the_attempt_forgets_nothing():
    bench = BenchOfSessions(**QUICK)
    bench.run(400, hung("a"))
    plan = bench.planned()[0]
    assert bench.begin(plan)
    bench.look(a_session(tasks=()), after=1)
    bench.end(plan, "ignored")
    bench.look(a_session(tasks=()), after=1)
    assert {"stuck", "quarantined"} <= bench.open()
    assert "CRITICAL" in {a.severity for a in bench.snapshot.alerts.values()}


@pytest.mark.parametrize("tasks", [None, ()])
def test_no_look_in_the_midst_of_an_attempt_tells_that_it_is_over(tasks):
    """What our own keys make it show is no sign that it works again."""
    bench = BenchOfSessions(**QUICK)
    bench.run(400, hung("a"))
    plan = bench.planned()[0]
    assert bench.begin(plan)
    for said in ("^C caught", "^C caught\nI go on all the same"):
        bench.look(a_job(screen=f"{SPINNER}\n{said}", tasks=tasks), after=1)
        assert bench.open() == {"stuck"}
    bench.end(plan)
    bench.look(a_job(screen="$", tasks=()), after=1)
    assert bench.open() == set()


@pytest.mark.parametrize("result", ["cleared", "settled"])
def test_after_a_look_in_the_midst_of_an_attempt_that_worked_nothing_is_told(result):
    bench = BenchOfSessions(**QUICK)
    bench.run(400, hung("a"))
    plan = bench.planned()[0]
    assert bench.begin(plan)
    bench.look(a_session(tasks=()), after=1)
    bench.end(plan, result)
    bench.look(a_session(tasks=()), after=1)
    assert not bench.open()
    assert not bench.verdict().memory


def test_what_a_person_did_counts_for_no_cap_and_closes_the_breaker():
    bench = BenchOfSessions(**QUICK, cooldown=0.0, acts_per_session=3)
    acts(bench, 2 * HOUR, hung("a"), "error")
    plan = bench.diagnosis.verdicts[0].plan
    assert plan is None
    asked = _by_hand(bench)
    assert bench.begin(asked, origin="tui")
    bench.end(asked)
    bench.look(a_session(), after=1)
    assert acts(bench, HOUR, hung("a"))


def _by_hand(bench):
    from healmon.sessions.offers import offered

    return offered("clear", "session:a", bench.snapshot, bench.settings, {})


def test_one_at_a_time_and_each_in_its_turn():
    bench = BenchOfSessions(**QUICK, outage=100, cooldown=0.0)
    bench.look(*hung("a", "b", "c")(0))
    bench.run(400, hung("a", "b", "c"))
    (first,) = bench.planned()
    bench.look(*hung("a", "b", "c")(0), after=1)
    (second,) = bench.planned()
    assert second.component != first.component, "who cannot be acted on keeps nobody waiting"
    assert bench.begin(first)
    bench.look(*hung("a", "b", "c")(0), after=1)
    others = [p for p in bench.planned() if p.component != first.component]
    assert others == []
    waiting = {"a", "b", "c"} - {first.component.partition(":")[2]}
    assert all("one at a time" in bench.facts(name).held for name in waiting)
    bench.end(first)
    bench.look(*hung("a", "b", "c")(0), after=1)
    assert bench.planned()


def test_sessions_that_are_gone_are_all_settled_at_once():
    bench = BenchOfSessions()
    names = [f"s{n}" for n in range(9)]
    missing = {name: (a_task(name),) for name in names}
    bench.look(*[a_session(name) for name in names])
    bench.look(missing=missing, after=60)
    assert bench.planned() == []
    bench.look(missing=missing, after=11)
    assert len(bench.planned()) == 9
    for plan in bench.planned():
        assert bench.begin(plan)
        bench.end(plan, "settled")
    assert bench.facts("s1").state == "gone"


@pytest.mark.parametrize("result", ["ignored", "frozen", "swallowed"])
def test_a_program_that_held_is_no_place_for_tasks(result):
    bench = BenchOfSessions(**QUICK)
    (done,) = acts(bench, 400, hung("a"), result)
    assert done[1] == "a"
    bench.look(a_session(tasks=()), after=1)
    assert bench.open() == {"stuck", "quarantined"}
    assert bench.plan() is None
    fresh = a_session(tasks=[a_task(number=99, age=-bench.now)])
    plans = bench.run(800, lambda _: [fresh])
    order = bench.order()
    assert plans
    assert order.keys == ()
    assert order.elsewhere
    assert [row.id for row in order.rows] == [99]


def quarantined():
    bench = BenchOfSessions(**QUICK)
    acts(bench, 400, hung("a"), "ignored")
    bench.look(a_session(), after=1)
    assert "quarantined" in bench.open()
    return bench


def test_a_quarantine_outlives_healmon_and_ends_with_the_program():
    bench = quarantined()
    bench.start()
    bench.look(a_session(), after=60)
    assert "quarantined" in bench.open()
    bench.look(a_session(terminal=replace(RAW, foreground=300)), after=60)
    assert bench.open() == set()


def test_one_that_ends_after_its_attempt_leaves_no_quarantine_for_the_shell():
    bench = BenchOfSessions(**QUICK)
    bench.run(400, hung("a"))
    plan = bench.planned()[0]
    assert bench.begin(plan)
    bench.end(plan, "ignored")
    for _ in range(2):
        shell = a_session(
            tasks=(), family=a_family("", prompt=True), terminal=replace(RAW, foreground=100)
        )
        bench.look(shell, after=1)
        assert not bench.open()


def test_a_quarantine_ends_when_a_person_cleared_it():
    bench = quarantined()
    asked = _by_hand(bench)
    assert bench.begin(asked, origin="tui")
    bench.end(asked)
    bench.look(a_session(sign=IDLE), after=1)
    assert "quarantined" not in bench.open()


def test_a_quarantine_outlives_the_tasks_that_are_taken_away_for_it():
    bench = quarantined()
    fresh = a_session(tasks=[a_task(number=99, age=-bench.now)])
    bench.run(800, lambda _: [fresh])
    (plan,) = bench.planned()
    assert "not to this session" in plan.steps[-1].text
    bench.carry(plan, "settled")
    bench.look(a_session(tasks=()), after=1)
    assert bench.open() == {"stuck", "quarantined"}


@pytest.mark.parametrize("client", [False, True])
def test_a_quarantine_without_tasks_is_ended_by_hand_without_a_key(client):
    bench = quarantined()
    more = {"attached": 1} if client else {}
    bench.look(a_session(tasks=(), pane=more), after=1)
    asked = _by_hand(bench)
    order = unpack(asked.order, Order)
    assert (order.keys, order.rows, order.release) == ((), (), True)
    assert bench.begin(asked, origin="tui")
    bench.end(asked, "released")
    bench.look(a_session(tasks=(), pane=more), after=1)
    assert not bench.open()
    assert bench.run(HOUR, hung("a")), "what hangs again is judged like any other"


def test_a_session_that_must_never_be_touched_is_not_released_either():
    bench = quarantined()
    bench.look(a_session(tasks=()), after=1)
    bench.emit(ev.MaintenanceStarted("session:a", FOREVER, "tui"))
    assert not bench.begin(_by_hand(bench), origin="tui")


def test_a_quarantined_program_that_works_after_all_keeps_its_tasks():
    bench = quarantined()
    working = lambda t: [a_job(screen="\n".join(f"{n} {n * n}" for n in range(int(t) // 10)))]  # noqa: E731
    assert not bench.run(HOUR, working)


def test_never_touch_and_touch():
    bench = BenchOfSessions(**QUICK)
    bench.look(a_session())
    bench.emit(ev.MaintenanceStarted("session:a", FOREVER, "tui"))
    assert not bench.run(2 * HOUR, hung("a"))
    assert bench.state() == "protected"
    assert "never to touch" in bench.facts().rule
    bench.emit(ev.MaintenanceEnded("session:a", "touch"))
    assert bench.run(2 * HOUR, hung("a"))


def test_a_dead_session_that_must_never_be_touched_is_only_told():
    bench = BenchOfSessions()
    bench.emit(ev.MaintenanceStarted("session:a", FOREVER, "tui"))
    dead = a_session(pane={"dead": True, "status": "exited (3)"})
    bench.look(dead)
    assert not bench.run(HOUR, lambda _: [dead])
    assert bench.open() == {"dead"}


@pytest.mark.parametrize("session", [a_session(), a_session(sign=GAVE_UP), a_session(sign=IDLE)])
def test_alert_only_is_alert_only(session):
    bench = BenchOfSessions(on_stuck="alert")
    bench.look(session)
    assert not bench.run(2 * HOUR, lambda _: [session])
    assert bench.open() & {"stuck", "idle"}
    assert "on_stuck" in bench.facts().held


def test_a_retry_is_acted_on_only_where_that_is_wanted():
    bench = BenchOfSessions()
    retry = a_session(sign=replace(BUSY, kind="retrying", text="attempt 9/10"))
    bench.look(retry)
    assert not bench.run(2 * HOUR, lambda _: [retry])
    assert bench.open() == {"retrying"}
    assert "attempt 9/10" in bench.message("retrying")
    assert bench.facts().held == "sessions.retry_act is off"


def test_progress_after_a_failure_ends_it():
    bench = BenchOfSessions(**QUICK)
    acts(bench, 400, lambda _: [a_job()], "error")
    bench.look(a_job(), after=1)
    assert "CRITICAL" in {a.severity for a in bench.snapshot.alerts.values()}
    bench.look(a_job(screen="compiling\nit works"), after=1)
    bench.look(a_job(screen="compiling\nit works\nagain"), after=1)
    assert "stuck" not in bench.open()
    assert a_family().ticks
