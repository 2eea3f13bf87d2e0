"""What a look means for a worker's state. Pure: observation and memory in, state and memory out.

    found alive ─────────────▶ up (a trial, or a row of failures, is over once it is stable)
    a plan is acting ────────▶ starting
    stopped by a person ─────▶ stopped
    ended as it should ──────▶ completed
    breaker open ────────────▶ quarantined
    a start is due ──────────▶ backoff
    nobody may start it ─────▶ down
    cannot be told ──────────▶ unknown

Each attempt to start and each life of a process counts as one failure at most.
"""

from __future__ import annotations

import zlib
from dataclasses import dataclass

from msgspec.structs import replace

from healmon.clock import Reading
from healmon.config.settings import Worker
from healmon.workers import breaker
from healmon.workers.model import How, Match, Memory, Seen, StartRecord, State, WorkerSeen
from healmon.world.processes import DEAD, Ended, Identity, ProcessFacts


def digest(worker: Worker) -> int:
    """Return a number that changes with what is run."""
    parts = (worker.argv, worker.cwd, sorted(worker.env.items()), worker.user)
    return zlib.crc32(repr(parts).encode())


def chosen(seen: Seen, one: WorkerSeen, memory: Memory) -> Match | None:
    """Return the process that is the worker: who it was, else our start, else the oldest."""
    for facts in one.known:
        how: How = memory.how if facts.identity == memory.identity else "spawned"
        return Match(facts, how or "spawned")
    if memory.identity is not None and seen.everyone is not None:
        remembered = seen.everyone.get(memory.identity)
        if remembered is not None and remembered.state not in DEAD:
            return Match(remembered, memory.how)
    return one.matches[0] if one.matches else None


def copies(one: WorkerSeen, worker: Match | None) -> tuple[ProcessFacts, ...]:
    """Return the other live processes that are this worker too, oldest first."""
    if worker is None:
        return ()
    pid = worker.facts.identity.pid
    return tuple(
        m.facts
        for m in one.matches
        if m.facts.identity.pid not in {pid, worker.facts.parent} and pid not in m.line
    )


@dataclass(frozen=True, slots=True)
class Judged:
    """The state of one worker after a look; `waits` names the worker it waits for, if any."""

    state: State
    memory: Memory
    match: Match | None = None
    waits: str = ""


def advance(
    worker: Worker, seen: Seen, memory: Memory, now: Reading, *, run: float, jitter: float
) -> Judged:
    """Return what a worker is doing, and what to remember of it.

    Args:
        worker: its settings.
        seen: the look.
        memory: what was remembered before it.
        now: the time of the look.
        run: when this run of healmon began, to count restarts by.
        jitter: spread of the delays.
    """
    one = seen.workers[worker.name]
    memory = _taken_up(worker, one, memory)
    match = chosen(seen, one, memory)
    if match is None and (trouble := _trouble(seen, one, memory)):
        return Judged("unknown", replace(memory, why=trouble))
    if not one.acting:
        alive = match is not None
        memory = _attempted(worker, one, memory, now, alive=alive, run=run, jitter=jitter)
    if match is not None:
        memory = _up(worker, memory, match, now)
        return Judged("starting" if one.acting else "up", memory, match)
    if one.acting:
        return Judged("starting", memory)
    memory = _down(worker, seen, one, memory, now, jitter)
    return Judged(_idle_state(worker, memory), memory)


def _taken_up(worker: Worker, one: WorkerSeen, memory: Memory) -> Memory:
    """Return the memory with a changed configuration and a person's wish in it."""
    configured = digest(worker)
    if memory.configured != configured:
        if memory.configured != 0:
            memory = replace(breaker.forgiven(memory), completed="")
        memory = replace(memory, configured=configured)
    if one.wish is not None and one.wish.number > memory.wish:
        memory = replace(memory, wish=one.wish.number, desired=one.wish.desired)
    return memory


def _trouble(seen: Seen, one: WorkerSeen, memory: Memory) -> str:
    if one.trouble:
        return one.trouble
    if seen.veiled and memory.identity is not None and memory.identity.boot == seen.boot:
        return "/proc does not show all processes: whether it lives cannot be told"
    return ""


def _attempted(
    worker: Worker,
    one: WorkerSeen,
    memory: Memory,
    now: Reading,
    *,
    alive: bool,
    run: float,
    jitter: float,
) -> Memory:
    """Return the memory with the outcome of the newest attempt taken in, once."""
    record = one.record
    if record is None or record.number <= memory.attempt:
        return memory
    lost = memory.attempt == 0 and memory.identity is None and memory.down_since is None
    if lost and not (record.outcome == "verified" and alive):
        # the memory was lost, the record was not: it tells who it is, not what to count
        return replace(memory, attempt=record.number)
    if record.verb == "stop":
        return replace(memory, attempt=record.number)  # no start: nothing to count
    memory = replace(memory, attempt=record.number, identity=None)
    if record.fresh:
        memory = replace(breaker.forgiven(memory), completed="")
    memory = replace(memory, trial=record.trial, quarantined=False, retry_at=None)
    if record.outcome == "verified":
        return _verified(memory, record, run)
    if record.outcome == "completed":
        boot = record.launched.boot if record.launched is not None else ""
        return replace(memory, completed=boot, last_end=record.reason, why="")
    return _unproved(worker, record, memory, now, alive=alive, jitter=jitter)


