from __future__ import annotations

import threading

from hypothesis import given
from hypothesis import strategies as st

from healmon import events as ev
from healmon.state import Snapshot
from healmon.store.buffer import BATCH, Buffer, Checkpoint
from tests.helpers.storekit import WALL, observed, opened
from tests.helpers.wait import until

SAMPLE, DECISION = observed(), opened()


def fill(buffer: Buffer, story: list[bool]) -> list[int]:
    """Put decisions (True) and samples; returns the ids of the decisions."""
    for number, decision in enumerate(story, 1):
        buffer.put(ev.Recorded(number, WALL, DECISION if decision else SAMPLE))
    return [number for number, decision in enumerate(story, 1) if decision]


def taken(buffer: Buffer) -> list[int]:
    found: list[int] = []
    while work := buffer.take(wait=False):
        if not work.items:
            break
        found += [item.id for item in work.items if isinstance(item, ev.Recorded)]
    return found


@given(st.lists(st.booleans(), max_size=60), st.integers(1, 30))
def test_decisions_outlive_samples_and_the_newest_outlive_the_oldest(
    story: list[bool], capacity: int
) -> None:
    buffer = Buffer(capacity)
    decisions = fill(buffer, story)
    kept = taken(buffer)
    assert kept == sorted(kept)
    assert len(kept) == min(len(story), capacity)
    assert buffer.dropped == len(story) - len(kept)
    # as many decisions as fit, and no decision given up while an older sample stayed
    assert [n for n in kept if n in decisions] == decisions[-capacity:] if decisions else True


def test_every_sample_kind_may_be_dropped_and_nothing_else() -> None:
    buffer = Buffer(3)
    for number, event in enumerate(
        (ev.CycleStarted(1), SAMPLE, ev.CycleFinished(1, 0.1, 60.0), ev.Remembered("w", {}),
         ev.StepTaken("p", "w", "x"), DECISION), 1,
    ):  # fmt: skip
        buffer.put(ev.Recorded(number, WALL, event))
    assert taken(buffer) == [4, 5, 6]


def test_a_batch_has_a_limit_and_order_is_kept() -> None:
    buffer = Buffer(10_000)
    fill(buffer, [True, False] * BATCH)
    work = buffer.take(wait=False)
    assert work is not None
    assert [item.id for item in work.items] == list(range(1, BATCH + 1))
    assert taken(buffer) == list(range(BATCH + 1, 2 * BATCH + 1))


def test_a_checkpoint_keeps_its_place_and_only_the_newest_waits() -> None:
    buffer = Buffer(10)
    for number in (1, 2):
        buffer.put(ev.Recorded(number, WALL, DECISION))
        buffer.put_checkpoint(Checkpoint(Snapshot(last_id=number), 0))
    buffer.put(ev.Recorded(3, WALL, DECISION))
    work = buffer.take(wait=False)
    assert work is not None
    assert [
        item.snapshot.last_id * 10 if isinstance(item, Checkpoint) else item.id
        for item in work.items
    ] == [1, 2, 20, 3]


def test_a_full_buffer_gives_up_a_snapshot_before_a_decision() -> None:
    buffer = Buffer(3)
    buffer.put_checkpoint(Checkpoint(Snapshot(), 0))
    fill(buffer, [True] * 3)
    assert buffer.dropped == 0
    assert taken(buffer) == [1, 2, 3]


def test_who_waits_is_told_once_all_before_him_is_done() -> None:
    buffer = Buffer(10)
    assert buffer.waiter() is None
    fill(buffer, [True])
    first = buffer.waiter()
    work = buffer.take(wait=False)
    fill(buffer, [True])
    second = buffer.waiter()
    buffer.done(work)
    assert first.result(0)
    assert not second.done()
    buffer.failed()
    assert second.result(0) is False
    gave_up = buffer.waiter()
    assert gave_up.cancel()
    buffer.done(buffer.take(wait=False))  # nobody there any more: no error
    assert buffer.waiter() is None


def test_taking_waits_for_something_and_closing_ends_it() -> None:
    buffer = Buffer(10)
    found: list[object] = []

    def work() -> None:
        while (got := buffer.take(wait=True)) is not None:
            found.append([item.id for item in got.items] or got.prune_before)

    thread = threading.Thread(target=work)
    thread.start()
    fill(buffer, [True, True])
    until(lambda: sum(map(len, found)) == 2, what="both")
    buffer.put_prune(5.0)
    buffer.put_prune(3.0)
    until(lambda: found[-1] == 5.0, what="the later limit")
    buffer.close()
    thread.join(10)
    assert not thread.is_alive()


def woken(buffer: Buffer, *events: ev.Event) -> bool:
    """Put events; returns whether a writer that waits would have been woken for them."""
    for number, event in enumerate(events, 1):
        buffer.put(ev.Recorded(number, WALL, event))
    return buffer.pending


def test_the_samples_of_a_round_wake_the_writer_when_it_is_over() -> None:
    began, over = ev.CycleStarted(1), ev.CycleFinished(1, 0.1, 60.0)
    assert not woken(Buffer(9), began)
    assert not woken(Buffer(9), began, SAMPLE, SAMPLE)
    assert woken(Buffer(9), began, SAMPLE, over)
    assert woken(Buffer(9), began, over)
    assert woken(Buffer(9), began, DECISION)
    assert woken(Buffer(9), SAMPLE), "between two rounds"
    buffer = Buffer(9)
    assert woken(buffer, began, over)
    assert taken(buffer) == [1, 2]
    assert not buffer.pending
    assert not woken(buffer, began, SAMPLE), "the next round"


def test_who_waits_has_a_round_written_as_it_goes_on() -> None:
    buffer = Buffer(9)
    assert not woken(buffer, ev.CycleStarted(1))
    waiter = buffer.waiter()
    assert waiter is not None
    assert buffer.pending
    work = buffer.take(wait=True)
    assert work is not None
    buffer.done(work)
    assert waiter.result(0)
    assert not buffer.pending
    assert woken(buffer, SAMPLE)


def test_who_waits_for_what_was_dropped_does_not_keep_the_writer_busy() -> None:
    buffer = Buffer(1)
    fill(buffer, [False])
    buffer.waiter()
    buffer.take(wait=False)
    assert not buffer.pending
