"""The two real links: a healer of our own in a thread, and another process's healer."""

from __future__ import annotations

import asyncio
import os
import sqlite3
import threading
from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING

import msgspec

from healmon.errors import HealmonError
from healmon.events import Recorded
from healmon.plans import Answer, Packed
from healmon.service import asking, commands, instance
from healmon.service.archive import Archive, Reader
from healmon.service.following import Following
from healmon.service.link import Gone
from healmon.service.looks import Leave, Peek, Tail
from healmon.service.own import Meter, Usage
from healmon.service.push import Ear
from healmon.service.statedir import DATABASE
from healmon.state import Snapshot
from healmon.store import read, stream
from healmon.text import clean

if TYPE_CHECKING:
    from healmon.service import explaining
    from healmon.service.host import Host

CALM = 0.03
"""Seconds between two looks of a screen at least: under a storm of events it sees them in bites."""
RESTART_AFTER = (1.0, 5.0, 30.0)
"""Seconds before the engine thread is started again after it failed the first, second, … time."""


class _Near:
    """A healer on this very host: its sessions and its state directory are within reach."""

    def __init__(self, state_dir: Path, packs: str) -> None:
        self._state_dir = state_dir
        self._packs = packs
        self._meter = Meter(self._healer_pid)

    def _healer_pid(self) -> int | None:
        holder = instance.holder(self._state_dir)
        return None if holder is None else holder.pid

    def usage(self) -> Usage | None:
        """Return what the healer's process costs."""
        return self._meter.read()

    async def peek(self, facts: Packed) -> Peek:
        """Return what a session shows right now."""
        return await asyncio.to_thread(_peek, facts, self._packs)

    async def tail(self, worker: str, lines: int) -> Tail:
        """Return the newest lines of a worker's log."""
        return await asyncio.to_thread(_tail, self._state_dir, worker, lines)

    async def explain(self, target: str) -> tuple[str, ...]:
        """Return what `healmon explain` says."""
        return await asyncio.to_thread(self._explain, target)

    def _explain(self, target: str) -> tuple[str, ...]:
        from healmon.service import explaining  # noqa: PLC0415 - all healers, for one question
        from healmon.service.peek import packs_in  # noqa: PLC0415

        try:
            told = explaining.tell(self._find(target), packs_in(self._packs), explaining.as_found)
        except (HealmonError, sqlite3.Error, msgspec.MsgspecError, OSError) as error:
            return (clean(str(error.args[0] if error.args else error)),)
        return tuple(clean(line, lines=True, limit=4000) for line in told.lines)

    def _find(self, target: str) -> explaining.Found:
        """Return what is stored of something."""
        raise NotImplementedError

    async def evidence(self, name: str) -> Packed:
        """Return what was kept of an act on a session."""
        return await asyncio.to_thread(_evidence, self._state_dir, name)

    async def visit(self, facts: Packed, leave: Leave) -> str:
        """Take the person to a session's pane."""
        from healmon.service.visits import visit  # noqa: PLC0415 - as below

        return await visit(facts, leave)


# nobody waits for the first picture until those who look at sessions are loaded
def _peek(facts: Packed, packs: str) -> Peek:
    from healmon.service.peek import packs_in, peek  # noqa: PLC0415

    return peek(facts, packs_in(packs))


def _tail(state_dir: Path, worker: str, lines: int) -> Tail:
    from healmon.service.tail import tail  # noqa: PLC0415

    return tail(state_dir, worker, lines)


def _evidence(state_dir: Path, name: str) -> Packed:
    from healmon.service.peek import evidence  # noqa: PLC0415

    return evidence(state_dir, name)


