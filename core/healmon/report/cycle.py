"""The text and JSON faces of one cycle (specification, "Example Output")."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from typing import Any

import msgspec

from healmon import events as ev
from healmon.events import Recorded
from healmon.healer import Healer
from healmon.plans import Packed, describe
from healmon.state import Snapshot, open_alerts, pending_alerts

RULE = "=" * 70
STATS = (
    ("Checks run", "checks"),
    ("Workers restarted", "restart_worker"),
    ("Sessions cleared", "clear_stuck_session"),
    ("Locks cleared", "clear_database_lock"),
    ("Disk cleanups", "clean_disk"),
    ("Alerts sent", "alerts"),
)
OK, WARNING, CRITICAL, UNKNOWN = 0, 1, 2, 3


def exit_code(snapshot: Snapshot) -> int:
    """Return the contract's exit code for this state.

    2 for an open CRITICAL, 1 for WARNING, 3 when something could not be looked at and nothing is
    worse, else 0. What healmon says of its own blindness counts as unknown, not as a warning.
    """
    levels = {
        alert.severity
        for alert in open_alerts(snapshot)
        if not (alert.component == "healmon" and alert.key.rpartition("/")[2].startswith("healer-"))
    }
    blind = bool(snapshot.failing) or any(
        view.status == "unknown" for view in snapshot.components.values()
    )
    if "CRITICAL" in levels:
        return CRITICAL
    if "WARNING" in levels:
        return WARNING
    return UNKNOWN if blind else OK


def cycle_text(
    snapshot: Snapshot, healers: Sequence[Healer[Any]], happened: Iterable[Recorded]
) -> str:
    """Return the report of the newest cycle.

    Args:
        snapshot: the state to report.
        healers: in the order of the report.
        happened: the events since the last report; what was done is told from them.
    """
    records = list(happened)
    lines = [RULE, f"Health Check #{snapshot.cycle.number}", RULE]
    if snapshot.engine.dry_run:
        lines.append("DRY RUN: everything is decided and nothing is touched")
    for healer in healers:
        lines.append(f"🔍 Checking {healer.title}...")
        failure = snapshot.failing.get(healer.name)
        if failure is not None:
            lines.append(f"   ❓ Unknown: {failure}")
        else:
            lines += healer.report(snapshot)
        lines += _deeds(snapshot, healer.name, records)
        lines.append("")
    lines.append("📊 Session Stats:")
    lines += [f"   {title}: {snapshot.tallies.get(key, 0)}" for title, key in STATS]
    lines.append(RULE)
    return "\n".join(lines)


def _deeds(snapshot: Snapshot, healer: str, records: Sequence[Recorded]) -> list[str]:
    lines: list[str] = []
    for record in records:
        event = record.event
        component = ev.component_of(event)
        view = snapshot.components.get(component)
        if view is None or view.healer != healer:
            continue
        match event:
            case ev.PlanRefused():
                would, *sheet = describe(event.plan)
                lines.append(f"   [{event.reason.upper()}] would {would}")
                lines += [f"      {line}" for line in sheet]
            case ev.StepTaken():
                lines.append(f"   [INFO] {event.text}")
            case ev.ActionVerified():
                lines.append(f"   ✅ {event.message or event.proof}")
            case ev.ActionFailed():
                lines.append(f"   ❌ {event.action} {component} failed: {event.reason}")
            case ev.PlanVetoed():
                lines.append(f"   [INFO] {component}: left alone: {event.reason}")
            case _:
                continue
    return lines


def cycle_data(snapshot: Snapshot, happened: Iterable[Recorded]) -> Packed:
    """Return the newest cycle as one JSON object (`--once --json`, `--no-ui --json`)."""
    return {
        "host": snapshot.engine.host,
        "version": snapshot.engine.version,
        "dry_run": snapshot.engine.dry_run,
        "cycle": snapshot.cycle.number,
        "at": snapshot.at,
        "exit_code": exit_code(snapshot),
        "components": [msgspec.to_builtins(view) for view in snapshot.components.values()],
        "alerts": [msgspec.to_builtins(alert) for alert in open_alerts(snapshot)],
        "pending": [msgspec.to_builtins(alert) for alert in pending_alerts(snapshot)],
        "plans": [msgspec.to_builtins(view) for view in snapshot.plans.values()],
        "unknown": dict(snapshot.failing),
        "happened": [
            {"id": r.id, "at": r.wall, **msgspec.to_builtins(r.event)}
            for r in happened
            if isinstance(
                r.event,
                ev.PlanRefused
                | ev.PlanVetoed
                | ev.StepTaken
                | ev.ActionVerified
                | ev.ActionFailed
                | ev.AlertPended
                | ev.AlertDropped
                | ev.AlertOpened
                | ev.AlertReopened
                | ev.AlertStale
                | ev.AlertSeen
                | ev.AlertResolved
                | ev.AlertNoted,
            )
        ],
        "stats": {
            title.lower().replace(" ", "_"): snapshot.tallies.get(key, 0) for title, key in STATS
        },
    }


def to_json(data: Packed) -> str:
    """Return one line of JSON."""
    return msgspec.json.encode(data).decode()
