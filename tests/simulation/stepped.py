"""Calls that stand still at each of their steps, and files whose removal has steps.

A sweep is made on a thread. Here that thread has a turn only while the loop waits for it, and hands
it back before each file: so whatever happens in the loop comes between two files, in an order that
a seed decides.
"""

from __future__ import annotations

import asyncio
import threading
from collections.abc import Callable
from typing import Protocol, TypeVar

from healmon.errors import ProbeError
from healmon.world.filedata import Choice, Deed, Inode, Key, Limits, Need, Selection, Swept
from healmon.world.files import NOTHING_PASSED
from healmon.world.simulated.files import SimulatedFiles
from healmon.world.simulated.parts.files import File
from tests.simulation.virtual import KilledError, Pace

T = TypeVar("T")


class Play:
    """A call that is made on a thread of its own, step by step."""

    _here = threading.local()

    def __init__(self, call: Callable[[], object]) -> None:
        self._call = call
        self._turn, self._rest = threading.Semaphore(0), threading.Semaphore(0)
        self._thread: threading.Thread | None = None
        self._result: object = None
        self._error: BaseException | None = None
        self._killed = False
        self.over = False

    @classmethod
    def step(cls) -> None:
        """Let others have their turn, if whoever calls is such a call."""
        play = cls.mine()
        if play is not None:
            play._rest.release()
            play._turn.acquire()
            if play._killed:
                raise KilledError

    @classmethod
    def mine(cls) -> Play | None:
        """Return the call that whoever asks is in."""
        return getattr(cls._here, "play", None)

    def go_on(self) -> bool:
        """Let it go on to its next step; returns whether there is more."""
        if self._thread is None:
            self._thread = threading.Thread(target=self._run, daemon=True)
            self._thread.start()
        else:
            self._turn.release()
        self._rest.acquire()
        return not self.over

    def kill(self) -> None:
        """End it where it stands."""
        self._killed = True
        while self._thread is not None and not self.over:
            self.go_on()

    def result(self) -> object:
        if self._error is not None:
            raise self._error
        return self._result

    def _run(self) -> None:
        Play._here.play = self
        try:
            self._result = self._call()
        except BaseException as error:  # noqa: BLE001 - told to whoever waits
            self._error = error
        self.over = True
        self._rest.release()


def stepped(pace: Pace, between: Callable[[], float]) -> type:
    """Return the hands of a run whose calls have steps; between two of them time passes."""

    class SteppedHands:
        def __init__(self, name: str) -> None:
            self.name, self.lease = name, pace.lease
            self._turn = asyncio.Lock()
            self._closed = False

        async def call(
            self, call: Callable[[], T], *, patient: bool = False, within: float | None = None
        ) -> T:
            if self._closed:
                raise ProbeError(f"{self.name}: nothing is called any more")
            # as on a thread: whoever gives up on a call does not stop it
            return await asyncio.shield(asyncio.ensure_future(self._made(call)))

        async def _made(self, call: Callable[[], T]) -> T:
            async with self._turn:
                await asyncio.sleep(pace.pause())
                if not self.lease.alive:
                    raise KilledError
                if not self.name.startswith("clean"):
                    return call()  # a look has no steps
                play = Play(call)
                try:
                    while play.go_on():
                        await asyncio.sleep(between())
                        if self.lease.killed:
                            raise KilledError
                finally:
                    play.kill()
                await asyncio.sleep(pace.pause())
                return play.result()  # type: ignore[return-value]

        def close(self) -> None:
            self._closed = True

    return SteppedHands


class Watcher(Protocol):
    """Who sees to each file that goes."""

    def about_to_judge(self) -> None:
        """A file is looked at for the last time right after this."""

    def takes(self, selection: Selection, at: str, file: File, deed: Deed) -> None:
        """A file goes now."""

    def taken(self, held: int) -> None:
        """It is gone."""

    def empties(self, held: int) -> None:
        """A file goes from the trash."""


class SteppedFiles(SimulatedFiles):
    """Disks in memory; each file of a sweep is a step."""

    def __init__(self) -> None:
        super().__init__()
        self.watcher: Watcher
        self.sweeping: Selection | None = None
        self._sweeper: Play | None = None

    def sweep(
        self,
        selection: Selection,
        choice: Choice,
        deed: Deed,
        when: float,
        limits: Limits,
        stop: Callable[[], bool],
        *,
        passed: frozenset[Key] = NOTHING_PASSED,
    ) -> Swept:
        self.sweeping, self._sweeper = selection, Play.mine()
        try:
            return super().sweep(selection, choice, deed, when, limits, stop, passed=passed)
        finally:
            self.sweeping = self._sweeper = None

    def empty(
        self,
        selection: Selection,
        need: Need,
        stop: Callable[[], bool],
        *,
        before: float | None = None,
        per_second: int = 0,
    ) -> Swept:
        def asked() -> bool:
            self._step()
            return stop()

        self.sweeping, self._sweeper = selection, Play.mine()
        try:
            return super().empty(selection, need, asked, before=before)
        finally:
            self.sweeping = self._sweeper = None

    def _step(self) -> None:
        Play.step()
        self.watcher.about_to_judge()

    def _inode(self, at: str, file: File) -> Inode:
        if self._sweeper is not None and Play.mine() is self._sweeper:
            self._step()
        return super()._inode(at, file)

    def _take(
        self, selection: Selection, root: str, path: str, deed: Deed, when: float, **more: bool
    ) -> int:
        file = self._files[path]
        held = file.held
        self.watcher.takes(selection, path, file, deed)
        left = super()._take(selection, root, path, deed, when, **more)
        self.watcher.taken(held - left)
        return left
