"""What is wrong with one worker, and how bad that is. Pure."""

from __future__ import annotations

from collections.abc import Collection
from dataclasses import dataclass
from typing import Final

from msgspec.structs import replace

from healmon.clock import Reading
from healmon.config.settings import Worker
from healmon.plans import RANK, Finding, Packed, Severity, Status
from healmon.state import AlertView
from healmon.text import clean
from healmon.workers import breaker, machine, sickness, wording
from healmon.workers.lifecycle import Judged, copies, strangers
from healmon.workers.look import probe_key
from healmon.workers.model import Memory, State

PATIENCE: Final = 120.0
"""Seconds a critical worker may be down before that is CRITICAL."""
CALMED: Final = frozenset({"down", "unhealthy", "memory", "flapping"})
"""Conditions that a storm speaks for."""
_UP: Final = frozenset[State]({"healthy", "trial", "unhealthy"})
_STATUS: Final[dict[State, Status]] = {
    "healthy": "healthy",
    "trial": "healthy",
    "completed": "healthy",
    "quarantined": "critical",
    "unknown": "unknown",
}


@dataclass(frozen=True, slots=True, kw_only=True)
class Around:
    """What the judgement of one worker must know of the world around it.

    Attributes:
        held: why a plan of ours would not be carried out now; empty: it would.
        alerts: its open alerts, by condition.
        stormy: it is in a storm.
        now: the time of the look.
    """

    held: str
    alerts: dict[str, AlertView]
    stormy: bool
    now: Reading


def findings(mine: Judged, around: Around) -> tuple[Finding, ...]:
    """Return what is wrong with a worker, the worst thing to be done about first."""
    found = [*_of_the_state(mine, around), *_down(mine, around)]
    idle = mine.state in {"unknown", "completed"} or mine.look.goal == "down"
    if not idle and breaker.flapping(mine.look.worker, mine.memory, around.now):
        found.append(
            Finding("flapping", "WARNING", wording.flapping(mine.look.worker), confirmed=True)
        )
    if mine.state in _UP:
        found += _of_the_living(mine, around)
    return tuple(_calmed(found, around) if around.stormy else found)


def status(mine: Judged, found: Collection[Finding]) -> Status:
    """Return the status word of a worker."""
    worst = max((RANK[f.severity] for f in found), default=0)
    if mine.state in {"healthy", "trial"}:
        return "warning" if worst else "healthy"
    if mine.state == "down" and mine.look.goal == "down":
        return "warning"
    if mine.state not in _STATUS and worst == RANK["CRITICAL"]:
        return "critical"
    return _STATUS.get(mine.state, "unhealthy")


def _calmed(found: list[Finding], around: Around) -> list[Finding]:
    """Return the findings that a storm leaves: none is new, none that is open ends or rises."""
    kept: list[Finding] = []
    for finding in found:
        alert = around.alerts.get(finding.condition)
        if finding.condition not in CALMED:
            kept.append(finding)
        elif alert is not None and not alert.pending:
            kept.append(replace(finding, severity=alert.severity))
    return kept


def _of_the_state(mine: Judged, around: Around) -> list[Finding]:
    worker = mine.look.worker
    bad: Severity = "CRITICAL" if worker.critical else "WARNING"
    match mine.state:
        case "unknown":
            text = f"{worker.name}: cannot tell whether it is up: {clean(mine.trouble)}"
            return [Finding("unknown", "WARNING", text)]
        case "stop_failed":
            evidence = _evidence(mine, around.now)
            text = wording.stop_failed(mine)
            return [Finding("stop_failed", bad, text, evidence, confirmed=True)]
        case "unhealthy" if sickness.hung(mine.look.one) or mine.memory.sick:
            fat = sickness.fat(worker, mine.look.one)
            condition = "memory" if fat and not sickness.hung(mine.look.one) else "unhealthy"
            text = wording.unhealthy(mine, around.held)
            evidence = _evidence(mine, around.now)
            return [Finding(condition, bad, text, evidence, confirmed=True)]
        case _:
            return []


def _down(mine: Judged, around: Around) -> list[Finding]:
    level = _down_level(mine, around)
    if level is None:
        return []
    message = wording.down(mine, around.held, around.now)
    given_up = mine.state == "quarantined" or mine.memory.trial
    # several failures, or minutes without it, are no matter of one look
    falls = mine.memory.row + mine.memory.absent
    sure = falls > 1 or down_for(mine.memory, around.now) >= PATIENCE
    evidence = _evidence(mine, around.now)
    return [Finding("down", level, message, evidence, confirmed=sure, urgent=given_up)]


def _down_level(mine: Judged, around: Around) -> Severity | None:
    """Return how bad it is that a worker is down; None: the first ordinary restart is under way.

    A worker that came back after several failures is watched until it has outlived them, so that
    one that falls at once again is one alert, and not one per fall.
    """
    worker, memory, up = mine.look.worker, mine.memory, mine.state in _UP
    if mine.look.goal == "down" or mine.state in {"unknown", "completed", "stop_failed"}:
        return None
    if mine.state == "quarantined" or memory.trial:
        return "CRITICAL"
    falls, now = memory.row + memory.absent, around.now
    if up and (falls < 2 or now.steady - memory.up_since >= outlived(worker, memory)):
        return None
    late = not up and down_for(memory, now) >= PATIENCE
    forsaken = not up and _forsaken(mine, around.held)
    if worker.critical and (falls > 2 or late or forsaken):
        return "CRITICAL"
    unlucky = memory.hosts > 0 or memory.cuts > 1
    return "WARNING" if falls > 1 or late or forsaken or unlucky else None


