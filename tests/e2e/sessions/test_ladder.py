"""The ladder with real tmux, real programs and a real database: keys, proofs, records."""

from __future__ import annotations

import json
import os
import stat
import time
from contextlib import suppress

import pytest
from msgspec.structs import replace

from healmon.clock import Reading, SystemClock
from healmon.errors import RemedyError, VetoError
from healmon.plans import unpack
from healmon.sessions import probe
from healmon.sessions.facts import ANSWER, REQUEUE, Order, Row
from healmon.sessions.verdict import Verdict
from healmon.world import taskdb
from healmon.world.tmux import SystemTmux
from tests.helpers.sessionstage import Hands
from tests.helpers.wait import until

pytestmark = pytest.mark.slow
SLOW = "30s"
"""How long a starved program may take to show a key that it takes: nobody waits for the rest."""


@pytest.fixture(autouse=True)
def patient(monkeypatch):
    """Looks are made once here: a busy machine may be slow to answer."""
    monkeypatch.setattr(taskdb, "READ_DEADLINE", 60.0)
    monkeypatch.setattr(taskdb, "WRITE_DEADLINE", 60.0)
    monkeypatch.setattr(probe, "LOOK_WITHIN", 60.0)


def verdict(of) -> Verdict:
    return unpack(of.details["verdict"], Verdict)


def refused(hands, order, ident="1.1.1", **more):
    with pytest.raises(VetoError) as error:
        hands.carry_out(order, ident, **more)
    return str(error.value)


def failed(hands, order, ident="1.1.1", **more):
    with pytest.raises(RemedyError) as error:
        hands.carry_out(order, ident, **more)
    return error.value


def test_a_hung_job_gets_one_key_and_all_of_it_is_written_down(stage):
    stage.hung("a")
    task = stage.task("a")
    hands = stage.hands(verify_within=SLOW)
    proof = hands.carry_out(hands.order("a"))
    assert stage.keys("a") == ["C-c"]
    assert verdict(proof).result == "cleared"
    assert verdict(proof).keys == ("C-c",)
    assert stage.taken(task)
    kept = hands.evidence()
    assert "Sorting" in kept["before"]["screen"]
    assert kept["after"]["screen"]
    assert kept["verdict"]["result"] == "cleared"
    assert [t["work"] for t in kept["touches"]] == ["press", "settle"]
    assert kept["samples"]
    assert kept["tasks"][0]["id"] == task
    assert kept["world"]["family"]["ticks"]
    file = stage.state / "evidence" / "1.1.1.json"
    assert stat.S_IMODE(file.stat().st_mode) == 0o600
    assert hands.steps[0] == f"Clearing stuck session: a (task {task})"
    assert all("evidence 1.1.1" in step for step in hands.steps[1:])
    assert "evidence 1.1.1" in proof.text


@pytest.mark.parametrize("what", ["clear", "answer"])
def test_while_another_healmon_is_at_a_pane_no_second_key_comes(stage, what):
    stage.agent("a", "claude", "approval") if what == "answer" else stage.hung("a")
    task = stage.task("a")
    hands = stage.hands(verify_within=SLOW)
    order = chosen(hands) if what == "answer" else hands.order("a")
    pane = next(p for p in SystemTmux().panes(stage.tmux.socket) if p.name == "a")
    action = {"action": ANSWER} if what == "answer" else {}
    with SystemTmux().claim(pane):
        said = refused(hands, order, **action)
        assert f"another healmon (pid {os.getpid()}) is at pane {pane.id}" in said
    assert stage.keys("a") == []
    assert not stage.taken(task)


@pytest.mark.parametrize(
    ("kind", "keys"),
    [
        ("claude", ["C-c"]),
        ("codex", ["Escape"]),
        ("gemini", ["Escape"]),
        ("opencode", ["Escape", "Escape"]),
    ],
)
def test_each_agent_gets_its_own_key_and_survives(stage, kind, keys):
    pane = stage.agent("a", kind, "hung")
    task = stage.task("a")
    hands = stage.hands(verify_within=SLOW)
    proof = hands.carry_out(hands.order("a"))
    assert stage.keys("a") == keys
    assert verdict(proof).result == "cleared", proof.text
    assert stage.tmux.ask(pane, "pane_dead") == "0"
    assert stage.status(task) in {"pending", "failed"}