class EngineLink(_Near):
    """Runs a host in a thread with an event loop of its own.

    The healer must go on healing when the terminal stops reading, so it never shares the
    screen's loop. Should the engine fail, it is started again with growing pauses.
    """

    attached = ""

    def __init__(self, host: Host) -> None:
        super().__init__(host.state_dir, host.settings.sessions.packs)
        self._host = host
        self._loop: asyncio.AbstractEventLoop | None = None
        self._thread: threading.Thread | None = None
        self._trouble = ""
        self._closing = threading.Event()
        self._archive = Archive(lambda: host.store.beside.use(read.PATIENCE))

    def archive(self) -> Archive:
        """Return the stored past."""
        return self._archive

    def gone(self) -> Gone | None:
        """Return None: our own healer is here as long as we are."""
        return None

    def begun_anew(self) -> bool:
        """Return False: our own healer goes on with what it knows, whatever becomes of the file."""
        return False

    async def take_over(self) -> Answer:
        """Say that there is nothing to take over."""
        return Answer(ok=False, text="this screen heals already")

    def _healer_pid(self) -> int | None:
        return os.getpid()

    def open(self, sink: Callable[[Recorded], None]) -> Snapshot:
        """Start the healer and deliver its events to `sink`."""
        snapshot = self._host.engine.subscribe(sink)
        self._thread = threading.Thread(target=self._work, name="healmon-engine", daemon=True)
        self._thread.start()
        return snapshot

    def _work(self) -> None:
        failures = 0
        while not self._closing.is_set():
            try:
                asyncio.run(self._run())
            except Exception as error:  # noqa: BLE001 - shown on screen, then started again
                self._trouble = clean(f"{type(error).__name__}: {error}")
                pause = RESTART_AFTER[min(failures, len(RESTART_AFTER) - 1)]
                failures += 1
                self._closing.wait(pause)
            else:
                return

    async def _run(self) -> None:
        self._loop = asyncio.get_running_loop()
        self._trouble = ""
        await self._host.run()

    def history(self, count: int) -> list[Recorded]:
        """Return the newest stored events, oldest first."""
        try:
            with self._host.store.beside.use(read.PATIENCE) as connection:
                return _newest(connection, count)
        except HealmonError:
            return []

    def _find(self, target: str) -> explaining.Found:
        from healmon.service import explaining  # noqa: PLC0415 - likewise

        with self._host.store.beside.use(read.PATIENCE) as connection:
            return explaining.find(connection, target)

    def older(self, before: int, count: int) -> list[Recorded]:
        """Return stored events before one, oldest first."""
        try:
            with self._host.store.beside.use(read.PATIENCE) as connection:
                return stream.read_before(connection, before, count)
        except HealmonError:
            return []

    def trouble(self) -> str:
        """Return why the engine does not run; empty: it does."""
        if self._trouble:
            return self._trouble
        thread = self._thread
        if thread is not None and not thread.is_alive() and not self._closing.is_set():
            return "the engine has ended"
        return ""

    async def ask(self, verb: str, target: str, arguments: Packed) -> Answer:
        """Ask the engine, across the threads."""
        loop = self._loop
        if loop is None or self._trouble:
            return Answer(ok=False, text=f"the engine is down: {self._trouble or 'starting'}")
        question = self._host.engine.ask(verb, target, arguments, origin=commands.origin())
        try:
            future = asyncio.run_coroutine_threadsafe(question, loop)
            return await asyncio.wait_for(asyncio.wrap_future(future), asking.ASK_PATIENCE)
        except TimeoutError:
            return Answer(ok=False, text=f"no answer within {asking.ASK_PATIENCE:g} s")
        except RuntimeError:
            question.close()
            return Answer(ok=False, text="the engine has ended")

    async def close(self) -> None:
        """Let the current action finish, end the engine, give the state directory back."""
        self._closing.set()
        self._host.engine.stop("the screen was closed")
        thread = self._thread
        if thread is not None:
            await asyncio.to_thread(thread.join)
        await asyncio.to_thread(self._host.close)


