"""The morning page, from a real store that a made-up night was written into."""

from __future__ import annotations

import json

import msgspec
import pytest

from healmon import events as ev
from healmon.clock import format_utc
from healmon.report import Night, headline, morning, morning_text
from healmon.service.report_cli import page_of
from healmon.store.store import Store
from tests.helpers.storekit import KEYS, Engine, opened, plan, reading, started

HOUR = 3600.0


@pytest.fixture
def night(tmp_path, monkeypatch):
    """Return a function that lets events happen and returns the page of the last eight hours."""
    path = tmp_path / "healmon.db"
    engine = Engine(Store.open(path, host="box", now=reading()))
    first = engine.clock.read().wall

    def page(*happened: ev.Event | float, running: bool = True, hours: float = 8.0):
        for one in happened:
            if isinstance(one, float):
                engine.clock.advance(one)
            else:
                engine.emit(one, after=0.0)
        engine.store.close(5.0)
        now = engine.clock.read().wall
        monkeypatch.setattr(
            "healmon.service.report_cli.SystemClock", lambda: type(engine.clock)(now)
        )
        assert now >= first
        return page_of(path, hours * HOUR, running=running)

    return page


def verified(component="task_worker", action="restart_worker", proof="up as pid 9, ready"):
    return ev.ActionVerified("p1", component, action, proof, 1.5)


def texts(items):
    return [item.text for item in items]


CYCLE = ev.CycleFinished(1, 0.1, 59.9)


def test_a_calm_night_is_a_few_lines(night):
    page = night(started(), 60.0, CYCLE, 5.0)
    assert (page.needs, page.healed, page.failed, page.passed, page.withheld) == ((),) * 5
    text = morning_text(page)
    assert text.splitlines()[0] == "box: nothing needs you, 0 healed"
    assert "a healer runs, up 1m05s; the last round finished 5s ago" in text
    assert len(text.splitlines()) < 10


def test_another_year_is_told(night):
    page = night(started(), 60.0, CYCLE, 5.0)
    page = msgspec.structs.replace(page, since=page.until - 365 * 24 * HOUR)
    begin, end = morning_text(page).splitlines()[1].removeprefix("from ").split(" to ")
    assert (len(begin), begin[:4]) == (len("2025-02-02 02:40"), "2025")
    assert end.startswith("02-02 ")


def test_what_broke_was_healed_and_how_that_was_proved(night):
    key = "box/workers/task_worker/down"
    page = night(
        started(), opened(key, "CRITICAL", "task_worker is down: killed by SIGKILL"), 5.0,
        verified(proof="up as pid 8, ready"), ev.AlertResolved(key, "up"), 600.0,
        opened(key, "CRITICAL", "task_worker is down: exit 1"), 5.0, verified(),
        ev.AlertResolved(key, "up"), CYCLE,
    )  # fmt: skip
    (healed,) = page.healed
    assert healed.count == 2
    assert healed.text == "restart worker: up as pid 9, ready"
    assert healed.why == "task_worker is down: exit 1"
    assert page.passed == (), "what was healed did not come and go by itself"
    assert headline(page) == "box: nothing needs you, 2 healed"
    assert "because: task_worker is down: exit 1" in morning_text(page)


def test_what_needs_a_person_comes_worst_first_and_what_is_known_apart(night):
    page = night(
        started(), opened("box/d/disk:/var/full", "WARNING", "86 % full"), 9.0,
        opened("box/w/task_worker/down", "CRITICAL", "is down"),
        opened("box/s/session:a b/stuck", "CRITICAL", "is stuck"), 1.0,
        ev.AlertAcknowledged("box/s/session:a b/stuck", "alice", "I look", None), CYCLE,
    )  # fmt: skip
    assert texts(page.needs) == ["is down", "86 % full"]
    assert texts(page.known) == ["is stuck (known to alice: I look)"]
    assert f"more: healmon explain {page.needs[0].id}" in morning_text(page)


def test_alerts_that_nobody_can_look_at_are_told_as_such_and_pending_ones_not_at_all(night):
    page = night(
        started(), opened("box/d/disk:/var/full", "WARNING", "86 % full"),
        ev.AlertStale("box/d/disk:/var/full", "no look for 3 intervals"),
        ev.AlertPended("box/w/task_worker/slow", "WARNING", "task_worker", "is slow"), CYCLE,
    )  # fmt: skip
    assert texts(page.needs) == ["86 % full (not seen since: nobody could look)"]


