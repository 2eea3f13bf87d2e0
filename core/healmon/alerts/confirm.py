"""When a finding is an alert, and when an alert is over. Pure.

A finding is an alert when so many checks found it, or when it has been there for so long, whichever
comes first: one look proves little. It is one at once where its healer has made sure of it already,
where data is at stake and where something was given up for good. An alert is over when so many
checks found nothing any more, or at once when a remedy has just been proved to work.

Looks that follow each other closely (a healer that is woken by an event) are one check.
"""

from __future__ import annotations

from typing import Final

import msgspec

from healmon.config.settings import Alerts
from healmon.plans import Finding
from healmon.state import AlertView, Snapshot, finished_on

APART: Final = 5.0
"""Seconds, or half an interval, by which two looks are apart that count as two checks."""
PROOF_HOLDS: Final = 60.0
"""Seconds for which a proved remedy vouches for the look after it."""


class Clear(msgspec.Struct, frozen=True):
    """An alert whose condition was not found any more.

    Attributes:
        at: steady seconds of the newest check that counts.
        checks: how many there were.
    """

    at: float
    checks: int = 1


def apart(interval: float) -> float:
    """Return the seconds by which two looks must be apart to be two checks."""
    return min(APART, interval / 2)


def another(before: float, now: float, interval: float) -> bool:
    """Return whether a look is another check than the one at `before`; both by the same clock."""
    return abs(now - before) >= apart(interval)


def at_once(finding: Finding, rules: Alerts) -> bool:
    """Return whether a finding is an alert without a second look."""
    lenient = rules.confirm_checks <= 1 or rules.confirm_for <= 0
    return lenient or finding.confirmed or finding.urgent


def confirmed(alert: AlertView, rules: Alerts, now: float) -> bool:
    """Return whether one more check makes what is pending an alert."""
    return alert.count + 1 >= rules.confirm_checks or now - alert.first_seen >= rules.confirm_for


def cleared(before: Clear | None, now: float, interval: float) -> Clear:
    """Return what is known after a look that did not find the condition of an alert."""
    if before is None:
        return Clear(now)
    return Clear(now, before.checks + 1) if another(before.at, now, interval) else before


def proved(snapshot: Snapshot, alert: AlertView, now: float) -> bool:
    """Return whether a remedy that has just been proved to work vouches for an alert's end."""
    return any(
        action.ok
        and action.at >= alert.last_seen
        and abs(now - action.at) < PROOF_HOLDS  # a clock that was set back proves nothing
        and action.details.get("released") is not False
        for action in finished_on(snapshot, alert.component)
    )
