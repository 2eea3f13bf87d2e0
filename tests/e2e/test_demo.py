"""The demo world, as a newcomer meets it: four real faults healed, and nothing left behind."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
import tempfile
import urllib.request
from pathlib import Path

import pytest

from tests.helpers.box import _cmdline, _everyone
from tests.helpers.freeport import free_port
from tests.helpers.wait import until

pytestmark = pytest.mark.slow

WANTED = {"restart_worker", "clear_stuck_session", "clear_database_lock", "clean_disk"}

SHOWN = {
    "session:architect2": "approval", "session:docs_writer": "retrying",
    "session:claude_architect": "stalled", "session:codex_worker": "working",
}  # fmt: skip
"""What each is to be seen as at some time: on a busy machine its program may begin late."""


def left(temp: Path) -> list[bytes]:
    mark = os.fsencode(str(temp))
    return [line for pid in _everyone() if pid != os.getpid() and mark in (line := _cmdline(pid))]


@pytest.fixture
def temp():
    """A place of its own; a short one, for it holds a tmux socket."""
    with tempfile.TemporaryDirectory(prefix="hm-") as made:
        yield Path(made)


@pytest.mark.long(45)
def test_the_demo_heals_four_real_faults_and_leaves_nothing(temp):
    env = {**os.environ, "TMPDIR": str(temp), "HOME": str(temp)}
    env.pop("TMUX", None)
    demo = subprocess.Popen(
        [sys.executable, "-m", "healmon_tui", "--demo", "--no-ui", "--json"],
        env=env, stdin=subprocess.DEVNULL,
        stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True,
    )  # fmt: skip
    done: set[str] = set()
    states: dict[str, set[str]] = {}
    cycles = 0
    try:
        for line in demo.stdout:
            report = json.loads(line)
            cycles += 1
            done |= {
                e["action"] for e in report["happened"] if e["kind"] == "actionverified"
            } & WANTED
            for one in report["components"]:
                states.setdefault(one["name"], set()).add(str(one["facts"].get("state")))
            seen = all(of in states.get(name, ()) for name, of in SHOWN.items())
            if (done == WANTED and seen and cycles > 3) or cycles > 80:
                break
        assert done == WANTED
        assert all(of in states[name] for name, of in SHOWN.items()), states
        assert states["session:architect"] == {"protected"}
        assert states["session:nightly_build"] <= {"working", "quiet"}, "silent, and at work"
        state = next(temp.glob("healmon-demo-*/state/healmon.db"))
        script = "import sqlite3,sys; c=sqlite3.connect(f'file:{sys.argv[1]}?mode=ro',uri=True)"
        query = (
            "SELECT timestamp, component, metric_type, status, action_taken FROM health_metrics "
            "WHERE action_taken <> '' ORDER BY timestamp DESC LIMIT 20;"
        )
        told = subprocess.run(
            [sys.executable, "-c", f"{script}; print(c.execute({query!r}).fetchall())", str(state)],
            capture_output=True, text=True, check=True,
        ).stdout  # fmt: skip
        assert all(action in told for action in WANTED)
    finally:
        demo.send_signal(signal.SIGTERM)
        demo.communicate(timeout=120)
    until(lambda: not left(temp), 60, "everything of the demo ended")
    assert not list(temp.glob("healmon-demo-*"))


def test_the_demo_on_the_page_and_leaves_nothing(temp):
    port = free_port()
    env = {**os.environ, "TMPDIR": str(temp), "HOME": str(temp)}
    env.pop("TMUX", None)
    demo = subprocess.Popen(
        [sys.executable, "-m", "healmon_tui", "--demo", "--serve", f"127.0.0.1:{port}"],
        env=env, stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, text=True,
    )  # fmt: skip
    try:
        assert demo.stdout is not None
        told = [demo.stdout.readline() for _ in range(3)]
        assert f"http://127.0.0.1:{port}/#health" in told[0]
        assert f"http://127.0.0.1:{port}/login#" in told[2]
        until(lambda: _is_ready(port), 60, "the page, and a healer that it shows")
    finally:
        demo.send_signal(signal.SIGTERM)
        demo.communicate(timeout=120)
    until(lambda: not left(temp), 60, "everything of the demo ended")
    assert not list(temp.glob("healmon-demo-*"))


def _is_ready(port: int) -> bool:
    try:
        with urllib.request.urlopen(f"http://127.0.0.1:{port}/readyz", timeout=20) as answer:
            return answer.status == 200
    except OSError:
        return False
