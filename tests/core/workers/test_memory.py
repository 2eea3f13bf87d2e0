"""How much a worker uses, and where it is heading."""

from __future__ import annotations

import random

import pytest
from hypothesis import given
from hypothesis import strategies as st

from healmon.workers import memory
from healmon.workers.memory import Usage, taken, theil_sen

MB = 1_000_000


def looks(sizes: list[int], every: float = 60.0, limit: int | None = None) -> Usage:
    usage = Usage()
    for number, size in enumerate(sizes):
        usage = taken(usage, 1000.0 + number * every, [size], limit)
    return usage


def test_18_a_leak_has_its_slope_in_bytes_an_hour() -> None:
    usage = looks([100 * MB + n * MB for n in range(30)])
    assert usage.use.slope == pytest.approx(60 * MB)


@given(st.integers(0, 10**6), st.floats(0, 50))
def test_noise_and_lonely_peaks_do_not_move_the_slope(seed: int, per_minute: float) -> None:
    noise = random.Random(seed)
    sizes = [100.0 + per_minute * n + noise.uniform(-1, 1) for n in range(60)]
    for place in noise.sample(range(60), 5):
        sizes[place] += 10_000
    slope = theil_sen([(60.0 * n, size) for n, size in enumerate(sizes)])
    assert slope == pytest.approx(60 * per_minute, abs=60 * 1.0)


@pytest.mark.parametrize(
    ("count", "every", "known"),
    [(9, 120.0, False), (10, 66.0, False), (10, 67.0, True), (11, 60.0, True)],
)
def test_there_is_no_slope_below_ten_samples_or_ten_minutes(
    count: int, every: float, known: bool
) -> None:
    assert (looks([MB] * count, every).use.slope is not None) is known


def test_what_was_an_hour_ago_counts_no_more() -> None:
    sizes = [n * MB for n in range(60)] + [59 * MB] * 61
    assert looks(sizes).use.slope == 0.0


def test_frequent_looks_make_no_more_samples() -> None:
    usage = looks([MB] * 2000, every=2.0)
    assert len(usage.samples) <= memory.SPAN / memory.SAMPLE_EVERY + 1


def test_looks_above_the_limit_are_counted_in_a_row() -> None:
    assert [looks([9 * MB] * n, limit=5 * MB).use.over for n in range(4)] == [0, 1, 2, 3]
    assert looks([9 * MB, 9 * MB, 4 * MB], limit=5 * MB).use.over == 0
    assert looks([9 * MB, 4 * MB, 9 * MB], limit=5 * MB).use.over == 1
    assert looks([9 * MB] * 5).use.over == 0


def test_a_burst_of_looks_is_one() -> None:
    assert looks([9 * MB] * 5, every=1.0, limit=5 * MB).use.over == 1
    assert looks([9 * MB] * 25, every=1.0, limit=5 * MB).use.over == 3


def test_the_whole_tree_counts() -> None:
    use = taken(Usage(), 0.0, [3 * MB, 4 * MB], 5 * MB).use
    assert (use.processes, use.rss, use.over) == (2, 7 * MB, 1)
