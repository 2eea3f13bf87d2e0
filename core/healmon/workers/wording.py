"""The workers' healer in words: findings, summaries, the lines of the cycle report. Pure.

Messages of findings hold no age and no countdown: they would be new at every look.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from typing import Final

import msgspec

from healmon.clock import Reading, format_utc
from healmon.config.settings import Ready, Worker
from healmon.plans import Finding, unpack
from healmon.state import ComponentView, Snapshot, of_healer
from healmon.text import as_typed, clean
from healmon.units import format_duration, format_size
from healmon.workers import machine
from healmon.workers.lifecycle import Judged, strangers
from healmon.workers.model import NAME, Blocker, State, WorkerFacts
from healmon.workers.planning import counted

_GLYPHS: Final = {"critical": "🚨", "error": "🚨", "unhealthy": "⚠️ ", "warning": "⚠️ "}


def at(wall: float) -> str:
    """Return a moment as `12:03:11 UTC`."""
    return f"{format_utc(wall)[11:19]} UTC"


def say(state: State) -> str:
    """Return the word of a state as people read it: `waiting for another`, `stop failed`."""
    return "waiting for another" if state == "waiting_dependency" else state.replace("_", " ")


def down(mine: Judged, held: str, now: Reading) -> str:
    """Return the message of the finding `down`."""
    worker, memory, name = mine.look.worker, mine.memory, mine.look.worker.name
    why = clean(memory.cause or memory.why) or "it is not running"
    of = counted(worker, memory, now)
    if mine.state in machine.ALIVE:
        # one that its shim started by itself is seen before it is remembered
        identity = memory.identity or mine.look.identity
        who = f" as pid {identity.pid}" if identity is not None else ""
        kind = "on trial after its quarantine" if memory.trial else "not yet proved to stay"
        return f"{name} is up again{who}, {kind}; before: {why}"
    if mine.state == "quarantined":
        return f"{name} is quarantined: {why} ({of}); {_way_out(mine)}"
    if held:
        return f"{name} is down: {why}; not started ({clean(held)})"
    return f"{name} is down: {_held_up(mine) or f'{why} ({of})'}"


def _held_up(mine: Judged) -> str:
    """Return what keeps a worker from being started, other than its own backoff."""
    worker, memory = mine.look.worker, mine.memory
    if mine.state == "blocked":
        listed = ", ".join(blocker(one) for one in strangers(mine.look.one))
        return f"{listed}; it is started once that is free"
    if mine.waits:
        return f"waits for {mine.waits}"
    if mine.state == "down":
        why = clean(memory.cause or memory.why) or "it is not running"
        start = f"healmon start-worker {as_typed(worker.name)}"
        return f"{why}; its policy is never to restart it: {start}"
    return ""


def _way_out(mine: Judged) -> str:
    """Return how a quarantine ends."""
    worker, memory = mine.look.worker, mine.memory
    release = f"healmon release {as_typed(worker.name)}"
    if memory.retry_at is None:
        return f"{memory.trials} trials failed, there are no more: {release}"
    if mine.waits:
        return f"its trial waits for {mine.waits}, or: {release}"
    return f"next trial at {at(memory.retry_wall)}, or: {release}"


def blocker(one: Blocker) -> str:
    """Return who holds what: `port 8080 is held by pid 12 (nginx)`."""
    if one.identity is None:
        return f"{clean(one.what)} is held by somebody who cannot be named"
    named = f" ({clean(one.command, limit=80)})" if one.command else ""
    return f"{clean(one.what)} is held by pid {one.identity.pid}{named}"


def stop_failed(mine: Judged) -> str:
    """Return the message of the finding `stop_failed`."""
    identity, why = mine.look.identity, clean(mine.memory.why)
    pid = identity.pid if identity is not None else 0
    told = f": {why}" if why else ""
    return (
        f"{mine.look.worker.name}: pid {pid} could not be ended{told}; no second copy is started "
        "while it is there"
    )


def unhealthy(mine: Judged, held: str) -> str:
    """Return the message of the findings `unhealthy` and `memory`, for one to be replaced."""
    worker, memory, identity = mine.look.worker, mine.memory, mine.look.identity
    pid = identity.pid if identity is not None else 0
    lead = f"{worker.name} (pid {pid}): {clean(memory.sick or memory.why)}"
    if mine.look.goal == "down":
        return f"{lead}; left alone: a person stopped it, and somebody else started it"
    if held:
        return f"{lead}; not replaced ({clean(held)})"
    if memory.retry_at is None:
        return f"{lead}; {memory.trials} trials failed: healmon restart {as_typed(worker.name)}"
    return f"{lead}; it is replaced unless it gets well"


def flapping(worker: Worker) -> str:
    """Return the message of the finding `flapping`."""
    window = format_duration(worker.slow_window)
    return (
        f"{worker.name} fails again and again: {worker.slow_failures} times in {window} or more. "
        "See its output log"
    )


def second_copy(worker: Worker, pids: Sequence[int]) -> str:
    """Return the message of the finding `second_copy`."""
    listed = " and ".join(str(pid) for pid in pids)
    told = f"stop all but one (healmon looks after {pids[0]})"
    return f"{worker.name} runs {len(pids)} times, as pids {listed}; {told}"


def unchecked(worker: Worker, key: str, probe: Ready, text: str) -> str:
    """Return the message of the finding `unchecked`.

    Args:
        worker: whose check it is.
        key: `liveness` or `ready`.
        probe: the check.
        text: why it cannot be made.
    """
    where = f"workers.{worker.name}.{key}"
    told = "it is not restarted for that; whether it works cannot be told meanwhile"
    if not probe.command:
        return f"{worker.name}: its check {where} cannot be made: {clean(text)}; {told}"
    mend = f"make {clean(probe.command[0])} a program that can be run, or correct {where}.command"
    return f"{worker.name}: {clean(text)}; {told}: {mend}"


def unready(worker: Worker, reason: str) -> str:
    """Return the message of the finding `unready`."""
    key = f"workers.{worker.name}.start_timeout"
    mend = f"healmon restart {as_typed(worker.name)}, or a longer {key}"
    return f"{worker.name}: {clean(reason)}; it is not replaced for that: {mend}"


def unheard(worker: Worker, text: str) -> str:
    """Return the message of the finding `unchecked` about a heartbeat that cannot be told."""
    where = f"workers.{worker.name}.heartbeat_file"
    return f"{worker.name}: its heartbeat ({where}) cannot be told, nothing follows: {clean(text)}"


def silent(worker: Worker, pid: int, beat: float | None) -> str:
    """Return the message of the finding `silent`."""
    limit = format_duration(worker.heartbeat_max_age)
    if beat is None:
        told = f"there is no {clean(worker.heartbeat_file)}"
    else:
        told = f"the last was at {at(beat)}"
    return f"{worker.name} (pid {pid}) lives but gives no sign of life for over {limit}: {told}"


def fat(worker: Worker, pid: int) -> str:
    """Return the message of the finding `memory`, for one that is not yet to be replaced."""
    limit = format_size(worker.memory_limit or 0)
    return f"{worker.name} (pid {pid}) holds more memory than its limit of {limit}"


def growing(worker: Worker, pid: int, slope: float, when: float) -> str:
    """Return the message of the finding `memory_growth`; `when` in wall seconds."""
    limit, rate = format_size(worker.memory_limit or 0), format_size(round(slope))
    return (
        f"{worker.name} (pid {pid}) grows by {rate} an hour: its limit of {limit} is reached at "
        f"about {format_utc(when)[:16]} UTC, and it is replaced then"
    )


def summary(facts: WorkerFacts, findings: Sequence[Finding]) -> str:
    """Return one line for the WHY column."""
    if facts.state in {"healthy", "trial", "unhealthy", "stop_failed"}:
        # the name stands beside it
        return findings[0].message if findings else f"pid {facts.pid}, {_found(facts)}"
    told = facts.why or facts.last_end
    if facts.state == "down" and facts.desired == "down":
        return "stopped by a person"
    next_at = at(facts.next_at) if facts.next_at else "once it may be"
    trial = f"next trial {next_at}" if facts.next_at else "waits for a person"
    words: dict[State, str] = {
        "backoff": f"{told}; {_count(facts)}; next start {next_at}",
        "quarantined": f"quarantined: {told}; {trial}",
        "starting": f"starting; before: {told}" if told else "starting",
        "probation": f"not yet proved; before: {told}" if told else "not yet proved",
        "stopping": f"stopping: {told}" if told else "stopping",
        "completed": f"completed: {facts.last_end}",
    }
    return words.get(facts.state, told or say(facts.state))


def _count(facts: WorkerFacts) -> str:
    if facts.slow * facts.max_failures > facts.failures * facts.max_slow:
        return f"failure {facts.slow} of {facts.max_slow}"
    return f"failure {facts.failures} of {facts.max_failures}"


def _found(facts: WorkerFacts) -> str:
    return f"found by {facts.how}" if facts.how in ("pid file", "command line") else "spawned"


def report(known: Snapshot) -> list[str]:
    """Return the lines of the cycle report: how many are healthy, and one for each that is not."""
    workers = of_healer(known, NAME)
    if not workers:
        return ["   No workers configured"]
    healthy = sum(1 for view in workers.values() if view.status == "healthy")
    lines = [f"   Workers: {healthy}/{len(workers)} healthy"]
    return lines + [_line(view) for view in _worst_first(workers.values())]


def _worst_first(views: Iterable[ComponentView]) -> list[ComponentView]:
    order = ["critical", "error", "unhealthy", "warning", "unknown"]
    ill = [view for view in views if view.status != "healthy"]
    return sorted(ill, key=lambda v: order.index(v.status) if v.status in order else len(order))


def _line(view: ComponentView) -> str:
    text, state = view.summary, "unknown"
    try:
        facts = unpack(view.facts, WorkerFacts)
    except msgspec.ValidationError:
        pass
    else:
        state = say(facts.state)
        if facts.state in machine.ALIVE or facts.desired == "down":
            state = ""
    if state and not text.startswith((view.name, state)):
        text = f"{state}: {text}"
    if not text.startswith(view.name):
        text = f"{view.name}: {text}"
    return f"   {_GLYPHS.get(view.status, '❓')} {text}"
