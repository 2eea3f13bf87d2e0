"""`healmon init` on a host like the specification's: real workers, tmux, databases, logs."""

from __future__ import annotations

import json
import os
import sqlite3
import tomllib
from pathlib import Path

import pytest

from healmon.cli import main
from healmon.demo.world import DemoWorld
from healmon.service import starter
from tests.helpers.box import alive
from tests.helpers.wait import until

pytestmark = pytest.mark.slow
WORKERS = ("assigner_worker", "milestone_worker", "task_worker")


@pytest.fixture
def world(tmp_path, monkeypatch):
    made = DemoWorld.create(tmp_path, fast=True)
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
    assert "gone.pid # is stale" in " ".join(config.read_text().split())
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
    until(lambda: all(state(pid) == "T" for pid in pids(world).values()), 5, "a pause")
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
