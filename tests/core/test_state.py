import msgspec
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from healmon import events as ev
from healmon.plans import RANK, Plan
from healmon.state import (
    RECENT,
    Snapshot,
    apply,
    of_healer,
    open_alerts,
    replay,
    worst,
)
from healmon.state import fold as fold_room
from healmon.state.stepping import moved
from tests.helpers.any_event import EVENT_TYPES, alert_events, any_of, events, streams
from tests.helpers.examples import examples

NOW = 1_700_000_000.0
PLAN = Plan(
    healer="workers", component="w", action="restart_worker", subject="pid 1", why="", steps=(),
    proof="", on_failure="", order={}, id="p1",
)  # fmt: skip


def fold(*happened):
    """Return the snapshot after these events, one second apart."""
    return replay(ev.Recorded(n, NOW + n, event) for n, event in enumerate(happened, 1))


def observed(component="w", status="healthy", healer="workers"):
    return ev.Observed(healer, component, status, "", "", "", {})


@pytest.mark.parametrize("kind", EVENT_TYPES, ids=lambda kind: kind.__name__)
def test_the_fold_is_total(kind):
    @settings(max_examples=examples(20))
    @given(any_of(kind), streams(max_size=5))
    def check(event, before):
        snapshot = replay(before)
        after = apply(snapshot, ev.Recorded(99, NOW, event))
        assert (after.last_id, after.at) == (99, NOW)

    check()


def test_each_event_has_one_fold():
    assert not fold_room._AT.keys() & fold_room._NUMBERED.keys()
    assert fold_room._AT.keys() | fold_room._NUMBERED.keys() == set(EVENT_TYPES)


@given(streams())
def test_replaying_what_was_stored_gives_the_same_snapshot(stream):
    stored = [
        ev.Recorded(record.id, record.wall, ev.decode(ev.encode(record.event)), record.cause)
        for record in stream
    ]
    assert replay(stored) == replay(stream)


@given(streams(), st.integers(0, 25))
def test_folding_may_stop_and_go_on_anywhere(stream, cut):
    assert replay(stream[cut:], replay(stream[:cut])) == replay(stream)


@given(streams())
def test_a_snapshot_survives_json(stream):
    snapshot = replay(stream)
    assert msgspec.json.decode(msgspec.json.encode(snapshot), type=Snapshot) == snapshot


@given(streams(), events)
def test_a_snapshot_never_changes_afterwards(stream, event):
    snapshot = replay(stream)
    before = msgspec.json.encode(snapshot)
    apply(snapshot, ev.Recorded(99, NOW, event))
    assert msgspec.json.encode(snapshot) == before


@given(streams(of=alert_events) | streams())
def test_an_alert_never_grows_milder_and_only_leaves_when_it_is_over(stream):
    snapshot = Snapshot()
    for record in stream:
        before, snapshot = snapshot, apply(snapshot, record)
        step = record.event.stepped if isinstance(record.event, ev.ClockJumped) else 0.0
        for key, alert in before.alerts.items():
            after, first_seen = snapshot.alerts.get(key), alert.first_seen
            if step:
                first_seen = moved(first_seen, step)
            if after is None:
                assert isinstance(record.event, ev.AlertResolved | ev.AlertDropped)
                assert record.event.key == key
            elif after.id == alert.id and not alert.opened_at:
                assert after.first_seen == first_seen  # it says what was confirmed
            elif after.id == alert.id and not isinstance(record.event, ev.AlertReopened):
                assert RANK[after.severity] >= RANK[alert.severity]
                assert after.count >= alert.count
                assert after.first_seen == first_seen
            else:
                assert isinstance(record.event, ev.AlertPended | ev.AlertOpened | ev.AlertReopened)


@given(streams(of=alert_events) | streams())
def test_there_is_one_open_alert_per_key(stream):
    snapshot = replay(stream)
    assert all(key == alert.key for key, alert in snapshot.alerts.items())
    assert all(alert.state != "resolved" for alert in snapshot.alerts.values())
    assert all(alert.state == "resolved" for alert in snapshot.ended.values())
    both = snapshot.alerts.keys() & snapshot.ended.keys()
    assert all(not snapshot.alerts[key].opened_at for key in both)


