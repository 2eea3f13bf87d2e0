"""The plans that healmon itself makes for workers: what, why, and how it will be proved. Pure."""

from __future__ import annotations

import shlex
from typing import Final

from msgspec.structs import replace

from healmon.clock import Reading
from healmon.config.settings import Worker
from healmon.plans import Plan, Step, pack
from healmon.redact import redact_words
from healmon.text import clean
from healmon.units import format_duration
from healmon.workers import breaker, machine
from healmon.workers.attempts import next_number
from healmon.workers.lifecycle import Judged, strangers
from healmon.workers.model import NAME, Blocker, Memory, Order, Verb

ACTIONS: Final[dict[Verb, str]] = {
    "start": "start_worker",
    "restart": "restart_worker",
    "stop": "stop_worker",
    "release": "release_worker",
}


def due(mine: Judged, now: Reading) -> float | None:
    """Return the steady time at which healmon wants to act on a worker; None: it does not."""
    memory, at = mine.memory, mine.memory.retry_at
    if mine.state not in machine.ACTIVE or mine.look.one.acting:
        return None
    match mine.state:
        case "stopping" | "probation":
            return memory.goes_on if mine.half is not None else None
        case "backoff":
            return at if at is not None else now.steady
        case "quarantined":
            # nothing is planned for hours ahead; without a moment it waits for a person
            held = bool(mine.waits or strangers(mine.look.one))
            return at if at is not None and at <= now.steady and not held else None
        case _:  # unhealthy
            if not memory.sick or at is None or mine.look.goal == "down":
                return None
            return at if at <= now.steady or not memory.chance else None


def planned(mine: Judged, now: Reading, at: float, turn: str = "") -> Plan:
    """Return the plan for a worker that is to be acted on.

    Args:
        mine: the worker.
        now: the time of the look.
        at: steady time of the act.
        turn: why that is later than it need be for the worker's own sake.
    """
    if mine.half is not None:
        plan = _finish_plan(mine)
    elif mine.state == "unhealthy":
        plan = _replace_plan(mine)
    else:
        plan = _start_plan(mine, now)
    why = f"{plan.why}; {turn}" if turn else plan.why
    return replace(plan, why=clean(why), delay=round(max(0.0, at - now.steady), 3))


def _start_plan(mine: Judged, now: Reading) -> Plan:
    """Return the plan to start a worker that is down."""
    worker, memory = mine.look.worker, mine.memory
    trial = memory.quarantined or memory.trial
    orphans = orphans_of(mine.look.one.blockers)
    order = Order(
        verb="restart",
        number=next_number(memory),
        trial=trial,
        again=breaker.failing(memory),
        orphans=tuple(b.identity for b in orphans if b.identity is not None),
    )
    if trial:
        why = f"down: {memory.why}; the quarantine is over: one trial"
    else:
        why = f"down: {memory.why}; {counted(worker, memory, now)} that are let pass"
    return _plan(worker, memory, order, why, (*map(_orphan_step, orphans), start_step(worker)))


def _replace_plan(mine: Judged) -> Plan:
    """Return the plan to end a worker that does not work, and to start it anew."""
    worker, memory, identity = mine.look.worker, mine.memory, mine.look.identity
    assert identity is not None
    order = Order(
        verb="restart",
        number=next_number(memory),
        identity=identity,
        trial=memory.chance,
        sick=True,
        again=breaker.failing(memory),
    )
    why = f"{memory.sick}; unless it is well again by then, it is replaced"
    if memory.chance:
        why += ": one trial"
    return _plan(worker, memory, order, why, (stop_step(worker, identity.pid), start_step(worker)))


def starts_none(mine: Judged) -> bool:
    """Return whether what is gone on with starts no process."""
    return mine.half is not None and (mine.state == "probation" or _ends_only(mine))


def _ends_only(mine: Judged) -> bool:
    half, wish = mine.half, mine.look.one.wish
    if mine.look.goal == "down" or half is None or half.verb != "stop":
        return mine.look.goal == "down"
    # who wanted it up again since was cut short, or called off, before that was on record
    return wish is None or wish.number <= half.wish or wish.desired == "down"


