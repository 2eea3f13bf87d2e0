"""Queues that are told by a command: real programs, well-behaved and otherwise."""

from __future__ import annotations

import json
import os
import re
import signal
import stat
import sys
from datetime import UTC
from pathlib import Path

import pytest
from msgspec.structs import replace

from healmon.config.settings import Tasks
from healmon.errors import ProbeError, RemedyError
from healmon.world import taskcommand
from healmon.world.beats import Beat
from healmon.world.taskdb import Settlement, SystemTaskDatabases, Task, View
from tests.helpers.wait import until

ROOT = Path(__file__).parents[2]
NOW = 1_770_503_580.0


def told(tmp_path: Path, text: str, **keys: object) -> Tasks:
    """A source whose command prints this."""
    out = tmp_path / "said"
    out.write_text(text, encoding="utf-8", errors="surrogateescape")
    return Tasks(name="queue", command=("cat", str(out)), command_timeout=60.0, **keys)


def ran(program: str, **keys: object) -> Tasks:
    """A source whose commands are this Python program."""
    argv = (sys.executable, "-c", program)
    given = {"command": argv, "settle_command": argv, "command_timeout": 60.0} | keys
    return Tasks(name="queue", **given)


DOOR = SystemTaskDatabases(UTC)
SEEN = Task(source="queue", id="a", session="dev", status="active", attempt=0, token="a.0")


def settle(tasks: Tasks, *seen: Task, **values: object):
    order = Settlement(**({"requeue": True, "error": "stuck", "at": NOW} | values))
    return DOOR.settle(tasks, seen, order)


def test_a_line_tells_a_task(tmp_path):
    lines = [
        {"id": 7, "session": "dev", "status": "running", "assigned_at": "2026-02-07 22:33:00",
         "attempt": 1, "attempts": 3, "timeout": 7200, "stuck_after": 60, "token": "t",
         "beat_at": NOW - 5, "more": [1]},
        {"id": "a", "session": "é b", "timeout": None, "beat_at": None},
    ]  # fmt: skip
    tasks = told(tmp_path, "\n\n".join(map(json.dumps, lines)) + "\n")
    first, second = DOOR.read(tasks)
    assert first == Task(
        source="queue", id=7, session="dev", status="running", assigned_at=NOW, timeout=7200.0,
        stamp="sqlite", written="2026-02-07 22:33:00", attempt=1, attempts=3, token="t",
        stuck_after=60.0, beat_at=NOW - 5, beat=NOW - 5,
    )  # fmt: skip
    assert (second.id, second.session, second.status) == ("a", "é b", "active")
    assert re.fullmatch("[0-9a-f]{12}", second.token)
    assert DOOR.look(tasks) == View((first, second))
    assert DOOR.owed(tasks) == DOOR.late(tasks) == ()


def test_another_attempt_is_another_token(tmp_path):
    one = {"id": 1, "session": "dev", "assigned_at": NOW, "attempt": 0}
    tokens = [
        DOOR.read(told(tmp_path, json.dumps(one | change)))[0].token
        for change in ({}, {"status": "busy"}, {"attempt": 1}, {"session": "x"}, {"assigned_at": 5})
    ]
    assert tokens[0] == tokens[1]
    assert len(set(tokens)) == 4


def test_beats_are_joined(tmp_path):
    tasks = told(tmp_path, '{"id": 1, "session": "dev", "token": "t"}')
    door = SystemTaskDatabases(UTC, beats=lambda: [Beat("queue", "1", NOW, "t")])
    assert door.read(tasks)[0].beat_at == NOW


@pytest.mark.parametrize("text", ["", "\n", " \n\n"])
def test_a_queue_without_tasks_is_known_to_have_none(tmp_path, text):
    assert DOOR.read(told(tmp_path, text)) == ()


GOOD = '{"id": 1, "session": "dev"}\n'
NOT_UNDERSTOOD = {
    "{": "line 2 is no JSON object: {",
    "[1]": "line 2 is no JSON object",
    "null": "line 2 is no JSON object",
    "\udcff\x1b[31m": "line 2 is no JSON object",
    "[" * 100_000: "line 2 is no JSON object",
    '{"session": "x"}': "line 2: id missing",
    '{"id": 2, "session": ""}': "line 2: session missing",
    '{"id": null}': "line 2: id and session missing",
    '{"id": true, "session": "x"}': "line 2: id is True",
    '{"id": 2.5, "session": "x"}': "line 2: id is 2.5",
    '{"id": 2, "session": ["x"]}': "line 2: session is",
    '{"id": 2, "session": "x", "attempt": "1"}': "line 2: attempt is '1'",
    '{"id": 2, "session": "x", "timeout": "1m"}': "line 2: timeout is '1m'",
    GOOD: "several lines have the same id",
}