def test_what_came_and_went_what_failed_and_what_was_held_back(night):
    page = night(
        started(), opened("box/k/database:x/busy", "WARNING", "busy"), 60.0,
        ev.AlertResolved("box/k/database:x/busy", "free"),
        ev.ActionFailed("p2", "task_worker", "restart_worker", "it did not come up", 9.0),
        ev.PlanRefused(plan("session:a b", "clear_stuck_session"), "maintenance"), 1.0, CYCLE,
    )  # fmt: skip
    assert texts(page.passed) == ["busy"]
    assert texts(page.failed) == ["restart worker: it did not come up"]
    assert texts(page.withheld) == ["would have: start it (maintenance)"]
    assert "1 failed, 1 came and went, 1 held back" in morning_text(page)


def test_only_the_time_asked_for_counts_but_what_is_open_always_does(night):
    page = night(
        started(), opened("box/d/disk:/var/full", "WARNING", "86 % full"), verified(),
        opened("box/k/database:x/busy", "WARNING", "busy"),
        ev.AlertResolved("box/k/database:x/busy", "free"), 9 * HOUR, CYCLE,
    )  # fmt: skip
    assert texts(page.needs) == ["86 % full"]
    assert (page.healed, page.passed) == ((), ())


def test_its_own_health_gaps_included(night):
    page = night(
        started(), CYCLE, 2 * HOUR, started(), ev.HealerFailed("disks", "no answer"),
        ev.StoreFaulted("disk full"), ev.StoreRecovered(3), ev.ClockJumped(0.0, -5.0),
        ev.EngineStopped("asked to stop"), 600.0, running=False,
    )  # fmt: skip
    said = "\n".join(page.itself)
    assert not page.well
    assert "no healer runs now; the last round finished 2h10m ago, more than 3 intervals" in said
    assert "a healer began; nobody looked for 2h00m" in said
    for word in ("disks: no answer", "disk full", "3 events did not fit", "set by -5 s", "asked"):
        assert word in said


def test_another_configuration_is_told_and_is_no_fault(night):
    change = ev.KeyChange("monitor.check_interval", '"1m"', '"1h"')
    told = ev.ConfigurationChanged("SIGHUP", "/h.toml", (change,), 3600.0, "1")
    page = night(started(), 9 * HOUR, told, 1.0, CYCLE, 3000.0)
    assert page.itself[1].endswith('configuration: monitor.check_interval: "1m" → "1h"')
    assert page.well, "an hour without a round is as it should be now"


def test_a_refused_configuration_is_a_complaint(night):
    refused = ev.ConfigurationRefused("SIGHUP", "/h.toml", ("line 3", "line 4"))
    page = night(started(), 9 * HOUR, refused, CYCLE)
    assert page.itself[1].endswith("the new configuration was refused: line 3; line 4")
    assert not page.well


def test_a_healer_that_hangs_is_silent(night):
    page = night(started(), CYCLE, 200.0)
    assert "NOBODY IS LOOKING" in page.itself[0]
    assert not page.well


def test_a_long_list_is_cut_and_counted():
    row = {
        "id": 1, "first_seen": format_utc(5.0), "component": "a", "message": "m", "count": 1,
        "severity": "WARNING", "state": "open", "resolved": 0, "resolution": None,
    }  # fmt: skip
    page = morning(Night(host="box", since=0.0, until=9.0, alerts=[row] * 25))
    assert "… and 5 more: healmon report --json" in morning_text(page)


def test_details_that_are_no_json_harm_nothing():
    row = {
        "id": 1, "timestamp": format_utc(5.0), "component": "a", "action_taken": "clean_disk",
        "status": "recovered", "details": "{no", "metric_value": "verified",
    }  # fmt: skip
    page = morning(Night(host="box", since=0.0, until=9.0, actions=[row]))
    assert texts(page.healed) == ["clean disk: "]
    json.dumps([row])


def test_what_was_never_confirmed_needs_nobody_and_what_is_known_stays_known(night):
    page = night(
        started(), ev.AlertPended("box/w/a/x", "WARNING", "a", "perhaps", {}),
        ev.AlertStale("box/w/a/x", "nobody could look"), opened(message="86 % full"),
        ev.AlertAcknowledged(KEYS[0], "olga", "", None), ev.AlertStale(KEYS[0], "nobody could"),
        CYCLE,
    )  # fmt: skip
    assert page.needs == ()
    assert [item.text[:9] for item in page.known] == ["86 % full"]
