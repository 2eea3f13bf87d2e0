"""Maintenance: "do not touch". Detection goes on, actions do not. Pure."""

from __future__ import annotations

from typing import Final

from healmon.alerts.own import ENGINE
from healmon.events import Event, MaintenanceEnded
from healmon.state import FOREVER, AlertView, ComponentView, PauseView, Snapshot
from healmon.text import like

AT_MOST: Final = 30 * 86400.0
"""Seconds that maintenance lasts at most; what must never be touched is another matter."""


def maintenance_of(snapshot: Snapshot, alert: AlertView, now_wall: float) -> str:
    """Return the maintenance that covers an alert and mutes it, by its name; or empty.

    healmon itself is never in maintenance: nobody works on it by pausing everything. Nor is what
    must never be touched: as healmon keeps its hands off, somebody else has to be told.
    """
    if alert.component == ENGINE:
        return ""
    over = [
        (until, name)
        for name, until in snapshot.maintenance.items()
        if now_wall < until < FOREVER and like(name, alert.component)
    ]
    return max(over)[1] if over else ""


def covered(snapshot: Snapshot, name: str) -> list[ComponentView]:
    """Return the components that are like a name, in order."""
    return [view for key, view in sorted(snapshot.components.items()) if like(name, key)]


def end_maintenance(snapshot: Snapshot, name: str, reason: str) -> MaintenanceEnded:
    """Return the end of maintenance, with what would have been done meanwhile."""
    would = snapshot.pauses.get(name, PauseView(0.0, "")).would
    return MaintenanceEnded(name, reason, would_have(would))


def expire_maintenance(snapshot: Snapshot, now_wall: float) -> list[Event]:
    """Return the end of all maintenance whose time is over."""
    return [
        end_maintenance(snapshot, name, "its time is over")
        for name, until in snapshot.maintenance.items()
        if until <= now_wall
    ]


def would_have(would: dict[str, int]) -> tuple[str, ...]:
    """Return what would have been done, in words, most often first."""
    ordered = sorted(would.items(), key=lambda item: (-item[1], item[0]))
    return tuple(what if times == 1 else f"{what}, {times} times" for what, times in ordered)
