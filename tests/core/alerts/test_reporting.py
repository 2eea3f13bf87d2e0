"""When the morning page is due."""

import pytest

from healmon import events as ev
from healmon.alerts.reporting import reports_due
from healmon.clock import local_time
from tests.helpers.postroom import HOUR, WALL, Postroom, channels, ladder

SEVEN = next(WALL + 60 * n for n in range(1440) if local_time(WALL + 60 * n, "%H:%M") == "07:00")
SEVEN -= int(local_time(SEVEN, "%S"))


def started(ago: float, **keys) -> Postroom:
    """A healmon that began so long before seven."""
    post = Postroom(ladder("ops", report_at="07:00", **keys))
    post.now = SEVEN - ago
    post.emit(ev.EngineStarted("box", "1", 1, "daemon", False, 60.0, "boot", 0.0))
    return post


def test_it_is_due_once_a_day_about_what_was_since_the_last():
    post = started(3 * HOUR)
    due: list[tuple[float, float]] = []
    for minute in range(3 * 24 * 60):
        now = post.now = SEVEN - 3 * HOUR + 60 * minute
        for channel, seconds in reports_due(post.snapshot, post.notify, now).items():
            due.append((now - SEVEN, seconds))
            post.emit(ev.NoticeMade(channel, "report", "night", ""))
    assert due == [(24 * HOUR * day, 24 * HOUR) for day in range(3)]


@pytest.mark.parametrize(("ago", "late", "due"), [(1, 0, True), (-1, 1, False), (-1, 23, True)])
def test_a_new_healmon_begins_with_the_next(ago, late, due):
    post = started(ago * HOUR)
    assert bool(reports_due(post.snapshot, post.notify, SEVEN + late * HOUR + HOUR)) is due


def test_one_that_was_missed_is_made_up_for():
    post = started(24 * HOUR)
    post.emit(ev.NoticeMade("ops", "report", "night", ""))
    post.emit(ev.NoticeSent(post.snapshot.last_id, "ops"))
    assert reports_due(post.snapshot, post.notify, SEVEN + 2 * HOUR) == {"ops": 26 * HOUR}


def test_who_wants_none_gets_none():
    post = started(HOUR, channels=channels("ops", topics=("opened",)))
    assert not reports_due(post.snapshot, post.notify, SEVEN + HOUR)
    assert not reports_due(post.snapshot, ladder("ops"), SEVEN + HOUR)
