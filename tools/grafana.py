"""Writes contrib/grafana/healmon.json: the dashboard, in Grafana's classic schema (10 and later).

The layout is made here, not typed: panels flow from left to right in 24 columns, so none overlaps.
"""

from __future__ import annotations

import json
import re
from collections.abc import Iterator
from pathlib import Path
from typing import Any, NamedTuple

FILE = Path(__file__).parents[1] / "contrib" / "grafana" / "healmon.json"
COLUMNS = 24
SOURCE = {"type": "prometheus", "uid": "${datasource}"}
PICK = 'job=~"$job", instance=~"$instance"'
"""What every expression is about: the hosts that were picked."""

Target = tuple[str, str]
"""Expression and legend."""


class Panel(NamedTuple):
    """One panel before it has a place."""

    kind: str
    title: str
    text: str
    unit: str
    targets: tuple[Target, ...]
    width: int = 8
    height: int = 8
    steps: tuple[tuple[str, float | None], ...] = (("green", None),)
    stack: bool = False
    low: float | None = 0
    high: float | None = None


class Row(NamedTuple):
    """A heading and the panels below it."""

    title: str
    panels: tuple[Panel, ...]


def picked(expression: str) -> str:
    """Return an expression in which each of our metrics is that of the picked hosts only."""
    metric = r"\b((?:healmon|process)_\w+)(?:\{([^}]*)\})?"

    def selector(found: re.Match[str]) -> str:
        more = f", {found[2]}" if found[2] else ""
        return f"{found[1]}{{{PICK}{more}}}"

    return re.sub(metric, selector, expression)


def _stat(
    title: str, text: str, unit: str, expression: str, *steps: tuple[str, float | None]
) -> Panel:
    return Panel("stat", title, text, unit, ((expression, ""),), width=4, height=4, steps=steps)


def _lines(
    title: str, text: str, unit: str, *targets: Target, width: int = 8, stack: bool = False
) -> Panel:
    return Panel("timeseries", title, text, unit, targets, width=width, stack=stack)


