"""When a session last got on with its work. Pure."""

from __future__ import annotations

from collections.abc import Collection
from typing import Final

from msgspec.structs import replace

from healmon.clock import Reading
from healmon.sessions import novelty
from healmon.sessions.facts import Memory
from healmon.sessions.family import Family, spent
from healmon.sessions.novelty import Known
from healmon.sessions.probe import SessionSeen
from healmon.state import ActionView
from healmon.world.taskdb import Task

CPU_SHARE: Final = 0.5 / 60
"""CPU seconds per second from which silent processes count as working."""
CPU_LEAST: Final = 0.1
"""CPU seconds below which nothing is concluded: the kernel counts in hundredths."""
CPU_WINDOW: Final = 120.0
"""Seconds over which CPU time is measured."""
FUTURE: Final = 5.0
"""Seconds by which a task may seem to begin in the future before its time counts as unknown."""


def pane_key(seen: SessionSeen) -> str:
    """Return who the pane is, its process's start included."""
    ticks = 0 if seen.family is None else seen.family.ticks
    return f"{seen.pane.key}.{ticks}"


def begin(seen: SessionSeen, now: Reading, *, tasks_at: float, failed_wall: float) -> Memory:
    """Return what is remembered of a pane at first sight; being there counts as progress."""
    return Memory(
        key=pane_key(seen),
        size=(seen.pane.width, seen.pane.height),
        known=novelty.absorb(Known(), seen.screen, now.steady),
        progress_at=now.steady,
        tasks_at=tasks_at,
        cpu={} if seen.family is None else seen.family.cpu,
        cpu_at=now.steady,
        failed_wall=failed_wall,
    )


def follow(
    old: Memory, seen: SessionSeen, now: Reading, last: ActionView | None, *, jumped: bool
) -> Memory:
    """Return what is remembered after one more look.

    Args:
        old: what was remembered before.
        seen: the session now.
        now: this moment.
        last: the newest finished attempt to clear this session.
        jumped: the host slept since the look before.
    """
    tasks_at = (old.tasks_at or now.steady) if seen.tasks else 0.0
    failed = last.at if last is not None and not last.ok else old.failed_wall
    # a terminal or process table that could not be read does not make it another pane
    same = old.key == pane_key(seen) or (seen.family is None and old.key.startswith(seen.pane.key))
    resized = old.size != (seen.pane.width, seen.pane.height)
    if not same or resized or jumped or old.progress_at > now.steady:
        return begin(seen, now, tasks_at=tasks_at, failed_wall=failed)
    memory = replace(old, tasks_at=tasks_at, lost_at=0.0)
    if last is not None and not last.ok and last.at > old.failed_wall:
        # our own keys have left their marks on the screen: they are no progress
        known = novelty.absorb(old.known, seen.screen, now.steady)
        return replace(memory, known=known, failed_wall=last.at, failure=last.outcome)
    if novelty.novel(old.known, seen.screen, now.steady) or _works(old, seen.family, now.steady):
        return restarted(memory, seen, now)
    if seen.family is not None and now.steady - old.cpu_at >= CPU_WINDOW:
        return replace(memory, cpu=seen.family.cpu, cpu_at=now.steady)
    return memory


def restarted(memory: Memory, seen: SessionSeen, now: Reading) -> Memory:
    """Return what is remembered when there is progress right now."""
    return replace(
        memory,
        known=novelty.absorb(memory.known, seen.screen, now.steady),
        progress_at=now.steady,
        cpu={} if seen.family is None else seen.family.cpu,
        cpu_at=now.steady,
        failure="",
    )


def _works(old: Memory, kin: Family | None, now: float) -> bool:
    if kin is None:
        return False
    used, passed = spent(old.cpu, kin), now - old.cpu_at
    return used >= CPU_LEAST and used >= CPU_SHARE * passed


def limit_for(tasks: Collection[Task], stuck_after: float) -> float:
    """Return the seconds of quiet after which a session with these tasks is stuck."""
    return max((stuck_after, *(task.timeout for task in tasks if task.timeout is not None)))


def overdue(tasks: Collection[Task], memory: Memory, limit: float, now: Reading) -> bool:
    """Return whether a session is stuck on its tasks.

    There was no progress for `limit` seconds, and one of the tasks is at least as old; a task that
    does not say how old it is counts from when healmon first saw the session have tasks.
    """
    if now.steady - max(memory.progress_at, memory.tasks_at) < limit:
        return False
    ages = [None if t.assigned_at is None else now.wall - t.assigned_at for t in tasks]
    return any(age is None or age < -FUTURE or age >= limit for age in ages)
