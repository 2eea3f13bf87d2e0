"""What verdicts make of the inbox, for tests of those who judge and not of the inbox."""

from __future__ import annotations

from healmon import alerts
from healmon import events as ev
from healmon.config.settings import Alerts
from healmon.plans import Verdict
from healmon.state import Snapshot

AT_ONCE = Alerts(confirm_checks=1, clear_checks=1, reopen_within=0.0, flapping=False)
"""What is found is an alert, what is not found is over, and each is an incident of its own."""


def told(
    snapshot: Snapshot, healer: str, verdict: Verdict, wall: float, rules: Alerts = AT_ONCE
) -> list[ev.Event]:
    """Return the alert events of one verdict, nothing remembered."""
    return alerts.judge(alerts.Case.of(snapshot, healer, rules, wall), verdict).events
