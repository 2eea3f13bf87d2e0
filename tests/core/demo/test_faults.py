from __future__ import annotations

import json
import os
import re
import signal
import sqlite3
import subprocess
import sys
import termios
import time
from collections.abc import Iterator
from contextlib import closing
from pathlib import Path

import pytest

from healmon.demo import manifest as marker
from healmon.demo import owned, scratch, terminals
from healmon.demo.layout import BUDGET, SESSIONS, WORKERS
from healmon.demo.world import DemoWorld
from healmon.world.processes import Identity
from healmon.world.system_processes import SystemProcesses
from tests.helpers.wait import until

pytestmark = pytest.mark.slow

PROCESSES = SystemProcesses()
DURATION = re.compile(r"\b(\d+m )?\d+s\b")
NOT_TEXT = re.compile(r"[^\w%]|_")


@pytest.fixture
def world(shallow: Path) -> Iterator[DemoWorld]:
    with DemoWorld.create(shallow, fast=True) as made:
        made.start()
        yield made


def worker(world: DemoWorld, name: str) -> Identity | None:
    try:
        who = PROCESSES.identify(int(world.layout.pid_file(name).read_text()))
    except (OSError, ValueError):
        return None
    if who is None or owned.script_of(PROCESSES, who) != str(world.layout.worker(name)):
        return None
    return who


def restart(world: DemoWorld, name: str) -> subprocess.CompletedProcess[bytes]:
    """Start a worker that forks, as healmon would."""
    script = str(world.layout.worker(name))
    return subprocess.run(
        [sys.executable, script, "--daemon"],
        stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL, timeout=300, check=False,
    )  # fmt: skip


def lines(world: DemoWorld, session: str) -> set[str]:
    """The screen's lines as progress is measured: durations and glyphs do not count."""
    text = DURATION.sub("T", terminals.screen(world.layout, session))
    return {line for row in text.splitlines() if len(line := NOT_TEXT.sub("", row)) > 1}


def whole(world: DemoWorld, session: str) -> set[str]:
    """The same of a whole picture: one may be taken in the midst of a drawing."""
    return until(lambda: (one := lines(world, session)) == lines(world, session) and one)


def agent(world: DemoWorld, session: str) -> str:
    return str(json.loads((world.layout.agents / f"{session}.json").read_text())["state"])


def active(world: DemoWorld, session: str) -> int:
    uri = f"file:{world.layout.assigner_db}?mode=ro"
    with closing(sqlite3.connect(uri, uri=True)) as database:
        query = (
            "SELECT count(*) FROM prompts WHERE assigned_session = ?"
            " AND status IN ('assigned', 'in_progress')"
        )
        return int(database.execute(query, (session,)).fetchone()[0])


def test_killing_goes_from_worker_to_worker(world: DemoWorld) -> None:
    before = {name: worker(world, name) for name in WORKERS}
    for name in WORKERS:
        said = world.fault("kill-worker").run()
        assert said == f"killed {name} (pid {before[name].pid}) with SIGKILL"
        assert not owned.alive(PROCESSES, before[name])
        assert world.layout.pid_file(name).exists(), "a killed worker leaves its pid file"
    assert world.fault("kill-worker").run() == "no worker is up: nothing to kill"


def test_a_killed_worker_can_be_started_again(world: DemoWorld) -> None:
    before = worker(world, "assigner_worker")
    world.fault("kill-worker").run()
    assert restart(world, "assigner_worker").returncode == 0
    until(lambda: worker(world, "assigner_worker"), what="a new worker")
    assert worker(world, "assigner_worker") != before


def test_a_worker_in_a_crash_loop_ends_at_each_start_until_told_otherwise(world: DemoWorld) -> None:
    before = worker(world, "task_worker")
    world.fault("crash-loop").run()
    assert not owned.alive(PROCESSES, before)
    for _ in range(2):
        assert restart(world, "task_worker").returncode == 1
        assert worker(world, "task_worker") is None
    world.fault("crash-loop").run()
    assert restart(world, "task_worker").returncode == 0
    until(lambda: worker(world, "task_worker"), what="the worker")


