"""Threads for calls that may hang: a dead network mount, a stopped tmux server, a slow disk.

The event loop never makes such a call itself. Each healer has its own `Hands`, so that one that
hangs delays nobody else. The threads behind them are shared: while nothing hangs one is enough, and
its stack and its place in the processor's caches serve all. They are daemons, so that none of them
can keep the program from ending.
"""

from __future__ import annotations

import asyncio
import threading
from collections import deque
from collections.abc import Callable, Coroutine, Iterable
from functools import partial
from typing import Any, Final, Generic, TypeVar

from healmon.clock import process_seconds
from healmon.errors import ProbeError

T = TypeVar("T")

PATIENCE: Final = 0.05
"""Seconds that something quick may take before the next one begins beside it."""
LEAVE: Final = 2.0
"""Seconds that a call which was given up on may still take before it is said to hang."""
KEPT: Final = 2
"""Threads that are kept although there is nothing to do."""

Work = Callable[[], None]


class Crew:
    """Threads that do what they are given, each one thing at a time; safe from any thread."""

    def __init__(self) -> None:
        self._due = threading.Condition(threading.Lock())
        self._works: deque[Work] = deque()
        self._idle = 0  # threads that wait, and that nobody has called

    @property
    def idle(self) -> int:
        """How many threads have nothing to do."""
        return self._idle

    def give(self, work: Work) -> None:
        """Have something done at once, by a new thread if need be; it must raise nothing."""
        with self._due:
            self._works.append(work)
            if self._idle:
                self._idle -= 1
                self._due.notify()
            else:
                threading.Thread(target=self._serve, name="hands", daemon=True).start()

    def _serve(self) -> None:
        while True:
            with self._due:
                while not self._works:
                    if self._idle >= KEPT:
                        return
                    self._idle += 1
                    self._due.wait()
                work = self._works.popleft()
            work()
            del work  # what it holds must not live until the next one


_CREW = Crew()


class _Job(Generic[T]):
    def __init__(self, call: Callable[[], T], loop: asyncio.AbstractEventLoop) -> None:
        self.call = call
        self.loop = loop
        self.future: asyncio.Future[T] = loop.create_future()
        self.since = process_seconds()

    def run(self) -> None:
        try:
            result = self.call()
        except BaseException as error:  # noqa: BLE001 - handed to whoever awaits the call
            self._settle(partial(self.future.set_exception, error))
        else:
            self._settle(partial(self.future.set_result, result))

    def _settle(self, settle: Callable[[], None]) -> None:
        def in_loop() -> None:
            if not self.future.done():
                settle()

        try:
            self.loop.call_soon_threadsafe(in_loop)
        except RuntimeError:
            return  # the loop has ended: nobody waits any more


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

    async def call(self, call: Callable[[], T]) -> T:
        """Return what `call()` returns, made on a thread.

        Whoever awaits may give up (cancel, time out); the call itself cannot be stopped.

        Raises:
            ProbeError: an earlier call that was given up on still hangs, or all is over.
        """
        if self._closed:
            raise ProbeError(f"{self._name}: nothing is called any more")
        stuck = self._running
        job = self._asked(call)
        # cancelled, not done: an answered call may still be on its way out of the thread
        if stuck is not None and stuck.future.cancelled():
            await self._after(stuck, job)
        return await job.future

    async def _after(self, stuck: _Job[object], job: _Job[T]) -> None:
        """Return when a call that was given up on is over; whoever gave up need not be the last."""
        leave = stuck.since + LEAVE - process_seconds()
        try:
            if leave > 0:
                await asyncio.wait({job.future}, timeout=leave)
            if self._running is not stuck:
                return
        except asyncio.CancelledError:
            job.future.cancel()
            raise
        job.future.cancel()
        seconds = process_seconds() - stuck.since
        raise ProbeError(f"{self._name}: an earlier call has been hanging for {seconds:.0f} s")

    def _asked(self, call: Callable[[], T]) -> _Job[T]:
        """Put a call into the line and return it."""
        job = _Job(call, asyncio.get_running_loop())
        with self._lock:
            self._jobs.append(job)  # type: ignore[arg-type]  # pyright: ignore[reportArgumentType] - a job of any type fits
            idle, self._busy = not self._busy, True
        if idle:
            self._crew.give(self._work)
        return job

    def _work(self) -> None:
        while True:
            with self._lock:
                self._busy = bool(self._jobs)
                if not self._jobs:
                    return
                job = self._running = self._jobs.popleft()
            if not job.future.cancelled():
                job.run()
            self._running = None
            del job

    def close(self) -> None:
        """Let nothing be called any more; calls that were asked for before are made."""
        self._closed = True


async def in_turn(doings: Iterable[Coroutine[Any, Any, T]], patience: float = PATIENCE) -> list[T]:
    """Return what each of these gives, begun one after the other while they are quick.

    Threads that want the interpreter at the same time wake each other a hundred times. One that
    takes its time keeps the next one waiting for so many seconds only.

    Args:
        doings: made as they are begun; the first that raises ends all.
        patience: seconds.
    """
    tasks: list[asyncio.Task[T]] = []
    try:
        for doing in doings:
            tasks.append(asyncio.create_task(doing))
            await asyncio.wait(tasks[-1:], timeout=patience)
        return list(await asyncio.gather(*tasks))
    except BaseException:
        for task in tasks:
            task.cancel()
        raise
