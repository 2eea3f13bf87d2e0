"""When to try again, and when to give up for a while. Pure.

Three answers to a failure, in this order:

* *backoff*: `restart_delay`, doubled with every failure in a row, at most `restart_delay_max`. The
  first delay is exact; later ones are spread by 20 % so that workers that fell together do not
  stand up together. A worker that is up for `stable_after` has no row any more.
* *quarantine*: `max_failures` within `failure_window`, or `slow_failures` within `slow_window`,
  open the breaker: the first catches a worker that falls at once, the second one that falls every
  eleven minutes. Every failure counts, however long the life before it was. Nothing is tried until
  the cool-down (`quarantine`) is over; then there is exactly one trial. A trial that is stable
  closes the breaker; a trial that fails opens it again, for twice as long, up to `quarantine_max`.
  A worker that is not critical gets `max_trials` of them and is then left to a person; a critical
  one never stops getting trials.
* *flapping*: failures that fill the slow window are told until they no longer do.

No budget is spent by what is not the worker's fault: a host that lacks something, a stranger that
holds its port, another worker that is waited for, what a person asks, maintenance, and healmon's
own death in the midst of an act.
"""

from __future__ import annotations

import zlib
from collections.abc import Callable
from typing import Final

from msgspec.structs import replace

from healmon.clock import Reading
from healmon.config.settings import Worker
from healmon.workers.model import Memory

JITTER: Final = 0.2
CANNOT_RUN: Final = (126, 127)
"""Exit codes by which a shell says that a command cannot be run, or is not there."""

AFRESH: Final = 60.0
"""Seconds of a life after which a failure is news; that one fails at once again is none."""

Spread = Callable[[str, int], float]
"""From a worker's name and its failures in a row to the factor of the delay."""


def spread(name: str, row: int, jitter: float = JITTER) -> float:
    """Return a factor of 1 ± `jitter`, always the same for the same name and row."""
    unit = zlib.crc32(f"{name}:{row}".encode()) / 0xFFFFFFFF
    return 1.0 + jitter * (2.0 * unit - 1.0)


def delay(worker: Worker, row: int, jitter: float = JITTER) -> float:
    """Return the seconds to wait after so many failures in a row."""
    row = max(1, row)
    # a first delay above the limit is what the operator wrote: it is kept
    longest = max(worker.restart_delay, worker.restart_delay_max)
    plain = min(longest, worker.restart_delay * 2.0 ** min(row - 1, 32))
    return plain * (spread(worker.name, row, jitter) if row > 1 else 1.0)


def cool_down(worker: Worker, level: int) -> float:
    """Return the seconds of a quarantine that the breaker has been opened again for so often."""
    longest = max(worker.quarantine, worker.quarantine_max)
    return min(worker.quarantine * 2.0 ** min(level, 32), longest)


def recent(worker: Worker, memory: Memory, now: Reading) -> int:
    """Return the number of failures within the fast window."""
    return sum(1 for at in memory.failures if at > now.steady - worker.failure_window)


def slow(worker: Worker, memory: Memory, now: Reading) -> int:
    """Return the number of failures within the slow window."""
    return sum(1 for at in memory.failures if at > now.steady - worker.slow_window)


def flapping(worker: Worker, memory: Memory, now: Reading) -> bool:
    """Return whether a worker fails again and again, be it ever so slowly."""
    return slow(worker, memory, now) >= worker.slow_failures


def spent(worker: Worker, memory: Memory, now: Reading, more: int = 0) -> bool:
    """Return whether a budget is used up, be it only after so many `more` failures."""
    # one that was never seen up gets no more starts than one that fell
    fast = recent(worker, memory, now) + memory.absent + more
    return fast >= worker.max_failures or slow(worker, memory, now) + more >= worker.slow_failures


def failing(memory: Memory) -> bool:
    """Return whether a worker fails again and again: a new start of it will hardly last."""
    return memory.row + memory.hosts > 1


def _began(memory: Memory, now: Reading, lived: float) -> float:
    """Return when the trouble began that a failure now belongs to."""
    goes_on = memory.sick or ((memory.row or memory.hosts) and lived < AFRESH)
    return memory.began if goes_on and memory.began is not None else now.steady


def forsaken(worker: Worker, memory: Memory) -> bool:
    """Return whether a worker gets no more trials and waits for a person."""
    return not worker.critical and memory.trials >= worker.max_trials


def noted(worker: Worker, memory: Memory, now: Reading, why: str, lived: float) -> Memory:
    """Return the memory with one more failure in it; nothing is decided."""
    span = max(worker.failure_window, worker.slow_window)
    kept = [at for at in memory.failures if at > now.steady - span]
    most = max(4 * worker.max_failures, 2 * worker.slow_failures)
    return replace(
        memory,
        failures=(*kept, now.steady)[-most:],
        fell=now.steady,
        began=_began(memory, now, lived),
        row=memory.row + 1,
        hosts=0,
        cuts=0,
        longest=max(memory.longest, lived),
        why=why,
    )


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
    memory = noted(worker, memory, now, why, lived)
    if memory.trial or spent(worker, memory, now):
        return quarantined(worker, memory, now, why)
    return _retry(memory, now, delay(worker, memory.row, jitter))


def absent(worker: Worker, memory: Memory, now: Reading, why: str, jitter: float) -> Memory:
    """Return the memory of one that was never seen up, or not since the boot: no failure."""
    return _retry(replace(memory, why=why, absent=True), now, delay(worker, 1, jitter))


