"""`healmon init` on a host like the specification's: real workers, tmux, databases, logs."""

from __future__ import annotations

import dataclasses
import json
import os
import shutil
import signal
import sqlite3
import subprocess
import sys
import tomllib
from pathlib import Path

import pytest

from healmon.cli import main
from healmon.demo.architect_db import build_architect
from healmon.demo.assigner_db import build_assigner
from healmon.demo.world import DemoWorld
from healmon.service import starter
from tests.helpers.box import Box, alive
from tests.helpers.wait import until

pytestmark = pytest.mark.slow
WORKERS = ("assigner_worker", "milestone_worker", "task_worker")


@pytest.fixture
def world(shallow, monkeypatch):
    made = DemoWorld.create(shallow, fast=True)
    made.start()
    root = made.layout.root
    made.config_path.unlink()
    (root / "run" / "gone.pid").write_text("4194303\n")
    where = starter.Roots(
        folders=(str(root / "run"),), tree=str(root), sockets=str(root), follow=False,
        mine=lambda facts: str(root) in " ".join(facts.command), disks=lambda: (),
    )  # fmt: skip
    monkeypatch.setattr(starter, "roots", lambda: where)
    yield made
    made.close()


def pids(world: DemoWorld) -> dict[str, int]:
    return {name: int(world.layout.pid_file(name).read_text()) for name in WORKERS}


def test_it_finds_all_of_it_and_healmon_adopts_what_it_found(world, capsys):
    root: Path = world.layout.root
    before = pids(world)
    config = root / "found" / "healmon.toml"
    assert main(["init", str(config), "--json"]) == 0
    told = json.loads(capsys.readouterr().out)
    assert told["text"] == config.read_text()
    assert config.stat().st_mode & 0o777 == 0o600
    found = tomllib.loads(config.read_text())
    assert sorted(found["workers"]) == list(WORKERS)
    for name in WORKERS:
        assert found["workers"][name]["pid_file"] == str(world.layout.pid_file(name))
        assert found["workers"][name]["heartbeat_file"] == str(world.layout.heartbeat(name))
    assert {one["path"] for one in found["databases"].values()} == {
        str(world.layout.architect_db), str(world.layout.assigner_db),
    }  # fmt: skip
    assert [one["path"] for one in found["tasks"].values()] == [str(world.layout.assigner_db)]
    assert found["sessions"]["sockets"] == [str(world.layout.socket)]
    assert [one["path"] for one in found["disk"]["budgets"]] == [str(world.layout.logs)]
    words = config.read_text().replace("#", " ").split()  # a line ends where its path is long
    assert "gone.pid is stale" in " ".join(words)
    where = ["--config", str(config), "--state-dir", str(root / "mine")]
    assert main(["check", *where]) == 0
    assert main(["init", str(config)]) == 65
    # one cycle with it: everything is known, nothing is started, ended, pressed or removed
    capsys.readouterr()
    main(["once", "--json", *where])
    assert pids(world) == before
    assert all(map(alive, before.values()))
    with sqlite3.connect(root / "mine" / "healmon.db") as conn:
        done = conn.execute("SELECT component, action_taken FROM health_metrics").fetchall()
        plans = conn.execute("SELECT payload FROM events WHERE kind = 'planmade'").fetchall()
        known = dict(conn.execute("SELECT component, status FROM components"))
    assert [action for _, action in done if action] == []
    assert plans == []
    assert {known[name] for name in WORKERS} == {"healthy"}
    assert "session:claude_architect" in known


def test_looking_changes_nothing_and_print_writes_nothing(world, capsys):
    root: Path = world.layout.root
    database = world.layout.assigner_db
    for name in WORKERS:  # nobody writes while we compare
        os.kill(pids(world)[name], 19)
    until(lambda: all(state(pid) == "T" for pid in pids(world).values()), 60, "a pause")
    before = [
        (p.name, p.stat().st_mtime_ns, p.read_bytes()) for p in sorted(database.parent.iterdir())
    ]
    there = sorted(p.name for p in root.iterdir())
    assert main(["init", "--print", str(root / "new.toml")]) == 0
    assert "[workers.task_worker]" in capsys.readouterr().out
    assert [
        (p.name, p.stat().st_mtime_ns, p.read_bytes()) for p in sorted(database.parent.iterdir())
    ] == before
    assert sorted(p.name for p in root.iterdir()) == there


def state(pid: int) -> str:
    return Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[0]


DAEMON = """
import json, os, signal, sys, time
NAME, RUN = {name!r}, {run!r}
if "--scan" in sys.argv:
    sys.exit(0)
for _ in range({forks}):
    if os.fork():
        os._exit(0)
    os.setsid() if os.getpid() != os.getsid(0) else None
os.chdir("/")
null = os.open(os.devnull, os.O_RDWR)
for fd in (0, 1, 2):
    os.dup2(null, fd)
open(f"{{RUN}}/architect_{{NAME}}.pid", "w").write(str(os.getpid()))
signal.signal(signal.SIGTERM, lambda *_: os._exit(0))
while os.path.exists(RUN):
    if {beats}:
        with open(f"{{RUN}}/architect_{{NAME}}_state.json", "w") as file:
            json.dump({{"at": time.time()}}, file)
    time.sleep(0.2)
"""


