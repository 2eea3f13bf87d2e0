"""What the chronicle says of a turn, in words."""

from __future__ import annotations

from healmon import events as ev
from healmon.clock import local_time
from healmon.plans import Overlays
from healmon.state import FOREVER
from healmon.units import format_duration


def paused(until: float) -> str:
    """Return that nothing is done until a wall time, in words."""
    return "never touched" if until >= FOREVER else f"paused till {local_time(until, '%H:%M')}"


def acknowledged(event: ev.AlertAcknowledged) -> str:
    """Return who knows of an alert, until when and why."""
    until = f" till {local_time(event.until, '%H:%M')}" if event.until else ""
    return f"acknowledged by {event.by}{until}{why(event.note)}"


def reread(event: ev.ConfigurationChanged | ev.ConfigurationRefused) -> str:
    """Return what came of reading the configuration."""
    if isinstance(event, ev.ConfigurationRefused):
        return f"configuration refused ({event.origin}): {'; '.join(event.problems)}"
    told = "; ".join(map(str, event.changes)) or "it changed while no healmon ran"
    return f"configuration read ({event.origin}): {told}"


def why(note: str, lead: str = ": ") -> str:
    """Return a note behind its lead; empty: there is none."""
    return f"{lead}{note}" if note else ""


def overlaid(overlays: Overlays) -> str:
    """Return what keeps an alert quiet."""
    parts = [
        f"silenced by silence {overlays.silenced_by}" if overlays.silenced_by else "",
        f"paused with {overlays.maintenance}" if overlays.maintenance else "",
        f"explained by {overlays.inhibited_by}" if overlays.inhibited_by else "",
        "flapping" if overlays.flapping else "",
    ]
    return ", ".join(part for part in parts if part) or "nothing mutes it any more"


def jump(event: ev.ClockJumped) -> str:
    """Return how the clock jumped."""
    way = "forward" if event.stepped > 0 else "back"
    parts = [
        f"the host slept {format_duration(event.suspended)}" if event.suspended else "",
        f"the clock was set {way} by {format_duration(abs(event.stepped))}"
        if event.stepped
        else "",
    ]
    if event.off and event.stepped > 0:
        return f"the host was off, or its clock was set, for {format_duration(event.stepped)}"
    return ", ".join(part for part in parts if part)
