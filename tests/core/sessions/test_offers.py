"""What a person may ask of a session, and what is refused; what is owed, and what came late."""

from __future__ import annotations

import pytest
from msgspec.structs import replace

from healmon.errors import DataError
from healmon.plans import describe, unpack
from healmon.sessions.facts import ANSWER, REQUEUE, Order
from healmon.sessions.offers import offered
from healmon.sessions.probe import Fault
from healmon.sessions.reporting import report
from healmon.sessions.signs import Choice, Sign
from healmon.world.taskdb import Late, Owed
from tests.helpers.sessionjudge import (
    APPROVAL,
    GAVE_UP,
    HOUR,
    RETRYING,
    BenchOfSessions,
    a_session,
    a_task,
)


def asked(session, verb, name="a", **arguments):
    bench = BenchOfSessions()
    bench.look(session)
    return offered(verb, f"session:{name}", bench.snapshot, bench.settings, arguments)


SHOWN = {"number": 1, "text": "1. Yes", "rule": "claude/approval-proceed",
         "question": "Do you want to proceed?"}  # fmt: skip


def test_an_answer_is_planned_with_its_own_keys_and_the_question_it_was_chosen_for():
    plan = asked(a_session(sign=APPROVAL), "answer", **SHOWN)
    order = unpack(plan.order, Order)
    assert plan.action == ANSWER
    assert order.keys == (("1",),)
    assert order.answer == "1. Yes"
    assert order.question == "Do you want to proceed?"
    assert order.matched == "claude/approval-proceed"
    assert order.choices == APPROVAL.choices
    assert order.rows == ()
    text = "\n".join(describe(plan))
    assert "1. Yes" in text
    assert "Do you want to proceed?" in text
    assert "send-keys" in text


@pytest.mark.parametrize(
    "wrong",
    [
        {"number": 3}, {"number": 0}, {"number": None}, {"number": "1"}, {"text": "1. Yes!"},
        {"rule": "claude/other"}, {"question": "Do you want to delete it?"},
    ],
)  # fmt: skip
def test_an_answer_to_another_question_is_refused(wrong):
    with pytest.raises(DataError) as refused:
        asked(a_session(sign=APPROVAL), "answer", **(SHOWN | wrong))
    assert "1: 1. Yes" in str(refused.value)


def test_an_answer_that_no_key_gives_says_which_pack_to_mend():
    sign = replace(APPROVAL, rule="aider/asks", choices=(Choice("[Y]es", ("[",)),))
    with pytest.raises(DataError) as refused:
        asked(a_session(sign=sign), "answer", number=1)
    said = str(refused.value)
    assert "approval" in said
    assert "rule asks" in said
    assert "'['" in said


def test_who_asks_nothing_is_answered_nothing():
    with pytest.raises(DataError, match="offers no answer"):
        asked(a_session(), "answer", **SHOWN)


def test_unsent_text_may_be_sent_by_hand_and_by_nobody_else():
    unsent = a_session(sign=Sign(kind="unsent", rule="claude/unsent", text="> fix the tests"))
    order = unpack(asked(unsent, "answer", number=1).order, Order)
    assert order.keys == (("Enter",),)
    assert order.question == "> fix the tests"
    bench = BenchOfSessions()
    assert not bench.run(HOUR, lambda _: [unsent])
    assert bench.open() == {"unsent"}


def test_a_working_session_may_be_cleared_by_hand():
    order = unpack(asked(a_session(), "clear").order, Order)
    assert order.by_hand
    assert order.requeue
    assert order.keys
    assert "on request" in order.reason


@pytest.mark.parametrize(("then", "requeue"), [("requeue", True), ("fail", False)])
def test_what_becomes_of_the_tasks_may_be_chosen(then, requeue):
    plan = asked(a_session(), "clear", then=then)
    assert unpack(plan.order, Order).requeue is requeue
    assert any(step.text.startswith(then) for step in plan.steps)


@pytest.mark.parametrize(
    ("session", "name", "verb", "more", "said"),
    [
        (a_session(), "b", "clear", {}, "there is no session"),
        (a_session(), "a", "restart", {}, "it can be: clear, answer"),
        (a_session(), "a", "clear", {"then": "burn"}, "requeue or fail"),
        (a_session(tasks=()), "a", "clear", {}, "no active task"),
        (a_session(sign=APPROVAL), "a", "clear", {}, "not touched"),
        (a_session(pane={"synchronized": True}), "a", "clear", {}, "synchronised"),
    ],
)
def test_what_cannot_be_done_is_refused_and_says_what_can(session, name, verb, more, said):
    with pytest.raises(DataError) as refused:
        asked(session, verb, name, **more)
    assert said in str(refused.value)


