"""The thread for calls that may hang."""

from __future__ import annotations

import asyncio
import gc
import threading

import pytest

from healmon.clock import process_seconds
from healmon.errors import ProbeError
from healmon.world.hands import KEPT, PATIENCE, Crew, Hands
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


def hang(begun, gate):
    """Tell that a thread has taken this, and hang."""
    begun.set()
    return gate.wait()


async def outside(hands, gate):
    begun = threading.Event()
    while not begun.is_set():  # of one that no thread has taken yet nothing is left
        with pytest.raises(TimeoutError):
            await asyncio.wait_for(hands.call(lambda: hang(begun, gate)), 0.05)


async def by_itself(hands, gate):
    begun = threading.Event()
    while not begun.is_set():
        with pytest.raises(ProbeError, match=r"no answer within 0\.05 s"):
            await hands.call(lambda: hang(begun, gate), within=0.05)


@pytest.mark.slow
@pytest.mark.parametrize("give_up", [outside, by_itself])
def test_a_call_that_was_given_up_blocks_the_next_until_it_ends(give_up):
    hands, gate = Hands("test"), threading.Event()

    async def story() -> None:
        await give_up(hands, gate)
        with pytest.raises(ProbeError, match="hanging"):
            await hands.call(lambda: 1)
        gate.set()
        for _ in range(10_000):
            try:
                assert await hands.call(lambda: 1) == 1
            except ProbeError:
                await asyncio.sleep(0.005)
            else:
                return
        pytest.fail("it still seems to hang")

    asyncio.run(story())
    hands.close()


def test_a_call_that_is_called_off_as_it_is_given_up_on_is_called_off():
    hands, gate = Hands("test"), threading.Event()
    faults: list[dict[str, object]] = []

    async def story() -> None:
        asyncio.get_running_loop().set_exception_handler(lambda _, fault: faults.append(fault))
        asked = asyncio.ensure_future(hands.call(gate.wait, within=30))
        await asyncio.sleep(0)
        job = hands._jobs[0] if hands._jobs else hands._running
        job.forsake(30)
        asked.cancel()
        await asyncio.wait([asked], timeout=5)
        assert asked.cancelled()
        gate.set()

    asyncio.run(story())
    gc.collect()
    assert not faults
    hands.close()


def test_a_call_that_was_given_up_and_ends_soon_spoils_nothing_for_the_next(monkeypatch):
    monkeypatch.setattr("healmon.world.hands.LEAVE", 60.0)  # soon, on a busy machine
    hands, begun, gate = Hands("test"), threading.Event(), threading.Event()

    async def story() -> None:
        given_up = asyncio.ensure_future(hands.call(lambda: hang(begun, gate)))
        await asyncio.to_thread(begun.wait, 60)
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
        await asyncio.gather(*(hands.call(lambda: together.wait(60)) for hands in some))

    asyncio.run(story())
    until(lambda: crew.idle == KEPT, what="the others to end")


def test_what_was_closed_calls_nothing_any_more():
    hands = Hands("test")
    hands.close()
    with pytest.raises(ProbeError, match="nothing is called any more"):
        asyncio.run(hands.call(lambda: 1))


def test_what_has_time_is_made_by_one_thread_and_told_in_one_wake_up(monkeypatch):
    monkeypatch.setattr("healmon.world.hands.PATIENCE", 60.0)  # a busy machine is no reason
    crew, woken = Crew(), []
    some = [Hands(f"h{number}", crew) for number in range(8)]

    async def story() -> list[int]:
        loop = asyncio.get_running_loop()
        wake = loop.call_soon_threadsafe
        monkeypatch.setattr(
            loop, "call_soon_threadsafe", lambda *call: (woken.append(call), wake(*call))
        )
        calls = (hands.call(threading.get_ident, patient=True) for hands in some)
        return await asyncio.gather(*calls)

    assert len(set(asyncio.run(story()))) == 1
    assert len(woken) <= 2, "of one that is slow to begin the others may be told later"


def test_what_has_time_waits_for_nothing_that_hangs():
    crew, gate = Crew(), threading.Event()
    quick, hanging, next_one, urgent = (Hands(name, crew) for name in "abcd")

    async def story() -> None:
        first = asyncio.ensure_future(quick.call(lambda: 1, patient=True))
        stuck = asyncio.ensure_future(hanging.call(lambda: gate.wait(60), patient=True))
        behind = asyncio.ensure_future(next_one.call(lambda: 3, patient=True))
        async with asyncio.timeout(50):
            assert (await first, await behind, await urgent.call(lambda: 4)) == (1, 3, 4)
            assert not stuck.done()
            assert await quick.call(lambda: 5, patient=True) == 5
            gate.set()
            assert await stuck

    asyncio.run(story())


