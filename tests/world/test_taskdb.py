"""One contract for real and made-up task databases, then what only the real ones have."""

from __future__ import annotations

import json
import os
import re
import shutil
import subprocess
import sys
import time
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta, timezone
from pathlib import Path

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from msgspec.structs import replace

from healmon.config.settings import Tasks
from healmon.demo.assigner_db import ACTIVE
from healmon.demo.rows import HOSTILE_TEXTS
from healmon.errors import ProbeError, RemedyError
from healmon.text import clean
from healmon.world import runner, taskdb, tasklayouts, taskrules
from healmon.world.simulated.taskdb import COLUMNS, HISTORY
from healmon.world.taskdb import Settled, Settlement, SystemTaskDatabases, Task
from healmon.world.tasktime import parse_task_time
from tests.helpers.dbactor import Actors
from tests.helpers.examples import examples
from tests.helpers.tasksabotage import Sabotage
from tests.helpers.taskstage import LAYOUTS, MadeUpStage, RealStage, tell
from tests.helpers.wait import until

pytestmark = [pytest.mark.slow, pytest.mark.usefixtures("preloaded")]

NOW = 1_770_503_580.25
ZONES = {
    "utc": UTC,
    "west": timezone(timedelta(hours=-8)),
    "east": timezone(timedelta(hours=9)),
    "odd": timezone(timedelta(hours=5, minutes=45)),
}
SECONDS = "%Y-%m-%d %H:%M:%S"
World = RealStage | MadeUpStage


@pytest.fixture(autouse=True)
def patience(monkeypatch: pytest.MonkeyPatch) -> None:
    """The machine may be busy with other things."""
    monkeypatch.setattr(taskdb, "READ_DEADLINE", 90.0)
    monkeypatch.setattr(taskdb, "WRITE_DEADLINE", 90.0)


