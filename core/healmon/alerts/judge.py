"""Findings of one look against the alerts that are open: what opened, changed, ended."""

from __future__ import annotations

import re
from collections.abc import Collection
from typing import Final, cast

from healmon.events import (
    AlertOpened,
    AlertResolved,
    AlertUnacknowledged,
    AlertUpdated,
    Event,
)
from healmon.plans import RANK, Finding, Verdict
from healmon.state import AlertView, Snapshot

REFRESH: Final = 600.0
"""Seconds after which an alert of which only the numbers changed is told again."""

_NUMBER: Final = re.compile(r"\d+(?:[.,:]\d+)*")


def key_of(host: str, healer: str, component: str, condition: str) -> str:
    """Return the name of a cause: one alert is open per key, ever."""
    return f"{host}/{healer}/{component}/{condition}"


def judge(
    snapshot: Snapshot, host: str, healer: str, verdict: Verdict, now_wall: float
) -> list[Event]:
    """Return what a verdict means for the alerts of its component.

    Args:
        snapshot: the state before the verdict's alerts.
        host: this host's name.
        healer: whose verdict it is.
        verdict: the judgement; with status `unknown` (nobody could look) its findings open
            alerts, but no alert ends.
        now_wall: wall seconds.

    Returns:
        AlertOpened, AlertUpdated and AlertResolved events, to be applied in this order.
    """
    found = _worst_per_condition(verdict.findings)
    events: list[Event] = []
    for condition, finding in found.items():
        key = key_of(host, healer, verdict.component, condition)
        alert = snapshot.alerts.get(key)
        if alert is None:
            events.append(
                AlertOpened(
                    key, finding.severity, verdict.component, finding.message, finding.evidence
                )
            )
        elif _worth_telling(alert, finding, now_wall):
            events.append(AlertUpdated(key, finding.severity, finding.message, finding.evidence))
    if verdict.status == "unknown":
        return events
    prefix = key_of(host, healer, verdict.component, "")
    for alert in snapshot.alerts.values():
        # the prefix alone would also match a component whose name goes on after a slash
        ours = alert.component == verdict.component and alert.key.startswith(prefix)
        if ours and alert.key.removeprefix(prefix) not in found:
            events.append(AlertResolved(alert.key, verdict.summary))
    return events


def gone(snapshot: Snapshot, component: str, reason: str = "it exists no more") -> list[Event]:
    """Return the end of every alert of a component that exists no more."""
    return [
        AlertResolved(alert.key, reason)
        for alert in snapshot.alerts.values()
        if alert.component == component
    ]


def strays(snapshot: Snapshot, host: str, healers: Collection[str]) -> list[Event]:
    """Return the end of alerts that nobody will ever look after again.

    A host that was given another name, a healer that was taken out: their keys can no longer be
    found or not found.
    """
    looked_after = tuple(f"{host}/{healer}/" for healer in healers)
    return [
        AlertResolved(alert.key, "no healer looks after this any more")
        for alert in snapshot.alerts.values()
        if not alert.key.startswith(looked_after)
    ]


def expire(snapshot: Snapshot, now_wall: float) -> list[Event]:
    """Return the end of every acknowledgement whose time is over."""
    return [
        AlertUnacknowledged(alert.key, "the acknowledgement ran out")
        for alert in snapshot.alerts.values()
        if alert.state == "acknowledged" and alert.until is not None and alert.until <= now_wall
    ]


def _worst_per_condition(findings: tuple[Finding, ...]) -> dict[str, Finding]:
    worst: dict[str, Finding] = {}
    for finding in findings:
        known = worst.get(finding.condition)
        if known is None or RANK[finding.severity] > RANK[known.severity]:
            worst[finding.condition] = finding
    return worst


def _worth_telling(alert: AlertView, finding: Finding, now_wall: float) -> bool:
    """Return whether there is something new to say: worse, other words, or other numbers at last.

    A finding whose level fell says nothing new by that; a percentage that wanders by a tenth in
    every cycle must not fill the log.
    """
    if RANK[finding.severity] > RANK[alert.severity]:
        return True
    if (finding.message, finding.evidence) == (alert.message, alert.evidence):
        return False
    said = (_words(finding.message), _shape(finding.evidence))
    if said != (_words(alert.message), _shape(alert.evidence)):
        return True
    return not 0.0 <= now_wall - alert.last_seen < REFRESH


def _words(text: str) -> str:
    return _NUMBER.sub("#", text)


def _shape(value: object) -> object:
    """Return evidence with all numbers alike, also those within texts."""
    if isinstance(value, dict):
        return {k: _shape(v) for k, v in cast("dict[str, object]", value).items()}
    if isinstance(value, list | tuple):
        return [_shape(part) for part in cast("list[object]", value)]
    if isinstance(value, str):
        return _words(value)
    return value if value is None or isinstance(value, bool) else "#"
