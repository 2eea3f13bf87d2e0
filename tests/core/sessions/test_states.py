"""Each state by what makes it, at its boundary, and what may be pressed in it."""

from __future__ import annotations

import pytest
from msgspec.structs import replace

from healmon.sessions import answering
from healmon.sessions.facts import Order
from healmon.sessions.family import Family
from healmon.sessions.signs import Sign
from healmon.sessions.states import CLOSED, RULES
from tests.helpers.sessionjudge import (
    APPROVAL,
    BUSY,
    COOKED,
    GAVE_UP,
    HOUR,
    IDLE,
    JOB,
    RAW,
    READING,
    RETRYING,
    SECRET,
    BenchOfSessions,
    a_family,
    a_file,
    a_job,
    a_pane,
    a_session,
    a_task,
    idle_for,
)

WALL = BenchOfSessions().wall


def judged(session, after=0.0, **settings):
    bench = BenchOfSessions(**settings)
    bench.look(session)
    if after:
        bench.run(after, lambda _: [session])
    return bench


def person(ago, **more):
    return {"attached": 1, "client_activity": int(WALL - ago), "last_attached": int(WALL - 900),
            **more}  # fmt: skip


@pytest.mark.parametrize(
    ("session", "state"),
    [
        (a_session(pane={"dead": True, "status": "exited (3)"}), "dead"),
        (a_session(pane=person(119)), "human"),
        (a_session(pane=person(121)), "working"),
        (a_session(pane={"mode": True, "last_attached": int(WALL - 900),
                         "session_activity": int(WALL - 100)}), "human"),
        (a_session(pane={"mode": True, "last_attached": int(WALL - 900),
                         "session_activity": int(WALL - 600)}), "working"),
        (a_session(family=a_family(stopped="claude")), "suspended"),
        (a_session(terminal=SECRET), "secret"),
        (a_session(sign=APPROVAL), "approval"),
        (a_session(sign=Sign(kind="question", question="Which one?")), "question"),
        (a_job(terminal=READING), "question"),
        (a_session(agent_file=a_file(status="waiting", waiting_for="permission")), "question"),
        (a_job(family=Family(ticks=7, flow_stopped=True)), "flow_stopped"),
        (a_session(screen="  \n ", sign=Sign()), "starting"),
        (a_session(sign=GAVE_UP), "gave_up"),
        (a_session(sign=Sign(kind="unsent", text="> do it")), "unsent"),
        (a_session(sign=IDLE), "idle_with_task"),
        (a_session(sign=IDLE, agent_file=a_file(status="busy")), "working"),
        (a_job(family=Family(ticks=7, prompt=True)), "idle_with_task"),
        (a_session(sign=Sign(kind="rate_limited", seconds=60.0)), "rate_limited"),
        (a_session(sign=RETRYING), "retrying"),
        (a_session(sign=Sign(kind="tool", seconds=600.0)), "tool"),
        (a_session(family=a_family(tool=("make",))), "tool"),
        (a_session(), "working"),
        (a_session(tasks=()), "idle"),
        (a_session(sign=APPROVAL, tasks=()), "idle"),
        (a_session("boss"), "protected"),
        (a_session(screen="## a note"), "human"),
    ],
)  # fmt: skip
def test_what_is_seen_names_the_state(session, state):
    bench = judged(session, protect=("boss",), typing_marker="##")
    assert bench.state(session.label) == state
    assert bench.facts(session.label).rule
    assert bench.plan(session.label) is None


def test_every_state_but_two_has_a_rule_and_each_has_one_only():
    states = [state for state, _ in RULES]
    assert len(states) == len(set(states))
    assert states[0] == "dead"
    assert states[-1] == "stalled"


@pytest.mark.parametrize(
    ("after", "state"),
    [(110, "working"), (130, "quiet"), (590, "quiet"), (610, "stalled"), (3 * HOUR, "stalled")],
)
@pytest.mark.parametrize("make", [a_session, a_job])
def test_quiet_becomes_stalled_at_the_warning_limit(make, after, state):
    bench = judged(make(), after)
    assert bench.state() == state


def test_a_repaint_is_no_progress_and_both_ages_are_told():
    bench = judged(a_session(), 1000)
    facts = bench.facts()
    assert facts.state == "stalled"
    assert facts.painted < 1
    assert facts.quiet >= 990


def test_frozen_needs_no_paint_and_unread_input():
    since = int(WALL - 10)
    dumb = a_session(terminal=replace(RAW, unread=1), pane={"window_activity": since})
    assert judged(dumb, 150).state() == "quiet"
    assert judged(dumb, 200).state() == "frozen"
    reads = a_session(pane={"window_activity": since})
    assert judged(reads, 200).state() == "quiet"
    paints = a_session(terminal=replace(RAW, unread=1))
    assert judged(paints, 200).state() == "quiet"


