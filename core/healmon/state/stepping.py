"""What a wall clock that was set makes of the snapshot: what was to last an hour still does.

Pauses, silences and acknowledgements end at a moment of the wall clock, so that they outlive a
restart and can be shown to people; they were asked for as durations. Set far ahead it would end a
pause at once, and healmon would act on what a person works on; set back, it would keep an alert
from being told for a day.
"""

from __future__ import annotations

from msgspec.structs import replace

from healmon.events import ClockJumped
from healmon.state.views import FOREVER, Snapshot


def clock_jumped(s: Snapshot, event: ClockJumped, _at: float) -> Snapshot:
    """Return the snapshot after the wall clock was set, or the host slept."""
    seconds = event.stepped
    if not seconds:
        return s
    return replace(
        s,
        maintenance={name: moved(until, seconds) for name, until in s.maintenance.items()},
        silences={
            number: replace(silence, until=moved(silence.until, seconds))
            for number, silence in s.silences.items()
        },
        alerts={
            key: alert if alert.until is None else replace(alert, until=moved(alert.until, seconds))
            for key, alert in s.alerts.items()
        },
    )


def moved(until: float, seconds: float) -> float:
    """Return an end that is as far away as before; in whole milliseconds, as the store keeps it."""
    if until >= FOREVER:
        return until
    later = (round(until * 1000) + round(seconds * 1000)) / 1000
    return later if later < FOREVER else until