@pytest.mark.parametrize("text", NOT_UNDERSTOOD, ids=range(len(NOT_UNDERSTOOD)))
def test_one_line_that_is_not_understood_makes_all_unknown(tmp_path, text):
    with pytest.raises(ProbeError, match="tasks of queue: ") as caught:
        DOOR.read(told(tmp_path, GOOD + text))
    assert NOT_UNDERSTOOD[text] in caught.value.args[0]
    assert caught.value.args[0].isprintable()
    assert "check tasks.queue" in caught.value.remedy


@pytest.mark.parametrize(
    ("program", "said"),
    [
        ("raise SystemExit(3)", "ended with 3"),
        ("import sys; print('\x1b[1mno', file=sys.stderr); sys.exit(1)", "ended with 1: ␛[1mno"),
        ("import os; os.kill(os.getpid(), 9)", "ended with -9"),
    ],
)
def test_a_command_that_fails_makes_nothing_known(program, said):
    with pytest.raises(ProbeError, match=re.escape(said)):
        DOOR.read(ran(f"print({GOOD!r})\n{program}"))


def test_a_command_that_cannot_be_run_is_named():
    tasks = Tasks(name="queue", command=("/no/such/program",))
    with pytest.raises(ProbeError, match="/no/such/program cannot be run: No such file"):
        DOOR.read(tasks)


def test_a_command_that_prints_without_end_is_ended(monkeypatch):
    monkeypatch.setattr(taskcommand, "OUTPUT", 1 << 20)
    with pytest.raises(ProbeError, match="printed more than 1048576 bytes"):
        DOOR.read(Tasks(name="queue", command=("yes",), command_timeout=60.0))


@pytest.mark.slow
def test_a_command_that_hangs_is_ended_with_what_it_started(tmp_path):
    left = tmp_path / "pid"
    command = ("sh", "-c", f"sleep 1000 & echo $! > {left}; wait")
    with pytest.raises(ProbeError, match=r"sh did not end within 4 s"):
        DOOR.read(Tasks(name="queue", command=command, command_timeout=4.0))
    pid = int(left.read_text())
    until(lambda: ended(pid), 30, "what it started is gone")


def ended(pid: int) -> bool:
    try:
        return Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[0] == "Z"
    except FileNotFoundError:
        return True


def test_whoever_it_leaves_behind_holds_nobody_up(tmp_path):
    left = tmp_path / "pid"
    program = (
        "import os, subprocess\n"
        "child = subprocess.Popen(['sleep', '1000'], start_new_session=True)\n"
        f"open({str(left)!r}, 'w').write(str(child.pid))\n"
        f"os.write(1, {GOOD.encode()!r})"
    )
    try:
        assert [task.id for task in DOOR.read(ran(program))] == [1]
        assert not ended(int(left.read_text()))
    finally:
        os.kill(int(left.read_text()), signal.SIGKILL)


ECHO = """
import json, sys
for line in sys.stdin:
    order = json.loads(line)
    print(json.dumps({"id": order["id"], "outcome": "left", "status": json.dumps(order)[:99]}))
"""


def order_of(tasks: Tasks, seen: Task, tmp_path: Path, **values: object) -> dict[str, object]:
    """The line that the settling command was given."""
    kept = tmp_path / "order"
    program = (
        "import json, sys\n"
        f"text = sys.stdin.read(); open({str(kept)!r}, 'w').write(text)\n"
        "print(json.dumps({'id': json.loads(text)['id'], 'outcome': 'requeued'}))"
    )
    argv = (sys.executable, "-c", program)
    settle(replace(tasks, settle_command=argv), seen, **values)
    return json.loads(kept.read_text())


def test_an_order_tells_all_that_is_needed(tmp_path):
    tasks = ran(ECHO, requeue_backoff=(60.0,), max_requeues=3)
    assert order_of(tasks, SEEN, tmp_path, elsewhere=True, details={"quiet_seconds": 5}) == {
        "id": "a", "token": "a.0", "session": "dev", "status": "active", "action": "requeue",
        "not_before": "2026-02-07T22:34:00Z", "elsewhere": True, "needs_person": False,
        "error": "stuck [healmon: to be given back at 2026-02-07T22:34:00Z as retry 1 of 3,"
        " not to dev]",
        "at": "2026-02-07T22:33:00Z", "details": {"quiet_seconds": 5},
    }  # fmt: skip