def test_what_has_no_time_does_not_wait_behind_what_has():
    crew, gate = Crew(), threading.Event()
    hanging, hands = Hands("hanging", crew), Hands("hands", crew)

    async def story() -> None:
        stuck = asyncio.ensure_future(hanging.call(lambda: gate.wait(60)))
        patient = asyncio.ensure_future(hands.call(lambda: 1, patient=True))
        await asyncio.sleep(0)
        async with asyncio.timeout(50):
            assert await hands.call(lambda: 2) == 2
            assert await patient == 1
        gate.set()
        await stuck

    asyncio.run(story())


def test_what_waits_to_be_told_is_told_though_what_comes_next_was_given_up_on():
    crew, gate = Crew(), threading.Event()
    slow, given_up = Hands("slow", crew), Hands("given up", crew)

    async def story() -> None:
        first = asyncio.ensure_future(slow.call(lambda: gate.wait(60), patient=True))
        await asyncio.sleep(PATIENCE * 1.5)  # its own patience has ended
        crew._begun = process_seconds() + 60.0  # as if it began all the time: others wait for it
        second = asyncio.ensure_future(given_up.call(lambda: 2, patient=True))
        while not crew._waiting:
            await asyncio.sleep(0)
        second.cancel()
        await asyncio.wait({second})
        gate.set()
        async with asyncio.timeout(60):
            assert await first

    asyncio.run(story())


def test_a_loop_that_ended_as_it_gathered_holds_up_no_other():
    crew = Crew()
    ended = asyncio.new_event_loop()
    crew.gather(lambda: None, ended)
    ended.close()
    assert asyncio.run(Hands("later", crew).call(lambda: 1, patient=True)) == 1


def test_who_waits_behind_one_that_is_given_up_on_waits_for_nobody_else():
    crew, begun, gate = Crew(), threading.Event(), threading.Event()
    hanging, hands = Hands("hanging", crew), Hands("hands", crew)

    def hang() -> None:
        begun.set()
        gate.wait()

    async def story() -> int:
        stuck = asyncio.ensure_future(hanging.call(hang, patient=True))
        first = asyncio.ensure_future(hands.call(lambda: 1, patient=True))
        second = asyncio.ensure_future(hands.call(lambda: 2))
        await asyncio.sleep(0)
        assert begun.wait(60)  # the one thread that was called has taken it
        stuck.cancel()
        first.cancel()
        return await asyncio.wait_for(second, 60)

    try:
        assert asyncio.run(story()) == 2
    finally:
        gate.set()


def test_a_host_that_has_no_thread_left_is_asked_again_and_the_call_is_made_once(monkeypatch):
    start, refused = threading.Thread.start, []

    def refuse(thread: threading.Thread) -> None:
        if thread.name == "hands" and len(refused) < 3:
            refused.append(thread)
            raise RuntimeError("can't start new thread")
        start(thread)

    monkeypatch.setattr(threading.Thread, "start", refuse)
    made: list[int] = []
    hands = Hands("test", Crew())
    assert asyncio.run(hands.call(lambda: made.append(1))) is None
    assert (len(refused), made) == (3, [1])


def test_a_call_that_ends_in_a_stop_iteration_is_told_like_any_other():
    hands = Hands("test", Crew())

    async def story() -> None:
        await asyncio.wait_for(hands.call(lambda: next(iter(()))), 60)

    with pytest.raises(RuntimeError, match="StopIteration"):
        asyncio.run(story())


def test_of_many_that_hang_each_gets_a_thread_of_its_own_and_the_last_one_is_made():
    crew, gate = Crew(), threading.Event()
    stuck = [Hands(f"mount {n}", crew) for n in range(3)]
    last, later = Hands("near", crew), Hands("later", crew)

    async def story() -> None:
        hang = [asyncio.ensure_future(one.call(gate.wait, patient=True)) for one in stuck]
        near = asyncio.ensure_future(last.call(lambda: "near", patient=True))
        await asyncio.sleep(PATIENCE / 2)  # no timer of its own for the one that comes now
        assert await asyncio.wait_for(later.call(lambda: "later", patient=True), 60) == "later"
        assert await asyncio.wait_for(near, 60) == "near"
        gate.set()
        await asyncio.gather(*hang)

    try:
        asyncio.run(story())
    finally:
        gate.set()


def test_what_comes_after_the_one_timer_has_come_is_hastened_like_any_other():
    crew, begun, gate = Crew(), threading.Event(), threading.Event()
    old, new, last = (Hands(name, crew) for name in ("old", "new", "last"))

    def hang() -> None:
        begun.set()
        gate.wait()

    async def story() -> str:
        hanging = [asyncio.ensure_future(old.call(gate.wait, patient=True))]
        await asyncio.sleep(1.5 * PATIENCE)
        hanging.append(asyncio.ensure_future(new.call(hang, patient=True)))
        await asyncio.to_thread(begun.wait, 60)  # so that the next one waits behind it
        try:
            return await asyncio.wait_for(last.call(lambda: "made", patient=True), 60)
        finally:
            gate.set()
            await asyncio.gather(*hanging)

    assert asyncio.run(story()) == "made"
