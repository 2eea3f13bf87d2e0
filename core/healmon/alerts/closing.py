"""Notices that close what was told, and that sum up what was held back. Pure."""

from __future__ import annotations

from collections.abc import Iterable

from healmon.alerts import notices
from healmon.alerts.escalation import SLACK, bundles, covered, untold
from healmon.alerts.flapping import CONDITION
from healmon.config.settings import Channel, Notify
from healmon.events import NoticeMade
from healmon.plans import RANK
from healmon.state import AlertView, HeldView, Snapshot


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
    over = [
        alert
        for alert in snapshot.ended.values()
        # one that is there again, if perhaps only once, is not over yet
        if alert.told and alert.key not in snapshot.alerts and not _held(snapshot, alert)
    ]
    for channel in notify.channels:
        told = [
            alert
            for alert in over
            if channel.name in alert.told and not _flapped(snapshot, channel.name, alert)
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
            and _concerned(snapshot, notify, channel, view)
        }
        if held:
            words = notices.summed_up(snapshot, held)
            keys = tuple(
                {key: None for view in held.values() for key in view.alerts}
                | {_place(name): None for name in held if name.startswith("flapping:")}
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


def _held(snapshot: Snapshot, alert: AlertView) -> bool:
    return any(
        alert.key in view.alerts and view.alerts[alert.key].over_at
        for view in snapshot.held.values()
    )


def _place(name: str) -> str:
    """Return the key of the alert that told of a flapping."""
    return f"{name.removeprefix('flapping:').rpartition('/')[0]}/{CONDITION}"


def _flapped(snapshot: Snapshot, channel: str, alert: AlertView) -> bool:
    """Return whether a summary closes what an alert about flapping told."""
    return alert.key.endswith(f"/{CONDITION}") and any(
        name.startswith("flapping:") and _place(name) == alert.key and channel not in view.told
        for name, view in snapshot.held.items()
    )


def _concerned(snapshot: Snapshot, notify: Notify, channel: Channel, view: HeldView) -> bool:
    """Return whether a channel gets the summary: one of the first step, or told of it before."""
    if "summary" not in channel.topics or channel.name in view.told:
        return False
    worst = notices.worst_of(alert.level for alert in view.alerts.values())
    if view.alerts and RANK[worst] < RANK[channel.severity]:
        return False
    first = min(notify.steps, key=lambda step: step.after, default=None)
    known = _known(snapshot, view.alerts)
    return (first is not None and channel.name in first.channels) or any(
        0 < alert.told.get(channel.name, 0.0) < view.ended_at for alert in known
    )


def _known(snapshot: Snapshot, keys: Iterable[str]) -> list[AlertView]:
    every = {**snapshot.ended, **snapshot.alerts}
    return [every[key] for key in keys if key in every]
