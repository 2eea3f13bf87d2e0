"""Giving tasks back later, real and made up: the row is the ledger."""

from __future__ import annotations

import json
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from msgspec.structs import replace

from healmon.errors import ProbeError, RemedyError
from healmon.world import taskdb
from healmon.world.beats import Beat
from healmon.world.tasklayouts import layouts
from healmon.world.taskwords import Late, Owed, Settled, Settlement, Task
from tests.helpers.examples import examples
from tests.helpers.taskstage import LAYOUTS, MadeUpStage, RealStage

pytestmark = [pytest.mark.slow, pytest.mark.usefixtures("preloaded")]

NOW = 1_770_503_580.0
STEPS = (60.0, 300.0, 900.0)
World = RealStage | MadeUpStage


@pytest.fixture(autouse=True)
def patience(monkeypatch: pytest.MonkeyPatch) -> None:
    """The machine may be busy with other things."""
    monkeypatch.setattr(taskdb, "READ_DEADLINE", 90.0)
    monkeypatch.setattr(taskdb, "WRITE_DEADLINE", 90.0)


@pytest.fixture(params=["real", "simulated"])
def make(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator:
    made: list[World] = []

    def stage(layout: str = "full", **keys: object) -> World:
        laid = LAYOUTS[layout]
        one = RealStage(laid, tmp_path) if request.param == "real" else MadeUpStage(laid)
        one.tasks = replace(one.tasks, **{"requeue_backoff": STEPS, **keys})
        made.append(one)
        return one

    yield stage
    for one in made:
        one.close()


@pytest.fixture
def stage(make) -> World:
    return make()


def utc(wall: float) -> str:
    return f"{datetime.fromtimestamp(wall, UTC):%Y-%m-%d %H:%M:%S}"


def zulu(wall: float) -> str:
    return f"{datetime.fromtimestamp(wall, UTC):%Y-%m-%dT%H:%M:%SZ}"


def work(number: object, session: object = "dev", **values: object) -> dict[str, object]:
    given = {"id": number, "session": session, "status": "assigned", "assigned_at": utc(NOW - 3600)}
    return given | values


def read(stage: World) -> tuple[Task, ...]:
    return stage.door.read(stage.tasks)


def owed(stage: World) -> tuple[Owed, ...]:
    return stage.door.owed(stage.tasks)


def late(stage: World) -> tuple[Late, ...]:
    return stage.door.late(stage.tasks)


def settle(stage: World, *seen: Task, at: float = NOW, **values: object) -> list[Settled]:
    order = Settlement(**({"requeue": True, "error": "stuck for 31 min", "at": at} | values))
    return list(stage.door.settle(stage.tasks, seen or read(stage), order))


def back(stage: World, *what: Owed, at: float = NOW + 60) -> list[Settled]:
    return list(stage.door.give_back(stage.tasks, what or owed(stage), at))


def row(stage: World, number: object = 1) -> dict[str, object]:
    return next(r for r in stage.rows() if r["id"] == number)


def outcomes(settled: list[Settled]) -> list[str]:
    return [one.outcome for one in settled]


# the ledger


def test_a_stuck_task_fails_first_and_its_row_says_when_it_is_given_back(stage):
    stage.fill(work(1), work(2, "other"))
    seen, other = read(stage)
    note = f"to be given back at {zulu(NOW + 60)} as retry 1 of 3"
    assert settle(stage, seen) == [Settled(1, "owed", "assigned", note, NOW + 60)]
    assert {k: row(stage)[k] for k in ("status", "session", "error", "retry_count")} == {
        "status": "failed", "session": "dev", "retry_count": 0,
        "error": f"stuck for 31 min [healmon: {note}; token {seen.token}]",
    }  # fmt: skip
    assert row(stage)["completed_at"] == utc(NOW)
    assert read(stage) == (other,)
    assert owed(stage) == (
        Owed("assigner", 1, NOW + 60, 1, "", "dev", str(row(stage)["error"]), note),
    )


def test_what_is_owed_is_given_back_once(stage):
    stage.fill(work(1), work(2))
    first, second = read(stage)
    settle(stage, first)
    what = owed(stage)
    note = f"given back at {zulu(NOW + 61)} as retry 1 of 3"
    assert back(stage, *what, at=NOW + 61) == [Settled(1, "requeued", "failed", note)]
    after = row(stage)
    assert after == row(stage) | {
        "status": "pending", "session": None, "assigned_at": None, "completed_at": None,
        "retry_count": 1, "error": f"stuck for 31 min [healmon: {note}; token {first.token}]",
    }  # fmt: skip
    assert outcomes(back(stage, *what)) == ["left"]
    assert row(stage) == after
    assert owed(stage) == ()
    assert read(stage) == (second,)
    entries = [(e["session_name"], e["action"]) for e in stage.history()]
    assert entries == [("dev", "failed"), ("dev", "requeued")]
    assert [json.loads(e["details"])["token"] for e in stage.history()] == [first.token] * 2


def test_each_attempt_waits_longer_and_the_last_one_needs_a_person(stage):
    stage.fill(work(1))
    dues = []
    for attempt in range(1, 4):
        (seen,) = read(stage)
        assert seen.attempt == attempt - 1
        settle(stage, seen)
        (one,) = owed(stage)
        assert one.attempt == attempt
        dues.append(one.due - NOW)
        assert outcomes(back(stage)) == ["requeued"]
        # the assigner gives it out again
        stage.change(1, status="assigned", session="dev", assigned_at=utc(NOW + attempt))
    assert dues == list(STEPS)
    note = "needs a person: all 3 retries are used"
    assert settle(stage) == [Settled(1, "failed", "assigned", note)]
    assert row(stage)["status"] == "failed"
    assert note in str(row(stage)["error"])
    assert owed(stage) == ()


@pytest.mark.parametrize(
    ("own", "ours", "outcome"),
    [(3, 1, "failed"), (3, 2, "owed"), (1, 9, "failed"), (2, 9, "owed"), (9, 0, "owed"),
     (None, 2, "owed"), (None, 1, "failed"), (None, 0, "failed"), ("many", 9, "failed"),
     (-4, 9, "failed")],
)  # fmt: skip
def test_the_smaller_limit_counts(make, own, ours, outcome):
    stage = make(max_requeues=ours)
    stage.fill(work(1, retry_count=1, max_retries=own))
    assert outcomes(settle(stage)) == [outcome]
    if outcome == "owed":
        assert " as retry 2 of 2;" in row(stage)["error"] or own == 9


def test_a_status_of_its_own_for_what_needs_a_person(make):
    stage = make("mapped", requeue_backoff=())
    stage.fill({**work(1), "status": "busy", "tries": 2}, {**work(2), "status": "busy", "tries": 1})
    assert outcomes(settle(stage)) == ["failed", "requeued"]
    assert [row(stage, n)["status"] for n in (1, 2)] == ["help", "todo"]
    assert late(stage) == ()


def test_without_a_delay_it_is_given_back_at_once(make):
    stage = make(requeue_backoff=(0.0, 60.0))
    stage.fill(work(1), work(2, retry_count=1))
    assert outcomes(settle(stage)) == ["requeued", "owed"]
    assert row(stage)["status"] == "pending"
    assert "[healmon: given back at " in str(row(stage)["error"])
    assert [one.id for one in owed(stage)] == [2]


def test_without_an_error_column_it_is_given_back_at_once(make):
    stage = make(error="")
    stage.fill(work(1))
    assert outcomes(settle(stage)) == ["requeued"]
    assert (row(stage)["status"], row(stage)["error"]) == ("pending", None)
    assert owed(stage) == late(stage) == ()


def test_a_column_for_it_lets_the_queue_wait_itself(make):
    stage = make("mapped")
    since = NOW - 3600.5
    stage.fill({**work(1), "status": "busy", "assigned_at": since})
    (done,) = settle(stage)
    assert (done.outcome, done.due) == ("requeued", NOW + 60)
    assert row(stage) == row(stage) | {"status": "todo", "session": None, "tries": 1}
    assert row(stage)["wait_until"] == NOW + 60
    assert owed(stage) == ()
    stage.change(1, status="busy", session="dev", assigned_at=NOW)
    stage.tasks = replace(stage.tasks, requeue_backoff=(0.0,))
    settle(stage)
    assert row(stage)["wait_until"] is None, "a time of long ago means nothing for this one"


CANCELLED = {
    "cancelled": {"status": "cancelled"},
    "completed": {"status": "completed", "completed_at": utc(NOW + 9)},
    "pending by hand": {"status": "pending", "session": None, "assigned_at": None, "error": None},
    "given out": {"status": "assigned", "session": "other", "assigned_at": utc(NOW + 9)},
    "another reason": {"error": "Assignment timed out"},
    "no reason": {"error": None},
    "counted": {"retry_count": 1},
    "another session": {"session": "other"},
    "another time": {"assigned_at": utc(NOW)},
    "a longer text": {"error": lambda text: text + " (looked at by ann)"},
    "an earlier text": {"error": lambda text: text.replace("22:34", "22:33")},
    "no status": {"status": None},
}


@pytest.mark.parametrize("how", CANCELLED)
def test_whoever_changes_the_row_takes_it_over(stage, how):
    stage.fill(work(1), work(2))
    first = read(stage)[0]
    settle(stage, first)
    what = owed(stage)
    old = row(stage)["error"]
    change = {k: v(old) if callable(v) else v for k, v in CANCELLED[how].items()}
    stage.change(1, **change)
    before = row(stage)
    assert outcomes(back(stage, *what)) == ["left"]
    assert row(stage) == before
    # an earlier time is a person's wish, and is read again
    assert [one.due for one in owed(stage)] == ([NOW] if how == "an earlier text" else [])


def test_a_row_that_is_gone_or_put_away_is_left(make):
    stage = make("archived")
    stage.fill(work(1), work(2), work(3))
    settle(stage)
    what = owed(stage)
    stage.remove(1)
    stage.change(2, archived=1)
    assert [one.id for one in owed(stage)] == [3]
    done = back(stage, *what)
    assert [(s.id, s.outcome, s.status) for s in done] == [
        (1, "left", ""), (2, "left", "failed"), (3, "requeued", "failed"),
    ]  # fmt: skip


def test_foreign_texts_that_look_like_ours_are_not_believed(stage):
    stage.fill(*(work(n, status="failed", error=text) for n, text in enumerate((
        "[healmon: to be given back at 2026-02-07T22:34:00Z as retry 1 of 3; token 000000000000]",
        "[healmon: to be given back at 2026-02-07T22:34:00Z as retry 1 of 3]",
        "[healmon: to be given back at never as retry 1 of 3; token 000000000000]",
        "[healmon: to be given back at ",
        "stuck",
    ))))  # fmt: skip
    assert owed(stage) == ()
    quoted = "he said [healmon: to be given back at 1970-01-01T00:00:10Z as retry 9 of 9; token 0]"
    stage.fill(work(9))
    settle(stage, error=quoted)
    assert [(one.id, one.due, one.attempt) for one in owed(stage)] == [(9, NOW + 60, 1)]
    assert outcomes(back(stage)) == ["requeued"]
    assert str(row(stage, 9)["error"]).startswith(f"{quoted} [healmon: given back at")


def test_a_locked_database_owes_on(stage):
    stage.fill(work(1))
    settle(stage)
    what = owed(stage)
    stage.hold()
    with pytest.raises(RemedyError, match="locked"):
        back(stage, *what)
    with pytest.raises(ProbeError, match="locked"):
        owed(stage)
    stage.release()
    assert owed(stage) == what
    assert outcomes(back(stage, *what)) == ["requeued"]


# the fence


def test_another_attempt_is_another_token_and_is_left(stage):
    stage.fill(work(1), work(2), work(3))
    seen = read(stage)
    assert len({task.token for task in seen}) == 3
    assert [task.token for task in read(stage)] == [task.token for task in seen]
    # given out again within the same second
    stage.change(1, retry_count=1)
    stage.change(2, status="in_progress", content="more")
    again = read(stage)
    assert again[0].token != seen[0].token
    assert again[1].token == seen[1].token
    assert outcomes(settle(stage, *seen)) == ["left", "left", "owed"]
    assert outcomes(settle(stage, *again[:2])) == ["owed", "owed"]


def test_a_count_that_is_none_tells_attempts_apart_all_the_same(stage):
    stage.fill(work(1, retry_count="x"), work(2, retry_count="x"))
    seen = read(stage)
    assert [task.attempt for task in seen] == [None, None]
    stage.change(1, retry_count="y")
    assert outcomes(settle(stage, *seen, requeue=False)) == ["left", "failed"]


def test_a_task_without_a_token_is_told_apart_by_its_attempt(stage):
    stage.fill(work(1), work(2))
    first, second = (replace(task, token="") for task in read(stage))
    stage.change(1, retry_count=1)
    assert outcomes(settle(stage, first, second)) == ["left", "owed"]


def test_a_sign_of_life_in_the_table_counts_and_hinders(make):
    stage = make("mapped")
    stage.fill(*({**work(n), "status": "busy", "beat": NOW - 100} for n in (1, 2)))
    seen = read(stage)
    assert [task.beat_at for task in seen] == [NOW - 100] * 2
    stage.change(1, beat=NOW - 1)
    assert outcomes(settle(stage, *seen)) == ["left", "requeued"]
    (alive,) = read(stage)
    assert (alive.id, alive.beat_at, alive.token) == (1, NOW - 1, seen[0].token)


def test_beats_are_joined_to_the_attempt_they_are_of(stage):
    stage.fill(work(1), work(2), work(3), work(4))
    seen = read(stage)
    beats = [
        Beat("assigner", "1", NOW - 5, seen[0].token, "half"),
        Beat("assigner", "1", NOW - 9, seen[0].token),
        Beat("assigner", "2", NOW - 5, "of old"),
        Beat("other", "3", NOW - 5, seen[2].token),
        Beat("assigner", "4", NOW - 5),
        Beat("assigner", "4", NOW - 9999),
    ]
    if isinstance(stage, RealStage):
        stage.door = taskdb.SystemTaskDatabases(UTC, beats=lambda: beats)
    else:
        stage.made.beats = beats
    assert [task.beat_at for task in read(stage)] == [NOW - 5, None, None, NOW - 5]
    assert [task.beat_note for task in read(stage)] == ["half", "", "", ""]


# elsewhere


@pytest.mark.parametrize("backoff", [STEPS, ()])
def test_a_wish_for_the_same_session_is_cleared_when_it_must_go_elsewhere(make, backoff):
    stage = make(requeue_backoff=backoff)
    wishes = {1: "dev", 2: "other", 3: None}
    stage.fill(*(work(n, target_session=wish) for n, wish in wishes.items()))
    settle(stage, elsewhere=True)
    if backoff:
        assert [row(stage, n)["target_session"] for n in wishes] == ["dev", "other", None]
        assert [one.elsewhere for one in owed(stage)] == ["dev"] * 3
        back(stage)
    assert [row(stage, n)["target_session"] for n in wishes] == [None, "other", None]
    assert all(", not to dev;" in str(row(stage, n)["error"]) for n in wishes)
    cleared = ["target_cleared" in json.loads(e["details"]) for e in stage.history()][-3:]
    assert cleared == [True, False, False]


def test_a_wish_stays_when_the_same_session_may_have_it(stage):
    stage.fill(work(1, target_session="dev"))
    settle(stage)
    assert owed(stage)[0].elsewhere == ""
    back(stage)
    assert row(stage)["target_session"] == "dev"


@pytest.mark.parametrize("name", ["a]b[", "x; token 1", "\x1b[31m", "é'\"", "s" * 300, "as retry"])
def test_hostile_sessions_do_not_break_the_note(stage, name):
    stage.fill(work(1, name))
    settle(stage, elsewhere=True)
    (one,) = owed(stage)
    assert one.session == name
    assert one.elsewhere
    assert one.elsewhere.isprintable()
    assert outcomes(back(stage)) == ["requeued"]


# late results


def taken(stage: World, *, given_back: bool) -> Task:
    stage.fill(work(1), work(2))
    (seen, _) = read(stage)
    settle(stage, seen)
    if given_back:
        back(stage)
    return seen


DONE = {"status": "completed", "completed_at": utc(NOW + 90)}


@pytest.mark.parametrize("given_back", [False, True])
@pytest.mark.parametrize("error", ["ours", "cleared"])
def test_a_result_of_the_old_attempt_is_told_and_nothing_is_done_twice(stage, given_back, error):
    seen = taken(stage, given_back=given_back)
    what = owed(stage)
    assert late(stage) == ()
    stage.change(1, **DONE, **({} if error == "ours" else {"error": None}))
    (one,) = late(stage)
    assert (one.source, one.id, one.session, one.status) == ("assigner", 1, "dev", "completed")
    assert (one.at, one.token) == (NOW + 90, seen.token)
    assert "became completed after it was taken away (session dev had it)" in one.text
    before = row(stage)
    assert outcomes(back(stage, *what)) == ["left"] * len(what)
    assert row(stage) == before


def test_a_result_that_comes_with_the_old_session_is_late_too(stage):
    taken(stage, given_back=True)
    stage.change(1, **DONE, session="dev")
    assert [one.id for one in late(stage)] == [1]


@pytest.mark.parametrize("given_back", [False, True])
def test_a_failure_that_the_old_attempt_reports_is_late(stage, given_back):
    taken(stage, given_back=given_back)
    stage.change(1, status="failed", error="Traceback: boom")
    assert [(one.id, one.status) for one in late(stage)] == [(1, "failed")]
    assert owed(stage) == ()


ANEW = {"status": "completed", "session": "other", "assigned_at": utc(NOW + 70)}


@pytest.mark.parametrize("session", ["other", "dev"])
def test_a_result_of_the_next_attempt_is_not_late(stage, session):
    taken(stage, given_back=True)
    stage.change(1, **ANEW | {"session": session})
    assert late(stage) == ()


@pytest.mark.parametrize("error", ["ours", "cleared"])
@pytest.mark.parametrize("session", [None, "dev"])
def test_where_the_history_says_that_somebody_got_it_since_nothing_is_late(stage, session, error):
    taken(stage, given_back=True)
    stage.assigned(1, "dev")
    # some queues forget who it was once it is done
    done = {**DONE, "session": session, "assigned_at": None}
    stage.change(1, **done | ({} if error == "ours" else {"error": None}))
    assert late(stage) == ()


@pytest.mark.parametrize("change", [{"status": "cancelled"}, {"status": "pending", "error": None}])
def test_what_a_person_does_is_no_result(stage, change):
    taken(stage, given_back=True)
    stage.change(1, **change)
    assert late(stage) == ()


@pytest.mark.parametrize("layout", ["bare", "task_queue"])
def test_without_a_history_the_text_tells_what_is_late(make, layout):
    stage = make({"task_queue": "queue"}.get(layout, layout))
    status = layouts(stage.tasks)[0]["active"][0]
    stage.fill(work(1, status=status))
    settle(stage, requeue=False)
    assert late(stage) == ()
    stage.change(1, status="completed")
    assert [(one.id, one.session) for one in late(stage)] == [(1, "dev")]
    stage.change(1, error=None)
    assert late(stage) == ()


@pytest.mark.parametrize(("layout", "at"), [("full", NOW), ("bare", None), ("mapped", NOW + 60)])
def test_when_its_end_is_not_told_it_is_dated_by_its_being_taken_away(make, layout, at):
    stage = make(layout, requeue_backoff=(60.0,) if layout == "full" else ())
    status = layouts(stage.tasks)[0]["active"][0]
    stage.fill(work(1, status=status))
    settle(stage, at=NOW + 60 * (layout == "mapped"))
    stage.change(1, status="done", **({} if layout == "bare" else {"completed_at": None}))
    assert [one.at for one in late(stage)] == [at]


def test_one_look_tells_all_three(stage):
    stage.fill(work(1), work(2), work(3))
    first, second, third = read(stage)
    settle(stage, first, second)
    stage.change(2, **DONE)
    view = stage.door.look(stage.tasks)
    assert view.active == (third,) == read(stage)
    assert [one.id for one in view.owed] == [1]
    assert view.owed == owed(stage)
    assert [one.id for one in view.late] == [2]
    assert view.late == late(stage)


# layouts


def test_the_queue_counts_in_its_own_words(make):
    stage = make("late queue", requeue_backoff=())
    stage.timeouts(shell=300, claude_task=3600, default=600)
    rows = [
        {"task_type": "shell"},
        {"task_type": "claude_task"},
        {"task_type": "unheard of"},
        {"task_type": "shell", "timeout_seconds": 7200},
        {"task_type": "shell", "timeout_seconds": 0},
    ]
    stage.fill(*(work(n, status="running", **one) for n, one in enumerate(rows)))
    seen = read(stage)
    assert [task.timeout for task in seen] == [300.0, 3600.0, 600.0, 7200.0, 300.0]
    stage.change(0, assigned_node="node-1")
    stage.change(1, deleted_at=utc(NOW))
    assert [task.id for task in read(stage)] == [0, 2, 3, 4]
    assert outcomes(settle(stage, *seen[:2])) == ["requeued", "left"]
    after = row(stage, 0)
    words = ("status", "session", "assigned_node", "assigned_at", "retries")
    assert {word: after[word] for word in words} == {
        "status": "pending", "session": None, "assigned_node": None, "assigned_at": None,
        "retries": 1,
    }  # fmt: skip


def test_without_its_table_of_timeouts_nobody_chose_one(make):
    stage = make("queue")
    stage.fill(work(1, status="running"), work(2, status="in_progress"))
    assert [task.timeout for task in read(stage)] == [None, None]


def test_mapped_columns_and_units(make):
    stage = make("mapped")
    stage.fill(
        {**work(1), "status": "busy", "hours": 1.5, "patience": 2},
        {**work(2), "status": "stuck", "hours": "soon", "patience": -1},
    )
    assert [(t.timeout, t.stuck_after) for t in read(stage)] == [(5400.0, 7200.0), (None, None)]
    stage.tasks = replace(stage.tasks, timeout_unit="seconds")
    assert [(t.timeout, t.stuck_after) for t in read(stage)] == [(1.5, 2.0), (None, None)]


@pytest.mark.parametrize("key", ["heartbeat", "not_before", "error", "retries", "timeout"])
def test_a_key_that_names_no_column_is_told_by_its_name(stage, key):
    stage.fill(work(1))
    seen = read(stage)
    stage.tasks = replace(stage.tasks, **{key: "nothing"})
    with pytest.raises(ProbeError, match=rf"no column 'nothing' \(keys: {key}\)"):
        read(stage)
    with pytest.raises(RemedyError, match=rf"no column 'nothing' \(keys: {key}\)"):
        settle(stage, *seen)
    assert row(stage)["status"] == "assigned"


def test_the_table_of_sessions_lets_go_only_of_what_was_taken_away(stage):
    stage.fill(work(1), work(2), work(3, "third"), work(4, "fourth"))
    stage.sessions(dev=1, second=1, third=9, fourth=None)
    seen = read(stage)
    stage.change(4, status="completed")
    settle(stage, *seen)
    assert stage.sessions_name() == {"dev": None, "second": 1, "third": 9, "fourth": None}


# whatever happens


@settings(max_examples=examples(10), suppress_health_check=list(HealthCheck))
@given(
    rows=st.lists(
        st.fixed_dictionaries(
            {
                "status": st.sampled_from(("assigned", "assigned", "in_progress", "pending")),
                "session": st.sampled_from(("dev", "a'b", "é[;]", None)),
                "retry_count": st.sampled_from((0, 1, 3, None, "x")),
                "max_retries": st.sampled_from((3, 1, None, "x")),
                "target_session": st.sampled_from((None, "dev")),
            }
        ),
        min_size=1,
        max_size=6,
    ),
    between=st.dictionaries(st.integers(0, 5), st.sampled_from(list(CANCELLED)), max_size=2),
    afterwards=st.dictionaries(
        st.integers(0, 5), st.sampled_from(("completed", "given out", "cancelled")), max_size=3
    ),
    elsewhere=st.booleans(),
    layout=st.sampled_from(("full", "archived")),
)
def test_real_and_made_up_agree_whatever_happens(
    tmp_path_factory, rows, between, afterwards, elsewhere, layout
):
    laid = LAYOUTS[layout]
    found = []
    for one in (RealStage(laid, tmp_path_factory.mktemp("real")), MadeUpStage(laid)):
        one.tasks = replace(one.tasks, requeue_backoff=(0.0, 60.0), max_requeues=2)
        one.fill(*({"id": n, "assigned_at": utc(NOW - 60), **r} for n, r in enumerate(rows)))
        story: list[object] = [settle(one, elsewhere=elsewhere)]
        what = owed(one)
        for n, how in between.items():
            if n < len(rows):
                error = str(row(one, n)["error"])
                change = CANCELLED[how].items()
                one.change(n, **{k: v(error) if callable(v) else v for k, v in change})
        story += [what, list(one.door.give_back(one.tasks, what, NOW + 60))]
        for n, how in afterwards.items():
            if n < len(rows):
                one.change(n, **CANCELLED[how])
        story += [one.door.look(one.tasks), one.rows(), one.history()]
        found.append(story)
    assert found[0] == found[1]


def test_the_summer_time_of_the_host_does_not_matter_for_what_is_due(make):
    stage = make()
    stage.fill(
        work(1, assigned_at=datetime.fromtimestamp(NOW, UTC).replace(tzinfo=None).isoformat())
    )
    settle(stage)
    (one,) = owed(stage)
    assert datetime.fromtimestamp(one.due, UTC) == datetime.fromtimestamp(NOW, UTC) + timedelta(
        seconds=60
    )
