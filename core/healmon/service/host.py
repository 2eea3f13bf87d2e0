"""One healer on one state directory: lock, store, clock, engine and overrides, as one thing.

The screen, `--no-ui`, `--once` and `--daemon` all run this and differ only in what they print.
"""

from __future__ import annotations

import asyncio
import contextlib
import json
import os
from collections.abc import Callable, Generator, Mapping
from dataclasses import dataclass, field
from functools import partial
from pathlib import Path
from typing import Any

from healmon import __version__, registry
from healmon import events as ev
from healmon.clock import Clock, SystemClock, boot_id, cutoff
from healmon.config.settings import Settings
from healmon.engine import Engine, Run
from healmon.engine.run import Outlet
from healmon.engine.stream import Sink
from healmon.events import CycleStarted, Recorded
from healmon.healer import Healer
from healmon.plans import Packed
from healmon.service import alongside, commands, retention, statedir
from healmon.service.heartbeat import Heartbeat
from healmon.service.instance import Lock
from healmon.service.log import REDACTOR
from healmon.service.missing import missing
from healmon.service.ousted import Ousted
from healmon.service.push import Push
from healmon.service.reload import Read, Reloader, digest
from healmon.service.sides import Sides, orders
from healmon.service.statedir import DATABASE
from healmon.service.systemd import Notifier, Pulse
from healmon.service.textfile import Textfile
from healmon.service.wake import listening
from healmon.service.watching import FileWatch, Print, print_of
from healmon.state import Snapshot
from healmon.state.stepping import resumed
from healmon.store.store import Store
from healmon.waiting import Nap, call_in
from healmon.world.notifying import SystemMessenger
from healmon.world.processes import Processes
from healmon.world.system_processes import SystemProcesses

CHECKPOINT_EVERY = 900.0  # seconds; those of a busy healer come sooner (`store.store`)
STORED = 10.0
"""Seconds that an answer waits for what it tells of to be stored; then it is given all the same."""
HOUSEKEEPING = 60.0
LAST_ANSWERS = STORED
"""Seconds that answers get to be written when the healer ends."""
ROUND_PATIENCE = 120.0
"""Seconds that housekeeping waits for a round, and the queue for a knock."""
CLOSE_PATIENCE = 10.0


