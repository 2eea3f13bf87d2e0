"""The judgement on workers. Pure: seen, remembered, settings and time in; verdicts out."""

from __future__ import annotations

from typing import Final

import msgspec

from healmon.clock import Reading
from healmon.config.settings import Worker
from healmon.plans import RANK, Diagnosis, Finding, Packed, Severity, Status, Verdict, pack, unpack
from healmon.state import Snapshot, of_healer
from healmon.text import clean
from healmon.workers import breaker, wording
from healmon.workers.lifecycle import Judged, advance, copies
from healmon.workers.model import NAME, Memory, Seen, State, WorkerFacts, WorkerSeen
from healmon.workers.planning import start_plan

PATIENCE: Final = 120.0
"""Seconds a critical worker may be down before that is CRITICAL."""
EVERYTHING: Final = "*"
_IDLE: Final = frozenset({"starting", "backoff", "down", "quarantined"})
_STATUS: Final[dict[State, Status]] = {
    "up": "healthy",
    "starting": "unhealthy",
    "backoff": "unhealthy",
    "quarantined": "critical",
    "down": "unhealthy",
    "stopped": "warning",
    "unknown": "unknown",
    "completed": "healthy",
}
_MIB: Final = 1 << 20


class Judge:
    """Judges all workers together: some wait for others.

    Args:
        workers: their settings, in order.
        log_paths: where the output of each goes.
        jitter: spread of the backoff delays; 0 for exact ones.
    """

    def __init__(
        self, workers: tuple[Worker, ...], log_paths: dict[str, str], jitter: float
    ) -> None:
        self._workers = workers
        self._log_paths = log_paths
        self._jitter = jitter

    def diagnose(self, seen: Seen, known: Snapshot, now: Reading) -> Diagnosis:
        """Return the verdict on every worker."""
        run = known.engine.started_at
        judged = {
            w.name: advance(w, seen, recalled(known, w.name), now, run=run, jitter=self._jitter)
            for w in self._workers
        }
        verdicts = tuple(self._verdict(w, seen, judged, known, now) for w in self._workers)
        wakes = [t for w in self._workers for t in _moments(w, judged[w.name], now)]
        gone = tuple(name for name in of_healer(known, NAME) if name not in judged)
        return Diagnosis(verdicts, gone, max(0.05, min(wakes)) if wakes else None)

    def _verdict(
        self,
        worker: Worker,
        seen: Seen,
        judged: dict[str, Judged],
        known: Snapshot,
        now: Reading,
    ) -> Verdict:
        mine = judged[worker.name]
        one = seen.workers[worker.name]
        waits = _waits_for(worker, judged) if mine.state == "backoff" else ""
        if waits:
            mine = Judged("down", mine.memory, waits=waits)
        held = _held(worker, known, now)
        findings = tuple(_findings(worker, one, mine, held, now))
        plan = None
        due = mine.memory.retry_at is None or mine.memory.retry_at <= now.steady
        if mine.state == "backoff" or (mine.state == "quarantined" and due):
            plan = start_plan(worker, mine.memory, now)
        facts = self._facts(worker, one, mine, known, now)
        return Verdict(
            component=worker.name,
            status=_status(mine.state, findings),
            summary=wording.summary(facts, findings),
            metric_type="worker",
            metric_value=mine.state,
            facts=pack(facts),
            findings=findings,
            plan=plan,
            memory=pack(judged[worker.name].memory),
        )

    def _facts(
        self, worker: Worker, one: WorkerSeen, mine: Judged, known: Snapshot, now: Reading
    ) -> WorkerFacts:
        memory, match = mine.memory, mine.match
        process = match.facts if match is not None else None
        pid = process.identity.pid if process is not None else None
        return WorkerFacts(
            state=mine.state,
            pid=pid,
            identity=process.identity if process is not None else None,
            since=memory.since if process is not None else memory.down_wall or None,
            rss=-(-process.rss // _MIB) * _MIB if process is not None else None,
            cpu=one.cpu.get(pid) if pid is not None else None,
            restarts=memory.run_restarts if memory.run == known.engine.started_at else 0,
            restarts_total=memory.restarts,
            failures=breaker.recent(worker, memory, now),
            max_failures=worker.max_failures,
            next_at=memory.retry_wall or None if mine.state in ("backoff", "quarantined") else None,
            why=clean(f"waits for {mine.waits}" if mine.waits else memory.why),
            last_end=clean(memory.last_end),
            log_path=clean(self._log_paths[worker.name]),
            command=tuple(clean(part) for part in worker.argv),
            how=match.how if match is not None else "",
            others=tuple(f.identity.pid for f in copies(one, match)),
            critical=worker.critical,
            desired=memory.desired,
        )


def recalled(known: Snapshot, name: str) -> Memory:
    """Return what is remembered of a worker; nothing when another version wrote it."""
    try:
        return unpack(known.memory.get(name, {}), Memory)
    except msgspec.ValidationError:
        return Memory()


def _waits_for(worker: Worker, judged: dict[str, Judged]) -> str:
    """Return the first worker that must be up before this one and is not."""
    ready = ("up", "completed")
    return next((n for n in worker.after if n in judged and judged[n].state not in ready), "")


def _held(worker: Worker, known: Snapshot, now: Reading) -> str:
    """Return why a plan of ours would not be carried out now; empty: it would."""
    if known.engine.dry_run:
        return "dry run"
    until = max(known.maintenance.get(name, 0.0) for name in (worker.name, EVERYTHING))
    return "maintenance" if until > now.wall else ""


def _status(state: State, findings: tuple[Finding, ...]) -> Status:
    worst = max((RANK[f.severity] for f in findings), default=0)
    if state == "up":
        return "warning" if worst else "healthy"
    if state in _IDLE and worst == RANK["CRITICAL"]:
        return "critical"
    return _STATUS[state]


def _findings(
    worker: Worker, one: WorkerSeen, mine: Judged, held: str, now: Reading
) -> list[Finding]:
    memory, state = mine.memory, mine.state
    found: list[Finding] = []
    level = _down_level(worker, mine, held, now)
    if level is not None:
        message = wording.down(worker, mine, held, breaker.recent(worker, memory, now))
        found.append(Finding("down", level, message, _evidence(worker, one, memory, now)))
    if state == "unknown":
        text = f"{worker.name}: cannot tell whether it is up: {clean(memory.why)}"
        found.append(Finding("unknown", "WARNING", text))
    flapping = breaker.flapping(worker, memory, now)
    if flapping and state in ("up", "starting", "backoff") and not memory.trial:
        found.append(Finding("flapping", "WARNING", wording.flapping(worker)))
    if mine.match is not None and state == "up":
        found += _of_the_living(worker, one, mine, now)
    return found


def _of_the_living(worker: Worker, one: WorkerSeen, mine: Judged, now: Reading) -> list[Finding]:
    assert mine.match is not None
    found: list[Finding] = []
    process = mine.match.facts
    others = copies(one, mine.match)
    if others:
        pids = [process.identity.pid, *(f.identity.pid for f in others)]
        text = wording.second_copy(worker, pids)
        found.append(Finding("second_copy", "WARNING", text, {"pids": pids}))
    uptime = now.steady - mine.memory.up_since
    limit = worker.heartbeat_max_age
    if one.beat_age is not None and one.beat_age > limit and uptime > limit:
        text = wording.silent(worker, process.identity.pid, one.beat)
        found.append(Finding("silent", "WARNING", text, {"file": clean(worker.heartbeat_file)}))
    if worker.memory_limit is not None and process.rss > worker.memory_limit:
        text = wording.fat(worker, process.identity.pid)
        found.append(Finding("memory", "WARNING", text))
    return found


def _down_level(worker: Worker, mine: Judged, held: str, now: Reading) -> Severity | None:
    """Return how bad it is that a worker is down; None: the first ordinary restart is under way.

    A worker that came back after several failures is watched until it has outlived them, so that
    one that falls at once again is one alert, and not one per fall.
    """
    memory, up = mine.memory, mine.state == "up"
    falls = memory.row + memory.absent
    if not up and mine.state not in _IDLE:
        return None
    if mine.state == "quarantined" or memory.trial:
        return "CRITICAL"
    if up and (falls < 2 or now.steady - memory.up_since >= _outlived(worker, memory)):
        return None
    late = not up and _down_for(memory, now) >= PATIENCE
    forsaken = not up and (bool(held) or (mine.state == "down" and not mine.waits))
    if worker.critical and (falls > 2 or late or forsaken):
        return "CRITICAL"
    return "WARNING" if falls > 1 or late or forsaken or memory.hosts else None


def _down_for(memory: Memory, now: Reading) -> float:
    return now.steady - memory.down_since if memory.down_since is not None else 0.0


def _outlived(worker: Worker, memory: Memory) -> float:
    """Return how long a worker must be up to have outlived its last lives."""
    return min(worker.stable_after, 2.0 * memory.longest)


def _evidence(worker: Worker, one: WorkerSeen, memory: Memory, now: Reading) -> Packed:
    evidence: Packed = {
        "why": clean(memory.why),
        "last_end": clean(memory.last_end),
        "failures": breaker.recent(worker, memory, now),
    }
    if one.output:
        evidence["output"] = one.output
    return evidence


def _moments(worker: Worker, mine: Judged, now: Reading) -> list[float]:
    """Return in how many seconds the judgement of a worker will change by itself."""
    memory = mine.memory
    moments: list[float] = []
    if mine.state == "quarantined" and memory.retry_at is not None:
        moments.append(memory.retry_at - now.steady)
    if mine.state in _IDLE:
        moments.append(PATIENCE - _down_for(memory, now))
    if mine.state == "up" and (memory.trial or memory.row):
        uptime = now.steady - memory.up_since
        moments += [_outlived(worker, memory) - uptime, worker.stable_after - uptime]
    return [moment for moment in moments if moment > 0]