def _finish_plan(mine: Judged) -> Plan:
    """Return the plan to go on with what a killed healmon, or a shim, began, under its number."""
    worker, memory, half, identity = mine.look.worker, mine.memory, mine.half, mine.look.identity
    assert half is not None
    by = f" for {clean(half.origin)}" if half.origin not in ("", "healmon") else ""
    if mine.state == "probation":
        assert identity is not None
        verb: Verb = half.verb
        left = f"{half.reason}," if half.reason else f"healmon ended{by}"
        why = f"{left} before it had proved its start of pid {identity.pid}: that goes on"
        if half.granted:
            why = f"down: {memory.why}; its shim started it again at once, as pid {identity.pid}"
        steps: tuple[Step, ...] = (Step(f"prove that pid {identity.pid} is well"),)
    else:
        verb = "stop" if _ends_only(mine) else "start" if half.verb == "stop" else half.verb
        pid = half.old.pid if half.old is not None else None
        left = f"{half.reason}," if half.reason else "healmon ended"
        why = f"{left} while it was stopping pid {pid}{by}: that goes on"
        steps = (stop_step(worker, pid),)
        steps += () if verb == "stop" else (start_step(worker),)
    order = Order(
        verb=verb,
        number=half.number,
        identity=identity,
        trial=half.trial,
        again=breaker.failing(memory),
        proves=mine.state == "probation",
    )
    return _plan(worker, memory, order, why, steps)


def _plan(worker: Worker, memory: Memory, order: Order, why: str, steps: tuple[Step, ...]) -> Plan:
    place = f"pid {order.identity.pid}, " if order.identity is not None else ""
    return Plan(
        healer=NAME,
        component=worker.name,
        action=ACTIONS[order.verb],
        subject=f"{place}start {order.number}",
        why=clean(why),
        steps=steps,
        proof=proof(worker) if order.verb != "stop" else GONE,
        on_failure=on_failure(worker, memory, trial=order.trial),
        order=pack(order),
        cooldown=0.0,
        tier=1,
    )


# Words that the plans of healmon and those of a person have in common.

GONE: Final = "its process is gone; healmon leaves it down"


def counted(worker: Worker, memory: Memory, now: Reading) -> str:
    """Return which failure it was, of how many: in the window that is fuller."""
    fast, slow = breaker.recent(worker, memory, now), breaker.slow(worker, memory, now)
    if slow * worker.max_failures > fast * worker.slow_failures:
        window = format_duration(worker.slow_window)
        return f"failure {slow} of {worker.slow_failures} in {window}"
    return f"failure {fast} of {worker.max_failures} in {format_duration(worker.failure_window)}"


def orphans_of(blockers: tuple[Blocker, ...]) -> tuple[Blocker, ...]:
    """Return who is left over from an earlier run and can be ended."""
    return tuple(b for b in blockers if b.orphan and b.identity is not None)


def start_step(worker: Worker) -> Step:
    """Return the step that starts a worker."""
    place = f" in {clean(worker.cwd)}" if worker.cwd else ""
    return Step(f"start {worker.name}{place}", clean(shlex.join(redact_words(worker.argv))))


def stop_step(worker: Worker, pid: int | None) -> Step:
    """Return the step that ends a process of a worker."""
    patience = format_duration(worker.stop_timeout)
    return Step(f"send SIGTERM to pid {pid}, after {patience} SIGKILL", f"kill -TERM {pid}")


def _orphan_step(orphan: Blocker) -> Step:
    assert orphan.identity is not None
    pid = orphan.identity.pid
    named = f" ({clean(orphan.command)})" if orphan.command else ""
    text = f"end pid {pid}{named}, left over from an earlier run: it holds {orphan.what}"
    return Step(text, f"kill -TERM {pid}")


def proof(worker: Worker) -> str:
    """Return how a start is proved."""
    alive = f"a new process is alive after {format_duration(worker.min_uptime)}"
    ready = worker.ready
    if ready is None:
        return f"{alive} (alive only: no readiness check is made)"
    if ready.heartbeat:
        return f"{alive} and wrote its heartbeat"
    return f"{alive} and its readiness check passes within {format_duration(worker.start_timeout)}"


def on_failure(worker: Worker, memory: Memory, *, trial: bool) -> str:
    """Return what happens when a start cannot be proved."""
    if trial:
        cool = format_duration(breaker.cool_down(worker, memory.level + memory.opened))
        return f"quarantined again, for {cool}"
    return (
        f"tried again with a growing delay; after {worker.max_failures} failures in "
        f"{format_duration(worker.failure_window)}, or {worker.slow_failures} in "
        f"{format_duration(worker.slow_window)}, quarantined and told"
    )