@dataclass(slots=True)
class Host:
    """A healer that holds its state directory; `close` gives it back.

    Attributes:
        settings: what is in force.
        healers: in the order of the report.
        read: reads the configuration again; None: there is none to read.
        notifier: the way to the service manager.
        file: what tells the state of the configuration file that was read from others.
    """

    settings: Settings
    state_dir: Path
    lock: Lock
    store: Store
    clock: Clock
    engine: Engine
    processes: Processes
    healers: list[Healer[Any]]
    read: Read | None = None
    notifier: Notifier = field(default_factory=Notifier)
    file: Print | None = None
    _heart: Heartbeat | None = None
    _knocked: asyncio.Event = field(default_factory=asyncio.Event)
    _sides: Sides | None = None
    _numbers: Textfile | None = None
    _between: Nap = field(init=False)

    def __post_init__(self) -> None:
        self._between = Nap(self.clock)

    @classmethod
    def open(
        cls,
        settings: Settings,
        state_dir: Path,
        *,
        mode: str,
        dry_run: bool,
        read: Read | None = None,
        notifier: Notifier | None = None,
    ) -> Host:
        """Take the state directory and put the healer together; nothing runs yet.

        Raises:
            StateDirError: the directory cannot be used.
            HolderError: another healer holds it.
            StoreVersionError: the health store is not ours to write.
        """
        state_dir = statedir.prepare(state_dir)
        # a screen that could not take over lives on: it must not keep others from healing
        with contextlib.ExitStack() as undo:
            lock = Lock.acquire(state_dir, version=__version__, mode=mode)
            undo.callback(lock.release)
            store, clock = _open_store(settings, state_dir)
            undo.callback(store.close, CLOSE_PATIENCE)
            host = cls._made(settings, state_dir, lock, store, clock, mode=mode, dry_run=dry_run)
            undo.pop_all()
        host.read = read
        host.notifier = notifier or host.notifier
        host.file = print_of(settings.source or "")
        return host

    @classmethod
    def _made(
        cls,
        settings: Settings,
        state_dir: Path,
        lock: Lock,
        store: Store,
        clock: SystemClock,
        *,
        mode: str,
        dry_run: bool,
    ) -> Host:
        """Return the healer on a state directory that is held."""
        processes = SystemProcesses()
        parts = registry.Parts(settings, state_dir, clock, processes, store.snapshot)
        healers = registry.build(parts)
        run = Run(
            host=settings.monitor.name,
            interval=settings.monitor.check_interval,
            mode=mode,
            dry_run=dry_run or settings.monitor.dry_run,
            alerts=settings.alerts,
            steady_offset=clock.offset,
            repaired="; ".join(filter(None, (store.repaired, missing(state_dir, store.snapshot)))),
            outlet=_outlet(settings, state_dir, store),
            configuration=digest(settings),
            source=settings.source or "",
        )
        engine = Engine(healers, store, clock, run)
        store.on_fault = engine.store_fault
        store.on_recover = lambda dropped: engine.store_recovered(dropped, store.repaired)
        return cls(settings, state_dir, lock, store, clock, engine, processes, healers)

    def parts(self, settings: Settings) -> registry.Parts:
        """Return what healers are made of for these settings."""
        clock, known = self.clock, self.engine.snapshot
        return registry.Parts(settings, self.state_dir, clock, self.processes, known)

    def outlet(self, settings: Settings) -> Outlet:
        """Return where notices go by these settings."""
        return _outlet(settings, self.state_dir, self.store)

    def amended(self, settings: Settings, healers: Mapping[str, Healer[Any]]) -> None:
        """Take in that other settings are in force."""
        self.settings = settings
        REDACTOR.learn(settings)
        self.healers[:] = [healers.get(healer.name, healer) for healer in self.healers]
        if self._heart is not None:
            self._heart.amend(settings.monitor.heartbeat_url, settings.monitor.check_interval)
        if self._sides is not None:
            self._sides.amend(orders(settings, self.state_dir))
        if self._numbers is not None:
            self._numbers.amend(settings.metrics.textfile)

    async def run(self) -> None:
        """Heal until `engine.stop()`, answering overrides meanwhile; again after it has failed."""
        if self._heart is not None:
            # events belong to one loop, and healers that were closed have ended
            self._knocked = asyncio.Event()
            self.healers[:] = registry.build(self.parts(self.settings))
            self.engine.renew(self.healers)
        heart = self._heart = Heartbeat(
            self.state_dir,
            self.settings.monitor.heartbeat_url,
            self.settings.monitor.check_interval,
            self.clock,
            self.engine.checker_fault,
            lambda: self.engine.snapshot.cycle,
        )
        pulse = Pulse(self.notifier, self.clock, lambda: self.engine.snapshot)
        self._sides = Sides(
            orders(self.settings, self.state_dir), self.clock, self.engine.side_fault
        )
        numbers = self._numbers = Textfile(
            self.settings.metrics.textfile, os.getpid(), self.clock,
            lambda: self.engine.snapshot, partial(self.engine.side_fault, "textfile"),
        )  # fmt: skip
        doings: dict[str, alongside.Doing] = {
            "overrides": self._overrides,
            "housekeeping": self._keep_house,
            "heart": heart.run,
            "watchdog": pulse.run,
            "sides": self._sides.run,
            "numbers": numbers.run,
        }
        ousted = Ousted(self.state_dir, self.lock, self.engine.stop)
        with self._rereading() as watching:
            sinks = [ousted.heard, pulse.heard, self._heard, heart.heard, numbers.heard, *watching]
            try:
                await alongside.run(self.engine, self.clock, sinks, doings)
            finally:
                await numbers.close()

    @contextlib.contextmanager
    def _rereading(self) -> Generator[list[Sink]]:
        """Answer requests to read the configuration again; gives what must hear of cycles."""
        if self.read is None:
            yield []
            return
        reloader, watch = Reloader(self, self.read), FileWatch(self, self.reload)
        self.engine.reread = reloader.ask
        try:
            yield [watch.heard]
        finally:
            watch.close()
            reloader.close()

    async def reload(self, origin: str) -> None:
        """Read the configuration again."""
        await self.engine.ask("reload", "", {}, origin=origin)

    async def run_once(self) -> Snapshot:
        """Make one full cycle; returns the state afterwards."""
        now = self.clock.read().wall
        if retention.near(self.store.snapshot.at, now, retention.AWAY_ONCE):
            self.store.prune(cutoff(self.clock.steps, self.settings.store.retention, now))
        return await self.engine.run_once()

    async def serve(self, ready: Callable[[], None], *, look: bool) -> None:
        """Answer overrides until `engine.stop()`, and do nothing that nobody asked for.

        Args:
            ready: called once overrides are answered.
            look: look at everything before that.
        """
        opened = asyncio.Event()
        engine = asyncio.create_task(self.engine.serve(opened, look=look))
        waiting = asyncio.create_task(opened.wait())
        await asyncio.wait({engine, waiting}, return_when=asyncio.FIRST_COMPLETED)
        helpers: list[asyncio.Task[Any]] = [waiting]
        try:
            if opened.is_set():
                helpers.append(asyncio.create_task(self._overrides(ROUND_PATIENCE)))
                ready()
            await engine
        finally:
            for task in helpers:
                task.cancel()
            await asyncio.gather(*helpers, return_exceptions=True)

    def close(self) -> None:
        """Write what is left and give the state directory back."""
        try:
            self.store.checkpoint(self.engine.snapshot)
            self.store.close(CLOSE_PATIENCE)
        finally:
            self.lock.release()

    async def _keep_house(self) -> None:
        kept = 0.0
        rounds = retention.Rounds(self.store.snapshot.at)
        while True:
            now = self.clock.read()
            if self.store.checkpoint_due or now.steady - kept > CHECKPOINT_EVERY:
                self.store.checkpoint(self.engine.snapshot)
                kept = now.steady
            if rounds.due(now):
                seconds = self.settings.store.retention
                self.store.prune(cutoff(self.clock.steps, seconds, now.wall))
            self.engine.side_fault("store-wal", self.store.pinned)
            with contextlib.suppress(OSError):  # a full disk must not end the house-keeping
                self.lock.mend()
            if self.store.fault or self.settings.monitor.check_interval > HOUSEKEEPING:
                self._knocked.set()  # else the store itself tells of a lost knock soon enough
            await self._house_time(now.steady + 0.9 * HOUSEKEEPING)

    def _heard(self, record: Recorded) -> None:
        """Take note of a round that begins, and of a store that is written again."""
        if isinstance(record.event, CycleStarted):
            self._between.end()
        elif isinstance(record.event, ev.StoreRecovered):
            # it may be a new file: it is given the whole state at once
            self.store.checkpoint(self.engine.snapshot)

    def _stored(self, push: Push, queue: commands.Queue, knock: Callable[[], None]) -> None:
        """Tell of news in the store; from its thread."""
        push.ring()
        if queue.owes:
            knock()
        if self._heart is not None:
            self._heart.stored()

    async def _house_time(self, due: float) -> None:
        """Return as a round begins after so many steady seconds, or at the end of the patience.

        A timer of its own would wake us once more, and in the middle of a look.
        """
        while self.clock.read().steady < due:
            if await self._between.take(ROUND_PATIENCE):
                return

    async def _overrides(self, patience: float | None = None) -> None:
        """Take queued overrides whenever somebody knocks, and once at the start.

        A knock may be lost: the store's thread sees what waits with each round that it stores;
        where there are no rounds it is looked for after so many seconds.
        """
        queue = commands.Queue(self.store.beside)
        queue.abandon_taken(self.clock.read().wall)
        knocked, loop = self._knocked, asyncio.get_running_loop()
        knocked.set()
        running: set[asyncio.Task[None]] = set()
        with contextlib.ExitStack() as stack:
            stack.callback(queue.close)
            stack.enter_context(listening(self.state_dir, loop, knocked.set))
            push = Push.open(self.state_dir)
            stack.callback(push.close)
            knock = self.store.on_queued = partial(call_in, loop, knocked.set)
            self.store.on_stored = partial(self._stored, push, queue, knock)
            try:
                while True:
                    with contextlib.suppress(TimeoutError):
                        async with asyncio.timeout(patience):
                            await knocked.wait()
                    knocked.clear()
                    for command in queue.take(self.clock.read().wall):
                        task = asyncio.create_task(self._answer(queue, push, command))
                        running.add(task)
                        task.add_done_callback(running.discard)
            finally:
                # what was done to the end is answered: else it would be called lost
                if running:
                    await asyncio.wait(running, timeout=LAST_ANSWERS)

    async def _answer(self, queue: commands.Queue, push: Push, command: commands.Command) -> None:
        answer = await self.engine.ask(
            command.verb,
            command.target,
            command.arguments,
            origin=command.origin,
            command=command.id,
        )
        outcome: Packed = {"ok": answer.ok, "text": answer.text}
        outcome |= {k: v for k, v in (("code", answer.code), ("data", answer.data)) if v}
        if answer.plan is not None:
            from healmon.plans import pack  # noqa: PLC0415

            outcome["plan"] = pack(answer.plan)
        await self.store.flush(STORED)  # whoever is answered looks into the store at once
        queue.answer(command.id, json.dumps(outcome), ok=answer.ok)
        push.ring()


def _open_store(settings: Settings, state_dir: Path) -> tuple[Store, SystemClock]:
    clock = SystemClock()
    store = Store.open(state_dir / DATABASE, host=settings.monitor.name, now=clock.read())
    return store, SystemClock(*resumed(store.snapshot, clock.read(), boot_id(), clock.offset))


def _outlet(settings: Settings, state_dir: Path, store: Store) -> Outlet:
    return Outlet(
        messenger=SystemMessenger(),
        notify=settings.notify,
        epoch=store.epoch,
        report=partial(_report, state_dir / DATABASE),
    )


def _report(database: Path, seconds: float) -> tuple[str, str]:
    """Return title and text of the morning page about the last so many seconds."""
    from healmon.report import headline, morning_text  # noqa: PLC0415 - made once a day
    from healmon.service.report_cli import page_of  # noqa: PLC0415 - it needs this module, too

    page = page_of(database, seconds, running=True)
    return f"[REPORT] {headline(page)}", morning_text(page)