def test_a_program_that_ends_with_its_pane_has_exited(stage):
    stage.tmux.new("other")
    stage.tmux.new("a", "exec sleep 1000")
    stage.task("a")
    hands = stage.hands(verify_within=SLOW)
    proof = hands.carry_out(hands.order("a"))
    assert verdict(proof).result == "exited"
    assert "its pane ended" in verdict(proof).how


def test_how_an_agent_can_be_started_again_is_kept(stage):
    stage.agent("a", "claude", "hung", "brittle", shell=True)
    stage.task("a")
    hands = stage.hands(verify_within=SLOW)
    proof = hands.carry_out(hands.order("a"))
    said = verdict(proof)
    assert stage.keys("a") == ["C-c"]
    assert said.result == "exited"
    assert said.resume.startswith("claude --resume 0a1b2c3d")
    assert "claude --resume" in proof.text


def test_a_deaf_job_gets_one_repeat_five_seconds_later_and_no_third(stage):
    stage.hung("a", deaf=True)
    task = stage.task("a")
    hands = stage.hands()
    error = failed(hands, hands.order("a"))
    said = verdict(error)
    assert said.result == "ignored"
    assert said.keys == ("C-c", "C-c")
    assert said.elsewhere
    assert "to do: " in str(error)
    at = [t["at"] for t in hands.evidence()["touches"] if t["work"] == "press"]
    assert at[1] - at[0] >= 5
    assert stage.taken(task)
    assert stage.status(task) != "in_progress"
    assert stage.keys("a") == ["C-c", "C-c"]


def test_what_a_frozen_program_leaves_unread_proves_it_and_nothing_more_is_typed(stage):
    stage.agent("a", "claude", "frozen")
    task = stage.task("a")
    hands = stage.hands()
    said = verdict(failed(hands, hands.order("a")))
    assert said.result == "frozen"
    assert said.keys == ("C-c",)
    assert said.elsewhere
    assert stage.keys("a") == []
    assert hands.evidence()["after"]["terminal"]["unread"] == 1
    assert stage.status(task) != "in_progress"


def test_a_mode_is_left_first_and_that_is_seen(stage):
    pane = stage.hung("a")
    stage.task("a")
    stage.tmux.run("copy-mode", "-t", pane)
    hands = stage.hands(verify_within=SLOW)
    proof = hands.carry_out(hands.order("a"))
    assert verdict(proof).result == "cleared"
    assert [t["work"] for t in hands.evidence()["touches"]][:2] == ["leave mode", "press"]
    assert stage.keys("a") == ["C-c"]


def test_idle_agents_lose_their_task_and_feel_no_key(stage):
    pane = stage.agent("a", "codex", "idle")
    task = stage.task("a")
    hands = stage.hands()
    proof = hands.carry_out(hands.order("a", keys=()))
    assert verdict(proof).result == "settled"
    assert stage.keys("a") == []
    assert stage.tmux.ask(pane, "pane_dead") == "0"
    assert stage.status(task) != "in_progress"


CHANGES = {
    "it became idle": lambda stage, _: stage.tell("a", "idle"),
    "it waits for an answer": lambda stage, _: stage.tell("a", "approval"),
    "it shows something new": lambda stage, _: stage.says("a", "  a new line of text"),
    "task 1 changed since": lambda stage, _: stage.sql("UPDATE prompts SET status = 'completed'"),
    "panes are synchronised": lambda stage, pane: stage.tmux.run(
        "set-option", "-w", "-t", pane, "synchronize-panes", "on"
    ),
    "takes no keys": lambda stage, pane: stage.tmux.run("select-pane", "-d", "-t", pane),
    "is not there any more": lambda stage, pane: stage.tmux.run("respawn-pane", "-k", "-t", pane),
}


