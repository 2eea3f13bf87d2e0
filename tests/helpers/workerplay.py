"""Scenes with workers in a made-up world."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable
from pathlib import Path

from healmon.clock import ManualClock
from healmon.world.processes import Ended
from healmon.world.simulated.processes import Program
from tests.helpers.witness import WatchedWorld
from tests.helpers.workerbench import Bench, a_worker

HOUR = 3600.0
DIES_AT_ONCE = Program(lives=0.0, end=Ended(code=1))
STAYS = Program()
Scene = Callable[[Bench, WatchedWorld], Awaitable[None]]


def play(
    folder: Path, scene: Scene, *workers: object, jitter: float = 0.0, **more: object
) -> Bench:
    """Play a scene with one worker (or those given) and close everything behind it."""
    clock = ManualClock()
    world = WatchedWorld(clock)
    script = folder / "task_worker.py"
    script.touch()
    argv = ("/usr/bin/python3", str(script), "--daemon")
    mine = workers or (a_worker(**{"argv": argv, "script": str(script), **more}),)
    bench = Bench(tuple(mine), folder / "workers", world, clock, jitter=jitter)
    world.attend(bench)

    async def all_of_it() -> None:
        try:
            await scene(bench, world)
        finally:
            await bench.close()

    asyncio.run(all_of_it())
    return bench


def starts(world: WatchedWorld) -> list[float]:
    """Return the steady times of all starts."""
    return [at for at, _, _ in world.spawned]
