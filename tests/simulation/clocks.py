"""One life under clocks that are set, by seed: told in lived seconds, it is the same without.

A host lives with faults, people who pause, silence and acknowledge, a channel that fails, and a
healmon that is restarted. Whoever turns the wall clock (while it runs, while it is down, before a
boot) may change nothing of that. Only over a boot, where the wall clock alone tells how long the
host was off, may what holds last longer: by that time at most, and never shorter.
"""

from __future__ import annotations

import asyncio
import random
from collections.abc import Sequence

import msgspec
from msgspec.structs import replace

from healmon import events as ev
from healmon.alerts import outbox
from healmon.alerts.telling import decide
from healmon.clock import BELIEVED, ManualClock, Reading
from healmon.config.settings import Alerts, Channel, Notify, Rate, Rung
from healmon.engine import Engine, Run
from healmon.errors import RemedyError
from healmon.events import Recorded
from healmon.healer import Hand
from healmon.plans import Plan, Proof
from healmon.state import Snapshot
from healmon.state.stepping import resumed
from tests.helpers.made_up import MemoryJournal, ScriptedHealer

YEAR = 365.25 * 86400.0
COOLDOWN = 333.0
EPOCH = 1_700_000_000.0
NAMES = ("a", "b", "c")
STEPS = (YEAR, -YEAR, 86400.0, -86400.0, 3600.0, -3600.0, 40.5, -40.5, 1801.0, -1801.0, 30 * YEAR)
NOTIFY = Notify(
    repeat_every=1234.0,
    channels=(Channel(name="mail", url="x", severity="WARNING", rate=Rate(6, 3600.0)),),
    steps=(Rung(after=301.0, channels=("mail",)),),
)  # fmt: skip
TOLD = (
    ev.MaintenanceStarted, ev.MaintenanceEnded, ev.SilenceStarted, ev.SilenceEnded,
    ev.AlertPended, ev.AlertDropped, ev.AlertOpened, ev.AlertReopened, ev.AlertResolved,
    ev.AlertArchived, ev.AlertStale, ev.AlertUnacknowledged, ev.AlertAcknowledged,
    ev.AlertOverlaid, ev.ActionStarted, ev.ActionVerified, ev.ActionFailed, ev.PlanRefused,
    ev.NoticeMade, ev.NoticeSent, ev.NoticeFailed, ev.NoticeDropped,
)  # fmt: skip
"""What the story is made of; what a screen shows of it may name another time of day."""


class HostClock(ManualClock):
    """The clocks of one boot.

    Args:
        wall: what the wall clock shows at its begin.
        offset: of the steady timeline (`SystemClock.offset`).
    """

    def __init__(self, wall: float, offset: float) -> None:
        super().__init__(autojump=False)
        self._reading = Reading(wall, offset, 0.0)

    def went_on(self, by: float) -> None:
        """Go on with another steady timeline."""
        now = self._reading
        self._reading = now._replace(steady=now.steady + by)


class Mender(ScriptedHealer):
    """Heals its one component, or fails at it, as the script wants."""

    fails = False

    def plan(self) -> Plan:
        return replace(super().plan(), cooldown=COOLDOWN, tier=1)

    async def carry_out(self, plan: Plan, hand: Hand) -> Proof:
        await hand.about_to("mend it")
        if self.fails:
            raise RemedyError("it broke off")
        self.broken = False
        return Proof("it is whole")


class Held:
    """Something that was asked to last, in lived seconds."""

    def __init__(self, kind: str, subject: str, begun: float, seconds: float) -> None:
        self.kind, self.subject = kind, subject
        self.begun, self.due = begun, begun + seconds
        self.off = 0.0
        self.over: float | None = None


