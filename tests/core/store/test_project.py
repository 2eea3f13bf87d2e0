from __future__ import annotations

import json
import sqlite3
from collections.abc import Iterator

import pytest
from hypothesis import given
from hypothesis import strategies as st
from msgspec.structs import replace

from healmon import events as ev
from healmon.clock import format_utc
from healmon.plans import Step
from healmon.state import FOREVER, Snapshot, apply
from healmon.store import read, schema
from healmon.store.details import DETAILS_LIMIT, details_text
from healmon.store.project import Projector, event_row, rebuild
from tests.helpers.storekit import KEYS, WALL, observed, opened, pended, plan, reopened


class Tables:
    """The tables in memory, and events projected into them."""

    def __init__(self) -> None:
        self.conn = sqlite3.connect(":memory:", isolation_level=None)
        self.conn.row_factory = sqlite3.Row
        for step in schema.MIGRATIONS:
            step(self.conn)
        self.projector = Projector()
        self.next = 1

    def tell(self, *events: ev.Event) -> None:
        for event in events:
            record = ev.Recorded(self.next, WALL + self.next, event)
            self.next += 1
            for sql, values in [event_row(record), *self.projector.rows(record)]:
                self.conn.execute(sql, values)

    def rows(self, table: str) -> list[dict]:
        return [dict(row) for row in self.conn.execute(f"SELECT * FROM {table} ORDER BY 1")]


@pytest.fixture
def tables() -> Iterator[Tables]:
    made = Tables()
    yield made
    made.conn.close()


def test_the_public_columns_stand_first_and_in_the_contracts_order(tables: Tables) -> None:
    for table, columns in schema.PUBLIC.items():
        found = [r[1] for r in tables.conn.execute(f"PRAGMA table_info({table})")]
        assert tuple(found[: len(columns)]) == columns


def test_a_sample_is_a_metric_and_the_latest_state(tables: Tables) -> None:
    tables.tell(observed("w", "unhealthy", "gone for 5 s", pid=7))
    (row,) = tables.rows("health_metrics")
    assert row["timestamp"] == "2026-02-02 02:40:01.000"
    assert (row["component"], row["metric_type"], row["metric_value"]) == ("w", "process", "1")
    assert (row["status"], row["action_taken"]) == ("unhealthy", "")
    assert json.loads(row["details"]) == {"summary": "gone for 5 s", "facts": {"pid": 7}}
    tables.tell(observed("w", "unhealthy", "gone for 9 s"), observed("w", "healthy", "back"))
    (state,) = tables.rows("components")
    assert state["status"] == "healthy"
    assert state["since"] == state["seen_at"] == "2026-02-02 02:40:03.000"
    tables.tell(observed("w", "healthy", "still"))
    (state,) = tables.rows("components")
    assert (state["since"], state["seen_at"]) == (
        "2026-02-02 02:40:03.000", "2026-02-02 02:40:04.000",
    )  # fmt: skip
    tables.tell(ev.ComponentGone("w"))
    assert tables.rows("components") == []


def test_there_is_one_sample_of_a_component_in_a_cycle_unless_something_changes(
    tables: Tables,
) -> None:
    tables.tell(
        ev.CycleStarted(1),
        observed("w", "healthy", "pid 7", rss=1),
        observed("w", "healthy", "pid 7", rss=2),  # a second look, as an override has one made
        observed("v", "healthy", "pid 7", rss=2),
        observed("w", "healthy", "pid 8", rss=2),
        ev.ActionVerified("p1", "w", "restart_worker", "pid 9 alive", 1.5),
        observed("w", "healthy", "pid 8", rss=3),
        ev.CycleStarted(2),
        observed("w", "healthy", "pid 8", rss=4),
    )
    assert [(row["component"], row["event_id"]) for row in tables.rows("health_metrics")] == [
        ("w", 2), ("v", 4), ("w", 5), ("w", 6), ("w", 7), ("w", 9),
    ]  # fmt: skip
    seen = {row["component"]: row["seen_at"] for row in tables.rows("components")}
    assert seen["w"].endswith("02:40:09.000")


