"""Task databases that others use at the same time, and that end at the worst moment. Real ones."""

from __future__ import annotations

import json
import os
import random
import signal
import subprocess
import sys
import threading
from collections.abc import Callable, Iterator
from datetime import UTC, datetime
from functools import partial
from pathlib import Path

import msgspec
import pytest
from msgspec.structs import replace

from healmon.errors import ProbeError, RemedyError
from healmon.world import taskdb
from healmon.world import taskwire as wire
from healmon.world.taskdb import Settled, Settlement, Task
from healmon.world.tasklayouts import question
from tests.helpers.dbactor import Actors
from tests.helpers.tasksabotage import CHILD, Sabotage
from tests.helpers.taskstage import LAYOUTS, RealStage, tell
from tests.helpers.wait import until

pytestmark = [pytest.mark.slow, pytest.mark.usefixtures("preloaded")]

NOW = 1_770_503_580.0
LONG_AGO = "2026-02-07 20:00:00"
# what the assigner itself does every minute
TIMEOUT = (
    "UPDATE prompts SET status = 'failed', error = 'Assignment timed out',"
    " completed_at = CURRENT_TIMESTAMP WHERE status IN ('assigned', 'in_progress')"
    " AND assigned_at < datetime('now', '-30 minutes')"
)
COMPLETED = "UPDATE prompts SET status = 'completed', completed_at = CURRENT_TIMESTAMP WHERE id = 1"


