"""Backoff and breaker, for all failures there can be."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from healmon.clock import Reading
from healmon.config.settings import HOUR
from healmon.workers import breaker
from healmon.workers.model import Memory
from tests.helpers.workerbench import a_worker

WORKER = a_worker()
CRITICAL = a_worker(critical=True)
rows = st.integers(1, 10_000)
gaps = st.lists(st.floats(0.0, 4000.0), max_size=60)


def at(steady: float) -> Reading:
    return Reading(wall=steady + 1e9, steady=steady, boot=steady)


def fall(memory: Memory, steady: float, worker=WORKER, **more) -> Memory:
    settings = {"lived": 0.0, "jitter": 0.0} | more
    return breaker.failed(worker, memory, at(steady), "exit 1", **settings)


def tried(memory: Memory) -> Memory:
    """The memory while the one trial of a quarantine is under way."""
    changes = {"quarantined": False, "trial": True, "retry_at": None}
    return type(memory)(**{f: getattr(memory, f) for f in memory.__struct_fields__} | changes)


# Backoff.


def test_the_delays_are_those_of_the_contract() -> None:
    plain = [breaker.delay(WORKER, row, 0.0) for row in range(1, 10)]
    assert plain == [5, 10, 20, 40, 80, 160, 300, 300, 300]


@given(rows, st.floats(0, 0.2))
def test_a_delay_is_capped_and_spread_a_little(row: int, jitter: float) -> None:
    plain, real = breaker.delay(WORKER, row, 0.0), breaker.delay(WORKER, row, jitter)
    assert 0.8 * plain - 1e-9 <= real <= 1.2 * plain + 1e-9
    assert plain <= 300
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
    assert [breaker.delay(worker, row, 0.0) for row in (1, 2, 9)] == [600.0] * 3


@given(rows)
def test_no_delay_stays_no_delay(row: int) -> None:
    assert breaker.delay(a_worker(restart_delay=0.0), row) == 0.0


@pytest.mark.parametrize("row", [3, 50])
def test_workers_that_fell_together_do_not_stand_up_together_even_at_the_cap(row: int) -> None:
    twin = a_worker(name="milestone_worker")
    assert breaker.delay(WORKER, row) != breaker.delay(twin, row)


# The breaker.


def test_the_cool_down_doubles_to_six_hours() -> None:
    assert [breaker.cool_down(WORKER, level) / 60 for level in range(7)] == [
        15, 30, 60, 120, 240, 360, 360,
    ]  # fmt: skip
    assert breaker.cool_down(a_worker(quarantine=86400.0), 3) == 86400.0
    assert breaker.cool_down(a_worker(quarantine_max=HOUR), 9) == HOUR


def test_five_failures_within_the_window_open_the_breaker() -> None:
    memory = Memory()
    for number in range(4):
        memory = fall(memory, 100.0 * number)
        assert not memory.quarantined
    memory = fall(memory, 599.0)
    assert memory.quarantined
    assert memory.retry_at == 599.0 + 900.0


def test_ten_failures_within_six_hours_open_it_too_however_long_each_life_was() -> None:
    memory = Memory()
    for number in range(1, 10):
        memory = breaker.stable(WORKER, fall(memory, 660.0 * number, lived=660.0), at(0.0))
        assert not memory.quarantined
    assert breaker.recent(WORKER, memory, at(660.0 * 9)) == 1
    memory = fall(memory, 6600.0, lived=660.0)
    assert memory.quarantined
    assert breaker.flapping(WORKER, memory, at(6600.0))
    assert not breaker.flapping(WORKER, memory, at(6600.0 + WORKER.slow_window))


def test_failures_that_left_both_windows_count_no_more() -> None:
    memory = Memory()
    for number in range(40):
        memory = fall(memory, 3000.0 * number)
        assert not memory.quarantined
    assert breaker.recent(WORKER, memory, at(3000.0 * 39)) == 1
    assert breaker.slow(WORKER, memory, at(3000.0 * 39)) == 8


@given(gaps, st.integers(1, 8), st.integers(1, 15))
def test_no_window_ever_holds_more_failures_than_are_let_pass(
    pauses: list[float], fast: int, slow: int
) -> None:
    worker = a_worker(max_failures=fast, slow_failures=slow)
    memory, steady, times = Memory(), 0.0, []
    for pause in pauses:
        steady += pause
        if memory.quarantined:
            continue  # nothing is started, nothing falls
        memory = fall(memory, steady, worker)
        times.append(steady)
        within = [t for t in times if t > steady - worker.failure_window]
        over_hours = [t for t in times if t > steady - worker.slow_window]
        assert breaker.recent(worker, memory, at(steady)) == len(within)
        assert breaker.slow(worker, memory, at(steady)) == len(over_hours)
        assert memory.quarantined == (len(within) >= fast or len(over_hours) >= slow)


@given(gaps)
def test_the_memory_stays_small(pauses: list[float]) -> None:
    memory, steady = Memory(), 0.0
    for pause in pauses:
        steady += pause
        memory = fall(memory, steady)
        assert len(memory.failures) <= 20


# Trials.


def test_each_failed_trial_doubles_the_cool_down() -> None:
    memory, waits = Memory(), []
    for _ in range(5):
        memory = fall(memory, 0.0, CRITICAL)
    for _ in range(9):
        waits.append(memory.retry_at)
        memory = fall(tried(memory), 0.0, CRITICAL)
    assert waits == [900, 1800, 3600, 7200, 14400, 21600, 21600, 21600, 21600]
    assert memory.trials == 9
    assert not breaker.forsaken(CRITICAL, memory), "a critical worker never stops getting trials"


def test_one_that_is_not_critical_waits_for_a_person_after_its_last_trial() -> None:
    memory = Memory()
    for _ in range(5):
        memory = fall(memory, 0.0)
    for trial in range(WORKER.max_trials):
        assert memory.retry_at is not None, trial
        memory = fall(tried(memory), 0.0)
    assert breaker.forsaken(WORKER, memory)
    assert memory.quarantined
    assert memory.retry_at is None
    assert not breaker.forsaken(WORKER, breaker.forgiven(memory))


def test_a_stable_trial_closes_the_breaker_and_forgets_the_level_once_it_is_calm() -> None:
    memory = Memory()
    for number in range(10):
        memory = fall(memory, float(number))
    up = breaker.stable(WORKER, tried(memory), at(700.0))
    assert (up.trial, up.trials, up.row) == (False, 0, 0)
    assert up.opened, "the slow window is full: it may be one that falls every eleven minutes"
    again = fall(up, 800.0)
    assert again.quarantined
    assert again.level == memory.level + 1
    calm = breaker.stable(WORKER, up, at(WORKER.slow_window + 700.0))
    assert (calm.opened, calm.level) == (False, 0)


# What costs no budget.


@pytest.mark.parametrize("call", [breaker.host_failed, breaker.barred])
def test_what_is_not_its_fault_waits_longer_each_time_and_opens_nothing(call) -> None:
    memory, waits = Memory(), []
    for _ in range(20):
        memory = call(WORKER, memory, at(0.0), "no memory", 0.0)
        waits.append(memory.retry_at)
        assert not memory.quarantined
        assert not memory.failures
    assert waits[:4] == [5, 10, 20, 40]
    assert waits[-1] == 300


def test_what_healmon_cut_short_is_made_up_for_at_once_but_not_for_ever() -> None:
    memory, waits = Memory(), []
    for _ in range(4):
        memory = breaker.cut_short(WORKER, memory, at(100.0), "healmon ended", 0.0)
        waits.append(memory.retry_at - 100.0)
        assert not memory.failures
    assert waits == [0, 5, 10, 20]


@pytest.mark.parametrize("code", [126, 127, 78])
def test_a_code_that_says_it_is_hopeless(code: int) -> None:
    assert breaker.mends_nothing(WORKER, code)
    assert not breaker.mends_nothing(WORKER, 1)
    assert not breaker.mends_nothing(WORKER, None)
    assert not breaker.mends_nothing(a_worker(no_restart_codes=()), 78)


def test_what_is_hopeless_is_quarantined_at_once() -> None:
    memory = breaker.hopeless(WORKER, Memory(), at(0.0), "no such file")
    assert memory.quarantined
    assert memory.retry_at == 900.0
    assert memory.failures == (0.0,)


@pytest.mark.parametrize("failures", [1, 5, 9])
def test_release_forgets_everything(failures: int) -> None:
    memory = Memory(attempt=7, restarts=3)
    for number in range(failures):
        memory = fall(memory, float(number))
    assert breaker.forgiven(memory) == Memory(attempt=7, restarts=3)


# One that lives and must be replaced.


def test_a_sick_one_is_no_failure_until_it_is_ended() -> None:
    sick = breaker.sickened(WORKER, Memory(), at(100.0), "hung", 0.0)
    assert (sick.sick, sick.retry_at, sick.failures) == ("hung", 105.0, ())
    well = breaker.recovered(sick)
    assert (well.sick, well.retry_at, well.failures) == ("", None, ())
    ended = breaker.replaced(WORKER, sick, at(105.0), lived=50.0)
    assert (ended.sick, ended.failures, ended.row, ended.trial) == ("", (105.0,), 1, False)


def test_the_fifth_that_hangs_is_replaced_by_one_trial_after_the_cool_down() -> None:
    memory = Memory()
    for number in range(4):
        steady = 100.0 * number
        sick = breaker.sickened(WORKER, memory, at(steady), "hung", 0.0)
        assert sick.retry_at == steady + breaker.delay(WORKER, number + 1, 0.0)
        memory = breaker.replaced(WORKER, sick, at(steady), lived=60.0)
        assert not memory.trial
    sick = breaker.sickened(WORKER, memory, at(400.0), "hung", 0.0)
    assert sick.chance
    assert sick.retry_at == 400.0 + 900.0
    memory = breaker.replaced(WORKER, sick, at(2000.0), lived=60.0)
    assert (memory.trial, memory.opened, memory.level) == (True, True, 0)
    sick = breaker.sickened(WORKER, memory, at(2100.0), "hung", 0.0)
    assert sick.retry_at == 2100.0 + 1800.0, "a trial that hangs opens it for twice as long"
    assert breaker.replaced(WORKER, sick, at(3900.0), lived=60.0).trials == 1
