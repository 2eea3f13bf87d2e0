"""The daemon on a real host: up, one of a kind, healing, down; and killed at bad moments."""

from __future__ import annotations

import json
import os
import signal

import pytest

from tests.helpers.box import alive
from tests.helpers.shapes import fits
from tests.helpers.wait import until

pytestmark = pytest.mark.slow


def up(box):
    answer = box.run("--daemon")
    assert answer.returncode == 0, answer.stderr
    pid = int(answer.stdout.split("pid ")[1].split(",")[0])
    assert alive(pid)
    return pid


def first_worker(box):
    return until(box.started_pids, 60, "the worker's start")[0]


def test_daemon_life(box):
    box.write(box.worker("task_worker"))
    assert box.run("--status").returncode == 3
    nothing = box.run("--stop", "--json")
    assert nothing.returncode == 0, "stopping nothing is success"
    assert json.loads(nothing.stdout)["stopped"] is False
    pid = up(box)
    worker = first_worker(box)
    second = box.run("--daemon")
    assert second.returncode == 75
    assert str(pid) in second.stderr
    assert box.run("--once").returncode == 75
    until(lambda: box.run("--status").returncode == 0, 60, "all healthy")
    status = box.run("--status")
    assert str(pid) in status.stdout
    data = json.loads(box.run("--status", "--json").stdout)
    assert data["pid"] == pid
    assert (box.state / "healmon.pid").read_text().strip() == str(pid)
    would = box.run("--stop", "--dry-run")
    assert would.stdout == f"would stop (pid {pid}); workers stay up\n"
    assert box.run("--status").returncode == 0, "it runs on"
    stopped = box.run("--stop", "--json")
    assert stopped.returncode == 0, stopped.stderr
    fits("stop", json.loads(stopped.stdout))
    assert json.loads(stopped.stdout)["pid"] == pid
    assert not alive(pid)
    assert alive(worker), "workers stay up"
    assert box.run("--status").returncode == 3


def test_a_killed_worker_is_noticed_at_once_restarted_after_its_delay_and_verified(box):
    # a cycle is an hour: what is noticed is noticed by the kernel's word, not by polling
    box.write(box.worker("task_worker", restart_delay="1s"), interval="1h")
    up(box)
    worker = first_worker(box)
    until(lambda: box.events("actionverified"), 60, "the first start verified")
    os.kill(worker, signal.SIGKILL)
    until(lambda: len(box.started_pids()) == 2, 60, "the restart")
    until(lambda: len(box.events("actionverified")) == 2, 60, "the proof")
    assert len(box.events("cyclefinished")) == 1, "by no look that would have come anyway"
    made, started = (
        box.rows(
            "SELECT (julianday(timestamp) - 2440587.5) * 86400 FROM events WHERE kind = ? "
            "ORDER BY id DESC LIMIT 1",
            kind,
        )[0][0]
        for kind in ("planmade", "actionstarted")
    )
    assert started - made > 0.75, "the restart delay was waited"
    assert len([p for p in box.started_pids() if alive(p)]) == 1, "one copy"
    alerts = box.rows(
        "SELECT severity, resolved, message FROM health_alerts WHERE component='task_worker'"
    )
    assert [row[:2] for row in alerts] == [("INFO", 1)] * len(alerts), alerts
    assert len(alerts) == 2, f"one for the first start, one for the restart: {alerts}"
    metrics = box.rows(
        "SELECT timestamp, component, metric_type, status, action_taken FROM health_metrics "
        "ORDER BY timestamp DESC LIMIT 20"
    )
    assert any(row[3:] == ("recovered", "restart_worker") for row in metrics)


@pytest.mark.long(12)
def test_a_worker_that_dies_at_once_is_one_critical_alert_and_no_storm(box):
    code = f'open({str(box.pids)!r}, "a").write("1\\n"); raise SystemExit(3)'
    box.write(box.worker("task_worker", code, restart_delay="1s", restart_delay_max="1s"))
    up(box)
    rows = until(
        lambda: box.rows(
            "SELECT severity, message FROM health_alerts WHERE resolved = 0 AND severity='CRITICAL'"
            " AND message LIKE '%quarantine%'"
        ),
        90,
        "the quarantine",
    )
    assert len(rows) == 1
    starts = len(box.started_pids())
    assert starts <= 8
    cycles = len(box.events("cyclefinished"))
    until(lambda: len(box.events("cyclefinished")) > cycles + 3, 60, "more cycles")
    assert len(box.started_pids()) == starts, "quarantined means left alone"
    assert len(box.rows("SELECT 1 FROM health_alerts WHERE resolved = 0")) == 1
    assert box.run("--status").returncode == 2


