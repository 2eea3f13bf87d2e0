"""The workers' healer in words: findings, summaries, the lines of the cycle report. Pure.

Messages of findings hold no age and no countdown: they would be new at every look.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from typing import Final

import msgspec

from healmon.clock import format_utc
from healmon.config.settings import Worker
from healmon.plans import Finding, unpack
from healmon.state import ComponentView, Snapshot, of_healer
from healmon.text import clean
from healmon.units import format_duration, format_size
from healmon.workers.lifecycle import Judged
from healmon.workers.model import NAME, WorkerFacts

_GLYPHS: Final = {"critical": "🚨", "error": "🚨", "unhealthy": "⚠️ ", "warning": "⚠️ "}


def at(wall: float) -> str:
    """Return a moment as `12:03:11 UTC`."""
    return f"{format_utc(wall)[11:19]} UTC"


def down(worker: Worker, mine: Judged, held: str, count: int) -> str:
    """Return the message of the finding `down`."""
    memory, name = mine.memory, worker.name
    why = clean(memory.why) or "it is not running"
    window = format_duration(worker.failure_window)
    of = f"failure {count} of {worker.max_failures} in {window}"
    if mine.state == "up":
        pid = memory.identity.pid if memory.identity is not None else 0
        kind = "on trial after its quarantine" if memory.trial else "not yet proved to stay"
        return f"{name} is up again as pid {pid}, {kind}; before: {why}"
    if mine.state == "quarantined":
        trial = f"next trial at {at(memory.retry_wall)}"
        times = f"{count} failure{'s' * (count != 1)} in {window}"
        return f"{name} is quarantined: {why} ({times}); {trial}, or: healmon release {name}"
    if held:
        return f"{name} is down: {why}; not started ({clean(held)})"
    if mine.waits:
        return f"{name} is down: waits for {mine.waits}"
    if mine.state == "down":
        return (
            f"{name} is down: {why}; its policy is never to restart it: healmon start-worker {name}"
        )
    return f"{name} is down: {why} ({of})"


def flapping(worker: Worker) -> str:
    """Return the message of the finding `flapping`."""
    return f"{worker.name} fails again and again; it is started each time. See its output log"


def second_copy(worker: Worker, pids: Sequence[int]) -> str:
    """Return the message of the finding `second_copy`."""
    listed = " and ".join(str(pid) for pid in pids)
    told = f"stop all but one (healmon looks after {pids[0]})"
    return f"{worker.name} runs {len(pids)} times, as pids {listed}; {told}"


def silent(worker: Worker, pid: int, beat: float | None) -> str:
    """Return the message of the finding `silent`."""
    limit = format_duration(worker.heartbeat_max_age)
    if beat is None:
        told = f"there is no {clean(worker.heartbeat_file)}"
    else:
        told = f"the last was at {at(beat)}"
    return f"{worker.name} (pid {pid}) lives but gives no sign of life for over {limit}: {told}"


def fat(worker: Worker, pid: int) -> str:
    """Return the message of the finding `memory`."""
    limit = format_size(worker.memory_limit or 0)
    return f"{worker.name} (pid {pid}) holds more memory than its limit of {limit}"


def summary(facts: WorkerFacts, findings: Sequence[Finding]) -> str:
    """Return one line for the WHY column."""
    if facts.state == "up":
        # the name stands beside it
        return findings[0].message if findings else f"pid {facts.pid}, {_found(facts)}"
    told = facts.why or facts.last_end
    next_at = at(facts.next_at) if facts.next_at else "once it may be"
    count = f"failure {facts.failures} of {facts.max_failures}"
    words = {
        "backoff": f"{told}; {count}; next start {next_at}",
        "quarantined": f"quarantined: {told}; next trial {next_at}",
        "starting": f"starting; before: {told}" if told else "starting",
        "stopped": "stopped by a person",
        "completed": f"completed: {facts.last_end}",
    }
    return words.get(facts.state, told or facts.state)


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
    text = view.summary
    try:
        state = unpack(view.facts, WorkerFacts).state
    except msgspec.ValidationError:
        state = "unknown"
    if not text.startswith((view.name, state)):
        text = f"{state}: {text}" if state not in ("up", "stopped") else text
    if not text.startswith(view.name):
        text = f"{view.name}: {text}"
    return f"   {_GLYPHS.get(view.status, '❓')} {text}"
