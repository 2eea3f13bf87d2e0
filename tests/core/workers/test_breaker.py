"""Backoff and breaker, for all failures there can be."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from healmon.clock import Reading
from healmon.workers import breaker
from healmon.workers.model import Memory
from tests.helpers.workerbench import a_worker

WORKER = a_worker()
rows = st.integers(1, 10_000)


def at(steady: float) -> Reading:
    return Reading(wall=steady + 1e9, steady=steady, boot=steady)


def fall(memory: Memory, steady: float, **more) -> Memory:
    settings = {"lived": 0.0, "jitter": 0.0} | more
    return breaker.failed(WORKER, memory, at(steady), "exit 1", **settings)


def test_the_delays_are_those_of_the_contract() -> None:
    plain = [breaker.delay(WORKER, row, 0.0) for row in range(1, 10)]
    assert plain == [5, 10, 20, 40, 80, 160, 300, 300, 300]


@given(rows, st.floats(0, 0.2))
def test_a_delay_is_spread_a_little_and_capped(row: int, jitter: float) -> None:
    plain, real = breaker.delay(WORKER, row, 0.0), breaker.delay(WORKER, row, jitter)
    assert 0.8 * plain - 1e-9 <= real <= min(1.2 * plain, 300) + 1e-9
    assert breaker.delay(WORKER, row, jitter) == real, "the same every time"


@given(st.floats(0, 0.2))
def test_delays_grow_until_the_cap_whatever_the_spread(jitter: float) -> None:
    delays = [breaker.delay(WORKER, row, jitter) for row in range(1, 7)]
    assert delays == sorted(delays)


@given(st.floats(0, 0.2))
def test_the_first_delay_is_exact(jitter: float) -> None:
    assert breaker.delay(WORKER, 1, jitter) == 5.0


def test_a_first_delay_above_the_cap_is_kept() -> None:
    worker = a_worker(restart_delay=600.0)
    assert [breaker.delay(worker, row) for row in (1, 2, 9)] == [600.0] * 3


def test_two_workers_that_fell_together_do_not_stand_up_together() -> None:
    twin = a_worker(name="milestone_worker")
    assert breaker.delay(WORKER, 3) != breaker.delay(twin, 3)


def test_the_cool_down_doubles_to_six_hours() -> None:
    assert [breaker.cool_down(WORKER, level) / 60 for level in range(7)] == [
        15, 30, 60, 120, 240, 360, 360,
    ]  # fmt: skip
    assert breaker.cool_down(a_worker(quarantine=86400.0), 3) == 86400.0


def test_five_failures_within_the_window_open_the_breaker() -> None:
    memory = Memory()
    for number in range(4):
        memory = fall(memory, 100.0 * number)
        assert not memory.quarantined
    memory = fall(memory, 599.0)
    assert memory.quarantined
    assert memory.retry_at == 599.0 + 900.0


def test_failures_that_left_the_window_count_no_more() -> None:
    memory = Memory()
    for number in range(20):
        memory = fall(memory, 200.0 * number)
        assert not memory.quarantined
    assert breaker.recent(WORKER, memory, at(3800.0)) == 3
    assert breaker.flapping(WORKER, memory, at(3800.0))
    assert not breaker.flapping(WORKER, memory, at(3800.0 + breaker.MEMORY_SPAN))


def test_a_host_fault_waits_longer_each_time_and_opens_nothing() -> None:
    memory, waits = Memory(), []
    for _ in range(20):
        memory = breaker.host_failed(WORKER, memory, at(0.0), "no memory", 0.0)
        waits.append(memory.retry_at)
        assert not memory.quarantined
        assert not memory.failures
    assert waits[:4] == [5, 10, 20, 40]
    assert waits[-1] == 300


@pytest.mark.parametrize("failures", [1, 5, 9])
def test_release_forgets_everything(failures: int) -> None:
    memory = Memory(attempt=7, restarts=3)
    for number in range(failures):
        memory = fall(memory, float(number))
    assert breaker.forgiven(memory) == Memory(attempt=7, restarts=3)


@given(st.lists(st.floats(0.0, 2000.0), max_size=60))
def test_the_memory_stays_small_and_the_count_honest(gaps: list[float]) -> None:
    memory, steady, times = Memory(), 0.0, []
    for gap in gaps:
        steady += gap
        times.append(steady)
        memory = fall(memory, steady)
        memory = memory if not memory.quarantined else breaker.forgiven(memory)
        times = times if memory.failures else []
        expected = sum(1 for t in times if t > steady - WORKER.failure_window)
        assert breaker.recent(WORKER, memory, at(steady)) == expected
        assert len(memory.failures) <= 4 * WORKER.max_failures