@pytest.mark.parametrize(
    ("attempt", "attempts", "most", "action", "person"),
    [(0, 3, 3, "requeue", False), (2, 9, 3, "requeue", False), (3, 9, 3, "fail", True),
     (1, 1, 3, "fail", True), (0, None, 3, "requeue", False), (None, None, 3, "fail", True),
     (5, None, 0, "fail", True), (5, 6, 0, "requeue", False)],
)  # fmt: skip
def test_what_is_asked_for_ends_the_circle(tmp_path, attempt, attempts, most, action, person):
    tasks = ran(ECHO, max_requeues=most)
    order = order_of(tasks, replace(SEEN, attempt=attempt, attempts=attempts), tmp_path)
    assert (order["action"], order["needs_person"]) == (action, person)
    assert order["not_before"] is None


def test_a_task_that_failed_for_good_is_not_given_back(tmp_path):
    order = order_of(ran(ECHO), SEEN, tmp_path, requeue=False)
    assert (order["action"], order["needs_person"]) == ("fail", False)


def test_without_a_settling_command_nothing_is_changed(tmp_path):
    with pytest.raises(RemedyError, match="there is no settle_command: nothing was changed"):
        settle(told(tmp_path, GOOD), SEEN)
    assert settle(ran(ECHO)) == ()


@pytest.mark.parametrize(
    ("program", "said"),
    [
        ("", "did not answer with one line for each task"),
        ('print(\'{"id": "b", "outcome": "left"}\')', "did not answer with one line for"),
        ('print(\'{"id": "a", "outcome": "gone"}\')', "line 1 of its answer is"),
        ('print(\'{"id": "a"}\')', "line 1 of its answer is"),
        ("print('ok')", "line 1 is no JSON object: ok"),
        ("raise SystemExit(1)", "ended with 1"),
    ],
)
def test_an_answer_that_is_not_understood_leaves_unknown_what_was_done(program, said):
    with pytest.raises(RemedyError, match=said) as caught:
        settle(ran(program), SEEN)
    assert "whether tasks were changed is not known" in caught.value.args[0]


def test_a_command_gives_back_by_itself():
    with pytest.raises(RemedyError, match="gives its tasks back itself"):
        DOOR.give_back(ran(ECHO), (), NOW)


# the example of the documentation


@pytest.fixture
def queue(tmp_path, monkeypatch) -> Path:
    page = (ROOT / "docs" / "tasks.md").read_text("utf-8")
    (code,) = re.findall(r"^```python\n(.*?)^```$", page, re.DOTALL | re.MULTILINE)
    program = tmp_path / "queue.py"
    program.write_text(code)
    program.chmod(program.stat().st_mode | stat.S_IXUSR)
    file = tmp_path / "queue.json"
    monkeypatch.setenv("QUEUE", str(file))
    return file


@pytest.mark.slow
def test_the_documented_queue_works(queue):
    one = {"session": "dev", "status": "running", "assigned_at": "2026-02-07 22:00:00"}
    rows = [{**one, "id": n, "attempt": n, "attempts": 2} for n in range(4)]
    queue.write_text(json.dumps([*rows, {**one, "id": 9, "status": "pending", "attempt": 0}]))
    program = str(queue.parent / "queue.py")
    tasks = Tasks(
        name="queue", command=(program, "list"), settle_command=(program, "settle"),
        command_timeout=60.0, requeue_backoff=(60.0,), max_requeues=3,
    )  # fmt: skip
    seen = DOOR.read(tasks)
    assert [(task.id, task.token) for task in seen] == [(n, f"{n}.{n}") for n in range(4)]
    rows = json.loads(queue.read_text())
    rows[1]["attempt"] = 5
    del rows[3]
    queue.write_text(json.dumps(rows))
    done = settle(tasks, *seen)
    assert [(one.id, one.outcome, one.status) for one in done] == [
        (0, "requeued", "running"), (1, "left", "running"), (2, "failed", "running"),
        (3, "left", ""),
    ]  # fmt: skip
    after = {row["id"]: row for row in json.loads(queue.read_text())}
    assert (after[0]["status"], after[0]["attempt"]) == ("pending", 1)
    assert after[0]["not_before"] == "2026-02-07T22:34:00Z"
    assert after[2]["status"] == "failed"
    assert "needs a person: all 2 retries are used" in after[2]["error"]
    assert after[1]["status"] == "running"
    assert [s.outcome for s in settle(tasks, *seen)] == ["left"] * 4
