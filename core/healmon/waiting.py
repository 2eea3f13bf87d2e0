"""Waiting with a patience, and sleeps that others may end, at a third of `asyncio.wait`'s price.

A healer at rest waits a dozen times in each round, and little else of it costs as much.
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Sequence
from contextlib import suppress
from functools import partial
from typing import Any, Final

from healmon.clock import Clock


async def over(things: Sequence[asyncio.Future[Any]], seconds: float) -> bool:
    """Return whether all of these are over within so many seconds; none of them is ended by that.

    A cancel ends the wait, and leaves them alone as well.
    """
    left = [thing for thing in things if not thing.done()]
    if not left:
        return True
    loop = asyncio.get_running_loop()
    waiter: asyncio.Future[bool] = loop.create_future()
    open_ends = len(left)

    def ended(_: asyncio.Future[Any]) -> None:
        nonlocal open_ends
        open_ends -= 1
        if not open_ends:
            _settle(waiter)

    for thing in left:
        thing.add_done_callback(ended)
    alarm = _alarm(loop)
    alarm.add(waiter, loop.time() + seconds, partial(_settle, waiter))
    try:
        await waiter
    finally:
        alarm.remove(waiter)
        if open_ends:
            for thing in left:
                thing.remove_done_callback(ended)
    return not open_ends or all(thing.done() for thing in left)


def unless_over(thing: asyncio.Future[Any], at: float, late: Callable[[], object]) -> None:
    """Have `late` called at a moment of a future's loop, if it is not over by then."""
    alarm = _alarm(thing.get_loop())
    alarm.add(thing, at, late)
    thing.add_done_callback(alarm.remove)


class _Alarm:
    """One timer of a loop for all that wait in it with a patience; there while anybody does."""

    def __init__(self, loop: asyncio.AbstractEventLoop) -> None:
        self._loop = loop
        self._due: dict[asyncio.Future[Any], tuple[float, Callable[[], object]]] = {}
        self._timer: asyncio.TimerHandle | None = None
        _ALARMS[loop] = self

    def add(self, thing: asyncio.Future[Any], at: float, late: Callable[[], object]) -> None:
        """Have `late` called at a moment of the loop's, unless the thing is removed before."""
        self._due[thing] = at, late
        if self._timer is None or at < self._timer.when():
            self._ring_at(at)

    def remove(self, thing: asyncio.Future[Any]) -> None:
        """Wait for something no more."""
        del self._due[thing]
        if not self._due:
            self._ring_at(None)
            del _ALARMS[self._loop]

    def _ring_at(self, at: float | None) -> None:
        if self._timer is not None:
            self._timer.cancel()
        self._timer = self._loop.call_at(at, self._ring) if at is not None else None

    def _ring(self) -> None:
        now = self._loop.time()
        late = [call for at, call in self._due.values() if at <= now]
        self._ring_at(min((at for at, _ in self._due.values() if at > now), default=None))
        for call in late:
            call()


_ALARMS: Final[dict[asyncio.AbstractEventLoop, _Alarm]] = {}


def _alarm(loop: asyncio.AbstractEventLoop) -> _Alarm:
    return _ALARMS.get(loop) or _Alarm(loop)


def _settle(waiter: asyncio.Future[bool], how: bool = True) -> None:  # noqa: FBT001, FBT002 - what it is told is all there is
    if not waiter.done():
        waiter.set_result(how)


def call_in(loop: asyncio.AbstractEventLoop, call: Callable[[], object]) -> None:
    """Have something called in a loop, from any thread; in one that has ended nothing is."""
    with suppress(RuntimeError):
        loop.call_soon_threadsafe(call)


class Nap:
    """A sleep that others may end; belongs to one event loop.

    Args:
        clock: whose seconds it lasts.
    """

    def __init__(self, clock: Clock) -> None:
        self._clock = clock
        self._waiter: asyncio.Future[bool] | None = None

    async def take(self, seconds: float) -> bool:
        """Return after so many steady seconds, or as soon as it is ended; whether it lasted."""
        waiter: asyncio.Future[bool] = asyncio.get_running_loop().create_future()
        self._waiter = waiter
        call_off = self._clock.alarm(seconds, partial(_settle, waiter))
        try:
            return await waiter
        finally:
            call_off()
            self._waiter = None

    def end(self) -> None:
        """End the nap that is taken now, if one is."""
        if self._waiter is not None:
            _settle(self._waiter, how=False)
