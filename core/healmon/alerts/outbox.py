"""Which notice may leave now, and what becomes of those that cannot. Pure.

Each channel takes one notice at a time, the oldest first. A channel that fails is tried again
after growing pauses; a notice that alone is refused does not keep the others back. What the rate
limit keeps waiting is told together, and so is what piled up while a channel was down. Nothing
leaves the outbox without an event that says why.
"""

from __future__ import annotations

from collections.abc import Collection
from typing import Final

from healmon.alerts import notices
from healmon.alerts.escalation import SLACK, quiet
from healmon.config.settings import Channel, Notify
from healmon.events import Event, NoticeDropped, NoticeMade
from healmon.state import ChannelView, NoticeView, Snapshot

FIRST_PAUSE: Final = 5.0
LONGEST_PAUSE: Final = 300.0
"""Seconds between two tries of a channel that fails: they double up to this."""
MANY: Final = 5
"""More waiting notices than this are told in one."""
CROWD: Final = 100
"""The same, of a channel that does not work."""
REFUSED: Final = 3
"""Failures after which others are tried before a notice."""
GIVEN_UP: Final = 10
"""Failures after which a notice is dropped that is a day old, if its channel took others."""
_DAY: Final = 86400.0


def pause(failures: int) -> float:
    """Return the seconds until the next try after so many failures in a row."""
    return min(LONGEST_PAUSE, FIRST_PAUSE * 2.0 ** min(max(failures - 1, 0), 16))


def leaving(
    snapshot: Snapshot, notify: Notify, now: float, busy: Collection[str] = ()
) -> list[NoticeView]:
    """Return the notices that may leave now, at most one for each channel.

    Args:
        snapshot: the state.
        notify: `[notify]` of the configuration.
        now: wall seconds.
        busy: channels that are taking one.
    """
    found: list[NoticeView] = []
    for channel in notify.channels:
        known = snapshot.channels.get(channel.name, ChannelView())
        if channel.name in busy or not _rested(known, now):
            continue
        waiting = [n for n in _waiting(snapshot, notify, channel.name, now) if _timely(n, now)]
        waiting = _within_rate(waiting, channel, known, now)
        if waiting:
            found.append(min(waiting, key=_order))
    return found


def tidied(
    snapshot: Snapshot, notify: Notify, now: float, in_flight: Collection[int] = ()
) -> list[Event]:
    """Return what becomes of notices that will not leave as they are.

    Args:
        snapshot: the state.
        notify: `[notify]` of the configuration.
        now: wall seconds.
        in_flight: ids of notices that are being delivered; they are left alone.
    """
    events: list[Event] = []
    for notice in snapshot.notices.values():
        reason = _hopeless(snapshot, notify, notice, now)
        if reason and notice.id not in in_flight:
            events.append(NoticeDropped(notice.id, notice.channel, reason))
    dropped = {event.notice for event in events if isinstance(event, NoticeDropped)}
    for channel in notify.channels:
        waiting = [
            notice
            for notice in _waiting(snapshot, notify, channel.name, now)
            if notice.id not in dropped
            and notice.id not in in_flight
            and notice.topic not in {"report", "test"}
        ]
        known = snapshot.channels.get(channel.name, ChannelView())
        most = CROWD if known.failing_since else MANY
        # what is CRITICAL has its own place in the rate, and its own notice
        for grave in (True, False):
            alike = [n for n in waiting if (n.level == "CRITICAL") is grave]
            if len(alike) > most:
                events.append(_together(snapshot, channel.name, alike))
    return events


def _together(snapshot: Snapshot, channel: str, waiting: list[NoticeView]) -> NoticeMade:
    words = notices.together(snapshot, waiting)
    keys = tuple({key: None for notice in waiting for key in notice.keys})
    return NoticeMade(
        channel, "summary", words.title, words.body, keys,
        level=words.level, replaces=tuple(notice.id for notice in waiting),
    )  # fmt: skip


def _waiting(snapshot: Snapshot, notify: Notify, channel: str, now: float) -> list[NoticeView]:
    """Return what waits for a channel, oldest first; not what must not be told in quiet hours."""
    hushed = quiet(notify.quiet, now)
    waiting = [
        notice
        for notice in snapshot.notices.values()
        if notice.channel == channel
        and not (hushed and notice.level != "CRITICAL" and notice.topic not in {"report", "test"})
    ]
    return sorted(waiting, key=lambda notice: notice.id)


def _rested(channel: ChannelView, now: float) -> bool:
    if not channel.failing_since:
        return True
    return abs(now - channel.failed_at) >= pause(channel.failures)


def _timely(notice: NoticeView, now: float) -> bool:
    ahead = notice.next_at - now
    return ahead <= 0.0 or (notice.attempts > 0 and ahead > LONGEST_PAUSE + SLACK)


def _order(notice: NoticeView) -> tuple[int, int]:
    refused = notice.attempts if notice.attempts >= REFUSED else 0
    return refused, notice.id


def _within_rate(
    waiting: list[NoticeView], channel: Channel, known: ChannelView, now: float
) -> list[NoticeView]:
    """Return what the rate lets pass; its last fifth is kept for CRITICAL."""
    rate = channel.rate
    room = rate.count - sum(abs(now - at) < rate.per for at in known.sent)
    if room <= 0:
        return []
    kept = max(1, rate.count // 5) if rate.count > 1 else 0
    return waiting if room > kept else [n for n in waiting if n.level == "CRITICAL"]


def _hopeless(snapshot: Snapshot, notify: Notify, notice: NoticeView, now: float) -> str:
    if notify.channel(notice.channel) is None:
        return "its channel is not configured any more"
    sent = snapshot.channels.get(notice.channel, ChannelView()).sent
    took_others = bool(sent) and sent[-1] > notice.made_at
    if notice.attempts >= GIVEN_UP and now - notice.made_at > _DAY and took_others:
        return f"refused {notice.attempts} times while others were taken: {notice.reason}"
    return ""