def test_a_second_task_worker_says_so_and_exits_0(world: DemoWorld) -> None:
    before = worker(world, "task_worker")
    assert restart(world, "task_worker").returncode == 0
    assert worker(world, "task_worker") == before


def test_a_frozen_session_moves_and_says_nothing_new(world: DemoWorld) -> None:
    session = "claude_architect"
    first = lines(world, session)
    until(lambda: lines(world, session) - first, what="words of a working agent")
    before = active(world, session)
    said = world.fault("freeze-session").run()
    assert session in said
    assert active(world, session) == before + 1
    until(lambda: "queued" in terminals.screen(world.layout, session), what="the queued task")
    known, screens = whole(world, session), set[str]()

    def goes_on() -> bool:
        screens.add(terminals.screen(world.layout, session))
        assert whole(world, session) <= known
        return len(screens) > 5

    until(goes_on, what="its spinner goes on")
    # others are not concerned
    other = lines(world, "codex_worker")
    until(lambda: lines(world, "codex_worker") - other, what="words of the other agent")
    assert "codex_worker" in world.fault("freeze-session").run()
    assert world.fault("freeze-session").run() == "no session can be frozen now"


def test_ctrl_c_ends_the_turn_of_a_frozen_agent_and_not_the_agent(world: DemoWorld) -> None:
    session = "claude_architect"
    world.fault("freeze-session").run()
    pid = json.loads((world.layout.agents / f"{session}.json").read_text())["pid"]
    who = PROCESSES.identify(pid)
    terminals.tmux(world.layout, "send-keys", "-t", f"={session}:", "C-c")
    until(lambda: agent(world, session) == "idle", what="an idle agent")
    until(lambda: "? for shortcuts" in terminals.screen(world.layout, session), what="its prompt")
    assert "^C" not in terminals.screen(world.layout, session)
    still = terminals.screen(world.layout, session)
    terminals.tmux(world.layout, "send-keys", "-t", f"={session}:", "C-c")
    time.sleep(0.5)
    assert owned.alive(PROCESSES, who)
    assert lines(world, session) <= {NOT_TEXT.sub("", row) for row in still.splitlines()} | {"C"}
    # a typed line begins the next turn, and only then does it work again
    terminals.tmux(world.layout, "send-keys", "-t", f"={session}:", "go on", "Enter")
    until(lambda: agent(world, session) == "working", what="the next turn")


def test_a_terminal_in_cooked_mode(world: DemoWorld) -> None:
    form = "#{session_name} #{pane_tty}"
    rows = terminals.tmux(world.layout, "list-panes", "-a", "-F", form).splitlines()
    assert len(rows) == len(SESSIONS)
    for name, tty in (row.split() for row in rows):
        handle = os.open(tty, os.O_RDONLY | os.O_NOCTTY)
        try:
            flags = termios.tcgetattr(handle)[3]
        finally:
            os.close(handle)
        lines = termios.ICANON | termios.ECHO
        assert flags & termios.ISIG
        # one that asks for approval takes single keys
        assert flags & lines == (0 if name == "architect2" else lines)


def test_an_approval_waits_for_ever_and_takes_an_answer(world: DemoWorld) -> None:
    until(lambda: "Esc to cancel" in terminals.screen(world.layout, "architect2"), what="it asks")

    def picture() -> str:
        return terminals.screen(world.layout, "architect2")

    first = until(lambda: (one := picture()) == picture() and one, what="a whole picture")
    time.sleep(0.5)
    assert picture() == first
    terminals.tmux(world.layout, "send-keys", "-t", "=architect2:", "1")
    until(lambda: agent(world, "architect2") == "working", what="work after the answer")


def test_a_requeued_prompt_is_given_out_again_and_the_agent_goes_on(world: DemoWorld) -> None:
    session = "claude_architect"
    world.fault("freeze-session").run()
    terminals.tmux(world.layout, "send-keys", "-t", f"={session}:", "C-c")
    until(lambda: agent(world, session) == "idle", what="an idle agent")
    with closing(sqlite3.connect(world.layout.assigner_db, timeout=5)) as database, database:
        database.execute(
            "UPDATE prompts SET status = 'pending', retry_count = retry_count + 1,"
            " assigned_session = NULL, assigned_at = NULL WHERE assigned_session = ?"
            " AND status IN ('assigned', 'in_progress')",
            (session,),
        )
    until(lambda: agent(world, session) == "working", what="the task, once more")
    assert active(world, session) == 1