class StoreLink(_Near):
    """Looks at another process's healer through its store, and asks it through the queue.

    Attributes:
        attached: who is looked at.
        absent: nobody is.
        anew: another store took the place of the one that was opened; nothing more is delivered.
    """

    def __init__(self, state_dir: Path, packs: str = "") -> None:
        super().__init__(state_dir, packs)
        self._database = state_dir / DATABASE
        self.attached = "a healer that has ended"
        self.absent = False
        self.anew = False
        self._ended = threading.Event()
        self._ear = Ear(state_dir)
        self._thread: threading.Thread | None = None
        self._trouble = ""
        self._reader = Reader(self._database)
        self._archive = Archive(self._reader.use)
        self.watch()

    def watch(self) -> None:
        """See who is looked at, or that nobody is any more."""
        holder = instance.holder(self._state_dir)
        self.absent = holder is None
        if holder is not None:
            self.attached = f"pid {holder.pid}"

    def archive(self) -> Archive:
        """Return the stored past."""
        return self._archive

    def open(self, sink: Callable[[Recorded], None]) -> Snapshot:
        """Read the state and go on delivering what is stored."""
        connection = read.open_reader(self._database)
        try:
            snapshot = stream.read_snapshot(connection)
        finally:
            connection.close()
        self._thread = threading.Thread(
            target=self._follow, args=(snapshot, sink), name="healmon-follow", daemon=True
        )
        self._thread.start()
        return snapshot

    def _follow(self, snapshot: Snapshot, sink: Callable[[Recorded], None]) -> None:
        following = Following(
            self._database, snapshot.last_id, lambda c, after: stream.read_events(c, after, 500),
            lambda record: record.id,
        )  # fmt: skip
        heard = False
        while not self._ended.is_set():
            if not (heard and self._ear.connected):
                heard = self._ear.connected
                self.watch()
            try:
                for record in following.look():
                    if following.anew:
                        break
                    sink(record)
            except (OSError, msgspec.MsgspecError, sqlite3.Error, HealmonError) as error:
                self._trouble = clean(f"cannot read the store: {error}")
            else:
                self._trouble = f"the healer ({self.attached}) has ended" if self.absent else ""
                self.anew = following.anew > 0
            if self.anew:
                break  # what comes now does not belong to what was told
            self._ended.wait(CALM)
            self._ear.wait()
        following.close()

    def history(self, count: int) -> list[Recorded]:
        """Return the newest stored events, oldest first."""
        return _history(self._database, count)

    def _find(self, target: str) -> explaining.Found:
        from healmon.service import explaining  # noqa: PLC0415 - likewise

        connection = read.open_reader(self._database)
        try:
            return explaining.find(connection, target)
        finally:
            connection.close()

    def older(self, before: int, count: int) -> list[Recorded]:
        """Return stored events before one, oldest first."""
        try:
            connection = read.open_reader(self._database)
        except (OSError, sqlite3.Error, HealmonError):
            return []
        try:
            return stream.read_before(connection, before, count)
        except HealmonError:
            return []
        finally:
            connection.close()

    def trouble(self) -> str:
        """Return what is wrong with the healer looked at; empty: it runs."""
        return self._trouble

    async def ask(self, verb: str, target: str, arguments: Packed) -> Answer:
        """Queue the request durably, wake the healer, wait for its answer."""
        return await asyncio.to_thread(asking.ask_healer, self._state_dir, verb, target, arguments)

    async def close(self) -> None:
        """Stop looking; the healer goes on."""
        await asyncio.to_thread(self.leave)

    def leave(self) -> None:
        """Stop looking: nothing more is delivered. Blocks for a moment."""
        if self._ended.is_set():
            return
        self._ended.set()
        self._ear.interrupt()
        if self._thread is not None:
            self._thread.join()
        self._ear.close()
        self._reader.close()


def _history(database: Path, count: int) -> list[Recorded]:
    try:
        connection = read.open_reader(database)
    except (OSError, sqlite3.Error, HealmonError):
        return []
    try:
        return _newest(connection, count)
    finally:
        connection.close()


def _newest(connection: sqlite3.Connection, count: int) -> list[Recorded]:
    return stream.read_events(connection, read.last_event_id(connection) - count, count)
