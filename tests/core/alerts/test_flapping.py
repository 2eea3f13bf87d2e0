"""What comes and goes is told once."""

from __future__ import annotations

import itertools

import pytest
from hypothesis import given
from hypothesis import strategies as st

from healmon import alerts
from healmon import events as ev
from healmon.alerts import flapping
from healmon.config.settings import Alerts
from healmon.state import AlertView, replay
from tests.helpers.inbox import COMPONENT, Inbox, finding, verdict, well

MINUTE, HOUR = 60.0, 3_600.0


def ring(results: list[bool]) -> float:
    """The definition: results kept, changes weighed; oldest first, the newest 20 changes."""
    changes = [a != b for a, b in itertools.pairwise(results)][-20:]
    changes = [False] * (20 - len(changes)) + changes
    return 100.0 * sum((0.8 + 0.4 * i / 19) * c for i, c in enumerate(changes)) / 20


@given(st.lists(st.booleans(), min_size=2, max_size=60))
def test_turns_say_the_same_as_a_ring_of_results(results: list[bool]) -> None:
    turns = [
        i * MINUTE
        for i, (before, now) in enumerate(itertools.pairwise(results), 1)
        if before != now
    ]
    now = (len(results) - 1) * MINUTE + 0.5
    assert flapping.percent(turns[-20:], MINUTE, now) == pytest.approx(ring(results))


def test_turns_of_another_time_do_not_count() -> None:
    assert flapping.percent([0.0, 60.0], MINUTE, 2 * HOUR) == 0.0
    assert flapping.percent([9e9], MINUTE, 0.0) == 0.0, "the clock was set back"
    assert flapping.percent([0.0] * 20, MINUTE, 1.0) == 100.0


def flap(inbox: Inbox, times: int, *, level="WARNING", checks: int = 2) -> None:
    for _ in range(times):
        for _ in range(checks):
            inbox.look(verdict(finding(level=level)))
        for _ in range(checks):
            inbox.look(well())


def test_one_incident_and_its_return_are_no_flapping() -> None:
    inbox = Inbox(Alerts())
    flap(inbox, 2)
    assert not inbox.snapshot.alerts
    assert not [e for e in inbox.all(ev.AlertOpened) if e.key.endswith("/flapping")]


def test_it_begins_at_thirty_percent_and_ends_at_fifteen() -> None:
    inbox = Inbox(Alerts())
    flap(inbox, 3)
    inbox.look(well())
    flaps = inbox.alert("flapping")
    assert (flaps.state, flaps.severity) == ("open", "WARNING")
    assert "down: comes and goes" in flaps.message
    percents = []
    while inbox.key("flapping") in inbox.snapshot.alerts:
        inbox.look(well())
        turns = inbox.snapshot.ended[inbox.key()].turns
        percents.append(flapping.percent(turns, MINUTE, inbox.wall))
    assert percents[0] >= 15.0
    assert percents[-3] >= 15.0 > percents[-2] > percents[-1], "two checks confirm its end"


def test_while_it_flaps_its_alert_lives_on_and_is_muted() -> None:
    inbox = Inbox(Alerts())
    flap(inbox, 3)
    inbox.look(verdict(finding()))
    told = inbox.look(verdict(finding()))
    assert [type(e) for e in told] == [ev.AlertReopened, ev.AlertOverlaid]
    assert inbox.alert().overlays.flapping
    assert inbox.audible() == [f"{COMPONENT}/flapping"]
    for _ in range(40):
        inbox.look(verdict(finding()))
    assert not inbox.alert().overlays.flapping, "it holds still, and still holds: it is told"
    assert inbox.audible() == [f"{COMPONENT}/down"]


def test_the_one_alert_is_as_bad_as_what_it_stands_for() -> None:
    inbox = Inbox(Alerts())
    flap(inbox, 4, level="CRITICAL")
    assert inbox.alert("flapping").severity == "CRITICAL"


def test_it_can_be_switched_off_and_tuned() -> None:
    off = Inbox(Alerts(flapping=False))
    flap(off, 10)
    assert not [k for k in off.snapshot.alerts if k.endswith("/flapping")]
    keen = Inbox(Alerts(flapping_start=10.0, flapping_end=5.0))
    flap(keen, 1)
    keen.look(well())
    assert keen.key("flapping") in keen.snapshot.alerts


def test_a_healer_that_tells_flapping_itself_is_not_contradicted() -> None:
    inbox = Inbox(Alerts())
    own = finding("flapping", message="failed ten times in six hours")
    for _ in range(12):
        inbox.look(verdict(finding(), own))
        inbox.look(verdict(finding(), own))
        inbox.look(verdict(own))
        inbox.look(verdict(own))
    assert inbox.alert("flapping").message == "failed ten times in six hours"
    opened = [e for e in inbox.all(ev.AlertOpened, ev.AlertReopened) if "flapping" in e.key]
    assert len(opened) == 1


def test_it_outlives_healmon_and_costs_nothing_while_nothing_turns() -> None:
    inbox = Inbox(Alerts())
    flap(inbox, 3)
    inbox.look(well())
    again = Inbox(Alerts())
    again.snapshot, again.wall = replay(inbox.events), inbox.wall
    again.events = list(inbox.events)
    assert again.key("flapping") in again.snapshot.alerts
    for _ in range(2):
        again.look(verdict(finding()))
    assert again.alert().overlays.flapping
    before = len(again.events)
    for _ in range(3):
        again.look(verdict(finding()))
    assert len(again.events) == before


def test_more_turns_than_the_ring_holds_are_forgotten() -> None:
    inbox = Inbox(Alerts())
    flap(inbox, 15)
    kept: AlertView = inbox.snapshot.ended[inbox.key()]
    assert len(kept.turns) == 20


@pytest.mark.parametrize("checks", [2, 3, 5])
def test_a_day_of_flapping_is_a_handful_of_told_turns(checks: int) -> None:
    """The replay: 24 h, a check a minute, comes for some checks and goes for as many."""
    inbox = Inbox(Alerts())
    audible: list[str] = []
    rounds = 24 * 60 // (2 * checks)
    for _ in range(rounds):
        for bad in [True] * checks + [False] * checks:
            before = set(inbox.audible())
            inbox.look(verdict(finding()) if bad else well())
            audible += [f"+{name}" for name in sorted(set(inbox.audible()) - before)]
            inbox.tell(*alerts.archive(inbox.snapshot, inbox.rules, inbox.wall))
    turns = inbox.all(ev.AlertOpened, ev.AlertReopened, ev.AlertResolved)
    assert len([t for t in turns if t.key == inbox.key()]) == 2 * rounds, "its life goes on"
    flaps = [e for e in turns if e.key == inbox.key("flapping")]
    if checks < 5:
        assert [type(e) for e in flaps] == [ev.AlertOpened], "one alert for the whole day"
        assert audible.count(f"+{COMPONENT}/flapping") == 1
        assert audible.count(f"+{COMPONENT}/down") <= 4
    else:
        # four changes in twenty checks: 20 percent begin nothing, and do not flap
        assert flaps == []
