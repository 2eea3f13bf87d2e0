"""The plans for workers: what will be done, why, and how it will be proved. Pure."""

from __future__ import annotations

import shlex
from typing import Final

from healmon.clock import Reading
from healmon.config.settings import Worker
from healmon.errors import DataError
from healmon.plans import Plan, Step, pack
from healmon.text import clean
from healmon.units import format_duration
from healmon.workers import breaker
from healmon.workers.model import NAME, Memory, Order, Verb, WorkerFacts

ACTIONS: Final[dict[Verb, str]] = {
    "start": "start_worker",
    "restart": "restart_worker",
    "stop": "stop_worker",
    "release": "release_worker",
}


def start_plan(worker: Worker, memory: Memory, now: Reading) -> Plan:
    """Return the plan that healmon itself makes for a worker that is down."""
    trial = memory.quarantined or memory.trial
    order = Order(verb="restart", number=memory.attempt + 1, trial=trial)
    delay = max(0.0, memory.retry_at - now.steady) if memory.retry_at is not None else 0.0
    count = breaker.recent(worker, memory, now)
    if trial:
        why = f"down: {memory.why}; the quarantine is over: one trial"
    else:
        why = f"down: {memory.why}; failure {count} of {worker.max_failures} that are let pass"
    return Plan(
        healer=NAME,
        component=worker.name,
        action=ACTIONS["restart"],
        subject=f"start {order.number}",
        why=clean(why),
        steps=(_start_step(worker),),
        proof=_proof(worker),
        on_failure=_on_failure(worker, memory, trial=trial),
        order=pack(order),
        delay=round(delay, 3),
        cooldown=0.0,
        tier=1,
    )


def offered(verb: str, worker: Worker, facts: WorkerFacts, memory: Memory) -> Plan:
    """Return the plan for what a person asks.

    Raises:
        DataError: there is nothing to do that to; says what there is.
    """
    asked = _verb(verb, worker, facts)
    number = memory.attempt + 1
    order = Order(verb=asked, number=number, wish=memory.wish + 1, identity=facts.identity)
    subject = f"pid {facts.pid}, start {number}" if facts.pid is not None else f"start {number}"
    stopping = (_stop_step(worker, facts.pid),) if facts.pid is not None else ()
    starting = () if asked == "stop" else (_start_step(worker),)
    return Plan(
        healer=NAME,
        component=worker.name,
        action=ACTIONS[asked],
        subject=subject,
        why=_asked_why(asked, facts),
        steps=(*stopping, *starting) or (Step(f"keep {worker.name} down until it is started"),),
        proof=_proof(worker) if starting else "its process is gone; healmon leaves it down",
        on_failure=_on_failure(worker, memory, trial=False) if starting else "a person is asked",
        order=pack(order),
        cooldown=0.0,
        tier=1,
        origin="",
    )


def _verb(verb: str, worker: Worker, facts: WorkerFacts) -> Verb:
    name, place = worker.name, f"it is {facts.state}"
    if facts.pid is not None:
        place += f" as pid {facts.pid}"
    match verb.removesuffix("-worker").removesuffix("_worker"):
        case "restart":
            if facts.state == "unknown":
                raise DataError(f"{name}: {facts.why}; nothing is done to what cannot be told")
            return "restart"
        case "start":
            if facts.pid is not None or facts.state in ("unknown", "starting"):
                raise DataError(f"{name} cannot be started: {place}")
            return "start"
        case "stop":
            if facts.state in ("unknown", "stopped"):
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


def _asked_why(verb: Verb, facts: WorkerFacts) -> str:
    told = f"; it is {facts.state}" + (f": {facts.why}" if facts.why else "")
    words = {
        "start": "start",
        "restart": "restart",
        "stop": "stop",
        "release": "end its quarantine",
    }
    return f"a person asked to {words[verb]} it{told}"


def _start_step(worker: Worker) -> Step:
    place = f" in {clean(worker.cwd)}" if worker.cwd else ""
    return Step(f"start {worker.name}{place}", clean(shlex.join(worker.argv)))


def _stop_step(worker: Worker, pid: int | None) -> Step:
    patience = format_duration(worker.stop_timeout)
    return Step(f"send SIGTERM to pid {pid}, after {patience} SIGKILL", f"kill -TERM {pid}")


def _proof(worker: Worker) -> str:
    alive = f"a new process is alive after {format_duration(worker.min_uptime)}"
    if worker.ready is not None and worker.ready.heartbeat:
        return f"{alive} and wrote its heartbeat"
    return f"{alive} (alive only: no readiness check is made)"


def _on_failure(worker: Worker, memory: Memory, *, trial: bool) -> str:
    if trial:
        cool = format_duration(breaker.cool_down(worker, memory.level + 1))
        return f"quarantined again, for {cool}"
    return (
        f"tried again with a growing delay; after {worker.max_failures} failures in "
        f"{format_duration(worker.failure_window)} quarantined and told"
    )
