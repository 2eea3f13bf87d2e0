import asyncio
import re
import sqlite3
import time
from types import SimpleNamespace

import pytest
from hypothesis import given
from hypothesis import strategies as st

from healmon.clock import (
    STEP_TOLERANCE,
    Gap,
    ManualClock,
    Reading,
    SystemClock,
    age,
    boot_id,
    cutoff,
    format_utc,
    gap,
    kept,
    local_time,
    parse_utc,
    process_seconds,
    shown,
)

spans = st.floats(STEP_TOLERANCE + 0.1, 1e6)


def gap_after(change):
    clock = ManualClock()
    before = clock.read()
    change(clock)
    return gap(before, clock.read())


@given(st.floats(0, 1e6))
def test_time_that_passes_is_no_gap(seconds):
    found = gap_after(lambda clock: clock.advance(seconds))
    assert not found
    assert found == Gap(0.0, 0.0)


@given(spans, st.floats(0, 1e5))
def test_a_suspend_is_no_step(asleep, awake):
    def change(clock):
        clock.advance(awake)
        clock.suspend(asleep)

    found = gap_after(change)
    assert found
    assert found.suspended == pytest.approx(asleep, abs=1e-3)
    assert found.stepped == 0.0


@given(spans | spans.map(lambda span: -span), st.floats(0, 1e5))
def test_a_step_is_no_suspend(step, awake):
    def change(clock):
        clock.step(step)
        clock.advance(awake)

    found = gap_after(change)
    assert found.stepped == pytest.approx(step, abs=1e-3)
    assert found.suspended == 0.0


@given(spans, spans)
def test_suspend_and_step_are_told_apart(asleep, step):
    def change(clock):
        clock.suspend(asleep)
        clock.step(-step)

    found = gap_after(change)
    assert found.suspended == pytest.approx(asleep, abs=1e-3)
    assert found.stepped == pytest.approx(-step, abs=1e-3)


def test_a_slewing_clock_is_no_gap():
    assert not gap(Reading(0, 0, 0), Reading(61.9, 60.0, 60.0))
    assert gap(Reading(0, 0, 0), Reading(62.1, 60.0, 60.0)).stepped == pytest.approx(2.1)
    assert gap(Reading(0, 0, 0), Reading(61.0, 60.0, 60.0), tolerance=0.5)


def test_the_systems_clocks_run_together():
    clock = SystemClock()
    first, second = clock.read(), clock.read()
    assert second.steady >= first.steady
    assert second.boot >= first.boot
    assert first.wall == pytest.approx(time.time(), abs=5)
    assert first.steady == pytest.approx(first.wall, abs=5)
    assert not gap(first, second)


def test_a_given_offset_keeps_stored_times_comparable():
    first = SystemClock()
    later = SystemClock(offset=first.offset - 1000)
    assert later.read().steady == pytest.approx(first.read().steady - 1000, abs=5)


def test_the_system_clock_sleeps():
    started = process_seconds()
    asyncio.run(SystemClock().sleep(0.02))
    assert process_seconds() - started >= 0.019


def test_a_manual_clock_jumps_to_whoever_sleeps():
    async def days():
        clock = ManualClock()
        before = clock.read()
        await clock.sleep(7 * 86_400)
        return before, clock.read()

    started = process_seconds()
    before, after = asyncio.run(days())
    assert after.steady - before.steady == 7 * 86_400
    assert not gap(before, after)
    assert process_seconds() - started < 5


def test_a_manual_clock_without_jumps_waits_to_be_moved():
    async def wait():
        clock = ManualClock(autojump=False)
        sleeper = asyncio.create_task(clock.sleep(10))
        for _ in range(5):
            await asyncio.sleep(0)
        assert not sleeper.done()
        clock.advance(9.5)
        for _ in range(5):
            await asyncio.sleep(0)
        assert not sleeper.done()
        clock.advance(0.5)
        await asyncio.wait_for(sleeper, 5)

    asyncio.run(wait())


def test_sleepers_are_not_woken_by_a_step_of_the_wall_clock():
    async def wait():
        clock = ManualClock(autojump=False)
        sleeper = asyncio.create_task(clock.sleep(10))
        await asyncio.sleep(0)
        clock.step(1e6)
        clock.suspend(1e6)
        for _ in range(5):
            await asyncio.sleep(0)
        assert not sleeper.done()
        sleeper.cancel()

    asyncio.run(wait())


@pytest.mark.parametrize(
    ("wall", "text"),
    [
        (0.0, "1970-01-01 00:00:00.000"),
        (1_700_000_000.0, "2023-11-14 22:13:20.000"),
        (1_700_000_000.0004, "2023-11-14 22:13:20.000"),
        (1_700_000_000.9996, "2023-11-14 22:13:21.000"),
        (1_709_164_799.999, "2024-02-28 23:59:59.999"),
        (-0.001, "1969-12-31 23:59:59.999"),
    ],
)
def test_stored_times_are_utc_to_the_millisecond(wall, text):
    assert format_utc(wall) == text
    assert parse_utc(text) == pytest.approx(wall, abs=0.0006)


years = st.integers(0, 4_000_000_000_000).map(lambda milli: milli / 1000)


@given(years)
def test_stored_times_are_read_back(wall):
    assert parse_utc(format_utc(wall)) == wall


@given(years, years)
def test_stored_times_sort_as_text(one, other):
    assert (format_utc(one) < format_utc(other)) == (one < other)


