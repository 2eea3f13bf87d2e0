"""The steady times of a memory, kept right over a boot. Pure.

Steady time begins anew with every boot, near the wall clock of its first run. What counts of a
failure is its age; so the memory holds the moment of its newest change in steady and in wall
seconds, and when the boot is another one all its times are moved so that they are as old as they
were then, and as much older as the wall clock says has passed since. A wall clock that was set back
meanwhile makes nothing younger than it was.
"""

from __future__ import annotations

from msgspec.structs import replace

from healmon.clock import Reading
from healmon.workers.model import Memory


def carried_over(memory: Memory, boot: str, now: Reading) -> Memory:
    """Return the memory with all its steady times on the timeline of this boot."""
    if not boot or memory.boot == boot:
        return memory
    if not memory.boot or not memory.at:
        return replace(memory, boot=boot)
    passed = max(0.0, now.wall - memory.at_wall)
    shift = now.steady - passed - memory.at
    retry = _moved(memory.retry_at, shift)
    return replace(
        memory,
        boot=boot,
        up_since=memory.up_since + shift,
        down_since=_moved(memory.down_since, shift),
        starts=tuple(at + shift for at in memory.starts),
        failures=tuple(at + shift for at in memory.failures),
        fell=_moved(memory.fell, shift),
        began=_moved(memory.began, shift),
        storm=_moved(memory.storm, shift),
        goes_on=_moved(memory.goes_on, shift),
        retry_at=retry,
        retry_wall=round(now.wall + retry - now.steady) if retry is not None else 0.0,
    )


def stamped(before: Memory, memory: Memory, now: Reading) -> Memory:
    """Return the memory with the moment in it, if it has changed."""
    if memory == before:
        return memory
    return replace(memory, at=round(now.steady, 3), at_wall=round(now.wall, 3))


def _moved(at: float | None, shift: float) -> float | None:
    return at + shift if at is not None else None
