"""What is wrong with a worker that lives: it does not answer, or takes too much memory. Pure."""

from __future__ import annotations

from typing import Final

from healmon.config.settings import HOUR, Worker
from healmon.text import clean
from healmon.units import format_size
from healmon.workers.model import WorkerSeen

OVER: Final = 3
"""Looks in a row above the memory limit after which a worker is replaced."""
FORESIGHT: Final = 24 * HOUR
"""Seconds ahead in which a limit that will be reached is told."""
TOLD: Final = 36 * HOUR
"""The same for one that has been told already, so that the alert does not chatter."""


def hung(one: WorkerSeen) -> str:
    """Return in words that a worker does not work, as its liveness check says; else empty."""
    check = one.liveness
    if check is None or not check.hard:
        return ""
    text = f": {clean(check.text)}" if check.text else ""
    return f"alive but hung: {check.failures} checks in a row failed{text}"


def fat(worker: Worker, one: WorkerSeen) -> str:
    """Return in words that a worker has been above its memory limit for too long; else empty."""
    if worker.memory_limit is None or one.use is None or one.use.over < OVER:
        return ""
    return f"it and all below it hold more memory than its limit of {_size(worker)}"


def ailing(worker: Worker, one: WorkerSeen) -> str:
    """Return why a worker that lives must be replaced; empty: it need not."""
    return hung(one) or fat(worker, one)


def forecast(worker: Worker, one: WorkerSeen, horizon: float) -> float | None:
    """Return in how many seconds a growing worker reaches its limit; None: not within `horizon`."""
    use, limit = one.use, worker.memory_limit
    if limit is None or use is None or use.slope is None or use.slope <= 0 or use.rss >= limit:
        return None
    seconds = (limit - use.rss) / use.slope * HOUR
    return seconds if seconds <= horizon else None


def _size(worker: Worker) -> str:
    return format_size(worker.memory_limit or 0)
