"""The host's budget of starts, for all crowds there can be."""

from __future__ import annotations

import itertools

import pytest
from hypothesis import given
from hypothesis import strategies as st

from healmon.config.settings import Monitor
from healmon.workers import budget
from healmon.workers.budget import Ask, Taken
from tests.helpers.workerbench import a_worker

limits = st.builds(
    Monitor,
    name=st.just("host"),
    starts_in_flight=st.integers(0, 4),
    start_spacing=st.sampled_from([0.0, 0.5, 2.0, 7.0]),
    starts_per_minute=st.integers(0, 8),
)
times = st.floats(0.0, 300.0)
asks = st.lists(
    st.builds(
        Ask,
        name=st.integers(0, 10_000).map(str),
        due=times,
        rank=st.integers(0, 3),
        critical=st.booleans(),
    ),
    max_size=25,
    unique_by=lambda ask: ask.name,
)


def kept(monitor: Monitor, moments: list[float]) -> None:
    """Assert that starts at these moments keep to a budget."""
    line = sorted(moments)
    for one, other in itertools.pairwise(line):
        assert other - one >= monitor.start_spacing - 1e-4
    most = monitor.starts_per_minute
    if most:
        for first, last in zip(line, line[most:], strict=False):
            assert last - first >= 60.0 - 1e-4


@given(limits, asks, times)
def test_a_crowd_is_spread_and_nobody_starves(
    monitor: Monitor, crowd: list[Ask], now: float
) -> None:
    given_ = budget.moments(monitor, crowd, Taken(), now)
    assert set(given_) == {ask.name for ask in crowd}
    moments = [at for at in given_.values() if at is not None]
    kept(monitor, moments)
    for ask in crowd:
        at = given_[ask.name]
        assert at is None or at >= max(now, ask.due)
    at_once = [at for at in moments if at <= now]
    if monitor.starts_in_flight:
        assert len(at_once) <= monitor.starts_in_flight
    else:
        assert None not in given_.values()


@given(limits, asks, times)
def test_the_same_crowd_gets_the_same_moments_in_any_order(
    monitor: Monitor, crowd: list[Ask], now: float
) -> None:
    assert budget.moments(monitor, crowd, Taken(), now) == budget.moments(
        monitor, crowd[::-1], Taken(), now
    )


@given(limits, st.lists(times, max_size=12), times)
def test_what_is_taken_counts(monitor: Monitor, others: list[float], due: float) -> None:
    line = sorted(others)
    at = budget.earliest(monitor, line, due)
    assert at >= due
    # what others did may break the budget by itself: the new one adds to nothing
    assert all(abs(at - other) >= monitor.start_spacing - 1e-4 for other in line)
    if monitor.starts_per_minute:
        for begin in (at, *(other for other in line if at - 60 < other <= at)):
            mine = [t for t in (*line, at) if begin <= t < begin + 60.0 - 1e-4]
            rest = [t for t in line if begin <= t < begin + 60.0 - 1e-4]
            assert len(mine) <= max(monitor.starts_per_minute, len(rest))


@given(limits, asks, st.lists(st.floats(0.1, 90.0), min_size=1, max_size=40))
def test_starts_that_take_their_time_are_never_too_many(
    monitor: Monitor, crowd: list[Ask], lasting: list[float]
) -> None:
    """A small host: plans are made at every look, started at their moment, and end some day."""
    waiting = {ask.name: ask for ask in crowd}
    planned: dict[str, float] = {}
    ends: list[float] = []
    starts: list[float] = []
    length = itertools.cycle(lasting)
    now = 0.0
    for _ in range(600):
        if not waiting and not planned:
            break
        ends = [at for at in ends if at > now]
        taken = Taken(moments=(*starts, *planned.values()), in_flight=len(ends))
        fresh = [ask for name, ask in waiting.items() if name not in planned]
        line = budget.moments(monitor, fresh, taken, now)
        planned |= {name: at for name, at in line.items() if at is not None}
        for name, at in sorted(planned.items(), key=lambda entry: entry[1]):
            room = not monitor.starts_in_flight or len(ends) < monitor.starts_in_flight
            if at <= now and room and budget.earliest(monitor, sorted(starts), now) <= now:
                del planned[name], waiting[name]
                starts.append(now)
                ends.append(now + next(length))
        assert not monitor.starts_in_flight or len(ends) <= monitor.starts_in_flight
        later = [at for at in (*ends, *planned.values()) if at > now]
        later += [budget.earliest(monitor, sorted(starts), now)] if planned else []
        now = max(now + 0.01, min((at for at in later if at > now), default=now + 1.0))
    assert not waiting, "nobody starves"
    kept(monitor, starts)