def test_outcomes_of_remedies_are_metrics_with_the_action(tables: Tables) -> None:
    tables.tell(
        ev.ActionVerified("p1", "w", "restart_worker", "pid 9 alive", 1.5, details={"pid": 9}),
        ev.ActionFailed("p2", "w", "restart_worker", "it died again", 2.0),
    )
    good, bad = tables.rows("health_metrics")
    assert (good["metric_type"], good["status"]) == ("auto_recovery", "recovered")
    assert good["action_taken"] == bad["action_taken"] == "restart_worker"
    assert json.loads(good["details"]) == {
        "summary": "pid 9 alive", "seconds": 1.5, "facts": {"pid": 9}, "plan": "p1",
    }  # fmt: skip
    assert bad["status"] == "error"
    assert json.loads(bad["details"])["summary"] == "it died again"


def test_a_refusal_is_told_once_as_long_as_it_stays_the_same(tables: Tables) -> None:
    down, full = plan("w"), plan("disk:/", "clean_disk", "/")
    dry = ev.PlanRefused(down, "dry run")
    tables.tell(dry, ev.PlanRefused(full, "dry run"), dry, dry)
    assert len(tables.rows("health_metrics")) == 2
    row = tables.rows("health_metrics")[0]
    assert (row["status"], row["action_taken"]) == ("warning", "")
    assert json.loads(row["details"])["summary"] == "would have: start it"
    tables.tell(ev.PlanRefused(plan("w", subject="2"), "dry run"))  # another process
    tables.tell(ev.PlanRefused(plan("w", subject="2"), "maintenance"))  # another reason
    assert len(tables.rows("health_metrics")) == 4
    tables.tell(ev.PlanMade(down, 0.0, 0.0), dry)  # it was allowed in between
    tables.tell(ev.ComponentGone("w"), dry)
    assert len(tables.rows("health_metrics")) == 6


def test_a_refused_plan_says_every_step(tables: Tables) -> None:
    steps = (Step("send SIGTERM to pid 7"), Step("start it"))
    tables.tell(ev.PlanRefused(replace(plan("w"), steps=steps), "dry run"))
    (row,) = tables.rows("health_metrics")
    assert json.loads(row["details"])["summary"] == "would have: send SIGTERM to pid 7; start it"


def test_the_life_of_an_alert(tables: Tables) -> None:
    key = KEYS[0]
    tables.tell(opened(key, "WARNING", "down"))
    tables.tell(ev.AlertAcknowledged(key, "alice", "on it", WALL + 3600))
    (row,) = tables.rows("health_alerts")
    assert (row["id"], row["resolved"], row["state"]) == (1, 0, "acknowledged")
    assert (row["acknowledged_by"], row["note"]) == ("alice", "on it")
    assert row["acknowledged_at"] == "2026-02-02 02:40:02.000"
    assert row["acknowledged_until"] == "2026-02-02 03:40:00.000"
    tables.tell(ev.AlertUpdated(key, "INFO", "better", {"n": 2}))  # never silently falls
    (row,) = tables.rows("health_alerts")
    assert (row["severity"], row["state"], row["count"]) == ("WARNING", "acknowledged", 2)
    tables.tell(ev.AlertUpdated(key, "CRITICAL", "worse"))  # what was known was less than this
    (row,) = tables.rows("health_alerts")
    assert (row["severity"], row["state"], row["count"]) == ("CRITICAL", "open", 3)
    assert (row["acknowledged_at"], row["acknowledged_by"], row["note"]) == (None, "", "")
    assert row["acknowledged_until"] is None
    assert (row["message"], row["last_seen"]) == ("worse", "2026-02-02 02:40:04.000")
    tables.tell(ev.AlertAcknowledged(key, "bob"), ev.AlertUnacknowledged(key, "time over"))
    (row,) = tables.rows("health_alerts")
    assert (row["state"], row["acknowledged_at"], row["acknowledged_by"]) == ("open", None, "")
    tables.tell(ev.AlertResolved(key, "pid 9 is up"))
    (row,) = tables.rows("health_alerts")
    assert (row["resolved"], row["state"], row["resolution"]) == (1, "resolved", "pid 9 is up")
    assert row["resolved_at"] == "2026-02-02 02:40:07.000"
    tables.tell(ev.AlertUpdated(key, "CRITICAL", "too late"), ev.AlertResolved(key, "again"))
    assert tables.rows("health_alerts") == [row]
    tables.tell(opened(key))  # a new incident
    assert [r["id"] for r in tables.rows("health_alerts")] == [1, 10]