class SpecHost:
    """Workers started by hand, from their project, as the specification tells it."""

    def __init__(self, base: Path) -> None:
        self.root, self.run = base / "architect", base / "run"
        for place in (self.root / "workers", self.root / "data" / "assigner", self.root / "logs"):
            place.mkdir(parents=True)
        self.run.mkdir()
        build_architect(self.root / "data" / "architect.db", variant="v1")
        build_assigner(self.root / "data" / "assigner" / "assigner.db", now_wall=1.7e9)
        (self.root / "logs" / "app.log").write_bytes(b"x" * 1000)
        for script, name, forks, beats in (
            ("assigner_worker", "assigner_worker", 2, True),
            ("task_worker", "worker", 1, True),
            ("milestone_worker", "milestone_worker", 2, False),
            ("health_monitor_v2", "monitor", 2, False),
        ):
            code = DAEMON.format(name=name, run=str(self.run), forks=forks, beats=beats)
            (self.root / "workers" / f"{script}.py").write_text(code)
            self.start(script)
        until(lambda: len(self.pids) == 4, 60, "all four")

    def start(self, script: str) -> None:
        env = {**os.environ, "PWD": str(self.root)}
        words = [sys.executable, f"workers/{script}.py", "--daemon"]
        subprocess.run(words, cwd=self.root, env=env, timeout=60, check=True)

    @property
    def pids(self) -> dict[str, int]:
        found = {p.stem: p.read_text() for p in self.run.glob("*.pid")}
        return {name: int(text) for name, text in found.items() if text}

    def roots(self) -> starter.Roots:
        # of this test's processes only, wherever they say that they are
        mine = set(self.pids.values())
        return starter.Roots(
            folders=(str(self.run),), tree=str(self.root), sockets=str(self.run), follow=False,
            mine=lambda facts: facts.identity.pid in mine, disks=lambda: (), watch=2.0,
        )  # fmt: skip

    def close(self) -> None:
        pids = self.pids
        # they end when it is gone, which happens at once, whatever they write meanwhile
        shutil.rmtree(self.run.rename(self.run.with_name("ended")))
        until(lambda: not any(map(alive, pids.values())), 60, "their end")


@pytest.fixture
def spec(tmp_path, monkeypatch):
    made = SpecHost(tmp_path)
    monkeypatch.setattr(starter, "roots", made.roots)
    yield made
    made.close()


def test_on_the_specifications_host_workers_started_by_hand_are_taken_over(spec, capsys):
    config = spec.root / "healmon.toml"
    before = spec.pids
    assert main(["init", str(config)]) == 0
    text = config.read_text()
    found = tomllib.loads(text)
    # the script is started again where it was, although the daemon has left for /
    assert found["workers"]["task_worker"] == {
        "script": str(spec.root / "workers" / "task_worker.py"), "args": ["--daemon"],
        "cwd": str(spec.root), "pid_file": str(spec.run / "architect_worker.pid"),
        "heartbeat_file": str(spec.run / "architect_worker_state.json"),
        "heartbeat_max_age": "60s",
    }  # fmt: skip
    assert sorted(found["workers"]) == ["assigner_worker", "milestone_worker", "task_worker"]
    assert "# [workers.health_monitor_v2]" in text
    assert sorted(found["databases"]) == ["architect", "assigner"]
    assert list(found["tasks"]) == ["assigner"]
    assert [one["path"] for one in found["disk"]["budgets"]] == [str(spec.root / "logs")]
    where = ["--config", str(config), "--state-dir", str(spec.root / "state")]
    capsys.readouterr()
    main(["once", *where])
    assert "Workers: 3/3 healthy" in capsys.readouterr().out
    assert spec.pids == before
    # and one that falls comes back as it was, by its own words
    fallen = before["architect_worker"]
    os.kill(fallen, signal.SIGKILL)
    until(lambda: not alive(fallen), 60, "its end")
    assert main(["start-worker", "task_worker", "--now", *where]) == 0
    risen = spec.pids["architect_worker"]
    assert risen != fallen
    assert alive(risen)
    words = Path(f"/proc/{risen}/cmdline").read_bytes().split(b"\0")
    assert words[1:3] == [os.fsencode(spec.root / "workers" / "task_worker.py"), b"--daemon"]


def test_two_copies_and_a_stale_pid_file_are_told_and_left_alone(spec, capsys):
    first = spec.pids["architect_worker"]
    (spec.run / "old.pid").write_text("4194303\n")
    spec.start("task_worker")
    until(lambda: spec.pids["architect_worker"] != first, 60, "a second copy")
    both = {first, *spec.pids.values()}
    where = spec.roots()
    where = dataclasses.replace(where, mine=lambda facts: facts.identity.pid in both)
    try:
        text = starter.preview(spec.root / "x.toml", where)
    finally:
        second = spec.pids["architect_worker"]
        for pid in (first, second):
            os.kill(pid, signal.SIGTERM)
        until(lambda: not alive(first) and not alive(second), 60, "their end")
    assert "# [workers.task_worker]" in text
    assert f"others run with the same words (pid {min(first, second)})" in text
    assert "old.pid" in text


def test_what_another_healer_looks_after_is_left_to_it(spec, tmp_path):
    box = Box(tmp_path)
    config = spec.root / "healmon.toml"
    starter.write(config, spec.roots())
    box.config, box.state = config, spec.root / "state"
    assert box.healmon("daemon").returncode == 0
    healer = int((box.state / "healmon.pid").read_text())
    try:
        mine = {healer, *spec.pids.values()}
        where = dataclasses.replace(spec.roots(), mine=lambda facts: facts.identity.pid in mine)
        text = starter.preview(tmp_path / "second.toml", where)
    finally:
        assert box.healmon("stop").returncode == 0
    assert "workers" not in tomllib.loads(text)
    said = " ".join(text.replace("\n#   ", " ").split())
    assert said.count(f"another healer looks after it (pid {healer} on {box.state})") == 3
