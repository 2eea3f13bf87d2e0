from __future__ import annotations

import json
import os
import shutil
import stat
import threading
import time
from collections.abc import Iterator
from pathlib import Path

import pytest

from healmon.config.load import load
from healmon.demo import manifest as marker
from healmon.demo import owned, scratch, terminals
from healmon.demo.faults import Fault
from healmon.demo.layout import BUDGET, PREFIX, SESSIONS, WORKERS
from healmon.demo.world import SCHEDULE, DemoWorld
from healmon.errors import MissingPartError, SpawnError
from healmon.sessions.packs.user import packs_of
from healmon.world.system_processes import SystemProcesses
from tests.helpers.wait import until

PROCESSES = SystemProcesses()


@pytest.fixture
def world(shallow: Path) -> Iterator[DemoWorld]:
    with DemoWorld.create(shallow, fast=True) as made:
        yield made


def running(world: DemoWorld) -> list[str]:
    found = owned.strays(PROCESSES, world.layout, marker.read(world.layout.root).python)
    return sorted(Path(owned.script_of(PROCESSES, who)).name for who in found)


def test_a_fresh_world_is_private_and_says_whose_it_is(world: DemoWorld) -> None:
    root = world.layout.root
    assert root.name.startswith(PREFIX)
    assert stat.S_IMODE(root.stat().st_mode) == 0o700
    assert stat.S_IMODE(world.state_dir.stat().st_mode) == 0o700
    manifest = marker.read(root)
    assert manifest.owner == PROCESSES.identify(os.getpid())
    assert manifest.directory == str(root)
    assert not marker.abandoned(PROCESSES, manifest)


def test_its_configuration_is_one_that_healmon_takes(world: DemoWorld) -> None:
    settings = load(world.config_path, {})
    root = str(world.layout.root)
    assert settings.monitor.check_interval == 1
    assert settings.monitor.state_dir == str(world.state_dir)
    assert {w.name for w in settings.workers} == set(WORKERS)
    for worker in settings.workers:
        assert worker.argv == (
            marker.read(world.layout.root).python,
            str(world.layout.worker(worker.name)),
            "--daemon",
        )
        assert worker.pid_file == str(world.layout.pid_file(worker.name))
        assert worker.heartbeat_file == str(world.layout.heartbeat(worker.name))
    assert settings.sessions.sockets == (str(world.layout.socket),)
    assert "architect" in settings.sessions.protect
    assert {d.name: d.path for d in settings.databases} == {
        "architect": str(world.layout.architect_db), "assigner": str(world.layout.assigner_db),
    }  # fmt: skip
    assert [t.path for t in settings.tasks] == [str(world.layout.assigner_db)]
    assert settings.disk.paths == ()
    assert [(b.path, b.limit) for b in settings.disk.budgets] == [(str(world.layout.logs), BUDGET)]
    # nothing that healmon may touch lies outside
    for rule in settings.disk.rules:
        assert all(path.startswith(root + "/") for path in rule.paths)


def test_the_normal_pace_heals_four_faults_within_the_first_minute(shallow: Path) -> None:
    with DemoWorld.create(shallow) as world:
        settings = load(world.config_path, {})
    at = {name: seconds for seconds, name in SCHEDULE}
    look = settings.monitor.check_interval
    assert at["kill-worker"] + look + settings.workers[0].restart_delay < 20
    sessions = settings.sessions
    assert at["freeze-session"] + sessions.stuck_after + sessions.confirm_for + 2 * look < 45
    assert at["stop-lock-holder"] + settings.databases[0].busy_for + 2 * look < 45
    assert at["fill-disk"] + max(r.older_than for r in settings.disk.rules) + 2 * look < 50


@pytest.mark.slow
def test_all_parts_come_up_and_all_go(world: DemoWorld) -> None:
    world.start()
    parts = sorted(
        [
            *["agent.py"] * (len(SESSIONS) - 1),
            *["build.py"] * 2,  # the one that waits and the one that works
            *(f"{name}.py" for name in WORKERS),
            "db_writer.py",
            "tmux.sock",  # the tmux server runs no script; this is its first word
        ]
    )
    # who forked to become a daemon may take a moment to leave
    until(lambda: running(world) == parts, what="each part once")
    for name in WORKERS:
        pid = int(world.layout.pid_file(name).read_text())
        assert json.loads(world.layout.heartbeat(name).read_text())["running"] is True
        assert owned.script_of(PROCESSES, PROCESSES.identify(pid)) == str(world.layout.worker(name))
    identities = [s.identity for s in marker.read(world.layout.root).started]
    root = world.layout.root
    assert "removed" in world.close()
    assert not root.exists()
    assert not [who for who in identities if owned.alive(PROCESSES, who)]
    assert not owned.strays(PROCESSES, world.layout, "python")
    assert world.close() == ""
    with pytest.raises(SpawnError, match="closed"):
        world.start_writer()
    assert not root.exists()


@pytest.mark.slow
def test_two_workers_became_daemons_and_one_keeps_the_output_it_was_given(world: DemoWorld) -> None:
    world.start()
    pids = {name: int(world.layout.pid_file(name).read_text()) for name in WORKERS}
    parents = {
        name: PROCESSES.inspect(PROCESSES.identify(pid)).parent for name, pid in pids.items()
    }
    assert parents["milestone_worker"] == os.getpid()
    assert os.getpid() not in {parents["assigner_worker"], parents["task_worker"]}
    # twice forked: no session leader any more
    assert os.getsid(pids["assigner_worker"]) != pids["assigner_worker"]
    assert os.getsid(pids["task_worker"]) == pids["task_worker"]
    out = {name: Path(f"/proc/{pid}/fd/1").resolve() for name, pid in pids.items()}
    assert out["task_worker"] == world.layout.run / "task_worker.out"
    assert out["assigner_worker"] == world.layout.logs / "assigner_worker.log"
    assert b"\xff\xfe" in until(out["assigner_worker"].read_bytes, what="a log line")


