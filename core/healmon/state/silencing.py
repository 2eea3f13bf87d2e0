"""What silences make of the snapshot."""

from __future__ import annotations

from typing import Final

from msgspec.structs import replace

from healmon import events as ev
from healmon.state.parts import without
from healmon.state.views import SilenceView, Snapshot

COUNTED: Final = 1000
"""Alerts that a silence remembers to have muted."""


def fold_silence(
    s: Snapshot, event: ev.SilenceStarted | ev.SilenceEnded, number: int, at: float
) -> Snapshot:
    """Return the snapshot after a silence began or ended; `number` is the event's id."""
    if isinstance(event, ev.SilenceEnded):
        return replace(s, silences=without(s.silences, str(event.silence)))
    silence = SilenceView(number, event.match, at, event.until, event.by, event.note)
    return replace(s, silences={**s.silences, str(number): silence})


def muted(s: Snapshot, event: ev.AlertOverlaid) -> Snapshot:
    """Return the snapshot in which the silence that now lies over an alert has counted it."""
    silence, alert = s.silences.get(event.overlays.silenced_by), s.alerts.get(event.key)
    if silence is None or alert is None or alert.id in silence.muted:
        return s
    silence = replace(silence, muted=(*silence.muted, alert.id)[:COUNTED])
    return replace(s, silences={**s.silences, str(silence.id): silence})
