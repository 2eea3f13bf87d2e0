"""Programs that run beside a healer because its configuration says so: web server, exporter.

Each is a process of its own, so that nothing it does can delay a heal. One that ends is started
again after a pause that doubles; what is wrong with it is an alert until it is up. It is ended with
its healer. If the healer is killed, it goes on and tells that no healer runs; the next healer's own
follows it.

    wanted ─▶ starting ─▶ up ─▶ ended ─▶ pause ─▶ starting …          other settings ─▶ ended, begun
                          └─ hangs: says nothing ─▶ killed ─▶ ended
"""

from __future__ import annotations

import asyncio
import sys
from collections.abc import Callable, Sequence
from functools import partial
from pathlib import Path
from typing import Final, NamedTuple

from healmon.clock import Clock
from healmon.config.settings import Settings
from healmon.service import instance
from healmon.service.statedir import WEB
from healmon.text import clean
from healmon.world.sidechild import TOLD, SideChild

FIRST: Final = 1.0
"""Seconds until the first new start; they double up to `LONGEST`."""
LONGEST: Final = 60.0
STEADY: Final = 60.0
"""Seconds of being up after which a new start is the first one again."""
LEAVE: Final = 3.0
"""Seconds that it gets to end."""
COME: Final = 30.0
"""Seconds that it may take to be up."""
SILENT: Final = 60.0
"""Seconds without a word after which one that is up hangs."""

Complain = Callable[[str, str], None]
"""Told the name of a program and what is wrong with it; empty: nothing."""


CHILD: Final = "web"
"""What a web server that a healer started says that it is, in its lock's file."""
AWAY: Final = 5.0
"""Seconds in which one that makes way must be gone."""
SIGTERM: Final = 15
SIGKILL: Final = 9


def make_way(state_dir: Path) -> int | None:
    """End the web server that a healer started, if there is one; returns its pid.

    For when no healer runs that would end it, or it is another one's than ours.
    """
    from healmon.world.processes import Identity  # noqa: PLC0415 - hardly ever needed
    from healmon.world.system_processes import SystemProcesses  # noqa: PLC0415 - likewise

    folder = state_dir / WEB
    found = instance.holder(folder) if folder.is_dir() else None
    if found is None or found.mode != CHILD or not found.ticks:
        return None
    # one that hangs holds nothing that could be lost
    for stronger in (SIGTERM, SIGKILL):
        SystemProcesses().signal(Identity(found.boot_id, found.pid, found.ticks), stronger)
        if instance.wait_released(folder, AWAY):
            break
    return found.pid


class Order(NamedTuple):
    """What is to run beside a healer.

    Attributes:
        name: for people: the condition of its alert.
        argv: the program and its arguments.
        marks: settings that it read when it was started: others mean another start.
    """

    name: str
    argv: tuple[str, ...]
    marks: object = None


def orders(settings: Settings, state_dir: Path) -> tuple[Order, ...]:
    """Return what these settings want to run beside a healer."""
    wanted: list[Order] = []
    if settings.web.listen:
        place = ("--config", settings.source) if settings.source else ()
        argv = (
            *(sys.executable, "-P", "-m", "healmon.web.child", settings.web.listen, TOLD),
            *("--state-dir", str(state_dir), *place),
        )
        wanted.append(Order("web", argv, settings.web))
    if settings.metrics.listen:
        argv = (
            *(sys.executable, "-P", "-m", "healmon.service.exporter", settings.metrics.listen),
            *(TOLD, str(state_dir), *(("--network",) if settings.metrics.network else ())),
        )
        wanted.append(Order("metrics", argv))
    return tuple(wanted)


class Sides:
    """All of them, for one healer. Belongs to its event loop.

    Args:
        wanted: from `orders`.
        clock: the engine's.
        complain: told what is wrong.
    """

    def __init__(self, wanted: Sequence[Order], clock: Clock, complain: Complain) -> None:
        self._clock = clock
        self._complain = complain
        self._wanted = tuple(wanted)
        self._changed = asyncio.Event()
        self._tasks: dict[Order, asyncio.Task[None]] = {}

    def amend(self, wanted: Sequence[Order]) -> None:
        """Let others run from now on; what is wanted as before is left alone."""
        self._wanted = tuple(wanted)
        self._changed.set()

    async def run(self) -> None:
        """Keep them up until cancelled; then they are ended."""
        try:
            while True:
                away = set(self._tasks) - set(self._wanted)
                await self._end(away)
                for order in away:
                    self._complain(order.name, "")
                for order in self._wanted:
                    if order not in self._tasks:
                        keeping = Side(order, self._clock, partial(self._complain, order.name))
                        self._tasks[order] = asyncio.create_task(keeping.keep())
                await self._changed.wait()
                self._changed.clear()
        finally:
            await self._end(set(self._tasks))

    async def _end(self, away: set[Order]) -> None:
        tasks = [self._tasks.pop(order) for order in away]
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)


class Side:
    """One program, kept up.

    Args:
        order: what it is.
        clock: the engine's.
        complain: told what is wrong with it.
    """

    def __init__(self, order: Order, clock: Clock, complain: Callable[[str], None]) -> None:
        self._order = order
        self._clock = clock
        self._complain = complain

    async def keep(self) -> None:
        """Start it, again and again, until cancelled; then it is ended."""
        pause = FIRST
        while True:
            lasted = await self._once()
            pause = FIRST if lasted > STEADY else pause
            await self._clock.sleep(pause)
            pause = min(2 * pause, LONGEST)

    async def _once(self) -> float:
        """Start it and wait for its end; returns the seconds for which it was up."""
        try:
            child = SideChild(self._order.argv)
        except OSError as error:
            self._complain(clean(f"it cannot be started: {error.strerror}"))
            return 0.0
        hearing = _Hearing(child)
        try:
            return await self._heard(child, hearing)
        finally:
            hearing.close()
            await asyncio.shield(asyncio.to_thread(_end, child))

    async def _heard(self, child: SideChild, hearing: _Hearing) -> float:
        reason, up = "", None
        while True:
            within = COME if up is None else SILENT
            try:
                async with asyncio.timeout(within):
                    line = await hearing.lines.get()
            except TimeoutError:
                if not hearing.lines.empty():  # it was we who stood still
                    continue
                hangs = f"it hangs: not a word for {SILENT:g} s"
                self._complain(f"it is not up after {COME:g} s" if up is None else hangs)
                return 0.0
            if line is None:
                break
            word, _, text = line.partition(" ")
            if word == "up":
                up = self._clock.read().steady
                self._complain("")
            elif word == "failed":
                reason = text
        await asyncio.to_thread(child.gone, LEAVE)
        self._complain(reason or child.how or "it went away")
        return 0.0 if up is None else self._clock.read().steady - up


class _Hearing:
    """What a program says, as a queue; None: it says nothing any more."""

    def __init__(self, child: SideChild) -> None:
        self.lines: asyncio.Queue[str | None] = asyncio.Queue()
        self._child = child
        self._loop = asyncio.get_running_loop()
        self._fd: int | None = child.fd
        self._loop.add_reader(child.fd, self._hear)

    def _hear(self) -> None:
        lines, over = self._child.hear()
        for line in lines:
            self.lines.put_nowait(line)
        if over:
            self.close()
            self.lines.put_nowait(None)

    def close(self) -> None:
        """Listen no more."""
        if self._fd is not None:
            self._loop.remove_reader(self._fd)
            self._fd = None


def _end(child: SideChild) -> None:
    child.ask_to_end()
    if not child.gone(LEAVE):
        child.kill()
        child.gone(LEAVE)  # to die takes a turn of the processor, too
