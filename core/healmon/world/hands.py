"""Threads for calls that may hang: a dead network mount, a stopped tmux server, a slow disk.

The event loop never makes such a call itself. Each healer has its own `Hands`, so that one that
hangs delays nobody else. The threads behind them are shared: while nothing hangs one is enough, and
its stack and its place in the processor's caches serve all. They are daemons, so that none of them
can keep the program from ending.

Threads that want the interpreter at the same time wake each other a hundred times. So calls that
have time are gathered, made by one thread, and told to the loop in one wake-up; none of that takes
longer than `PATIENCE`, after which a call that still waits gets a thread of its own.
"""

from __future__ import annotations

import asyncio
import threading
from collections import deque
from collections.abc import Callable
from dataclasses import dataclass
from functools import partial
from typing import Final, Generic, TypeVar

from healmon.clock import process_seconds
from healmon.errors import ProbeError
from healmon.waiting import unless_over

T = TypeVar("T")

PATIENCE: Final = 0.3
"""Seconds that a call which has time waits behind others, or for others before it is told."""
LEAVE: Final = 2.0
"""Seconds that a call which was given up on may still take before it is said to hang."""
KEPT: Final = 2
"""Threads that are kept although there is nothing to do."""

Work = Callable[[], None]


@dataclass(slots=True)
class _Patience:
    """The calls that one loop awaits and that may have to wait for a thread.

    Attributes:
        timer: None when nothing waited as it came; the next call sets it.
        newer: some came after the timer was set.
    """

    timer: asyncio.TimerHandle | None = None
    calls: int = 0
    newer: bool = False


class Crew:
    """Threads that do what they are given, each one thing at a time; safe from any thread."""

    def __init__(self) -> None:
        self._guard = threading.Lock()
        self._works: deque[Work] = deque()  # each has a thread that was called for it
        self._waiting: deque[Work] = deque()
        self._resting: list[threading.Lock] = []  # the bells of threads that nobody has called
        self._at_work = 0  # all others
        self._begun = 0.0  # when one of them was called, or took something new, at last
        self._given = 0
        self._gatherer: asyncio.AbstractEventLoop | None = None
        self._untold: list[tuple[asyncio.AbstractEventLoop, Work]] = []
        self._patience: dict[asyncio.AbstractEventLoop, _Patience] = {}

    @property
    def idle(self) -> int:
        """How many threads have nothing to do."""
        return len(self._resting)

    def give(self, work: Work) -> bool:
        """Have something done at once, by a new thread if need be; it must raise nothing.

        Returns:
            False when no thread can be had now: it waits until somebody hastens it.
        """
        with self._guard:
            bell = self._called()
            (self._works if bell is not None else self._waiting).append(work)
        if bell is not None:
            bell.release()
        return bell is not None

    def gather(self, work: Work, loop: asyncio.AbstractEventLoop) -> None:
        """Have something done with whatever else is given now; whoever waits too long hastens it.

        Args:
            work: must raise nothing.
            loop: the running one, from whose thread this is called.
        """
        with self._guard:
            self._waiting.append(work)
            self._given += 1
            if self._gatherer is loop:
                return
            self._gatherer = loop
        loop.call_soon(self._begin, loop, 0)

    def _begin(self, loop: asyncio.AbstractEventLoop, before: int) -> None:
        """Call a thread once the loop has nothing more to give: until then it needs the GIL."""
        with self._guard:
            if self._given != before:
                loop.call_soon(self._begin, loop, self._given)
                return
            self._gatherer = None
            soon = self._at_work and process_seconds() - self._begun < PATIENCE
            bell = self._called() if self._waiting and not soon else None
        if bell is not None:
            bell.release()

    def awaited(self, loop: asyncio.AbstractEventLoop) -> None:
        """Take in that one more call that may have to wait is awaited in the running loop.

        One timer serves all of them: it comes `PATIENCE` after the first, and again as long as
        others have come since or anything waits: whoever would have seen to it may have given up.
        """
        known = self._patience.setdefault(loop, _Patience())
        known.calls += 1
        known.newer = known.timer is not None
        if known.timer is None:
            known.timer = loop.call_later(PATIENCE, self._late, loop)

    def _late(self, loop: asyncio.AbstractEventLoop) -> None:
        known = self._patience[loop]
        again = known.newer or self._waiting or self._untold
        known.newer, known.timer = False, None
        if again:
            known.timer = loop.call_later(PATIENCE, self._late, loop)
        # each that waits gets a thread of its own: what they wait for may hang for ever
        for _ in range(max(1, len(self._waiting))):
            self.hasten()

    def answered(self, loop: asyncio.AbstractEventLoop) -> None:
        """Take in that such a call is awaited no more."""
        known = self._patience[loop]
        known.calls -= 1
        if not known.calls:
            del self._patience[loop]
            if known.timer is not None:
                known.timer.cancel()

    def hasten(self) -> None:
        """Let nothing wait any longer: neither what is to be done nor what is to be told."""
        with self._guard:
            bell = self._called() if self._waiting else None
        if bell is not None:
            bell.release()
        self.tell()

    def put(self, loop: asyncio.AbstractEventLoop, settle: Work, *, patient: bool) -> None:
        """Have something called in an event loop.

        Args:
            loop: not the running one.
            settle: must raise nothing.
            patient: it may be told together with what comes of those that wait.
        """
        with self._guard:
            self._untold.append((loop, settle))
            if patient and self._waiting:
                return
        self.tell()

    def tell(self) -> None:
        """Have called what is to be called in event loops, with one wake-up of each."""
        with self._guard:
            untold, self._untold = self._untold, []
        for loop in dict.fromkeys(loop for loop, _ in untold):
            try:
                loop.call_soon_threadsafe(_all, [settle for its, settle in untold if its is loop])
            except RuntimeError:
                continue  # the loop has ended: nobody waits any more

    def _called(self) -> threading.Lock | None:
        """Return the bell of one more thread at work; it is rung where nothing else is held.

        None: the host has no thread left to give; whoever waits asks again.
        """
        bell = self._resting.pop() if self._resting else None
        if bell is None:
            bell = threading.Lock()
            bell.acquire()
            thread = threading.Thread(target=self._serve, args=(bell,), name="hands", daemon=True)
            try:
                thread.start()
            except RuntimeError:
                return None
        self._begun = process_seconds()
        self._at_work += 1
        return bell

    def _serve(self, bell: threading.Lock) -> None:
        rests = True
        while rests:
            bell.acquire()
            while True:
                with self._guard:
                    if not (self._works or self._waiting):
                        self._at_work -= 1
                        rests = len(self._resting) < KEPT
                        if rests:
                            self._resting.append(bell)
                        break
                    work = self._works.popleft() if self._works else self._waiting.popleft()
                    self._begun = process_seconds()
                work()
                del work  # what it holds must not live until the next one
            if self._untold:  # the last one was given up on, and told nobody
                self.tell()


