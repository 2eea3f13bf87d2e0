"""Who is told of an alert that nobody answers, and when. Pure.

    calls for somebody ── 5 min ──▶ first channel ── 15 min ──▶ the others ── every 4 h ──▶ again
            │ acknowledged, muted, over: nothing more; begins at the top once it calls again

An alert calls since `AlertView.unanswered_since`: it was opened, got worse, its acknowledgement ran
out, or what muted it has ended. What was made is known by `AlertView.told`, so that a killed
healmon goes on where it was.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from typing import Final

from healmon.alerts import notices
from healmon.alerts.own import ENGINE
from healmon.clock import local_time
from healmon.config.settings import Channel, Notify
from healmon.events import NoticeMade, Topic
from healmon.plans import RANK, Severity
from healmon.state import AlertView, Snapshot

STORM: Final = 3
"""So many components at once are told in one notice."""
SLACK: Final = 120.0
"""Seconds that a stored moment may lie ahead of now; more and the wall clock was set back."""


def escalate(
    snapshot: Snapshot, notify: Notify, now: float, in_flight: frozenset[int] = frozenset()
) -> list[NoticeMade]:
    """Return the notices that are due now.

    Args:
        snapshot: the state.
        notify: `[notify]` of the configuration.
        now: wall seconds.
        in_flight: ids of notices that are being delivered.
    """
    made: list[NoticeMade] = []
    hushed = quiet(notify.quiet, now)
    for channel in notify.channels:
        calling = [
            alert
            for alert in snapshot.alerts.values()
            if calls(alert) and wants(channel, alert, alert.severity, hushed=hushed)
        ]
        due = _due(calling, channel, notify, now)
        if due:
            soon = _due(calling, channel, notify, now + notify.group_within)
            made += [
                _notice(snapshot, bundle, channel.name, now, in_flight)
                for bundle in bundles(soon, {alert.component for alert in due})
            ]
    return made


def calls(alert: AlertView) -> bool:
    """Return whether an alert calls for somebody: open, not acknowledged, not muted."""
    unanswered = bool(alert.opened_at) and alert.acknowledged_at is None
    return unanswered and alert.state in {"open", "stale"} and not alert.overlays.muted


def wants(channel: Channel, alert: AlertView, level: Severity, *, hushed: bool) -> bool:
    """Return whether a channel is to be told of an alert of this severity.

    Args:
        channel: which one; never told that it does not work itself.
        alert: the alert.
        level: how bad it is.
        hushed: it is quiet now, and only CRITICAL is told.
    """
    if RANK[level] < RANK[channel.severity] or (hushed and level != "CRITICAL"):
        return False
    return not (alert.component == ENGINE and alert.key.endswith(f"/channel-{channel.name}"))


def quiet(hours: str, now: float) -> bool:
    """Return whether `now` (wall seconds) lies in hours such as `22:00-07:00`, local time."""
    if not hours:
        return False
    begin, _, end = hours.partition("-")
    time = local_time(now, "%H:%M")
    return begin <= time < end if begin < end else time >= begin or time < end


def bundles(
    alerts: Iterable[AlertView], components: Iterable[str] | None = None
) -> list[list[AlertView]]:
    """Return alerts by what is told in one notice: those of one component, or all in a storm.

    Args:
        alerts: what is to be told.
        components: only what these have to say, unless it is a storm; None: all.
    """
    by_component: dict[str, list[AlertView]] = {}
    for alert in alerts:
        by_component.setdefault(alert.component, []).append(alert)
    if len(by_component) >= STORM:
        return [[alert for group in by_component.values() for alert in group]]
    wanted = by_component if components is None else set(components)
    return [group for name, group in by_component.items() if name in wanted]


def covered(
    snapshot: Snapshot, channel: str, keys: Sequence[str], in_flight: frozenset[int]
) -> tuple[int, ...]:
    """Return the waiting notices that a new one about `keys` makes superfluous."""
    return tuple(
        notice.id
        for notice in snapshot.notices.values()
        if notice.channel == channel
        and notice.topic in {"opened", "reminder"}
        and notice.id not in in_flight
        and set(notice.keys) <= set(keys)
    )


def untold(snapshot: Snapshot, numbers: Iterable[int]) -> bool:
    """Return whether one of these waiting notices is the first that tells of its alerts."""
    return any(snapshot.notices[str(number)].topic == "opened" for number in numbers)


def _due(
    alerts: Iterable[AlertView], channel: Channel, notify: Notify, now: float
) -> list[AlertView]:
    return [
        alert
        for alert in alerts
        if (topic := _topic(alert, channel.name, notify, now)) and topic in channel.topics
    ]


def _topic(alert: AlertView, channel: str, notify: Notify, now: float) -> Topic | None:
    since = _believed(alert.unanswered_since, now)
    told = _believed(alert.told.get(channel, 0.0), now)
    reached = [
        since + step.after
        for step in notify.steps
        if channel in step.channels and since + step.after <= now
    ]
    if not reached:
        return None
    if told < since or not told:
        return "opened"
    # one that was told a little early, together with others, is not told again for that
    again = told < max(reached) - notify.group_within
    if again or (notify.repeat_every and told + notify.repeat_every <= now):
        return "reminder"
    return None


def _believed(moment: float, now: float) -> float:
    return 0.0 if moment > now + SLACK else moment


def _notice(
    snapshot: Snapshot,
    alerts: Sequence[AlertView],
    channel: str,
    now: float,
    in_flight: frozenset[int],
) -> NoticeMade:
    keys = tuple(alert.key for alert in alerts)
    replaces = covered(snapshot, channel, keys, in_flight)
    # what has not left yet is not known there
    known = not untold(snapshot, replaces) and all(
        alert.told.get(channel, 0.0) >= alert.unanswered_since for alert in alerts
    )
    words = notices.opened(snapshot, alerts, now)
    return NoticeMade(
        channel, "reminder" if known else "opened", words.title, words.body, keys,
        level=words.level, replaces=replaces,
    )  # fmt: skip