@given(streams(of=alert_events) | streams())
def test_open_alerts_come_worst_first_then_oldest(stream):
    snapshot = replay(stream)
    alerts = open_alerts(snapshot)
    order = [(-RANK[alert.severity], alert.first_seen, alert.id) for alert in alerts]
    assert order == sorted(order)
    loud = [alert.severity for alert in alerts if alert.severity != "INFO"]
    assert worst(snapshot) == (loud[0] if loud else None)


@given(streams())
def test_what_is_kept_of_the_past_is_bounded(stream):
    assert len(replay(stream * 5).recent) <= RECENT


def test_a_new_run_begins_anew_but_keeps_what_is_known():
    started = ev.EngineStarted("h", "1", 7, "daemon", False, 60.0, "boot", 1.5)
    snapshot = fold(
        started,
        ev.CycleStarted(9),
        observed(),
        ev.Remembered("w", {"x": 1}),
        ev.HealerFailed("disks", "hung"),
        ev.AlertOpened("k", "WARNING", "w", "down"),
        ev.PlanMade(PLAN, 1.0, 2.0),
        ev.ActionVerified("p1", "w", "restart_worker", "alive", 1.0),
        ev.EngineStopped("SIGTERM"),
    )
    assert snapshot.engine.running is False
    assert snapshot.engine.stopped == "SIGTERM"
    assert snapshot.cycle.running is False
    again = apply(snapshot, ev.Recorded(10, NOW + 10, started))
    assert again.engine.running is True
    assert again.engine.stopped == ""
    assert again.engine.started_at == NOW + 10
    assert (again.cycle.number, again.failing, again.tallies, again.recent) == (0, {}, {}, ())
    assert set(again.components) == {"w"}
    assert again.memory == {"w": {"x": 1}}
    assert set(again.alerts) == {"k"}


def test_a_cycle_runs_and_finishes():
    running = fold(ev.CycleStarted(3))
    assert (running.cycle.number, running.cycle.running) == (3, True)
    done = fold(ev.CycleStarted(3), ev.CycleFinished(3, 0.5, 60.0, ("disks",)))
    assert (done.cycle.running, done.cycle.seconds, done.cycle.late) == (False, 0.5, ("disks",))
    assert done.cycle.next_at == NOW + 2 + 60
    assert done.tallies == {"checks": 1}


def test_a_status_keeps_the_moment_it_began():
    snapshot = fold(
        observed(), observed(), observed(status="critical"), observed(status="critical")
    )
    view = snapshot.components["w"]
    assert (view.since, view.seen_at) == (NOW + 3, NOW + 4)


def test_a_component_that_is_gone_is_forgotten():
    snapshot = fold(
        observed("a"), observed("b", healer="disks"), ev.Remembered("a", {"x": 1}),
        ev.PlanRefused(msgspec.structs.replace(PLAN, component="a"), "dry run"),
        ev.ComponentGone("a"),
    )  # fmt: skip
    assert set(snapshot.components) == {"b"}
    assert snapshot.memory == {}
    assert snapshot.refusals == {}
    assert set(of_healer(snapshot, "disks")) == {"b"}
    assert of_healer(snapshot, "workers") == {}


def test_a_failing_healer_recovers():
    assert fold(ev.HealerFailed("disks", "hung")).failing == {"disks": "hung"}
    assert fold(ev.HealerFailed("disks", "hung"), ev.HealerRecovered("disks")).failing == {}


def test_a_plan_is_made_carried_out_and_verified():
    made = ev.PlanMade(PLAN, 1.0, 2.0)
    acting = fold(
        made, ev.ActionStarted("p1", "w"), ev.StepTaken("p1", "w", "start"),
        ev.StepTaken("p1", "w", "watch"),
    )  # fmt: skip
    assert acting.plans["w"].acting is True
    assert acting.plans["w"].steps == ("start", "watch")
    verified = ev.ActionVerified("p1", "w", "restart_worker", "alive", 1.5)
    done = fold(made, verified)
    assert done.plans == {}
    assert done.tallies == {"restart_worker": 1}
    (action,) = done.recent
    assert (action.ok, action.outcome, action.seconds) == (True, "alive", 1.5)
    failed = fold(made, ev.ActionFailed("p1", "w", "restart_worker", "still down", 2.0))
    assert failed.plans == {}
    assert failed.tallies == {"failed": 1}
    assert failed.recent[0].ok is False


