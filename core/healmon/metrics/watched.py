"""What is told of workers, sessions, databases and disks. Pure.

Each reads of a component's facts what it tells and no more, so that a store that another version
wrote is read as far as it can be; what cannot be read is unknown, and what is unknown is left out.
"""

from __future__ import annotations

import math
from collections.abc import Iterator
from typing import Final, TypeVar, get_args

import msgspec

from healmon.metrics.model import Family, counter, gauge, one_of
from healmon.plans import unpack
from healmon.sessions.words import STUCK
from healmon.sessions.words import State as SessionState
from healmon.state import Snapshot, of_healer, paused_by
from healmon.workers.words import State as WorkerState

ALIVE: Final = frozenset({"healthy", "unhealthy", "trial", "probation", "stop_failed"})
"""States of a worker whose process is there."""
RESTARTS: Final = frozenset({"start_worker", "restart_worker"})
"""Acts that start a worker."""
LEVELS: Final = ("ok", "warning", "critical")

_T = TypeVar("_T", bound=msgspec.Struct)


class _Worker(msgspec.Struct, frozen=True):
    state: str
    desired: str = "up"
    critical: bool = False
    since: float | None = None
    rss: int | None = None
    cpu: int | None = None


class _Session(msgspec.Struct, frozen=True):
    state: str
    tasks: tuple[int | str, ...] = ()


class _Database(msgspec.Struct, frozen=True):
    verdict: str
    size: int = 0
    wal_size: int = 0
    since: float | None = None


class _Outlook(msgspec.Struct, frozen=True):
    at: float
    eta: float | None = None


class _Disk(msgspec.Struct, frozen=True):
    kind: str
    path: str
    level: str = ""
    percent: float | None = None
    used: int = 0
    free: int = 0
    size: int = 0
    inode_percent: float | None = None
    outlook: _Outlook | None = None


def _known(s: Snapshot, healer: str, kind: type[_T], *, unseen: bool = False) -> dict[str, _T]:
    """Return the facts of a healer's components; `unseen`: also of those nobody could look at."""
    found: dict[str, _T] = {}
    for name, view in of_healer(s, healer).items():
        if view.status == "unknown" and not unseen:
            continue
        try:
            found[name] = unpack(view.facts, kind)
        except msgspec.ValidationError:
            continue
    return found


def workers(s: Snapshot, now: float) -> Iterator[Family]:
    """Give what is told of workers."""
    known = _known(s, "workers", _Worker)
    yield gauge(
        "worker_up", "Whether the worker's process is there.",
        {name: float(w.state in ALIVE) for name, w in known.items() if w.state != "unknown"},
        "worker",
    )  # fmt: skip
    yield gauge(
        "worker_wanted", "Whether it is to run: not stopped by a person, not done with its work.",
        {name: float(w.desired == "up" and w.state != "completed") for name, w in known.items()},
        "worker",
    )  # fmt: skip
    yield gauge(
        "worker_critical", "Whether the configuration calls it critical.",
        {name: float(w.critical) for name, w in known.items()}, "worker",
    )  # fmt: skip
    yield gauge(
        "worker_paused", "Whether a pause keeps healmon's hands off it.",
        {name: float(bool(paused_by(s, name, now))) for name in known}, "worker",
    )  # fmt: skip
    yield gauge(
        "worker_state", "1 for the state that the worker is in.", _states(s), "worker", "state"
    )
    yield gauge(
        "worker_start_timestamp_seconds", "Since when it is up.",
        {n: w.since for n, w in known.items() if w.since and w.state in ALIVE}, "worker",
    )  # fmt: skip
    yield gauge(
        "worker_resident_memory_bytes", "Resident memory of its process.",
        {n: w.rss for n, w in known.items() if w.rss is not None}, "worker",
    )  # fmt: skip
    yield gauge(
        "worker_cpu_ratio", "Share of one core that its process used between two looks.",
        {n: w.cpu / 100 for n, w in known.items() if w.cpu is not None}, "worker",
    )  # fmt: skip


def _states(s: Snapshot) -> dict[tuple[str, str], float]:
    words = get_args(WorkerState)
    facts = _known(s, "workers", _Worker, unseen=True)
    states: dict[tuple[str, str], float] = {}
    for name, view in of_healer(s, "workers").items():
        seen = facts.get(name) if view.status != "unknown" else None
        now = seen.state if seen is not None else "unknown"
        states |= {(name, word): value for word, value in one_of(words, now).items()}
    return states


