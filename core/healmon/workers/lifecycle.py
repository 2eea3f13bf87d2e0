"""What a look means for a worker. Pure: observation and memory in, state and memory out.

`advance` takes in what happened (a changed configuration, a person's wish, the outcome of an act,
an end), boils the look down to one signal and asks the `machine` for the state.

Each attempt to start and each life of a process counts as one failure at most.
"""

from __future__ import annotations

from dataclasses import dataclass

from msgspec.structs import replace

from healmon.clock import Reading
from healmon.workers import breaker, causes, machine, timeline
from healmon.workers.attempts import attempted, ending, half_done, survived
from healmon.workers.causes import Configured
from healmon.workers.lives import down, fallen, up
from healmon.workers.look import Look
from healmon.workers.machine import Signal
from healmon.workers.model import (
    Blocker,
    Goal,
    How,
    Match,
    Memory,
    Seen,
    StartRecord,
    State,
    WorkerSeen,
)
from healmon.workers.sickness import ailing
from healmon.world.processes import DEAD, ProcessFacts


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


def strangers(one: WorkerSeen) -> tuple[Blocker, ...]:
    """Return who holds what a worker needs and must not be touched."""
    return tuple(b for b in one.blockers if not b.orphan or b.identity is None)


@dataclass(frozen=True, slots=True, kw_only=True)
class Judged:
    """One worker after a look.

    Attributes:
        look: the look.
        state: what it is doing.
        memory: what to remember of it.
        trouble: why it cannot be told whether it lives.
        waits: the worker that must be healthy before it, if it is held up by that.
        half: the act that a killed healmon left half done, and that goes on.
    """

    look: Look
    state: State
    memory: Memory
    trouble: str = ""
    waits: str = ""
    half: StartRecord | None = None


def advance(
    configured: Configured,
    seen: Seen,
    memory: Memory,
    now: Reading,
    *,
    run: float,
    jitter: float,
    paused: bool = False,
    waits: str = "",
) -> Judged:
    """Return what a worker is doing, and what to remember of it.

    Args:
        configured: its settings.
        seen: the look.
        memory: what was remembered before it.
        now: the time of the look.
        run: when this run of healmon began, to count restarts by.
        jitter: spread of the delays.
        paused: it is in maintenance.
        waits: the first worker that must be healthy before it and is not.
    """
    one, before = seen.workers[configured.worker.name], memory
    memory = timeline.carried_over(memory, seen.boot, now)
    memory = _taken_up(one, memory, configured.digest)
    goal: Goal = "down" if memory.desired == "down" else "maintenance" if paused else "up"
    look = Look(
        configured=configured,
        one=one,
        now=now,
        boot=seen.boot,
        run=run,
        jitter=jitter,
        goal=goal,
        match=chosen(seen, one, memory),
    )
    trouble = _trouble(look, seen, memory)
    if trouble:
        signal: Signal = "hidden"
    else:
        memory, signal = _read(look, memory, waits)
    memory = replace(memory, state=machine.step(before.state, signal, goal))
    memory = timeline.stamped(before, _settled(look, before, memory), now)
    held = memory.state in {"waiting_dependency", "quarantined"}
    return Judged(
        look=look,
        state=memory.state,
        memory=memory,
        trouble=trouble,
        waits=waits if held else "",
        half=half_done(look, memory),
    )


def _taken_up(one: WorkerSeen, memory: Memory, configured: int) -> Memory:
    """Return the memory with a changed configuration and a person's wish in it."""
    if memory.configured != configured:
        if memory.configured != 0:
            memory = replace(breaker.forgiven(memory), completed="")
        memory = replace(memory, configured=configured)
    if one.wish is not None and one.wish.number > memory.wish:
        memory = replace(memory, wish=one.wish.number, desired=one.wish.desired)
    return memory


def _read(look: Look, memory: Memory, waits: str) -> tuple[Memory, Signal]:
    """Return the memory with everything that a look shows in it, and the signal in that."""
    if look.one.acting:
        record = look.one.record
        if record is not None and record.number > memory.newest:
            memory = replace(memory, newest=record.number)  # what a person asks for has the next
        return memory, _phase(look, memory)
    memory = attempted(look, fallen(look, memory))
    if look.match is None:
        memory = down(look, memory)
        return memory, _idle(look, memory, waits)
    memory = up(look, memory, look.match)
    return memory, _alive(look, memory)


def _trouble(look: Look, seen: Seen, memory: Memory) -> str:
    one = look.one
    if look.match is not None or one.trouble:
        return one.trouble if look.match is None else ""
    former = memory.identity
    told = any(end.identity == former for end in one.ends)
    # where nobody at all is shown, not even which boot this is can be told
    here = former is not None and seen.boot in {"", former.boot}
    if seen.veiled and here and not told:
        return "/proc does not show all processes: whether it lives cannot be told"
    shim = one.shim
    if shim is None or one.acting or one.blockers or shim.alive:
        return ""
    if seen.boot not in {"", shim.shim.boot}:
        return ""
    # its shim was killed: whatever inherited the lock is a part of it that nobody can name
    return "its instance lock is held, but by whom cannot be told" if shim.locked else ""


def _phase(look: Look, memory: Memory) -> Signal:
    """Return how far the act that is being carried out has come."""
    record = look.one.record
    if record is None or record.number <= memory.attempt or record.outcome != "begun":
        if look.match is not None:
            return "looking"
        return "rests" if look.goal == "down" else "starts"
    if record.launched is not None:
        return "proves"
    if record.phase == "spawning" or record.old is None:
        return "starts"
    return "stops"


def _alive(look: Look, memory: Memory) -> Signal:
    if half_done(look, memory) is not None:
        return "halved" if ending(look, memory) else "proves"
    if survived(look):
        return "survives"
    if memory.sick or ailing(look.worker, look.one):
        return "sick"
    return "tried" if memory.trial else "well"


def _idle(look: Look, memory: Memory, waits: str) -> Signal:  # noqa: PLR0911 - one answer per state
    if ending(look, memory):
        return "halved"
    if survived(look):
        return "survives"
    if look.goal == "down":
        return "rests"
    if memory.completed:
        return "done"
    if memory.quarantined:
        return "tripped"
    if look.worker.restart == "never":
        return "rests"
    if strangers(look.one):
        return "barred"
    return "waits" if waits else "due"


def _settled(look: Look, before: Memory, memory: Memory) -> Memory:
    """Return the memory with what follows from the state in it."""
    if memory.state == "healthy":
        return replace(memory, well=look.configured.keys)
    if look.goal == "maintenance":
        memory = replace(memory, fell=before.fell)
    newer = memory.failures[-1:] != before.failures[-1:] or memory.why != before.why
    if newer and memory.why:
        return replace(memory, cause=causes.told(look.one, memory, look.configured.keys))
    return memory
