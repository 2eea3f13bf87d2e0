"""What lies over each alert and mutes its notices: one answer, composed of its parts. Pure."""

from __future__ import annotations

from healmon.alerts.maintenance import maintenance_of
from healmon.alerts.silences import silence_of
from healmon.config.settings import Alerts
from healmon.events import AlertOverlaid, Event
from healmon.plans import Overlays
from healmon.state import AlertView, Snapshot


def overlay(snapshot: Snapshot, settings: Alerts, now_wall: float) -> list[Event]:
    """Return an AlertOverlaid for each alert whose overlays changed.

    Args:
        snapshot: the state, its alerts already judged.
        settings: `[alerts]` of the configuration.
        now_wall: wall seconds.
    """
    return [
        AlertOverlaid(alert.key, over)
        for alert in snapshot.alerts.values()
        if (over := _over(snapshot, alert, now_wall)) != alert.overlays
    ]


def _over(snapshot: Snapshot, alert: AlertView, now_wall: float) -> Overlays:
    return Overlays(
        silenced_by=silence_of(snapshot, alert, now_wall),
        maintenance=maintenance_of(snapshot, alert, now_wall),
    )
