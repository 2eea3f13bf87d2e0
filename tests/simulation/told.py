"""A host with things that break, and people far away: who was told what, and what must be true.

Whether a thing is broken, a silence lasts or somebody has answered is known here by what happened,
and by what was answered; nothing of that is asked of healmon's own state.
"""

from __future__ import annotations

import asyncio
from collections import defaultdict
from collections.abc import Callable
from typing import Any, TypeVar

from healmon import events as ev
from healmon.clock import Reading
from healmon.config.settings import Alerts, Channel, Notify, Rate, Rung
from healmon.errors import DeliveryError, ProbeError
from healmon.healer import Hand, Instead
from healmon.plans import RANK, Diagnosis, Finding, Plan, Proof, Severity, Verdict
from healmon.state import Snapshot
from healmon.world.notifying import Message
from tests.simulation.journal import CutOffJournal
from tests.simulation.living import Living
from tests.simulation.virtual import KilledError, VirtualLoop

T = TypeVar("T")
THINGS = ("a", "b", "c", "d")
CHANNELS = ("ops", "pager")
SOON = 50.0
"""Seconds within which nothing is told again to anybody by any rule here."""
CALLS = {"opened", "reminder"}


class Things:
    """A healer that sees what is broken, and mends nothing.

    Attributes:
        broken: how bad it is, by thing; `blind`: nobody can look.
    """

    name, title, deadline, lasting = "things", "things", 30.0, False

    def __init__(self, life: Told) -> None:
        self.life = life

    def start(self, wake: Callable[[], None]) -> None:
        self.life.wake = wake

    async def look(self) -> dict[str, Severity]:
        await asyncio.sleep(self.life.pace.pause())
        seen = dict(self.life.broken)
        if self.life.blind:
            raise ProbeError("nothing can be seen")
        await asyncio.sleep(self.life.pace.pause())
        return seen

    def diagnose(self, seen: dict[str, Severity], known: Snapshot, now: Reading) -> Diagnosis:
        verdicts = []
        for name in THINGS:
            level = seen.get(name)
            urgent = name == "a"
            found = (Finding("down", level, f"{name} is down", urgent=urgent),) if level else ()
            status = "unhealthy" if level else "healthy"
            verdicts.append(Verdict(name, status, f"{name}: {status}", "t", "", {}, found))
        return Diagnosis(tuple(verdicts))

    def offer(self, verb: str, component: str, known: Snapshot, now: Reading) -> Plan:
        raise NotImplementedError

    async def carry_out(self, plan: Plan, hand: Hand) -> Proof:
        raise NotImplementedError

    async def pause(self, component: str) -> None:
        pass

    def give_way(self, component: str, reason: str, instead: Instead) -> bool:
        return False

    def report(self, known: Snapshot) -> list[str]:
        return []

    async def close(self) -> None:
        pass


def slow_hands(life: Told) -> type:
    """Return hands whose deliveries take time, before and after; nothing stops one."""

    class SlowHands:
        def __init__(self, name: str) -> None:
            self.name, self.lease = name, life.lease
            self._doing: asyncio.Future[Any] | None = None

        async def call(self, call: Callable[[], T]) -> T:
            if self._doing is not None and not self._doing.done():
                raise ProbeError(f"{self.name}: an earlier call has been hanging")
            self._doing = asyncio.ensure_future(self._made(call))
            return await asyncio.shield(self._doing)

        async def _made(self, call: Callable[[], T]) -> T:
            channel = self.name.removeprefix("channel ")
            await asyncio.sleep(life.lag(channel))
            if not self.lease.alive:
                raise KilledError
            made = call()
            await asyncio.sleep(life.lag(channel))
            return made

        def close(self) -> None:
            pass

    return SlowHands


