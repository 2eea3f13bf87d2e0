"""The answers that clients of the dashboard before this one expect, filled from our state. Pure.

What healmon does not measure is null: nothing is made up to please a client. The addresses and
fields are those of that dashboard; `docs/web.md` has the table.
"""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any, Final, Literal, TypeAlias

from healmon.clock import parse_utc
from healmon.service.series import Sums
from healmon.web import shapes as s
from healmon.web.when import moment

Word: TypeAlias = Literal["healthy", "degraded", "unhealthy"]
MEGA: Final = 1_000_000
GIGA: Final = 1_000_000_000
FINE: Final = 0.8
"""The part of the workers that must run for the old word `healthy`; half of them: `degraded`."""
_WORDS: Final[dict[str, Word]] = {
    "ok": "healthy", "known": "healthy", "paused": "healthy",
    "warning": "degraded", "unknown": "degraded", "critical": "unhealthy",
}  # fmt: skip
_ISSUES: Final = {
    "rate-limited": "rate_limited", "limited": "rate_limited", "context": "context_exceeded",
    "denied": "permission_error", "dead": "process_killed", "gone": "process_killed",
}  # fmt: skip


def word_of(state: s.State) -> Word:
    """Return the old word for how it all is; without a healer nobody knows: unhealthy."""
    return _WORDS[state.verdict.level] if state.healer.running else "unhealthy"


def health(state: s.State, now: float) -> tuple[dict[str, Any], int]:
    """Return `/health` and its status: 503 when something is unhealthy.

    It is answered without a login at this host, so there is no text in it that others wrote.
    """
    word = word_of(state)
    told = {
        "status": word,
        "environment": "production",
        "timestamp": moment(now),
        "database": "ok" if not state.healer.trouble else "error",
        "db_response_ms": None,
        "cpu": None,
        "memory": None,
    }
    return told, 503 if word == "unhealthy" else 200


def _worker(one: s.WorkerNow, now: float, *, running: bool) -> dict[str, Any]:
    up = one.pid is not None and running
    status = "running" if up and one.level in ("ok", "known", "paused") else "stopped"
    if not running:
        status = "stale"
    elif up and status == "stopped":
        status = "error"
    began = _wall(one.up_since)
    return {
        "name": one.name,
        "description": one.name,
        "status": status,
        "pid": one.pid,
        "pid_file": None,
        "log_file": None,
        "cpu_percent": one.cpu,
        "memory_mb": None if one.rss_bytes is None else round(one.rss_bytes / MEGA, 1),
        "uptime_seconds": None if began is None or not up else max(0, int(now - began)),
        "threads": None,
        "last_log": None,
        "log_modified": None,
    }


def workers(state: s.State, now: float) -> dict[str, Any]:
    """Return `/api/workers/health`; names come from the configuration, no text of others."""
    found = [_worker(one, now, running=state.healer.running) for one in state.workers]
    up = sum(one["status"] == "running" for one in found)
    share = up / len(found) if found else 1.0
    return {
        "timestamp": moment(now),
        "workers": {one["name"]: one for one in found},
        "summary": {"total": len(found), "running": up, "stopped": len(found) - up},
        "health": "healthy" if share >= FINE else "degraded" if share >= 0.5 else "unhealthy",
    }


def current(state: s.State, now: float) -> dict[str, Any]:
    """Return `/api/health/current`; the disk is the fullest file system."""
    disks = [one for one in state.disks if one.used_ratio is not None]
    full = max(disks, key=lambda one: one.used_ratio or 0.0, default=None)
    services = [_worker(one, now, running=state.healer.running) for one in state.workers]
    return {
        "system": {
            "cpu_percent": None,
            "memory_percent": None,
            "memory_used_gb": None,
            "memory_total_gb": None,
            "disk_percent": None if full is None else round(100 * (full.used_ratio or 0.0), 1),
            "disk_used_gb": None if full is None else _giga(full.used_bytes),
            "disk_total_gb": None if full is None else _giga(full.size_bytes),
        },
        "services": [
            {
                "name": one["name"], "type": "worker", "port": None, "status": one["status"],
                "pid": one["pid"], "cpu_percent": one["cpu_percent"],
                "memory_mb": one["memory_mb"],
            }
            for one in services
        ],
        "timestamp": moment(now),
    }  # fmt: skip


def system(sums: Sums, hours: int, interval: str) -> dict[str, Any]:
    """Return `/api/health/system`: the fullest disk at each time."""
    at: dict[float, float] = {}
    for line in sums.series:
        if line.name == "disk_used_ratio":
            for point in line.points:
                at[point[0]] = max(at.get(point[0], 0.0), point[2])
    data = [
        {
            "time": moment(wall), "cpu_percent": None, "memory_percent": None,
            "disk_percent": round(100 * ratio, 1), "load_avg_1": None, "services_running": None,
            "workers_active": None,
        }
        for wall, ratio in sorted(at.items())
    ]  # fmt: skip
    return {"hours": hours, "interval": interval, "data": data}


def deep(state: s.State, now: float) -> dict[str, Any]:
    """Return `/api/health/deep` and `/api/health/components`."""
    checks = {name: _check(name, state) for name in CHECKS}
    words = [check["status"] for check in checks.values()]
    return {
        "status": word_of(state),
        "timestamp": moment(now),
        "duration_ms": round(1000 * state.healer.cycle.seconds, 1),
        "summary": {"total": len(words)} | {word: words.count(word) for word in WORDS},
        "checks": checks,
    }


WORDS: Final = ("healthy", "degraded", "unhealthy")
CHECKS: Final = ("database", "disk", "workers", "tmux")
"""Those of the old checks that healmon makes, too."""


def _check(name: str, state: s.State) -> dict[str, Any]:
    parts: dict[str, Iterable[s.Part]] = {
        "database": state.databases, "disk": state.disks, "workers": state.workers,
        "tmux": state.sessions,
    }  # fmt: skip
    found = list(parts[name])
    words: list[Word] = [_WORDS[one.level] for one in found]
    worst = max(words, key=WORDS.index, default="healthy")
    bad = [f"{one.name}: {one.text}" for one in found if _WORDS[one.level] != "healthy"]
    return {"status": worst, "message": "; ".join(bad) or f"{len(found)} looked at"}


def component(state: s.State, name: str, now: float) -> dict[str, Any] | None:
    """Return `/api/health/component/NAME`; None: there is no such check here."""
    return None if name not in CHECKS else {**_check(name, state), "timestamp": moment(now)}


def session(one: s.SessionNow) -> dict[str, Any]:
    """Return `/api/tmux/sessions/NAME/health`."""
    issues: list[dict[str, str]] = []
    if one.level in ("warning", "critical"):
        kind = _ISSUES.get(one.state, "possible_loop")
        issues.append({"type": kind, "severity": one.level, "message": one.text})
    return {
        "status": "issues" if issues else "healthy",
        "session_name": one.name,
        "is_active": one.status in ("healthy", "recovered"),
        "is_waiting_input": bool(one.question or one.choices),
        "issues": issues,
        "output_preview": one.last_line,
        "interactions": None,
    }


def _giga(size: int | None) -> float | None:
    return None if size is None else round(size / GIGA, 2)


def _wall(text: str | None) -> float | None:

    return None if text is None else parse_utc(f"{text[:10]} {text[11:-1]}")
