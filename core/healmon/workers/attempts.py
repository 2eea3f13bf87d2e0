"""What came of an act on a worker: the newest record of it taken into the memory, once. Pure.

An act that a killed healmon left half done is finished or rolled back:

* it was ending a process that still lives: that goes on (`half_done`);
* the process that it started lives: it is the worker, on probation until it has lived long enough;
* nothing lives: what it was about to start is started, at once, and no budget is used for that;
* nothing had been touched: nothing has happened.
"""

from __future__ import annotations

from typing import Final

from msgspec.structs import replace

from healmon.workers import breaker, causes
from healmon.workers.look import Look
from healmon.workers.model import Memory, StartRecord
from healmon.world.processes import Ended

STARTS_KEPT: Final = 32
"""Moments of starts that are remembered: more than a host starts of one worker in a minute."""
CUT_SHORT: Final = "healmon ended while it was starting it"


def half_done(look: Look, memory: Memory) -> StartRecord | None:
    """Return the record of an act that was left in the midst of ending a process that lives."""
    record = look.one.record
    if look.one.acting or record is None or record.outcome != "begun" or record.old is None:
        return None
    # a stop that was wished for is meant, however early it was cut short
    wished = record.verb == "stop" and memory.desired == "down" and record.phase == "decided"
    ending = record.phase == "stopping" or wished
    return record if ending and record.old == look.identity else None


def survived(look: Look) -> bool:
    """Return whether what lives is a process that could not be ended."""
    record = look.one.record
    if record is None or (record.outcome, record.fault) != ("failed", "stop"):
        return False
    return record.old is not None and record.old == look.identity


def unproved(look: Look, memory: Memory) -> bool:
    """Return whether what lives was started by an act that nobody finished, a moment ago."""
    record = look.one.record
    if record is None or record.outcome != "begun":
        return False
    young = look.now.steady - memory.up_since < look.worker.min_uptime
    return young and look.identity in (record.launched, record.worker)


def attempted(look: Look, memory: Memory) -> Memory:
    """Return the memory with the outcome of the newest act taken in, once."""
    record, alive = look.one.record, look.match is not None
    if record is None or record.number <= memory.attempt:
        return memory
    lost = memory.attempt == 0 and memory.identity is None and memory.down_since is None
    if lost and not (record.outcome == "verified" and alive):
        # the memory was lost, the record was not: it tells who it is, not what to count
        return replace(memory, attempt=record.number)
    memory = replace(memory, attempt=record.number)
    if record.verb == "stop":
        return _stopped(look, record, memory)
    memory = replace(memory, starts=(*memory.starts, record.steady)[-STARTS_KEPT:])
    if record.fault == "stop":
        return replace(memory, identity=record.old or memory.identity, why=record.reason)
    if record.fresh:
        memory = replace(breaker.forgiven(memory), completed="")
    return _started(look, record, memory)


def _stopped(look: Look, record: StartRecord, memory: Memory) -> Memory:
    """Return the memory after a stop, or what was left of one."""
    if record.outcome == "failed" or (record.old is not None and record.old == look.identity):
        return replace(memory, identity=record.old or memory.identity, why=record.reason)
    last = str(causes.end_of(look.one, record.old)) if record.old is not None else ""
    return replace(
        memory, identity=None, sick="", retry_at=None, last_end=last or memory.last_end, why=""
    )


def _started(look: Look, record: StartRecord, memory: Memory) -> Memory:
    """Return the memory after an attempt to start, or what was left of one."""
    trial = record.trial
    if look.identity is None or look.identity != memory.identity:
        if memory.sick:
            lived = max(0.0, look.now.steady - memory.up_since)
            memory = breaker.replaced(look.worker, memory, look.now, lived)
            trial = trial or memory.trial
        memory = replace(memory, identity=None)
    if record.outcome == "begun":
        return _left(look, record, memory)
    memory = replace(memory, trial=trial, quarantined=False, retry_at=None)
    if record.outcome == "verified":
        return _verified(look, record, memory)
    if record.outcome == "completed":
        boot = record.launched.boot if record.launched is not None else ""
        return replace(memory, completed=boot, last_end=record.reason, why="")
    return _failed(look, record, memory)


def _left(look: Look, record: StartRecord, memory: Memory) -> Memory:
    """Return the memory after an act that healmon's own end cut short."""
    worker, now, jitter = look.worker, look.now, look.jitter
    if look.identity is not None:
        if look.identity not in (record.launched, record.worker):
            return memory  # rolled back, or half done: what lives is what lived before
        return replace(memory, trial=record.trial, quarantined=False, retry_at=None)
    if record.launched is None:
        return breaker.cut_short(worker, memory, now, CUT_SHORT, jitter)
    memory = replace(memory, trial=record.trial, quarantined=False)
    end = causes.end_of(look.one, record.launched)
    if end.ended.code == 0 and worker.restart != "always" and not worker.forks:
        return replace(memory, completed=record.launched.boot, last_end=str(end), why="")
    if end.ended.code == 0 and worker.forks is not False:
        return breaker.cut_short(worker, memory, now, CUT_SHORT, jitter)
    why = f"{end}, while nobody looked" if end.ended != Ended() else CUT_SHORT
    return fell(look, replace(memory, last_end=why), why, end)


def _verified(look: Look, record: StartRecord, memory: Memory) -> Memory:
    counted = memory.run_restarts if memory.run == look.run else 0
    return replace(
        memory,
        identity=record.worker,
        how=record.how,
        since=record.wall,
        up_since=record.steady,
        proved=record.level or "V2",
        restarts=memory.restarts + 1,
        run=look.run,
        run_restarts=counted + 1,
        completed="",
        absent=False,
    )


def _failed(look: Look, record: StartRecord, memory: Memory) -> Memory:
    """Return the memory after a start that failed: whose fault it was decides."""
    worker, now, why = look.worker, look.now, record.reason
    if record.fault == "host":
        return breaker.host_failed(worker, memory, now, why, look.jitter)
    if record.fault == "blocked":
        return breaker.barred(worker, memory, now, why, look.jitter)
    launched = record.launched
    end = causes.end_of(look.one, launched) if launched is not None else causes.End()
    why = f"{why}: {end}" if end.oom else why
    memory = replace(memory, last_end=why)
    if record.fault == "command":
        return breaker.hopeless(worker, memory, now, why)
    return fell(look, memory, why, end)


def fell(look: Look, memory: Memory, why: str, end: causes.End, lived: float = 0.0) -> Memory:
    """Return the memory after a failure of the worker's own.

    Args:
        look: the look that showed it.
        memory: before.
        why: what happened, in words.
        end: how the process ended.
        lived: seconds that it was up before.
    """
    if breaker.mends_nothing(look.worker, end.ended.code):
        return breaker.hopeless(look.worker, memory, look.now, why, lived)
    return breaker.failed(look.worker, memory, look.now, why, lived=lived, jitter=look.jitter)
