"""The plans for what a person asks of a worker. Pure."""

from __future__ import annotations

from collections.abc import Iterable, Sequence

from healmon.config.settings import Worker
from healmon.errors import DataError
from healmon.plans import Plan, Step, pack
from healmon.text import clean
from healmon.workers import budget, machine, planning, wording
from healmon.workers.attempts import next_number
from healmon.workers.model import NAME, Memory, Order, Verb, WorkerFacts


def offered(
    verb: str, worker: Worker, facts: WorkerFacts, memory: Memory, workers: Sequence[Worker] = ()
) -> Plan:
    """Return the plan for what a person asks.

    Args:
        verb: `restart`, `stop`, `start` or `release`.
        worker: its settings.
        facts: what a screen shows of it.
        memory: what is remembered of it.
        workers: all workers, to tell which of them build on this one.

    Raises:
        DataError: there is nothing to do that to; says what there is.
    """
    asked = _verb(verb, worker, facts)
    number = next_number(memory)
    orphans = planning.orphans_of(facts.blockers) if asked != "stop" else ()
    order = Order(
        verb=asked,
        number=number,
        wish=memory.wish + 1,
        identity=facts.identity,
        orphans=tuple(b.identity for b in orphans if b.identity is not None),
    )
    subject = f"pid {facts.pid}, start {number}" if facts.pid is not None else f"start {number}"
    stopping = (planning.stop_step(worker, facts.pid),) if facts.pid is not None else ()
    starting = () if asked == "stop" else (planning.start_step(worker),)
    keep = Step(f"keep {worker.name} down until it is started")
    return Plan(
        healer=NAME,
        component=worker.name,
        action=planning.ACTIONS[asked],
        subject=subject,
        why=_why(asked, worker, facts, workers),
        steps=(*stopping, *starting) or (keep,),
        proof=planning.proof(worker) if starting else planning.GONE,
        on_failure=planning.on_failure(worker, memory, trial=False)
        if starting
        else "a person is asked",
        order=pack(order),
        cooldown=0.0,
        tier=1,
        origin="",
    )


def _verb(verb: str, worker: Worker, facts: WorkerFacts) -> Verb:
    name, place = worker.name, f"it is {wording.say(facts.state)}"
    if facts.pid is not None:
        place += f" as pid {facts.pid}"
    match verb.removesuffix("-worker").removesuffix("_worker"):
        case "restart":
            if facts.state == "unknown":
                raise DataError(f"{name}: {facts.why}; nothing is done to what cannot be told")
            return "restart"
        case "start":
            if not _may_start(facts):
                raise DataError(f"{name} cannot be started: {place}")
            return "start"
        case "stop":
            if facts.state == "unknown" or (facts.state == "down" and facts.desired == "down"):
                raise DataError(f"{name} cannot be stopped: {place}")
            return "stop"
        case "release":
            if facts.state != "quarantined":
                raise DataError(f"{name} is not quarantined: {place}")
            return "release"
        case _:
            raise DataError(
                f"no such request for a worker: {clean(verb)}",
                remedy="there is: restart, start, stop, release",
            )


def _may_start(facts: WorkerFacts) -> bool:
    if facts.state == "stopping" and facts.desired == "down":
        return True  # a person wanted it down, and wants that no more
    return facts.pid is None and facts.state not in {"unknown", *machine.UNDER_WAY}


def _why(verb: Verb, worker: Worker, facts: WorkerFacts, workers: Iterable[Worker]) -> str:
    words = {
        "start": "start it",
        "restart": "restart it",
        "stop": "stop it",
        "release": "end its quarantine",
    }
    told = f"a person asked to {words[verb]}; it is {wording.say(facts.state)}"
    if facts.why:
        told += f": {facts.why}"
    if verb != "stop" and facts.waits_for:
        return f"{told}; it is started although {facts.waits_for} is not healthy"
    builders = dependents(worker.name, workers)
    if verb == "stop" and builders:
        listed = ", ".join(builders)
        told += (
            f"; {listed} build{'s' * (len(builders) == 1)} on it and will go on without it (to "
            f"stop all in order: {', '.join((*builders, worker.name))})"
        )
    return told


def dependents(name: str, workers: Iterable[Worker]) -> tuple[str, ...]:
    """Return the workers that build on one, directly or not, in the order to stop them."""
    every = list(workers)
    found = {name}
    while more := {w.name for w in every if found & set(w.after)} - found:
        found |= more
    rank = budget.ranks(every)
    return tuple(sorted(found - {name}, key=lambda other: (-rank[other], other)))
