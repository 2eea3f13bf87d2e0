"""Keeping the output logs of workers small while they run."""

from __future__ import annotations

import asyncio
from collections.abc import Iterable
from contextlib import suppress
from functools import partial
from typing import Final

from healmon.clock import Clock
from healmon.config.settings import Worker
from healmon.errors import ProbeError
from healmon.workers.records import Records
from healmon.workers.starting import LOG_LIMIT
from healmon.world.hands import Hands
from healmon.world.shims import Shims

EVERY: Final = 300.0
"""Seconds between two rounds; a start sets a big log aside, too."""


class Upkeep:
    """Frees the older part of each output log that has grown too big.

    Args:
        shims: the door that can do so; None: logs are set aside at the next start only.
        records: where the logs are.
        workers: whose they are.
        clock: all waiting.

    Attributes:
        hands_off: nothing is changed: dry run.
    """

    def __init__(
        self, shims: Shims | None, records: Records, workers: Iterable[Worker], clock: Clock
    ) -> None:
        self.hands_off = True
        self._shims = shims
        self._logs = [str(records.log_path(worker.name)) for worker in workers]
        self._clock = clock
        self._hands = Hands("workers-upkeep")
        self._task: asyncio.Task[None] | None = None

    def start(self) -> None:
        """Begin; needs a running loop."""
        if self._shims is not None:
            self._task = asyncio.create_task(self._rounds(self._shims))

    async def _rounds(self, shims: Shims) -> None:
        while True:
            await self._clock.sleep(EVERY)
            if not self.hands_off:
                await self.round(shims)

    async def round(self, shims: Shims) -> None:
        """Look after each log once."""
        for log in self._logs:
            with suppress(OSError, ProbeError):  # a full disk, say: nothing was freed, nothing lost
                await self._hands.call(partial(shims.trim, log, LOG_LIMIT))

    async def close(self) -> None:
        """End."""
        if self._task is not None:
            self._task.cancel()
            await asyncio.gather(self._task, return_exceptions=True)
        self._hands.close()
