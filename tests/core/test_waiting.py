"""Waiting with a patience, side by side, and sleeps that others end."""

from __future__ import annotations

import asyncio

import pytest

from healmon.clock import ManualClock, SystemClock
from healmon.waiting import Nap, over


def test_what_is_over_in_time_is_told_and_what_is_not_is_left_alone():
    async def story() -> None:
        loop = asyncio.get_running_loop()
        slow, quick, done = (loop.create_future() for _ in range(3))
        done.set_result(1)
        assert await over([done], 0.0)
        loop.call_later(0.01, quick.set_result, 2)
        waits = [over([quick, done], 30), over([slow], 0.05), over([slow, quick], 0.02)]
        assert await asyncio.gather(*waits) == [True, False, False]
        assert not slow.done()
        loop.call_soon(slow.set_exception, ValueError("late"))
        assert await over([slow], 30)
        with pytest.raises(ValueError, match="late"):
            slow.result()

    asyncio.run(story())


def test_whoever_waits_longest_is_waited_for_whatever_the_others_do():
    async def story() -> None:
        loop = asyncio.get_running_loop()
        things = [loop.create_future() for _ in range(3)]
        waits = [asyncio.ensure_future(over([t], 30 - 5 * n)) for n, t in enumerate(things)]
        await asyncio.sleep(0)
        waits[2].cancel()  # the soonest: its timer goes, or rings for the others
        await asyncio.sleep(0)
        for thing in things[:2]:
            assert not await over([thing], 0.01)
            thing.set_result(None)
        assert await asyncio.gather(*waits[:2]) == [True, True]
        with pytest.raises(asyncio.CancelledError):
            await waits[2]
        assert not things[2].done()

    asyncio.run(story())


def test_a_nap_lasts_as_long_as_its_clock_says_or_until_it_is_ended():
    async def story() -> None:
        assert await Nap(ManualClock()).take(3600.0)
        nap = Nap(SystemClock())
        nap.end()  # nobody sleeps yet: that ends no later one
        assert await nap.take(0.01)
        asyncio.get_running_loop().call_later(0.01, nap.end)
        assert not await nap.take(3600.0)

    asyncio.run(story())
