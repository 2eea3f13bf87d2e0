"""Made-up time for a whole engine: a loop that leaps to its next timer, its clock, slow hands.

Everything happens side by side as under the real engine, in an order that a seed decides.
"""

from __future__ import annotations

import asyncio
import random
import selectors
from collections.abc import Callable
from types import SimpleNamespace
from typing import TypeVar

from healmon.clock import Reading, Steps, kept
from healmon.errors import ProbeError

T = TypeVar("T")
EPOCH = 1_700_000_000.0


class _Leaping(selectors.DefaultSelector):
    """Waits for nothing: where the loop would rest, its time has passed."""

    def __init__(self) -> None:
        super().__init__()
        self.now = 1000.0

    def select(self, timeout: float | None = None) -> list:
        events = super().select(0)
        if not events:
            assert timeout is not None, "everybody waits, and nothing will ever happen"
            self.now += max(timeout, 0.0)
        return events


class VirtualLoop(asyncio.SelectorEventLoop):
    """An event loop whose time passes only while everybody waits."""

    def __init__(self) -> None:
        self._leaping = _Leaping()
        super().__init__(self._leaping)
        self.set_exception_handler(lambda *_: None)  # whoever is killed tells nobody

    def time(self) -> float:
        return self._leaping.now

    def clocks(self) -> SimpleNamespace:
        """Return what `healmon.clock` is to take for the module `time`."""
        return SimpleNamespace(monotonic=self.time)


class VirtualClock:
    """The clocks of a host whose time is a loop's."""

    def __init__(self, loop: VirtualLoop) -> None:
        self._loop = loop
        self._slept = self._set = 0.0
        self.steps: Steps = ()

    def read(self) -> Reading:
        now = self._loop.time()
        return Reading(EPOCH + now + self._slept + self._set, EPOCH + now, now + self._slept)

    async def sleep(self, seconds: float) -> None:
        await asyncio.sleep(seconds)

    def alarm(self, seconds: float, ring: Callable[[], object]) -> Callable[[], object]:
        return self._loop.call_later(max(seconds, 0.0), ring).cancel

    def suspend(self, seconds: float) -> None:
        """Let the host sleep: wall and boot pass, steady stands still."""
        self._slept += seconds

    def step(self, seconds: float) -> None:
        """Set the wall clock."""
        self._set += seconds
        self.steps = kept(self.steps, self.read().wall, seconds)


class Lease:
    """One run of healmon, as far as the world goes: over, it touches nothing any more."""

    def __init__(self) -> None:
        self.alive = True
        self.killed = False


class KilledError(BaseException):
    """Healmon itself is killed at this very moment."""


class Pace:
    """How long calls take that may hang.

    Attributes:
        hangs: how often one takes seconds.
    """

    def __init__(self, seed: str) -> None:
        self.random = random.Random(seed)
        self.hangs = 0.0
        self.lease = Lease()

    def pause(self) -> float:
        what = self.random.random()
        if what < self.hangs:
            return self.random.choice([0.5, 3.0, 12.0])
        return 0.0 if what < 0.5 else self.random.uniform(0.0, 0.02)


def hands(pace: Pace) -> type:
    """Return the hands of a run: they make calls one after the other, and each takes its time."""

    class SlowHands:
        def __init__(self, name: str) -> None:
            self.name, self.lease = name, pace.lease
            self._turn = asyncio.Lock()
            self._closed = False

        async def call(self, call: Callable[[], T], *, patient: bool = False) -> T:
            if self._closed:
                raise ProbeError(f"{self.name}: nothing is called any more")
            # as on a thread: whoever gives up on a call does not stop it
            return await asyncio.shield(asyncio.ensure_future(self._made(call)))

        async def _made(self, call: Callable[[], T]) -> T:
            async with self._turn:
                await asyncio.sleep(pace.pause())
                if not self.lease.alive:
                    raise KilledError
                made = call()
                await asyncio.sleep(pace.pause())
                return made

        def close(self) -> None:
            self._closed = True

    return SlowHands


class Door:
    """A door to the world that is shut when the run of healmon that has it is over."""

    def __init__(self, inner: object, lease: Lease, late: Callable[[str], None]) -> None:
        self._inner, self._lease, self._late = inner, lease, late

    def __getattr__(self, name: str) -> object:
        found = getattr(self._inner, name)
        if not callable(found):
            return found

        def through(*args: object, **more: object) -> object:
            if not self._lease.alive:
                if not self._lease.killed and name in {"spawn", "signal", "start", "grant"}:
                    self._late(f"{name} {args} by a healmon that has ended")
                raise KilledError
            return found(*args, **more)

        return through
