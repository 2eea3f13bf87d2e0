"""Alerts of which nobody knows whether they hold. Pure.

An alert never ends because nobody could look: after some checks without an answer it is stale,
until somebody looks again.
"""

from __future__ import annotations

from collections.abc import Iterable

from healmon.config.settings import Alerts
from healmon.events import AlertStale, Event
from healmon.state import AlertView, Snapshot
from healmon.units import format_duration


def unseen(
    snapshot: Snapshot, alerts: Iterable[AlertView], rules: Alerts, seconds: float, why: str
) -> list[Event]:
    """Return what becomes of alerts that nobody has been able to look at.

    Args:
        snapshot: the state.
        alerts: those that could not be looked at.
        rules: `[alerts]` of the configuration.
        seconds: for how long.
        why: what kept anybody from looking.
    """
    if seconds < rules.stale_checks * snapshot.engine.interval:
        return []
    reason = f"not looked at for {format_duration(seconds)}: {why}"
    return [AlertStale(alert.key, reason) for alert in alerts if alert.state != "stale"]


def absence(snapshot: Snapshot, rules: Alerts, since: float, now: float) -> list[Event]:
    """Return what becomes of all alerts after healmon was not there.

    Args:
        snapshot: the state at the start of this run.
        rules: `[alerts]` of the configuration.
        since: wall seconds of the last thing that the run before did.
        now: wall seconds.
    """
    return unseen(snapshot, snapshot.alerts.values(), rules, now - since, "healmon did not run")