def test_a_note_is_born_resolved(tables: Tables) -> None:
    tables.tell(ev.AlertNoted(KEYS[0], "w", "restarted", {"pid": 9}))
    (row,) = tables.rows("health_alerts")
    assert (row["severity"], row["resolved"], row["state"]) == ("INFO", 1, "resolved")
    assert row["resolved_at"] == row["timestamp"]


def test_one_open_alert_per_key_is_the_databases_own_rule(tables: Tables) -> None:
    tables.tell(opened(KEYS[0]))
    with pytest.raises(sqlite3.IntegrityError):
        tables.conn.execute(
            "INSERT INTO health_alerts (id, timestamp, severity, component, message, key, state,"
            " first_seen, last_seen) VALUES (99, '', 'INFO', '', '', ?, 'open', '', '')",
            (KEYS[0],),
        )
    tables.tell(opened(KEYS[0]))  # the fold replaces it, and so do the rows
    assert [(r["id"], r["resolved"]) for r in tables.rows("health_alerts")] == [(1, 1), (2, 0)]


def test_severity_in_the_log_is_the_events_own(tables: Tables) -> None:
    tables.tell(
        ev.StoreFaulted("full"),
        ev.HealerFailed("disks", "x"),
        opened(KEYS[0], "CRITICAL"),
        reopened(KEYS[0], "WARNING"),
        pended(KEYS[1], "CRITICAL"),
        observed("w"),
    )
    assert [(r["kind"], r["component"], r["severity"]) for r in tables.rows("events")] == [
        ("storefaulted", "healmon", "CRITICAL"),
        ("healerfailed", "healmon", "CRITICAL"),
        ("alertopened", "task_worker", "CRITICAL"),
        ("alertreopened", "task_worker", "WARNING"),
        ("alertpended", "task_worker", "INFO"),
        ("observed", "w", "INFO"),
    ]


@given(
    st.dictionaries(
        st.text(max_size=5),
        st.text(max_size=9_000)
        | st.lists(st.text(max_size=900), max_size=20)
        | st.dictionaries(st.text(max_size=5), st.text(max_size=3_000), max_size=9),
        max_size=9,
    )
)
def test_details_are_a_json_object_of_sane_size(details: dict) -> None:
    text = details_text(details)
    assert isinstance(json.loads(text), dict)
    assert len(text) <= DETAILS_LIMIT
    assert json.loads(text) == details or json.loads(text)["cut"] is True


def test_a_long_list_does_not_cost_the_other_facts() -> None:
    facts = {"files": ["/tmp/a/very/long/name"] * 1_000, "used": 96.5}
    kept = json.loads(details_text({"summary": "full", "facts": facts}))
    assert kept == {"cut": True, "summary": "full", "facts": {"used": 96.5}}


@pytest.mark.parametrize("step", [3_600.0, -86_400.5, 0.0])
def test_ends_move_with_a_clock_that_is_set_as_in_the_fold(tables: Tables, step: float) -> None:
    known = Snapshot()
    told = (
        opened(KEYS[0]),
        ev.AlertAcknowledged(KEYS[0], "olga", "", WALL + 0.125),
        opened(KEYS[1]),
        ev.SilenceStarted("*", WALL + 9.25, "olga"),
        ev.SilenceStarted("w", WALL + 9.25, "olga"),
        ev.SilenceEnded(5, "over"),
        ev.MaintenanceStarted("disk:*", WALL + 60.25, "olga"),
        ev.MaintenanceStarted("w", WALL + 60.25, "olga"),
        ev.MaintenanceEnded("w", "over"),
        ev.MaintenanceStarted("never", FOREVER, "olga"),
        ev.ClockJumped(0.0, step),
    )
    for number, event in enumerate(told, 1):
        known = apply(known, ev.Recorded(number, WALL + number, event))
    tables.tell(*told)
    one, other = tables.rows("health_alerts")
    assert one["acknowledged_until"] == format_utc(known.alerts[KEYS[0]].until or 0.0)
    assert other["acknowledged_until"] is None
    going_on, over = tables.rows("silences")
    assert going_on["until"] == format_utc(known.silences["4"].until)
    assert known.silences["4"].until == WALL + 9.25 + step
    assert over["until"] == format_utc(WALL + 9.25)
    held = {name: format_utc(until) for name, until in known.maintenance.items()}
    assert {row["component"]: row["until"] for row in read.paused(tables.conn, "")} == held
    for sql, values in rebuild(known):
        tables.conn.execute(sql, values)
    assert {row["component"]: row["until"] for row in read.paused(tables.conn, "")} == held
