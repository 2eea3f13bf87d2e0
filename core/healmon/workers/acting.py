"""One act on one worker: what is ordered, how far it has come, and the doors it goes through.

`started.json` is its journal row: written before each step, so that a healmon that is killed at any
moment leaves behind what the next one needs to finish it.
"""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable, Collection, Coroutine
from contextlib import ExitStack
from dataclasses import dataclass, field
from functools import partial
from pathlib import Path
from typing import Any, Final, Protocol, TypeVar

from msgspec.structs import replace

from healmon.clock import Clock, process_seconds
from healmon.config.settings import Worker
from healmon.errors import ProbeError, RemedyError
from healmon.healer import Hand
from healmon.text import clean
from healmon.workers.checks.model import Doors as CheckDoors
from healmon.workers.model import (
    Desired,
    EndRecord,
    Fault,
    Order,
    StartRecord,
    Wish,
    WorkerSeen,
)
from healmon.workers.output import last_lines
from healmon.workers.probe import NOW, Probe
from healmon.workers.records import Records
from healmon.workers.tree import Family
from healmon.workers.yielding import Way
from healmon.world.hands import Hands
from healmon.world.processes import DEAD, Ended, Identity, Launch, Processes
from healmon.world.shims import Shim

STEP: Final = 0.1
"""Seconds between two looks at what no descriptor tells."""
END_TOLD: Final = 1.0
"""Seconds that a shim may take to write down an end that was noticed already."""

FreshLife = Callable[[], Awaitable[str]]
T = TypeVar("T")


class Starter(Protocol):
    """What starts a worker's program."""

    def start(self, launch: Launch, folder: Path, number: int, *, forks: bool = False) -> Identity:
        """Start a program and return who it is.

        Args:
            launch: the program.
            folder: what is written of it.
            number: of the attempt.
            forks: it ends once what it leaves behind is the worker.

        Raises:
            SpawnError: it could not be started, and whose fault that is.
            VetoError: one copy lives already.
        """
        ...


@dataclass(frozen=True, slots=True)
class Tools:
    """What all acts use.

    Attributes:
        probe: looks again.
        records: where starts, ends and wishes are written down.
        processes: the door.
        starter: starts a program.
        clock: all waiting.
        hands: a thread for calls that may hang.
        checks: what readiness checks use.
    """

    probe: Probe
    records: Records
    processes: Processes
    starter: Starter
    clock: Clock
    hands: Hands
    checks: CheckDoors


