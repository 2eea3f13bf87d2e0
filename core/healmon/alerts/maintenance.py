"""Which maintenance lies over an alert. Pure."""

from __future__ import annotations

from typing import Final

from healmon.state import AlertView, Snapshot

EVERYTHING: Final = "*"
"""The component name that stands for all of them."""


def maintenance_of(snapshot: Snapshot, alert: AlertView, now: float) -> str:
    """Return the component whose maintenance covers an alert at `now` (wall seconds), or empty."""
    for component in (alert.component, EVERYTHING):
        if now < snapshot.maintenance.get(component, 0.0):
            return component
    return ""
