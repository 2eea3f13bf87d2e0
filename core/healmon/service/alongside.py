"""The engine with what goes on beside it: nothing of that ends unheard.

What crashes beside the engine is an alert of healmon's own, and begins anew; healing goes on. An
engine that fails is one, too, until it has run for a while again.
"""

from __future__ import annotations

import asyncio
import contextlib
from collections.abc import Callable, Coroutine, Mapping, Sequence
from typing import Any, TypeAlias

from healmon.clock import Clock
from healmon.engine import Engine
from healmon.engine.stream import Sink
from healmon.text import clean

ANEW = 30.0
"""Seconds until what crashed begins anew; one that lasts twice that is well."""
SAID = 300
"""Characters of a reason."""
Doing: TypeAlias = Callable[[], Coroutine[Any, Any, None]]


async def run(
    engine: Engine, clock: Clock, sinks: Sequence[Sink], doings: Mapping[str, Doing]
) -> None:
    """Run an engine until it has ended.

    Args:
        engine: opened, not yet running.
        clock: its clock.
        sinks: what listens to it meanwhile.
        doings: what goes on meanwhile, by what its alert is called.

    Raises:
        Exception: the engine failed.
    """
    for sink in sinks:
        engine.subscribe(sink)
    tasks = [asyncio.create_task(kept(engine, clock, *doing)) for doing in doings.items()]
    well = asyncio.get_running_loop().call_later(2 * ANEW, engine.side_fault, "engine", "")
    try:
        await engine.run()
    except Exception as error:
        with contextlib.suppress(Exception):
            engine.side_fault("engine", clean(f"{type(error).__name__}: {error}", limit=SAID))
        raise
    finally:
        well.cancel()
        for sink in sinks:
            engine.stream.unsubscribe(sink)
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)


async def kept(engine: Engine, clock: Clock, name: str, doing: Doing) -> None:
    """Do something until cancelled; a crash is an alert, and it begins anew."""
    loop = asyncio.get_running_loop()
    while True:
        well = loop.call_later(2 * ANEW, engine.side_fault, name, "")
        try:
            return await doing()
        except Exception as error:  # noqa: BLE001 - nothing may end unheard; healing goes on
            reason = clean(f"crashed: {type(error).__name__}: {error}", limit=SAID)
            engine.side_fault(name, reason)
        finally:
            well.cancel()
        await clock.sleep(ANEW)
