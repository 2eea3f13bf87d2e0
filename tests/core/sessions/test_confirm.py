"""Looks that must agree before an act, trouble that lingers, sessions that flap."""

from __future__ import annotations

import pytest

from healmon import events as ev
from tests.helpers.sessionjudge import (
    BUSY,
    CYCLE,
    GAVE_UP,
    HOUR,
    IDLE,
    RETRYING,
    SPINNER,
    BenchOfSessions,
    a_job,
    a_session,
    a_task,
)


def test_a_stuck_session_is_acted_on_right_at_its_limit():
    bench = BenchOfSessions()
    bench.look(a_session())
    assert not bench.run(1799, lambda _: [a_session()])
    assert bench.run(3, lambda _: [a_session()])
    assert "stuck" in bench.open()
    assert bench.order().quiet == pytest.approx(1800, abs=2)


def test_sooner_looks_are_asked_for_so_that_enough_agree():
    bench = BenchOfSessions(gave_up_after=60.0)
    bench.look(a_session(sign=BUSY))
    bench.look(a_session(sign=GAVE_UP), after=CYCLE)
    plans = bench.run(130, lambda _: [a_session(sign=GAVE_UP)])
    assert len(plans) == 1
    memory = bench.memory()
    assert memory.agree >= 3
    assert memory.samples >= 6
    assert bench.now - CYCLE >= 120


@pytest.mark.parametrize(("span", "looks"), [(120.0, 3), (60.0, 5), (10.0, 2)])
def test_looks_must_agree_for_a_while_and_often_enough(span, looks):
    bench = BenchOfSessions(confirm_for=span, confirm_looks=looks, stuck_after=100.0)
    bench.look(a_job(screen="nothing yet"))
    found = 0.0
    while not bench.planned():
        if not found and bench.state() == "stalled":
            found, seen = bench.now, bench.looks
        bench.clock.advance(bench.diagnosis.look_again or CYCLE)
        bench.look(a_job(screen="nothing yet"))
        assert bench.now < 600
    assert bench.now - found >= span
    assert bench.looks - seen >= looks - 1


def test_without_a_span_one_more_look_must_agree():
    bench = BenchOfSessions(confirm_for=0.0, stuck_after=4.0)
    bench.look(a_session())
    bench.look(a_session(), after=5)
    assert bench.state() == "stalled"
    assert bench.plan() is None
    assert "1 of 2 looks" in bench.facts().held
    assert bench.diagnosis.look_again is not None
    bench.look(a_session(), after=bench.diagnosis.look_again)
    assert bench.plan() is not None


def test_life_in_between_ends_the_agreement_and_the_waiting_plan():
    bench = BenchOfSessions(confirm_for=0.0, stuck_after=4.0)
    bench.look(a_job())
    bench.look(a_job(), after=5)
    bench.look(a_job(), after=1)
    plan = bench.plan()
    assert plan is not None
    bench.emit(ev.PlanMade(plan, 0.0, 0.0))
    bench.look(a_job(screen="compiling\nit goes on"), after=1)
    assert bench.plan() is None
    assert bench.diagnosis.hold == ("session:a",)


def test_a_plan_that_is_carried_out_is_not_called_off():
    bench = BenchOfSessions(confirm_for=0.0, stuck_after=4.0)
    bench.look(a_job())
    bench.look(a_job(), after=5)
    bench.look(a_job(), after=1)
    assert bench.begin(bench.planned()[0])
    bench.look(a_job(screen="^C"), after=1)
    assert bench.diagnosis.hold == ()


def test_another_trouble_begins_its_own_agreement():
    bench = BenchOfSessions(idle_after=60.0)
    bench.look(a_session())
    bench.run(1790, lambda _: [a_session()])
    assert not bench.run(115, lambda _: [a_session(sign=IDLE)])
    assert bench.state() == "idle_with_task"
    assert bench.run(20, lambda _: [a_session(sign=IDLE)])


def test_a_new_run_of_healmon_agrees_anew():
    bench = BenchOfSessions()
    bench.look(a_session())
    bench.run(1790, lambda _: [a_session()])
    bench.start()
    assert not bench.run(115, lambda _: [a_session()])
    assert "stuck" in bench.open(), "the incident is still the same one"
    assert bench.facts().quiet > 1800
    assert bench.run(30, lambda _: [a_session()])
    assert sum("stuck" in key for key in bench.opened()) == 1


def test_runs_of_one_look_each_agree_with_each_other():
    bench = BenchOfSessions()
    plans = 0
    for _ in range(34):
        bench.start("once")
        bench.look(a_session(), after=CYCLE)
        plans += len(bench.planned())
    assert plans


def test_one_sign_of_life_restarts_the_clock_but_not_the_alarm():
    bench = BenchOfSessions()
    bench.look(a_job(screen="0"))
    bench.run(1500, lambda _: [a_job(screen="0")])
    assert bench.open() == {"stuck"}
    bench.look(a_job(screen="0\none line"), after=60)
    assert bench.state() == "working"
    assert bench.open() == {"stuck"}
    assert "sign of life" in bench.message("stuck")
    assert not bench.run(1790, lambda _: [a_job(screen="0\none line")])
    bench.look(a_job(screen="0\none line\ntwo lines"), after=1)
    bench.look(a_job(screen="0\none line\ntwo lines\nthree"), after=1)
    assert bench.open() == set()


def test_trouble_is_over_at_once_when_it_is_another_one():
    bench = BenchOfSessions()
    bench.look(a_session())
    bench.run(1500, lambda _: [a_session()])
    assert bench.open() == {"stuck"}
    bench.look(a_session(sign=IDLE), after=60)
    assert bench.open() == set()


def test_a_session_that_comes_and_goes_is_told_and_left_alone():
    bench = BenchOfSessions(retry_after=60.0, retry_act=True)
    bench.look(a_session())
    for n in range(8):
        sign = RETRYING if n % 2 else BUSY
        bench.run(60, lambda _, sign=sign: [a_session(sign=sign)])
    assert "flapping" in bench.open()
    bench.run(300, lambda _: [a_session(sign=RETRYING)])
    assert bench.plan() is None
    assert "again and again" in bench.facts().held
    plans = bench.run(HOUR, lambda _: [a_session(sign=RETRYING)])
    assert plans, "once it stays as it is, it is acted on"
    assert "flapping" not in bench.open()


def test_work_and_tools_and_orders_are_no_flapping():
    bench = BenchOfSessions()
    kinds = [BUSY, IDLE, BUSY, IDLE, BUSY, IDLE, BUSY, IDLE]
    for n, sign in enumerate(kinds):
        bench.look(a_session(sign=sign, tasks=[a_task(number=n)]), after=30)
    assert bench.open() == set()


def test_new_orders_begin_the_idle_clock_anew():
    bench = BenchOfSessions()
    bench.look(a_session(sign=IDLE))
    bench.run(290, lambda _: [a_session(sign=IDLE)])
    other = a_session(sign=IDLE, tasks=[a_task(number=78)])
    assert not bench.run(290, lambda _: [other])
    assert bench.run(30, lambda _: [other])


def test_the_screen_that_is_drawn_anew_confirms_nothing():
    bench = BenchOfSessions(confirm_for=0.0, stuck_after=60.0)
    bench.look(a_session())
    bench.look(a_session(), after=50)
    attached = {"last_attached": int(bench.wall)}
    bench.look(a_session(pane=attached, screen=SPINNER), after=12)
    bench.look(a_session(pane=attached, screen=SPINNER), after=1)
    assert bench.plan() is None
    assert "drawn anew" in bench.facts().held