@pytest.mark.parametrize("why", CHANGES)
def test_what_changed_since_the_order_is_seen_and_nothing_is_pressed(stage, why):
    pane = stage.agent("a", "claude", "hung")
    stage.tmux.new("other")
    task = stage.task("a")
    hands = stage.hands()
    order = hands.order("a")
    CHANGES[why](stage, pane)
    if "synch" in why:  # one pane alone is none
        stage.tmux.run("split-window", "-d", "-t", pane, "sleep 1000")
    until(lambda: True)
    said = refused(hands, order)
    assert why in said or "several panes" in said
    assert stage.keys("a") == []
    assert stage.status(task) in {"in_progress", "completed"}
    assert not stage.taken(task)


def test_what_another_rule_reads_now_is_pressed_only_when_a_person_asks(stage):
    stage.agent("a", "claude", "hung")
    stage.task("a")
    hands = stage.hands(verify_within=SLOW)
    order = hands.order("a", matched="another")
    assert "read by another rule" in refused(hands, order)
    assert stage.keys("a") == []
    hands.carry_out(replace(order, by_hand=True), "2.2.2")
    assert stage.keys("a") == ["C-c"]


def test_a_task_that_was_given_out_again_is_another_attempt(stage):
    stage.agent("a", "claude", "hung")
    task = stage.task("a")
    hands = stage.hands()
    order = hands.order("a")
    if not order.rows[0].attempt:
        pytest.skip("this database says no attempts yet")
    stage.sql("UPDATE prompts SET retry_count = 1 WHERE id = ?", task)
    assert "changed since" in refused(hands, order)
    assert stage.keys("a") == []


def test_a_change_between_the_journal_and_the_key_is_seen(stage, monkeypatch):
    stage.agent("a", "claude", "hung")
    task = stage.task("a")
    hands = stage.hands()
    order = hands.order("a")
    from tests.helpers import made_up

    note = made_up.Noted.about_to

    async def slow(self, text):
        await note(self, text)
        stage.tell("a", "idle")

    monkeypatch.setattr(made_up.Noted, "about_to", slow)
    assert "became idle" in refused(hands, order)
    assert stage.keys("a") == []
    assert hands.evidence()["touches"][0]["held"].startswith("it became idle")
    assert not stage.taken(task)


def test_a_key_that_a_killed_healmon_may_have_pressed_counts_as_pressed(stage):
    stage.hung("a", deaf=True)
    task = stage.task("a")
    hands = stage.hands()
    order = hands.order("a")
    given_at = stage.sql("SELECT assigned_at FROM prompts")[0][0]

    def as_before():
        stage.sql("UPDATE prompts SET status = 'in_progress', assigned_session = 'a',"
                  " retry_count = 0, error = NULL, assigned_at = ?", given_at)  # fmt: skip

    failed(hands, order, "1.1.1")
    assert len(stage.keys("a")) == 2
    # as if it had been killed right after its first key
    file = stage.state / "evidence" / "1.1.1.json"
    kept = json.loads(file.read_text())
    first = next(n for n, t in enumerate(kept["touches"]) if t["work"] == "press")
    kept |= {"verdict": None, "closed": 0.0, "touches": kept["touches"][: first + 1]}
    as_before()

    def failed_again(ident: str) -> object:
        """What the terminal echoes of the key before may come in between: that is vetoed."""
        with suppress(VetoError):
            return failed(hands, hands.order("a"), ident)
        return None

    for begun, more in ((1, 1), (2, 0)):
        kept["touches"][first]["step"] = begun
        file.write_text(json.dumps(kept))
        before = len(stage.keys("a"))
        said = verdict(until(lambda n=begun: failed_again(f"2.2.{n}"), 60, "its failure"))
        assert said.result == "ignored"
        assert len(stage.keys("a")) - before == more
        assert json.loads(file.read_text())["verdict"]["result"] == "unknown"
        assert hands.evidence(f"2.2.{begun}")["pressed_before"] == begun
        as_before()
    assert stage.taken(task)