@pytest.mark.slow
def test_heartbeats_go_on(world: DemoWorld) -> None:
    world.start()
    for name in WORKERS:
        path = world.layout.heartbeat(name)
        first = path.stat().st_mtime_ns
        until(lambda p=path, f=first: p.stat().st_mtime_ns > f, what=f"a heartbeat of {name}")


@pytest.mark.slow
def test_sessions_work_wait_or_are_protected(world: DemoWorld) -> None:
    world.start()
    until(
        lambda: "esc to interrupt" in terminals.screen(world.layout, "architect"),
        what="a working agent",
    )
    until(lambda: "1. Yes" in terminals.screen(world.layout, "architect2"), what="a question")
    until(lambda: "Retrying in" in terminals.screen(world.layout, "docs_writer"), what="a retry")
    until(lambda: "linking" in terminals.screen(world.layout, "nightly_build"), what="a build")
    names = terminals.tmux(world.layout, "list-sessions", "-F", "#{session_name}").split()
    assert sorted(names) == sorted(SESSIONS)
    assert stat.S_ISSOCK(world.layout.socket.stat().st_mode)


@pytest.mark.parametrize(
    ("session", "kind", "line"),
    [
        ("architect", "busy", "⠐ architect"),
        ("architect2", "approval", "Do you want to proceed?"),
        ("docs_writer", "retrying", "✻ API error · Retrying in 4s · attempt 1/99"),
    ],
)
def test_its_own_pack_knows_its_agents(
    world: DemoWorld, session: str, kind: str, line: str
) -> None:
    packs = packs_of(load(world.config_path, {}).sessions.packs)
    python = marker.read(world.layout.root).python
    assert packs.agent_of((python, "-I", "-S", str(world.layout.agent), session)) == "demo"
    screen = "\n".join(["", line, "", "─" * 20, "❯ ", "─" * 20, "  esc to interrupt"])
    if kind == "approval":
        screen = "\n".join(["─" * 20, " make clean", f" {line}", " ❯ 1. Yes", "   2. No"])
    sign = packs.read("demo", screen, line if kind == "busy" else "", None)
    assert sign.kind == kind
    assert [c.keys for c in sign.choices] == ([("1",), ("2",)] if kind == "approval" else [])


def test_the_scratch_directory_begins_below_the_warning(world: DemoWorld) -> None:
    share = scratch.used(world.layout.logs) / BUDGET
    assert 0.55 < share < 0.80
    link = world.layout.logs / "link.log.1"
    assert link.is_symlink()
    assert link.resolve().parent == world.layout.logs.parent
    names = [os.fsencode(path.name) for path in world.layout.logs.iterdir()]
    assert any(b"\n" in name for name in names)
    assert any(b"\x1b" in name for name in names)
    assert time.time() - (world.layout.logs / "app.log.1").stat().st_mtime > 7 * 86400


@pytest.mark.slow
def test_what_a_fault_says_is_told_and_one_that_fails_ends_no_other(world: DemoWorld) -> None:
    lines: list[str] = []
    world.start()
    world.faults[0] = Fault("kill-worker", "", lambda: 1 / 0)  # type: ignore[arg-type,return-value]
    world.autofaults([(0.05, "fill-disk"), (0.0, "kill-worker")], lines.append)
    until(lambda: len(lines) == 2, what="both faults")
    assert lines[0].startswith("kill-worker failed")
    assert "97" in lines[1]


def test_faults_to_come_are_cancelled_by_closing(world: DemoWorld) -> None:
    world.autofaults([(60.0, "fill-disk")])
    assert any(t.name == "demo-faults" for t in threading.enumerate())
    begin = time.monotonic()
    world.close()
    assert time.monotonic() - begin < 50
    assert not any(t.name == "demo-faults" for t in threading.enumerate())


def test_an_unknown_fault_is_refused(world: DemoWorld) -> None:
    with pytest.raises(KeyError):
        world.autofaults([(0.0, "earthquake")])


def test_without_tmux_there_is_no_demo(shallow: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("PATH", str(shallow))
    with pytest.raises(MissingPartError, match="tmux"):
        DemoWorld.create(shallow)
    assert list(shallow.iterdir()) == []


def test_a_directory_too_deep_for_a_socket_is_refused(shallow: Path) -> None:
    deep = shallow / ("d" * 80)
    deep.mkdir()
    with pytest.raises(MissingPartError, match="TMPDIR"):
        DemoWorld.create(deep)
    assert list(deep.iterdir()) == []


@pytest.mark.slow
def test_a_part_that_does_not_come_up_takes_the_rest_away(
    world: DemoWorld, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("healmon.demo.world.START_LIMIT", 0.5)
    world.layout.crash_flag("task_worker").touch()
    with pytest.raises(SpawnError, match="task_worker"):
        world.start()
    assert not world.layout.root.exists()
    assert not owned.strays(PROCESSES, world.layout, "python")


@pytest.mark.slow
def test_programs_end_by_themselves_when_the_directory_is_gone(world: DemoWorld) -> None:
    world.start()
    identities = [
        s.identity for s in marker.read(world.layout.root).started if s.what != "tmux server"
    ]

    def gone() -> bool:  # its programs make and remove files meanwhile
        shutil.rmtree(world.layout.root, ignore_errors=True)
        return not world.layout.root.exists()

    until(gone, what="the end of the directory")
    try:
        until(lambda: not [w for w in identities if owned.alive(PROCESSES, w)], what="their end")
    finally:
        owned.end(PROCESSES, [*identities, *owned.strays(PROCESSES, world.layout, "python")])