def _forsaken(mine: Judged, held: str) -> bool:
    """Return whether nobody will start a worker that is down."""
    if mine.state in machine.UNDER_WAY:
        return False
    return bool(held) or mine.state in {"down", "blocked"}


def down_for(memory: Memory, now: Reading) -> float:
    """Return for how many seconds a worker has been down."""
    return now.steady - memory.down_since if memory.down_since is not None else 0.0


def outlived(worker: Worker, memory: Memory) -> float:
    """Return how long a worker must be up to have outlived its last lives."""
    return min(worker.stable_after, 2.0 * memory.longest)


def _evidence(mine: Judged, now: Reading) -> Packed:
    worker, memory, one = mine.look.worker, mine.memory, mine.look.one
    evidence: Packed = {
        "why": clean(memory.why),
        "cause": clean(memory.cause),
        "last_end": clean(memory.last_end),
        "failures": breaker.recent(worker, memory, now),
        "slow": breaker.slow(worker, memory, now),
    }
    if one.output:
        evidence["output"] = one.output
    if strangers(one):
        evidence["blockers"] = [wording.blocker(blocker) for blocker in strangers(one)]
    return evidence


def _of_the_living(mine: Judged, around: Around) -> list[Finding]:
    worker, one, match, now = mine.look.worker, mine.look.one, mine.look.match, around.now
    if match is None:
        return []
    found: list[Finding] = []
    pid = match.facts.identity.pid
    others = copies(one, match)
    if others:
        pids = [pid, *(f.identity.pid for f in others)]
        text = wording.second_copy(worker, pids)
        found.append(Finding("second_copy", "WARNING", text, {"pids": pids}))
    uptime, limit = now.steady - mine.memory.up_since, worker.heartbeat_max_age
    if one.beat_age is not None and one.beat_age > limit and uptime >= limit:
        text = wording.silent(worker, pid, one.beat)
        found.append(Finding("silent", "WARNING", text, {"file": clean(worker.heartbeat_file)}))
    return found + _unchecked(mine) + _unready(mine) + _of_memory(mine, around, pid)


def _unready(mine: Judged) -> list[Finding]:
    """Return that a worker that lives was not ready in time, unless it was seen to work since."""
    worker, record, check = mine.look.worker, mine.look.one.record, mine.look.one.liveness
    if worker.ready is None or record is None or record.worker != mine.look.identity:
        return []
    failed = (record.outcome, record.fault) == ("failed", "worker")
    works = check is not None and bool(check.ok)
    if not failed or works or record.unproved_by != probe_key(worker.ready):
        return []
    bad: Severity = "CRITICAL" if worker.critical else "WARNING"
    return [Finding("unready", bad, wording.unready(worker, record.reason), confirmed=True)]


def _unchecked(mine: Judged) -> list[Finding]:
    """Return that a check of a worker that lives cannot be made: nothing follows from it."""
    worker, record, check = mine.look.worker, mine.look.one.record, mine.look.one.liveness
    if worker.liveness is not None and check is not None and check.blind:
        text = wording.unchecked(worker, "liveness", worker.liveness, check.text)
        return [Finding("unchecked", "WARNING", text, confirmed=True)]
    if mine.look.one.unheard:
        text = wording.unheard(worker, mine.look.one.unheard)
        return [Finding("unchecked", "WARNING", text)]
    works = check is not None and bool(check.ok)
    if worker.ready is None or record is None or not record.unproved or works:
        return []
    if record.worker != mine.look.identity or record.unproved_by != probe_key(worker.ready):
        return []
    text = wording.unchecked(worker, "ready", worker.ready, record.unproved)
    return [Finding("unchecked", "WARNING", text, confirmed=True)]


def _of_memory(mine: Judged, around: Around, pid: int) -> list[Finding]:
    worker, one, match = mine.look.worker, mine.look.one, mine.look.match
    assert match is not None
    rss = one.use.rss if one.use is not None else match.facts.rss
    if worker.memory_limit is None:
        return []
    if rss > worker.memory_limit:
        # one that has been above it for long is to be replaced, which is told already
        told = mine.state == "unhealthy" and sickness.fat(worker, one)
        return [] if told else [Finding("memory", "WARNING", wording.fat(worker, pid))]
    horizon = sickness.TOLD if "memory_growth" in around.alerts else sickness.FORESIGHT
    seconds = sickness.forecast(worker, one, horizon)
    if seconds is None or one.use is None or one.use.slope is None:
        return []
    text = wording.growing(worker, pid, one.use.slope, around.now.wall + seconds)
    return [Finding("memory_growth", "WARNING", text)]
