"""What came of an act on a worker: the newest record of it taken into the memory, once. Pure.

An act that a killed healmon left half done is finished or rolled back:

* it was ending processes that still live: that goes on;
* the process that it started lives: its proof goes on; when that comes to nothing, the process is
  the worker all the same once it has lived long enough. How long hands were off does not count:
  one that was called off is gone on with first, however old it is by then;
* nothing lives: what it was about to start is started, at once, and no budget is used for that;
* nothing had been touched: nothing has happened.

What goes on keeps its number and is taken in when it is over.
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
PROMPT: Final = 1.0
"""Seconds after an act was called off in which looks may come whose plans nobody takes up."""
GO_ON_EVERY: Final = 5.0
"""Seconds at least between two tries to go on with an act that was left half done."""
CUT_SHORT: Final = "healmon ended while it was starting it"


def next_number(memory: Memory) -> int:
    """Return the number of the next act that is not one that goes on."""
    return max(memory.attempt, memory.newest) + 1


def spawned(record: StartRecord) -> bool:
    """Return whether an act has come so far that it may have started something."""
    if record.verb == "stop" or record.fault in {"blocked", "stop"}:
        return False
    early = record.phase in {"decided", "stopping", "stopped"} and record.launched is None
    return not (early and record.outcome == "begun")


def half_done(look: Look, memory: Memory) -> StartRecord | None:
    """Return the record of an act that a killed healmon left, and that can be gone on with."""
    record = look.one.record
    if look.one.acting or record is None or record.number <= memory.attempt:
        return None
    if record.outcome != "begun" or not (
        _ending(look, record, memory) or _proving(look, record, memory)
    ):
        return None
    return record


def ending(look: Look, memory: Memory) -> bool:
    """Return whether what goes on is the end of processes that live."""
    half = half_done(look, memory)
    return half is not None and _ending(look, half, memory)


def _ending(look: Look, record: StartRecord, memory: Memory) -> bool:
    # a stop that was wished for is meant, however early it was cut short
    wished = record.verb == "stop" and memory.desired == "down" and record.phase == "decided"
    lives = record.old is not None and record.old == look.identity
    return (record.phase == "stopping" or wished) and (lives or bool(look.one.left))


def _proving(look: Look, record: StartRecord, memory: Memory) -> bool:
    """Return whether what lives was started by an act that nobody finished, a while ago."""
    worker, match = look.worker, look.match
    if match is None or record.verb == "stop" or look.goal == "down":
        return False
    ours = look.identity in (record.launched, record.worker)
    # killed between the spawn and the note of it: whoever lives now can only come from it
    unnoted = record.phase == "spawning" and record.launched is None
    young = match.facts.age < max(worker.min_uptime, worker.start_timeout)
    young = young or _untried(look, record, memory)
    return young and (ours or (unnoted and look.identity != record.old))


def _untried(look: Look, record: StartRecord, memory: Memory) -> bool:
    """Return whether nobody has gone on yet with what was called off or granted, however old."""
    if not (record.called_off or record.granted):
        return False
    at = memory.goes_on
    return at is None or at <= _left_at(record) or look.now.steady <= at


def _left_at(record: StartRecord) -> float:
    """Return the steady moment since when nobody carries an act out, as far as is known."""
    return max(record.steady, record.called_off + PROMPT if record.called_off else 0.0)


def survived(look: Look) -> bool:
    """Return whether something lives that could not be ended."""
    record = look.one.record
    if record is None or (record.outcome, record.fault) != ("failed", "stop"):
        return False
    lives = record.old is not None and record.old == look.identity
    return lives or (look.identity is None and bool(look.one.left))


def attempted(look: Look, memory: Memory) -> Memory:
    """Return the memory with the outcome of the newest act taken in, once."""
    record, alive = look.one.record, look.match is not None
    if record is None or record.number <= memory.attempt:
        return replace(memory, goes_on=None)
    memory = _started_once(record, replace(memory, newest=record.number))
    if half_done(look, memory) is not None:
        return _going_on(look, record, _counted(look, record, memory))
    lost = memory.attempt == 0 and memory.identity is None and memory.down_since is None
    memory = replace(memory, attempt=record.number, goes_on=None)
    if lost and not (record.outcome == "verified" and alive):
        # the memory was lost, the record was not: it tells who it is, not what to count
        return memory
    if record.verb == "stop":
        return _stopped(look, record, memory)
    if record.outcome == "failed" and record.fault == "stop":
        return replace(memory, identity=record.old or memory.identity, why=record.reason)
    memory = _counted(look, record, memory)
    if record.fresh:
        memory = replace(breaker.forgiven(memory), completed="")
    return _started(look, record, memory)


def _started_once(record: StartRecord, memory: Memory) -> Memory:
    """Return the memory with the moment of a start in it, for the host's budget."""
    if not spawned(record) or record.steady in memory.starts:
        return memory
    return replace(memory, starts=(*memory.starts, record.steady)[-STARTS_KEPT:])


def _going_on(look: Look, record: StartRecord, memory: Memory) -> Memory:
    """Return the memory of one whose half-done act goes on: when it is tried, and tried again."""
    now, at = look.now.steady, memory.goes_on
    if look.goal == "maintenance":
        return replace(memory, goes_on=record.steady)  # due all the time, and tried at no time
    if at is None or at <= _left_at(record):
        return replace(memory, goes_on=now)
    if now <= at:
        return memory
    # that try came to nothing: others follow at ever longer intervals
    pause = max(GO_ON_EVERY, look.worker.restart_delay, 0.5 * (now - record.steady))
    return replace(memory, goes_on=now + pause)


def _counted(look: Look, record: StartRecord, memory: Memory) -> Memory:
    """Return the memory with the end of a sick process counted, if healmon ended one."""
    if not memory.sick or record.fresh or look.identity == memory.identity:
        return memory
    lived = max(0.0, look.now.steady - memory.up_since)
    return breaker.replaced(look.worker, memory, look.now, lived)


def _stopped(look: Look, record: StartRecord, memory: Memory) -> Memory:
    """Return the memory after a stop, or what was left of one."""
    if record.outcome == "failed" or (record.old is not None and record.old == look.identity):
        return replace(memory, identity=record.old or memory.identity, why=record.reason)
    last = str(causes.end_of(look.one, record.old)) if record.old is not None else ""
    return replace(
        memory,
        identity=None,
        sick="",
        chance=False,
        retry_at=None,
        last_end=last or memory.last_end,
        why="",
    )


def _started(look: Look, record: StartRecord, memory: Memory) -> Memory:
    """Return the memory after an attempt to start, or what was left of one."""
    if look.identity is None or look.identity != memory.identity:
        memory = replace(memory, identity=None)
    if record.outcome == "begun":
        return _left(look, record, memory)
    trial = record.trial or memory.trial
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
            return memory  # rolled back: what lives is what lived before
        return replace(memory, trial=record.trial, quarantined=False, retry_at=None)
    if record.launched is None:
        return breaker.cut_short(worker, memory, now, record.reason or CUT_SHORT, jitter)
    memory = replace(memory, trial=record.trial, quarantined=False)
    end = causes.end_of(look.one, record.launched)
    if end.ended.code == 0 and worker.restart != "always" and not worker.forks:
        return replace(memory, completed=record.launched.boot, last_end=str(end), why="")
    if end.ended.code == 0 and worker.forks is not False:
        return breaker.cut_short(worker, memory, now, record.reason or CUT_SHORT, jitter)
    why = f"{end}, while nobody looked" if end.ended != Ended() else record.reason or CUT_SHORT
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