def test_without_room_for_evidence_the_act_is_done_and_says_so(stage):
    stage.hung("a")
    task = stage.task("a")
    hands = stage.hands(verify_within=SLOW)
    stage.state.mkdir(mode=0o700)
    (stage.state / "evidence").mkdir(mode=0o755)
    proof = hands.carry_out(hands.order("a"))
    assert stage.keys("a") == ["C-c"]
    assert stage.taken(task)
    said = verdict(proof)
    assert not said.evidence
    assert "open to others" in said.lost
    assert "no evidence: " in proof.text
    assert all("no evidence: " in step for step in hands.steps[1:])


def test_no_secret_is_kept(stage):
    stage.agent("a", "claude", "hung")
    stage.says("a", "export OPENAI_API_KEY=sk-proj-aB3dE6gH9jK2mN5pQ8sT1vW4")
    until(lambda: "OPENAI" in stage.tmux.screen(stage.tmux.run("list-panes", "-aF", "#{pane_id}")))
    stage.task("a")
    hands = stage.hands(verify_within=SLOW)
    hands.carry_out(hands.order("a"))
    text = (stage.state / "evidence" / "1.1.1.json").read_text()
    assert "aB3dE6gH9" not in text
    assert "OPENAI_API_KEY=[redacted]" in text


# Tasks that are owed.


class Later(SystemClock):
    """A clock that a test may set forward."""

    ahead = 0.0

    def read(self) -> Reading:
        now = super().read()
        return Reading(now.wall + self.ahead, now.steady + self.ahead, now.boot + self.ahead)


def test_a_task_is_given_back_when_it_is_due_and_once(stage):
    stage.hung("a")
    task = stage.task("a")
    clock = Later()
    hands = Hands(stage, stage.configure(requeue_backoff=["1h"], verify_within=SLOW), clock)
    proof = hands.carry_out(hands.order("a"))
    assert "to be given back" in proof.text
    assert stage.status(task) == "failed"
    owed = Order(session="", rows=(Row("assigner", task, "failed", "1"),))
    assert "nothing is owed" in refused(hands, owed, action=REQUEUE)
    assert stage.status(task) == "failed"
    clock.ahead = 3700.0
    said = verdict(hands.carry_out(owed, action=REQUEUE))
    assert said.result == "given_back"
    assert said.tasks == {str(task): "requeued"}
    assert stage.status(task) == "pending"
    assert "nothing is owed" in refused(hands, owed, action=REQUEUE)
    assert stage.sql("SELECT retry_count FROM prompts") == [(1,)]


def test_a_row_that_somebody_changed_is_owed_no_more(stage):
    stage.hung("a")
    task = stage.task("a")
    clock = Later()
    hands = Hands(stage, stage.configure(requeue_backoff=["1h"], verify_within=SLOW), clock)
    hands.carry_out(hands.order("a"))
    stage.sql("UPDATE prompts SET status = 'cancelled'")
    clock.ahead = 3700.0
    owed = Order(session="", rows=(Row("assigner", task, "failed", "1"),))
    assert "nothing is owed" in refused(hands, owed, action=REQUEUE)
    assert stage.status(task) == "cancelled"


# The rungs that a person must allow.


def test_no_rung_is_climbed_that_nobody_allowed(stage):
    pane = stage.agent("a", "claude", "tool", "deaf")
    stage.task("a")
    hands = stage.hands()
    assert verdict(failed(hands, hands.order("a"))).result == "ignored"
    assert {t["work"] for t in hands.evidence()["touches"]} == {"press", "settle"}
    assert stage.tmux.ask(pane, "pane_dead") == "0"


