import contextlib
import math

import pytest
from hypothesis import given
from hypothesis import strategies as st

from healmon.units import (
    MAX_DURATION,
    MAX_SIZE,
    duration_text,
    format_duration,
    format_percent,
    format_size,
    parse_duration,
    parse_percent,
    parse_size,
    size_text,
)

numbers = st.floats(allow_nan=True, allow_infinity=True) | st.integers()
junk = st.none() | st.booleans() | st.text() | st.lists(st.integers()) | numbers


@pytest.mark.parametrize(
    ("text", "seconds"),
    [
        ("5s", 5),
        ("30m", 1800),
        ("7d", 604_800),
        ("2w", 1_209_600),
        ("1h30m", 5400),
        ("1h 30m", 5400),
        ("1.5h", 5400),
        ("250ms", 0.25),
        ("1m500ms", 60.5),
        ("0s", 0),
        ("60", 60),
        (60, 60),
        (" 5s ", 5),
    ],
)
def test_durations_are_read(text, seconds):
    assert parse_duration(text) == seconds
    assert isinstance(parse_duration(text), float)


@pytest.mark.parametrize(
    "text",
    [
        *("", " ", "s", "5x", "-5s", "5S", "30m1h", "1h1h", "1.h", ".5h", "1e3s", "٣s", "5 5"),
        *("nan", "inf", "1,5h", "5.5", -1, 5.0, True, None, [], "9" * 10_000),
    ],
)
def test_other_durations_are_refused_with_what_is_allowed(text):
    with pytest.raises(ValueError, match=r'"5s", "30m", "1h30m", "7d", or whole seconds'):
        parse_duration(text)


@pytest.mark.parametrize("text", ["36501d", 10**30, "9" * 30 + "w"])
def test_a_duration_of_centuries_is_a_slip(text):
    with pytest.raises(ValueError, match="up to 36500d"):
        parse_duration(text)


@given(st.floats(0, MAX_DURATION) | st.integers(0, MAX_DURATION))
def test_exact_durations_read_back_to_themselves(seconds):
    assert parse_duration(duration_text(seconds)) == seconds


@pytest.mark.parametrize(
    ("seconds", "text"),
    [(0, "0s"), (60, "1m"), (90, "1m30s"), (604_800, "7d"), (0.25, "0.25s"), (1e-7, "0.0000001s")],
)
def test_exact_durations_are_short_where_they_can_be(seconds, text):
    assert duration_text(seconds) == text


@pytest.mark.parametrize("seconds", [-1, math.nan, math.inf])
def test_no_exact_text_for_what_is_no_duration(seconds):
    with pytest.raises(ValueError, match="a duration"):
        duration_text(seconds)


@pytest.mark.parametrize(
    ("seconds", "text"),
    [
        (0, "0s"),
        (0.04, "0s"),
        (0.49, "0.4s"),
        (1, "1s"),
        (45.9, "45s"),
        (59.999, "59s"),
        (60, "1m00s"),
        (245, "4m05s"),
        (599.9, "9m59s"),
        (600, "10m"),
        (720, "12m"),
        (3599, "59m"),
        (3600, "1h00m"),
        (11_520, "3h12m"),
        (86_399, "23h59m"),
        (187_200, "2d04h"),
        (14 * 86_400, "14d"),
        (1e12, "11574074d"),
        (-90, "-1m30s"),
        (-0.01, "0s"),
        (math.nan, "?"),
        (math.inf, "∞"),
        (-math.inf, "-∞"),
    ],
)
def test_durations_for_people(seconds, text):
    assert format_duration(seconds) == text


@given(numbers)
def test_any_duration_can_be_shown_briefly(seconds):
    assert 0 < len(format_duration(seconds if abs(seconds) < 1e15 else 0)) <= 18


@pytest.mark.parametrize(
    ("text", "size"),
    [
        ("500MB", 500_000_000),
        ("2GiB", 2 * 1024**3),
        ("1.5 GB", 1_500_000_000),
        ("1.5kb", 1500),
        ("64kib", 65_536),
        ("12", 12),
        ("12B", 12),
        (0, 0),
        (12, 12),
        (MAX_SIZE, MAX_SIZE),
    ],
)
def test_sizes_are_read(text, size):
    assert parse_size(text) == size


@pytest.mark.parametrize(
    "text", ["", "MB", "5XB", "-5MB", "5 M B", "1.5", "500M", -1, 5.0, True, None, "1e3MB", {}]
)
def test_other_sizes_are_refused_with_what_is_allowed(text):
    with pytest.raises(ValueError, match='"500MB", "2GiB", or whole bytes'):
        parse_size(text)


@pytest.mark.parametrize("text", ["99EB", MAX_SIZE + 1, "9" * 40])
def test_a_size_that_nothing_can_count_is_a_slip(text):
    with pytest.raises(ValueError, match=f"up to {MAX_SIZE} bytes"):
        parse_size(text)


@given(
    st.integers(0, MAX_SIZE)
    | st.builds(lambda n, p: n * 1000**p, st.integers(0, 999), st.integers(0, 5))
    | st.builds(lambda n, p: n * 1024**p, st.integers(0, 1023), st.integers(0, 5))
)
def test_exact_sizes_read_back_to_themselves(size):
    assert parse_size(size_text(size)) == size


@pytest.mark.parametrize(
    ("size", "text"),
    [(0, "0B"), (500_000_000, "500MB"), (2 * 1024**3, "2GiB"), (1234, "1234B"), (5 * 10**9, "5GB")],
)
def test_exact_sizes_use_the_largest_unit_that_fits(size, text):
    assert size_text(size) == text


def test_no_exact_text_for_less_than_nothing():
    with pytest.raises(ValueError, match="a size"):
        size_text(-1)


@pytest.mark.parametrize(
    ("size", "text"),
    [
        (0, "0 B"),
        (-0.2, "0 B"),
        (512, "512 B"),
        (999.6, "1.0 kB"),
        (999_949, "999.9 kB"),
        (999_950, "1.0 MB"),
        (121 * 10**9, "121.0 GB"),
        (-5_000_000, "-5.0 MB"),
        (10**22, "10000.0 EB"),
        (math.nan, "?"),
        (math.inf, "?"),
    ],
)
def test_sizes_for_people(size, text):
    assert format_size(size) == text


@pytest.mark.parametrize(
    ("value", "percent"),
    [(85, 85.0), (85.5, 85.5), ("85", 85.0), ("85.5 %", 85.5), (0, 0), (100, 100)],
)
def test_percentages_are_read(value, percent):
    assert parse_percent(value) == percent


@pytest.mark.parametrize(
    "value", [-0.1, 100.1, math.nan, math.inf, 10**400, True, None, "", "x", "101", "-1", []]
)
def test_other_percentages_are_refused_with_what_is_allowed(value):
    with pytest.raises(ValueError, match="a percentage from 0 to 100"):
        parse_percent(value)


def test_percentages_for_people():
    assert format_percent(86.94) == "86.9%"
    assert format_percent(100) == "100.0%"
    assert format_percent(math.nan) == "?"


@given(junk)
def test_reading_raises_nothing_but_value_errors(value):
    for parse in (parse_duration, parse_size, parse_percent):
        with contextlib.suppress(ValueError):
            assert parse(value) >= 0
