"""What a session does in the minute after it was cleared: for its record, and nothing else."""

from __future__ import annotations

import asyncio
from typing import Final

from healmon.clock import Clock
from healmon.errors import ProbeError
from healmon.plans import Packed
from healmon.sessions import novelty
from healmon.sessions.dossier import Dossier
from healmon.sessions.novelty import Known
from healmon.sessions.probe import Probe
from healmon.sessions.verifying import LET_GO
from healmon.sessions.viewing import View, view
from healmon.world.pane import Pane

FOR: Final = 60.0
"""Seconds that a session is looked at after it was cleared."""
EVERY: Final = 5.0


class Afterwards:
    """Follows cleared sessions beside everything else, each for a minute at most."""

    def __init__(self, probe: Probe, clock: Clock) -> None:
        self._probe = probe
        self._clock = clock
        self._tasks: set[asyncio.Task[None]] = set()

    def follow(self, pane: Pane, agent: str, screen: str, dossier: Dossier) -> None:
        """Note in the dossier whether the pane is idle, works again, or neither."""
        known = novelty.absorb(Known(), screen, self._clock.read().steady)
        task = asyncio.create_task(self._watch(pane, agent, known, dossier))
        self._tasks.add(task)
        task.add_done_callback(self._tasks.discard)

    def close(self) -> None:
        """Give up; what was not seen is not told."""
        for task in self._tasks:
            task.cancel()

    async def _watch(self, pane: Pane, agent: str, known: Known, dossier: Dossier) -> None:
        began = self._clock.read().steady
        said = "neither idle nor at work within a minute"
        # what our own key has drawn is no work
        after = await self._see(pane, agent)
        known = known if after is None else novelty.absorb(known, after.screen, began)
        while after is not None and self._clock.read().steady - began < FOR:
            if after.sign.kind in LET_GO or after.shell:
                said = "idle"
                break
            await self._clock.sleep(EVERY)
            after = await self._see(pane, agent)
            if after is not None and novelty.novel(known, after.screen, self._clock.read().steady):
                said = "at work again"
                break
        seconds = round(self._clock.read().steady - began, 1)
        told: Packed = {"said": said if after is not None else "gone", "seconds": seconds}
        await dossier.afterwards(told)

    async def _see(self, pane: Pane, agent: str) -> View | None:
        try:
            return await view(self._probe, pane, agent)
        except ProbeError:
            return None
