"""`healmon beat`, as it is typed: real databases, no healer."""

from __future__ import annotations

import json
from collections.abc import Iterator
from datetime import UTC
from pathlib import Path

import pytest
from msgspec.structs import replace

from healmon import cli
from healmon.config.settings import Tasks
from healmon.errors import DataError
from healmon.service import beat as service
from healmon.world import taskdb
from healmon.world.beats import BeatFiles
from healmon.world.simulated.taskdb import SimulatedTaskDatabases
from healmon.world.taskdb import Settlement, SystemTaskDatabases
from tests.helpers.shapes import fits
from tests.helpers.taskstage import LAYOUTS, RealStage, tell

LONG_AGO = "2026-02-07 20:00:00"


@pytest.fixture(autouse=True)
def patience(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(taskdb, "READ_DEADLINE", 90.0)


@pytest.fixture
def real(tmp_path: Path, monkeypatch) -> Iterator[RealStage]:
    made = RealStage(LAYOUTS["full"], tmp_path)
    made.fill(
        *(
            {"id": n, "session": "dev", "status": "assigned", "assigned_at": LONG_AGO}
            for n in (7, 77)
        )
    )
    (tmp_path / "healmon.toml").write_text('[tasks.assigner]\npath = "tasks.db"\n')
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("HEALMON_STATE_DIR", str(tmp_path / "state"))
    monkeypatch.delenv("HEALMON_CONFIG", raising=False)
    yield made
    made.close()


def run(capsys, *words: str) -> tuple[int, str, str]:
    code = cli.main(["beat", *words])
    said = capsys.readouterr()
    return code, said.out, said.err


def kept(tmp_path: Path):
    return BeatFiles(tmp_path / "state").all()


@pytest.mark.slow
@pytest.mark.parametrize("words", [["77"], ["assigner:77"], ["77", "--source", "assigner"]])
def test_a_beat_shows_in_the_task_and_tells_its_token(real, capsys, tmp_path, words):
    (_, task) = real.door.read(real.tasks)
    code, out, err = run(capsys, *words, "--note", "half\x1b")
    assert (code, out, err) == (0, f"beat of assigner:77 kept; token {task.token}\n", "")
    (beat,) = kept(tmp_path)
    assert (beat.source, beat.id, beat.token, beat.note) == ("assigner", "77", task.token, "half␛")
    door = SystemTaskDatabases(UTC, beats=BeatFiles(tmp_path / "state").all)
    assert [t.beat_at for t in door.read(real.tasks)] == [None, beat.at]


@pytest.mark.slow
def test_the_token_of_an_attempt_that_was_taken_away_is_refused(real, capsys, tmp_path):
    told = json.loads(run(capsys, "77", "--json")[1])
    fits("beat", told)
    token = told["token"]
    assert run(capsys, "77", "--token", token)[0] == 0
    (first,) = kept(tmp_path)
    seen = [task for task in real.door.read(real.tasks) if task.id == 77]
    real.door.settle(real.tasks, seen, Settlement(requeue=True, error="stuck", at=first.at))
    code, out, err = run(capsys, "77", "--token", token)
    assert (code, out) == (65, "")
    assert "no active task 77 in assigner" in err
    real.change(77, status="assigned", session="dev", assigned_at=LONG_AGO)
    code, out, err = run(capsys, "77", "--token", token)
    assert (code, out) == (65, "")
    assert "task 77 of assigner is at another attempt now" in err
    assert kept(tmp_path) == (first,)
    door = SystemTaskDatabases(UTC, beats=BeatFiles(tmp_path / "state").all)
    assert [t.beat_at for t in door.read(real.tasks)] == [None, None]


@pytest.mark.parametrize(
    ("words", "said"),
    [
        (["78"], "no active task 78 in assigner"),
        (["other:77"], "no active task other:77 in assigner"),
        (["assigner:"], "no active task "),
        (["77", "--source", "other"], "no source of tasks other"),
        (["assigner:77", "--source", "assigner"], "no active task assigner:77"),
    ],
)
def test_what_is_nobodys_task_is_refused(real, capsys, tmp_path, words, said):
    code, out, err = run(capsys, *words)
    assert (code, out) == (65, "")
    assert said in err
    assert not (tmp_path / "state").exists()


@pytest.mark.slow
def test_while_the_database_cannot_be_read_the_beat_is_kept_all_the_same(real, capsys, tmp_path):
    (_, task) = real.door.read(real.tasks)
    real.hold()
    code, out, err = run(capsys, "77", "--token", task.token)
    real.release()
    assert (code, out) == (0, "beat of assigner:77 kept\n")
    assert "locked" in err
    assert "whether it is in time is not known" in err
    assert "healmon: " in err
    (beat,) = kept(tmp_path)
    assert beat.token == task.token
    door = SystemTaskDatabases(UTC, beats=BeatFiles(tmp_path / "state").all)
    assert [t.beat_at for t in door.read(real.tasks)] == [None, beat.at]


def test_a_dry_run_keeps_nothing(real, capsys, tmp_path):
    assert run(capsys, "77", "--dry-run")[0] == 0
    assert not (tmp_path / "state").exists()


def test_without_a_source_it_says_what_to_do(real, capsys, tmp_path):
    (tmp_path / "healmon.toml").write_text("")
    code, _, err = run(capsys, "77")
    assert code == 65
    assert "add a table [tasks.NAME]" in err


def test_a_state_directory_that_cannot_be_used_is_told(real, capsys, tmp_path):
    (tmp_path / "state").write_text("no folder")
    assert run(capsys, "77")[0] == 73


@pytest.mark.slow
def test_two_tables_of_one_file_are_two_sources(real, capsys, tmp_path):
    tell(real.file, (LAYOUTS["queue"].sql, None))
    sql = "INSERT INTO task_queue (id, task_type, status, assigned_worker) VALUES (?, 'x', ?, 'w')"
    tell(real.file, (sql, [7, "running"]), (sql, [8, "running"]))
    (tmp_path / "healmon.toml").write_text(
        '[tasks.assigner]\npath = "tasks.db"\nlayout = "assigner"\n'
        '[tasks.queue]\npath = "tasks.db"\nlayout = "task_queue"\n'
    )
    assert run(capsys, "8")[1].startswith("beat of queue:8 kept")
    assert run(capsys, "77")[1].startswith("beat of assigner:77 kept")
    code, _, err = run(capsys, "7")
    assert code == 65
    assert "task 7 may be one of assigner, queue" in err
    assert run(capsys, "queue:7")[1].startswith("beat of queue:7 kept")


# which one is meant: made up


def test_one_that_is_found_is_meant_though_others_cannot_be_read():
    door, one, two = SimulatedTaskDatabases(), Tasks(name="a"), Tasks(name="b")
    door.add("a", id=7, status="assigned", assigned_session="dev")
    door.faults["b"] = "database is locked"
    assert service.find(door, [one, two], "7", None).source == "a"
    assert service.find(door, [one, two], "8", None).unread
    assert service.find(door, [one, two], "b:8", None) == service.Found(
        "b", "8", unread=service.find(door, [two], "8", None).unread
    )
    door.faults["a"] = "database is locked"
    with pytest.raises(DataError, match="task 7 may be one of a, b"):
        service.find(door, [one, two], "7", None)


def test_a_name_with_a_colon_is_an_id_unless_a_source_is_called_so():
    door, one = SimulatedTaskDatabases(), Tasks(name="a")
    door.add("a", id="x:7", status="assigned", assigned_session="dev")
    door.add("a", id="a:7", status="assigned", assigned_session="dev")
    assert service.find(door, [one], "x:7", None).id == "x:7"
    assert service.find(door, [one], "a:x:7", None).id == "x:7"
    assert service.find(door, [one], "a:7", "a").id == "a:7"
    with pytest.raises(DataError, match="no active task 7"):
        service.find(door, [replace(one)], "a:7", None)