def test_the_hung_tool_of_a_deaf_agent_is_ended_and_the_task_stays(stage):
    stage.agent("a", "claude", "tool", "deaf")
    task = stage.task("a", age=0)
    hands = stage.hands(escalate=["tool", "group"], verify_within="2s")
    order = hands.order("a")
    until(lambda: hands.seen("a").family.tool == ("sleep",), 60, "the tool seen")
    proof = hands.carry_out(order)
    said = verdict(proof)
    assert said.result == "unblocked"
    assert said.rung == "tool"
    assert stage.status(task) == "in_progress"
    assert not stage.taken(task)
    signals = [t for t in hands.evidence()["touches"] if t["work"] == "signal"]
    assert len(signals) == 1
    assert "sleep" in signals[0]["text"]
    assert "a tool of claude" in signals[0]["text"]


def test_a_deaf_job_is_asked_to_end_by_a_signal_where_that_is_allowed(stage):
    pane = stage.hung("a", deaf=True)
    task = stage.task("a")
    hands = stage.hands(escalate=["tool", "group"], verify_within="2s")
    proof = hands.carry_out(hands.order("a"))
    said = verdict(proof)
    assert said.result == "cleared"
    assert said.rung == "group"
    assert stage.keys("a") == ["C-c", "C-c"]
    assert stage.taken(task)
    assert stage.tmux.ask(pane, "pane_current_command") == "bash"


def test_a_frozen_agent_gets_no_signal_itself(stage):
    pane = stage.agent("a", "claude", "frozen")
    stage.task("a")
    hands = stage.hands(escalate=["tool", "group", "resume"])
    said = verdict(failed(hands, hands.order("a")))
    assert said.result == "frozen"
    assert "signal" not in {t["work"] for t in hands.evidence()["touches"]}
    assert stage.tmux.ask(pane, "pane_dead") == "0"


def test_an_agent_that_ended_is_started_again_as_it_said(stage, monkeypatch):
    path = stage.base / "path"
    path.mkdir()
    (path / "claude").write_text(f"#!/bin/sh\necho $@ > {stage.base}/again\nexec sleep 1000\n")
    (path / "claude").chmod(0o755)
    monkeypatch.setenv("PATH", f"{path}:{os.environ['PATH']}")
    pane = stage.agent("a", "claude", "hung", "brittle")
    stage.tmux.run("set-option", "-w", "-t", pane, "remain-on-exit", "on")
    stage.task("a")
    hands = stage.hands(escalate=["resume"], verify_within=SLOW)
    said = verdict(hands.carry_out(hands.order("a")))
    assert said.result == "exited"
    assert said.rung == "resume"
    again = stage.base / "again"
    until(again.exists, 60, "the program started again")
    assert again.read_text().startswith("--resume 0a1b2c3d")
    assert stage.tmux.ask(pane, "pane_dead") == "0"


# Answers.


@pytest.mark.parametrize(
    ("kind", "text", "keys"),
    [
        ("claude", "1. Yes", ["1"]),
        ("codex", "1. Yes, proceed (y)", ["1"]),
        ("gemini", "1. Allow once", ["1"]),
    ],
)
def test_the_answer_that_was_chosen_is_given_and_seen_to_be_taken(stage, kind, text, keys):
    stage.agent("a", kind, "approval")
    stage.task("a")
    hands = stage.hands(verify_within=SLOW)
    order = hands.order("a")
    choice = next(c for c in order.choices if c.text == text)
    order = hands.order("a", answer=choice.text, keys=(choice.keys,), rows=())
    proof = hands.carry_out(order, action=ANSWER)
    assert verdict(proof).result == "answered"
    assert stage.keys("a") == keys
    assert "asked for by tester" in hands.steps[0]
    assert text in proof.text


def chosen(hands, number=0):
    order = hands.order("a")
    choice = order.choices[number]
    return hands.order("a", answer=choice.text, keys=(choice.keys,), rows=())


@pytest.mark.parametrize("then", ["idle", "stream"])
def test_a_question_that_is_gone_is_not_answered(stage, then):
    stage.agent("a", "claude", "approval")
    stage.task("a")
    hands = stage.hands()
    order = chosen(hands)
    stage.tell("a", then)
    refused(hands, order, action=ANSWER)
    assert stage.keys("a") == []


