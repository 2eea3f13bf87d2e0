"""Another configuration for an engine that runs: who heals now, without a healthy thing touched.

A healer whose settings changed is followed by another one, as if healmon had ended and begun again
for that healer alone: what it must know is in the snapshot, and that this is enough is what every
test that kills healmon shows. So a change needs no code of the healer's.

    held ─▶ what waits is called off ─▶ what acts has ended, and was looked at ─▶ followed ─▶ free
"""

from __future__ import annotations

import asyncio
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from healmon.config.settings import Alerts
from healmon.engine.acts import Acts
from healmon.engine.room import Room
from healmon.engine.run import Outlet
from healmon.events import AlertNoted, ConfigurationChanged
from healmon.healer import Healer

CALLED_OFF = "the configuration has changed; looking again"


@dataclass(frozen=True, slots=True, kw_only=True)
class Amendment:
    """Another configuration, ready to be in force.

    Attributes:
        told: the event that says so; None: nothing differs.
        notes: what else is to be told of it.
        interval: seconds between cycle starts.
        alerts: `[alerts]`.
        outlet: where notices go.
        healers: those whose settings changed, by name.
    """

    told: ConfigurationChanged | None
    notes: tuple[AlertNoted, ...] = ()
    interval: float
    alerts: Alerts
    outlet: Outlet | None
    healers: Mapping[str, Healer[Any]]


class Succession:
    """Lets healers be followed by others. Belongs to one event loop.

    Args:
        acts: what is under way.
    """

    def __init__(self, acts: Acts) -> None:
        self._acts = acts
        self._turn = asyncio.Lock()
        self._tasks: set[asyncio.Task[None]] = set()

    async def follow(self, rooms: Mapping[Room, Healer[Any]], patience: float) -> list[str]:
        """Have rooms taken over; what acts there ends first.

        Args:
            rooms: who follows where.
            patience: seconds to wait for that; it goes on afterwards.

        Returns:
            What is still under way, in words.
        """
        tasks = {asyncio.create_task(self._follow(r, h)): r for r, h in rooms.items()}
        if not tasks:
            return []
        self._tasks |= tasks.keys()
        for task in tasks:
            task.add_done_callback(self._tasks.discard)
        _, pending = await asyncio.wait(tasks, timeout=patience)
        return [f"{tasks[task].healer.title}, {self._acts.told(tasks[task])}" for task in pending]

    async def _follow(self, room: Room, healer: Healer[Any]) -> None:
        async with self._acts.held(room, CALLED_OFF):
            if room.owing:
                await room.round()  # whoever follows knows only what was told
            await room.follow(healer)

    async def close(self) -> None:
        """Let whoever has not been followed stay."""
        for task in self._tasks:
            task.cancel()
        await asyncio.gather(*self._tasks, return_exceptions=True)
