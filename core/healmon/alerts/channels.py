"""Channels that do not work, as findings of the component `healmon`. Pure."""

from __future__ import annotations

from typing import Final

from healmon.config.settings import Notify
from healmon.plans import Finding, Severity
from healmon.state import Snapshot

DEAD_AFTER: Final = 60.0
"""Seconds, or failures below, after which a channel that fails is an alert."""
DEAD_FAILURES: Final = 3
GRAVE_AFTER: Final = 900.0
"""Seconds for which a CRITICAL notice may be stuck in a channel before that is CRITICAL, too."""


def channel_findings(snapshot: Snapshot, notify: Notify, now: float) -> tuple[Finding, ...]:
    """Return the channels that take nothing; `now` is wall seconds.

    One that has nothing to tell is not tried, so that it is found out by the next notice, or by
    `healmon notify --test`.
    """
    found: list[Finding] = []
    for channel in notify.channels:
        known = snapshot.channels.get(channel.name)
        if known is None or not known.failing_since:
            continue
        if known.failures < DEAD_FAILURES and now - known.failing_since < DEAD_AFTER:
            continue
        waiting = [n for n in snapshot.notices.values() if n.channel == channel.name]
        grave = any(n.level == "CRITICAL" and now - n.made_at > GRAVE_AFTER for n in waiting)
        level: Severity = "CRITICAL" if grave else "WARNING"
        told = "1 notice waits" if len(waiting) == 1 else f"{len(waiting)} notices wait"
        message = f"channel {channel.name} takes no notices: {known.reason}; {told}"
        evidence = {"reason": known.reason, "failures": known.failures, "waiting": len(waiting)}
        condition = f"channel-{channel.name}"
        found.append(Finding(condition, level, message, evidence, confirmed=True))
    return tuple(found)
