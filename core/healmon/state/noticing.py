"""What the life of a notice makes of the snapshot: the outbox is a part of it."""

from __future__ import annotations

from typing import TypeAlias

from msgspec.structs import replace

from healmon import events as ev
from healmon.state.parts import without
from healmon.state.views import AlertView, ChannelView, HeldView, NoticeView, Snapshot

NoticeEvent: TypeAlias = ev.NoticeMade | ev.NoticeSent | ev.NoticeFailed | ev.NoticeDropped
REMEMBERED = 60
"""How many deliveries of a channel are kept for its rate limit."""


def fold_notice(s: Snapshot, event: NoticeEvent, number: int, at: float) -> Snapshot:
    """Return the snapshot after one event of a notice; `number` is the event's id."""
    if isinstance(event, ev.NoticeMade):
        return _made(s, event, number, at)
    waiting = without(s.notices, str(event.notice))
    if isinstance(event, ev.NoticeDropped):
        return replace(s, notices=waiting)
    channel = s.channels.get(event.channel, ChannelView())
    if isinstance(event, ev.NoticeSent):
        sent = (*channel.sent, at)[-REMEMBERED:]
        channel = ChannelView(sent=sent, reported_at=channel.reported_at)
    else:
        channel = replace(
            channel, failing_since=channel.failing_since or at, reason=event.reason,
            failures=channel.failures + 1, failed_at=at,
        )  # fmt: skip
        known = s.notices.get(str(event.notice))
        if known is not None:
            known = replace(
                known, attempts=known.attempts + 1, next_at=event.retry_at, reason=event.reason
            )
            waiting = {**s.notices, str(event.notice): known}
    return replace(s, notices=waiting, channels={**s.channels, event.channel: channel})


def _made(s: Snapshot, event: ev.NoticeMade, number: int, at: float) -> Snapshot:
    notice = NoticeView(
        number, event.channel, event.topic, event.title, event.body, event.keys,
        made_at=at, next_at=event.not_before, level=event.level, stamp=at,
    )  # fmt: skip
    replaced = {str(number) for number in event.replaces}
    waiting = {name: one for name, one in s.notices.items() if name not in replaced}
    return replace(
        _told(s, event, at),
        notices={**waiting, str(number): notice},
        held=_summed_up(s, event),
    )


def _told(s: Snapshot, event: ev.NoticeMade, at: float) -> Snapshot:
    """Note which channel knows of which alert; who was told of its end knows of none."""
    if event.topic in {"opened", "reminder"}:
        alerts = dict(s.alerts)
        for key in event.keys:
            if key in alerts:
                told = {**alerts[key].told, event.channel: at}
                alerts[key] = replace(alerts[key], told=told)
        return replace(s, alerts=alerts)
    if event.topic == "recovered" or event.held:
        ended = {
            key: _closed(alert, event.channel) if key in event.keys else alert
            for key, alert in s.ended.items()
        }
        return replace(s, ended=ended)
    if event.topic == "report":
        channel = replace(s.channels.get(event.channel, ChannelView()), reported_at=at)
        return replace(s, channels={**s.channels, event.channel: channel})
    return s


def _closed(alert: AlertView, channel: str) -> AlertView:
    return replace(alert, told=without(alert.told, channel))


def _summed_up(s: Snapshot, event: ev.NoticeMade) -> dict[str, HeldView]:
    return {
        name: replace(view, told=(*view.told, event.channel)) if name in event.held else view
        for name, view in s.held.items()
    }