def test_a_blank_screen_is_starting_for_two_minutes_only():
    blank = a_session(screen="", sign=Sign())
    assert judged(blank, 110).state() == "starting"
    assert judged(blank, 130).state() != "starting"


def test_unsent_text_is_the_tasks_own_only_where_nobody_was_since():
    text = Sign(kind="unsent", text="> fix the tests")
    alone = a_session(sign=text, pane={"last_attached": int(WALL - 20 * HOUR)})
    assert judged(alone).state() == "unsent"
    visited = a_session(sign=text, pane={"last_attached": int(WALL - 2 * HOUR)})
    assert judged(visited).state() == "human"
    there = a_session(sign=text, pane={"attached": 1, "client_activity": int(WALL - HOUR)})
    assert judged(there).state() == "human"


def test_a_person_who_typed_and_left_is_remembered():
    bench = BenchOfSessions()
    bench.look(a_session(pane=person(1)))
    bench.look(a_session(pane={"last_attached": int(WALL - 900)}), after=60)
    assert bench.state() == "human"
    bench.look(a_session(pane={"last_attached": int(WALL - 900)}), after=61)
    assert bench.state() != "human"


@pytest.mark.parametrize(
    ("pane", "more", "why"),
    [
        ({"command": "tmux"}, {}, "another tmux"),
        ({"synchronized": True}, {}, "synchronised"),
        ({"input_off": True}, {}, "takes no keys"),
        ({}, {"twins": True}, "another socket"),
        ({}, {"sure": False}, "several panes"),
    ],
)
def test_what_bars_a_key_is_said_and_no_key_is_planned(pane, more, why):
    bench = judged(a_session(pane=pane, **more), 4000)
    assert bench.state() == "stalled"
    assert bench.plan() is None
    assert why in bench.facts().hands_off
    assert why in bench.facts().held
    assert why in bench.message("stuck")


def test_an_unseen_process_bars_keys():
    bench = judged(replace(a_session(), family=None), 4000)
    assert bench.plan() is None
    assert "cannot be seen" in bench.facts().held


def test_a_raw_program_that_no_pack_knows_gets_no_key():
    unknown = a_session(sign=Sign(), family=a_family(agent=""), screen="~ edit ~")
    bench = judged(unknown, 4000)
    assert bench.state() == "stalled"
    assert bench.plan() is None
    assert "raw mode" in bench.facts().held
    assert "stuck" in bench.open()


def test_a_known_agent_with_an_unknown_screen_gets_no_key_by_itself():
    bench = judged(a_session(sign=Sign(), screen="¿quién sabe?"), 4000)
    assert bench.plan() is None
    assert "no rule knows" in bench.facts().held


def test_witnesses_that_disagree_are_no_ground_to_act():
    bench = judged(a_session(agent_file=a_file(status="idle")), 4000)
    assert bench.state() == "stalled"
    assert bench.plan() is None
    assert "says otherwise" in bench.facts().held


@pytest.mark.parametrize(
    ("state", "session"),
    [
        ("approval", a_session(sign=APPROVAL)),
        ("secret", a_session(terminal=SECRET)),
        ("question", a_job(terminal=READING)),
        ("suspended", a_session(family=a_family(stopped="claude"))),
        ("flow_stopped", a_job(family=Family(ticks=7, flow_stopped=True))),
        ("human", a_session(screen="## mine")),
    ],
)
def test_no_state_that_waits_for_a_person_is_ever_acted_upon(state, session):
    bench = judged(session, 10 * HOUR, protect=("boss",), typing_marker="##")
    assert bench.state(session.label) == state
    assert state in CLOSED
    assert bench.plan(session.label) is None
    assert "stuck" not in bench.open(session.label)


@pytest.mark.parametrize(
    ("session", "condition", "said"),
    [
        (a_session("boss"), "stuck", "boss is stuck: nothing new for"),
        (a_session("boss", sign=APPROVAL), "waiting", "boss waits for an answer"),
        (a_session("boss", sign=IDLE), "idle", "boss is idle for"),
    ],
)
def test_what_is_protected_is_seen_and_told_and_never_touched(session, condition, said):
    bench = BenchOfSessions(protect=("boss",))
    bench.look(session)
    assert bench.open("boss") == set()
    assert not bench.run(10 * HOUR, lambda _: [session])
    assert bench.state("boss") == "protected"
    assert bench.open("boss") == {condition}
    assert said in bench.message(condition, "boss")
    view = bench.snapshot.components["session:boss"]
    assert view.status == "warning"
    assert "it is in sessions.protect; quiet for" in view.summary
    bench.run(300, lambda t: [replace(session, screen=f"{t}\n{t * t}", sign=BUSY)])
    assert bench.open("boss") == set(), "it goes on"


