"""One healer on one state directory: lock, store, clock, engine and overrides, as one thing.

The screen, `--no-ui`, `--once` and `--daemon` all run this and differ only in what they print.
"""

from __future__ import annotations

import asyncio
import contextlib
import json
from collections.abc import Callable
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import Any

from healmon import __version__, registry
from healmon.clock import Clock, SystemClock, boot_id
from healmon.config.settings import Settings
from healmon.engine import Engine, Run
from healmon.engine.courier import Outlet
from healmon.healer import Healer
from healmon.plans import Packed
from healmon.service import commands, statedir
from healmon.service.heartbeat import Heartbeat
from healmon.service.instance import Lock
from healmon.service.push import Push
from healmon.service.wake import WakePipe
from healmon.state import Snapshot
from healmon.store.store import Store
from healmon.world.notifying import SystemMessenger

DATABASE = "healmon.db"
PRUNE_EVERY = 3600.0
CHECKPOINT_EVERY = 300.0
HOUSEKEEPING = 60.0
CLOSE_PATIENCE = 10.0


@dataclass(slots=True)
class Host:
    """A healer that holds its state directory; `close` gives it back.

    Attributes:
        healers: in the order of the report.
    """

    settings: Settings
    state_dir: Path
    lock: Lock
    store: Store
    clock: Clock
    engine: Engine
    healers: list[Healer[Any]]

    @classmethod
    def open(cls, settings: Settings, state_dir: Path, *, mode: str, dry_run: bool) -> Host:
        """Take the state directory and put the healer together; nothing runs yet.

        Raises:
            StateDirError: the directory cannot be used.
            HolderError: another healer holds it.
            StoreVersionError: the health store is not ours to write.
        """
        state_dir = statedir.prepare(state_dir)
        lock = Lock.acquire(state_dir, version=__version__, mode=mode)
        try:
            store, clock = _open_store(settings, state_dir)
        except BaseException:
            lock.release()
            raise
        healers = registry.build(settings, state_dir, clock)
        run = Run(
            host=settings.monitor.name,
            interval=settings.monitor.check_interval,
            mode=mode,
            dry_run=dry_run or settings.monitor.dry_run,
            alerts=settings.alerts,
            steady_offset=clock.offset,
            repaired=store.repaired,
            outlet=Outlet(
                messenger=SystemMessenger(),
                notify=settings.notify,
                epoch=store.epoch,
                report=partial(_report, state_dir / DATABASE),
            ),
        )
        engine = Engine(healers, store, clock, run)
        store.on_fault = engine.store_fault
        store.on_recover = engine.store_recovered
        return cls(settings, state_dir, lock, store, clock, engine, healers)

    async def run(self) -> None:
        """Heal until `engine.stop()`, answering overrides meanwhile."""
        heart = Heartbeat(
            self.state_dir,
            self.settings.monitor.heartbeat_url,
            self.settings.monitor.check_interval,
            self.clock,
            self.engine.checker_fault,
        )
        self.engine.subscribe(heart.heard)
        doings = (self._overrides(), self._keep_house(), heart.run())
        tasks = [asyncio.create_task(doing) for doing in doings]
        try:
            await self.engine.run()
        finally:
            self.engine.stream.unsubscribe(heart.heard)
            for task in tasks:
                task.cancel()
            await asyncio.gather(*tasks, return_exceptions=True)

    async def run_once(self) -> Snapshot:
        """Make one full cycle; returns the state afterwards."""
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
        overrides = asyncio.create_task(self._overrides())
        try:
            ready()
            await engine
        finally:
            for task in (waiting, overrides):
                task.cancel()
            await asyncio.gather(waiting, overrides, return_exceptions=True)

    def close(self) -> None:
        """Write what is left and give the state directory back."""
        try:
            self.store.checkpoint(self.engine.snapshot)
            self.store.close(CLOSE_PATIENCE)
        finally:
            self.lock.release()

    async def _keep_house(self) -> None:
        pruned = kept = 0.0
        while True:
            now = self.clock.read()
            if self.store.checkpoint_due or now.steady - kept > CHECKPOINT_EVERY:
                self.store.checkpoint(self.engine.snapshot)
                kept = now.steady
            if now.steady - pruned > PRUNE_EVERY:
                self.store.prune(now.wall - self.settings.store.retention)
                pruned = now.steady
            self.lock.mend()
            await self.clock.sleep(HOUSEKEEPING)

    async def _overrides(self) -> None:
        """Take queued overrides whenever somebody knocks, and once at the start."""
        queue = commands.Queue(self.store.beside)
        queue.abandon_taken(self.clock.read().wall)
        knocked = asyncio.Event()
        knocked.set()
        running: set[asyncio.Task[None]] = set()
        with contextlib.ExitStack() as stack:
            stack.callback(queue.close)
            _listen(self.state_dir, knocked.set, stack)
            push = Push.open(self.state_dir)
            stack.callback(push.close)
            self.store.on_stored = push.ring
            while True:
                with contextlib.suppress(TimeoutError):  # a knock may be lost: look anyway
                    await asyncio.wait_for(knocked.wait(), HOUSEKEEPING)
                knocked.clear()
                for command in queue.take(self.clock.read().wall):
                    task = asyncio.create_task(self._answer(queue, push, command))
                    running.add(task)
                    task.add_done_callback(running.discard)

    async def _answer(self, queue: commands.Queue, push: Push, command: commands.Command) -> None:
        answer = await self.engine.ask(
            command.verb,
            command.target,
            command.arguments,
            origin=command.origin,
            command=command.id,
        )
        outcome: Packed = {"ok": answer.ok, "text": answer.text}
        if answer.plan is not None:
            from healmon.plans import pack  # noqa: PLC0415

            outcome["plan"] = pack(answer.plan)
        queue.answer(command.id, json.dumps(outcome), ok=answer.ok)
        push.ring()


def _open_store(settings: Settings, state_dir: Path) -> tuple[Store, SystemClock]:
    clock = SystemClock()
    store = Store.open(state_dir / DATABASE, host=settings.monitor.name, now=clock.read())
    last = store.snapshot.engine
    if last.boot == boot_id():
        # the same boot: go on with the last run's steady timeline, whatever the wall clock did
        clock = SystemClock(last.steady_offset)
    return store, clock


def _report(database: Path, seconds: float) -> tuple[str, str]:
    """Return title and text of the morning page about the last so many seconds."""
    from healmon.report import headline, morning_text  # noqa: PLC0415 - made once a day
    from healmon.service.report_cli import page_of  # noqa: PLC0415 - it needs this module, too

    page = page_of(database, seconds, running=True)
    return f"[REPORT] {headline(page)}", morning_text(page)


def _listen(state_dir: Path, knocked: Callable[[], None], stack: contextlib.ExitStack) -> None:
    pipe = WakePipe.open(state_dir)
    stack.callback(pipe.close)
    loop = asyncio.get_running_loop()

    def heard() -> None:
        pipe.drain()
        knocked()

    loop.add_reader(pipe.fd, heard)
    stack.callback(loop.remove_reader, pipe.fd)