def restarts(s: Snapshot) -> Family:
    """Return how often each worker was started, by what came of it."""
    totals: dict[tuple[str, str], float] = {
        (name, outcome): 0.0
        for name in of_healer(s, "workers")
        for outcome in ("verified", "failed")
    }
    for component, acts in s.counts.actions.items():
        for act, count in acts.items():
            action, _, outcome = act.partition(" ")
            if action in RESTARTS:
                key = (component, outcome)
                totals[key] = totals.get(key, 0.0) + count
    return counter(
        "worker_restarts_total", "Starts and restarts of the worker by healmon.", totals,
        "worker", "outcome",
    )  # fmt: skip


def sessions(s: Snapshot) -> Iterator[Family]:
    """Give what is told of sessions: how many are how, never which."""
    unseen = "sessions" not in s.cycle.looks or "sessions" in s.failing
    if unseen and not of_healer(s, "sessions"):
        return  # nobody could look: that is not none
    counts: dict[str, float] = dict.fromkeys(get_args(SessionState), 0.0)
    stuck = tasks = 0
    facts = _known(s, "sessions", _Session, unseen=True)
    for name, view in of_healer(s, "sessions").items():
        seen = facts.get(name) if view.status != "unknown" else None
        state = seen.state if seen is not None else "unknown"
        counts[state] = counts.get(state, 0.0) + 1
        stuck += state in STUCK
        tasks += bool(seen is not None and seen.tasks)
    yield gauge("sessions", "Sessions by state.", counts, "state")
    yield gauge("sessions_stuck", "Sessions with a task that nobody works on any more.", stuck)
    yield gauge("sessions_with_task", "Sessions with a task.", tasks)


def databases(s: Snapshot, now: float) -> Iterator[Family]:
    """Give what is told of databases."""
    known = {_bare(name): d for name, d in _known(s, "databases", _Database).items()}
    locked = {name: d.since is not None for name, d in known.items()}
    yield gauge(
        "db_locked", "Whether one holder keeps the database's write lock from look to look.",
        {name: float(held) for name, held in locked.items()}, "database",
    )  # fmt: skip
    yield gauge(
        "db_lock_seconds", "How long that lock has been held; 0: it is not.",
        {n: max(0.0, now - d.since) if d.since else 0.0 for n, d in known.items()}, "database",
    )  # fmt: skip
    yield gauge(
        "db_size_bytes", "Size of the database.",
        {name: d.size for name, d in known.items()}, "database",
    )  # fmt: skip
    yield gauge(
        "db_wal_bytes", "Size of its write-ahead log.",
        {name: d.wal_size for name, d in known.items()}, "database",
    )  # fmt: skip
    seen = {_bare(n): float(v.status != "unknown") for n, v in of_healer(s, "databases").items()}
    yield gauge("db_seen", "Whether the database can be looked at.", seen, "database")


def disks(s: Snapshot, now: float) -> Iterator[Family]:
    """Give what is told of file systems and of directories with a budget."""
    known = {(_bare(n), d.kind): d for n, d in _known(s, "disks", _Disk).items()}
    measured = {key: d for key, d in known.items() if d.percent is not None}
    labels = ("mountpoint", "kind")
    yield gauge(
        "disk_used_ratio", "Used share, as df has it; of a budget: of its limit.",
        {key: (d.percent or 0.0) / 100 for key, d in measured.items()}, *labels,
    )  # fmt: skip
    for name, text in (("used", "Bytes in use."), ("free", "Bytes left."), ("size", "Its size.")):
        values = {key: int(getattr(d, name)) for key, d in measured.items()}
        yield gauge(f"disk_{name}_bytes", text, values, *labels)
    yield gauge(
        "disk_inodes_used_ratio", "Used share of its inodes.",
        {k: d.inode_percent / 100 for k, d in measured.items() if d.inode_percent is not None},
        *labels,
    )  # fmt: skip
    yield gauge(
        "disk_time_to_full_seconds", "Seconds until it is full; +Inf: not within ten days.",
        {k: _left(d.outlook, now) for k, d in measured.items() if d.outlook is not None}, *labels,
    )  # fmt: skip
    levels = {
        (*key, word): value
        for key, d in known.items()
        if d.level
        for word, value in one_of(LEVELS, d.level).items()
    }
    yield gauge("disk_state", "1 for the level that it is at.", levels, *labels, "state")


def _left(outlook: _Outlook, now: float) -> float:
    return math.inf if outlook.eta is None else max(0.0, outlook.at + outlook.eta - now)


def _bare(component: str) -> str:
    """Return `/var` of `disk:/var`."""
    return component.partition(":")[2] or component
