"""Starts that are granted beforehand: a shim makes them as soon as its worker ends.

Between an end and the next start there is nothing then but the shim. It is granted where a failure
would be answered with a start at once anyway, and never longer than that: every look decides anew,
and before healmon acts on a worker, or hands are to be kept off it, the grant is taken back. What
came of it is found by the next look, counted, budgeted and proved like any other start.
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Collection, Mapping
from contextlib import suppress
from typing import Final

from healmon.clock import Reading
from healmon.config.settings import Monitor, Worker
from healmon.errors import ProbeError, SpawnError
from healmon.workers import breaker
from healmon.workers.acting import alive_in
from healmon.workers.attempts import next_number
from healmon.workers.model import Memory, StartRecord, WorkerSeen
from healmon.workers.records import Records
from healmon.workers.starting import order_of
from healmon.world.hands import Hands
from healmon.world.processes import Identity
from healmon.world.shims import Grant, Shims

AFTERWARDS: Final = 0.1
"""Seconds after an end until it is looked at, when its shim needs nobody to start it again."""
AT_LAST: Final = 0.5
"""Seconds after the first end until it is looked at, however many others follow."""

PATIENCE: Final = 1.0
"""Seconds that others wait at most for what is to be granted."""

Start = tuple[Identity, int]
"""At whose end, and under which number."""
UNKNOWN: Final[Start] = (Identity("", 0, 0), 0)
"""What may have been granted by whoever was here before."""


def unlimited(limits: Monitor) -> bool:
    """Return whether the host has room for a start at any moment, however many have failed."""
    budget = limits.starts_in_flight or limits.start_spacing or limits.starts_per_minute
    return not (budget or limits.storm_failures)


def grantable(worker: Worker, one: WorkerSeen, memory: Memory, now: Reading) -> Start | None:
    """Return the start that may be granted to a worker after a look at it; None: none. Pure."""
    identity = memory.identity
    if identity is None or memory.trial or memory.storm is not None or one.acting:
        return None
    if not _simple(worker) or not _known(one.record, memory):
        return None
    shim = one.shim
    if shim is None or not shim.alive or shim.worker != identity or alive_in(one) != [identity]:
        return None
    after = breaker.failed(worker, memory, now, "", lived=0.0, jitter=0.0)
    at_once = after.retry_at is not None and after.retry_at <= now.steady
    return (identity, next_number(memory)) if at_once and not after.quarantined else None


def _simple(worker: Worker) -> bool:
    """Return whether all that its start needs is that nothing of the worker is left."""
    # a heartbeat is compared with the newest one before the start, which only healmon reads
    needs = worker.after or worker.heartbeat_file or worker.forks
    return worker.restart != "never" and not needs


def _known(record: StartRecord | None, memory: Memory) -> bool:
    """Return whether a worker is well, or is being proved after a start that was granted."""
    if record is None:
        return False
    if memory.state == "probation":
        return record.granted and record.launched == memory.identity
    proved = (record.outcome, record.worker) == ("verified", memory.identity)
    return proved and memory.state == "healthy"


def excluded(worker: Worker) -> tuple[int, ...]:
    """Return the exit codes after which a worker is not started again at once. Pure."""
    well = () if worker.restart == "always" else (0,)
    return tuple(sorted({*well, *breaker.CANNOT_RUN, *worker.no_restart_codes}))


class Afterwards:
    """Asks for a look once ends are over: one look at all that ended finds them started again.

    Until then the processor is left to their shims. Belongs to one event loop.
    """

    def __init__(self) -> None:
        self._first = 0.0
        self._timer: asyncio.TimerHandle | None = None

    def ask(self, wake: Callable[[], None]) -> None:
        """Take in an end: `wake()` is called a moment after the last of several, once."""
        loop = asyncio.get_running_loop()
        now = loop.time()
        if self._timer is None:
            self._first = now
        else:
            self._timer.cancel()
        due = min(now + AFTERWARDS, self._first + AT_LAST)
        self._timer = loop.call_at(due, self._over, wake)

    def _over(self, wake: Callable[[], None]) -> None:
        self._timer = None
        wake()

    def cancel(self) -> None:
        """Ask for nothing any more."""
        if self._timer is not None:
            self._timer.cancel()
            self._timer = None


class Grants:
    """Gives and takes back; belongs to one event loop.

    Args:
        shims: the door; None: nothing is granted.
        records: where folders and logs are.
        workers: their settings, by name.
    """

    def __init__(
        self, shims: Shims | None, records: Records, workers: Mapping[str, Worker]
    ) -> None:
        self._shims = shims
        self._records = records
        self._workers = workers
        self._hands = Hands("workers-grants")
        self._wanted: dict[str, Start] = {}
        # an engine that failed may have left grants: this process lives, so they hold
        self._given: dict[str, Start] = dict.fromkeys(workers, UNKNOWN) if shims else {}
        self._tasks: set[asyncio.Task[None]] = set()

    def aim(self, wanted: Mapping[str, Start]) -> None:
        """Have exactly these granted from now on; returns at once."""
        if self._shims is None or (wanted == self._wanted and wanted == self._given):
            return
        self._wanted = dict(wanted)
        task = asyncio.ensure_future(self._apply())
        self._tasks.add(task)
        task.add_done_callback(self._tasks.discard)

    def wanted(self, name: str) -> Start | None:
        """Return what is to be granted to a worker."""
        return self._wanted.get(name)

    async def settled(self) -> None:
        """Return when all that was aimed at so far is granted, or cannot be for the moment."""
        if self._tasks:
            await asyncio.wait(self._tasks, timeout=PATIENCE)

    def holds(self, name: str, identity: Identity) -> bool:
        """Return whether a shim may start a worker by itself when this process of it ends."""
        return self._given.get(name, (None,))[0] == identity

    async def withdraw(self, names: Collection[str] | None = None) -> None:
        """Return when nothing is granted to these workers any more; None: to all.

        A grant that cannot be taken back because nothing can be removed from the folder cannot be
        used, either.
        """
        concerned = {*self._wanted, *self._given}
        concerned &= concerned if names is None else set(names)
        if concerned:
            self._wanted = {n: s for n, s in self._wanted.items() if n not in concerned}
            await self._apply()

    async def _apply(self) -> None:
        # on a thread of its own, one after the other: the newest wish is what counts
        with suppress(ProbeError):
            await self._hands.call(self._work)

    def _work(self) -> None:
        wanted = self._wanted
        for name, start in list(self._given.items()):
            if wanted.get(name) != start:
                self._take_back(name)
        for name, start in wanted.items():
            # what was withdrawn meanwhile must not be given any more
            if name not in self._given and name in self._wanted:
                self._give(name, start)

    def _take_back(self, name: str) -> None:
        assert self._shims is not None
        with suppress(OSError):
            self._shims.revoke(str(self._records.folder(name)))
            del self._given[name]

    def _give(self, name: str, start: Start) -> None:
        assert self._shims is not None
        identity, number = start
        worker = self._workers[name]
        order = order_of(worker, self._records, number)
        grant = Grant(order=order, worker=identity, but=excluded(worker))
        with suppress(OSError, SpawnError):  # a full disk: healmon starts it itself
            self._shims.grant(grant)
            self._given[name] = start

    async def close(self) -> None:
        """Take all back, and end."""
        await self.withdraw()
        await asyncio.gather(*self._tasks, return_exceptions=True)
        self._hands.close()
