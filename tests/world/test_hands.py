"""The thread for calls that may hang."""

from __future__ import annotations

import asyncio
import threading

import pytest

from healmon.errors import ProbeError
from healmon.world.hands import KEPT, Crew, Hands, in_turn
from tests.helpers.wait import until


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


def test_a_call_that_was_given_up_and_ends_soon_spoils_nothing_for_the_next():
    hands, gate = Hands("test"), threading.Event()

    async def story() -> None:
        given_up = asyncio.ensure_future(hands.call(gate.wait))
        await asyncio.sleep(0.05)
        given_up.cancel()
        next_one = asyncio.ensure_future(hands.call(lambda: 1))
        await asyncio.sleep(0.05)
        assert not next_one.done()
        gate.set()
        assert await next_one == 1

    asyncio.run(story())
    hands.close()


def test_hands_that_take_turns_share_a_thread_and_one_that_hangs_has_its_own():
    crew, gate = Crew(), threading.Event()
    first, second, hanging = (Hands(name, crew) for name in ("first", "second", "hanging"))

    async def story() -> tuple[list[int], int, int]:
        before = [await hands.call(threading.get_ident) for hands in (first, second) * 20]
        stuck = asyncio.ensure_future(hanging.call(gate.wait))
        beside = await first.call(threading.get_ident)
        gate.set()
        await stuck
        return before, beside, await hanging.call(threading.get_ident)

    before, beside, _ = asyncio.run(story())
    assert len(set(before)) < 10  # and not 40: some may still be on their way to rest
    assert beside


def test_many_at_the_same_time_have_a_thread_each_and_few_are_kept():
    crew = Crew()
    some = [Hands(f"h{number}", crew) for number in range(8)]
    together = threading.Barrier(len(some))

    async def story() -> None:
        await asyncio.gather(*(hands.call(lambda: together.wait(20)) for hands in some))

    asyncio.run(story())
    until(lambda: crew.idle == KEPT, what="the others to end")


def test_what_was_closed_calls_nothing_any_more():
    hands = Hands("test")
    hands.close()
    with pytest.raises(ProbeError, match="nothing is called any more"):
        asyncio.run(hands.call(lambda: 1))


def test_what_is_quick_goes_in_turn_and_what_takes_its_time_holds_up_nobody():
    told: list[str] = []

    async def one(name: str, moment: asyncio.Event | None = None) -> str:
        told.append(f"{name} begins")
        await (moment.wait() if moment is not None else asyncio.sleep(0))
        told.append(f"{name} ends")
        return name

    async def story() -> list[str]:
        slow = asyncio.Event()
        doings = (one("quick"), one("slow", slow), one("next"))

        async def last() -> str:
            slow.set()
            return await one("last")

        return await in_turn([*doings, last()], patience=0.01)

    assert asyncio.run(story()) == ["quick", "slow", "next", "last"]
    assert told[:5] == ["quick begins", "quick ends", "slow begins", "next begins", "next ends"]


def test_of_what_goes_in_turn_the_first_that_fails_ends_the_others():
    ended: list[str] = []

    async def waits() -> None:
        try:
            await asyncio.Event().wait()
        finally:
            ended.append("waits")

    async def fails() -> None:
        raise ProbeError("no")

    with pytest.raises(ProbeError):
        asyncio.run(in_turn(iter([waits(), fails()]), patience=0.01))
    assert ended == ["waits"]