def _unproved(
    worker: Worker,
    record: StartRecord,
    memory: Memory,
    now: Reading,
    *,
    alive: bool,
    jitter: float,
) -> Memory:
    """Return the memory after an attempt that failed, or that was cut short."""
    if record.outcome == "begun":
        if alive:
            return memory
        why = "healmon ended while it was starting it"
        if record.launched is None:
            return breaker.host_failed(worker, memory, now, why, jitter)
        memory = replace(memory, last_end=why)
        return breaker.failed(worker, memory, now, why, lived=0.0, jitter=jitter)
    if record.fault == "host":
        return breaker.host_failed(worker, memory, now, record.reason, jitter)
    memory = replace(memory, last_end=record.reason)
    if record.fault == "command":
        return breaker.hopeless(worker, memory, now, record.reason)
    return breaker.failed(worker, memory, now, record.reason, lived=0.0, jitter=jitter)


def _verified(memory: Memory, record: StartRecord, run: float) -> Memory:
    counted = memory.run_restarts if memory.run == run else 0
    return replace(
        memory,
        identity=record.worker,
        how=record.how,
        since=record.wall,
        up_since=record.steady,
        restarts=memory.restarts + 1,
        run=run,
        run_restarts=counted + 1,
        completed="",
        absent=False,
    )


def _up(worker: Worker, memory: Memory, match: Match, now: Reading) -> Memory:
    facts = match.facts
    if memory.identity != facts.identity:
        memory = replace(
            memory,
            identity=facts.identity,
            how=match.how,
            since=round(now.wall - facts.age, 1),
            up_since=now.steady - facts.age,
            # somebody started it while the breaker was open: that is its trial
            trial=memory.trial or memory.quarantined,
        )
    if memory.down_since is not None or memory.retry_at is not None or memory.completed:
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
        )
    if now.steady - memory.up_since >= worker.stable_after and (memory.row or memory.trial):
        memory = breaker.stable(memory)
    # what ailed it is over, unless a row of failures is still being watched
    return memory if memory.row or memory.trial else replace(memory, why="")


def _down(
    worker: Worker, seen: Seen, one: WorkerSeen, memory: Memory, now: Reading, jitter: float
) -> Memory:
    former = memory.identity
    if memory.completed and seen.boot and memory.completed != seen.boot:
        memory = replace(memory, completed="", down_since=None)  # every boot begins anew
    if memory.down_since is None:
        memory = replace(memory, down_since=now.steady, down_wall=round(now.wall, 1))
        if former is None and not memory.row and not memory.completed:
            return _absent(worker, memory, now, "it is not running", jitter)
    if former is None:
        return memory
    memory = replace(memory, identity=None)
    if seen.boot and former.boot != seen.boot:
        why = "the host was restarted"
        memory = replace(memory, completed="", last_end=why)
        return _absent(worker, memory, now, f"not running since {why}", jitter)
    ended = _ended(one, former)
    memory = replace(memory, last_end=str(ended))
    if memory.desired == "down":
        return memory
    if ended.code == 0 and worker.restart != "always":
        return replace(memory, completed=former.boot, why="")
    lived = max(0.0, now.steady - memory.up_since)
    return _missing(worker, memory, now, str(ended), jitter, lived)


def _missing(
    worker: Worker, memory: Memory, now: Reading, why: str, jitter: float, lived: float = 0.0
) -> Memory:
    if memory.desired == "down":
        return memory
    return breaker.failed(worker, memory, now, why, lived=lived, jitter=jitter)


def _absent(worker: Worker, memory: Memory, now: Reading, why: str, jitter: float) -> Memory:
    """Return the memory of a worker that is down through no failure of its own."""
    if memory.desired == "down":
        return memory
    return breaker.absent(worker, memory, now, why, jitter)


def _ended(one: WorkerSeen, former: Identity) -> Ended:
    """Return how a process ended; a record that knows is better than a look that does not."""
    ends = [end.ended for end in one.ends if end.identity == former]
    return next((end for end in ends if end != Ended()), Ended())


def _idle_state(worker: Worker, memory: Memory) -> State:
    if memory.desired == "down":
        return "stopped"
    if memory.completed:
        return "completed"
    if memory.quarantined:
        return "quarantined"
    if worker.restart == "never":
        return "down"
    return "backoff"
