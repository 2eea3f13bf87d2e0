"""What the healer does and offers, in a made-up world."""

from __future__ import annotations

import signal

import pytest
from msgspec.structs import replace

from healmon.errors import DataError, RemedyError, VetoError
from tests.helpers.dbstory import PATH, Notebook, Story


@pytest.fixture
def story():
    made = Story("wal")
    yield made
    made.close()


def planned(story):
    plan = story.look().plan
    assert plan is not None
    story.clock.advance(plan.delay)
    return plan


def test_a_holder_that_commits_is_proof(story):
    holder = story.stopped_holder("app")
    plan = planned(story)
    hand = Notebook()
    story.machine.on_signal = lambda: story.locks.commit(PATH, holder.pid)
    proof = story.carry_out(plan, hand)
    assert hand.told == [f"send SIGCONT to pid {holder.pid} (app)"]
    assert story.machine.signals == [(holder, signal.SIGCONT)]
    assert proof.text == f"pid {holder.pid} (app) runs again; lock released after 0.0 s"
    assert proof.message.startswith("architect: ")
    assert proof.details["released"] is True
    assert story.look().metric_value == "free"


def test_a_marker_that_moves_under_the_lock_is_no_release(story):
    """The marker moves before the lock is let go: the writer may be in the midst of its commit."""
    holder = story.stopped_holder("app")
    plan = planned(story)

    def go_on():
        story.locks.commit(PATH, holder.pid)
        story.locks.begin(PATH, holder.pid)

    story.machine.on_signal = go_on
    proof = story.carry_out(plan)
    assert "still holds WAL_WRITE" in proof.text
    assert "committed meanwhile, or is being committed" in proof.text
    assert proof.details["released"] is False
    assert proof.message == ""


def test_one_commit_after_the_other_is_a_writer_at_work(story):
    holder = story.stopped_holder("app")
    plan = planned(story)
    look = story.locks.look

    def work(path):
        if story.machine.signals:
            story.locks.commit(PATH, holder.pid)
            story.locks.begin(PATH, holder.pid)
        return look(path)

    story.locks.look = work
    proof = story.carry_out(plan)
    assert "commits again and again" in proof.text
    assert proof.details["released"] is True


def test_a_holder_that_ends_is_proof(story):
    holder = story.stopped_holder("app")
    plan = planned(story)
    story.machine.on_signal = lambda: story.machine.end(holder)
    proof = story.carry_out(plan)
    assert "ended after SIGCONT; lock released" in proof.text


def test_a_holder_that_runs_on_and_holds_is_told_as_it_is(story):
    holder = story.stopped_holder("app")
    plan = planned(story)
    proof = story.carry_out(plan)
    assert "still holds WAL_WRITE" in proof.text
    assert "alive" in proof.text
    assert proof.message == ""
    assert proof.details["released"] is False
    # a new clock: the old ten seconds do not count any more
    verdict = story.look()
    assert verdict.metric_value == "idle-in-transaction"
    assert not verdict.findings
    assert not story.look(after=9).findings
    assert story.look(after=2).findings
    assert story.continued() == [holder]


def test_only_what_was_released_counts_as_a_cleared_lock(story):
    from healmon import events as ev

    holder = story.stopped_holder("app")
    plan = planned(story)

    def tell(proof):
        story.tell(
            ev.ActionVerified("p", plan.component, plan.action, proof.text, 0.1, "", proof.details)
        )
        return story.known.tallies.get("clear_database_lock", 0)

    assert tell(story.carry_out(plan)) == 0
    story.locks.commit(PATH, holder.pid)
    again = story.stopped_holder("other")
    plan = planned(story)
    story.machine.on_signal = lambda: story.locks.commit(PATH, again.pid)
    assert tell(story.carry_out(plan)) == 1


def test_a_holder_that_stays_stopped_is_a_failure(story):
    holder = story.stopped_holder("vi")
    plan = planned(story)
    story.machine.on_signal = lambda: story.machine.change(holder, state="T")
    with pytest.raises(RemedyError, match="still stopped"):
        story.carry_out(plan)
    # and somebody means it: not again within ten minutes
    verdict = story.look()
    assert verdict.plan is None
    verdict = story.look(after=60)
    assert verdict.plan is None
    assert "somebody means it" in verdict.findings[0].message
    assert f"kill -CONT {holder.pid}" in verdict.findings[0].message
    with pytest.raises(DataError, match="somebody means it"):
        story.offer()
    assert story.look(after=600).plan is not None


def test_another_one_may_be_continued_at_once(story):
    first = story.stopped_holder("app")
    plan = planned(story)
    story.machine.on_signal = lambda: story.locks.commit(PATH, first.pid)
    story.carry_out(plan)
    story.stopped_holder("other")
    assert story.look().plan is not None