@pytest.mark.parametrize("end", [ev.PlanVetoed("p1", "w", "x"), ev.PlanAbandoned("p1", "w", "x")])
def test_a_plan_that_is_not_carried_out_leaves_no_action(end):
    snapshot = fold(ev.PlanMade(PLAN, 1.0, 2.0), end)
    assert snapshot.plans == {}
    assert snapshot.recent == ()


def test_a_refusal_stands_until_a_plan_is_made():
    refused = ev.PlanRefused(PLAN, "maintenance")
    assert fold(refused).refusals["w"].reason == "maintenance"
    assert fold(refused, ev.PlanMade(PLAN, 1.0, 2.0)).refusals == {}


OPENED = ev.AlertOpened("k", "WARNING", "w", "down", {"pid": 1})


def test_an_alert_opens_rises_is_acknowledged_and_is_over():
    (alert,) = open_alerts(fold(OPENED))
    assert (alert.id, alert.state, alert.severity, alert.count) == (1, "open", "WARNING", 1)
    assert fold(OPENED).tallies == {"alerts": 1}
    acknowledged = ev.AlertAcknowledged("k", "ann", "on it", NOW + 3600)
    (alert,) = open_alerts(fold(OPENED, acknowledged))
    assert (alert.state, alert.acknowledged_by, alert.until) == ("acknowledged", "ann", NOW + 3600)
    assert alert.acknowledged_at == NOW + 2
    (alert,) = open_alerts(fold(OPENED, acknowledged, ev.AlertUpdated("k", "WARNING", "still")))
    assert (alert.state, alert.message, alert.count) == ("acknowledged", "still", 2)
    (alert,) = open_alerts(fold(OPENED, acknowledged, ev.AlertUpdated("k", "CRITICAL", "worse")))
    assert (alert.state, alert.severity) == ("open", "CRITICAL")
    (alert,) = open_alerts(fold(OPENED, acknowledged, ev.AlertUnacknowledged("k", "ran out")))
    assert (alert.state, alert.acknowledged_by, alert.acknowledged_at) == ("open", "", None)
    assert fold(OPENED, acknowledged, ev.AlertResolved("k", "up again")).alerts == {}


def test_a_milder_finding_does_not_make_the_incident_milder():
    opened = ev.AlertOpened("k", "CRITICAL", "w", "down")
    (alert,) = open_alerts(fold(opened, ev.AlertUpdated("k", "WARNING", "less")))
    assert (alert.severity, alert.message) == ("CRITICAL", "less")


@pytest.mark.parametrize(
    "event",
    [
        ev.AlertUpdated("k", "CRITICAL", "x"),
        ev.AlertResolved("k", "x"),
        ev.AlertAcknowledged("k", "ann"),
        ev.AlertUnacknowledged("k", "x"),
        ev.AlertNoted("k", "w", "restarted"),
    ],
)
def test_what_concerns_no_open_alert_opens_none(event):
    assert fold(event).alerts == {}


def test_maintenance_and_store_faults_come_and_go():
    assert fold(ev.MaintenanceStarted("*", NOW + 60, "ann")).maintenance == {"*": NOW + 60}
    ended = fold(ev.MaintenanceStarted("*", NOW + 60, "ann"), ev.MaintenanceEnded("*", "over"))
    assert ended.maintenance == {}
    assert fold(ev.StoreFaulted("disk full")).engine.store_fault == "disk full"
    assert fold(ev.StoreFaulted("disk full"), ev.StoreRecovered(0)).engine.store_fault == ""


def test_only_an_alert_that_needs_somebody_is_worst():
    assert worst(Snapshot()) is None
    assert worst(fold(ev.AlertOpened("k", "INFO", "w", "x"))) is None
    assert worst(fold(OPENED, ev.AlertOpened("l", "CRITICAL", "v", "x"))) == "CRITICAL"
