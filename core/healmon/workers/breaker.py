"""When to try again, and when to give up for a while. Pure.

Three answers to a failure, in this order:

* *backoff*: `restart_delay`, doubled with every failure in a row, at most `restart_delay_max`. The
  first delay is exact; later ones are spread by 20 % so that workers that fell together do not
  stand up together.
* *quarantine*: `max_failures` within `failure_window` open the breaker. Nothing is tried until
  the cool-down (`quarantine`) is over; then there is one trial. A trial that fails opens the
  breaker again, for twice as long, up to six hours. A trial that is stable closes it.
* *flapping*: failures too slow for the window, and too many for a day, are told; the worker is
  still started again.
"""

from __future__ import annotations

import zlib
from collections.abc import Callable
from typing import Final

from msgspec.structs import replace

from healmon.clock import Reading
from healmon.config.settings import HOUR, Worker
from healmon.workers.model import Memory

JITTER: Final = 0.2
COOL_DOWN_MAX: Final = 6 * HOUR
MEMORY_SPAN: Final = 6 * HOUR
"""Seconds that a failure is remembered."""
FLAPPING: Final = 2
"""Times `max_failures` within `MEMORY_SPAN` that count as flapping."""

Spread = Callable[[str, int], float]
"""From a worker's name and its failures in a row to the factor of the delay."""


def spread(name: str, row: int, jitter: float = JITTER) -> float:
    """Return a factor of 1 ± `jitter`, always the same for the same name and row."""
    unit = zlib.crc32(f"{name}:{row}".encode()) / 0xFFFFFFFF
    return 1.0 + jitter * (2.0 * unit - 1.0)


def delay(worker: Worker, row: int, jitter: float = JITTER) -> float:
    """Return the seconds to wait after so many failures in a row."""
    row = max(1, row)
    plain = worker.restart_delay * 2.0 ** min(row - 1, 32)
    factor = spread(worker.name, row, jitter) if row > 1 else 1.0
    # a first delay above the limit is what the operator wrote: it is kept
    return min(plain * factor, max(worker.restart_delay, worker.restart_delay_max))


def cool_down(worker: Worker, level: int) -> float:
    """Return the seconds of a quarantine that follows `level` failed trials."""
    return min(worker.quarantine * 2.0 ** min(level, 32), max(worker.quarantine, COOL_DOWN_MAX))


def recent(worker: Worker, memory: Memory, now: Reading) -> int:
    """Return the number of failures within the window."""
    return sum(1 for at in memory.failures if at > now.steady - worker.failure_window)


def flapping(worker: Worker, memory: Memory, now: Reading) -> bool:
    """Return whether a worker fails again and again, though never fast enough for quarantine."""
    count = sum(1 for at in memory.failures if at > now.steady - MEMORY_SPAN)
    return count >= FLAPPING * worker.max_failures


def failed(
    worker: Worker, memory: Memory, now: Reading, why: str, *, lived: float, jitter: float
) -> Memory:
    """Return the memory after one more failure: a retry is due, or the breaker opens.

    Args:
        worker: its settings.
        memory: before.
        now: when the failure was seen.
        why: what happened, in words.
        lived: seconds that it was up before.
        jitter: spread of the delays.
    """
    kept = [at for at in memory.failures if at > now.steady - MEMORY_SPAN]
    memory = replace(
        memory,
        failures=(*kept, now.steady)[-4 * worker.max_failures :],
        row=memory.row + 1,
        hosts=0,
        longest=max(memory.longest, lived),
        why=why,
    )
    # one that was never seen up gets no more starts than one that fell
    count = recent(worker, memory, now) + memory.absent
    if memory.trial or count >= worker.max_failures:
        return quarantined(worker, memory, now, why)
    return _retry(memory, now, delay(worker, memory.row, jitter))


def absent(worker: Worker, memory: Memory, now: Reading, why: str, jitter: float) -> Memory:
    """Return the memory of one that was never seen up, or not since the boot: no failure."""
    return _retry(replace(memory, why=why, absent=True), now, delay(worker, 1, jitter))


def host_failed(worker: Worker, memory: Memory, now: Reading, why: str, jitter: float) -> Memory:
    """Return the memory after a start that the host was to blame for: no budget is used."""
    memory = replace(memory, hosts=memory.hosts + 1, why=why)
    return _retry(memory, now, delay(worker, max(1, memory.row) + memory.hosts - 1, jitter))


def quarantined(worker: Worker, memory: Memory, now: Reading, why: str) -> Memory:
    """Return the memory with the breaker open until the cool-down is over."""
    level = memory.level + 1 if memory.trial else memory.level
    memory = replace(memory, quarantined=True, trial=False, level=level, why=why)
    return _retry(memory, now, cool_down(worker, level))


def hopeless(worker: Worker, memory: Memory, now: Reading, why: str) -> Memory:
    """Return the memory after a failure that no retry mends: quarantine at once."""
    memory = replace(memory, failures=(*memory.failures, now.steady), row=memory.row + 1, hosts=0)
    return quarantined(worker, memory, now, why)


def _retry(memory: Memory, now: Reading, seconds: float) -> Memory:
    return replace(memory, retry_at=now.steady + seconds, retry_wall=round(now.wall + seconds))


def forgiven(memory: Memory) -> Memory:
    """Return the memory with the breaker closed and all failures forgotten."""
    return replace(
        memory,
        failures=(),
        row=0,
        hosts=0,
        longest=0.0,
        level=0,
        absent=False,
        quarantined=False,
        trial=False,
        retry_at=None,
        retry_wall=0.0,
        why="",
    )


def stable(memory: Memory) -> Memory:
    """Return the memory of a worker that has been up long enough: its row of failures is over."""
    return replace(memory, row=0, hosts=0, longest=0.0, level=0, absent=False, trial=False, why="")