def test_a_question_that_changes_between_the_journal_and_the_key_is_not_answered(
    stage, monkeypatch
):
    from tests.helpers import made_up

    stage.agent("a", "claude", "approval")
    stage.task("a")
    hands = stage.hands()
    order = chosen(hands)
    note = made_up.Noted.about_to

    async def slow(self, text):
        await note(self, text)
        stage.tell("a", "idle")

    monkeypatch.setattr(made_up.Noted, "about_to", slow)
    refused(hands, order, action=ANSWER)
    assert stage.keys("a") == []


def test_another_question_is_not_answered(stage):
    stage.agent("a", "claude", "approval")
    stage.task("a")
    hands = stage.hands()
    from msgspec.structs import replace

    order = chosen(hands)
    assert "something else" in refused(
        hands, replace(order, question="Do you want to make tea?"), action=ANSWER
    )
    assert "other answers" in refused(
        hands, replace(order, choices=order.choices[:1]), action=ANSWER
    )
    assert "not among" in refused(hands, replace(order, keys=(("2",),)), action=ANSWER)
    assert stage.keys("a") == []


def test_what_stands_in_a_composer_is_sent_on_request(stage):
    stage.agent("a", "claude", "unsent")
    stage.task("a")
    hands = stage.hands(verify_within=SLOW)
    order = hands.order("a", keys=(("Enter",),), answer="press Enter", rows=(), choices=())
    from msgspec.structs import replace

    order = replace(order, question=hands.seen("a").sign.text)
    other = replace(order, question="❯ something else")
    assert "another text" in refused(hands, other, action=ANSWER)
    assert verdict(hands.carry_out(order, action=ANSWER)).result == "answered"
    assert stage.keys("a") == ["Enter"]


def test_an_answer_that_is_not_taken_is_told(stage):
    stage.agent("a", "claude", "approval", "deaf")
    stage.task("a")
    hands = stage.hands()
    error = failed(hands, chosen(hands), action=ANSWER)
    assert verdict(error).result == "ignored"
    assert stage.keys("a") == ["1"]


def test_what_a_cleared_session_does_next_is_added_to_its_record(stage, monkeypatch):
    import asyncio

    from healmon.sessions import remedy as module
    from tests.helpers.made_up import Noted

    stage.agent("a", "claude", "hung")
    stage.task("a")
    hands = stage.hands(verify_within=SLOW)
    order = hands.order("a")

    async def act():
        remedy = module.Remedy(hands.probe, hands.clock, hands.files)
        await remedy.carry_out(hands.plan(order, "1.1.1"), Noted())
        end = time.monotonic() + 60
        while not hands.evidence()["afterwards"]:
            assert time.monotonic() < end
            await asyncio.sleep(0.05)
        remedy.close()
        hands.probe.close()

    asyncio.run(act())
    assert hands.evidence()["afterwards"]["said"] == "idle"
    assert hands.evidence()["verdict"]["result"] == "cleared"


def test_a_release_presses_nothing_and_keeps_what_the_program_showed(stage):
    stage.hung("a")
    hands = stage.hands()
    order = hands.order("a", release=True, by_hand=True, keys=(), reason="ignored")
    proof = hands.carry_out(order)
    assert stage.keys("a") == []
    assert (verdict(proof).result, verdict(proof).let_go) == ("released", True)
    kept = hands.evidence()
    assert "Sorting" in kept["before"]["screen"]
    assert kept["verdict"]["result"] == "released"
    assert not kept["touches"]
    assert "evidence 1.1.1" in proof.text
    wrong = replace(order, key=f"{order.key.rpartition('.')[0][:-1]}.0")
    assert "is not there any more" in refused(hands, wrong, "1.1.2")
    stage.task("a")
    assert "has got tasks meanwhile" in refused(hands, order, "1.1.3")
    assert stage.keys("a") == []
