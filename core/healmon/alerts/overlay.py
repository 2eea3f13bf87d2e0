"""What lies over each alert and mutes its notices: one answer, composed of its parts. Pure."""

from __future__ import annotations

from healmon.alerts import flapping
from healmon.alerts.inhibit import Causes
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
    causes = Causes(snapshot)
    events: list[Event] = []
    for alert in snapshot.alerts.values():
        over = Overlays(
            silenced_by=silence_of(snapshot, alert, now_wall),
            inhibited_by=causes.of(alert),
            maintenance=maintenance_of(snapshot, alert, now_wall),
            flapping=_flaps(snapshot, alert, settings, now_wall),
        )
        if over != alert.overlays:
            events.append(AlertOverlaid(alert.key, over))
    return events


def _flaps(snapshot: Snapshot, alert: AlertView, settings: Alerts, now_wall: float) -> bool:
    place, _, condition = alert.key.rpartition("/")
    if condition == flapping.CONDITION or not alert.turns:
        return False
    one = snapshot.alerts.get(f"{place}/{flapping.CONDITION}")
    told = one is not None and not one.pending
    return flapping.flaps(alert.turns, settings, snapshot.engine.interval, now_wall, told=told)
