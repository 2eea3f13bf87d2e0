"""The last day of a disk, hour by hour, as an outlook tells it."""

from __future__ import annotations

from healmon.disks.history import HOURS, hourly

NOW = 1_000_000.0
HOUR = 3600.0


def test_the_highest_of_each_hour_is_told_the_newest_last():
    levels = [(NOW - 2 * HOUR - 60, 40.0), (NOW - 2 * HOUR - 30, 47.26), (NOW - 60, 50.0)]
    told = hourly(levels, NOW)
    assert len(told) == HOURS
    assert told[-3:] == (47.3, -1.0, 50.0)
    assert set(told[:-3]) == {-1.0}


def test_what_is_older_than_a_day_or_later_than_now_is_passed_over():
    assert set(hourly([(NOW - 25 * HOUR, 9.0), (NOW + 1, 9.0)], NOW)) == {-1.0}