BAD_FROM_ONE = (("green", None), ("red", 1.0))
DOWN = """count(
  healmon_worker_up == 0
    and on (job, instance, worker) healmon_worker_wanted == 1
    unless on (job, instance, worker) healmon_worker_paused == 1
) or vector(0)"""
HEALING = """sum by (action) (increase(healmon_action_duration_seconds_sum[1h]))
  / (sum by (action) (increase(healmon_action_duration_seconds_count[1h])) > 0)
or 0 * sum by (action) (healmon_action_duration_seconds_count)"""
NOW = Row("Now", (
    _stat("Hosts without a healer", "Hosts whose healer is gone: nothing is healed there.", "none",
          "count(healmon_up == 0) or vector(0)", *BAD_FROM_ONE),
    _stat("Oldest last cycle", "How long ago the newest check cycle finished, on the worst host.",
          "s", "max(time() - healmon_last_cycle_timestamp_seconds)",
          ("green", None), ("orange", 120.0), ("red", 240.0)),
    _stat("Workers down", "Wanted up, not paused, and not there.", "none", DOWN, *BAD_FROM_ONE),
    _stat("Critical alerts open", "Nobody has acknowledged these yet.", "none",
          'sum(healmon_alerts{severity="CRITICAL", state="open"})', *BAD_FROM_ONE),
    _stat("Fullest disk", "The highest use of any file system or budget.", "percentunit",
          "max(healmon_disk_used_ratio)", ("green", None), ("orange", 0.85), ("red", 0.95)),
    _stat("Sessions stuck", "Sessions with a task that nobody works on any more.", "none",
          "sum(healmon_sessions_stuck)", *BAD_FROM_ONE),
))  # fmt: skip
WORKERS = Row("Workers", (
    Panel("state-timeline", "Workers up", "1: its process is there; 0: it is not.", "none",
          (("healmon_worker_up", "{{instance}} {{worker}}"),), width=12, high=1,
          steps=(("red", None), ("green", 1.0))),
    _lines("Starts by healmon", "Starts and restarts an hour, by what came of them.", "none",
           ("sum by (instance, worker, outcome) (increase(healmon_worker_restarts_total[1h]))",
            "{{instance}} {{worker}} {{outcome}}"), width=12),
    _lines("Resident memory", "Of the worker's own process.", "bytes",
           ("healmon_worker_resident_memory_bytes", "{{instance}} {{worker}}"), width=12),
    _lines("Processor", "Share of one core between two looks.", "percentunit",
           ("healmon_worker_cpu_ratio", "{{instance}} {{worker}}"), width=12),
))  # fmt: skip
SESSIONS = Row("Sessions", (
    _lines("Sessions by state", "How many sessions are how.", "none",
           ("sum by (state) (healmon_sessions)", "{{state}}"), width=12, stack=True),
    _lines("With a task, and stuck", "Stuck: nobody works on the task any more.", "none",
           ("sum by (instance) (healmon_sessions_with_task)", "{{instance}} with a task"),
           ("sum by (instance) (healmon_sessions_stuck)", "{{instance}} stuck"), width=12),
))  # fmt: skip
DATABASES = Row("Databases", (
    _lines("Held locks", "How long one holder has kept the write lock.", "s",
           ("healmon_db_lock_seconds", "{{instance}} {{database}}"), width=12),
    _lines("Write-ahead logs", "One that only grows is pinned by a reader.", "bytes",
           ("healmon_db_wal_bytes", "{{instance}} {{database}}"), width=12),
))  # fmt: skip
DISKS = Row("Disks", (
    _lines("Use", "Of file systems as df has it; of budgets: of their limit.", "percentunit",
           ("healmon_disk_used_ratio", "{{instance}} {{mountpoint}}")),
    _lines("Left", "Bytes until it is full.", "bytes",
           ("healmon_disk_free_bytes", "{{instance}} {{mountpoint}}")),
    _lines("Time to full", "Where it goes on as it goes; nothing: not in ten days.", "s",
           ("healmon_disk_time_to_full_seconds", "{{instance}} {{mountpoint}}")),
))  # fmt: skip
TOLD = Row("Alerts and acts", (
    _lines("Alerts", "Those that are not over, by severity and state.", "none",
           ('sum by (severity, state) (healmon_alerts{state!="pending"})',
            "{{severity}} {{state}}"), stack=True),
    _lines("Acts", "Acts of healmon an hour, by what came of them.", "none",
           ("sum by (action, outcome) (increase(healmon_actions_total[1h]))",
            "{{action}} {{outcome}}")),
    _lines("Time to heal", "Mean seconds of an act from its beginning to its proof.", "s",
           (HEALING, "{{action}}")),
    _lines("Alerts opened", "An hour, by severity.", "none",
           ("sum by (severity) (increase(healmon_alerts_opened_total[1h]))", "{{severity}}")),
    _lines("Notices", "Deliveries a second, by channel and what came of them.", "cps",
           ("sum by (target, outcome) (rate(healmon_notifications_total[$__rate_interval]))",
            "{{target}} {{outcome}}")),
    _lines("Notices that wait", "They leave once the channel takes them.", "none",
           ("healmon_notifications_waiting", "{{instance}} {{target}}")),
))  # fmt: skip
ITSELF = Row("healmon itself", (
    _lines("Checks", "How long each look took in the newest cycle.", "s",
           ("healmon_check_duration_seconds", "{{instance}} {{check}}")),
    _lines("Processor of the healer", "Share of one core.", "percentunit",
           ("rate(process_cpu_seconds_total[$__rate_interval])", "{{instance}}")),
    _lines("Memory of the healer", "Resident bytes of its process.", "bytes",
           ("process_resident_memory_bytes", "{{instance}}")),
    _lines("Cycles", "Finished check cycles a second.", "cps",
           ("rate(healmon_cycles_total[$__rate_interval])", "{{instance}}")),
    _lines("Events", "Stored a second.", "cps",
           ("rate(healmon_events_total[$__rate_interval])", "{{instance}}")),
    _lines("Pauses and silences", "In force: what healmon was told to leave.", "none",
           ("healmon_pauses", "{{instance}} pauses"),
           ("healmon_silences", "{{instance}} silences")),
))  # fmt: skip
ROWS = (NOW, WORKERS, SESSIONS, DATABASES, DISKS, TOLD, ITSELF)


