"""The thread for calls that may hang."""

from __future__ import annotations

import asyncio
import threading

import pytest

from healmon.errors import ProbeError
from healmon.world.hands import Hands


def test_calls_one_after_the_other_never_seem_to_hang():
    hands = Hands("test")

    async def many() -> list[int]:
        return [await hands.call(lambda n=n: n) for n in range(3000)]

    assert asyncio.run(many()) == list(range(3000))
    hands.close()


def test_what_a_call_raises_is_raised():
    hands = Hands("test")
    with pytest.raises(ZeroDivisionError):
        asyncio.run(hands.call(lambda: 1 // 0))
    hands.close()


def test_a_call_that_was_given_up_blocks_the_next_until_it_ends():
    hands, gate = Hands("test"), threading.Event()

    async def story() -> None:
        with pytest.raises(TimeoutError):
            await asyncio.wait_for(hands.call(gate.wait), 0.05)
        with pytest.raises(ProbeError, match="hanging"):
            await hands.call(lambda: 1)
        gate.set()
        for _ in range(1000):
            try:
                assert await hands.call(lambda: 1) == 1
            except ProbeError:
                await asyncio.sleep(0.005)
            else:
                return
        pytest.fail("it still seems to hang")

    asyncio.run(story())
    hands.close()
