"""Lives of a host that tells people: whatever may come between two steps of an alert's life comes.

A whole engine with its courier, people who answer, silence and pause, channels that are down, slow
or never answer, reloads, kills, clocks that are set. What must hold is seen to in `told`. Then all
faults cease: who has not been told of what is broken is told, once, and of its end.
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from unittest import mock

from healmon import alerts
from healmon import events as ev
from healmon.alerts import outbox
from healmon.alerts.telling import decide
from healmon.clock import boot_id
from healmon.engine import Engine, Run
from healmon.engine.changing import Amendment
from healmon.engine.courier import Courier
from healmon.engine.run import Outlet
from healmon.plans import Answer
from healmon.state import apply
from tests.simulation.living import ALL, lived_by, seeds_of
from tests.simulation.told import THINGS, Things, Told, slow_hands
from tests.simulation.virtual import EPOCH, KilledError, Lease, VirtualLoop

HOUR, DAY = 3600.0, 86400.0
EACH = 60


class Life(Told):
    """A host that lives for some time under healmon."""

    MEANS = (0.01, 0.05, 1.0, 10.0, 60.0, 300.0)
    LONGEST = 60.0

    async def happen(self) -> None:
        """Let something happen."""
        deeds: dict[str, tuple[float, Callable[[], object]]] = {
            "break": (16, self.break_one),
            "mend": (8, self.mend_one),
            "blind": (2, lambda: setattr(self, "blind", not self.blind)),
            "ask": (16, self.ask),
            "channel": (8, self.a_channel),
            "self": (3, self.itself),
            "reload": (3, self.reload),
            "end": (2, self.end_and_begin),
            "killed": (4, self.kill),
            "killed soon": (4, lambda: setattr(self, "dies_in", self.random.randint(1, 3))),
            "full store": (0.5, self.full_store),
            "clock": (1, lambda: self.clock.step(self.random.choice([HOUR, -HOUR, 2 * DAY, -DAY]))),
            "suspend": (1, lambda: self.clock.suspend(self.random.uniform(1, 5000))),
        }
        self.tell(f"broken {self.broken} down {self.down} late {self.late}")
        await self.one_of(deeds)

    def break_one(self) -> None:
        name = self.random.choice(THINGS)
        self.broken[name] = self.random.choice(["WARNING", "CRITICAL", "CRITICAL"])
        self.changed[name] = self.now
        self.wake()

    def mend_one(self) -> None:
        if self.broken:
            name = self.random.choice(sorted(self.broken))
            del self.broken[name]
            self.changed[name] = self.now
            self.wake()

    def a_channel(self) -> None:
        name = self.random.choice(["ops", "pager"])
        what = self.random.choice(["down", "up", "late", "late", "quick"])
        if what == "down":
            self.down.add(name)
        elif what == "up":
            self.down.discard(name)
        else:
            self.late[name] = self.random.choice([1.0, 8.0, 60.0]) if what == "late" else 0.0

    def itself(self) -> None:
        what = self.random.choice(["misread", "side", "well", "store", "stored"])
        if what == "misread":
            self.engine.misread(["something is wrong"], "olga")
        elif what == "store":
            self.engine.store_fault("database or disk is full")
        elif what == "stored":
            self.engine.store_recovered(0)
        else:
            self.engine.side_fault("web", "it does not run" if what == "side" else "")

    def full_store(self) -> None:
        self.journal.full = not self.journal.full
        self.unkept = True

    def ask(self) -> None:
        """Let a person ask for something, and go on meanwhile."""
        snapshot, pick = self.engine.snapshot, self.random.choice
        verb = pick(["acknowledge"] * 3 + ["unacknowledge", "silence", "silence", "unsilence",
                    "pause", "resume", "check"])  # fmt: skip
        target, arguments = pick([*THINGS, *THINGS, "*"]), {}
        if verb in ("acknowledge", "unacknowledge"):
            target = pick(sorted(snapshot.alerts) or ["none"])
            arguments = {"for": pick([30.0, 600.0])} if pick([True, False]) else {}
        elif verb == "silence":
            target = pick([*THINGS, "healmon", "*"])
            arguments = {"for": pick([60.0, 600.0])}
        elif verb == "unsilence":
            target = pick(sorted(snapshot.silences) or ["0"])
        elif verb == "pause":
            arguments = {"for": pick([60.0, 600.0])}
        elif verb == "resume":
            target = pick(sorted(snapshot.maintenance) or ["a"])
        self.asking.add(task := asyncio.create_task(self._ask(verb, target, arguments)))
        task.add_done_callback(self.asking.discard)

    async def _ask(self, verb: str, target: str, arguments: dict[str, object]) -> Answer:
        self.tell(f"asks: {verb} {target} {arguments}")
        if verb in ("pause", "resume"):
            self.off.pop(target, None)
        if verb == "unsilence":
            self.hushed.pop(target, None)
        asked = self.boot
        answer = await self.engine.ask(verb, target, arguments, origin="olga")
        self.tell(f"answer to {verb} {target}: {answer.ok} {answer.text}")
        self.must("crashed" not in answer.text, answer.text)
        if answer.ok:
            self._answered(verb, target, asked + float(arguments.get("for") or 0.0))  # type: ignore[arg-type]
        return answer

    def _answered(self, verb: str, target: str, until: float) -> None:
        if verb == "acknowledge":
            alert = self.engine.snapshot.alerts[target]
            lasts = (alert.until or 0.0) - self.clock.read().wall
            self.known[target] = self.boot + lasts
        elif verb == "silence":
            number = max(self.engine.snapshot.silences, key=int)
            self.hushed[number] = (target, until)
        elif verb == "pause":
            self.off[target] = until

    def begin(self) -> None:
        """Let another run of healmon begin; what a kill kept from the disk is not known to it."""
        self.lease = self.pace.lease = self.journal.lease = Lease()
        self.killed.clear()
        self.dies_in = 0
        known = self.journal.snapshot
        self.open = {k: a.severity for k, a in known.alerts.items() if not a.pending}
        self.pending = {k for k, a in known.alerts.items() if a.pending}
        for key, alert in known.alerts.items():
            if alert.acknowledged_at is None:
                self.known.pop(key, None)
        for notices in self.arrived.values():  # nobody heard of it: they leave again
            self.excused |= {m.id for _, m in notices if str(m.notice) in known.notices}
        if self.journal.lost:
            for key in {*known.alerts, *known.ended}:
                self.period[key] += 1  # what had begun it, or told it, may be lost
        run = Run(host="box", steady_offset=EPOCH, alerts=self.alerts, outlet=self.outlet())
        self.engine = Engine([Things(self)], self.journal, self.clock, run)  # type: ignore[list-item]
        self.running = asyncio.create_task(self._run())

    async def _run(self) -> None:
        with mock.patch("healmon.engine.courier.Hands", slow_hands(self)):
            await self.engine.run()

    def outlet(self) -> Outlet:
        return Outlet(messenger=self, notify=self.notify, epoch="e")

    async def reload(self) -> None:
        """Have another configuration in force."""
        self.alerts, self.notify = self.some_alerts(), self.some_notify()
        for key in list(self.period):
            self.period[key] += 1  # others are told, and at other times
        await self.amend()

    async def amend(self) -> None:
        amendment = Amendment(
            told=None, interval=60.0, alerts=self.alerts, outlet=self.outlet(), healers={}
        )
        await self.engine.amend(amendment, 1.0)

    async def left(self) -> None:
        """Let nothing of this run go on."""
        self.lease.killed = True
        await super().left()

    # How it goes on.

    async def calm(self) -> None:
        """Let all faults cease; see that everybody is told of what is broken, and of its end."""
        self.dies_in, self.journal.full, self.blind = 0, False, False
        self.down.clear()
        self.late.clear()
        await self._pass(100.0)
        while self.asking:
            await asyncio.wait(self.asking)
        self.engine.side_fault("web", "")
        self.engine.store_recovered(0)
        await self.amend()
        for verb, targets in (("unsilence", self.engine.snapshot.silences),
                              ("resume", self.engine.snapshot.maintenance)):  # fmt: skip
            for target in list(targets):
                await self._ask(verb, target, {})
        self.broken.setdefault("c", "CRITICAL")
        with mock.patch("healmon.engine.courier.POLL", 30.0):
            await self._all_hear()

    async def _all_hear(self) -> None:
        await self._pass(1.2 * HOUR)
        self.check()
        self.all_are_told()
        was = dict(self.engine.snapshot.alerts)
        for name in list(self.broken):
            self.broken.pop(name)
            self.changed[name] = self.now
        await self._pass(1.2 * HOUR)
        self.check()
        assert not self.engine.snapshot.alerts, self.engine.snapshot.alerts
        self.all_are_told_of_the_end(set(was))
        await self.to_the_end()
        self._nothing_left()

    def all_are_told(self) -> None:
        """See that there is one alert for each broken thing, and that whoever is to know does."""
        snapshot = self.engine.snapshot
        there = {k.split("/")[2] for k in snapshot.alerts if k.endswith("/down")}
        assert there == set(self.broken), f"{there}, and broken are {self.broken}"
        for key, alert in snapshot.alerts.items():
            steps = {name for rung in self.notify.steps for name in rung.channels}
            for channel in self.notify.channels:
                grave = alert.severity == "CRITICAL" or channel.severity == "WARNING"
                calls = alert.acknowledged_at is None and not alert.overlays.muted
                if grave and channel.name in steps and calls:
                    heard = any(
                        packed["key"] == key and packed["id"] == alert.id
                        for _, message in self.arrived[channel.name]
                        for packed in message.alerts
                    )
                    assert heard, f"{channel.name} never heard of {key}"

    def all_are_told_of_the_end(self, keys: set[str]) -> None:
        for channel in self.notify.channels:
            last: dict[str, str] = {}
            for _, message in self.arrived[channel.name]:
                last |= {str(packed["key"]): message.topic for packed in message.alerts}
                last |= dict.fromkeys(self.keys.get(message.notice, ()), message.topic)
            for key in keys & last.keys() if not self.unkept else ():
                assert last[key] in ("recovered", "summary"), f"{key}: {channel.name}: {last[key]}"

    def _nothing_left(self) -> None:
        assert not self.engine.snapshot.notices, self.engine.snapshot.notices
        made = {r.id for r in self.journal.records if isinstance(r.event, ev.NoticeMade)}
        over: set[int] = set()
        for record in self.journal.records:
            event = record.event
            if isinstance(event, ev.NoticeSent | ev.NoticeDropped):
                over.add(event.notice)
            elif isinstance(event, ev.NoticeMade):
                over |= set(event.replaces)
        assert made <= over, f"notices without an end: {made - over}"


class Compared:
    """What a courier of another run, that knows only what is on disk, would tell."""

    def __init__(self) -> None:
        self.asked = self.looks = 0
        self.wrong: list[str] = []


@contextmanager
def compared(lives: list[Life]) -> Iterator[Compared]:
    """Have what is told compared with what a healmon would tell that begins from the store."""
    real, both = Courier._decide, Compared()

    def _decide(courier: Courier) -> None:
        life, stream = lives[-1], courier._stream
        both.asked += 1
        if both.asked % 4:
            real(courier)
            return
        stream.heed_clock()
        if not courier._tasks and not life.journal.full and life.lease.alive and _open(life):
            life.journal.keep(ALL)  # as the store does every now and then
            known, stored = stream.snapshot, life.journal.snapshot
            now, notify = life.clock.read().wall, courier._outlet.notify
            begun = ev.EngineStarted("box", "1", 1, "", False, 60.0, boot_id(), EPOCH,
                                     lead=known.engine.lead, slept=known.engine.slept)  # fmt: skip
            anew = apply(stored, ev.Recorded(stored.last_id + 1, known.at, begun))
            both.looks += 1
            for what, of in (
                ("decides", lambda s: decide(s, notify, now)),
                ("sends", lambda s: outbox.leaving(s, notify, now)),
                ("lays over", lambda s: alerts.overlay(s, life.alerts, now)),
            ):
                said, other = of(known), of(anew)
                if said != other:
                    both.wrong.append(f"{life.now:.1f} {what}: {said}\nanew: {other}")
        real(courier)

    with mock.patch.object(Courier, "_decide", _decide):
        yield both


def _open(life: Life) -> bool:
    return hasattr(life, "engine") and life.engine.snapshot.last_id == (
        life.journal._pending[-1].id if life.journal._pending else life.journal.last_id
    )


def lived(seed: str, deeds: int) -> None:
    """Live one life to its end.

    Raises:
        AssertionError: a promise was broken; it says by which seed, and what came before.
    """
    lives: list[Life] = []

    def make(loop: VirtualLoop) -> Life:
        lives.append(Life(seed, loop))
        return lives[-1]

    async def all_of_it(life: Life) -> None:
        await life.live(deeds)
        await life.calm()

    try:
        with compared(lives) as both:
            lived_by(make, all_of_it)
        assert not both.wrong, both.wrong[0]
        assert both.looks, "nothing was compared"
    except (AssertionError, KilledError) as error:
        raise AssertionError(f"{error}\n\nreplay: make midway WHAT=notices SEED={seed}") from error


def simulate(seed: str, lives: int, deeds: int = EACH) -> int:
    """Live so many lives; return how many that were."""
    seeds = seeds_of(seed, lives)
    for one in seeds:
        lived(one, deeds)
    return len(seeds)