def _all(settles: list[Work]) -> None:
    for settle in settles:
        settle()


_CREW = Crew()


class _Job(Generic[T]):
    def __init__(self, call: Callable[[], T], crew: Crew, *, patient: bool) -> None:
        self.call = call
        self.crew = crew
        self.patient = patient
        self.loop = asyncio.get_running_loop()
        self.future: asyncio.Future[T] = self.loop.create_future()
        self.since = process_seconds()
        self._late = False
        self._over = False
        self._waiters: list[asyncio.Future[None]] = []

    @property
    def forsaken(self) -> bool:
        """Whether whoever called gave up on it; one that is answered may still be on its way."""
        return self._late or self.future.cancelled()

    def forsake(self, seconds: float) -> None:
        """Give up on it after so many seconds."""
        if not self.future.done():
            self._late = True
            self.future.set_exception(ProbeError(f"no answer within {seconds:g} s"))
            self.future.exception()  # whoever awaited it may be called off at this very moment

    async def over(self) -> bool:
        """Return whether it ends within `LEAVE`: who gave up on it need not be the last to call."""
        leave = self.since + LEAVE - process_seconds()
        if not self._over and leave > 0:
            waiter = asyncio.get_running_loop().create_future()
            self._waiters.append(waiter)
            await asyncio.wait({waiter}, timeout=leave)
        return self._over

    def run(self) -> None:
        try:
            result = self.call()
        except StopIteration as error:  # no future takes it
            self._settle(partial(self.future.set_exception, RuntimeError(repr(error))))
        except BaseException as error:  # noqa: BLE001 - handed to whoever awaits the call
            self._settle(partial(self.future.set_exception, error))
        else:
            self._settle(partial(self.future.set_result, result))

    def _settle(self, settle: Callable[[], None]) -> None:
        def in_loop() -> None:
            self._over = True
            for waiter in self._waiters:
                if not waiter.done():
                    waiter.set_result(None)
            if not self.future.done():
                settle()

        self.crew.put(self.loop, in_loop, patient=self.patient)


class Hands:
    """Makes blocking calls, one after the other.

    Args:
        name: whose they are, for people.
    """

    def __init__(self, name: str, crew: Crew = _CREW) -> None:
        self._name = name
        self._crew = crew
        self._lock = threading.Lock()
        self._jobs: deque[_Job[object]] = deque()
        self._busy = False
        self._running: _Job[object] | None = None
        self._closed = False

    async def call(
        self, call: Callable[[], T], *, patient: bool = False, within: float | None = None
    ) -> T:
        """Return what `call()` returns, made on a thread.

        Whoever awaits may give up (cancel, time out); the call itself cannot be stopped.

        Args:
            call: may hang.
            patient: it may wait behind others for a moment, `PATIENCE` at most.
            within: seconds after which it is given up on; None: whoever awaits sees to that.

        Raises:
            ProbeError: it did not answer in time, an earlier call that was given up on still hangs,
                or all is over.
        """
        if self._closed:
            raise ProbeError(f"{self._name}: nothing is called any more")
        asked, stuck = process_seconds(), self._running
        if stuck is not None and stuck.forsaken and not await stuck.over():
            seconds = process_seconds() - stuck.since
            raise ProbeError(f"{self._name}: an earlier call has been hanging for {seconds:.0f} s")
        job = _Job(call, self._crew, patient=patient)
        if within is not None:
            left = within - (job.since - asked)
            unless_over(job.future, job.loop.time() + left, partial(job.forsake, within))
        with self._lock:
            self._jobs.append(job)  # type: ignore[arg-type]  # pyright: ignore[reportArgumentType] - a job of any type fits
            idle, self._busy = not self._busy, True
        if idle and not patient and self._crew.give(self._work):
            return await job.future
        if idle and patient:
            self._crew.gather(self._work, job.loop)
        else:
            self._crew.hasten()  # it may be waiting
        self._crew.awaited(job.loop)
        try:
            return await job.future
        finally:
            self._crew.answered(job.loop)

    def _work(self) -> None:
        while True:
            with self._lock:
                self._busy = bool(self._jobs)
                if not self._jobs:
                    return
                job = self._running = self._jobs.popleft()
            if not job.forsaken:
                job.run()
            self._running = None
            del job

    def close(self) -> None:
        """Let nothing be called any more; calls that were asked for before are made."""
        self._closed = True