class Told(Living):
    """Things, people, channels, and all that was told.

    Attributes:
        down: channels that take nothing.
        late: seconds that a channel may take to take something, and again to say so.
        known: until when (boot seconds) somebody has answered an alert, by key.
        hushed: silences that were answered: what they cover, until when; by number.
        off: pauses that were answered, likewise; by what they cover.
        excused: notices that may arrive again: a kill came before it was on record that they had.
        given_up: those that were not waited for.
        period: how often an alert has begun to call for somebody, by key; `made`: by notice, which
            of them it was made in.
        first: the name under which an alert was told first, by channel, key and period.
        arrived: what came to a channel: moment, period of each alert, message.
    """

    def __init__(self, seed: str, loop: VirtualLoop) -> None:
        super().__init__(seed, loop)
        self.journal = CutOffJournal(self.hear)
        self.broken: dict[str, Severity] = {}
        self.blind = False
        self.down: set[str] = set()
        self.late: dict[str, float] = {}
        self.known: dict[str, float] = {}
        self.hushed: dict[str, tuple[str, float]] = {}
        self.open: dict[str, Severity] = {}
        self.pending: set[str] = set()
        self.period: dict[str, int] = defaultdict(int)
        self.made: dict[int, dict[str, int]] = {}
        self.made_at: dict[int, float] = {}
        self.keys: dict[int, tuple[str, ...]] = {}
        self.changed: dict[str, float] = {}
        self.arrived: dict[str, list[tuple[float, Message]]] = defaultdict(list)
        self.first: dict[tuple[str, str, int], tuple[str, float]] = {}
        self.excused: set[str] = set()
        self.given_up: set[int] = set()
        self.wake: Callable[[], None] = lambda: None
        self.alerts = self.some_alerts()
        self.notify = self.some_notify()

    def some_alerts(self) -> Alerts:
        pick = self.random.choice
        return Alerts(
            confirm_checks=pick([1, 2, 3]), confirm_for=pick([0.0, 30.0]),
            clear_checks=pick([1, 2]), reopen_within=pick([0.0, 1800.0]),
            stale_checks=pick([1, 3]), flapping=pick([True, False]),
            acknowledge_for=pick([60.0, 4 * 3600.0]),
        )  # fmt: skip

    def some_notify(self) -> Notify:
        pick = self.random.choice
        made = tuple(
            Channel(name=name, url="json://x", severity=pick(["WARNING", "CRITICAL"]),
                    rate=pick([Rate(10, 600.0), Rate(60, 60.0), Rate(1, 60.0)]), timeout=10.0)
            for name in pick([CHANNELS, CHANNELS, CHANNELS[:1]])
        )  # fmt: skip
        names = tuple(channel.name for channel in made)
        rungs = (Rung(after=pick([0.0, 0.0, 60.0]), channels=names[:1]),
                 Rung(after=pick([60.0, 900.0]), channels=names))  # fmt: skip
        return Notify(channels=made, steps=rungs, repeat_every=pick([0.0, 600.0, 1800.0]),
                      group_within=pick([0.0, 30.0]))  # fmt: skip

    def lag(self, channel: str) -> float:
        slow = self.late.get(channel, 0.0)
        return self.random.uniform(0, slow) if slow else self.pace.pause()

    # A channel

    def deliver(self, channel: Channel, message: Message) -> None:
        name = channel.name
        if not self.lease.alive:
            raise KilledError
        if name in self.down:
            raise DeliveryError("it is down")
        self.tell(f"   to {name}: {message.id} {message.topic} {message.title}")
        before = [m for _, m in self.arrived[name] if m.id == message.id]
        fine = not before or message.id in self.excused or message.notice in self.given_up
        self.must(fine, f"told twice: {message.id} {message.title}")
        if message.topic == "opened":
            for packed in message.alerts:
                self._opened(name, message, str(packed["key"]))
        self.arrived[name].append((self.now, message))
        self._perhaps_killed()

    def _opened(self, channel: str, message: Message, key: str) -> None:
        place = channel, key, self.made.get(message.notice, {}).get(key, -1)
        made = self.made_at.get(message.notice, 0.0)
        known, at = self.first.setdefault(place, (message.id, made))
        # later on it is time for another step, or for a reminder, in which it comes along
        fine = known == message.id or self.unkept or made - at > SOON
        self.must(fine, f"{key} told to {channel} under two names: {known}, {message.id}")

    def _perhaps_killed(self) -> None:
        if self.dies_in:
            self.dies_in -= 1
            if not self.dies_in:
                self.lease.alive, self.lease.killed = False, True
                self.killed.set()
                self.loop.call_soon(self.cut_off)
                raise KilledError

    def cut_off(self) -> None:
        """Let nothing of a healmon that was killed run any further."""
        for task in asyncio.all_tasks(self.loop) - self.mine:
            task.cancel()

    # What is told

    def hear(self, event: ev.Event) -> None:
        """See to an event when it is told."""
        if not isinstance(event, ev.Observed | ev.Remembered | ev.CycleStarted | ev.CycleFinished):
            self.tell(repr(event))
        match event:
            case ev.AlertPended():
                self.must(event.key not in self.open, f"pends though open: {event.key}")
                self.pending.add(event.key)
            case ev.AlertDropped():
                self.must(event.key in self.pending, f"dropped: {event.key}")
                self.pending.discard(event.key)
            case ev.AlertOpened() | ev.AlertReopened():
                self.must(event.key not in self.open, f"opened twice: {event.key}")
                self.pending.discard(event.key)
                self.open[event.key] = event.level
                self.known.pop(event.key, None)
                self.period[event.key] += 1
            case ev.AlertUpdated() if event.key in self.open:
                if RANK[event.level] > RANK[self.open[event.key]]:
                    self.open[event.key] = event.level
                    self.known.pop(event.key, None)
                    self.period[event.key] += 1
            case ev.AlertResolved():
                self.must(event.key in self.open, f"resolved, and was not open: {event.key}")
                self.open.pop(event.key, None)
                self.known.pop(event.key, None)
                self._really_over(event)
            case ev.AlertUnacknowledged():
                self.known.pop(event.key, None)
                self.period[event.key] += 1
            case ev.AlertAcknowledged():
                if event.key in self.pending:
                    self.pending.discard(event.key)
                    self.open[event.key] = "WARNING"
            case ev.AlertOverlaid() if not event.overlays.muted:
                self.period[event.key] += 1
            case ev.NoticeMade() if event.topic not in CALLS:
                self.keys[self.engine.snapshot.last_id] = event.keys
            case ev.NoticeMade():
                number = self.engine.snapshot.last_id
                self.made_at[number] = self.boot
                self.made[number] = {key: self.period[key] for key in event.keys}
                for key in event.keys:
                    self._may_call(key, event)
            case ev.NoticeFailed() if "hangs" in event.reason or "hanging" in event.reason:
                self.given_up.add(event.notice)  # it may have been taken, or be taken yet
            case ev.CycleFinished() if not self.journal.full:
                self.journal.keep(1_000_000)  # as the store does at the latest
            case ev.HealerFailed():
                self.must("crashed" not in event.reason, f"crashed: {event.reason}")
            case _:
                pass

    def _really_over(self, event: ev.AlertResolved) -> None:
        name = event.key.split("/")[2]
        since = self.changed.get(name, 0.0)
        fine = name not in self.broken or self.now - since < 5.0
        self.must(fine or not event.key.endswith("/down"), f"not over: {event}")

    def _may_call(self, key: str, event: ev.NoticeMade) -> None:
        """See that nobody is called who said not to be, and for nothing that is over."""
        name = key.split("/")[2]
        self.must(key in self.open, f"called for what is not open: {event}")
        self.must(self.known.get(key, 0.0) <= self.boot, f"called though answered: {event}")
        for number, (what, until) in self.hushed.items():
            here = number in self.engine.snapshot.silences and self.boot < until
            self.must(not (here and what in ("*", name)), f"called though silenced: {event}")
        for what, until in self.off.items():
            here = what in self.engine.snapshot.maintenance and self.boot < until
            mine = what in ("*", name) and name != "healmon"
            self.must(not (here and mine), f"called in maintenance: {event}")

    def check(self) -> None:
        """See to what must hold at any moment."""
        super().check()
