"""What rows of earlier monitors mean: pure."""

from __future__ import annotations

import json
from datetime import UTC, timedelta, timezone

import pytest

from healmon.clock import format_utc
from healmon.service import history

WEST = timezone(timedelta(hours=-8))


@pytest.mark.parametrize(
    ("value", "means"),
    [
        ("2026-02-07 22:26:00", "2026-02-07 22:26:00.000"),
        ("2026-02-07T14:26:00.250000", "2026-02-07 22:26:00.250"),
        ("2026-02-07T22:26:00Z", "2026-02-07 22:26:00.000"),
        ("2026-02-07T23:26:00+01:00", "2026-02-07 22:26:00.000"),
        ("2026-02-07 23:26:00+01:00", "2026-02-07 22:26:00.000"),
        (1770503160, "2026-02-07 22:26:00.000"),
        (1770503160.5, "2026-02-07 22:26:00.500"),
        (1770503160250, "2026-02-07 22:26:00.250"),
        ("1770503160.5", "2026-02-07 22:26:00.500"),
        ("20260207", "2026-02-07 00:00:00.000"),
    ],
)
def test_a_time_is_read_as_its_writer_meant_it(value: object, means: str) -> None:
    assert format_utc(history.moment(value, WEST)) == means


@pytest.mark.parametrize(
    "value", [None, "", "yesterday", True, b"x", -5, float("nan"), 1e30, "9999-01-01"]
)
def test_what_is_no_time_is_said(value: object) -> None:
    with pytest.raises(history.Bad, match="no time"):
        history.moment(value, UTC)


@pytest.mark.parametrize(
    ("theirs", "ours"),
    [
        ("session_architect", "session:architect"), ("session:x", "session:x"),
        ("session_monitor", "session_monitor"), ("assigner.db", "database:assigner"),
        ("disk_space", "disk_space"), (None, "health_monitor"), ("", "health_monitor"),
    ],
)  # fmt: skip
def test_components_are_called_as_here(theirs: object, ours: str) -> None:
    assert history.component_of(theirs) == ours


def test_what_has_no_column_is_kept_in_details() -> None:
    row = {
        "timestamp": "2026-02-07 22:26:00", "component": "session_x", "status": "stuck",
        "details": "{}", "action_taken": "restart_failed", "recovery_successful": 1,
        "invented": b"\xff\x1b[2J", "id": 7,
    }  # fmt: skip
    entry = history.metric("v1", 7, row, UTC, "/x/a.db")
    assert entry.values == (
        "2026-02-07 22:26:00.000", "session:x", "imported", "", "unhealthy", "restart_failed",
    )  # fmt: skip
    told = json.loads(entry.details)
    assert told["recovery_successful"] == 1
    assert "\x1b" not in told["invented"]
    assert told["was"] == {
        "timestamp": "2026-02-07 22:26:00", "component": "session_x", "status": "stuck",
    }  # fmt: skip
    assert told["imported"] == {
        "from": "/x/a.db", "table": "health_metrics", "layout": "v1", "row": 7, "mark": entry.mark,
    }  # fmt: skip
    assert -(1 << 53) <= entry.id < 0


def test_the_same_row_is_the_same_whatever_zone_file_and_fate() -> None:
    row = {
        "timestamp": "2026-02-07T14:26:00",
        "severity": "info",
        "component": None,
        "message": "m",
    }
    one = history.alert("v2", 3, row, UTC, "/a.db")
    two = history.alert("v2", 3, {**row, "resolved": 1}, WEST, "/b.db")
    other = history.alert("v2", 4, row, UTC, "/a.db")
    assert (one.id, one.mark) == (two.id, two.mark)
    assert one.id < other.id
    assert one.mark != other.mark


def test_an_alert_ends_when_it_was_told_unless_it_had_an_end() -> None:
    row = {"timestamp": "2026-02-07 22:00:00", "severity": "odd", "component": "w", "message": "m"}
    assert history.alert("v1", 1, row, UTC, "f").values[4] == "2026-02-07 22:00:00.000"
    over = {**row, "resolved": 1, "resolved_at": "2026-02-07 23:00:00"}
    entry = history.alert("v1", 1, over, UTC, "f")
    assert entry.values[4] == "2026-02-07 23:00:00.000"
    assert entry.values[1] == "WARNING"
    assert json.loads(entry.details)["was"]["severity"] == "odd"


def test_layouts_are_told_by_columns() -> None:
    metrics, alerts = history.METRICS, history.ALERTS
    v1 = ("id", "timestamp", "component", "status", "details", "action_taken")
    assert history.layout_of(metrics, v1) == "v1"
    assert history.layout_of(metrics, (*v1, "METRIC_TYPE")) == "v2"
    assert (
        history.layout_of(metrics, ("timestamp", "workers_running", "disk_usage_percent")) == "ci"
    )
    assert history.layout_of(metrics, ("a", "b")) is None
    assert history.layout_of(alerts, ("timestamp", "severity", "message", "component")) == "v1"
    assert history.layout_of(alerts, ("timestamp", "severity", "component", "message")) == "v2"
