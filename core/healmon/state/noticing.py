"""What the life of a notice makes of the snapshot: the outbox is a part of it."""

from __future__ import annotations

from typing import TypeAlias

from msgspec.structs import replace

from healmon import events as ev
from healmon.state.parts import without
from healmon.state.views import ChannelView, NoticeView, Snapshot

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
        channel = ChannelView(sent=(*channel.sent, at)[-REMEMBERED:])
    else:
        channel = replace(channel, failing_since=channel.failing_since or at, reason=event.reason)
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
        made_at=at, next_at=event.not_before,
    )  # fmt: skip
    alerts = dict(s.alerts)
    for key in event.keys:
        if key in alerts:
            told = {**alerts[key].told, event.channel: at}
            alerts[key] = replace(alerts[key], told=told)
    return replace(s, alerts=alerts, notices={**s.notices, str(number): notice})
