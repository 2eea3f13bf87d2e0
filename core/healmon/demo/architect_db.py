"""Builds `architect.db`, the main database, in the shapes its health tables had over time."""

from __future__ import annotations

import json
import sqlite3
from contextlib import closing
from pathlib import Path
from typing import Literal

from healmon.demo.rows import local, utc

Variant = Literal["v1", "v2", "none", "ci"]
BAD_NIGHT = 1_770_503_160.0
"""2026-02-07 22:26 UTC, when the first monitor's bad night began."""
CYCLES, BETWEEN = 284, 75.0
HIGH_RATE = 58

COMMON = """
CREATE TABLE task_timeout_config (task_type TEXT PRIMARY KEY, timeout_seconds INTEGER);
CREATE TABLE workers (
    id TEXT PRIMARY KEY, node_id TEXT, worker_type TEXT, status TEXT DEFAULT 'offline',
    current_task_id INTEGER, last_heartbeat TIMESTAMP, tasks_completed INTEGER DEFAULT 0,
    tasks_failed INTEGER DEFAULT 0, created_at TIMESTAMP DEFAULT CURRENT_TIMESTAMP,
    deleted_at TIMESTAMP, deleted_by TEXT
);
CREATE TABLE worker_alerts (
    id INTEGER PRIMARY KEY AUTOINCREMENT, worker_id TEXT, worker_type TEXT, alert_type TEXT,
    severity TEXT, message TEXT, details TEXT, acknowledged INTEGER DEFAULT 0,
    acknowledged_by TEXT, acknowledged_at TIMESTAMP, resolved INTEGER DEFAULT 0,
    resolved_at TIMESTAMP, created_at TIMESTAMP DEFAULT CURRENT_TIMESTAMP
);
CREATE TABLE tmux_sessions (
    id INTEGER PRIMARY KEY AUTOINCREMENT, node_id TEXT, session_name TEXT,
    window_count INTEGER DEFAULT 1, attached INTEGER DEFAULT 0, purpose TEXT,
    assigned_task_type TEXT, assigned_task_id INTEGER,
    created_at TIMESTAMP DEFAULT CURRENT_TIMESTAMP, last_activity TIMESTAMP,
    UNIQUE(node_id, session_name)
);
CREATE TABLE milestones (
    id INTEGER PRIMARY KEY AUTOINCREMENT, project_id INTEGER, name TEXT, description TEXT,
    target_date DATE, status TEXT DEFAULT 'open', progress INTEGER DEFAULT 0,
    created_at TIMESTAMP DEFAULT CURRENT_TIMESTAMP,
    updated_at TIMESTAMP DEFAULT CURRENT_TIMESTAMP, deleted_at TIMESTAMP, deleted_by TEXT
);
CREATE TABLE session_pool (
    id INTEGER PRIMARY KEY AUTOINCREMENT, name TEXT UNIQUE, tmux_name TEXT,
    role TEXT DEFAULT 'worker', restart_count INTEGER DEFAULT 0, health TEXT DEFAULT 'unknown',
    status TEXT DEFAULT 'stopped', last_heartbeat TIMESTAMP, last_restart TIMESTAMP,
    created_at TIMESTAMP DEFAULT CURRENT_TIMESTAMP, updated_at TIMESTAMP DEFAULT CURRENT_TIMESTAMP,
    metadata TEXT
);
CREATE TABLE pool_events (
    id INTEGER PRIMARY KEY AUTOINCREMENT, session_name TEXT, event_type TEXT, details TEXT,
    timestamp TIMESTAMP DEFAULT CURRENT_TIMESTAMP
);
CREATE TABLE session_idle_log (
    id INTEGER PRIMARY KEY AUTOINCREMENT, session_name TEXT, idle_start TIMESTAMP,
    idle_end TIMESTAMP, idle_duration_seconds INTEGER, reason TEXT
);
CREATE TABLE system_health (
    id INTEGER PRIMARY KEY AUTOINCREMENT, cpu_percent REAL, memory_percent REAL,
    disk_percent REAL, load_avg_1 REAL, load_avg_5 REAL, load_avg_15 REAL,
    services_running INTEGER, services_total INTEGER, workers_active INTEGER,
    workers_total INTEGER, uptime_seconds INTEGER, process_count INTEGER, thread_count INTEGER,
    timestamp TIMESTAMP DEFAULT CURRENT_TIMESTAMP
);
CREATE TABLE service_health (
    id INTEGER PRIMARY KEY AUTOINCREMENT, service_name TEXT, service_type TEXT, port INTEGER,
    pid INTEGER, status TEXT, cpu_percent REAL, memory_mb REAL, response_time_ms REAL,
    error_message TEXT, timestamp TIMESTAMP DEFAULT CURRENT_TIMESTAMP
);
"""
TASK_QUEUE = """
CREATE TABLE task_queue (
    id INTEGER PRIMARY KEY AUTOINCREMENT, task_type TEXT NOT NULL, task_data TEXT,
    priority INTEGER DEFAULT 0, status TEXT DEFAULT 'pending', assigned_node TEXT,
    assigned_worker TEXT, result TEXT, retries INTEGER DEFAULT 0, max_retries INTEGER DEFAULT 3,
    error_message TEXT, created_at TIMESTAMP DEFAULT CURRENT_TIMESTAMP, started_at TIMESTAMP,
    completed_at TIMESTAMP, deleted_at TIMESTAMP, deleted_by TEXT
);
"""
TASK_QUEUE_LATE = (
    "timeout_seconds INTEGER", "story_points INTEGER", "estimated_hours REAL", "actual_hours REAL",
    "parent_id INTEGER", "hierarchy_level INTEGER DEFAULT 0", "hierarchy_path TEXT",
    "child_count INTEGER DEFAULT 0",
)  # fmt: skip
TIMEOUTS = {
    "shell": 300, "python": 600, "git": 180, "deploy": 1800, "test": 900, "build": 1200,
    "tmux": 60, "claude_task": 3600, "web_crawl": 300, "error_fix": 1800, "maintenance": 600,
    "default": 600,
}  # fmt: skip
INDEXES = """
CREATE INDEX idx_health_metrics_timestamp ON health_metrics(timestamp);
CREATE INDEX idx_health_alerts_severity ON health_alerts(severity, resolved);
"""
HEALTH_V1 = """
CREATE TABLE health_metrics (
    id INTEGER PRIMARY KEY AUTOINCREMENT, timestamp TIMESTAMP DEFAULT CURRENT_TIMESTAMP,
    component TEXT NOT NULL, status TEXT NOT NULL, details TEXT, action_taken TEXT,
    recovery_successful INTEGER DEFAULT 0
);
CREATE TABLE health_alerts (
    id INTEGER PRIMARY KEY AUTOINCREMENT, timestamp TIMESTAMP DEFAULT CURRENT_TIMESTAMP,
    severity TEXT NOT NULL, message TEXT NOT NULL, component TEXT,
    resolved INTEGER DEFAULT 0, resolved_at TIMESTAMP
);
"""
HEALTH_V2 = """
CREATE TABLE health_metrics (
    id INTEGER PRIMARY KEY AUTOINCREMENT, timestamp TEXT NOT NULL, component TEXT NOT NULL,
    metric_type TEXT NOT NULL, metric_value TEXT, status TEXT, action_taken TEXT, details TEXT
);
CREATE TABLE health_alerts (
    id INTEGER PRIMARY KEY AUTOINCREMENT, timestamp TEXT NOT NULL, severity TEXT NOT NULL,
    component TEXT NOT NULL, message TEXT NOT NULL, resolved BOOLEAN DEFAULT 0, resolved_at TEXT
);
"""
HEALTH_CI = """
CREATE TABLE health_metrics (
    id INTEGER PRIMARY KEY AUTOINCREMENT, timestamp TEXT NOT NULL, workers_running INTEGER,
    workers_total INTEGER, database_size_mb REAL, disk_usage_percent REAL,
    memory_usage_percent REAL, cpu_usage_percent REAL, session_count INTEGER,
    error_count_24h INTEGER, issues TEXT
);
"""
QUEUE_STATES = ("pending", "running", "completed", "failed", "in_progress")
V1_WORKERS = ("assigner", "task_worker", "milestone")


