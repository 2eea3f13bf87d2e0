"""Makes notices when they are due and has them delivered, each channel by itself.

    decided ── NoticeMade ──▶ on disk ──▶ delivered ── NoticeSent ──▶ gone from the outbox
                                 ▲            │
                                 └────────────┴ NoticeFailed, or killed: again, under the same id

The outbox is a part of the snapshot, so that a healmon that was killed anywhere in between finds
the notice again. A channel has a thread of its own, and each delivery a deadline: one that hangs
keeps nobody else waiting.
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Mapping
from functools import partial
from typing import Any

from healmon import events as ev
from healmon.alerts import escalation, notices, outbox
from healmon.alerts.reporting import reports_due
from healmon.alerts.telling import decide
from healmon.clock import Clock
from healmon.config.settings import Channel
from healmon.engine.run import Outlet
from healmon.engine.stream import Stream
from healmon.errors import DeliveryError, ProbeError
from healmon.state import NoticeView, Snapshot
from healmon.text import clean
from healmon.world.hands import Hands

NAME = "notices"
"""What a courier that crashes is called among the healers that fail."""
POLL = 5.0
"""Seconds between two looks at what is due, while anything may become due."""
JOURNAL_PATIENCE = 2.0
"""Seconds a notice waits for its row to reach the disk; then it leaves without."""
GRACE = 5.0
"""Seconds beyond its own deadline after which a delivery counts as hanging."""
REPORT_PATIENCE = 60.0
"""Seconds that a report may take to be made."""
_QUIET_EVENTS = (ev.Observed, ev.Remembered, ev.StepTaken, ev.CycleStarted)


class Courier:
    """Looks after the outbox of one engine, in its loop."""

    def __init__(self, stream: Stream, clock: Clock, outlet: Outlet) -> None:
        self._stream = stream
        self._clock = clock
        self._outlet = outlet
        self._hands = {c.name: Hands(f"channel {c.name}") for c in outlet.notify.channels}
        self._tasks: dict[str, tuple[int, asyncio.Task[None]]] = {}
        self._clerk = Hands("report")
        self._writing: asyncio.Task[None] | None = None
        self._wake = asyncio.Event()

    def begin(self) -> None:
        """Make what the run before owes, before anything of it is forgotten."""
        self._look()

    def amend(self, outlet: Outlet) -> None:
        """Tell others from now on; what is being delivered arrives where it was sent."""
        self._outlet = outlet
        for channel in outlet.notify.channels:
            self._hands.setdefault(channel.name, Hands(f"channel {channel.name}"))
        self._wake.set()

    async def attend(self) -> None:
        """Make and deliver notices until cancelled."""
        self._stream.subscribe(self._heard)
        try:
            while True:
                self._wake.clear()
                self._look()
                await self._rest()
        finally:
            self._stream.unsubscribe(self._heard)

    async def once(self) -> None:
        """Make and deliver what is due now; what cannot leave stays in the outbox."""
        while True:
            self._look()
            running = self._running()
            if not running:
                return
            await asyncio.wait(running, return_when=asyncio.FIRST_COMPLETED)

    async def close(self, patience: float) -> None:
        """Let what is being delivered arrive; what does not is delivered by the next run."""
        running = self._running()
        if running:
            await asyncio.wait(running, timeout=patience)
        for task in running:
            task.cancel()
        await asyncio.gather(*running, return_exceptions=True)
        for hands in (*self._hands.values(), self._clerk):
            hands.close()

    def _running(self) -> list[asyncio.Task[None]]:
        running = [task for _, task in self._tasks.values()]
        return running if self._writing is None else [*running, self._writing]

    def _heard(self, record: ev.Recorded) -> None:
        if not isinstance(record.event, _QUIET_EVENTS):
            self._wake.set()

    async def _rest(self) -> None:
        """Wait until something happened, or something may have become due."""
        waits: list[asyncio.Task[Any]] = [asyncio.create_task(self._wake.wait())]
        if self._pending():
            waits.append(asyncio.create_task(self._clock.sleep(POLL)))
        try:
            await asyncio.wait(waits, return_when=asyncio.FIRST_COMPLETED)
        finally:
            for task in waits:
                task.cancel()
            await asyncio.gather(*waits, return_exceptions=True)

    def _pending(self) -> bool:
        s = self._stream.snapshot
        return bool(
            s.notices
            or self._outlet.notify.report_at
            or any(escalation.calls(alert) for alert in s.alerts.values())
            or any(alert.told for alert in s.ended.values())
            or any(view.ended_at for view in s.held.values())
        )

    def _look(self) -> None:
        try:
            self._decide()
            self._report()
            self._send()
        except Exception as error:  # noqa: BLE001 - healing goes on; an alert says why nothing is told
            self._failed(clean(f"crashed: {type(error).__name__}: {error}", limit=500))
        else:
            if NAME in self._stream.snapshot.failing:
                self._stream.emit(ev.HealerRecovered(NAME))

    def _failed(self, reason: str) -> None:
        if self._stream.snapshot.failing.get(NAME) != reason:
            self._stream.emit(ev.HealerFailed(NAME, reason))

    def _decide(self) -> None:
        self._stream.heed_clock()
        notify, stream, now = self._outlet.notify, self._stream, self._clock.read().wall
        flying = frozenset(number for number, _ in self._tasks.values())
        for event in decide(stream.snapshot, notify, now, flying):
            stream.emit(event, _cause(stream.snapshot, event))

    def _report(self) -> None:
        """Have the reports written that are due."""
        make, now = self._outlet.report, self._clock.read().wall
        due = reports_due(self._stream.snapshot, self._outlet.notify, now)
        if make is not None and due and self._writing is None:
            self._writing = asyncio.create_task(self._write(make, due))

    async def _write(
        self, make: Callable[[float], tuple[str, str]], due: Mapping[str, float]
    ) -> None:
        try:
            async with asyncio.timeout(REPORT_PATIENCE):
                title, body = await self._clerk.call(partial(make, max(due.values())))
        except Exception as error:  # noqa: BLE001 - who waits for a report is told that there is none
            title = f"{self._stream.snapshot.engine.host}: the report could not be made"
            body = clean(f"{type(error).__name__}: {error}\nTo do: healmon report", lines=True)
        for channel in due:
            self._stream.emit(ev.NoticeMade(channel, "report", title, body, level="INFO"))
        self._writing = None
        self._wake.set()

    def _send(self) -> None:
        notify, now = self._outlet.notify, self._clock.read().wall
        for notice in outbox.leaving(self._stream.snapshot, notify, now, self._tasks.keys()):
            channel = notify.channel(notice.channel)
            if channel is not None:
                task = asyncio.create_task(self._carry(notice, channel))
                self._tasks[channel.name] = (notice.id, task)

    async def _carry(self, notice: NoticeView, channel: Channel) -> None:
        try:
            # a notice that is not on disk could come back with another id after a kill
            await self._stream.journal.flush(JOURNAL_PATIENCE)
            reason = await self._delivered(notice, channel)
            if not reason:
                self._stream.emit(ev.NoticeSent(notice.id, channel.name), notice.id)
            else:
                retry_at = self._clock.read().wall + outbox.pause(notice.attempts + 1)
                failed = ev.NoticeFailed(
                    notice.id, channel.name, clean(reason, limit=300), round(retry_at, 3)
                )
                self._stream.emit(failed, notice.id)
        finally:
            self._tasks.pop(channel.name, None)
            self._wake.set()

    async def _delivered(self, notice: NoticeView, channel: Channel) -> str:
        """Return why a notice was not taken; empty: it was."""
        message = notices.message(self._stream.snapshot, notice, self._outlet.epoch)
        deliver = partial(self._outlet.messenger.deliver, channel, message)
        try:
            async with asyncio.timeout(channel.timeout + GRACE):
                await self._hands[channel.name].call(deliver)
        except TimeoutError:
            return f"no answer within {channel.timeout:g} s, and it hangs"
        except (DeliveryError, ProbeError) as error:
            return str(error)
        except Exception as error:  # noqa: BLE001 - its text may hold the URL; its name does not
            return f"crashed: {type(error).__name__}"
        return ""


def _cause(snapshot: Snapshot, event: ev.Event) -> int | None:
    """Return what a notice is told for: the first of its alerts; so `explain` tells who knows."""
    if isinstance(event, ev.NoticeDropped):
        return event.notice
    known = {**snapshot.ended, **snapshot.alerts}
    keys = event.keys if isinstance(event, ev.NoticeMade) else ()
    return next((known[key].id for key in keys if key in known), None)