@pytest.mark.parametrize("session", [a_session(sign=APPROVAL), a_session(screen="## mine")])
def test_the_tasks_clock_stands_while_a_person_is_needed(session):
    bench = BenchOfSessions(typing_marker="##")
    bench.look(session)
    bench.run(5 * HOUR, lambda _: [session])
    bench.run(1700, lambda _: [a_session()])
    assert bench.plan() is None, "half an hour begins when the person has gone"
    assert bench.run(400, lambda _: [a_session()])


def test_a_mark_that_stays_on_the_screen_hides_no_task_for_ever():
    session = a_session(screen="## mine")
    bench = BenchOfSessions(typing_marker="##")
    bench.look(session)
    bench.run(1500, lambda _: [session])
    assert bench.open() == set()
    assert not bench.run(600, lambda _: [session])
    assert bench.open() == {"suspended"}
    assert "typing marker ##" in bench.message("suspended")
    wall = bench.wall
    typed = replace(session, pane=replace(session.pane, attached=1, client_activity=int(wall) + 60))
    bench.look(typed, after=60)
    assert bench.open() == set(), "somebody is there"


def test_where_nothing_happens_nothing_is_told_again():
    bench = BenchOfSessions()
    written = bench.wall

    def look(after, **pane):
        session = a_session(tasks=(), family=None, pane={"window_activity": int(written), **pane})
        bench.look(session, after=after)
        return bench.verdict().facts

    def age():
        view = bench.snapshot.components["session:a"]
        return bench.facts().painted + bench.wall - view.seen_at

    told = [look(2), look(2)]
    assert told[0] == told[1], "it paints now, however long ago exactly"
    first = look(60)
    assert first != told[1]
    for number in range(30):
        seen_at = bench.snapshot.components["session:a"].seen_at
        known = bench.snapshot
        assert look(60) == first, number
        # as the engine does: what is the same is not told
        view = replace(known.components["session:a"], seen_at=seen_at)
        bench.snapshot = replace(known, components={"session:a": view})
        assert abs(age() - (bench.wall - int(written))) <= 2
    assert look(60, command="vim") != first
    assert abs(bench.facts().painted - (bench.wall - int(written))) <= 2, "told anew, as it is now"


def test_a_secret_shows_nothing_but_its_prompt():
    sign = replace(JOB, question="Password:", text="Password:", last_line="Password:")
    bench = judged(a_job(terminal=SECRET, sign=sign, screen="hunter2\nPassword:"), 300)
    facts = bench.facts()
    assert facts.state == "secret"
    assert facts.question == "Password:"
    assert facts.last_line == ""
    assert facts.text == ""
    assert not bench.memory().lines
    assert "hunter2" not in repr(bench.events)


def test_what_looks_like_a_secret_in_a_line_is_not_told():
    line = "run curl -H 'Authorization: Bearer hush-bearer-1' with token=hush-token?"
    sign = Sign(kind="question", question=line, text=line, last_line=line)
    facts = judged(a_session(sign=sign)).facts()
    assert facts.question.startswith("run curl -H 'Authorization: Bearer [redacted]")
    assert "hush" not in repr(facts)
    order = Order(session="a", question=facts.question)
    assert "something else" not in answering.changed(sign, order)


def test_the_cooked_job_gets_the_configured_key_and_the_agent_its_own():
    job = judged(a_job(), 4000, interrupt=("C-c",))
    assert job.order().keys == (("C-c",),)
    codex = replace(BUSY, pack="codex", rule="codex/busy")
    agent = judged(a_session(sign=codex, family=a_family(agent="codex")), 4000)
    assert agent.order().keys == (("Escape",),)
    opencode = judged(a_session(family=a_family(agent="opencode")), 4000)
    assert opencode.order().keys == (("Escape", "Escape"),)


def test_the_pane_and_its_program_are_what_the_plan_is_bound_to():
    order = judged(a_session(), 4000).order()
    assert order.key == f"{a_pane().key}.7"
    assert order.state == "stalled"
    assert order.matched == "claude/busy"
    assert [row.attempt for row in order.rows] == ["t77"]


def test_a_task_that_is_younger_than_the_limit_is_no_reason_to_act():
    young = a_session(tasks=[a_task(age=-3000)])
    bench = BenchOfSessions()
    bench.look(young)
    bench.run(4000, lambda _: [young])
    assert bench.plan() is None
    idle = idle_for(young, WALL)
    assert idle.pane.window_activity
    assert COOKED.signals