class Life:
    """A host that lives for some ticks.

    Args:
        seed: of what happens; never of the clocks.
        turns: of how the wall clock is set; empty: it never is.
        boots: whether the host is booted again now and then.
    """

    def __init__(self, seed: str, turns: str = "", *, boots: bool = False) -> None:
        self.random = random.Random(seed)
        self.turning = random.Random(turns)
        self.turns, self.boots = bool(turns), boots
        self.lived, self.boot = 0.0, 0
        self.clock = HostClock(EPOCH, EPOCH)
        self.offset = EPOCH
        self.mono = 0.0
        self.journal = MemoryJournal()
        self.healers = [Mender(name) for name in NAMES]
        self.mail_fails = False
        self.story: list[tuple[float, str, str]] = []
        self.holds: list[Held] = []
        self.acted: dict[str, tuple[float, bool]] = {}
        self.engine: Engine

    # Time.

    def pass_time(self, seconds: float) -> None:
        self.clock.advance(seconds)
        self.lived += seconds

    def turn(self, chance: float) -> None:
        """Perhaps set the wall clock; never for good so far that no calendar has it."""
        if self.turns and self.turning.random() < chance:
            by = self.turning.choice(STEPS) + round(self.turning.uniform(-5, 5), 3)
            if 0 < self.clock.read().wall + by < 100 * YEAR:
                self.clock.step(by)

    def boot_again(self, off: float) -> None:
        """Be off for a while; what the battery tells then may be anything."""
        self.boot += 1
        self.lived += off
        for hold in self.holds:
            hold.off += off if hold.over is None else 0.0
        wall = self.clock.read().wall + off
        if self.turns and self.turning.random() < 0.7:
            # what may be a host that was off for a moment is believed
            away = off + self.turning.choice([s for s in STEPS if abs(s) > BELIEVED])
            wall = max(wall - off + away, 1.0)
        self.clock = HostClock(wall, wall)
        self.offset = wall

    # healmon.

    async def begin(self) -> None:
        last = msgspec.json.decode(msgspec.json.encode(self.journal.snapshot), type=Snapshot)
        self.journal.snapshot = last
        boot = f"boot {self.boot}"
        offset, steps = resumed(last, self.clock.read(), boot, self.offset)
        self.clock.went_on(offset - self.offset)
        self.offset, self.clock.steps = offset, steps
        fresh = [Mender(h.name, broken=h.broken) for h in self.healers]
        for healer, before in zip(fresh, self.healers, strict=True):
            healer.fails = before.fails
        self.healers = fresh
        run = Run(host="box", interval=60.0, steady_offset=offset, alerts=Alerts())
        self.engine = Engine(fresh, self.journal, self.clock, run)
        self.engine.subscribe(self.hear)
        await self.engine._open()

    async def end(self) -> None:
        await self.engine._close()

    def hear(self, record: Recorded) -> None:
        event = record.event
        if isinstance(event, TOLD):
            about = getattr(event, "key", "") or getattr(event, "component", "")
            about = about or ",".join(getattr(event, "keys", ())) or getattr(event, "reason", "")
            topic = getattr(event, "topic", "")
            self.story.append((round(self.lived, 3), type(event).__name__, f"{topic}{about}"))
        if isinstance(event, ev.ActionStarted):
            self.acts(event.component)
        elif isinstance(event, ev.ActionFailed | ev.ActionVerified):
            ok = isinstance(event, ev.ActionVerified)
            self.acted[event.component] = (self.lived, ok)
        elif isinstance(event, ev.MaintenanceEnded):
            self.ended("pause", event.component, event.reason)
        elif isinstance(event, ev.SilenceEnded):
            self.ended("silence", str(event.silence), event.reason)
        elif isinstance(event, ev.AlertUnacknowledged | ev.AlertResolved | ev.AlertDropped):
            self.ended("ack", event.key, event.reason)

    def acts(self, component: str) -> None:
        for hold in self.holds:
            if hold.kind == "pause" and hold.over is None:
                assert hold.subject != component or self.lived >= hold.due, f"acts on {component}"
        at, ok = self.acted.get(component, (0.0, True))
        assert ok or self.lived - at >= COOLDOWN - 0.01, f"no cool-down for {component}"

    def ended(self, kind: str, subject: str, reason: str) -> None:
        for hold in self.holds:
            if (hold.kind, hold.subject) == (kind, subject) and hold.over is None:
                hold.over = self.lived
                by_time = "time is over" in reason or "ran out" in reason
                assert not by_time or self.lived >= hold.due - 0.01, f"{kind} {subject} too early"

    # What happens.

    async def ask(self, verb: str, target: str, seconds: float) -> None:
        answer = await self.engine.ask(verb, target, {"for": seconds}, origin="a person")
        if not answer.ok:
            return
        subject = target
        if verb == "silence":
            subject = str(max(map(int, self.engine.snapshot.silences)))
        kind = {"pause": "pause", "silence": "silence", "acknowledge": "ack"}[verb]
        for hold in self.holds:
            if (hold.kind, hold.subject) == (kind, subject) and hold.over is None:
                hold.over = self.lived
        self.holds.append(Held(kind, subject, self.lived, seconds))

    async def people(self) -> None:
        what = self.random.random()
        seconds = self.random.choice([200.0, 900.0, 5000.0]) + self.random.random()
        name = self.random.choice(NAMES)
        if what < 0.05:
            await self.ask("pause", f"{name}:one", seconds)
        elif what < 0.08:
            await self.ask("silence", f"component={name}:one", seconds)
        elif what < 0.13:
            for key in [k for k, a in self.engine.snapshot.alerts.items() if a.opened_at][:1]:
                await self.ask("acknowledge", key, seconds)

    def faults(self) -> None:
        for healer in self.healers:
            if self.random.random() < 0.08:
                healer.broken = not healer.broken
            healer.fails = self.random.random() < 0.6
        self.mail_fails = self.random.random() < (0.8 if self.mail_fails else 0.1)

    async def tick(self) -> None:
        self.faults()
        self.turn(0.15)
        await self.engine.cycle()
        while tasks := self.engine._acts.in_flight:
            await asyncio.wait(tasks)
        await self.people()
        self.turn(0.05)
        self.post()
        self.check()

    def post(self) -> None:
        """Tell what is due, as the courier does."""
        stream = self.engine.stream
        stream.heed_clock()
        now = self.clock.read().wall
        for event in decide(stream.snapshot, NOTIFY, now):
            stream.emit(event)
        for notice in outbox.leaving(stream.snapshot, NOTIFY, now):
            again = round(now + outbox.pause(notice.attempts + 1), 3)
            failed = ev.NoticeFailed(notice.id, notice.channel, "it is down", again)
            stream.emit(failed if self.mail_fails else ev.NoticeSent(notice.id, notice.channel))

    def check(self) -> None:
        snapshot = self.engine.snapshot
        for hold in self.holds:
            late = self.lived - hold.due - hold.off
            assert hold.over is not None or late < 1000.0, f"{hold.kind} {hold.subject} lives on"
            there = {
                "pause": hold.subject in snapshot.maintenance,
                "silence": hold.subject in snapshot.silences,
            }.get(hold.kind, True)
            assert there or hold.over is not None, f"{hold.kind} {hold.subject} is lost"
        ids = [record.id for record in self.journal.records]
        assert ids == list(range(1, len(ids) + 1)), "ids are out of order"

    async def live(self, ticks: int) -> None:
        await self.begin()
        for _ in range(ticks):
            self.pass_time(round(self.random.uniform(20.0, 70.0), 3) + 0.0005)
            what, long = self.random.random(), round(self.random.uniform(1.0, 900.0), 3)
            if what < 0.03:
                self.clock.suspend(long)  # nothing is lived meanwhile but by the wall clock
                self.lived += long
            elif what < 0.08:
                await self.end()
                if self.boots and what < 0.055:
                    self.boot_again(long)
                else:
                    self.turn(0.5)
                    self.pass_time(long)
                    self.turn(0.5)
                await self.begin()
            await self.tick()
        await self.end()


def lived(seed: str, turns: str = "", *, ticks: int = 150, boots: bool = False) -> Life:
    """Return a life that was lived to its end.

    Raises:
        AssertionError: a promise was broken; says how to live it again.
    """
    life = Life(seed, turns, boots=boots)
    try:
        asyncio.run(life.live(ticks))
    except AssertionError as error:
        raise AssertionError(
            f"{error}; again: clocks.lived({seed!r}, {turns!r}, {boots=})"
        ) from error
    return life


def parted(one: Sequence[tuple[float, str, str]], other: Sequence[tuple[float, str, str]]) -> str:
    """Return where two stories part, in words; empty: they are the same."""
    for place, (here, there) in enumerate(zip(one, other, strict=False)):
        if here[1:] != there[1:] or abs(here[0] - there[0]) > 0.01:
            return f"at {place}: {here} but {there}"
    return "" if len(one) == len(other) else f"{len(one)} and {len(other)} events"
