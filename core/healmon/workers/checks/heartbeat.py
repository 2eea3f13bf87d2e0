"""Ready, and alive, when its heartbeat file is young and was written since it was started."""

from __future__ import annotations

from functools import partial

from healmon.clock import age
from healmon.units import format_duration
from healmon.workers.beats import CLOCK_GRAIN
from healmon.workers.checks.model import Doors, Outcome, Subject


async def check(subject: Subject, doors: Doors) -> Outcome:
    """Return whether a worker beats.

    Before its first beat nothing follows for as long as one beat may take.
    """
    worker, now = subject.worker, doors.clock.read()
    beat, old = await doors.hands.call(partial(doors.beats.age, worker, now, doors.clock.steps))
    limit = format_duration(worker.heartbeat_max_age)
    if beat is None or old is None or not written_since(subject, beat):
        young = age(doors.clock.steps, subject.born, now.wall) <= worker.heartbeat_max_age
        text = "it has written no heartbeat since it was started"
        return Outcome(None if young else False, text, young)
    if old > worker.heartbeat_max_age:
        return Outcome(ok=False, text=f"its heartbeat is older than {limit}")
    return Outcome(ok=True, text="heartbeat written")


def written_since(subject: Subject, beat: float) -> bool:
    """Return whether a beat came after the start.

    The one that was there before it is the better witness: the wall clock may have been set.
    """
    if subject.beat is not None:
        return beat != subject.beat
    return beat >= subject.born - CLOCK_GRAIN
