"""What is counted over all runs: complete, and never less than before."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import msgspec
from hypothesis import given

from healmon import events as ev
from healmon.plans import Plan
from healmon.state import Counts, Snapshot, apply, replay
from healmon.store import stream as stored
from tests.helpers.any_event import streams

STARTED = ev.EngineStarted("box", "1", 7, "daemon", False, 60.0, "boot", 0.0)


def plan(component: str = "w", number: str = "p1") -> Plan:
    return Plan("workers", component, "restart_worker", "1", "", (), "", "", {}, id=number)


def fold(*events: ev.Event) -> Counts:
    return replay([ev.Recorded(n, float(n), event) for n, event in enumerate(events, 1)]).counts


def test_acts_are_counted_by_what_came_of_them_over_all_runs():
    made = ev.PlanMade(plan(), 0.0, 0.0)
    counts = fold(
        STARTED, made, ev.ActionVerified("p1", "w", "restart_worker", "alive", 1.5),
        STARTED, made, ev.ActionFailed("p1", "w", "restart_worker", "dead", 2.0),
        made, ev.PlanVetoed("p1", "w", "changed"),
        made, ev.PlanAbandoned("p1", "w", "killed"),
        ev.PlanRefused(plan(), "dry run"),
    )  # fmt: skip
    assert counts.starts == 2
    assert counts.actions == {
        "w": {
            f"restart_worker {word}": 1
            for word in ("verified", "failed", "vetoed", "abandoned", "refused")
        }
    }
    assert counts.seconds == {"restart_worker": 3.5}


def test_sessions_are_counted_as_one_for_their_names_have_no_end():
    ends = [ev.ActionVerified("p", f"session:{n}", "clear_stuck_session", "", 1.0) for n in "abc"]
    assert fold(*ends).actions == {"session:*": {"clear_stuck_session verified": 3}}


def test_a_plan_that_nobody_knows_is_not_counted_as_another_one():
    counts = fold(ev.PlanMade(plan(number="p2"), 0.0, 0.0), ev.PlanVetoed("p1", "w", "?"))
    assert counts.actions == {}


def test_alerts_notices_overrides_failures_and_losses():
    counts = fold(
        ev.AlertOpened("k", "CRITICAL", "w", ""), ev.AlertNoted("k", "w", ""),
        ev.NoticeSent(1, "ops"), ev.NoticeFailed(2, "ops", "", 0.0), ev.NoticeDropped(3, "ops", ""),
        ev.OverrideAnswered(1, True, ""), ev.OverrideAnswered(2, False, ""),
        ev.HealerFailed("disks", ""), ev.StoreRecovered(5), ev.StoreRecovered(2),
        ev.CycleFinished(1, 0.1, 1.0),
    )  # fmt: skip
    assert counts == Counts(
        alerts={"CRITICAL": 1, "INFO": 1},
        notices={"ops": {"sent": 1, "failed": 1, "dropped": 1}},
        overrides={"done": 1, "refused": 1},
        failures={"disks": 1},
        lost=7,
        cycles=1,
    )


def leaves(value: Any, path: tuple[str, ...] = ()) -> Iterator[tuple[tuple[str, ...], float]]:
    if isinstance(value, dict):
        for name, inner in value.items():
            yield from leaves(inner, (*path, name))
    else:
        yield path, value


@given(streams())
def test_no_counter_ever_goes_back(stream):
    snapshot, before = Snapshot(), {}
    for record in stream:
        snapshot = apply(snapshot, record)
        now = dict(leaves(msgspec.to_builtins(snapshot.counts)))
        assert all(now[path] >= value for path, value in before.items())
        before = now


def test_a_checkpoint_keeps_them_and_one_from_before_begins_at_nothing():
    snapshot = replay([ev.Recorded(1, 1.0, STARTED)])
    text = stored.encode_snapshot(snapshot)
    assert msgspec.json.decode(text, type=Snapshot).counts.starts == 1
    old = msgspec.json.decode(text)
    del old["counts"]
    assert msgspec.json.decode(msgspec.json.encode(old), type=Snapshot).counts == Counts()
