"""A hung session in a real tmux: one decision however many prompts, in any time zone."""

from __future__ import annotations

import shlex
import sqlite3
import subprocess
import sys
import time

import pytest

from tests.helpers.wait import until

pytestmark = pytest.mark.slow

SCHEMA = """
CREATE TABLE prompts (id INTEGER PRIMARY KEY AUTOINCREMENT, content TEXT NOT NULL,
  status TEXT DEFAULT 'pending', assigned_session TEXT, assigned_at TIMESTAMP,
  completed_at TIMESTAMP, error TEXT, retry_count INTEGER DEFAULT 0, max_retries INTEGER DEFAULT 3);
CREATE TABLE assignment_history (id INTEGER PRIMARY KEY AUTOINCREMENT, prompt_id INTEGER NOT NULL,
  session_name TEXT NOT NULL, action TEXT NOT NULL, created_at TIMESTAMP DEFAULT CURRENT_TIMESTAMP,
  details TEXT);
"""
# it repaints for ever and says nothing new; each interrupt it gets is counted in a file
HUNG = """
import signal, sys, time
def interrupted(*_):
    open(sys.argv[1], 'a').write('x')
    sys.exit(0)
signal.signal(signal.SIGINT, interrupted)
n = 0
while True:
    n += 1
    print('\\r' + '|/-'[n % 3] + ' Thinking… ' + str(n // 10) + 's', end='', flush=True)
    time.sleep(0.1)
"""


@pytest.fixture
def tmux(tmp_path):
    socket = tmp_path / "tmux.sock"

    def run(*words):
        return subprocess.run(
            ["tmux", "-S", str(socket), "-f", "/dev/null", *words],
            capture_output=True, text=True, timeout=60,
            env={"PATH": "/usr/bin:/bin", "TERM": "xterm"},
        )  # fmt: skip

    run.socket = socket
    yield run
    run("kill-server")


def world(box, tmux, session, prompts):
    database = box.base / "assigner.db"
    connection = sqlite3.connect(database)
    connection.executescript("PRAGMA journal_mode=WAL;" + SCHEMA)
    utc = time.strftime("%Y-%m-%d %H:%M:%S", time.gmtime(time.time() - 7200))
    connection.executemany(
        "INSERT INTO prompts (content, status, assigned_session, assigned_at) VALUES (?, ?, ?, ?)",
        [
            (f"work {n}", "assigned" if n % 2 else "in_progress", session, utc)
            for n in range(prompts)
        ],
    )
    connection.commit()
    connection.close()
    program = box.base / "hung.py"
    program.write_text(HUNG)
    count = box.base / "interrupts"
    tmux("new-session", "-d", "-s", session, "-x", "80", "-y", "24", "bash --norc --noprofile")
    tmux(
        "new-session", "-d", "-s", f"{session}2", "-x", "80", "-y", "24", "bash --norc --noprofile"
    )
    line = shlex.join([sys.executable, str(program), str(count)])
    for name in (session, f"{session}2"):
        tmux("send-keys", "-t", f"={name}:", line, "Enter")
    for name in (session, f"{session}2"):
        # it takes an interrupt only once it runs
        until(lambda n=name: "Thinking" in tmux("capture-pane", "-p", "-t", f"={n}:").stdout, 60)
    box.config.write_text(
        f'[monitor]\nname = "box"\ncheck_interval = "1s"\n[disk]\npaths = []\n'
        f'[sessions]\nsocket = "{tmux.socket}"\nstuck_after = "4s"\nprotect = ["boss"]\n'
        'confirm_for = "0s"\nrequeue_backoff = ["0s"]\n'
        f'typing_marker = "##"\n[tasks.assigner]\npath = "{database}"\n'
    )
    return database, count


def rows(database, sql):
    connection = sqlite3.connect(f"file:{database}?mode=ro", uri=True, timeout=30)
    try:
        return connection.execute(sql).fetchall()
    finally:
        connection.close()


@pytest.mark.parametrize("zone", ["America/Los_Angeles", "UTC", "Asia/Tokyo"])
def test_eighteen_prompts_are_one_decision_one_interrupt_eighteen_rows(box, tmux, zone):
    box.env["TZ"] = zone
    database, count = world(box, tmux, "foundation", 18)
    assert box.run("--daemon").returncode == 0
    until(lambda: box.events("actionverified"), 90, "the session cleared")
    assert [e["action"] for e in box.events("actionverified")] == ["clear_stuck_session"]
    assert count.read_text() == "x", "one interrupt, and none to foundation2"
    assert rows(database, "SELECT status, count(*) FROM prompts GROUP BY 1") == [("pending", 18)]
    history = rows(
        database, "SELECT action, count(DISTINCT prompt_id) FROM assignment_history GROUP BY 1"
    )
    assert history == [("requeued", 18)]
    assert len(box.events("planmade")) == 1
    noted = "SELECT severity FROM health_alerts WHERE message LIKE 'Cleared%'"
    assert until(lambda: box.rows(noted), 60, "the note") == [("INFO",)]


@pytest.mark.long(12)
def test_a_protected_session_is_never_typed_into(box, tmux):
    database, count = world(box, tmux, "boss", 2)
    assert box.run("--daemon").returncode == 0
    until(lambda: len(box.events("cyclefinished")) > 12, 90, "cycles beyond the limit")
    assert not box.events("planmade")
    assert not count.exists()
    assert rows(database, "SELECT count(*) FROM prompts WHERE status != 'pending'") == [(2,)]


def test_a_stopped_tmux_server_delays_nobody_and_is_unknown(box, tmux):
    world(box, tmux, "foundation", 1)
    pid = int(tmux("display-message", "-p", "#{pid}").stdout)
    subprocess.run(["kill", "-STOP", str(pid)], check=True)
    try:
        answer = box.run("--once")
    finally:
        subprocess.run(["kill", "-CONT", str(pid)], check=True)
    assert answer.returncode == 3, answer.stdout + answer.stderr
    assert "Unknown" in answer.stdout
    assert "No databases" in answer.stdout or "No database locks" in answer.stdout