def test_who_was_continued_is_remembered_across_a_restart(story):
    holder = story.stopped_holder("app")
    plan = planned(story)
    story.carry_out(plan)
    story.look()
    story.machine.change(holder, state="T")
    story.healer._acted.clear()
    assert story.look().plan is None


def commit(story, holder):
    story.locks.commit(PATH, holder.pid)


def end(story, holder):
    story.machine.end(holder)


def run_on(story, holder):
    story.machine.change(holder, state="S")


def trace(story, holder):
    story.machine.change(holder, state="t")


def work_and_stop(story, holder):
    story.machine.change(holder, cpu_seconds=0.01)


def spill(story, holder):
    story.locks.write(PATH, holder.pid, spilled=True)


def commit_and_begin(story, holder):
    story.locks.commit(PATH, holder.pid)
    story.locks.begin(PATH, holder.pid)


def reuse(story, holder):
    story.machine.end(holder)
    story.locks.end(holder.pid)
    again = story.somebody(pid=holder.pid)
    story.machine.change(again, state="T")
    story.locks.begin(PATH, again.pid)


def pass_on(story, holder):
    story.locks.commit(PATH, holder.pid)
    story.stopped_holder()


def recreate(story, holder):
    story.locks.create(PATH, "wal")
    story.locks.begin(PATH, holder.pid)


def remove(story, holder):
    story.locks.remove(PATH)


def hide(story, holder):
    story.locks.refuse(PATH, "hangs")


CHANGES = [
    commit, end, run_on, trace, work_and_stop, spill, commit_and_begin, reuse, pass_on, recreate,
    remove, hide,
]  # fmt: skip


@pytest.mark.parametrize("change", CHANGES)
@pytest.mark.parametrize("late", [False, True], ids=["before the journal", "during the journal"])
def test_any_change_of_the_world_is_a_veto(story, change, late):
    holder = story.stopped_holder("app")
    plan = planned(story)
    if late:
        hand = Notebook(lambda: change(story, holder))
    else:
        change(story, holder)
        hand = Notebook()
    with pytest.raises(VetoError):
        story.carry_out(plan, hand)
    assert not story.machine.signals
    assert len(hand.told) == late


def test_a_veto_does_not_come_twice_for_the_same_world(story):
    """Else engine and healer would go round in circles."""
    holder = story.stopped_holder("app")
    plan = planned(story)
    work_and_stop(story, holder)
    with pytest.raises(VetoError):
        story.carry_out(plan)
    plan = story.look().plan
    assert plan is not None
    assert plan.delay == 10.0
    story.clock.advance(plan.delay)
    story.carry_out(plan)
    assert story.continued() == [holder]


def test_a_refused_signal_is_a_failure(story):
    story.stopped_holder("app", somebody_elses=True)
    with pytest.raises(RemedyError, match="may not signal"):
        story.carry_out(planned(story))


def test_a_plan_of_another_layout_is_a_veto(story):
    story.stopped_holder("app")
    plan = planned(story)
    with pytest.raises(VetoError):
        story.carry_out(replace(plan, order={"x": 1}))


def test_unlock_is_offered_for_a_stopped_holder(story):
    holder = story.stopped_holder("app")
    story.look()
    plan = story.offer()
    assert plan.delay == 0.0
    assert plan.steps[0].command == f"kill -CONT {holder.pid}"
    story.machine.on_signal = lambda: commit(story, holder)
    assert "released" in story.carry_out(plan).text


def test_unlock_tells_who_holds_it_and_what_to_type(story):
    holder = story.holder("sqlite3")
    story.look()
    story.clock.advance(42)
    story.look()
    with pytest.raises(DataError) as caught:
        story.offer()
    assert f"locked 42 s by pid {holder.pid} (sqlite3), idle in a transaction" in str(caught.value)
    assert f"kill -TERM {holder.pid}" in str(caught.value)


def test_unlock_of_a_terminal_says_where_to_type(story):
    holder = story.holder("sqlite3")
    story.machine.change(holder, tty=3)
    story.look()
    with pytest.raises(DataError, match="ROLLBACK; or COMMIT; at its prompt on pts/3"):
        story.offer()


def test_unlock_of_what_is_not_locked(story):
    story.look()
    with pytest.raises(DataError, match="not locked"):
        story.offer()
    story.locks.refuse(PATH, "not-permitted")
    story.look()
    with pytest.raises(DataError, match="cannot look"):
        story.offer()
    with pytest.raises(DataError, match="only unlock"):
        story.offer("restart")
    with pytest.raises(DataError, match="database:architect"):
        story.healer.offer("unlock", "database:other", story.known, story.clock.read())
