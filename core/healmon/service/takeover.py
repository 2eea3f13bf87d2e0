"""The link of a screen beside another healer: it looks on, and can become the healer itself.

It follows whoever holds the state directory. When nobody does any more it says how the last one
ended, and takes over when it is told to: through the kernel's lock, so that of several who want to
only one gets it and the others look at that one. A healer that hangs holds its lock: it is never
taken over.
"""

from __future__ import annotations

import asyncio
import threading
from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING

from healmon import events as ev
from healmon.errors import HealmonError, HolderError
from healmon.events import Recorded
from healmon.plans import Answer, Packed
from healmon.service import instance
from healmon.service.archive import Archive
from healmon.service.link import Gone
from healmon.service.links import EngineLink, StoreLink
from healmon.service.looks import Leave, Peek, Tail
from healmon.service.own import Usage
from healmon.state import Snapshot
from healmon.text import clean

if TYPE_CHECKING:
    from healmon.service.host import Host

FIRST_LOOK = 3.0
"""Seconds that a healer which has just started gets to make its store."""


class Relay:
    """A `Link` to another healer, or after a take-over to our own.

    Args:
        state_dir: whose healer.
        packs: the folder of one's own detection packs.
        take: makes a host on the state directory; None: it is not to be taken over from here.
    """

    def __init__(self, state_dir: Path, packs: str, take: Callable[[], Host] | None) -> None:
        self._state_dir = state_dir
        self._packs = packs
        self._take = take
        self._viewer = StoreLink(state_dir, packs)
        self._inner: StoreLink | EngineLink = self._viewer
        self._looking = False
        self._switching = threading.Lock()
        self._open = False
        self._running = True
        self._word = ""
        self._last = 0.0

    @property
    def attached(self) -> str:
        """Who is looked at; empty: the healer is our own."""
        return self._inner.attached

    def open(self, sink: Callable[[Recorded], None]) -> Snapshot:
        """Begin delivering events to `sink`; once more after an attempt to take over.

        Then it begins healing, or goes on looking; likewise where the store was begun anew.
        """
        self._open = False
        if self._looking and self._inner is self._viewer:
            self._viewer.leave()
            self._viewer = self._inner = StoreLink(self._state_dir, self._packs)
        self._looking = True

        def heard(record: Recorded) -> None:
            self._hear(record)
            sink(record)

        snapshot = self._opened(heard)
        self._running, self._word = snapshot.engine.running, snapshot.engine.stopped
        self._last = snapshot.at
        self._open = True
        return snapshot

    def _opened(self, sink: Callable[[Recorded], None]) -> Snapshot:
        pause = threading.Event()
        for _ in range(round(FIRST_LOOK / 0.1)):
            try:
                return self._inner.open(sink)
            except HealmonError:
                if self._viewer.absent:
                    break  # nobody is about to fill it
            pause.wait(0.1)
        return self._inner.open(sink)

    def _hear(self, record: Recorded) -> None:
        self._last = record.wall
        if isinstance(record.event, ev.EngineStarted):
            self._running, self._word = True, ""
        elif isinstance(record.event, ev.EngineStopped):
            self._running, self._word = False, record.event.reason

    def gone(self) -> Gone | None:
        """Return what became of the healer that was looked at; None: it runs."""
        if self._inner is not self._viewer or not self._viewer.absent:
            return None
        how = f"ended: {self._word}" if self._word else "ended"
        if self._running:
            how = "was killed or crashed"
        return Gone(self._viewer.attached, self._last, how, offered=self._take is not None)

    def begun_anew(self) -> bool:
        """Return whether another store is looked at by now, also where it could not be opened."""
        if self._inner is not self._viewer or not self._looking:
            return False
        return self._viewer.anew or not self._open

    async def take_over(self) -> Answer:
        """Make this process the healer, if there is none."""
        return await asyncio.to_thread(self._taken_over)

    def _taken_over(self) -> Answer:
        if self._take is None:
            return Answer(ok=False, text="this screen is for looking only")
        with self._switching:
            if self._inner is not self._viewer:
                return Answer(ok=False, text="this screen heals already")
            found = instance.holder(self._state_dir)
            if found is not None:
                return _another(f"pid {found.pid}")
            # whoever opens the store to heal may have to mend it: nothing of ours holds it then
            self._viewer.leave()
            try:
                host = self._take()
            except HolderError:
                return _another("another healer")
            except (HealmonError, OSError) as error:
                return Answer(ok=False, text=clean(f"it cannot be taken over: {error}"))
            self._inner = EngineLink(host)
        return Answer(ok=True, text="this screen heals now")

    def archive(self) -> Archive:
        """Return the stored past."""
        return self._inner.archive()

    def history(self, count: int) -> list[Recorded]:
        """Return the newest stored events, oldest first."""
        return self._inner.history(count)

    def older(self, before: int, count: int) -> list[Recorded]:
        """Return stored events before one, oldest first."""
        return self._inner.older(before, count)

    def trouble(self) -> str:
        """Return what is wrong with the healer; empty: it runs."""
        return self._inner.trouble()

    async def ask(self, verb: str, target: str, arguments: Packed) -> Answer:
        """Ask the healer for something and return its answer."""
        return await self._inner.ask(verb, target, arguments)

    async def peek(self, facts: Packed) -> Peek:
        """Return what a session shows right now."""
        return await self._inner.peek(facts)

    async def tail(self, worker: str, lines: int) -> Tail:
        """Return the newest lines of a worker's log."""
        return await self._inner.tail(worker, lines)

    async def explain(self, target: str) -> tuple[str, ...]:
        """Return what `healmon explain` says."""
        return await self._inner.explain(target)

    async def evidence(self, name: str) -> Packed:
        """Return what was kept of an act on a session."""
        return await self._inner.evidence(name)

    async def visit(self, facts: Packed, leave: Leave) -> str:
        """Take the person to a session's pane."""
        return await self._inner.visit(facts, leave)

    def usage(self) -> Usage | None:
        """Return what the healer's process costs."""
        return self._inner.usage()

    async def close(self) -> None:
        """Let go: our own healer ends, another's goes on."""
        await asyncio.to_thread(self._switching.acquire)
        try:
            await self._inner.close()
        finally:
            self._switching.release()


def _another(who: str) -> Answer:
    return Answer(ok=False, text=f"{who} was first and heals now: attached to it")
