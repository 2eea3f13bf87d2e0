"""Noticing that the configuration file has changed, as a cycle begins: no wake-up of its own.

A file is read once it has been left alone for a moment, so that one that is being written is not
read half; what was read, right or wrong, is not read again until it changes.
"""

from __future__ import annotations

import asyncio
import os
from collections.abc import Awaitable, Callable
from contextlib import suppress
from functools import partial
from typing import TYPE_CHECKING, Final

from healmon.errors import ProbeError
from healmon.events import CycleStarted, Recorded
from healmon.world.hands import Hands

if TYPE_CHECKING:
    from healmon.service.host import Host

ORIGIN: Final = "file change"
STILL: Final = 1.0
"""Seconds for which nobody must have written into it."""

Print = tuple[int, int, int, int]
"""Device, inode, size and time of the newest write (ns) of a file."""


def print_of(path: str) -> Print | None:
    """Return what tells one state of a file from another; None: it is not there."""
    try:
        found = os.stat(path)  # noqa: PTH116 - four numbers of it
    except OSError:
        return None
    return found.st_dev, found.st_ino, found.st_size, found.st_mtime_ns


class FileWatch:
    """Has the configuration read again when its file has changed.

    Args:
        host: whose `monitor.reload_on_change` says whether that is wanted.
        reload: reads it again; told who asks.
    """

    def __init__(self, host: Host, reload: Callable[[str], Awaitable[None]]) -> None:
        self._host = host
        self._reload = reload
        self._hands = Hands("configuration watch")
        self._task: asyncio.Task[None] | None = None

    def heard(self, record: Recorded) -> None:
        """Look at the file when a cycle begins."""
        settings = self._host.settings
        wanted = settings.monitor.reload_on_change and settings.source is not None
        if not wanted or not isinstance(record.event, CycleStarted):
            return
        if self._task is None or self._task.done():
            look = self._look(settings.source or "", record.wall)
            self._task = asyncio.ensure_future(look)

    async def _look(self, source: str, now: float) -> None:
        with suppress(ProbeError):  # it is on a mount that hangs: as if it had not changed
            found = await self._hands.call(partial(print_of, source), patient=True)
            if found is None or found == self._host.file:
                return  # one that is gone for a moment is being replaced
            if abs(now - found[3] / 1e9) >= STILL:
                await self._reload(ORIGIN)

    def close(self) -> None:
        """Look no more."""
        self._hands.close()
