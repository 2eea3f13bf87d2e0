"""What happens between two effects of one attempt on a session changes nothing of what it told."""

from __future__ import annotations

import pytest

from healmon import events as ev
from healmon.sessions import caps, outcome
from healmon.sessions.verdict import Verdict
from tests.core.sessions.test_rails import QUICK, hung
from tests.helpers.sessionjudge import HOUR, BenchOfSessions, a_session

TOLD = {"stuck", "quarantined"}
IDLE = a_session(tasks=())
MOVED = a_session(screen="another line\nand one more\nof work that goes on")


def in_the_midst():
    bench = BenchOfSessions(**QUICK)
    bench.run(400, hung("a"))
    plan = bench.planned()[0]
    assert bench.begin(plan)
    return bench, plan


def now(bench):
    return bench.clock.read()


def taking_away(bench, plan, result):
    """Let the attempt come to where it takes the tasks away."""
    told = outcome.held_words(Verdict(result=result, how="C-c: what came of it"))
    text = f"fail task 77 in assigner{told} [evidence x]"
    bench.emit(ev.StepTaken(plan.id, plan.component, text))


@pytest.mark.parametrize("looked", [False, True])
def test_an_end_of_healmon_before_the_next_look_forgets_no_failure(looked):
    bench, plan = in_the_midst()
    if looked:
        bench.look(IDLE, after=1)
    bench.end(plan, "ignored")
    bench.start()
    bench.look(IDLE, after=1)
    assert bench.open() >= TOLD


def test_many_acts_elsewhere_before_the_next_look_hide_no_failure():
    bench, plan = in_the_midst()
    bench.end(plan, "ignored")
    for n in range(60):
        bench.emit(ev.ActionVerified(f"p{n}", f"w{n}", "restart_worker", "up", 1.0))
    bench.look(IDLE, after=1)
    assert bench.open() >= TOLD


@pytest.mark.parametrize("result", ["ignored", "frozen", "unknown"])
def test_one_that_held_is_told_also_if_healmon_ends_before_its_attempt_does(result):
    bench, plan = in_the_midst()
    taking_away(bench, plan, result)
    bench.start()
    bench.look(IDLE, after=1)
    assert bench.open() >= TOLD
    assert "healmon ended while" in bench.message("stuck")
    assert "cool-down" in caps.holds(bench.snapshot, plan.component, bench.settings, now(bench))


def test_one_that_let_go_is_told_of_nobody_if_healmon_ends_before_its_attempt_does():
    bench, plan = in_the_midst()
    taking_away(bench, plan, "cleared")
    bench.start()
    bench.look(IDLE, after=1)
    assert not bench.open()


def test_no_name_is_taken_for_a_result():
    assert outcome.held_in("press C-c in pane %5 of [ignored] (make) [evidence x]") is None
    assert outcome.held_in("fail task 77 in ignored [evidence x]") is None


def test_a_clock_that_is_set_has_no_attempt_noticed_a_second_time():
    bench, plan = in_the_midst()
    bench.end(plan, "error")
    bench.look(a_session(), after=1)
    assert bench.memory().failure
    bench.look(MOVED, after=60)
    assert not bench.memory().failure
    bench.clock.step(HOUR)
    bench.look(MOVED, after=60)
    assert not bench.memory().failure