def excused(worker: Worker, memory: Memory, now: Reading, why: str, jitter: float) -> Memory:
    """Return the memory of one that ended through no fault of its own: no budget is used."""
    return _retry(replace(memory, why=why), now, delay(worker, max(1, memory.row), jitter))


def host_failed(worker: Worker, memory: Memory, now: Reading, why: str, jitter: float) -> Memory:
    """Return the memory after a start that the host was to blame for: no budget is used."""
    memory = replace(memory, fell=now.steady, began=_began(memory, now, 0.0))
    return barred(worker, memory, now, why, jitter)


def barred(worker: Worker, memory: Memory, now: Reading, why: str, jitter: float) -> Memory:
    """Return the memory after a start that somebody else was in the way of: no budget is used."""
    memory = replace(memory, hosts=memory.hosts + 1, why=why)
    # waited for longer each time all the same
    return _retry(memory, now, delay(worker, max(1, memory.row) + memory.hosts - 1, jitter))


def cut_short(worker: Worker, memory: Memory, now: Reading, why: str, jitter: float) -> Memory:
    """Return the memory after a start that healmon's own end cut short: it is made up for at once.

    One that is cut short again waits: perhaps it is what ends healmon.
    """
    seconds = delay(worker, max(1, memory.row) + memory.cuts - 1, jitter) if memory.cuts else 0.0
    return _retry(replace(memory, cuts=memory.cuts + 1, why=why), now, seconds)


def quarantined(worker: Worker, memory: Memory, now: Reading, why: str) -> Memory:
    """Return the memory with the breaker open until the cool-down is over, or for good."""
    level = memory.level + 1 if memory.opened else memory.level
    memory = replace(
        memory,
        opened=True,
        level=level,
        trials=memory.trials + memory.trial,
        quarantined=True,
        trial=False,
        why=why,
    )
    if forsaken(worker, memory):
        return replace(memory, retry_at=None, retry_wall=0.0)
    return _retry(memory, now, cool_down(worker, level))


def hopeless(worker: Worker, memory: Memory, now: Reading, why: str, lived: float = 0.0) -> Memory:
    """Return the memory after a failure that no retry mends: quarantine at once."""
    return quarantined(worker, noted(worker, memory, now, why, lived), now, why)


def sickened(worker: Worker, memory: Memory, now: Reading, why: str, jitter: float) -> Memory:
    """Return the memory of one that lives and must be replaced: when that is due.

    It is a failure only once the old process is ended: until then it may get well. When the
    budget has no room for that failure, the replacement is the one trial after a cool-down.
    """
    chance = memory.trial or spent(worker, memory, now, more=1)
    began = _began(memory, now, now.steady - memory.up_since)
    memory = replace(memory, sick=why, chance=chance, why=why, fell=now.steady, began=began)
    if not chance:
        return _retry(memory, now, delay(worker, memory.row + 1, jitter))
    if forsaken(worker, replace(memory, trials=memory.trials + memory.trial)):
        return replace(memory, retry_at=None, retry_wall=0.0)
    return _retry(memory, now, cool_down(worker, memory.level + memory.opened))


def replaced(worker: Worker, memory: Memory, now: Reading, lived: float) -> Memory:
    """Return the memory after a sick process was ended: the failure counts from now on."""
    chance, on_trial = memory.chance, memory.trial
    memory = recovered(noted(worker, memory, now, memory.sick, lived))
    if not chance:
        return memory
    level = memory.level + 1 if memory.opened else memory.level
    return replace(memory, opened=True, level=level, trials=memory.trials + on_trial, trial=True)


def recovered(memory: Memory) -> Memory:
    """Return the memory of one that was sick and is well again before anything was done."""
    return replace(memory, sick="", chance=False, retry_at=None, retry_wall=0.0)


def mends_nothing(worker: Worker, code: int | None) -> bool:
    """Return whether an exit code says that another start will not help."""
    return code in CANNOT_RUN or code in worker.no_restart_codes


def _retry(memory: Memory, now: Reading, seconds: float) -> Memory:
    return replace(memory, retry_at=now.steady + seconds, retry_wall=round(now.wall + seconds))


def forgiven(memory: Memory) -> Memory:
    """Return the memory with the breaker closed and all failures forgotten."""
    return replace(
        memory,
        failures=(),
        fell=None,
        began=None,
        sick="",
        chance=False,
        row=0,
        hosts=0,
        cuts=0,
        longest=0.0,
        opened=False,
        level=0,
        trials=0,
        absent=False,
        quarantined=False,
        trial=False,
        retry_at=None,
        retry_wall=0.0,
        why="",
        cause="",
    )


def stable(worker: Worker, memory: Memory, now: Reading) -> Memory:
    """Return the memory of a worker that has been up long enough: its row of failures is over.

    How long the next quarantine would be is forgotten only when the slow window has room again:
    else one that falls every eleven minutes would be tried four times an hour for ever.
    """
    calm = not flapping(worker, memory, now)
    return replace(
        memory,
        row=0,
        hosts=0,
        cuts=0,
        longest=0.0,
        opened=memory.opened and not calm,
        level=0 if calm else memory.level,
        trials=0,
        absent=False,
        trial=False,
        why="",
        cause="",
    )