@pytest.mark.long(12)
def test_killed_daemon_leaves_workers_up_and_the_next_one_adopts_them(box):
    box.write(box.worker("a"), box.worker("b"))
    daemon = up(box)
    until(lambda: len(box.started_pids()) == 2, 60, "both workers")
    until(lambda: len(box.events("actionverified")) == 2, 60, "both proofs")
    os.kill(daemon, signal.SIGKILL)
    until(lambda: not alive(daemon), 60)
    workers = box.started_pids()
    assert all(alive(p) for p in workers)
    up(box)
    cycles = len(box.events("cyclefinished"))
    until(lambda: len(box.events("cyclefinished")) > cycles + 2, 60, "cycles")
    assert box.started_pids() == workers, "adopted, not started again"
    os.kill(workers[0], signal.SIGKILL)
    until(lambda: len(box.started_pids()) == 3, 60, "an adopted worker is restarted too")


def test_healmon_killed_between_spawn_and_proof_does_not_start_a_second_copy(box):
    box.write(box.worker("a", min_uptime="5s", restart_delay="1s"))
    daemon = up(box)
    until(lambda: len(box.started_pids()) == 1, 60, "the worker")
    os.kill(daemon, signal.SIGKILL)
    until(lambda: not alive(daemon), 60)
    up(box)
    cycles = len(box.events("cyclefinished"))
    until(lambda: len(box.events("cyclefinished")) > cycles + 4, 60, "cycles")
    assert len([p for p in box.started_pids() if alive(p)]) == 1


def test_overrides_from_the_command_line_reach_the_daemon(box):
    box.write(box.worker("a"))
    up(box)
    worker = first_worker(box)
    until(lambda: box.events("actionverified"), 60, "the first proof")
    answer = box.healmon("restart", "a")
    assert answer.returncode == 0, answer.stderr
    assert not alive(worker)
    until(lambda: len([p for p in box.started_pids() if alive(p)]) == 1, 60)
    wrong = box.healmon("restart", "nobody")
    assert wrong.returncode == 65
    assert "a" in wrong.stderr
    assert "Traceback" not in wrong.stderr
    assert box.healmon("pause", "a", "--for", "1h").returncode == 0
    assert box.healmon("pause", "--for", "soon").returncode == 64
    (verb, state) = box.rows("SELECT verb, state FROM commands ORDER BY id LIMIT 1")[0]
    assert (verb, state) == ("restart", "done")
    box.run("--stop")
    assert box.healmon("restart", "a").returncode == 75


def test_a_daemon_that_cannot_come_up_says_why(box):
    box.config.write_text('[monitor]\ncheck_interval = "soon"\n[workers.x]\nscrpt = "a.py"\n')
    answer = box.run("--daemon")
    assert answer.returncode == 78
    assert "healmon.toml:2" in answer.stderr
    assert 'did you mean "script"' in answer.stderr
    box.write()
    box.state.mkdir(mode=0o700)
    (box.state / "healmon.db").write_bytes(b"SQLite format 3\0" + b"\0" * 20)
    box.run("--daemon")
    box.run("--stop")


def test_once_reports_and_its_exit_codes_tell(box):
    box.write(box.worker("a"))
    first = box.run("--once")
    assert first.returncode == 0, first.stdout + first.stderr
    for text in (
        "Health Check #1",
        "🔍 Checking workers...",
        "Workers: 1/1 healthy",
        "🔍 Checking database locks...",
        "📊 Session Stats:",
        "Workers restarted: 1",
    ):
        assert text in first.stdout
    again = json.loads(box.run("--once", "--json").stdout)
    assert again["exit_code"] == 0
    assert again["stats"]["workers_restarted"] == 0
    assert len(box.started()) == 1
    box.write(box.worker("a"), box.worker("gone", script=str(box.base / "missing.py")))
    assert box.run("--once").returncode == 2
    # --dry-run decides and starts nothing
    os.kill(box.started_pids()[0], signal.SIGKILL)
    dry = box.run("--once", "--dry-run")
    assert "DRY RUN" in dry.stdout
    assert "would restart_worker a" in dry.stdout
    assert len(box.started_pids()) == 1
