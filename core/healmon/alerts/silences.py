"""Which silence lies over an alert. Pure."""

from __future__ import annotations

from healmon.state import AlertView, Snapshot


def silence_of(snapshot: Snapshot, alert: AlertView, now: float) -> str:
    """Return the id of the silence that mutes an alert at `now` (wall seconds), or empty."""
    return next(
        (
            number
            for number, silence in snapshot.silences.items()
            if now < silence.until and silence.match in {alert.key, alert.component}
        ),
        "",
    )
