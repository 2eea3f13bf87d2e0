"""Everything that is to be told now, as events; the outbox does the rest. Pure."""

from __future__ import annotations

from healmon.alerts.closing import recoveries, summaries
from healmon.alerts.escalation import escalate
from healmon.alerts.outbox import tidied
from healmon.config.settings import Notify
from healmon.events import Event
from healmon.state import Snapshot


def decide(
    snapshot: Snapshot, notify: Notify, now: float, in_flight: frozenset[int] = frozenset()
) -> list[Event]:
    """Return the notices that are due now; when none is, what becomes of those that wait.

    Args:
        snapshot: the state.
        notify: `[notify]` of the configuration.
        now: wall seconds.
        in_flight: ids of notices that are being delivered.
    """
    made: list[Event] = [
        *recoveries(snapshot, notify, now, in_flight),
        *summaries(snapshot, notify, now),
        *escalate(snapshot, notify, now, in_flight),
    ]
    return made or tidied(snapshot, notify, now, in_flight)
