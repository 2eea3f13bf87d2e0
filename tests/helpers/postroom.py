"""Alerts, a clock and an outbox without an engine: what would be told, to whom and when."""

from __future__ import annotations

import msgspec

from healmon import events as ev
from healmon.alerts import notices, outbox
from healmon.alerts.telling import decide
from healmon.config import settings as st
from healmon.plans import Overlays, Severity
from healmon.state import NoticeView, Snapshot, apply
from healmon.world.notifying import Message

WALL = 1_770_000_000.0
MINUTE, HOUR = 60.0, 3600.0


def channels(*names: str, **keys) -> tuple[st.Channel, ...]:
    return tuple(st.Channel(name=name, url=f"json://{name}", **keys) for name in names)


def ladder(*names: str, **keys) -> st.Notify:
    """The default escalation: the first channel after 5 minutes, the others after 15."""
    made = channels(*names)
    steps = (st.Rung(after=300.0, channels=names[:1]), st.Rung(after=900.0, channels=names[1:]))
    keys.setdefault("steps", tuple(step for step in steps if step.channels))
    keys.setdefault("channels", made)
    return st.Notify(**keys)


def key_of(component: str, condition: str = "down") -> str:
    return f"box/workers/{component}/{condition}"


class Postroom:
    """Folds events, lets time pass, and hands notices to channels that may be down."""

    def __init__(self, notify: st.Notify, snapshot: Snapshot | None = None) -> None:
        self.notify = notify
        self.snapshot = snapshot or Snapshot()
        self.now = WALL
        self.records: list[ev.Recorded] = []
        self.told: list[tuple[float, Message]] = []
        self.tries = 0
        self.down: set[str] = set()
        self.refused: set[int] = set()
        if snapshot is None:
            self.emit(ev.EngineStarted("box", "1", 1, "daemon", False, 60.0, "boot", 0.0))

    def emit(self, *events: ev.Event) -> int:
        for event in events:
            record = ev.Recorded(self.snapshot.last_id + 1, round(self.now, 3), event)
            self.records.append(record)
            self.snapshot = apply(self.snapshot, record)
        return self.snapshot.last_id

    def open(self, *components: str, level: Severity = "CRITICAL", condition: str = "down") -> None:
        for name in components:
            message = f"{name} is {condition}"
            self.emit(ev.AlertOpened(key_of(name, condition), level, name, message, {"pid": 7}))

    def over(self, *components: str, condition: str = "down") -> None:
        for name in components:
            self.emit(ev.AlertResolved(key_of(name, condition), "it is up again"))

    def mute(self, component: str, **overlays) -> None:
        self.emit(ev.AlertOverlaid(key_of(component), Overlays(**overlays)))

    def tick(self) -> None:
        """Decide and deliver until nothing more happens at this moment."""
        while events := decide(self.snapshot, self.notify, self.now):
            self.emit(*events)
        while leaving := outbox.leaving(self.snapshot, self.notify, self.now):
            for notice in leaving:
                self.deliver(notice)
            while events := decide(self.snapshot, self.notify, self.now):
                self.emit(*events)

    def deliver(self, notice: NoticeView) -> None:
        self.tries += 1
        if notice.channel in self.down or notice.id in self.refused:
            again = self.now + outbox.pause(notice.attempts + 1)
            self.emit(ev.NoticeFailed(notice.id, notice.channel, "it is down", again))
        else:
            self.told.append((self.now - WALL, notices.message(self.snapshot, notice, "epoch")))
            self.emit(ev.NoticeSent(notice.id, notice.channel))

    def run(self, seconds: float, step: float = 5.0) -> None:
        """Let time pass."""
        end = self.now + seconds
        while self.now < end:
            self.now = min(end, self.now + step)
            self.tick()

    def of(self, channel: str) -> list[Message]:
        return [message for _, message in self.told if message.channel == channel]

    def log(self) -> list[tuple[float, str, str]]:
        """When, to whom, and of which topic, in minutes."""
        return [(round(at / MINUTE, 1), m.channel, m.topic) for at, m in self.told]

    def killed(self) -> Postroom:
        """What the next run finds: the snapshot, as the store would keep it."""
        kept = msgspec.json.decode(msgspec.json.encode(self.snapshot), type=Snapshot)
        assert kept == self.snapshot
        other = Postroom(self.notify, kept)
        other.now = self.now
        return other
