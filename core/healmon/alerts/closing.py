"""Notices that close what was told, and that sum up what was held back. Pure."""

from __future__ import annotations

from healmon.alerts import notices
from healmon.alerts.escalation import SLACK, bundles, covered, untold
from healmon.alerts.flapping import CONDITION
from healmon.config.settings import Channel, Notify
from healmon.events import NoticeMade
from healmon.plans import RANK
from healmon.state import AlertView, Snapshot


def recoveries(
    snapshot: Snapshot, notify: Notify, now: float, in_flight: frozenset[int] = frozenset()
) -> list[NoticeMade]:
    """Return the notices of what is over, for the channels that were told of it.

    What was still held back when it ended is told by the summary of what held it.

    Args:
        snapshot: the state.
        notify: `[notify]` of the configuration.
        now: wall seconds.
        in_flight: ids of notices that are being delivered.
    """
    made: list[NoticeMade] = []
    # one that is there again, if perhaps only once, is not over yet
    over = [a for a in snapshot.ended.values() if a.told and a.key not in snapshot.alerts]
    for channel in notify.channels:
        told = [
            alert
            for alert in over
            if channel.name in alert.told and not _summed_up(snapshot, notify, channel, alert)
        ]
        if "recovered" not in channel.topics or not told:
            continue
        due = {a.component for a in told if _passed(a.resolved_at or 0.0, notify, now)}
        if due:
            made += [
                _recovery(snapshot, bundle, channel.name, in_flight)
                for bundle in bundles(told, due)
            ]
    return made


def summaries(snapshot: Snapshot, notify: Notify, now: float) -> list[NoticeMade]:
    """Return one notice for each channel about all that held notices back and has ended."""
    made: list[NoticeMade] = []
    for channel in notify.channels:
        held = {
            name: view
            for name, view in snapshot.held.items()
            if view.ended_at
            and _passed(view.ended_at, notify, now)
            and _concerned(snapshot, notify, channel, name)
        }
        if held:
            words = notices.summed_up(snapshot, held)
            keys = tuple(
                {key: None for view in held.values() for key in view.alerts}
                | {_place(name): None for name in held if _place(name)}
            )
            made.append(
                NoticeMade(
                    channel.name, "summary", words.title, words.body, keys,
                    level=words.level, held=tuple(held),
                )
            )  # fmt: skip
    return made


def _recovery(
    snapshot: Snapshot, alerts: list[AlertView], channel: str, in_flight: frozenset[int]
) -> NoticeMade:
    keys = tuple(alert.key for alert in alerts)
    replaces = covered(snapshot, channel, keys, in_flight)
    words = notices.recovered(snapshot, alerts, untold=untold(snapshot, replaces))
    return NoticeMade(
        channel, "recovered", words.title, words.body, keys, level=words.level, replaces=replaces
    )


def _passed(moment: float, notify: Notify, now: float) -> bool:
    """Return whether others had their time to follow; a moment far ahead is a wrong clock's."""
    return moment + notify.group_within <= now or moment > now + SLACK


def _place(name: str) -> str:
    """Return the key of the alert that told of a flapping; empty: it is no flapping."""
    kind, _, key = name.partition(":")
    return f"{key.rpartition('/')[0]}/{CONDITION}" if kind == CONDITION else ""


def _summed_up(snapshot: Snapshot, notify: Notify, channel: Channel, alert: AlertView) -> bool:
    """Return whether a summary closes what a channel was told: now, or once what mutes it ends."""
    return any(
        (alert.key == _place(name) or (alert.key in view.alerts and view.alerts[alert.key].over_at))
        and (not view.ended_at or _concerned(snapshot, notify, channel, name))
        for name, view in snapshot.held.items()
    )


def _concerned(snapshot: Snapshot, notify: Notify, channel: Channel, name: str) -> bool:
    """Return whether a channel gets the summary: one of the first step, or told of it before."""
    view = snapshot.held[name]
    if "summary" not in channel.topics or channel.name in view.told:
        return False
    worst = notices.worst_of(alert.level for alert in view.alerts.values())
    if view.alerts and RANK[worst] < RANK[channel.severity]:
        return False
    first = min(notify.steps, key=lambda step: step.after, default=None)
    every = {**snapshot.ended, **snapshot.alerts}
    known = [every[key] for key in (*view.alerts, _place(name)) if key in every]
    return (first is not None and channel.name in first.channels) or any(
        channel.name in a.told and a.told[channel.name] < view.ended_at for a in known
    )
