"""A thread for calls that may hang: a dead network mount, a stopped tmux server, a slow disk.

The event loop never makes such a call itself. Each healer has its own `Hands`, so that one that
hangs delays nobody else; the thread is a daemon, so that it cannot keep the program from ending.
"""

from __future__ import annotations

import asyncio
import queue
import threading
from collections.abc import Callable
from functools import partial
from typing import Generic, TypeVar

from healmon.clock import process_seconds
from healmon.errors import ProbeError

T = TypeVar("T")


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
    """One thread that makes blocking calls, one after the other."""

    def __init__(self, name: str) -> None:
        self._name = name
        self._jobs: queue.SimpleQueue[_Job[object] | None] = queue.SimpleQueue()
        self._thread: threading.Thread | None = None
        self._running: _Job[object] | None = None

    async def call(self, call: Callable[[], T]) -> T:
        """Return what `call()` returns, made on the thread.

        Whoever awaits may give up (cancel, time out); the call itself cannot be stopped.

        Raises:
            ProbeError: an earlier call that was given up on still hangs.
        """
        stuck = self._running
        # cancelled, not done: an answered call may still be on its way out of the thread
        if stuck is not None and stuck.future.cancelled():
            seconds = process_seconds() - stuck.since
            raise ProbeError(f"{self._name}: an earlier call has been hanging for {seconds:.0f} s")
        job = _Job(call, asyncio.get_running_loop())
        if self._thread is None:
            self._thread = threading.Thread(target=self._work, name=self._name, daemon=True)
            self._thread.start()
        self._jobs.put(job)  # type: ignore[arg-type]  # pyright: ignore[reportArgumentType] - a job of any type fits
        return await job.future

    def _work(self) -> None:
        while (job := self._jobs.get()) is not None:
            self._running = job
            if not job.future.cancelled():
                job.run()
            self._running = None

    def close(self) -> None:
        """Let the thread end after the calls it has; returns at once."""
        self._jobs.put(None)