def build_architect(path: Path, *, variant: Variant = "v1", since_wall: float = BAD_NIGHT) -> None:
    """Make a new main database in WAL mode.

    Args:
        path: the file; it must not exist, its directory must.
        variant: whose health tables it has: the first monitor's (`v1`: 857 samples, 910 alerts of
            one bad night), the second's (`v2`), nobody's (`none`), or those of another program
            under the same name (`ci`).
        since_wall: when its rows begin.

    Raises:
        FileExistsError: something is there already.
    """
    path.touch(mode=0o600, exist_ok=False)
    with closing(sqlite3.connect(path, isolation_level=None)) as database:
        database.execute("PRAGMA journal_mode=WAL")
        database.executescript(COMMON + TASK_QUEUE)
        database.execute("BEGIN")
        if variant in {"v2", "ci"}:
            for column in TASK_QUEUE_LATE:
                database.execute(f"ALTER TABLE task_queue ADD COLUMN {column}")
        database.executemany("INSERT INTO task_timeout_config VALUES (?, ?)", TIMEOUTS.items())
        for number, status in enumerate(QUEUE_STATES):
            database.execute(
                "INSERT INTO task_queue (task_type, status, retries, created_at)"
                " VALUES (?, ?, ?, ?)",
                ("shell", status, number % 4, utc(since_wall + number)),
            )
        if variant == "v1":
            _health_v1(database, since_wall)
        elif variant == "v2":
            _health_v2(database, since_wall)
        elif variant == "ci":
            _health_ci(database, since_wall)
        database.execute("COMMIT")


