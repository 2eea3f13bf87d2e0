"""What a screen shows of a worker. Pure.

Numbers that never stand still are rounded, so that a worker that does nothing new is no event.
"""

from __future__ import annotations

from typing import Final, NamedTuple

from msgspec.structs import replace

from healmon.clock import Reading
from healmon.config.settings import Worker
from healmon.redact import redact_words
from healmon.state import Snapshot
from healmon.text import clean
from healmon.workers import breaker, sickness
from healmon.workers.lifecycle import Judged, copies
from healmon.workers.model import Blocker, Check, Memory, Use, WorkerFacts
from healmon.workers.turns import Turn, waiting

_MIB: Final = 1 << 20


class Fixed(NamedTuple):
    """What of a worker's facts never changes, as it may be shown."""

    command: tuple[str, ...]
    log_path: str
    devices: tuple[int, ...]


def fixed(worker: Worker, log_path: str, devices: tuple[int, ...]) -> Fixed:
    """Return what never changes of a worker: its command, its log, what it writes to."""
    return Fixed(tuple(clean(part) for part in redact_words(worker.argv)), clean(log_path), devices)


def facts_of(
    mine: Judged, turn: Turn | None, always: Fixed, known: Snapshot, now: Reading
) -> WorkerFacts:
    """Return what a screen shows of a worker after a look.

    Args:
        mine: the worker.
        turn: when it is to be acted on.
        always: what never changes.
        known: the state before this look.
        now: the time of the look.
    """
    memory, look = mine.memory, mine.look
    worker, match = look.worker, look.match
    process = match.facts if match is not None else None
    pid = process.identity.pid if process is not None else None
    return WorkerFacts(
        state=mine.state,
        pid=pid,
        identity=process.identity if process is not None else None,
        since=memory.since if process is not None else memory.down_wall or None,
        rss=_mebibytes(process.rss) if process is not None else None,
        cpu=look.one.cpu.get(pid) if pid is not None else None,
        restarts=memory.run_restarts if memory.run == known.engine.started_at else 0,
        restarts_total=memory.restarts,
        failures=breaker.recent(worker, memory, now),
        max_failures=worker.max_failures,
        failure_window=worker.failure_window,
        slow=breaker.slow(worker, memory, now),
        max_slow=worker.slow_failures,
        slow_window=worker.slow_window,
        delay=breaker.delay(worker, memory.row + 1, 0.0),
        level=memory.level,
        trials=memory.trials,
        max_trials=0 if worker.critical else worker.max_trials,
        next_at=_next_at(mine, turn, known, now),
        why=clean(_why(mine, turn)),
        cause=clean(memory.cause),
        last_end=clean(memory.last_end),
        log_path=always.log_path,
        devices=always.devices,
        command=always.command,
        how=match.how if match is not None else "",
        others=tuple(f.identity.pid for f in copies(look.one, match)),
        critical=worker.critical,
        desired=look.goal,
        proved=memory.proved if process is not None else "",
        use=_use(look.one.use),
        liveness=_check(look.one.liveness),
        blockers=tuple(map(_blocker, look.one.blockers)),
        waits_for=mine.waits,
    )


def _why(mine: Judged, turn: Turn | None) -> str:
    if mine.trouble:
        return mine.trouble
    if mine.half is not None and mine.half.granted:
        return f"its shim started it again at once: {mine.memory.why}"
    if mine.half is not None:
        doing = "proving its start" if mine.state == "probation" else "stopping it"
        left = f"{mine.half.reason}," if mine.half.reason else "healmon ended"
        return f"{left} while it was {doing}; that goes on"
    if mine.state == "waiting_dependency":
        return f"waits for {mine.waits}"
    memory: Memory = mine.memory
    return f"{memory.why}; {turn.why}" if turn is not None and turn.why else memory.why


def _next_at(mine: Judged, turn: Turn | None, known: Snapshot, now: Reading) -> float | None:
    """Return when something will be done, in whole wall seconds."""
    if mine.state not in {"backoff", "quarantined", "unhealthy"} or mine.waits:
        return None
    view = waiting(known, mine.look.worker.name, now)
    if view is not None:
        return float(round(view.due_wall))
    own = mine.memory.retry_at
    if turn is not None and turn.at is not None and turn.at != own:
        return float(round(now.wall + turn.at - now.steady))
    return mine.memory.retry_wall or None


def _mebibytes(size: float) -> int:
    return int(-(-size // _MIB) * _MIB)


def _use(use: Use | None) -> Use | None:
    if use is None:
        return None
    slope = float(_mebibytes(use.slope)) if use.slope is not None else None
    return replace(use, rss=_mebibytes(use.rss), over=min(use.over, sickness.OVER), slope=slope)


def _check(check: Check | None) -> Check | None:
    return replace(check, text=clean(check.text)) if check is not None else None


def _blocker(blocker: Blocker) -> Blocker:
    return replace(blocker, what=clean(blocker.what), command=clean(blocker.command))
