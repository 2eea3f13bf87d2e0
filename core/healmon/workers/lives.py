"""The lives of a worker: what a process that lives, or has ended, means for the memory. Pure."""

from __future__ import annotations

from msgspec.structs import replace

from healmon.workers import breaker, causes
from healmon.workers.attempts import fell
from healmon.workers.look import Look
from healmon.workers.model import Match, Memory
from healmon.workers.sickness import ailing
from healmon.world.processes import Identity


def up(look: Look, memory: Memory, match: Match) -> Memory:
    """Return the memory of a worker that lives."""
    facts, now = match.facts, look.now
    if memory.identity != facts.identity:
        memory = _another(look, memory, match)
    if memory.down_since is not None or memory.completed or memory.quarantined:
        memory = replace(
            memory,
            down_since=None,
            down_wall=0.0,
            retry_at=None,
            retry_wall=0.0,
            quarantined=False,
            completed="",
            absent=False,
            hosts=0,
            cuts=0,
        )
    watched = memory.row or memory.trial or memory.opened
    if watched and now.steady - memory.up_since >= look.worker.stable_after:
        memory = breaker.stable(look.worker, memory, now)
    return _health(look, memory)


def _another(look: Look, memory: Memory, match: Match) -> Memory:
    """Return the memory of a worker that is another process than before."""
    facts, record = match.facts, look.one.record
    ours = record is not None and facts.identity in (record.worker, record.launched)
    return replace(
        memory,
        identity=facts.identity,
        how=match.how,
        since=round(look.now.wall - facts.age, 1),
        up_since=look.now.steady - facts.age,
        proved=record.level if ours and record is not None else "",
        sick="",
        chance=False,
        # somebody started it while the breaker was open: that is its trial
        trial=memory.trial or memory.quarantined,
    )


def _health(look: Look, memory: Memory) -> Memory:
    """Return the memory of a live worker that is well, has fallen sick, or has recovered."""
    ails = ailing(look.worker, look.one)
    if ails and not memory.sick and look.goal != "down":
        return breaker.sickened(look.worker, memory, look.now, ails, look.jitter)
    if memory.sick and not ails:
        memory = breaker.recovered(memory)
    if memory.sick or memory.row or memory.trial:
        return memory
    # what ailed it is over, unless a row of failures is still being watched
    return replace(memory, retry_at=None, retry_wall=0.0, why="", cause="")


def fallen(look: Look, memory: Memory) -> Memory:
    """Return the memory with the end in it after which a shim started the worker by itself."""
    record, former = look.one.record, memory.identity
    if record is None or not record.granted or record.number <= memory.attempt:
        return memory
    if former is None or record.old != former:
        return memory
    sick = memory.sick
    memory = replace(memory, identity=None, sick="", chance=False, proved="", goes_on=None)
    return _ended(look, memory, former, sick)


def down(look: Look, memory: Memory) -> Memory:
    """Return the memory of a worker of which nothing lives."""
    former, now = memory.identity, look.now
    if memory.completed and look.boot and memory.completed != look.boot:
        memory = replace(memory, completed="", down_since=None)  # every boot begins anew
    if memory.down_since is None:
        memory = replace(memory, down_since=now.steady, down_wall=round(now.wall, 1))
        untold = not memory.row and memory.retry_at is None and not memory.completed
        if former is None and untold:
            return _absent(look, memory, "it is not running")
    if former is None:
        return memory
    sick = memory.sick
    memory = replace(memory, identity=None, sick="", chance=False, proved="")
    if look.boot and former.boot != look.boot:
        why = "the host was restarted"
        memory = replace(memory, completed="", last_end=why)
        return _absent(look, memory, f"not running since {why}")
    return _ended(look, memory, former, sick)


def _absent(look: Look, memory: Memory, why: str) -> Memory:
    """Return the memory of a worker that is down through no failure of its own."""
    if look.goal == "down":
        return memory
    return breaker.absent(look.worker, memory, look.now, why, look.jitter)


def _ended(look: Look, memory: Memory, former: Identity, sick: str) -> Memory:
    """Return the memory after the end of a process: a failure, or what was to be."""
    worker, now = look.worker, look.now
    end = causes.end_of(look.one, former)
    why, code = str(end), end.ended.code
    memory = replace(memory, last_end=why)
    if look.goal == "down":
        return memory
    if _was_being_ended(look, former):
        # an act was cut short in the midst of that: what goes on is that, and no failure was it
        return breaker.excused(worker, memory, now, why, look.jitter)
    if code == 0 and worker.restart != "always":
        return replace(memory, completed=former.boot, why="")
    lived = max(0.0, now.steady - memory.up_since)
    asked = _survived_a_stop(look, former) and not sick
    clean_exit = code == 0 and lived >= worker.stable_after
    if asked or clean_exit or look.goal == "maintenance":
        return breaker.excused(worker, memory, now, why, look.jitter)
    return fell(look, memory, f"{sick}; {why}" if sick else why, end, lived)


def _was_being_ended(look: Look, former: Identity) -> bool:
    """Return whether an act that was cut short, or called off, was ending this process."""
    record = look.one.record
    if record is None or record.outcome != "begun":
        return False
    return record.phase == "stopping" and record.old == former


def _survived_a_stop(look: Look, former: Identity) -> bool:
    """Return whether a process that is gone now is one that could not be ended before."""
    record = look.one.record
    return record is not None and record.fault == "stop" and record.old == former
