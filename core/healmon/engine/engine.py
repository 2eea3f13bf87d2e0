"""The engine: cycles, the healers' rooms side by side, and an orderly end."""

from __future__ import annotations

import asyncio
import os
from collections.abc import Callable, Coroutine, Sequence
from dataclasses import replace
from typing import TYPE_CHECKING, Any

from healmon import __version__, alerts
from healmon import events as ev
from healmon.clock import Clock, boot_id, process_seconds
from healmon.engine.acts import Acts
from healmon.engine.alarms import Alarms
from healmon.engine.changing import Amendment, Succession
from healmon.engine.desk import NOT_RUNNING, Desk, Reread
from healmon.engine.room import Room
from healmon.engine.run import Run
from healmon.engine.stream import Journal, Sink, Stream
from healmon.healer import Healer
from healmon.plans import Answer, Packed
from healmon.state import Snapshot
from healmon.waiting import Nap, call_in, over

if TYPE_CHECKING:
    from healmon.engine.courier import Courier

DRAIN = 30.0
"""Seconds that actions under way get to finish when the engine ends."""
QUICK = 0.5
"""Seconds after which whoever watches from elsewhere is to know that a look goes on."""
LAST_NOTICES = 3.0
"""Seconds that notices on their way get when the engine ends; they leave again in the next run."""
SETTLE = 180.0
"""Seconds that `--once` gives its plans, waits included."""


