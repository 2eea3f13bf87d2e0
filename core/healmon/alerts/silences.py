"""Silences: "do not tell me". They mute notices; healing goes on. Pure."""

from __future__ import annotations

from typing import Final

from healmon.alerts.matching import Match, matches, parse
from healmon.errors import UsageError
from healmon.events import Event, SilenceEnded
from healmon.state import AlertView, SilenceView, Snapshot, open_alerts

AT_MOST: Final = 30 * 86400.0
"""Seconds that a silence lasts at most: nothing is silenced for ever by accident."""


def silence_of(snapshot: Snapshot, alert: AlertView, now_wall: float) -> str:
    """Return the id of the silence that mutes an alert, the one that lasts longest; or empty."""
    over = [
        silence
        for silence in snapshot.silences.values()
        if silence.until > now_wall and _covers(silence, alert)
    ]
    return str(max(over, key=lambda one: (one.until, -one.id)).id) if over else ""


def matched(snapshot: Snapshot, match: Match) -> list[AlertView]:
    """Return the alerts not yet resolved that a match means, worst first."""
    return [alert for alert in open_alerts(snapshot) if matches(match, alert)]


def unknown_ids(snapshot: Snapshot, match: Match) -> tuple[str, ...]:
    """Return the ids that a match names and that no alert has now."""
    known = {str(alert.id) for alert in open_alerts(snapshot)}
    named = (t.values for t in match.terms if t.field == "id" and not t.negated)
    return tuple(value for values in named for value in values if value not in known)


def end_silence(snapshot: Snapshot, silence: SilenceView, reason: str) -> SilenceEnded:
    """Return the end of a silence, with what it muted meanwhile."""
    count = len(silence.muted)
    if not count:
        return SilenceEnded(silence.id, f"{reason}; nothing was muted")
    going_on = {alert.id for alert in open_alerts(snapshot)}
    left = sum(number in going_on for number in silence.muted)
    alerts = "1 alert was" if count == 1 else f"{count} alerts were"
    still = "all over now" if not left else f"{left} still open" if left < count else "still open"
    return SilenceEnded(silence.id, f"{reason}; {alerts} muted, {still}")


def expire_silences(snapshot: Snapshot, now_wall: float) -> list[Event]:
    """Return the end of every silence whose time is over."""
    return [
        end_silence(snapshot, silence, "its time is over")
        for silence in snapshot.silences.values()
        if silence.until <= now_wall
    ]


def _covers(silence: SilenceView, alert: AlertView) -> bool:
    try:
        return matches(parse(silence.match), alert)
    except UsageError:
        return False  # another version of healmon understood it; what is not understood is told