def holders(path: Path) -> set[tuple[int, int]]:
    """(pid, first byte) of every exclusive lock on a file."""
    inode = path.stat().st_ino
    found = set()
    for row in Path("/proc/locks").read_text().splitlines():
        word = row.split()
        if word[1:4] == ["POSIX", "ADVISORY", "WRITE"] and int(word[5].split(":")[2]) == inode:
            found.add((int(word[4]), int(word[6])))
    return found


def refused(path: Path) -> bool:
    """Whether somebody else cannot write; asked in a process of its own."""
    code = (
        "import sqlite3, sys\n"
        "d = sqlite3.connect(sys.argv[1], timeout=0.3, isolation_level=None)\n"
        "try: d.execute('BEGIN IMMEDIATE')\n"
        "except sqlite3.OperationalError as e: print(e)\n"
        "finally: d.close()\n"
    )
    done = subprocess.run(
        [sys.executable, "-c", code, str(path)],
        capture_output=True,
        text=True,
        timeout=300,
        check=False,
    )
    return "locked" in done.stdout


def test_a_stopped_writer_holds_the_lock_until_continued(world: DemoWorld) -> None:
    path = world.layout.architect_db
    until(lambda: not refused(path), what="a moment between two commits")
    said = world.fault("stop-lock-holder").run()
    pid = int(re.search(r"pid (\d+)", said)[1])
    assert Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[0] == "T"
    assert (pid, 120) in holders(path.with_name(path.name + "-shm"))
    assert refused(path)
    assert "already" in world.fault("stop-lock-holder").run()
    os.kill(pid, signal.SIGCONT)
    until(lambda: not refused(path), what="a free lock")
    with closing(sqlite3.connect(f"file:{path}?mode=ro", uri=True)) as database:
        held = "SELECT count(*) FROM pool_events WHERE event_type = 'held' AND details = ?"
        assert database.execute(held, (f"pid {pid}",)).fetchone()[0] == 1
        last = "SELECT max(id) FROM pool_events"
        first = database.execute(last).fetchone()[0]
        until(lambda: database.execute(last).fetchone()[0] > first, what="further commits")
    assert f"pid {pid}" not in world.fault("stop-lock-holder").run(), "each time another one"
    assert refused(path)


def test_a_writer_that_was_ended_is_started_again_to_be_stopped(world: DemoWorld) -> None:
    first = next(s.identity for s in marker.read(world.layout.root).started if "writer" in s.what)
    owned.end(PROCESSES, [first])
    assert str(first.pid) not in world.fault("stop-lock-holder").run()
    assert refused(world.layout.architect_db)


def test_the_budget_is_filled_and_can_be_filled_again(world: DemoWorld) -> None:
    assert "97.0 %" in world.fault("fill-disk").run()
    assert 0.95 < scratch.used(world.layout.logs) / BUDGET < 1
    burst = sorted(world.layout.logs.glob("burst-*"))
    assert all(time.time() - path.stat().st_mtime > 86400 for path in burst)
    for path in burst:
        path.unlink()
    world.fault("fill-disk").run()
    assert 0.95 < scratch.used(world.layout.logs) / BUDGET < 1


def test_one_old_log_is_open_all_the_time(world: DemoWorld) -> None:
    path = world.layout.logs / "still-open.log.1"
    writer = next(s.identity for s in marker.read(world.layout.root).started if "writer" in s.what)

    def opened() -> list[str]:
        return [str(f.readlink()) for f in Path(f"/proc/{writer.pid}/fd").iterdir()]

    until(lambda: str(path) in opened(), what="the open log")


def test_every_fault_has_a_name_and_help(world: DemoWorld) -> None:
    assert [fault.name for fault in world.faults] == [
        "kill-worker", "crash-loop", "freeze-session", "stop-lock-holder", "fill-disk",
    ]  # fmt: skip
    assert all(fault.help for fault in world.faults)