def dashboard() -> dict[str, Any]:
    """Return the dashboard as Grafana reads it."""
    return {
        "uid": "healmon",
        "title": "healmon",
        "description": "Workers, sessions, databases and disks that healmon heals, and healmon.",
        "tags": ["healmon"],
        "schemaVersion": 39,
        "editable": True,
        "graphTooltip": 1,
        "refresh": "30s",
        "time": {"from": "now-6h", "to": "now"},
        "timezone": "browser",
        "templating": {"list": list(_variables())},
        "annotations": {"list": []},
        "links": [],
        "panels": list(_placed()),
    }


def _variables() -> Iterator[dict[str, Any]]:
    yield {
        "name": "datasource", "label": "Data source", "type": "datasource", "query": "prometheus",
        "current": {}, "hide": 0, "includeAll": False, "multi": False, "refresh": 1, "regex": "",
    }  # fmt: skip
    asked = (("job", "Job", "healmon_up"), ("instance", "Host", 'healmon_up{job=~"$job"}'))
    for name, label, metric in asked:
        yield {
            "name": name, "label": label, "type": "query", "datasource": SOURCE,
            "query": {"query": f"label_values({metric}, {name})", "refId": name},
            "definition": f"label_values({metric}, {name})",
            "current": {"text": ["All"], "value": ["$__all"]}, "allValue": ".*",
            "hide": 0, "includeAll": True, "multi": True, "refresh": 2, "regex": "", "sort": 1,
        }  # fmt: skip


def _placed() -> Iterator[dict[str, Any]]:
    number = y = 0
    for row in ROWS:
        number += 1
        yield {
            "id": number, "type": "row", "title": row.title, "collapsed": False, "panels": [],
            "gridPos": {"x": 0, "y": y, "w": COLUMNS, "h": 1},
        }  # fmt: skip
        y, x, deepest = y + 1, 0, 0
        for panel in row.panels:
            if x + panel.width > COLUMNS:
                x, y, deepest = 0, y + deepest, 0
            number += 1
            place = {"x": x, "y": y, "w": panel.width, "h": panel.height}
            yield _panel(panel, number, place)
            x, deepest = x + panel.width, max(deepest, panel.height)
        y += deepest


def _panel(panel: Panel, number: int, place: dict[str, int]) -> dict[str, Any]:
    defaults: dict[str, Any] = {
        "unit": panel.unit,
        "color": {"mode": "palette-classic" if panel.kind == "timeseries" else "thresholds"},
        "thresholds": {
            "mode": "absolute",
            "steps": [{"color": color, "value": value} for color, value in panel.steps],
        },
        "custom": _custom(panel),
    }
    defaults |= {} if panel.low is None else {"min": panel.low}
    defaults |= {} if panel.high is None else {"max": panel.high}
    return {
        "id": number,
        "type": panel.kind,
        "title": panel.title,
        "description": panel.text,
        "datasource": SOURCE,
        "gridPos": place,
        "targets": [
            {
                "refId": chr(ord("A") + index),
                "datasource": SOURCE,
                "expr": picked(expression),
                "legendFormat": legend or "__auto",
                "range": panel.kind != "stat",
                "instant": panel.kind == "stat",
            }
            for index, (expression, legend) in enumerate(panel.targets)
        ],
        "fieldConfig": {"defaults": defaults, "overrides": []},
        "options": _options(panel),
    }


def _custom(panel: Panel) -> dict[str, Any]:
    if panel.kind != "timeseries":
        return {}
    mode = "normal" if panel.stack else "none"
    return {
        "drawStyle": "line", "lineWidth": 1, "fillOpacity": 20 if panel.stack else 5,
        "showPoints": "never", "spanNulls": False, "stacking": {"mode": mode, "group": "A"},
    }  # fmt: skip


def _options(panel: Panel) -> dict[str, Any]:
    if panel.kind == "stat":
        reduced = {"calcs": ["lastNotNull"], "fields": "", "values": False}
        return {"colorMode": "background", "graphMode": "none", "reduceOptions": reduced}
    if panel.kind == "state-timeline":
        return {"showValue": "never", "mergeValues": True, "legend": {"showLegend": False}}
    legend: dict[str, Any] = {
        "showLegend": True,
        "displayMode": "list",
        "placement": "bottom",
        "calcs": [],
    }
    return {"legend": legend, "tooltip": {"mode": "multi", "sort": "desc"}}


def text() -> str:
    """Return the file's text."""
    return json.dumps(dashboard(), indent=2) + "\n"


if __name__ == "__main__":
    FILE.write_text(text(), "utf-8")
