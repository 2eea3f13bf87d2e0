"""`metrics.textfile`: the numbers as a file after each cycle, for node_exporter to pick up.

Written by the healer itself, out of the snapshot that it has, so that no other process need run.
Nothing waits for it: it is made in a thread of its own, a write that hangs is followed by none, and
what is wrong is an alert. Nobody can be told by a file that its writer was killed: the time of the
last cycle in it tells, and node_exporter's node_textfile_mtime_seconds.
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Final

from healmon import events as ev
from healmon.clock import Clock
from healmon.errors import ProbeError
from healmon.events import Recorded
from healmon.state import Snapshot
from healmon.text import clean
from healmon.world.hands import Hands
from healmon.world.sharedfile import write_shared

if TYPE_CHECKING:
    from healmon.metrics.vitals import Vitals

PATIENCE: Final = 10.0
"""Seconds that a write may take."""
AFTERWARDS: Final = 0.05
"""Seconds after a cycle in which the store has the processor for itself."""
LAST: Final = 5.0
"""The same for the one at the end."""

Write = Callable[[Path, str], None]


class Textfile:
    """Writes after each finished cycle.

    Args:
        path: of the file; empty: there is none.
        pid: of the healer, whose costs are told.
        clock: the engine's.
        snapshot: returns the newest state.
        complain: called with what is wrong, and with nothing once it is written.
        write: writes a file so that it is always a whole one.
    """

    def __init__(
        self,
        path: str,
        pid: int,
        clock: Clock,
        snapshot: Callable[[], Snapshot],
        complain: Callable[[str], None],
        write: Write = write_shared,
    ) -> None:
        self._path = path
        self._pid = pid
        self._clock = clock
        self._snapshot = snapshot
        self._complain = complain
        self._write = write
        self._vitals: Vitals | None = None
        self._due = asyncio.Event()
        self._hands = Hands("healmon-textfile")

    def heard(self, record: Recorded) -> None:
        """Take note of a finished cycle; from the engine's loop."""
        if self._path and isinstance(record.event, ev.CycleFinished):
            # the store has the processor for itself now
            asyncio.get_running_loop().call_later(AFTERWARDS, self._due.set)

    def amend(self, path: str) -> None:
        """Write another file, or none, from the next cycle on."""
        if path != self._path:
            self._path = path
            self._hands.close()
            self._hands = Hands("healmon-textfile")  # the one before may hang
            self._complain("")

    async def run(self) -> None:
        """Write until cancelled."""
        while True:
            await self._due.wait()
            self._due.clear()
            if self._path:
                self._complain(await self._told(PATIENCE, running=True))

    async def close(self) -> None:
        """Leave word in the file that the healer has ended."""
        if self._path:
            await self._told(LAST, running=False)
        self._hands.close()

    async def _told(self, patience: float, *, running: bool) -> str:
        """Write once; returns what is wrong, or nothing."""
        path = Path(self._path)
        call = partial(self._tell, path, self._snapshot(), running=running)
        shown = clean(self._path, limit=200)
        try:
            async with asyncio.timeout(patience):
                await self._hands.call(call)
        except TimeoutError:
            return f"{shown}: not written within {patience:g} s"
        except ProbeError as error:
            return f"{shown}: {error.args[0]}"
        except OSError as error:
            return f"{shown}: {error.strerror}"
        return ""

    def _tell(self, path: Path, snapshot: Snapshot, *, running: bool) -> None:
        from healmon.metrics import Facts, exposition, families  # noqa: PLC0415 - few have a textfile
        from healmon.metrics.vitals import Vitals  # noqa: PLC0415 - likewise

        self._vitals = self._vitals or Vitals(self._clock)
        process = self._vitals.look(self._pid) if running else None
        facts = Facts(running, self._clock.read().wall, process)
        self._write(path, exposition(families(snapshot, facts)))
