"""A session that is on no list: has it ended, or is it out of sight?"""

from __future__ import annotations

import os

import pytest
from msgspec.structs import replace

from healmon.plans import unpack
from healmon.sessions import checks
from healmon.sessions.backstage import run_on
from healmon.sessions.facts import Order
from healmon.sessions.lost import same_pane
from healmon.sessions.offers import offered
from healmon.sessions.places import process_of
from healmon.sessions.probe import Fault, Seen
from healmon.world.processes import Identity
from tests.helpers.sessionjudge import CYCLE, HOUR, BenchOfSessions, a_pane, a_session, a_task

GONE = {"a": (a_task(),)}


def lost(**look):
    """A session that was there, and is on no list since a minute."""
    bench = BenchOfSessions()
    bench.look(a_session())
    for _ in range(3):
        bench.look(missing=GONE, after=CYCLE, **look)
    return bench


def test_whose_program_runs_on_keeps_its_tasks_until_that_has_ended():
    bench = lost(runs=True)
    assert bench.planned() == []
    pid = a_pane().pid
    assert f"its program (pid {pid}) runs on" in bench.message("gone")
    assert f"pid {pid}" in bench.facts().held
    bench.look(missing=GONE, after=CYCLE)
    assert [plan.component for plan in bench.planned()] == ["session:a"]
    assert "runs on" not in bench.message("gone")


def test_what_an_earlier_run_lost_is_looked_after_right_before_the_act():
    bench = lost(runs=True)
    bench.start()  # another healmon, perhaps of one cycle only, which has not looked yet
    bench.look(missing=GONE, after=CYCLE, runs=None)
    order = unpack(bench.planned()[0].order, Order)
    assert "may run on" in checks.returned(Seen(), order)


def test_the_last_look_before_the_act_counts():
    bench = lost()
    order = unpack(bench.planned()[0].order, Order)
    assert process_of(order.was) == (a_pane().pid, 7)
    assert not checks.returned(Seen(runs={order.was: False}), order)
    for runs in ({}, {order.was: True}):
        assert "may run on" in checks.returned(Seen(runs=runs), order)


@pytest.mark.parametrize(
    "now", [{"name": "b", "session": "b"}, {"session_id": "$9", "session_created": 77, "name": "b"}]
)
def test_a_pane_that_another_name_leads_to_is_not_gone(now):
    bench = BenchOfSessions()
    bench.look(a_session())
    other = a_session("b", tasks=(), pane={"id": a_pane().id, "pid": a_pane().pid,
                                           "session_id": a_pane().session_id, **now})  # fmt: skip
    for _ in range(5):
        bench.look(other, missing=GONE, after=CYCLE)
        assert bench.planned() == []
    assert f"its pane {a_pane().id} is session b now" in bench.message("gone")
    bench.look(a_session(), after=CYCLE)
    assert bench.open() == set(), "it is called as before"


def test_a_pane_of_another_server_is_another_one():
    key = f"{a_pane().key}.7"
    assert same_pane(a_pane(), key)
    for other in ({"server_pid": 11}, {"server_start": 2}, {"id": "%1"}, {"pid": 1}):
        assert not same_pane(a_pane(**other), key)
    assert not same_pane(a_pane(), "")


def test_processes_are_told_apart_by_their_start_and_none_is_known_without_proc():
    class Proc:
        def __init__(self, *pids):
            self.ticks = dict.fromkeys(pids, 7)

        def identify(self, pid):
            return Identity("boot", pid, self.ticks[pid]) if pid in self.ticks else None

    keys = ["1.1.$1.1.%1.50.7", "1.1.$1.1.%1.50.8", "1.1.$1.1.%1.51.7", "1.1.$1.1.%1.50.0"]
    told = dict(zip(keys, [True, False, False], strict=False))
    assert run_on(Proc(50, os.getpid()), keys) == told
    assert run_on(Proc(50), keys) == {}, "not even ourselves"


def test_whom_nobody_ever_saw_is_told_and_left_alone():
    bench = BenchOfSessions()
    bench.look(a_session("b"), missing=GONE)
    bench.look(a_session("b"), missing=GONE, after=CYCLE)
    assert bench.open() == set(), "not yet for long"
    for _ in range(60):
        bench.look(a_session("b"), missing=GONE, after=CYCLE)
        assert [p for p in bench.planned() if p.component == "session:a"] == []
    assert "never was" in bench.message("gone")
    assert "healmon clear a" in bench.message("gone")
    bench.look(missing=GONE, answered=(), after=CYCLE)
    assert bench.planned() == [], "nor when no server is left at all"
    bench.look(a_session("b"), missing=GONE, after=CYCLE)
    plan = offered("clear", "session:a", bench.snapshot, bench.settings, {})
    order = unpack(plan.order, Order)
    assert not checks.returned(Seen(), order), "a person may judge otherwise"
    assert order.rows[0].id == 77


def test_a_long_name_is_known_again():
    name = "a" * 190
    bench = BenchOfSessions()
    bench.look(a_session(name))
    for _ in range(3):
        bench.look(missing={name: (a_task(name),)}, after=CYCLE)
    (plan,) = bench.planned()
    assert plan.component == f"session:{name}"
    assert checks.missing(Seen(missing={name: (a_task(name),)}), unpack(plan.order, Order))


def test_who_was_seen_once_without_a_task_is_known():
    bench = BenchOfSessions()
    bench.look(a_session(tasks=()))
    for _ in range(3):
        bench.look(missing=GONE, after=CYCLE)
    assert [plan.component for plan in bench.planned()] == ["session:a"]


def test_a_boot_that_tells_an_earlier_time_forgets_nobody():
    bench = lost(runs=True)
    bench.clock.advance(-100 * HOUR)
    bench.start()
    for _ in range(2):
        bench.look(missing=GONE, after=CYCLE)
    assert [plan.component for plan in bench.planned()] == ["session:a"]


def test_that_programs_run_on_without_their_server_is_said_with_what_to_do():
    bench = lost(answered=(), runs=True)
    assert bench.planned() == []
    assert "SIGUSR1" in bench.message("server-gone", "healmon")


# Two servers with sessions of one name, one of which does not answer.


@pytest.mark.parametrize("silent", ["here", "there"])
def test_which_of_two_a_name_means_is_unknown_while_one_of_them_is_not_seen(silent):
    names = {"here": "a", "there": "a@there"}
    both = {
        socket: replace(a_session(pane={"socket": socket}), label=label, twins=True)
        for socket, label in names.items()
    }
    bench = BenchOfSessions()
    bench.look(*both.values(), answered=tuple(names))
    (answers,) = set(names) - {silent}
    # as after a restart: the only one that is seen has the label of the first, and is no twin
    left = replace(both[answers], label="a", twins=False)
    for _ in range(60):
        fault = Fault("tmux", silent, "no answer")
        bench.look(left, faults=[fault], answered=(answers,), after=CYCLE)
        assert bench.planned() == []
