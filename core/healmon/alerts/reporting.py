"""When the morning page is due as a notice. Pure."""

from __future__ import annotations

from typing import Final

from healmon.clock import local_time
from healmon.config.settings import Notify
from healmon.state import ChannelView, Snapshot

DAY: Final = 86400.0
APART: Final = DAY / 2
"""Seconds between two reports at least: a day in which the clocks change has no second one."""


def reports_due(snapshot: Snapshot, notify: Notify, now: float) -> dict[str, float]:
    """Return the channels whose report is due, and how many seconds each is about.

    It is about the time since the one before, a week at most. One that was missed because healmon
    did not run is made up for; a healmon that is new begins with the next.

    Args:
        snapshot: the state.
        notify: `[notify]` of the configuration.
        now: wall seconds.
    """
    if not notify.report_at:
        return {}
    moment = now - (_of_day(local_time(now)) - _of_day(f"{notify.report_at}:00")) % DAY
    due: dict[str, float] = {}
    for channel in notify.channels:
        if "report" in channel.topics:
            last = snapshot.channels.get(channel.name, ChannelView()).reported_at
            before = last or snapshot.engine.started_at
            if before < moment and (not last or now - last > APART):
                due[channel.name] = min(7 * DAY, now - last) if last else DAY
    return due


def _of_day(time: str) -> float:
    hours, minutes, seconds = map(int, time.split(":"))
    return hours * 3600.0 + minutes * 60.0 + seconds