class Engine:
    """Runs healers against the world until stopped.

    Everything it needs is handed in, so that the same engine runs real and simulated worlds. It
    belongs to one event loop; `stop`, `check_now`, `subscribe` and `snapshot` are safe from any
    thread.

    Args:
        healers: who heals; they run side by side.
        journal: where events go and where the last run's snapshot comes from.
        clock: all time.
        run: what this run is told.

    Attributes:
        reread: answers the request to read the configuration again.
    """

    reread: Reread | None = None

    def __init__(
        self, healers: Sequence[Healer[Any]], journal: Journal, clock: Clock, run: Run
    ) -> None:
        self._healers = healers
        self._clock = clock
        self._run = run
        self.stream = Stream(journal, clock)
        self._acts = Acts(self.stream, clock, run.dry_run)
        self._alarms = Alarms(self.stream, clock, run.alerts)
        self._rooms: list[Room] = []
        self._desk: Desk | None = None
        self._courier: Courier | None = None
        self._attending: list[asyncio.Task[None]] = []
        self._succession = Succession(self._acts)
        self._misread = ""
        self._loop: asyncio.AbstractEventLoop | None = None
        self._check = asyncio.Event()
        self._stopping = asyncio.Event()
        self._nap = Nap(clock)
        self._stop_reason = self._checker = ""
        self._sides: dict[str, str] = {}

    @property
    def snapshot(self) -> Snapshot:
        """The state at this moment."""
        return self.stream.snapshot

    def subscribe(self, sink: Sink) -> Snapshot:
        """Deliver all later events to `sink`; return the snapshot that they continue."""
        return self.stream.subscribe(sink)

    def stop(self, reason: str = "asked to stop") -> None:
        """Ask the engine to finish its current action and end."""
        self._stop_reason = self._stop_reason or reason
        self._in_loop(lambda: self._rouse(self._stopping))

    def renew(self, healers: Sequence[Healer[Any]]) -> None:
        """Have other healers in the next run: those of one that failed have ended with it."""
        self._healers = healers

    def check_now(self) -> None:
        """Ask for a cycle at once."""
        self._in_loop(lambda: self._rouse(self._check))

    def _rouse(self, event: asyncio.Event) -> None:
        event.set()
        self._nap.end()

    def _in_loop(self, call: Callable[[], object]) -> None:
        if self._loop is None:
            call()
        else:
            call_in(self._loop, call)

    async def ask(
        self, verb: str, target: str, arguments: Packed, *, origin: str, command: int = 0
    ) -> Answer:
        """Answer a request (see `service.link.Link.ask` for the verbs). Never raises."""
        if self._desk is None or self._stopping.is_set():
            return NOT_RUNNING
        return await self._desk.ask(verb, target, arguments, origin=origin, command=command)

    def store_fault(self, reason: str) -> None:
        """Tell that the store cannot be written; healing goes on. Safe from any thread."""
        self._in_loop(lambda: self._store_faulted(reason))

    def store_recovered(self, dropped: int, repaired: str = "") -> None:
        """Tell that the store is written again, and what it set aside. Safe from any thread."""
        self._in_loop(lambda: self._store_is_back(dropped, repaired))

    def checker_fault(self, reason: str) -> None:
        """Tell that the checker outside cannot be pinged; empty: it can. Safe from any thread."""
        self._in_loop(lambda: self._checker_faulted(reason))

    def side_fault(self, name: str, reason: str) -> None:
        """Tell what is wrong with what runs beside the rooms; empty: nothing. In the loop only."""
        if reason != self._sides.get(name, ""):
            self._sides[name] = reason
            self._judge_self()

    def misread(self, problems: Sequence[str], origin: str) -> None:
        """Tell that the configuration is wrong; the one before stays in force."""
        self._misread = problems[0]
        if len(problems) > 1:
            self._misread += f", and {len(problems) - 1} more (healmon check)"
        self.stream.emit(ev.ConfigurationRefused(origin, self._run.source, tuple(problems)))
        self._judge_self()

    async def amend(self, amendment: Amendment, patience: float = 0.0) -> list[str]:
        """Have another configuration in force, healthy things untouched.

        Args:
            amendment: all that is to hold from now on.
            patience: seconds to wait for acts that must end first; it goes on afterwards.

        Returns:
            Whose part waits for what, in words.
        """
        if amendment.told is not None:
            cause = self.stream.emit(amendment.told)
            for note in amendment.notes:
                self.stream.emit(note, cause)
        self._run = replace(
            self._run,
            interval=amendment.interval,
            alerts=amendment.alerts,
            outlet=amendment.outlet,
            configuration=self.snapshot.engine.configuration,
        )
        rooms = {room: amendment.healers.get(room.healer.name) for room in self._rooms}
        followed = {room: healer for room, healer in rooms.items() if healer is not None}
        self._healers = [amendment.healers.get(h.name, h) for h in self._healers]
        self._alarms.amend(amendment.alerts)
        if self._desk is not None:  # else it is not open yet, and opens by these rules
            self._desk.amend(amendment.alerts.acknowledge_for, followed)
            self._have_courier()
        self._misread = ""
        waiting = await self._succession.follow(followed, patience)
        self._judge_self(sure=True)
        self.check_now()
        return waiting

    def _have_courier(self) -> None:
        """Have notices told by the newest rules."""
        outlet = self._run.outlet
        if outlet is None or self._run.dry_run:
            return
        if self._courier is not None:
            self._courier.amend(outlet)
        elif outlet.notify.channels:
            from healmon.engine.courier import Courier  # noqa: PLC0415 - many tell nobody

            self._courier = Courier(self.stream, self._clock, outlet)
            self._courier.begin()
            if self._attending:
                self._attend(self._courier.attend())

    def _checker_faulted(self, reason: str) -> None:
        if bool(reason) != bool(self._checker):
            self._checker = reason
            self._judge_self()

    def _store_faulted(self, reason: str) -> None:
        self.stream.emit(ev.StoreFaulted(reason))
        self._judge_self()

    def _store_is_back(self, dropped: int, repaired: str) -> None:
        self._run = replace(self._run, repaired=repaired or self._run.repaired)
        self.stream.emit(ev.StoreRecovered(dropped))
        self._judge_self(sure=True)

    async def run(self) -> None:
        """Check and heal until stopped, then end in order."""
        await self._open()
        for room in self._rooms:
            self._attend(room.attend())
        if self._courier is not None:
            self._attend(self._courier.attend())
        try:
            while not self._stopping.is_set():
                began = self._clock.read().steady
                await self.cycle()
                await self._rest(began + self._run.interval)
                for task in [task for task in self._attending if task.done()]:
                    task.result()  # none ends but by failing, and nobody else would hear of it
        finally:
            await self._succession.close()
            for task in self._attending:
                task.cancel()
            await asyncio.gather(*self._attending, return_exceptions=True)
            self._attending = []
            await self._close()

    def _attend(self, doing: Coroutine[Any, Any, None]) -> None:
        self._attending.append(task := asyncio.create_task(doing))
        task.add_done_callback(lambda _: self._nap.end())

    async def run_once(self) -> Snapshot:
        """Make one full cycle, wait for its plans, look again; return the state afterwards."""
        self._acts.once = True
        self._alarms.once()
        await self._open()
        try:
            await self.cycle()
            deadline = process_seconds() + SETTLE
            while True:
                # an act that is over may be what another one waited for
                await asyncio.gather(*(room.catch_up() for room in self._rooms))
                tasks = self._acts.in_flight
                if not tasks or process_seconds() >= deadline:
                    break
                await asyncio.wait(tasks, timeout=1.0, return_when=asyncio.FIRST_COMPLETED)
            await asyncio.gather(*(room.round() for room in self._rooms))
            if self._courier is not None:
                await self._courier.once()
            return self.snapshot
        finally:
            await self._close()

    async def serve(self, ready: asyncio.Event, *, look: bool) -> None:
        """Answer requests until stopped; nothing is healed that nobody asked for.

        Args:
            ready: set once requests are answered.
            look: look at everything once before that, so that every component is known.
        """
        self._acts.asked_only = True
        await self._open()
        try:
            if look:
                await asyncio.gather(*(room.round() for room in self._rooms))
                await self.stream.journal.flush(LAST_NOTICES)
            ready.set()
            await self._stopping.wait()
            await asyncio.gather(*(room.catch_up() for room in self._rooms))
        finally:
            await self._close()

    async def _open(self) -> None:
        self._loop = asyncio.get_running_loop()
        # events belong to one loop, and an engine that failed is run again in a new one
        self._check = asyncio.Event()
        self._stopping = asyncio.Event()
        if self._stop_reason:
            self._stopping.set()
        self._acts.begin()
        before = self.snapshot
        left = before.at + self.stream.heed_absence(boot_id(), self._run.steady_offset)
        now, offset = self._clock.read(), self._run.steady_offset
        self.stream.emit(
            ev.EngineStarted(
                self._run.host,
                __version__,
                os.getpid(),
                self._run.mode,
                self._acts.dry_run,
                self._run.interval,
                boot_id(),
                offset,
                self._run.configuration,
                lead=round(now.wall - now.steady, 3),
                slept=round(now.boot - (now.steady - offset), 3),
            )
        )
        if before.engine.version == __version__:
            self._tell_configuration(before.engine.configuration)
        for component, view in before.plans.items():
            reason = "healmon ended while it was under way; looking again"
            self.stream.emit(ev.PlanAbandoned(view.plan.id, component, reason))
        self._alarms.begin((healer.name for healer in self._healers), left)
        acts = self._acts
        self._rooms = [
            Room(healer, self.stream, self._clock, self._alarms, acts.propose, acts.withdraw)
            for healer in self._healers
        ]
        self._desk = Desk(
            self.stream,
            self._clock,
            self._acts,
            self._rooms,
            check=self.check_now,
            changed=self._alarms.overlay,
            acknowledge_for=self._run.alerts.acknowledge_for,
            always_dry=self._run.dry_run,
        )
        self._desk.reread = self.reread
        self._courier = None
        self._have_courier()
        for room in self._rooms:
            room.healer.start(room.wake)

    def _tell_configuration(self, before: str) -> None:
        """Tell that the configuration was changed while nobody was there to read it."""
        run = self._run
        if before and run.configuration and before != run.configuration:
            self.stream.emit(
                ev.ConfigurationChanged("start", run.source, (), run.interval, run.configuration)
            )

    async def _close(self) -> None:
        drained = await self._acts.drain(DRAIN)
        if self._courier is not None:
            await self._courier.close(LAST_NOTICES)
        await Room.close_all(self._rooms)
        reason = self._stop_reason or "done"
        self.stream.emit(ev.EngineStopped(reason if drained else f"{reason}; an action hung"))

    async def cycle(self) -> None:
        """Look at everything once; plans go on by themselves."""
        number = self.snapshot.cycle.number + 1
        self._check.clear()
        self.stream.heed_clock()
        self.stream.emit(ev.CycleStarted(number))
        began = process_seconds()
        answers = await self._rounds()
        late = tuple(
            room.healer.name
            for room, answered in zip(self._rooms, answers, strict=True)
            if not answered
        )
        self._judge_self()
        self._alarms.tend()
        seconds = round(process_seconds() - began, 3)
        next_in = max(0.0, round(self._run.interval - seconds, 3))
        looks = {room.healer.name: room.seconds for room in self._rooms}
        self.stream.emit(ev.CycleFinished(number, seconds, next_in, late, looks))

    async def _rounds(self) -> list[bool]:
        """Have every room look, all side by side; returns which of them answered."""
        begun = {room: await room.begin() for room in self._rooms if room.free}
        busy = {r: asyncio.create_task(r.round()) for r in self._rooms if r not in begun}
        try:
            if not await over([*begun.values(), *busy.values()], QUICK):
                await self.stream.journal.flush(QUICK)
                late = (room.settled(answer) for room, answer in begun.items())
                await asyncio.gather(*late, *busy.values())
        except BaseException:
            for room, answer in begun.items():
                room.leave(answer)
            raise
        answers: dict[Room, asyncio.Future[bool]] = {**begun, **busy}
        return [answers[room].result() for room in self._rooms]

    def _judge_self(self, *, sure: bool = False) -> None:
        findings = alerts.engine_findings(
            self.snapshot.failing,
            store=self.snapshot.engine.store_fault,
            repaired=self._run.repaired,
            config=self._misread,
            checker=self._checker,
            sides=self._sides,
        )
        if self._run.outlet is not None:
            now = self._clock.read().wall
            findings += alerts.channel_findings(self.snapshot, self._run.outlet.notify, now)
        case = self._alarms.case(alerts.ENGINE, sure=sure)
        self._alarms.judge(case, alerts.engine_verdict(findings))
        self._alarms.overlay()  # nobody is told of it before what lies over it is known

    async def _rest(self, until: float) -> None:
        """Wait for the next cycle's time, a request to check, or the end."""
        if not (self._check.is_set() or self._stopping.is_set()):
            await self._nap.take(max(0.0, until - self._clock.read().steady))
