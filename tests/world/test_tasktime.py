"""Times in task tables: whatever is written is read as one moment, or as saying nothing."""

from __future__ import annotations

import re
from datetime import UTC, datetime, timedelta, timezone
from zoneinfo import ZoneInfo, ZoneInfoNotFoundError

import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from healmon.world.tasktime import format_task_time, parse_task_time, stamp_of

STAMPS = st.sampled_from(("sqlite", "local", "zulu", "unix"))
ZONES = st.integers(-14 * 60, 14 * 60).map(lambda minutes: timezone(timedelta(minutes=minutes)))
WALLS = st.floats(1e6, 4e9)


@given(WALLS, STAMPS, ZONES)
def test_what_is_written_is_read_again_in_any_zone(wall, stamp, zone):
    text = format_task_time(wall, stamp, zone)
    again = parse_task_time(text, zone)
    assert again is not None
    # two of them have whole seconds only, the other microseconds
    assert wall - 1 < again <= wall + 1e-5
    assert stamp_of(text) == stamp


@given(WALLS, ZONES, ZONES)
def test_only_local_times_depend_on_the_zone(wall, one, other):
    for stamp in ("sqlite", "zulu", "unix"):
        text = format_task_time(wall, stamp, one)
        assert parse_task_time(text, one) == parse_task_time(text, other)
    text = format_task_time(wall, "local", one)
    apart = one.utcoffset(None) - other.utcoffset(None)
    found = parse_task_time(text, one), parse_task_time(text, other)
    assert None not in found
    assert found[1] - found[0] == pytest.approx(apart.total_seconds(), abs=1e-5)


@given(st.none() | st.booleans() | st.integers() | st.floats() | st.text() | st.binary())
@example("9999-12-31 23:59:59")
@example("0001-01-01T00:00:00+14:00")
@example("9" * 400)
@example(10**400)
def test_anything_else_says_nothing_and_breaks_nothing(value):
    found = parse_task_time(value, UTC)
    assert found is None or 1 <= found < 1e11
    assert stamp_of(value) in {"sqlite", "local", "zulu", "unix"}


@pytest.mark.parametrize(
    ("text", "wall"),
    [
        ("1970-01-02 00:00", 86_400.0),
        ("1970-01-02 00:00:00.5", 86_400.5),
        ("1970-01-02T00:00:00.123456789Z", 86_400.123456),
        ("1970-01-02 00:00:00 +0100", 82_800.0),
        (" 1970-01-02 00:00:00\n", 86_400.0),
        ("86400", 86_400.0),
        ("86400.25", 86_400.25),
        ("1970-01-02", None),
        ("1970-01-02  00:00:00", None),
        ("1970-1-2 0:0:0", None),
        ("1770503580000", None),  # thousandths of a second are no seconds
        ("1e9", None),
        (True, None),
    ],
)
def test_a_time_in_words(text, wall):
    assert parse_task_time(text, UTC) == wall


@pytest.mark.parametrize("text", ["1770503580", "1770503580.25"])
def test_seconds_in_a_text_are_seconds_all_the_same(text):
    assert stamp_of(text) == "unix"
    assert parse_task_time(format_task_time(1_770_503_580.5, "unix", UTC), UTC) == 1_770_503_580.5


def test_summer_time_is_that_of_the_moment():
    try:
        zone = ZoneInfo("America/Los_Angeles")
    except ZoneInfoNotFoundError:
        pytest.skip("this host knows no time zones")
    for month, hours in ((1, 8), (7, 7)):
        wall = datetime(2026, month, 5, 12, tzinfo=UTC).timestamp()
        text = format_task_time(wall, "local", zone)
        assert re.search(rf"T0?{12 - hours}:00:00$", str(text))
        assert parse_task_time(text, zone) == wall