@dataclass(slots=True)
class Act:
    """One act.

    Attributes:
        record: its journal row, as it was written last.
        fresh_life: asked right before a worker is stopped that seemed to hang: what shows that it
            works again; None: it is not stopped for that.
        touched: process seconds when something was last done, or happened, to its processes.
        way: whether it may go on.
    """

    tools: Tools
    worker: Worker
    order: Order
    hand: Hand
    record: StartRecord
    fresh_life: FreshLife | None = None
    touched: float = 0.0
    way: Way = field(default_factory=Way)

    @property
    def proves(self) -> bool:
        """Whether nothing is left of it but a proof: another healer can go on with that."""
        return self.record.phase in {"spawned", "verified"}

    async def about_to(self, text: str) -> None:
        """Journal what is about to be touched.

        Raises:
            CalledOffError: something else is wanted by now.
        """
        self.way.check(proves=False)
        await self.hand.about_to(text)
        self.way.check(proves=False)

    async def call(self, call: Callable[[], T]) -> T:
        """Return what a call that may hang returns.

        Raises:
            RemedyError: the world cannot be seen.
        """
        try:
            return await self.tools.hands.call(call)
        except ProbeError as error:
            raise RemedyError(str(error)) from error

    async def keep(self, **changes: Any) -> None:  # noqa: ANN401 - fields of the record
        """Write down how far the act has come."""
        self.record = replace(self.record, **changes)
        name, records = self.worker.name, self.tools.records
        if records.start(name) != self.record:
            await self.call(partial(records.put_start, name, self.record))

    async def wish(self, desired: Desired) -> None:
        """Write down what the person who ordered this wants from now on; nobody: nothing."""
        if not self.record.wish:
            return
        wall = self.tools.clock.read().wall
        wish = Wish(number=self.record.wish, desired=desired, wall=wall, origin=self.record.origin)
        await self.call(partial(self.tools.records.put_wish, self.worker.name, wish))

    async def failure(self, fault: Fault, reason: str, **changes: Any) -> RemedyError:  # noqa: ANN401 - as above
        """Write down that the act failed and return what to raise."""
        reason = clean(reason)
        await self.keep(outcome="failed", fault=fault, reason=reason, **changes)
        said = last_lines(self.tools.records, self.worker, 1)
        return RemedyError(reason, remedy=f"its last words: {said}" if said else "")

    # Looking.

    async def look(self, known: Identity | None, *, now: bool = False) -> WorkerSeen:
        """Return a full look at the worker, begun after it was touched last; `now`: begun now."""
        return await self.judged(known, _itself, now=now)

    async def judged(
        self, known: Identity | None, judge: Callable[[WorkerSeen, Family], T], *, now: bool = False
    ) -> T:
        """Return what a full look at the worker, among all processes, comes to.

        Where hundreds begin at once each waits for its turn: none must hold all processes for
        that long, so they are judged where they were seen.
        """
        touched = NOW if now else self.touched
        look, read = self.tools.probe.look_at, self.tools.clock.read()
        return await self.call(lambda: judge(*look(self.worker, known, read, touched)))

    async def family(self, *, now: bool = False) -> Family:
        """Return all processes there are, likewise."""
        touched = NOW if now else self.touched
        return await self.call(partial(self.tools.probe.family, touched))

    async def shim(self) -> Shim | None:
        """Return what the worker's shim wrote down."""
        return await self.call(partial(self.tools.probe.shim, self.worker))

    async def how_ended(self, identity: Identity) -> Ended:
        """Return how a process ended that has; its shim knows, once it has written it down."""
        deadline = self.tools.clock.read().steady + END_TOLD
        while True:
            ended = self.tools.processes.ended(identity) or Ended()
            shim = await self.shim() if ended == Ended() else None
            if shim is None:
                return ended
            told = [end.ended for end in shim.ends if end.identity == identity]
            if told or not shim.alive or self.tools.clock.read().steady >= deadline:
                return told[-1] if told else ended
            await self.tools.clock.sleep(STEP)

    async def note_end(self, identity: Identity) -> None:
        """Write down how a process of the worker ended."""
        ended = await self.how_ended(identity)
        record = EndRecord(identity=identity, ended=ended, wall=self.tools.clock.read().wall)
        await self.call(partial(self.tools.records.put_end, self.worker.name, record))

    # Waiting.

    async def ends_within(self, identity: Identity, seconds: float) -> bool:
        """Return whether a process ends within so many seconds."""
        return not await self.left_after([identity], seconds)

    async def left_after(self, who: Collection[Identity], seconds: float) -> list[Identity]:
        """Return who of these has not ended after so many seconds, or all have.

        Told by their pidfds, not by looks.

        Raises:
            RemedyError: their ends cannot be watched.
            CalledOffError: something else is wanted by now.
        """
        self.way.check(proves=self.proves)
        waiting, over = set(who), asyncio.Event()

        def ended(one: Identity) -> None:
            waiting.discard(one)
            if not waiting:
                over.set()

        before, self.touched = self.touched, NOW
        try:
            with ExitStack() as watches:
                watches.callback(self.way.listen(over.set))
                for one in who:
                    watches.callback(self.tools.processes.watch(one, partial(ended, one)))
                if waiting:
                    await self._either(over.wait(), self.tools.clock.sleep(seconds))
            left = [one for one in who if self.tools.processes.ended(one) is None]
        except (ProbeError, OSError) as error:
            raise RemedyError(f"cannot watch for an end: {clean(str(error))}") from error
        # an older look is as good as one from now unless something has ended since
        self.touched = before if len(left) == len(who) else process_seconds()
        self.way.check(proves=self.proves)
        return left

    async def unless_called_off(self, waited: Awaitable[T]) -> T:
        """Return what something comes to that is waited for.

        Raises:
            CalledOffError: something else is wanted by now.
        """
        return await self.way.unless(waited, proves=self.proves)

    @staticmethod
    async def _either(one: Coroutine[Any, Any, object], other: Coroutine[Any, Any, object]) -> None:
        tasks = [asyncio.ensure_future(one), asyncio.ensure_future(other)]
        try:
            await asyncio.wait(tasks, return_when=asyncio.FIRST_COMPLETED)
        finally:
            for task in tasks:
                task.cancel()
            await asyncio.gather(*tasks, return_exceptions=True)


def _itself(one: WorkerSeen, _: Family) -> WorkerSeen:
    return one


def alive_in(one: WorkerSeen) -> list[Identity]:
    """Return all live processes that are the worker, each once."""
    found = [*one.known, *(m.facts for m in one.matches)]
    return list(dict.fromkeys(f.identity for f in found if f.state not in DEAD))