def test_stored_times_compare_with_sqlites_own():
    connection = sqlite3.connect(":memory:")
    text = format_utc(time.time() - 3600)
    query = "SELECT ? > datetime('now', '-2 hours'), ? < datetime('now', '-30 minutes')"
    assert connection.execute(query, (text, text)).fetchone() == (1, 1)
    connection.close()


@pytest.mark.parametrize("text", ["", "2023-11-14", "2023-11-14T22:13:20.000Z", "yesterday"])
def test_other_times_are_refused(text):
    with pytest.raises(ValueError, match="time data"):
        parse_utc(text)


def test_times_for_people_are_local(monkeypatch):
    monkeypatch.setenv("TZ", "Asia/Kolkata")
    time.tzset()
    try:
        assert local_time(1_700_000_000.0) == "03:43:20"
        assert local_time(1_700_000_000.0, "%Y-%m-%d") == "2023-11-15"
    finally:
        monkeypatch.undo()
        time.tzset()


def test_the_boot_has_an_id():
    assert re.fullmatch(r"[0-9a-f-]{36}|unknown", boot_id())
    assert boot_id() == boot_id()


def test_a_moment_that_no_calendar_has_is_told_as_unknown():
    assert local_time(253_402_300_800.0 + 86_400) == "?"
    assert local_time(float("nan")) == "?"
    assert local_time(0.0, "%M") in {"00", "30", "45", "15"}


def test_a_stop_between_two_clocks_is_no_step(monkeypatch):
    now, stops = [1e9], [0.0, 1800.0]

    def monotonic():
        now[0] += stops.pop(0) if stops else 0.0  # stopped after the wall clock was read
        return now[0]

    machine = SimpleNamespace(
        time=lambda: now[0], monotonic=monotonic, clock_gettime=lambda _: now[0], CLOCK_BOOTTIME=7
    )
    monkeypatch.setattr("healmon.clock.time", machine)
    clock = SystemClock(0.0)
    assert not gap(clock.read(), clock.read()).stepped
    assert now == [1e9 + 1800.0]


# Ages over steps: nothing is old, and nothing young for ever, by a clock that was set.

marches = st.lists(
    st.tuples(st.floats(1, 1e5), st.sampled_from([0.0, 0.0, 3600.0, -3600.0, 3e7, -3e7, 90.0])),
    min_size=1, max_size=12,
)  # fmt: skip


def marched(march):
    """Return steps, stamps with what was lived when each was made, what was lived, and now."""
    clock, lived, stamps = ManualClock(), 0.0, []
    for seconds, step in march:
        for part in (0.2, 0.8):
            clock.advance(seconds * part)
            lived += seconds * part
            stamps.append((clock.read().wall, lived))
        if step:  # which is noticed a while later
            before = clock.read().wall
            clock.advance(7.0)
            clock.step(step)
            stamps.append((before + 5.0, lived + 5.0))
            lived += 7.0
            stamps.append((clock.read().wall, lived))
            clock.steps = kept(clock.steps[:-1], clock.read().wall, step, 7.0)
    return clock.steps, stamps, lived, clock.read().wall


@given(marches)
def test_no_stamp_is_told_older_than_what_was_lived_since(march):
    steps, stamps, lived, now = marched(march)
    for stamp, then in stamps:
        assert age(steps, stamp, now) <= lived - then + 0.01
        assert shown(steps, stamp, now)


@given(marches, st.floats(0, 2e5))
def test_what_lies_before_a_cutoff_is_that_old_for_sure(march, seconds):
    steps, stamps, lived, now = marched(march)
    before = cutoff(steps, seconds, now)
    assert all(lived - then >= seconds - 0.01 for stamp, then in stamps if stamp < before - 0.001)
    assert cutoff((), seconds, now) == now - seconds


@given(marches, st.floats(1, 2e5))
def test_a_step_that_was_lived_through_keeps_nothing_young(march, seconds):
    steps, _, _, now = marched([*march, (seconds + 1.0, 0.0)])
    assert cutoff(steps, seconds, now) == pytest.approx(now - seconds)


def test_a_stamp_that_no_clock_has_shown_is_of_this_moment():
    clock = ManualClock()
    wall = clock.read().wall
    assert age((), wall + 50, wall) == 0.0
    assert not shown((), wall + 50, wall)
    clock.step(1000.0)
    clock.advance(10.0)
    leapt = age(clock.steps, wall + 500, clock.read().wall)
    assert leapt == 0.0, "between where the clock stood and where it was set to"
    clock.advance(1000.0)
    assert age(clock.steps, wall + 500, clock.read().wall) == pytest.approx(510.0)


def test_the_system_clock_remembers_when_it_was_set(monkeypatch):
    now, ahead = [1e9], [0.0]
    machine = SimpleNamespace(
        time=lambda: now[0] + ahead[0], monotonic=lambda: now[0], clock_gettime=lambda _: now[0],
        CLOCK_BOOTTIME=7,
    )  # fmt: skip
    monkeypatch.setattr("healmon.clock.time", machine)
    clock = SystemClock(0.0, ((5.0, 1.0, 0.0),))
    clock.read()
    ahead[0] = 1.0  # less than what counts
    clock.read()
    assert clock.steps == ((5.0, 1.0, 0.0),)
    ahead[0], now[0] = 3601.0, now[0] + 60
    clock.read()
    clock.read()
    assert clock.steps == ((5.0, 1.0, 0.0), (1e9 + 3601.0, 3601.0, 60.0))