def test_the_line_is_dependency_then_critical_then_time() -> None:
    crowd = [
        Ask(name="late", due=3.0),
        Ask(name="early", due=1.0),
        Ask(name="critical", due=3.0, critical=True),
        Ask(name="built on others", due=0.0, rank=1, critical=True),
    ]
    monitor = Monitor(name="host", starts_per_minute=0)
    given_ = budget.moments(monitor, crowd, Taken(), 5.0)
    assert given_ == {"critical": 5.0, "early": 7.0, "late": 9.0, "built on others": 11.0}


def test_seven_at_once_take_more_than_a_minute() -> None:
    crowd = [Ask(name=str(n), due=0.0) for n in range(7)]
    given_ = budget.moments(Monitor(name="host"), crowd, Taken(), 100.0)
    assert [given_[str(n)] for n in range(7)] == [100, 102, 104, 106, 108, 110, 160]


def test_while_two_are_under_way_a_third_has_no_moment_yet() -> None:
    crowd = [Ask(name="now", due=0.0), Ask(name="later", due=50.0)]
    given_ = budget.moments(Monitor(name="host"), crowd, Taken(in_flight=2), 10.0)
    assert given_ == {"now": None, "later": 50.0}


def test_those_that_fail_again_and_again_come_last_and_leave_room() -> None:
    crowd = [Ask(name=f"bad{n}", due=0.0, critical=True, failing=True) for n in range(6)]
    crowd.append(Ask(name="good", due=20.0, rank=3))
    limits = Monitor(name="host")
    given_ = budget.moments(limits, crowd, Taken(), 0.0)
    assert [given_[f"bad{n}"] for n in range(6)] == [0.0, 2.0, 4.0, 60.0, 62.0, 64.0]
    assert given_["good"] == 20.0, "as if it were alone"
    one_hangs = budget.moments(limits, crowd, Taken(in_flight=1), 30.0)
    assert one_hangs["good"] == 30.0
    assert one_hangs["bad0"] is None or one_hangs["bad0"] > 30.0


@pytest.mark.parametrize("most", range(8))
def test_what_is_left_to_them_is_less_but_never_nothing(most: int) -> None:
    limits = Monitor(name="host", starts_in_flight=most, starts_per_minute=most)
    less = budget.lesser(limits)
    for all_, some in (
        (limits.starts_in_flight, less.starts_in_flight),
        (limits.starts_per_minute, less.starts_per_minute),
    ):
        assert (some < all_) is (all_ > 1)
        assert bool(some) is bool(all_)


def test_no_budget_holds_nobody() -> None:
    crowd = [Ask(name=str(n), due=0.0) for n in range(300)]
    given_ = budget.moments(budget.NOBODY, crowd, Taken(in_flight=300), 10.0)
    assert set(given_.values()) == {10.0}


def test_three_hundred_at_once_are_planned_in_no_time() -> None:
    crowd = [Ask(name=f"{n:03d}", due=0.0) for n in range(300)]
    given_ = budget.moments(Monitor(name="host"), crowd, Taken(), 0.0)
    assert len(given_) == 300
    kept(Monitor(name="host"), [at for at in given_.values() if at is not None])


@pytest.mark.parametrize("order", list(itertools.permutations("abc")))
def test_a_rank_is_the_height_above_what_depends_on_nothing(order: tuple[str, ...]) -> None:
    after = {"a": (), "b": ("a",), "c": ("b", "a", "nobody")}
    workers = [a_worker(name=name, after=after[name]) for name in order]
    assert budget.ranks(workers) == {"a": 0, "b": 1, "c": 2}


def test_a_circle_ends() -> None:
    workers = [a_worker(name="a", after=("b",)), a_worker(name="b", after=("a",))]
    assert set(budget.ranks(workers).values()) <= {0, 1, 2}