def test_hostile_names_are_harmless_in_offers():
    evil = a_session("a", pane={"name": "a\x1b[2J\n", "session": "a"})
    plan = asked(evil, "clear")
    assert "\x1b" not in "\n".join(describe(plan))


# What is owed, and what came late.


def owed(number, due, attempt=1):
    return Owed("assigner", number, due, attempt, session="a")


def test_a_task_is_given_back_when_it_is_due_and_not_before():
    bench = BenchOfSessions()
    due = bench.wall + 90
    bench.look(owed=[owed(77, due), owed(78, due + 500)])
    assert bench.planned() == []
    assert bench.diagnosis.look_again is None, "a cycle is soon enough"
    bench.look(owed=[owed(77, due), owed(78, due + 500)], after=60)
    assert bench.diagnosis.look_again == pytest.approx(30, abs=1)
    bench.look(owed=[owed(77, due), owed(78, due + 500)], after=31)
    (plan,) = bench.planned()
    order = unpack(plan.order, Order)
    assert (plan.component, plan.action) == ("tasks:assigner", REQUEUE)
    assert [row.id for row in order.rows] == [77]
    assert order.keys == ()
    bench.look(after=1)
    assert "tasks:assigner" not in bench.snapshot.components


def test_a_source_that_cannot_be_read_gives_nothing_back():
    bench = BenchOfSessions()
    fault = Fault("tasks", "assigner", "it is locked")
    bench.look(owed=[owed(77, bench.wall - 5)], faults=[fault])
    assert bench.planned() == []


def test_what_is_given_back_is_no_act_on_a_session():
    bench = BenchOfSessions(acts_per_hour=1)
    bench.look(owed=[owed(77, bench.wall)])
    bench.carry(bench.planned()[0], "given_back")
    bench.look(a_session())
    assert bench.run(2000, lambda _: [a_session()])


def test_late_results_are_told_for_a_day():
    bench = BenchOfSessions()
    late = Late("assigner", 77, "a\x1b[2J", "completed", at=bench.wall, text="completed at last")
    bench.look(late=[late])
    assert bench.open("tasks:assigner") == {"late_result"}
    said = bench.message("late_result", "tasks:assigner")
    assert "task 77" in said
    assert "completed at last" in said
    assert "\x1b" not in said
    bench.look(late=[late], after=25 * HOUR)
    assert bench.open("tasks:assigner") == set()


# The report.


def test_all_is_well_in_one_line():
    bench = BenchOfSessions()
    bench.look(a_session())
    assert report(bench.snapshot) == ["   ✅ All sessions responsive"]


def test_the_report_names_what_is_stuck_waits_or_cannot_be_seen():
    bench = BenchOfSessions(on_stuck="alert", outage=9)
    names = {"h": a_session("h"), "w": a_session("w", sign=APPROVAL),
             "g": a_session("g", sign=GAVE_UP), "r": a_session("r", sign=RETRYING)}  # fmt: skip
    bench.run(2000, lambda _: list(names.values()))
    fault = Fault("tasks", "other", "it is locked")
    bench.look(*names.values(), a_session("x"))
    bench.look(*names.values(), faults=[fault], missing={"x": (a_task("x"),)})
    bench.look(*names.values(), faults=[fault], missing={"x": (a_task("x"),)}, after=11)
    lines = report(bench.snapshot)
    assert "   ⚠️  Found 2 stuck session(s)" in lines
    assert any(line.startswith("      - h: 3") and line.endswith(" min") for line in lines)
    assert "   ⚠️  Found 1 session(s) waiting for a person" in lines
    assert "      - w: Do you want to proceed?" in lines
    assert "   ⚠️  Found 1 session(s) trying again and again" in lines
    assert "   ⚠️  Found 1 session(s) ended with active tasks" in lines
    assert "      - x: is on no watched tmux socket" in lines
    assert "   ❓ Unknown: tasks:other: it is locked" in lines


def test_an_act_of_this_cycle_is_in_its_report():
    bench = BenchOfSessions()
    plans = bench.run(2000, lambda _: [a_session()])
    bench.carry(plans[0])
    assert "   ⚠️  Found 1 stuck session(s)" in report(bench.snapshot)
    assert replace(plans[0], id="x").healer == "sessions"
