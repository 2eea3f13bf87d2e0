"""What lies over an alert, in words: who, until when and why. One text for screen and commands."""

from __future__ import annotations

from typing import Final

from healmon.clock import local_time
from healmon.plans import Overlays
from healmon.state import FOREVER, AlertView, PauseView, SilenceView, Snapshot

NEAR: Final = 12 * 3600.0
"""Seconds within which a time of day says which moment is meant."""


def till(until: float, now: float) -> str:
    """Return a moment to come: `22:40`, or with its day where that is not plain."""
    return local_time(until, "%H:%M" if until - now < NEAR else "%a %d %b %H:%M")


def acknowledged(alert: AlertView, now: float) -> str:
    """Return who knows of an alert; empty: nobody has said so."""
    if alert.acknowledged_at is None:
        return ""
    until = f" till {till(alert.until, now)}" if alert.until is not None else ""
    return f"acknowledged by {alert.acknowledged_by}{until}{_why(alert.note)}"


def silence(view: SilenceView, now: float) -> str:
    """Return what a silence mutes."""
    muted = f", muted {len(view.muted)}" if view.muted else ""
    by = f"till {till(view.until, now)} by {view.by}"
    return f"silence {view.id} {by}: {view.match}{muted}{_why(view.note, ' - ')}"


def pause(known: Snapshot, name: str, now: float) -> str:
    """Return what a pause covers, and what was not done for it so far."""
    view = known.pauses.get(name, PauseView(0.0, ""))
    until = known.maintenance.get(name, now)
    by = f" by {view.by}" if view.by else ""
    what = "everything" if name == "*" else name
    if until >= FOREVER:
        return f"never touched{by}: {what}"
    count = sum(view.would.values())
    times = f", {count} plan{'s' if count > 1 else ''} not carried out" if count else ""
    return f"paused till {till(until, now)}{by}: {what}{times}{_why(view.note, ' - ')}"


def laid_over(known: Snapshot, overlays: Overlays, now: float, *, brief: bool = False) -> list[str]:
    """Return why notices of an alert are held back, a line for each reason.

    Args:
        known: the state.
        overlays: what lies over the alert.
        now: wall seconds.
        brief: only who, until when and why, not which silence or pause it is.
    """
    lines: list[str] = []
    if overlays.silenced_by:
        view = known.silences.get(overlays.silenced_by)
        which = "" if view is None or brief else f" (silence {view.id}: {view.match})"
        lines.append("silenced" if view is None else f"{_silenced(view, now)}{which}")
    if overlays.maintenance:
        what = "everything" if overlays.maintenance == "*" else overlays.maintenance
        which = "" if brief else f" ({what})"
        lines.append(f"{_in_maintenance(known, overlays.maintenance, now)}{which}")
    if overlays.inhibited_by:
        cause = known.alerts.get(overlays.inhibited_by)
        told = overlays.inhibited_by if cause is None else f"{cause.id}, {cause.message}"
        lines.append(f"inhibited, explained by alert {told}")
    if overlays.flapping:
        lines.append("flapping: it came and went too often to be told each time")
    return lines


def _silenced(view: SilenceView, now: float) -> str:
    return f"silenced by {view.by} till {till(view.until, now)}{_why(view.note)}"


def _in_maintenance(known: Snapshot, name: str, now: float) -> str:
    view = known.pauses.get(name, PauseView(0.0, "somebody"))
    until = till(known.maintenance.get(name, now), now)
    return f"paused by {view.by} till {until}{_why(view.note)}"


def _why(note: str, lead: str = ": ") -> str:
    return f"{lead}{note}" if note else ""
