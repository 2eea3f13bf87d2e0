"""What all lives have in common: a run of healmon begins, ends in order or is killed, and begins.

Each lives in a loop of its own, whose time passes only while everybody waits (`virtual`).
"""

from __future__ import annotations

import asyncio
import random
from collections import deque
from collections.abc import Callable, Coroutine
from typing import Any, ClassVar, TypeVar
from unittest import mock

from healmon.engine import Engine
from tests.simulation.journal import CutOffJournal
from tests.simulation.virtual import KilledError, Lease, Pace, VirtualClock, VirtualLoop

ALL = 100_000


class Living:
    """A host under healmon, and what is known of how that went.

    Args:
        seed: of everything.
        loop: whose time it lives in.

    Attributes:
        told: what happened, for whoever reads of a broken promise; `wrongs`: those.
        off: pauses that were answered and are not over, and until when on the boot clock.
        asking: people who wait for an answer.
        dies_in: touches until healmon is killed in one; 0: it is not.
        killed: set where that came about.
        mine: tasks that are none of healmon's.
        unkept: a kill came while the store was full.
    """

    MEANS: ClassVar[tuple[float, ...]]
    """Seconds that pass from one thing that happens to the next, on the average; one of them."""
    LONGEST: ClassVar[float]
    """Seconds within which healmon ends in order."""

    journal: CutOffJournal
    engine: Engine
    running: asyncio.Task[None]

    def __init__(self, seed: str, loop: VirtualLoop) -> None:
        self.random = random.Random(seed)
        self.loop = loop
        self.clock = VirtualClock(loop)
        self.pace = Pace(f"pace {seed}")
        self.lease = Lease()
        self.told: deque[str] = deque(maxlen=4000)
        self.wrongs: list[str] = []
        self.off: dict[str, float] = {}
        self.asking: set[asyncio.Task[Any]] = set()
        self.dies_in = 0
        self.killed = asyncio.Event()
        self.mine: set[asyncio.Task[Any]] = set()
        self.unkept = False

    @property
    def now(self) -> float:
        return self.loop.time()

    @property
    def boot(self) -> float:
        return self.clock.read().boot

    def tell(self, text: str) -> None:
        self.told.append(f"{self.now:10.2f} {text:.260}")

    def wrong(self, text: str) -> None:
        self.tell(f"!! {text}")
        self.wrongs.append(text)

    def must(self, holds: object, text: str) -> None:
        if not holds:
            self.wrong(text)

    def check(self) -> None:
        """See to what must hold at any moment."""
        assert not self.wrongs, self.wrongs[0]
        failed = not self.running.cancelled() and self.running.done() and self.running.exception()
        assert not failed, repr(self.running.exception())

    # What each of them does in its own way.

    def begin(self) -> None:
        """Let another run of healmon begin."""
        raise NotImplementedError

    async def happen(self) -> None:
        """Let something happen."""
        raise NotImplementedError

    async def left(self) -> None:
        """See what a run leaves behind that has ended in order."""
        self.lease.alive = False
        self.journal.keep(0 if self.journal.full else ALL)
        self.journal.cut(self.random)

    # How it goes on.

    async def one_of(self, deeds: dict[str, tuple[float, Callable[[], object]]]) -> None:
        """Have one of these happen, each as likely as its weight says."""
        (what,) = self.random.choices(list(deeds), [weight for weight, _ in deeds.values()])
        self.tell(f"-- {what}")
        done = deeds[what][1]()
        if asyncio.iscoroutine(done):
            await done

    def start(self) -> None:
        """Let the first run of healmon begin."""
        self.mine = {asyncio.current_task()}  # type: ignore[arg-type]
        self.begin()

    async def live(self, deeds: int) -> None:
        """Let time pass, with everything that happens in it."""
        self.start()
        await self._pass(1.0)
        for _ in range(deeds):
            await self._pass(self.random.expovariate(1 / self.random.choice(self.MEANS)))
            if self.engine.snapshot.components:
                await self.happen()
            self.check()

    async def _pass(self, seconds: float) -> None:
        waiter = asyncio.create_task(self.killed.wait())
        await asyncio.wait({waiter}, timeout=seconds)
        waiter.cancel()
        if self.killed.is_set():
            await self.kill()

    async def end_and_begin(self) -> None:
        """End healmon in order."""
        if self.killed.is_set():
            return
        began = self.now
        self.engine.stop("asked to")
        await asyncio.wait({self.running, self.loop.create_task(self.killed.wait())},
                           return_when=asyncio.FIRST_COMPLETED)  # fmt: skip
        took = self.now - began
        self.must(took < self.LONGEST or self.pace.hangs, f"it took {took:.0f} s to end")
        if self.killed.is_set():
            return
        self.must(self.running.exception() is None, repr(self.running.exception()))
        await self.left()
        await self.alone()
        await asyncio.sleep(self.random.choice([0.1, 5.0, 400.0]))
        self.begin()

    async def kill(self) -> None:
        """Kill healmon, as the kernel does: nothing of it runs any further."""
        self.lease.alive, self.lease.killed = False, True
        self.tell("healmon is killed")
        self.journal.cut(self.random)
        self.unkept = self.unkept or self.journal.full
        await self.alone()
        await asyncio.sleep(self.random.choice([0.1, 1.0, 30.0, 500.0]))
        self.begin()

    async def alone(self) -> None:
        """End whatever goes on of healmon, and of who asks it."""
        for _ in range(200):
            others = asyncio.all_tasks() - self.mine - {asyncio.current_task()}
            if not others:
                break
            for task in others:
                task.cancel()
            await asyncio.wait(others, timeout=1.0)
        self.asking.clear()

    async def to_the_end(self) -> None:
        """End the last run, and have all of it on record."""
        self.engine.stop("the end")
        await self.running
        self.journal.keep(ALL)


L = TypeVar("L", bound=Living)


def seeds_of(seed: str, lives: int) -> list[str]:
    """Return the seed of each life: of `number` so many, of `number:life` that one alone."""
    return [seed] if ":" in seed else [f"{seed}:{number}" for number in range(lives)]


def lived_by(
    make: Callable[[VirtualLoop], L], live: Callable[[L], Coroutine[Any, Any, None]]
) -> None:
    """Have a life lived in a loop of its own.

    Raises:
        AssertionError: something failed in it; it says what came before.
    """
    loop = VirtualLoop()
    lives: list[L] = []

    async def all_of_it() -> None:
        lives.append(make(loop))
        try:
            await live(lives[0])
        finally:
            lives[0].lease.alive, lives[0].lease.killed = False, True
            await lives[0].alone()

    try:
        with mock.patch("healmon.clock.time", loop.clocks()):
            asyncio.set_event_loop(loop)
            loop.run_until_complete(all_of_it())
    except (Exception, KilledError) as error:
        before = "\n".join(lives[0].told) if lives else ""
        raise AssertionError(f"{type(error).__name__}: {error}\n{before}") from error
    finally:
        loop.close()
        asyncio.set_event_loop(None)
