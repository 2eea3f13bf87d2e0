"""What was changed on disk since a worker was started: often the cause of what ails it."""

from __future__ import annotations

from healmon.clock import Reading
from healmon.config.settings import Worker
from healmon.errors import ProbeError
from healmon.text import clean
from healmon.units import format_duration
from healmon.world import farfiles, notes

GRAIN = 1.0
"""Seconds: what was written within the second of the start was written for it."""


def since(worker: Worker, started: float, now: Reading) -> str:
    """Return what changed since a start, in words; empty: nothing that can be seen.

    What another host must answer for is not asked: while it is away, it would keep us from all.

    Args:
        worker: its settings.
        started: wall seconds of the start.
        now: the time; what is younger than that was not changed yet.
    """
    program = worker.argv[0]
    paths = [worker.script, program if "/" in program else notes.find_program(program)]
    for path in paths:
        if not path or farfiles.far(path) is not None:
            continue
        try:
            changed = notes.changed_at(path)
        except ProbeError:
            continue
        if changed is None:
            return f"{clean(path)} is gone since it was started"
        if started + GRAIN < changed <= now.wall:
            after = format_duration(changed - started)
            return f"{clean(path)} changed {after} after it was started"
    return ""
