"""The acceptance scenarios at the level of judgement, by their number."""

from __future__ import annotations

import pytest
from msgspec.structs import replace

from healmon.config.settings import Sessions
from healmon.plans import unpack
from healmon.sessions.facts import Order
from healmon.sessions.probe import Fault
from healmon.sessions.signs import Sign
from tests.helpers.sessionjudge import (
    APPROVAL,
    BUSY,
    GAVE_UP,
    HOUR,
    IDLE,
    RAW,
    RETRYING,
    SECRET,
    SPINNER,
    BenchOfSessions,
    a_family,
    a_file,
    a_job,
    a_session,
    a_task,
    idle_for,
)


def story(make, seconds=HOUR, **settings):
    bench = BenchOfSessions(**settings)
    plans = bench.run(seconds, make)
    return bench, plans


def test_01_a_detached_agent_that_streams_works_whatever_its_session_clock_says():
    old = {"session_activity": 1, "last_attached": 1}

    def make(t):
        text = "\n".join(f"step {n} of the work, {n * n}" for n in range(int(t) // 20))
        return [a_session(screen=f"{text[-2000:]}\n{SPINNER}", pane=old)]

    bench, plans = story(make, 2 * HOUR)
    assert bench.state() == "working"
    assert not plans
    assert not bench.opened()


def test_02_a_spinner_with_seconds_is_stalled_at_its_limit():
    bench, (plan,) = story(lambda t: [a_session(screen=f"✻ Thinking… ({int(t)}s · esc to)")])
    order = unpack(plan.order, Order)
    assert order.state == "stalled"
    assert sum(order.proof["new_lines"]["by_minute"]) == 0
    assert order.proof["ages"]["repaint"] < 2
    assert order.quiet == pytest.approx(1800, abs=61)
    assert bench.opened() == ["here/sessions/session:a/stuck"]


def test_03_a_title_that_spins_over_a_still_screen_is_stalled():
    bench, plans = story(
        lambda t: [a_session(screen="the last words", pane={"title": "⠋⠙⠹⠸"[int(t) % 4]})]
    )
    assert bench.state() == "stalled"
    assert plans


def test_04_a_clock_is_no_progress_and_a_count_of_files_is():
    clock = lambda t: [a_job(screen=f"up 0:{int(t) // 60:02}:{int(t) % 60:02}, tick {int(t)}")]  # noqa: E731
    assert story(clock)[1]
    files = lambda t: [a_job(screen=f"tick {int(t)}\n{int(t * 1.7)} files")]  # noqa: E731
    bench, plans = story(files)
    assert not plans
    assert bench.state() == "working"


def test_05_a_retry_loop_is_retrying_and_the_alert_quotes_it():
    def make(t):
        line = f"connection refused, retrying ({int(t) // 5})"
        return [a_job(screen=line, sign=Sign(kind="retrying", rule="job/retrying", text=line))]

    bench, plans = story(make)
    assert bench.state() == "retrying"
    assert not plans
    assert bench.open() == {"retrying"}
    assert "connection refused, retrying (" in bench.message("retrying")


def test_06_silent_work_of_a_child_is_work_and_that_of_the_screen_is_none():
    child = lambda t: [a_job(family=a_family("", cpu={"200.8": 1.0, "300.9": t / 2}))]  # noqa: E731
    bench, plans = story(child)
    assert (bench.state(), plans) == ("working", [])
    own = lambda t: [a_session(family=a_family(cpu={"200.8": t / 2}))]  # noqa: E731
    bench, plans = story(own)
    assert bench.state() == "stalled"
    assert plans


@pytest.mark.slow
def test_07_an_approval_is_one_for_ten_hours_and_its_clock_stands():
    bench, plans = story(lambda _: [a_session(sign=APPROVAL)], 10 * HOUR)
    assert bench.state() == "approval"
    assert not plans
    assert bench.open() == {"waiting"}
    facts = bench.facts()
    assert facts.question == "Do you want to proceed?"
    assert [choice.text for choice in facts.choices] == ["1. Yes", "2. No"]
    assert not bench.run(1700, lambda _: [a_session()])


def test_08_a_password_prompt_is_secret():
    sign = Sign(kind="question", question="Password:", text="Password:", last_line="Password:")
    make = lambda _: [a_job(screen="my dear diary\nPassword:", sign=sign, terminal=SECRET)]  # noqa: E731
    bench, plans = story(make)
    assert (bench.state(), plans) == ("secret", [])
    assert bench.open() == {"waiting"}
    assert "diary" not in repr(bench.events)


@pytest.mark.parametrize(
    ("sign", "limit", "said"), [(IDLE, 300, "idle with this task"), (GAVE_UP, 120, "529 Overload")]
)
def test_09_an_idle_agent_with_a_task_loses_it_without_a_key(sign, limit, said):
    bench = BenchOfSessions()
    bench.look(a_session())
    bench.clock.advance(60)
    bench.look(a_session(sign=sign))
    entered = bench.now
    (plan,) = bench.run(HOUR, lambda _: [a_session(sign=sign)])
    order = unpack(plan.order, Order)
    assert order.keys == ()
    assert said in order.reason
    assert order.requeue
    assert [step.command for step in plan.steps] == [""]
    assert bench.now - entered >= limit
    assert "idle" in bench.open()


def test_10_a_pane_in_copy_mode_whose_person_is_long_gone_is_acted_on():
    pane = {"mode": True, "attached": 1, "last_attached": 5, "client_activity": 5,
            "session_activity": 5}  # fmt: skip
    bench, (plan,) = story(lambda _: [a_job(pane=pane)])
    assert bench.state() == "stalled"
    assert [step.text.partition(" in pane")[0] for step in plan.steps][:1] == [
        f"leave the mode that pane {bench.facts().pane} shows"
    ]


def test_11_a_person_who_types_bars_everything_and_one_who_only_watches_nothing():
    typing = lambda bench: {"attached": 1, "client_activity": int(bench.wall - 30)}  # noqa: E731
    bench = BenchOfSessions()
    assert not bench.run(HOUR, lambda _: [a_session(pane=typing(bench))])
    assert bench.state() == "human"
    # neither a read-only client nor one in control mode counts as attached
    watched = lambda bench: {"attached": 0, "session_activity": int(bench.wall)}  # noqa: E731
    bench = BenchOfSessions()
    assert bench.run(HOUR, lambda _: [a_session(pane=watched(bench))])
    still = {"attached": 1, "client_activity": 5}
    assert story(lambda _: [a_session(pane=still)])[1], "somebody attached who is not there"


@pytest.mark.slow
@pytest.mark.parametrize("result", ["ignored", "frozen"])
def test_12_13_what_held_is_critical_quarantined_and_not_pressed_again(result):
    bench, (plan,) = story(lambda _: [a_session()], 1870)
    bench.carry(plan, result)
    assert not bench.run(10 * HOUR, lambda _: [a_session(tasks=())])
    assert bench.open() == {"stuck", "quarantined"}
    assert {a.severity for a in bench.snapshot.alerts.values()} == {"CRITICAL", "WARNING"}


def test_13_a_program_that_reads_nothing_is_frozen_after_three_minutes():
    frozen = a_session(terminal=replace(RAW, unread=3))
    bench = BenchOfSessions()
    since = bench.wall
    (plan,) = bench.run(400, lambda _: [idle_for(frozen, since)])
    assert unpack(plan.order, Order).state == "frozen"
    assert plan.order["proof"]["terminal"]["unread"] == 3


def test_15_an_agent_that_turns_idle_is_not_pressed():
    bench, plans = story(lambda _: [a_session()], 1870)
    assert plans
    bench.look(a_session(sign=IDLE), after=1)
    assert bench.plan() is None
    assert bench.facts().keys == ()


def test_16_a_session_of_the_same_name_is_another_one():
    bench, _ = story(lambda _: [a_session()], 1790)
    newcomer = a_session(pane={"id": "%99", "session_id": "$99", "session_created": 999})
    assert not bench.run(1790, lambda _: [newcomer])
    assert bench.facts().key.startswith(newcomer.pane.key)


def test_17_a_new_server_that_gives_the_same_ids_again_is_another_one():
    bench, plans = story(lambda _: [a_session()], 1870)
    assert plans
    again = a_session(pane={"server_pid": 11, "server_start": 99})
    bench.look(again, after=1)
    assert bench.plan() is None
    assert bench.facts().quiet == 0
    assert not bench.run(1700, lambda _: [again])


def test_18_a_server_that_does_not_answer_is_unknown_and_no_task_is_judged():
    bench, _ = story(lambda _: [a_session()], 1500)
    fault = Fault("tmux", "default", "no answer within 3 s")
    for _ in range(8):
        bench.look(faults=[fault], missing={"a": (a_task(),)}, after=60)
        assert bench.state() == "unknown"
        assert bench.verdict().status == "unknown"
        assert bench.planned() == []
    assert bench.open("tmux:default") == {"unreadable"}
    (alert,) = [a for a in bench.snapshot.alerts.values() if a.component == "tmux:default"]
    assert alert.severity == "CRITICAL", "blind for more than five minutes"
    assert "gone" not in bench.open()
    bench.look(a_session(), after=60)
    assert bench.open("tmux:default") == set()
    assert bench.facts().quiet == 0, "nobody knows what happened meanwhile"


@pytest.mark.parametrize("pane", [{"synchronized": True}, {"command": "tmux"}, {"input_off": True}])
def test_21_panes_that_must_get_no_key_get_none_and_say_why(pane):
    bench, plans = story(lambda _: [a_session(pane=pane)])
    assert not plans
    assert bench.facts().held


@pytest.mark.parametrize("status", ["exited (3)", "was killed (signal 9)"])
def test_22_a_dead_pane_loses_its_tasks_after_two_looks_and_is_never_stuck(status):
    dead = a_session(pane={"dead": True, "status": status})
    bench = BenchOfSessions()
    bench.look(dead)
    assert bench.diagnosis.look_again == pytest.approx(10, abs=1)
    assert bench.planned() == []
    (plan,) = bench.run(60, lambda _: [dead])
    order = unpack(plan.order, Order)
    assert order.keys == ()
    assert order.dead
    assert status in order.reason
    assert bench.open() == {"dead"}


def test_22_a_session_that_is_gone_loses_its_tasks_after_two_looks():
    bench, _ = story(lambda _: [a_session()], 120)
    gone = {"a": (a_task(),)}
    bench.look(missing=gone, after=1)
    assert bench.planned() == []
    bench.look(missing=gone, after=9)
    assert bench.planned() == []
    bench.look(missing=gone, after=2)
    assert unpack(bench.plan().order, Order).key == ""
    assert bench.open() == {"gone"}


def test_when_the_server_is_gone_that_is_the_one_cause_of_all_that_is_gone_with_it():
    bench, _ = story(lambda _: [a_session("a"), a_session("b")], 120)
    gone = {name: (a_task(name),) for name in ("a", "b")}
    bench.look(missing=gone, answered=(), after=1)
    assert bench.open("healmon") == set()
    bench.look(missing=gone, answered=(), after=11)
    assert bench.open("healmon") == {"server-gone"}
    assert bench.open("a") == bench.open("b") == {"gone"}
    assert "gone with their tasks: a, b" in bench.message("server-gone", "healmon")
    assert "no server running" in bench.message("server-gone", "healmon")
    bench.look(missing=gone, answered=("default",), after=60)
    assert bench.open("healmon") == set(), "there is a server again; they are gone nevertheless"
    assert bench.open("a") == {"gone"}


def test_one_server_of_several_that_is_gone_is_the_cause_of_what_was_on_it():
    bench, _ = story(lambda _: [a_session("a"), a_session("b")], 120)
    home = bench.facts("a").socket
    gone = {name: (a_task(name),) for name in ("a", "b")}
    for after in (1, 11):
        bench.look(missing=gone, answered=("other",), absent=(home, "never"), after=after)
    assert bench.open("healmon") == {"server-gone"}
    assert "gone with their tasks: a, b" in bench.message("server-gone", "healmon")
    assert "/tmp/never" not in bench.message("server-gone", "healmon")
    bench.look(missing=gone, answered=("other", home), absent=("never",), after=60)
    assert bench.open("healmon") == set()


@pytest.mark.slow
def test_23_an_outage_is_one_alert_and_a_straggler_is_handled():
    names = [f"s{n:02}" for n in range(20)]

    def work(name, t):
        return a_job(name, screen=f"{name} did {int(t * 1.7)} of 99999 files")

    def outage(t):
        return [a_session(n) if i < 12 and t > 60 + i else work(n, t) for i, n in enumerate(names)]

    def straggler(t):
        return [a_session(n) if i == 3 else work(n, t) for i, n in enumerate(names)]

    bench, plans = story(outage, HOUR)
    assert not plans
    assert bench.open("healmon") == {"outage"}
    plans = bench.run(HOUR, straggler)
    assert {plan.component for plan in plans} == {"session:s03"}


def test_24_after_sleep_step_resize_or_restart_nothing_is_done_before_looks_agree_anew():
    bench, plans = story(lambda _: [a_session()], 1790)
    assert not plans
    bench.clock.suspend(7200)
    assert not bench.run(1700, lambda _: [a_session()])
    bench.clock.step(-3600)
    assert not bench.run(1700, lambda _: [a_session()])
    for n in range(40):
        bench.look(a_session(pane={"width": 80 + n}), after=60)
        assert bench.plan() is None
    bench.run(1700, lambda _: [a_session(pane={"width": 119})])
    bench.start()
    assert not bench.run(119, lambda _: [a_session(pane={"width": 119})])
    assert bench.open() == {"stuck"}
    assert bench.run(200, lambda _: [a_session(pane={"width": 119})])


def test_25_two_hundred_sessions_are_judged_within_a_cycle():
    bench = BenchOfSessions()
    many = lambda t: [a_session(f"s{n:03}") for n in range(200)]  # noqa: E731
    bench.look(*many(0))
    bench.look(*many(60), after=60)
    assert len(bench.diagnosis.verdicts) == 200


def test_the_plan_carries_what_the_judge_knows():
    file = a_file(4096, 1_700_000_000.0)
    kin = a_family(tool=("cargo",), cpu={"200.8": 3.0, "300.9": 0.5}, waits={"300.9": "do_wait"})
    sign = replace(BUSY, kind="tool", seconds=600.0)
    one = a_session(sign=sign, family=kin, agent_file=file, received=265.0)
    _, (plan,) = story(lambda _: [one])
    proof = unpack(plan.order, Order).proof
    assert proof["state"] == "tool"
    assert proof["pack"]["rule"] == "claude/busy"
    assert proof["ages"]["progress"] >= 1800
    assert proof["ages"]["received"] == 265.0
    assert proof["processes"]["tools"] == ["cargo"]
    assert proof["processes"]["each"]["300.9"]["waits"] == "do_wait"
    assert proof["agent_file"]["size"] == 4096
    assert proof["tasks"][0]["token"] == "t77"
    assert proof["samples"]["quiet"] >= 6
    assert "cargo" in plan.why


@pytest.mark.parametrize(("shown", "limit"), [(600.0, 1800), (3600.0, 3720), (None, 1800)])
def test_a_tool_has_the_time_that_it_shows_and_two_minutes(shown, limit):
    sign = replace(BUSY, kind="tool", seconds=shown)
    bench = BenchOfSessions()
    bench.look(a_session(sign=sign))
    assert not bench.run(limit - 10, lambda _: [a_session(sign=sign)])
    assert "stuck" not in bench.open()
    assert bench.run(80, lambda _: [a_session(sign=sign)])


def test_a_rate_limit_is_told_when_it_does_not_end_as_it_said():
    sign = replace(RETRYING, kind="rate_limited", seconds=HOUR)
    bench = BenchOfSessions()
    bench.look(a_session(sign=sign))
    assert not bench.run(HOUR + 290, lambda _: [a_session(sign=sign)])
    assert bench.open() == set()
    assert not bench.run(80, lambda _: [a_session(sign=sign)])
    assert bench.open() == {"retrying"}


@pytest.mark.parametrize(
    ("session", "condition"),
    [
        (a_session(sign=APPROVAL), "waiting"),
        (a_job(terminal=SECRET), "waiting"),
        (a_session(family=a_family(stopped="claude")), "suspended"),
        (a_session(sign=Sign(kind="unsent", text="> do it")), "unsent"),
    ],
)
def test_what_only_a_person_can_end_is_told_after_a_minute(session, condition):
    bench = BenchOfSessions()
    bench.look(session)
    assert bench.diagnosis.look_again == pytest.approx(60, abs=1)
    bench.run(58, lambda _: [session])
    assert bench.open() == set()
    bench.run(5, lambda _: [session])
    assert bench.open() == {condition}
    bench.look(a_session(tasks=session.tasks), after=60)
    assert bench.open() == set()


def test_a_replay_of_the_events_is_the_snapshot():
    bench, plans = story(lambda _: [a_session()], 1900)
    bench.carry(plans[0], "ignored")
    bench.run(HOUR, lambda _: [a_session(tasks=()), a_job("b")])
    assert bench.replayed() == bench.snapshot


def test_the_same_look_is_judged_the_same():
    bench, _ = story(lambda _: [a_session()], 1870)
    other, _ = story(lambda _: [a_session()], 1870)
    assert bench.diagnosis == other.diagnosis
    assert Sessions() == bench.settings
