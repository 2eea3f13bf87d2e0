"""What counts as progress of a session. Pure.

Progress is one of these, and nothing else:

    new lines      one for a job; for an agent two within a minute, or a count that moved by itself
    CPU time, I/O  of those in the family that do not paint, from a rate on; or a new child
    agent file     the agent wrote something down
    heartbeat      somebody said that the task is alive
"""

from __future__ import annotations

from collections.abc import Collection, Mapping
from typing import Final

from msgspec.structs import replace

from healmon.clock import Reading, Steps, age, shown
from healmon.sessions.facts import Memory
from healmon.sessions.family import COUNTED, Family, spent
from healmon.sessions.probe import SessionSeen
from healmon.text import clean
from healmon.world.taskdb import Task

MINUTE: Final = 60.0
CPU_SHARE: Final = 0.5 / MINUTE
"""CPU seconds per second from which silent processes count as working."""
CPU_LEAST: Final = 0.1
"""CPU seconds below which nothing is concluded: the kernel counts in hundredths."""
IO_SHARE: Final = 256 * 1024 / MINUTE
"""Bytes per second from which silent processes count as working."""
IO_LEAST: Final = 64 * 1024
LINES_A_MINUTE: Final = 2
"""New lines within a minute that an agent must show: one may be a change of its decoration."""
MINUTES: Final = 12
KEPT_LINES: Final = 5
UNKNOWN_FILE: Final = (0.0, 0)
FUTURE: Final = 5.0
"""Seconds by which a task may seem to begin in the future before its time counts as unknown."""


def progress_made(
    memory: Memory,
    seen: SessionSeen,
    found: Collection[str],
    *,
    counted: bool,
    agent: bool,
    now: Reading,
) -> str:
    """Return what progress there was, in words, or empty."""
    rules = (
        (found and not agent, "new lines"),
        (agent and memory.trickle >= LINES_A_MINUTE, "new lines"),
        (agent and counted, "a count that went on"),
        (_moved_file(memory, seen), "its agent's file moved"),
        (_beats(memory, seen), "a heartbeat of its task"),
    )
    told = next((word for applies, word in rules if applies), "")
    return told or _works(memory, seen.family, now.steady)


def noted(memory: Memory, found: Collection[str], now: Reading, *, private: bool) -> Memory:
    """Return the memory with new lines counted: by the minute, and towards progress."""
    minute = int(now.steady // MINUTE)
    passed = min(max(minute - memory.minute, 0), MINUTES)
    minutes = ((*(memory.minutes or (0,)), *(0,) * passed))[-MINUTES:]
    minutes = (*minutes[:-1], minutes[-1] + len(found))
    memory = replace(memory, minute=minute, minutes=minutes)
    if not found:
        return memory
    over = now.steady - memory.trickle_at > MINUTE
    shown = () if private else tuple(clean(line, limit=120) for line in found)
    return replace(
        memory,
        trickle=len(found) + (0 if over else memory.trickle),
        trickle_at=now.steady if over else memory.trickle_at,
        lines=(*memory.lines, *shown)[-KEPT_LINES:],
    )


def _works(old: Memory, kin: Family | None, now: float) -> str:
    if kin is None:
        return ""
    passed = max(now - old.cpu_at, 0.0)
    used = spent(old.cpu, kin)
    if used >= CPU_LEAST and used >= CPU_SHARE * passed:
        return f"{used:.1f} s of CPU time"
    moved = _moved(old.io, kin)
    if moved >= IO_LEAST and moved >= IO_SHARE * passed:
        return f"{moved // 1024} KiB read and written"
    return "a new child" if _newcomer(old.cpu, kin) else ""


def _moved(before: Mapping[str, int], kin: Family) -> int:
    return sum(
        max(count - before.get(name, 0 if before else count), 0)
        for name, count in kin.io.items()
        if name not in kin.painters
    )


def _newcomer(before: Mapping[str, float], kin: Family) -> bool:
    """Return whether somebody is there who was not; of an agent's children only tools count."""
    if not before or max(len(before), len(kin.cpu)) >= COUNTED or (kin.agent and not kin.tool):
        return False
    return any(name not in before and name not in kin.painters for name in kin.cpu)


def file_of(seen: SessionSeen) -> tuple[float, int]:
    """Return when what its agent writes down last changed, and how much it is."""
    file = seen.agent_file
    return UNKNOWN_FILE if file is None else (file.changed, file.size)


def _moved_file(memory: Memory, seen: SessionSeen) -> bool:
    known = seen.agent_file is not None and memory.file != UNKNOWN_FILE
    return known and file_of(seen) != memory.file


def _beats(memory: Memory, seen: SessionSeen) -> bool:
    """Return whether a heartbeat came; that of other tasks only if it is newer than all."""
    beat = beat_of(seen.tasks)
    if memory.beat_of != memory.tasks:
        return beat > memory.beat_wall
    return beat not in {0.0, memory.beat_wall}  # it is older where the clock was set back


def beat_of(tasks: Collection[Task]) -> float:
    """Return wall seconds of the newest heartbeat of these tasks, 0.0 for none."""
    return max((task.beat_at or 0.0 for task in tasks), default=0.0)


def limit_for(tasks: Collection[Task], stuck_after: float) -> float:
    """Return the seconds of quiet after which a session with these tasks is stuck."""
    chosen = [s for task in tasks for s in (task.timeout, task.stuck_after) if s is not None]
    return max((stuck_after, *chosen))


def old_enough(tasks: Collection[Task], limit: float, now: Reading, steps: Steps = ()) -> bool:
    """Return whether one of the tasks is as old as `limit`, or does not say how old it is.

    `steps` tells when the clock was set: no task is old by that.
    """
    return any(
        task.assigned_at is None
        or not shown(steps, task.assigned_at - FUTURE, now.wall)
        or age(steps, task.assigned_at, now.wall) >= limit
        for task in tasks
    )
