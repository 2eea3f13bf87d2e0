"""What clients of the dashboard before this one ask, in its own words."""

from __future__ import annotations

import pytest

from tests.helpers import scripted
from tests.helpers.webstage import staged

WORKER = {
    "name", "description", "status", "pid", "pid_file", "log_file", "cpu_percent", "memory_mb",
    "uptime_seconds", "threads", "last_log", "log_modified",
}  # fmt: skip


def test_health_is_a_status_and_needs_no_login_here(stage):
    reply = stage.ask("GET", "/health")
    assert reply.status == 503, "something is critical"
    assert reply.json["status"] == "unhealthy"
    assert reply.json.keys() >= {"status", "environment", "timestamp", "database"}
    assert "worker" not in reply.text, "nothing that others wrote"


def test_a_calm_host_is_healthy_until_nobody_looks(tmp_path):
    with staged(tmp_path / "state", past=scripted.calm_world()) as stage:
        assert stage.ask("GET", "/health").status == 200
        assert stage.ask("GET", "/api/workers/health").json["health"] == "healthy"
        stage.end_healer()
        stage.shown(lambda s: not s["healer"]["running"])
        assert stage.ask("GET", "/health").status == 503
        told = stage.ask("GET", "/api/workers/health").json
        assert {w["status"] for w in told["workers"].values()} == {"stale"}
        assert told["health"] == "unhealthy"


def test_workers_are_told_as_before(stage):
    told = stage.ask("GET", "/api/workers/health").json
    assert told.keys() == {"timestamp", "workers", "summary", "health"}
    assert all(one.keys() == WORKER for one in told["workers"].values())
    assert told["workers"]["task_worker"]["status"] == "running"
    assert told["workers"]["mail_worker"]["status"] == "stopped"
    summary = told["summary"]
    assert summary["total"] == len(told["workers"]) == summary["running"] + summary["stopped"]


@pytest.mark.parametrize(
    ("path", "keys"),
    [
        ("/api/health/current", {"system", "services", "timestamp"}),
        ("/api/health/system?hours=6&interval=hour", {"hours", "interval", "data"}),
        ("/api/health/deep", {"status", "timestamp", "duration_ms", "summary", "checks"}),
        ("/api/health/components", {"status", "timestamp", "duration_ms", "summary", "checks"}),
        ("/api/health/component/disk", {"status", "message", "timestamp"}),
        (
            "/api/tmux/sessions/claude_architect/health",
            {"status", "session_name", "is_active", "is_waiting_input", "issues",
             "output_preview", "interactions"},
        ),
    ],
)  # fmt: skip
def test_the_rest_has_its_shape_and_needs_a_login(stage, path, keys):
    assert stage.ask("GET", path).status == 401
    reply = stage.get(path)
    assert reply.status == 200
    assert reply.json.keys() == keys


def test_what_there_is_not_is_told(stage):
    assert stage.get("/api/health/component/nodes").status == 404
    assert stage.get("/api/tmux/sessions/nobody/health").status == 404