@pytest.fixture(params=["real", "simulated"])
def make(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator:
    made: list[World] = []

    def stage(layout: str = "full", zone: str = "utc") -> World:
        laid, where = LAYOUTS[layout], ZONES[zone]
        real = request.param == "real"
        made.append(RealStage(laid, tmp_path, where) if real else MadeUpStage(laid, where))
        return made[-1]

    yield stage
    for one in made:
        one.close()


@pytest.fixture
def stage(make) -> World:
    return make()


@pytest.fixture
def real(tmp_path: Path) -> Iterator[RealStage]:
    made = RealStage(LAYOUTS["full"], tmp_path)
    yield made
    made.close()


def utc(wall: float) -> str:
    return f"{datetime.fromtimestamp(wall, UTC):{SECONDS}}"


def work(number: object, session: object = "dev", **values: object) -> dict[str, object]:
    """An active task."""
    given = {"id": number, "session": session, "status": "assigned", "assigned_at": utc(NOW - 3600)}
    return given | values


def settlement(*, requeue: bool = True, **values: object) -> Settlement:
    given = {"error": "stuck for 31 min", "at": NOW, "details": {"quiet_seconds": 1860.0}}
    return Settlement(requeue=requeue, **(given | values))


def settle(stage: World, *seen: Task, requeue: bool = True, **values: object) -> list[Settled]:
    order = settlement(requeue=requeue, **values)
    return list(stage.door.settle(stage.tasks, seen, order))


def told(settled: list[Settled]) -> list[tuple[object, str, str]]:
    return [(one.id, one.outcome, one.status) for one in settled]


def reason(row: dict[str, object]) -> object:
    """The error text of a row without what healmon adds."""
    text, note, rest = str(row["error"]).rpartition(" [healmon: ")
    assert not note or re.fullmatch(r"[^\[\]]*; token [0-9a-f]{12}\]", rest)
    return text if note else row["error"]


def read(stage: World) -> tuple[Task, ...]:
    return stage.door.read(stage.tasks)


def ids(stage: World) -> list[object]:
    return [task.id for task in read(stage)]


def row(stage: World, number: object = 1) -> dict[str, object]:
    return next(r for r in stage.rows() if r["id"] == number)


# the contract: reading


def test_only_active_tasks_of_a_session_are_told_in_the_order_of_their_ids(stage):
    states = ("pending", "assigned", "in_progress", "completed", "failed", "cancelled", None, "")
    stage.fill(*(work(100 - n, status=status) for n, status in enumerate(states)))
    stage.fill(work(7, None), work(8, ""), work(9, " "), work(10, "0"), work(11, "None"))
    assert ids(stage) == [9, 10, 11, 98, 99]
    assert {task.session for task in read(stage)} == {" ", "0", "None", "dev"}


def test_a_task_tells_what_its_row_tells(stage):
    stage.fill(work(3, "dev", status="in_progress", timeout_minutes=120))
    when = utc(NOW - 3600)
    (seen,) = read(stage)
    assert re.fullmatch("[0-9a-f]{12}", seen.token)
    assert (seen,) == (
        Task(
            source="assigner", id=3, session="dev", status="in_progress",
            assigned_at=float(int(NOW - 3600)), timeout=7200.0, stamp="sqlite", written=when,
            attempt=0, attempts=3, token=seen.token,
        ),
    )  # fmt: skip


def test_an_empty_table_is_known_to_have_no_tasks(stage):
    assert read(stage) == ()
    assert settle(stage) == []


@pytest.mark.parametrize("zone", ZONES)
def test_four_ways_to_write_a_time_are_one_moment_in_any_zone(make, zone):
    stage, wall = make(zone=zone), NOW - 1800
    here = datetime.fromtimestamp(wall, ZONES[zone]).replace(tzinfo=None)
    whole = datetime.fromtimestamp(int(wall), UTC)
    times = {
        utc(wall): int(wall),
        here.isoformat(): wall,
        here.isoformat(timespec="seconds"): int(wall),
        f"{whole:%Y-%m-%dT%H:%M:%SZ}": int(wall),
        whole.astimezone(ZONES["east"]).isoformat(): int(wall),
        f"{whole.astimezone(ZONES['west']):%Y-%m-%d %H:%M:%S%z}": int(wall),
        wall: wall,
        int(wall): int(wall),
    }
    stage.fill(*(work(n, assigned_at=when) for n, when in enumerate(times)))
    assert [task.assigned_at for task in read(stage)] == list(times.values())
    stamps = ["sqlite", "local", "local", "zulu", "zulu", "zulu", "unix", "unix"]
    assert [task.stamp for task in read(stage)] == stamps


def test_a_time_that_says_nothing_is_unknown_and_its_task_is_told(stage):
    odd = (None, "", "  ", "yesterday", "2026-02-30 10:00:00", "12:30", -5.0, 0, 1e18, "\x00",
           "2026-02-07T22:33:00+99:00", "NaN", "٢٠٢٦-٠٢-٠٧ ٢٢:٣٣:٠٠", b"\xff\xfe")  # fmt: skip
    stage.fill(*(work(n, assigned_at=when) for n, when in enumerate(odd)))
    assert [task.assigned_at for task in read(stage)] == [None] * len(odd)


def test_a_timeout_counts_only_when_somebody_chose_it_for_this_task(stage):
    minutes = (30, 120, 1, None, 0, -5, "soon", 1e300)
    stage.fill(*(work(n, timeout_minutes=m) for n, m in enumerate(minutes)))
    expected = [None, 7200.0, 60.0, None, None, None, None, None]
    assert [task.timeout for task in read(stage)] == expected


def test_archived_tasks_are_history(make):
    stage = make("archived")
    stage.fill(work(1), work(2, archived=1), work(3, archived=None), work(4, archived=0))
    assert ids(stage) == [1, 3, 4]


# the contract: settling


def test_a_requeued_task_waits_for_anybody_and_has_used_one_retry(stage):
    stage.fill(work(1, retry_count=1, completed_at=utc(NOW), timeout_minutes=120), work(2))
    (seen, other) = read(stage)
    before = row(stage, 2)
    assert told(settle(stage, seen)) == [(1, "requeued", "assigned")]
    assert row(stage) | {"error": reason(row(stage))} == {
        "id": 1, "content": "work", "status": "pending", "session": None, "assigned_at": None,
        "completed_at": None, "error": "stuck for 31 min", "retry_count": 2, "max_retries": 3,
        "timeout_minutes": 120, "target_session": None,
    }  # fmt: skip
    assert read(stage) == (other,)
    assert row(stage, 2) == before


def test_a_failed_task_says_why_when_and_who_had_it(stage):
    stage.fill(work(1, status="in_progress"))
    before = row(stage)
    result = settle(stage, *read(stage), requeue=False)
    assert told(result) == [(1, "failed", "in_progress")]
    ended = {"status": "failed", "error": "stuck for 31 min", "completed_at": utc(NOW)}
    assert row(stage) | {"error": reason(row(stage))} == before | ended
    assert read(stage) == ()


def test_history_gets_a_row_for_each_change(stage):
    stage.fill(work(1), work(2, "other", status="in_progress", retry_count=3), work(3))
    seen = read(stage)
    stage.change(3, status="completed")
    settle(stage, *seen)
    entries = [(e["prompt_id"], e["session_name"], e["action"]) for e in stage.history()]
    assert entries == [(1, "dev", "requeued"), (2, "other", "failed")]
    assert {e["created_at"] for e in stage.history()} == {utc(NOW)}
    at = "2026-02-07T22:33:00Z"
    assert [json.loads(e["details"]) for e in stage.history()] == [
        {
            "by": "healmon", "was": "assigned", "quiet_seconds": 1860.0, "token": seen[0].token,
            "note": f"given back at {at} as retry 1 of 3",
        },
        {
            "by": "healmon", "was": "in_progress", "quiet_seconds": 1860.0, "token": seen[1].token,
            "note": "needs a person: all 3 retries are used",
        },
    ]  # fmt: skip


@pytest.mark.parametrize(
    ("used", "most", "outcome", "after"),
    [
        (0, 3, "requeued", 1), (2, 3, "requeued", 3), (3, 3, "failed", 3), (9, 3, "failed", 9),
        (None, 3, "requeued", 1), (0, 0, "failed", 0), (0, None, "failed", 0),
        ("two", 3, "failed", "two"), (1, "many", "failed", 1), (1.5, 3, "failed", 1.5),
        (0, 2**63 - 1, "requeued", 1),
    ],
)  # fmt: skip
def test_a_task_is_given_back_only_while_its_retries_last(stage, used, most, outcome, after):
    stage.fill(work(1, retry_count=used, max_retries=most))
    (settled,) = settle(stage, *read(stage))
    assert settled.outcome == outcome
    assert row(stage)["retry_count"] == after
    assert row(stage)["session"] == (None if outcome == "requeued" else "dev")


CHANGES = {
    "completed": {"status": "completed"},
    "begun": {"status": "in_progress"},
    "given back": {"status": "pending", "session": None, "assigned_at": None},
    "another session": {"session": "other"},
    "a longer name": {"session": "dev2"},
    "no session": {"session": None},
    "assigned anew": {"assigned_at": utc(NOW - 5), "retry_count": 1},
    "no status": {"status": None},
}


@pytest.mark.parametrize("requeue", [True, False])
@pytest.mark.parametrize("change", CHANGES)
def test_what_changed_since_it_was_seen_is_left_as_it_is(stage, change, requeue):
    stage.fill(work(1), work(2))
    seen = read(stage)
    stage.change(1, **CHANGES[change])
    before = row(stage)
    left, other = settle(stage, *seen, requeue=requeue)
    assert left == Settled(1, "left", str(before["status"]))
    assert row(stage) == before
    assert other.outcome == ("requeued" if requeue else "failed")
    assert [e["prompt_id"] for e in stage.history()] == [2]


def test_a_change_that_leaves_the_assignment_alone_does_not_hinder(stage):
    stage.fill(work(1))
    seen = read(stage)
    stage.change(1, content="more", error="a hiccup", max_retries=7)
    assert settle(stage, *seen)[0].outcome == "requeued"
    assert row(stage)["content"] == "more"


def test_a_task_that_is_gone_is_left_without_a_status(stage):
    stage.fill(work(1), work(2))
    seen = read(stage)
    stage.remove(1)
    assert told(settle(stage, *seen)) == [(1, "left", ""), (2, "requeued", "assigned")]


def test_a_task_is_settled_once(stage):
    stage.fill(work(1))
    (seen,) = read(stage)
    assert [s.outcome for s in settle(stage, seen, seen)] == ["requeued", "left"]
    assert [s.outcome for s in settle(stage, seen)] == ["left"]
    assert row(stage)["retry_count"] == 1
    assert len(stage.history()) == 1


def test_eighteen_tasks_of_one_session_go_together(stage):
    stage.fill(*(work(n, "foundation", retry_count=n % 4) for n in range(1, 19)), work(40, "dev"))
    seen = [task for task in read(stage) if task.session == "foundation"]
    done = settle(stage, *seen)
    assert [s.id for s in done] == list(range(1, 19))
    assert [s.outcome for s in done].count("failed") == 4
    assert len(stage.history()) == 18
    assert ids(stage) == [40]


@pytest.mark.parametrize("zone", ZONES)
@pytest.mark.parametrize("stamp", ["sqlite", "local", "zulu", "unix"])
def test_the_end_is_written_as_the_row_writes_its_times(make, zone, stamp):
    stage = make(zone=zone)
    here = datetime.fromtimestamp(NOW - 60, ZONES[zone]).replace(tzinfo=None)
    written = {
        "sqlite": utc(NOW - 60), "local": here.isoformat(),
        "zulu": f"{datetime.fromtimestamp(NOW - 60, UTC):%Y-%m-%dT%H:%M:%SZ}", "unix": NOW - 60,
    }[stamp]  # fmt: skip
    stage.fill(work(1, assigned_at=written))
    settle(stage, *read(stage), requeue=False)
    ended = row(stage)["completed_at"]
    exact = stamp in {"local", "unix"}
    assert parse_task_time(ended, ZONES[zone]) == (NOW if exact else int(NOW))
    if isinstance(written, str):
        assert isinstance(ended, str)
        shape = [c if not c.isdigit() else "0" for c in written]
        assert [c if not c.isdigit() else "0" for c in ended] == shape


# the contract: layouts


def number(layout: str, n: int) -> object:
    return f"t-{n}" if layout == "weird" else n


@pytest.mark.parametrize("layout", LAYOUTS)
def test_every_layout_is_read_and_settled_with_what_it_has(make, layout):
    stage = make(layout)
    active = tasklayouts.layouts(stage.tasks)[0]["active"][0]
    stage.fill(*(work(number(layout, n), f"s{n}", status=active) for n in (1, 2, 3)))
    seen = read(stage)
    assert [(t.id, t.session) for t in seen] == [(number(layout, n), f"s{n}") for n in (1, 2, 3)]
    assert {t.assigned_at for t in seen} == {float(int(NOW - 3600))}
    stage.change(number(layout, 2), session="other")
    # without a count of retries nothing would end the circle
    counted = not {"retry_count", "retries", "tries"}.isdisjoint(stage.layout.columns)
    words = tasklayouts.layouts(stage.tasks)[0]
    outcomes = [s.outcome for s in settle(stage, *seen)]
    done = "requeued" if counted else "failed"
    assert outcomes == [done, "left", done]
    after = row(stage, number(layout, 1))
    assert after["status"] == words["pending" if counted else "failed"]
    assert after["session"] == (None if counted else "s1")
    assert "error" not in after or reason(after) == "stuck for 31 min"
    if not counted and "completed_at" in stage.layout.columns:
        assert after["completed_at"] == utc(NOW)
    assert len(stage.history()) == (2 if stage.layout.history else 0)


@pytest.mark.parametrize("word", ["id", "session", "status"])
def test_a_table_without_a_needed_column_is_unknown(stage, word):
    stage.fill(work(1))
    seen, before = read(stage), stage.rows()
    other = replace(stage.tasks, **{word: "no such\n"})
    with pytest.raises(ProbeError, match="has no column 'no such") as caught:
        stage.door.read(other)
    assert "\n" not in caught.value.args[0]
    assert "check tasks.assigner" in caught.value.remedy
    with pytest.raises(RemedyError, match="has no column"):
        stage.door.settle(other, seen, settlement())
    assert stage.rows() == before


def test_rows_that_their_id_does_not_tell_apart_are_not_settled(stage):
    stage.tasks = replace(stage.tasks, id="content")
    stage.fill(*({**work("same"), "content": "same"} for _ in range(2)), work("alone"))
    seen, before = read(stage), stage.rows()
    assert [task.id for task in seen] == ["alone", "same", "same"]
    with pytest.raises(RemedyError, match="several rows have the content 'same'"):
        settle(stage, *seen)
    assert stage.rows() == before
    assert stage.history() == []
    assert [s.outcome for s in settle(stage, seen[0])] == ["requeued"]


def test_more_tasks_than_are_read_are_unknown_and_not_a_part_of_them(stage, monkeypatch):
    stage.fill(*(work(n) for n in range(taskrules.ROWS)))
    assert len(read(stage)) == taskrules.ROWS
    stage.fill(work(taskrules.ROWS))
    with pytest.raises(ProbeError, match="more than 20000 active tasks"):
        read(stage)


# the contract: hostile texts

HOSTILE = (
    *HOSTILE_TEXTS,
    "'; DROP TABLE prompts; --", '"', "%s {0} ?1 :a @b $c", "a\x00b", "-dash", "é🚀",
    "x" * 5000, b"bytes \xff\xfe that are no text", b"\xed\xa0\x80 half a pair",
)  # fmt: skip


def as_told(text: str | bytes) -> str:
    return text if isinstance(text, str) else text.decode("utf-8", "surrogateescape")


# texts are compared as `ascii` writes them: what fails must be printable everywhere


@pytest.mark.parametrize("requeue", [True, False])
def test_hostile_names_of_sessions_are_told_and_settled_as_they_are(stage, requeue):
    stage.fill(*(work(n, session) for n, session in enumerate(HOSTILE)))
    names = [ascii(as_told(text)) for text in HOSTILE]
    seen = read(stage)
    assert [ascii(task.session) for task in seen] == names
    done = {s.outcome for s in settle(stage, *seen, requeue=requeue)}
    assert done == {"requeued" if requeue else "failed"}
    assert [ascii(entry["session_name"]) for entry in stage.history()] == names
    assert len(read(stage)) == 0


@pytest.mark.parametrize("text", HOSTILE, ids=[str(n) for n in range(len(HOSTILE))])
def test_hostile_reasons_and_states_are_kept_and_shown_harmlessly(stage, text):
    stage.fill(work(1), work(2))
    seen = read(stage)
    stage.change(2, status=text)
    text = as_told(text)
    done = settle(stage, *seen, error=text, details={"reason": text})
    assert ascii(reason(row(stage))) == ascii(text)
    assert ascii(json.loads(stage.history()[0]["details"])["reason"]) == ascii(text)
    assert [s.outcome for s in done] == ["requeued", "left"]
    assert ascii(done[1].status) == ascii(clean(text, limit=100))
    assert ascii(row(stage, 2)["status"]) == ascii(text)


def test_hostile_ids_name_one_row_each(make):
    stage = make("weird")
    names = ["'; --", "1 OR 1=1", "a\x00b", "a\x00c", "x", "é", b"\xfe", b"\xff"]
    told = [ascii(as_told(name)) for name in names]
    stage.fill(*(work(name) for name in names))
    seen = read(stage)
    assert [ascii(task.id) for task in seen] == told
    done = settle(stage, *seen[1:4], seen[7])
    assert [s.outcome for s in done] == ["requeued"] * 4
    assert [ascii(task.id) for task in read(stage)] == [told[n] for n in (0, 4, 5, 6)]


# the contract: nothing is known, nothing is done


def test_a_database_that_is_not_there_is_unknown_and_not_made(stage):
    stage.fill(work(1))
    seen = read(stage)
    stage.lose()
    with pytest.raises(ProbeError, match=r"task database assigner: .*/tasks.db: there is no"):
        read(stage)
    with pytest.raises(RemedyError, match="there is no such file") as caught:
        settle(stage, *seen)
    assert "not known" not in str(caught.value)
    if isinstance(stage, RealStage):
        assert list(stage.file.parent.iterdir()) == []


def test_a_locked_database_is_unknown_and_nothing_in_it_changes(stage):
    stage.fill(work(1), work(2))
    seen, before = read(stage), stage.rows()
    stage.hold()
    with pytest.raises(ProbeError, match="locked"):
        read(stage)
    with pytest.raises(RemedyError, match="locked"):
        settle(stage, *seen)
    stage.release()
    assert stage.rows() == before
    assert stage.history() == []
    assert read(stage) == seen
    assert [s.outcome for s in settle(stage, *seen)] == ["requeued", "requeued"]


def test_a_database_that_somebody_writes_can_be_read_all_the_same(stage):
    stage.fill(work(1))
    stage.hold_writing()
    seen = read(stage)
    assert [task.id for task in seen] == [1]
    with pytest.raises(RemedyError, match="locked"):
        settle(stage, *seen)
    stage.release()
    assert read(stage) == seen
    assert [s.outcome for s in settle(stage, *seen)] == ["requeued"]


# the contract, whatever the rows

TIMES = (None, "", utc(NOW - 90), "2026-02-07T14:33:00.123456", "2026-02-07T22:33:00Z", NOW, "?")
ROWS = st.lists(
    st.fixed_dictionaries(
        {
            "status": st.sampled_from(
                ("assigned", "in_progress", "ASSIGNED", "pending", "completed", "failed", None)
            ),
            "session": st.sampled_from(("dev", "dev2", "Dev", "a'b", "\x1b[31m", "é", "", None)),
            "assigned_at": st.sampled_from(TIMES),
            "completed_at": st.sampled_from((None, utc(NOW - 5))),
            "error": st.sampled_from((None, "old")),
            "retry_count": st.sampled_from((0, 1, 3, None, "x")),
            "max_retries": st.sampled_from((3, 1, 0, None, -1)),
            "timeout_minutes": st.sampled_from((30, 120, 0, None, "x")),
            "archived": st.sampled_from((0, 0, 0, 1, None)),
        }
    ),
    min_size=1,
    max_size=12,
)
AFTERWARDS = st.dictionaries(
    st.integers(0, 11), st.sampled_from((*CHANGES.values(), None)), max_size=4
)


@settings(max_examples=examples(15), suppress_health_check=list(HealthCheck))
@given(
    rows=ROWS,
    layout=st.sampled_from(("full", "early", "archived", "bare")),
    afterwards=AFTERWARDS,
    requeue=st.booleans(),
)
def test_real_and_made_up_agree_whatever_the_rows(
    tmp_path_factory, rows, layout, afterwards, requeue
):
    laid = LAYOUTS[layout]
    worlds = [RealStage(laid, tmp_path_factory.mktemp("real")), MadeUpStage(laid)]
    stranger = Task(source="assigner", id=99, session="dev", status="assigned")
    found = []
    for world in worlds:
        words = {*world.words(dict.fromkeys(laid.columns))}
        world.fill(
            *(
                {"id": n, **{k: v for k, v in one.items() if k in words}}
                for n, one in enumerate(rows)
            )
        )
        seen = read(world)
        for n, change in afterwards.items():
            if n < len(rows) and change is None:
                world.remove(n)
            elif n < len(rows):
                world.change(n, **{k: v for k, v in change.items() if k in words})
        done = settle(world, *seen, stranger, *seen[:1], requeue=requeue)
        found.append((seen, done, world.rows(), world.history(), read(world)))
    assert found[0] == found[1]


def test_the_made_up_columns_are_those_of_the_assigner(real):
    for table, columns in (("prompts", COLUMNS), ("assignment_history", dict.fromkeys(HISTORY))):
        told = tell(real.file, (f"PRAGMA table_info({table})", ()))
        defaults = {one["name"]: one["dflt_value"] for one in told}
        assert columns.keys() <= defaults.keys()
        for name in columns.keys() & {"status", "retry_count", "max_retries", "timeout_minutes"}:
            assert str(columns[name]) == defaults[name].strip("'")


# only the real ones: files that are none


def picture(folder: Path) -> dict[str, object]:
    """Everything about the files in a directory that a reader must not change.

    But for the -shm, which is an index that SQLite makes anew, never data.
    """
    return {
        path.name: (path.lstat().st_mtime_ns, path.read_bytes() if path.is_file() else None)
        for path in folder.iterdir()
        if not path.name.endswith("-shm")
    }


def spoil(file: Path, how: str) -> None:
    data = file.read_bytes()
    file.unlink()
    match how:
        case "empty":
            file.touch()
        case "text":
            file.write_text("no database\n" * 1000)
        case "directory":
            file.mkdir()
        case "pipe":
            os.mkfifo(file)
        case "dangling":
            file.symlink_to(file.parent / "nowhere")
        case "circle":
            file.symlink_to(file)
        case "head only":
            file.write_bytes(data[:100])
        case "cut":
            file.write_bytes(data[: len(data) // 2])
        case "damaged":
            file.write_bytes(data[:4096] + b"\xff" * 4096 + data[8192:])
        case "noise":
            file.write_bytes(data[:16] + bytes(range(256)) * 64)
        case "foreign":
            tell(file, ("CREATE TABLE other(x)", ()))
        case "other words":
            tell(file, ("CREATE TABLE prompts(number, owner)", ()))


SPOILT = {
    "empty": "is empty \\(0 bytes\\)",
    "text": "is no SQLite database",
    "directory": "is no regular file",
    "pipe": "is no regular file",
    "dangling": "there is no such file",
    "circle": "cannot be opened: Too many levels of symbolic links",
    "head only": "SQLITE_|has no table",
    "cut": "SQLITE_CORRUPT",
    "damaged": "SQLITE_CORRUPT",
    "noise": "SQLITE_",
    "foreign": "has no table 'prompts'",
    "other words": "has no column 'id', 'assigned_session', 'status'",
}


@pytest.mark.parametrize("how", SPOILT)
def test_what_is_no_task_database_is_unknown_and_stays_as_it_is(real, how):
    real.fill(*(work(n, content="x" * 3000) for n in range(40)))
    seen = read(real)[:2]
    spoil(real.file, how)
    before = picture(real.file.parent)
    with pytest.raises(ProbeError, match=SPOILT[how]) as caught:
        read(real)
    assert str(real.file) in caught.value.args[0]
    assert picture(real.file.parent) == before
    with pytest.raises(RemedyError, match=SPOILT[how]):
        settle(real, *seen)
    assert picture(real.file.parent) == before


def test_a_path_is_a_path_whatever_it_looks_like(tmp_path):
    folder = tmp_path / "100% a?b#c&mode=rwc;é\nx"
    folder.mkdir()
    made = RealStage(LAYOUTS["full"], folder)
    made.fill(work(1))
    assert [s.outcome for s in settle(made, *read(made))] == ["requeued"]
    bytes_ = tmp_path / os.fsdecode(b"\xff.db")
    shutil.copy(made.file, bytes_)
    other = replace(made.tasks, path=str(bytes_))
    assert made.door.read(other) == ()
    gone = replace(made.tasks, path=str(tmp_path / os.fsdecode(b"\xfe\n.db")))
    with pytest.raises(ProbeError, match=r"\\xfe␊.db: there is no such file"):
        made.door.read(gone)


# only the real ones: reading beside others


@pytest.fixture
def actors() -> Iterator[Actors]:
    made = Actors()
    yield made
    made.close()


SPILL = [
    "PRAGMA cache_size=2", "BEGIN IMMEDIATE", "UPDATE prompts SET content = 'y' || content",
    "UPDATE prompts SET status = 'failed'",
]  # fmt: skip
STATES = {
    "closed": ("delete", []),
    "closed wal": ("wal", []),
    "open wal": ("wal", ["SELECT count(*) FROM prompts"]),
    "written wal": ("wal", ["UPDATE prompts SET error = 'x'"]),
    "wal being written": ("wal", ["UPDATE prompts SET error = 'x'", *SPILL]),
    "killed after a write": ("wal", ["UPDATE prompts SET error = 'x'", "KILL"]),
    "killed in a write": ("wal", ["UPDATE prompts SET error = 'x'", *SPILL, "KILL"]),
    "killed, shm lost": ("wal", ["UPDATE prompts SET error = 'x'", *SPILL, "KILL", "SHM"]),
}


@pytest.mark.parametrize("state", STATES)
def test_reading_changes_no_byte(real, actors, state):
    mode, deeds = STATES[state]
    real.fill(*(work(n, content="x" * 3000) for n in range(40)))
    tell(real.file, (f"PRAGMA journal_mode={mode}", ()))
    actor = actors(real.file) if deeds else None
    for deed in deeds:
        if deed == "KILL":
            actor.end()
        elif deed == "SHM":
            Path(f"{real.file}-shm").unlink()
        else:
            assert not str(actor.does(deed)).startswith("error")
    before = picture(real.file.parent)
    assert ("tasks.db-wal" in before) == (mode == "wal" and bool(deeds))
    for _ in range(2):
        assert len(read(real)) == 40, "what is not committed is not told"
    assert picture(real.file.parent) == before
    if not deeds:
        assert os.listdir(real.file.parent) == ["tasks.db"]  # noqa: PTH208 - names only


def test_a_transaction_that_was_killed_half_written_is_unknown_until_it_is_taken_back(real, actors):
    real.fill(*(work(n, content="x" * 3000) for n in range(40)))
    tell(real.file, ("PRAGMA journal_mode=DELETE", ()))
    seen, sound = read(real), real.file.read_bytes()
    actor = actors(real.file)
    for deed in SPILL:
        assert not str(actor.does(deed)).startswith("error")
    actor.end()
    before = picture(real.file.parent)
    assert real.file.read_bytes() != sound, "half of it is in the file"
    assert "tasks.db-journal" in before
    with pytest.raises(ProbeError, match="SQLITE_"):
        read(real)
    assert picture(real.file.parent) == before, "a reader takes nothing back and removes nothing"
    assert [s.outcome for s in settle(real, *seen[:5])] == ["requeued"] * 5
    assert [(t.id, t.status) for t in read(real)] == [(n, "assigned") for n in range(5, 40)]
    assert tell(real.file, ("PRAGMA integrity_check", ())) == [{"integrity_check": "ok"}]
    assert {len(one["content"]) for one in real.rows()} == {3000}


def test_what_others_committed_is_told_and_what_they_did_not_is_not(real, actors):
    real.fill(work(1), work(2), work(3))
    actor = actors(real.file)
    assert actor.does("UPDATE prompts SET status = 'completed' WHERE id = 1") == []
    assert actor.does("BEGIN") == []
    assert actor.does("UPDATE prompts SET status = 'completed' WHERE id = 2") == []
    assert ids(real) == [2, 3]
    assert actor.does("COMMIT") == []
    assert ids(real) == [3]


def test_a_link_to_a_database_leads_to_its_log_too(real, actors, tmp_path):
    folder = tmp_path / "elsewhere"
    folder.mkdir()
    link = folder / "link.db"
    link.symlink_to(real.file)
    real.fill(work(1), work(2))
    tasks = replace(real.tasks, path=str(link))
    assert [t.id for t in real.door.read(tasks)] == [1, 2]
    actor = actors(real.file)
    assert actor.does("UPDATE prompts SET status = 'completed' WHERE id = 1") == []
    (seen,) = real.door.read(tasks)
    assert seen.id == 2
    assert real.door.settle(tasks, [seen], settlement())[0].outcome == "requeued"
    assert actor.does("SELECT status FROM prompts") == [["completed"], ["pending"]]
    assert list(folder.iterdir()) == [link]


# moves all tasks from one session to another, in one transaction, again and again
MOVER = """
import json, os, sqlite3, sys
print(json.dumps("ready"), flush=True)
reopen = json.loads(sys.stdin.readline())
connection, n = None, 0
while True:
    if connection is None:
        connection = sqlite3.connect(sys.argv[1], isolation_level=None, timeout=60)
        connection.execute("PRAGMA busy_timeout=60000")
    n += 1
    connection.execute("BEGIN IMMEDIATE")
    for task in range(20):
        connection.execute(
            "UPDATE prompts SET assigned_session = ?, error = ? WHERE id = ?",
            (f"dev{n % 2}", "x" * (n % 7) * 500, task),
        )
    connection.execute("COMMIT")
    if reopen:
        connection.close()
        connection = None
    if n == 3:
        print(json.dumps("moving"), flush=True)
"""


@pytest.mark.parametrize("reopen", [False, True])
def test_a_read_sees_whole_transactions_while_another_process_writes(real, actors, reopen):
    real.fill(*(work(n, "dev0") for n in range(20)))
    actor = actors(real.file, MOVER)
    assert actor.process.stdin is not None
    actor.process.stdin.write(json.dumps(reopen).encode() + b"\n")
    actor.process.stdin.flush()
    assert actor.answer() == "moving"
    seen, unknown = [], 0
    for _ in range(25):
        try:
            seen.append({task.session for task in read(real)})
            assert len(ids(real)) == 20
        except ProbeError:
            # only where the file is opened and closed all the time
            unknown += 1
    assert all(len(sessions) == 1 for sessions in seen)
    assert seen
    assert reopen or not unknown
    actor.end()
    assert len(read(real)) == 20


# only the real ones: settling beside others


def test_settling_leaves_every_other_byte_of_every_row(real):
    odd = b"bytes \xff\xfe that are no text"
    real.fill(*(work(n, content=odd, target_session="codex", metadata='{"a"') for n in (1, 2, 3)))
    everything = ("SELECT *, hex(content) AS raw FROM prompts", ())
    before = tell(real.file, everything)
    settle(real, read(real)[1])
    after = tell(real.file, everything)
    assert after[0] == before[0]
    assert after[2] == before[2]
    own = {"status", "assigned_session", "assigned_at", "completed_at", "retry_count", "error"}
    assert {k for k in before[1] if before[1][k] != after[1][k]} <= own
    assert os.listdir(real.file.parent) == ["tasks.db"]  # noqa: PTH208 - names only


TRIGGERS = {
    "abort": ("RAISE(ABORT, 'not now')", "not now"),
    "fail": ("RAISE(FAIL, 'not now')", "not now"),
    "rollback": ("RAISE(ROLLBACK, 'not now')", "not now"),
    "ignore": ("RAISE(IGNORE)", "row 2 could not be changed"),
}


@pytest.mark.parametrize("how", TRIGGERS)
def test_one_row_that_cannot_be_changed_leaves_all_as_they_were(real, how):
    real.fill(work(1), work(2), work(3))
    deed, told = TRIGGERS[how]
    tell(
        real.file,
        (
            f"CREATE TRIGGER no BEFORE UPDATE ON prompts WHEN OLD.id = 2 BEGIN SELECT {deed}; END",
            (),
        ),
    )
    seen, before = read(real), real.rows()
    with pytest.raises(RemedyError, match=told) as caught:
        settle(real, *seen)
    assert "not known" not in str(caught.value)
    assert real.rows() == before
    assert real.history() == []
    assert [s.outcome for s in settle(real, seen[0], seen[2])] == ["requeued", "requeued"]


def test_a_history_of_another_shape_is_left_alone(real):
    tell(
        real.file,
        ("DROP TABLE assignment_history", ()),
        ("CREATE TABLE assignment_history(prompt_id, what)", ()),
    )
    real.fill(work(1))
    assert [s.outcome for s in settle(real, *read(real))] == ["requeued"]
    assert tell(real.file, ("SELECT * FROM assignment_history", ())) == []


def test_columns_that_hold_numbers_are_compared_all_the_same(real):
    tell(real.file, ("CREATE TABLE jobs(id REAL, who INTEGER, state INTEGER)", ()))
    tell(real.file, ("INSERT INTO jobs VALUES (1, 7, 1), (2, 8, 1), (3, 9, 2)", ()))
    tasks = Tasks(
        name="assigner", path=str(real.file), table="jobs", session="who", status="state",
        active=("1",), failed="9", history="",
    )  # fmt: skip
    seen = real.door.read(tasks)
    assert [(t.session, t.status) for t in seen] == [("7", "1"), ("8", "1")]
    tell(real.file, ("UPDATE jobs SET who = 70 WHERE id = 2", ()))
    done = real.door.settle(tasks, seen, settlement())
    assert [s.outcome for s in done] == ["failed", "left"]
    rows = tell(real.file, ("SELECT who, state FROM jobs", ()))
    assert [tuple(one.values()) for one in rows] == [(7, 9), (70, 1), (9, 2)]


def test_a_commit_that_a_reader_holds_up_changes_nothing(real, actors):
    real.fill(work(1), work(2))
    tell(real.file, ("PRAGMA journal_mode=DELETE", ()))
    seen, before = read(real), real.rows()
    reader = actors(real.file)
    assert reader.does("BEGIN") == []
    assert reader.does("SELECT count(*) FROM prompts") == [[2]]
    with pytest.raises(RemedyError, match="locked") as caught:
        settle(real, *seen)
    assert "not known" not in str(caught.value)
    assert reader.does("COMMIT") == []
    assert real.rows() == before
    assert [s.outcome for s in settle(real, *seen)] == ["requeued", "requeued"]


# only the real ones: the child that does it ends at the worst moment


@pytest.fixture
def sabotage(monkeypatch, tmp_path) -> Sabotage:
    return Sabotage(monkeypatch, tmp_path)


def refused(stage: World, seen: tuple[Task, ...]) -> str:
    """Why tasks could not be settled; empty: they were."""
    try:
        settle(stage, *seen)
    except RemedyError as error:
        return str(error)
    return ""


@pytest.mark.parametrize("mode", ["wal", "delete"])
def test_a_writer_killed_at_any_statement_leaves_all_or_nothing(real, sabotage, mode):
    real.fill(*(work(n, content="x" * 3000) for n in range(1, 5)))
    tell(real.file, (f"PRAGMA journal_mode={mode}", ()))
    seen, before = read(real), real.rows()
    moment = 1
    sabotage(moment)
    while told := refused(real, seen):
        assert "ended (-9)" in told
        assert "whether rows were changed is not known" in told
        assert real.rows() == before
        assert real.history() == []
        moment += 1
        sabotage(moment)
    assert moment > 3 * len(seen), "a look, a change and an entry for each, and the rest"
    assert {one["status"] for one in real.rows()} == {"pending"}
    assert len(real.history()) == len(seen)
    assert tell(real.file, ("PRAGMA integrity_check", ())) == [{"integrity_check": "ok"}]


def test_a_writer_killed_after_its_commit_has_changed_all_and_is_not_believed_otherwise(
    real, sabotage
):
    real.fill(work(1), work(2))
    seen = read(real)
    sabotage(answers=False)
    with pytest.raises(RemedyError, match="whether rows were changed is not known"):
        settle(real, *seen)
    assert [one["status"] for one in real.rows()] == ["pending", "pending"]
    assert len(real.history()) == 2
    sabotage()
    assert [s.outcome for s in settle(real, *seen)] == ["left", "left"]
    assert len(real.history()) == 2, "nothing is done twice"


@pytest.mark.parametrize("mode", ["wal", "delete"])
def test_a_full_disk_changes_nothing(real, sabotage, mode):
    real.fill(*(work(n, content="x" * 3000) for n in range(1, 21)))
    tell(real.file, (f"PRAGMA journal_mode={mode}", ()))
    seen, before = read(real), real.rows()
    sabotage(limit=30_000)
    with pytest.raises(RemedyError, match=r"SQLITE_(IOERR|FULL)") as caught:
        settle(real, *seen)
    assert "not known" not in str(caught.value)
    assert real.rows() == before
    assert real.history() == []
    sabotage()
    assert {s.outcome for s in settle(real, *seen)} == {"requeued"}


@pytest.fixture
def children(monkeypatch) -> list[int]:
    """The pids of all programs that are run."""
    started: list[int] = []
    popen = subprocess.Popen

    def start(*args, **keys):
        process = popen(*args, **keys)
        started.append(process.pid)
        return process

    monkeypatch.setattr(runner.subprocess, "Popen", start)
    return started


def test_a_child_that_hangs_is_ended_at_its_deadline(real, monkeypatch, tmp_path, children):
    real.fill(work(1))
    seen, before = read(real), real.rows()
    program = tmp_path / "hang.py"
    program.write_text("import signal\nsignal.signal(15, signal.SIG_IGN)\nwhile 1: signal.pause()")
    monkeypatch.setattr(taskdb, "PROGRAM", program)
    monkeypatch.setattr(taskdb, "READ_DEADLINE", 0.3)
    monkeypatch.setattr(taskdb, "WRITE_DEADLINE", 0.3)
    children.clear()
    with pytest.raises(ProbeError, match=r"no answer within 0\.3 s\n") as caught:
        read(real)
    assert "not known" not in str(caught.value)
    with pytest.raises(RemedyError, match=r"within 0\.3 s; whether rows were changed is"):
        settle(real, *seen)
    assert len(children) == 2
    for pid in children:
        until(lambda pid=pid: not Path(f"/proc/{pid}").exists(), 30, "the child gone")
    assert real.rows() == before


def test_a_child_stopped_in_its_transaction_holds_nobody_up_for_longer(
    real, monkeypatch, sabotage, actors
):
    real.fill(work(1), work(2))
    seen, before = read(real), real.rows()
    sabotage(5, "SIGSTOP")
    monkeypatch.setattr(taskdb, "WRITE_DEADLINE", 3.0)
    with pytest.raises(RemedyError, match="no answer within 3 s"):
        settle(real, *seen)
    actor = actors(real.file)
    assert actor.does("BEGIN IMMEDIATE") == []
    assert actor.does("ROLLBACK") == []
    assert real.rows() == before


@pytest.mark.parametrize(
    ("program", "told"),
    [
        ("raise SystemExit(3)", r"ended \(3\): it gave no whole answer"),
        ("raise KeyError('\x1b[31m')", r"ended \(1\): KeyError"),
        ("print('[[1, 2')", r"ended \(0\): it gave no whole answer"),
        ("import sqlite3; sqlite3.x", "AttributeError"),
    ],
)
def test_a_child_that_answers_nothing_makes_nothing_known(
    real, monkeypatch, tmp_path, program, told
):
    real.fill(work(1))
    seen = read(real)
    (tmp_path / "child.py").write_text(program)
    monkeypatch.setattr(taskdb, "PROGRAM", tmp_path / "child.py")
    with pytest.raises(ProbeError, match=told) as caught:
        read(real)
    assert caught.value.args[0].isprintable()
    with pytest.raises(RemedyError, match="whether rows were changed is not known"):
        settle(real, *seen)


def test_a_python_that_cannot_be_run_makes_nothing_known(real, monkeypatch):
    real.fill(work(1))
    seen = read(real)
    monkeypatch.setattr(sys, "executable", "/no/such/python")
    with pytest.raises(ProbeError, match="cannot be asked: No such file"):
        read(real)
    with pytest.raises(RemedyError, match="cannot be asked") as caught:
        settle(real, *seen)
    assert "not known" not in str(caught.value)


def test_the_surroundings_do_not_lead_the_child_astray(real, monkeypatch, tmp_path):
    monkeypatch.setattr(taskdb, "run", runner.run)  # a Python of its own
    real.fill(work(1))
    trap = tmp_path / "trap"
    trap.mkdir()
    for name in ("json", "sqlite3", "sitecustomize"):
        (trap / f"{name}.py").write_text("raise SystemExit(9)")
    monkeypatch.chdir(trap)
    monkeypatch.setenv("PYTHONPATH", str(trap))
    monkeypatch.setenv("PYTHONHOME", str(trap))
    monkeypatch.setenv("LC_ALL", "C")
    monkeypatch.setenv("PYTHONIOENCODING", "utf-16")
    assert ids(real) == [1]


# only the real ones: time and the demo


@pytest.fixture
def own_zone(monkeypatch):
    def set_zone(name: str) -> None:
        monkeypatch.setenv("TZ", name)
        time.tzset()

    yield set_zone
    monkeypatch.undo()
    time.tzset()


@pytest.mark.parametrize(("zone", "hours"), [("WEST8", -8), ("UTC0", 0), ("EAST-9", 9)])
def test_without_a_zone_it_is_the_hosts_own(real, own_zone, zone, hours):
    own_zone(zone)
    real.door = SystemTaskDatabases()
    there = timezone(timedelta(hours=hours))
    local = datetime.fromtimestamp(NOW - 60, there).replace(tzinfo=None).isoformat()
    real.fill(work(1, assigned_at=local), work(2, assigned_at=utc(NOW - 60)))
    assert [t.assigned_at for t in read(real)] == [NOW - 60, int(NOW - 60)]
    settle(real, read(real)[0], requeue=False)
    ended = datetime.fromtimestamp(NOW, there).replace(tzinfo=None).isoformat()
    assert row(real)["completed_at"] == ended


@pytest.mark.parametrize("drift", ["", "early", "archived", "no-sessions"])
def test_the_demos_database_is_read_and_settled(tmp_path, drift):
    file = tmp_path / "assigner.db"
    code = (
        "import sys; from pathlib import Path; from healmon.demo.assigner_db import build_assigner;"
        "build_assigner(Path(sys.argv[1]), now_wall=float(sys.argv[2]), drift=sys.argv[3])"
    )
    subprocess.run(
        [sys.executable, "-c", code, str(file), str(NOW), drift], check=True, timeout=120
    )
    door, tasks = SystemTaskDatabases(UTC), Tasks(name="assigner", path=str(file))
    seen = door.read(tasks)
    names = [task.session for task in seen]
    assert {name: names.count(name) for name in names} == ACTIVE
    some = [task for task in seen if task.session == "foundation"]
    assert {task.stamp for task in some} == {"sqlite", "local", "zulu"}
    assert [task.timeout for task in some].count(7200.0) == (0 if drift == "early" else 1)
    done = [s.outcome for s in door.settle(tasks, some, settlement())]
    assert done == ["failed"] * 18 if drift == "early" else ["requeued"] * 17 + ["failed"]
    assert len(door.read(tasks)) == len(seen) - 18
    sql = "SELECT action, count(*) AS n FROM assignment_history GROUP BY 1 ORDER BY 1"
    counts = {one["action"]: one["n"] for one in tell(file, (sql, ()))}
    assert {name: counts.get(name, 0) for name in ("requeued", "failed")} == {
        "requeued": done.count("requeued"), "failed": done.count("failed"),
    }  # fmt: skip