def _script(database: sqlite3.Connection, text: str) -> None:
    """Run several statements inside the open transaction (`executescript` would commit it)."""
    for statement in text.split(";"):
        if statement.strip():
            database.execute(statement)


def _health_v1(database: sqlite3.Connection, since: float) -> None:
    _script(database, HEALTH_V1 + INDEXES)
    metric = (
        "INSERT INTO health_metrics (timestamp, component, status, details, action_taken)"
        " VALUES (?, ?, ?, ?, ?)"
    )
    alert = "INSERT INTO health_alerts (timestamp, severity, message) VALUES (?, ?, ?)"
    for cycle in range(CYCLES):
        stamp = utc(since + BETWEEN * cycle)
        for worker in V1_WORKERS:
            database.execute(metric, (stamp, worker, "failed", "{}", "restart_failed"))
            database.execute(alert, (stamp, "critical", f"Failed to restart {worker}"))
        if cycle < HIGH_RATE:
            database.execute(alert, (stamp, "warning", f"High failure rate: {cycle + 11}/hr"))
    for session in ("architect", "claude_codex"):
        row = (
            utc(since + 600),
            f"session_{session}",
            "stuck",
            "{}",
            "session_cleared_task_requeued",
        )
        database.execute(metric, row)
    for number in range(3):
        row = (utc(since + 3 * 86400 + 40 * number), "session_test-session", "stuck", "{}", "")
        database.execute(metric, row)


def _health_v2(database: sqlite3.Connection, since: float) -> None:
    _script(database, HEALTH_V2 + INDEXES)
    for cycle in range(20):
        stamp = local(since + 60 * cycle)
        rows = [(worker, "process", "running", "healthy", "") for worker in V1_WORKERS]
        rows.append(("disk_space", "usage_percent", "86.9", "warning", ""))
        rows.append(("architect.db", "lock_check", "ok", "healthy", ""))
        database.executemany(
            "INSERT INTO health_metrics (timestamp, component, metric_type, metric_value, status,"
            " action_taken) VALUES (?, ?, ?, ?, ?, ?)",
            [(stamp, *row) for row in rows],
        )
        database.execute(
            "INSERT INTO health_alerts (timestamp, severity, component, message)"
            " VALUES (?, 'WARNING', 'disk_space', 'Disk usage: 86.9%')",
            (stamp,),
        )


def _health_ci(database: sqlite3.Connection, since: float) -> None:
    _script(database, HEALTH_CI)
    database.executemany(
        "INSERT INTO health_metrics (timestamp, workers_running, workers_total, database_size_mb,"
        " disk_usage_percent, memory_usage_percent, cpu_usage_percent, session_count,"
        " error_count_24h, issues) VALUES (?, ?, 3, 12.5, 86.9, 71.0, 12.0, 67, 4, ?)",
        [(local(since + 300 * n), n % 4, json.dumps(["disk above 85 %"])) for n in range(155)],
    )