@pytest.fixture(autouse=True)
def patience(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(taskdb, "READ_DEADLINE", 90.0)
    monkeypatch.setattr(taskdb, "WRITE_DEADLINE", 90.0)


@pytest.fixture
def real(tmp_path: Path) -> Iterator[RealStage]:
    made = RealStage(LAYOUTS["full"], tmp_path)
    made.tasks = replace(made.tasks, requeue_backoff=(60.0,))
    yield made
    made.close()


@pytest.fixture
def actors() -> Iterator[Actors]:
    made = Actors()
    yield made
    made.close()


@pytest.fixture
def sabotage(monkeypatch, tmp_path) -> Sabotage:
    return Sabotage(monkeypatch, tmp_path)


def work(number: int, session: str = "dev", **values: object) -> dict[str, object]:
    given = {"id": number, "session": session, "status": "assigned", "assigned_at": LONG_AGO}
    return given | values


def settle(stage: RealStage, *seen: Task) -> list[Settled]:
    order = Settlement(requeue=True, error="stuck for 31 min", at=NOW)
    return list(stage.door.settle(stage.tasks, seen, order))


def read(stage: RealStage) -> tuple[Task, ...]:
    return stage.door.read(stage.tasks)


def owed(stage: RealStage):
    return stage.door.owed(stage.tasks)


def row(stage: RealStage, number: int = 1) -> dict[str, object]:
    return next(r for r in stage.rows() if r["id"] == number)


# the assigner's own timeout


def test_when_the_assigner_was_first_its_failure_stands(real, actors):
    real.fill(work(1))
    seen = read(real)
    assert actors(real.file).does(TIMEOUT) == []
    before = row(real)
    assert [(s.outcome, s.status) for s in settle(real, *seen)] == [("left", "failed")]
    assert row(real) == before
    assert before["error"] == "Assignment timed out"
    assert real.history() == []
    assert owed(real) == real.door.late(real.tasks) == ()


def test_when_healmon_was_first_the_assigner_finds_nothing_to_fail(real, actors):
    real.fill(work(1))
    settle(real, *read(real))
    what, before = owed(real), row(real)
    actor = actors(real.file)
    assert actor.does(TIMEOUT) == []
    assert row(real) == before
    assert [s.outcome for s in real.door.give_back(real.tasks, what, NOW + 60)] == ["requeued"]
    assert actor.does(TIMEOUT) == []
    assert (row(real)["status"], row(real)["retry_count"]) == ("pending", 1)
    assert [e["action"] for e in real.history()] == ["failed", "requeued"]


def test_a_monitor_that_asks_nobody_ends_what_was_owed_and_is_told(real, actors):
    real.fill(work(1))
    settle(real, *read(real))
    what = owed(real)
    # as its predecessor did: by id, whatever the row is by now
    blind = "UPDATE prompts SET status = 'failed', error = 'auto-cleared' WHERE id = 1"
    assert actors(real.file).does(blind) == []
    assert owed(real) == ()
    assert [s.outcome for s in real.door.give_back(real.tasks, what, NOW + 60)] == ["left"]
    assert [(one.id, one.status) for one in real.door.late(real.tasks)] == [(1, "failed")]


@pytest.mark.parametrize("deed", [TIMEOUT, COMPLETED], ids=["timed out", "completed"])
@pytest.mark.parametrize("mode", ["wal", "delete"])
def test_what_is_written_while_healmon_waits_for_the_lock_is_seen(real, actors, deed, mode):
    real.fill(work(1))
    tell(real.file, (f"PRAGMA journal_mode={mode}", ()))
    seen = read(real)
    actor = actors(real.file)
    assert actor.does("BEGIN IMMEDIATE") == []
    assert actor.does(deed) == []
    done: list[Settled] = []
    thread = threading.Thread(target=lambda: done.extend(settle(real, *seen)))
    thread.start()
    assert actor.does("COMMIT") == []
    thread.join(60)
    status = "failed" if deed == TIMEOUT else "completed"
    assert [(s.outcome, s.status) for s in done] == [("left", status)]
    assert row(real)["status"] == status
    assert real.history() == []


@pytest.mark.parametrize("given_back", [False, True])
def test_a_completion_between_failing_and_giving_back_stands(real, actors, given_back):
    real.fill(work(1))
    settle(real, *read(real))
    what = owed(real)
    if given_back:
        real.door.give_back(real.tasks, what, NOW + 60)
    assert actors(real.file).does(COMPLETED) == []
    assert [s.outcome for s in real.door.give_back(real.tasks, what, NOW + 90)] == ["left"]
    assert row(real)["status"] == "completed"
    assert [one.id for one in real.door.late(real.tasks)] == [1]


# gives out what is pending, completes or times out what it has: each row it has seen at once
ASSIGNER = """
import json, random, sqlite3, sys, time
print(json.dumps("ready"), flush=True)
rng = random.Random(7)
connection = sqlite3.connect(sys.argv[1], isolation_level=None, timeout=60)
connection.execute("PRAGMA busy_timeout=60000")
HAS = "status IN ('assigned', 'in_progress')"
while True:
    deed, number = rng.random(), rng.randrange(1, 9)
    connection.execute("BEGIN IMMEDIATE")
    if deed < 0.5:
        given = connection.execute(
            "UPDATE prompts SET status = 'assigned', assigned_session = ?,"
            " assigned_at = '2026-02-07 20:00:00' WHERE id = ? AND status = 'pending'",
            (f"dev{rng.randrange(3)}", number),
        ).rowcount
        if given:
            connection.execute(
                "INSERT INTO assignment_history (prompt_id, session_name, action)"
                " VALUES (?, 'x', 'assigned')", (number,),
            )
    elif deed < 0.501:
        connection.execute(
            f"UPDATE prompts SET status = 'completed' WHERE id = ? AND {HAS}", (number,)
        )
    elif deed < 0.502:
        connection.execute(
            "UPDATE prompts SET status = 'failed', error = 'Assignment timed out'"
            f" WHERE id = ? AND {HAS}", (number,),
        )
    connection.execute("COMMIT")
    time.sleep(0.002)
"""
LOG = """
CREATE TABLE log (n INTEGER PRIMARY KEY AUTOINCREMENT, id, old, new, retries, error);
CREATE TRIGGER logged AFTER UPDATE OF status ON prompts BEGIN
    INSERT INTO log (id, old, new, retries, error)
    VALUES (NEW.id, OLD.status, NEW.status, NEW.retry_count, NEW.error);
END;
"""


def test_beside_a_busy_assigner_nothing_is_lost_or_given_back_twice(real, actors):
    real.tasks = replace(real.tasks, requeue_backoff=(1.0,), max_requeues=1000)
    real.fill(*(work(n, max_retries=1000) for n in range(1, 9)))
    tell(real.file, (LOG, None))
    actor = actors(real.file, ASSIGNER)
    for _ in range(8):
        settle(real, *read(real))
        what = owed(real)
        real.door.give_back(real.tasks, what, NOW)
        again = real.door.give_back(real.tasks, what, NOW) if what else ()
        assert {s.outcome for s in again} <= {"left"}
    actor.end()
    log = tell(real.file, ("SELECT * FROM log ORDER BY n", ()))
    ways = {(one["old"], one["new"]) for one in log}
    assert ("failed", "pending") in ways
    # what is done stays done; only what healmon failed itself is given back
    assert {old for old, _ in ways} <= {"assigned", "in_progress", "pending", "failed"}
    assert {new for old, new in ways if old == "failed"} == {"pending"}
    for number in range(1, 9):
        own = [one for one in log if one["id"] == number]
        retries, ended = 0, ""
        for one in own:
            if (one["old"], one["new"]) == ("failed", "pending"):
                assert "to be given back" in ended
                retries += 1
            ended = str(one["error"]) if one["new"] == "failed" else ""
            assert one["retries"] == retries
        entries = [e["action"] for e in real.history() if e["prompt_id"] == number]
        assert entries.count("requeued") == retries


# ended at any moment


def refused(deed: Callable[[], object]) -> str:
    """Why something could not be done; empty: it was."""
    try:
        deed()
    except RemedyError as error:
        return str(error)
    return ""


def killed_everywhere(
    real: RealStage, sabotage: Sabotage, deed: Callable[[], object], left: str
) -> int:
    """Do it again and again, killed one statement later each time, until it is done.

    Each time the row must be `left` as it was: told as active or as owed, so not lost.
    """
    moment = 1
    while True:
        sabotage(moment)
        told = refused(deed)
        sabotage()
        if not told:
            return moment
        assert "ended (-9)" in told
        # whoever opens it for writing next takes back what was half written
        tell(real.file, ("SELECT count(*) FROM prompts", ()))
        view = real.door.look(real.tasks)
        assert ([t.status for t in view.active], len(view.owed)) == (
            ([left], 0) if left == "assigned" else ([], 1)
        )
        moment += 1


@pytest.mark.parametrize("mode", ["wal", "delete"])
def test_killed_at_any_statement_of_failing_and_giving_back_all_is_done_once(real, sabotage, mode):
    real.fill(work(1, target_session="dev", content="x" * 3000))
    real.sessions(dev=1)
    tell(real.file, (f"PRAGMA journal_mode={mode}", ()))
    seen = read(real)
    assert killed_everywhere(real, sabotage, lambda: settle(real, *seen), "assigned") > 6
    assert real.sessions_name() == {"dev": None}
    what = owed(real)
    assert len(what) == 1
    back = partial(real.door.give_back, real.tasks, what, NOW + 60)
    assert killed_everywhere(real, sabotage, back, "failed") > 5
    assert [(r["status"], r["retry_count"]) for r in real.rows()] == [("pending", 1)]
    assert [e["action"] for e in real.history()] == ["failed", "requeued"]
    assert [s.outcome for s in settle(real, *seen)] == ["left"]
    assert [s.outcome for s in back()] == ["left"]
    assert tell(real.file, ("PRAGMA integrity_check", ())) == [{"integrity_check": "ok"}]


def test_killed_after_giving_back_but_before_saying_so(real, sabotage):
    real.fill(work(1))
    settle(real, *read(real))
    what = owed(real)
    sabotage(answers=False)
    with pytest.raises(RemedyError, match="whether rows were changed is not known"):
        real.door.give_back(real.tasks, what, NOW + 60)
    sabotage()
    assert owed(real) == ()
    assert [s.outcome for s in real.door.give_back(real.tasks, what, NOW + 61)] == ["left"]
    assert row(real)["retry_count"] == 1


def test_one_row_that_cannot_be_given_back_does_not_hinder_the_others(real):
    real.fill(work(1), work(2), work(3))
    settle(real, *read(real))
    what = owed(real)
    trigger = (
        "CREATE TRIGGER no BEFORE UPDATE ON prompts WHEN OLD.id = 2"
        " BEGIN SELECT RAISE(ABORT, 'not now'); END"
    )
    tell(real.file, (trigger, ()))
    done = real.door.give_back(real.tasks, what, NOW + 60)
    assert [s.outcome for s in done] == ["requeued", "left", "requeued"]
    assert "not now" in done[1].note
    assert [one.id for one in owed(real)] == [2]
    with pytest.raises(RemedyError, match="not now"):
        real.door.give_back(real.tasks, owed(real), NOW + 60)


# reading disturbs nobody


def picture(folder: Path) -> dict[str, object]:
    """All that a reader must not change, but for the -shm, an index that SQLite makes anew."""
    return {
        path.name: (path.lstat().st_mtime_ns, path.lstat().st_ino, path.read_bytes())
        for path in folder.iterdir()
        if not path.name.endswith("-shm")
    }


@pytest.mark.parametrize("mode", ["wal", "delete"])
@pytest.mark.parametrize("opened", [False, True])
def test_looking_at_everything_changes_no_byte(real, actors, mode, opened):
    real.fill(*(work(n) for n in range(1, 6)))
    settle(real, *read(real)[:3])
    real.change(2, status="completed")
    tell(real.file, (f"PRAGMA journal_mode={mode}", ()))
    if opened:
        actor = actors(real.file)
        assert actor.does("UPDATE prompts SET content = 'seen' WHERE id = 5") == []
    before, names = picture(real.file.parent), sorted(real.file.parent.iterdir())
    for _ in range(5):
        view = real.door.look(real.tasks)
        assert ([t.id for t in view.active], [o.id for o in view.owed]) == ([4, 5], [1, 3])
        assert [one.id for one in view.late] == [2]
    assert picture(real.file.parent) == before
    assert sorted(real.file.parent.iterdir()) == names
    if opened:
        # nobody is left holding a lock
        assert actor.does("BEGIN EXCLUSIVE") == []
        assert actor.does("ROLLBACK") == []


@pytest.mark.parametrize("mode", ["wal", "delete"])
def test_a_look_is_of_one_moment_and_a_writer_goes_on(real, actors, mode):
    tell(real.file, (f"PRAGMA journal_mode={mode}", ()))
    real.tasks = replace(real.tasks, requeue_backoff=(1.0,), max_requeues=100_000)
    real.fill(*(work(n, max_retries=100_000) for n in range(1, 9)))
    actor = actors(real.file, ASSIGNER)
    looked = 0
    for _ in range(12):
        try:
            view = real.door.look(real.tasks)
        except ProbeError as error:
            assert "locked" in str(error)  # noqa: PT017 - only in rollback mode, and not always
            continue
        looked += 1
        ids = [*(t.id for t in view.active), *(o.id for o in view.owed)]
        assert len(set(ids)) == len(ids)
    assert looked
    actor.end()


def test_a_file_that_cannot_be_written_is_read_and_says_why_it_is_not_settled(real):
    real.fill(work(1))
    tell(real.file, ("PRAGMA journal_mode=DELETE", ()))
    real.file.chmod(0o400)
    seen = read(real)
    assert [task.id for task in seen] == [1]
    if os.geteuid():
        with pytest.raises(RemedyError, match="readonly"):
            settle(real, *seen)
        assert row(real)["status"] == "assigned"
    real.file.chmod(0o600)
    assert [s.outcome for s in settle(real, *seen)] == ["owed"]


def test_orphans_of_the_history_are_nobodys_late_result(real):
    real.fill(work(1))
    old = "INSERT INTO assignment_history (prompt_id, session_name, action, details) VALUES "
    ours = json.dumps({"by": "healmon", "token": "0" * 12})
    tell(real.file, (old + "(99, 'x', 'assigned', NULL), (98, 'x', 'failed', ?)", [ours]))
    tell(real.file, (old + "(1, 'x', 'failed', 'no JSON \"by\": \"healmon\"')", ()))
    real.change(1, status="completed")
    assert real.door.look(real.tasks).late == ()


def test_both_tables_in_one_file_need_to_be_told_apart(real):
    tell(real.file, (LAYOUTS["queue"].sql, None))
    real.fill(work(1))
    sql = "INSERT INTO task_queue (id, task_type, status, assigned_worker) VALUES (7, 'x', ?, 'w')"
    tell(real.file, (sql, ["running"]))
    told = {
        layout: [task.id for task in real.door.read(replace(real.tasks, layout=layout))]
        for layout in (None, "assigner", "task_queue")
    }
    assert told == {None: [1], "assigner": [1], "task_queue": [7]}
    tell(real.file, ("DROP TABLE prompts", ()))
    assert [task.id for task in read(real)] == [7]
    tell(real.file, ("DROP TABLE task_queue", ()))
    with pytest.raises(ProbeError, match="has no table 'prompts' or 'task_queue'"):
        read(real)


def test_the_child_is_light():
    heavy = ("healmon", "msgspec", "typing", "urllib")
    code = (
        f"import sys\n__file__ = {str(CHILD)!r}\nexec(open(__file__).read())\n"
        f"print()\nprint(sorted(m for m in sys.modules if m.partition('.')[0] in {heavy}))"
    )
    asked = json.dumps({"verb": "look", "path": "/nowhere", "want": [], "deadline": 60})
    done = subprocess.run(
        [sys.executable, "-I", "-S", "-c", code], input=asked.encode(), capture_output=True
    )
    answer, modules = done.stdout.decode().splitlines()
    assert json.loads(answer) == {"error": "there is no such file"}
    assert eval(modules) == [
        "healmon", "healmon.named", "healmon.world", "healmon.world.taskchild",
        "healmon.world.taskfile", "healmon.world.taskledger", "healmon.world.taskrules",
    ]  # fmt: skip


def test_times_of_all_sorts_are_taken_away_and_fenced(real):
    times = (None, "", LONG_AGO, "2026-02-07T14:33:00.123456", "2026-02-07T22:33:00Z", NOW,
             "2030-01-01 00:00:00", int(NOW))  # fmt: skip
    real.fill(*(work(n, assigned_at=when) for n, when in enumerate(times)))
    seen = read(real)
    assert [s.outcome for s in settle(real, *seen)] == ["owed"] * len(times)
    what = owed(real)
    assert [one.due for one in what] == [NOW + 60] * len(times)
    done = real.door.give_back(real.tasks, what, NOW + 60)
    assert [s.outcome for s in done] == ["requeued"] * len(times)
    assert datetime.fromtimestamp(what[0].due, UTC).year == 2026


# whoever asked is gone

HANGS = """
import runpy, sqlite3, time
connect = sqlite3.connect
def connected(*args, **keys):
    database = connect(*args, **keys)
    database.set_trace_callback(lambda sql: "UPDATE" in sql and time.sleep(1000))
    return database
sqlite3.connect = connected
runpy.run_path({program!r}, run_name="__main__")
"""


def test_a_child_that_nobody_waits_for_any_more_keeps_no_lock(real, actors):
    real.fill(work(1))
    (seen,) = read(real)
    order = Settlement(requeue=True, error="stuck", at=NOW)
    asked = {
        **question(real.tasks), **wire.settle_words(real.tasks, order), "verb": "settle",
        "rows": [wire.wanted(real.tasks, seen, NOW, UTC)], "deadline": 1,
    }  # fmt: skip
    done = subprocess.run(
        [sys.executable, "-I", "-S", "-c", HANGS.format(program=str(CHILD))],
        input=json.dumps(asked).encode(), capture_output=True, timeout=90,
    )  # fmt: skip
    assert done.returncode == -signal.SIGALRM
    assert actors(real.file).does("BEGIN IMMEDIATE") == []
    assert read(real) == (seen,)


# a healer that settles and gives back what it finds, and an assigner that gives all out again
HEALER = """
import json, sqlite3, sys
from datetime import UTC
import msgspec
from healmon.config.settings import Tasks
from healmon.world import taskdb
from healmon.world import taskwire as wire
taskdb.READ_DEADLINE = taskdb.WRITE_DEADLINE = 60.0
door, tasks = taskdb.SystemTaskDatabases(UTC), msgspec.json.decode(sys.argv[2], type=Tasks)
print(json.dumps("ready"), flush=True)
while True:
    view = door.look(tasks)
    if view.active:
        door.settle(tasks, view.active, taskdb.Settlement(True, "stuck", 1770503580.0))
    if view.owed:
        door.give_back(tasks, view.owed, 1770503580.0)
    connection = sqlite3.connect(tasks.path, isolation_level=None, timeout=60)
    connection.execute(
        "UPDATE prompts SET status = 'assigned', assigned_session = 'dev',"
        " assigned_at = '2026-02-07 20:00:00' WHERE status = 'pending'"
    )
    connection.close()
"""


def test_a_healer_killed_again_and_again_loses_nothing_and_does_nothing_twice(real):
    real.tasks = replace(real.tasks, requeue_backoff=(60.0,), max_requeues=1000)
    real.fill(*(work(n, max_retries=1000) for n in (1, 2, 3)))
    tell(real.file, (LOG, None))
    rng = random.Random(11)
    for _ in range(6):
        healer = subprocess.Popen(
            [sys.executable, "-c", HEALER, "x", msgspec.json.encode(real.tasks).decode()],
            stdout=subprocess.PIPE, cwd=Path(taskdb.__file__).parents[2],
        )  # fmt: skip
        try:
            assert healer.stdout is not None
            assert healer.stdout.readline() == b'"ready"\n'
            before = len(tell(real.file, ("SELECT n FROM log", ())))
            steps = rng.randrange(1, 8)
            until(lambda b=before, s=steps: steps_made(real) >= b + s, 60, "steps of the healer")
        finally:
            healer.kill()
            healer.wait()
            healer.stdout.close()
    # a child that it left behind ends by itself
    rows = until(lambda: still(real), 60, "nothing moving any more")
    for one in rows:
        own = tell(real.file, ("SELECT * FROM log WHERE id = ? ORDER BY n", [one["id"]]))
        given = [s for s in own if (s["old"], s["new"]) == ("failed", "pending")]
        assert one["retry_count"] == len(given)
        assert [s["retries"] for s in given] == list(range(1, len(given) + 1))
        actions = [e["action"] for e in real.history() if e["prompt_id"] == one["id"]]
        assert actions.count("requeued") == len(given)
        assert actions == (["failed", "requeued"] * (len(given) + 1))[: len(actions)]
        assert one["status"] in {"assigned", "failed", "pending"}
        if one["status"] == "failed":
            assert one["id"] in {what.id for what in owed(real)}


def steps_made(real: RealStage) -> int:
    return int(tell(real.file, ("SELECT count(*) AS n FROM log", ()))[0]["n"])


def still(real: RealStage) -> list[dict[str, object]]:
    """The rows, once no program that healmon started is at them."""
    path = str(CHILD).encode()
    for pid in filter(str.isdigit, os.listdir("/proc")):  # noqa: PTH208 - names only
        try:
            argv = Path(f"/proc/{pid}/cmdline").read_bytes()
            asked = Path(f"/proc/{pid}/fd/0").read_bytes() if path in argv else b""
        except OSError:
            continue
        if str(real.file).encode() in asked:
            return []
    return real.rows()
