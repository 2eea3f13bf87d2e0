"""A healmon that decides on a notice and delivers it, and kills itself at its N-th step.

    python -m tests.helpers.noticekills < ORDERS

Each line, `STATE URL KILL_AT`, is a life in a child of its own; a line with its wait status and its
steps answers. A step is each moment before and after an event is kept, the disk has it, a delivery.
"""

from __future__ import annotations

import asyncio
import json
import os
import signal
import sys
import traceback
from pathlib import Path

from healmon import events as ev
from healmon.clock import SystemClock
from healmon.config import settings as st
from healmon.config.settings import Channel
from healmon.engine.courier import Courier
from healmon.engine.run import Outlet
from healmon.engine.stream import Stream
from healmon.events import Recorded
from healmon.state import Snapshot
from healmon.store.store import Store
from healmon.world.notifying import Message, SystemMessenger

KEY = "box/workers/a/down"


class Steps:
    """Counts steps, tells them, and dies in time."""

    def __init__(self, path: Path, kill_at: int) -> None:
        self._path = path
        self._kill_at = kill_at
        self.told: list[str] = []

    def reached(self, what: str) -> None:
        self.told.append(what)
        self._path.write_text(json.dumps(self.told))
        if len(self.told) == self._kill_at:
            os.kill(os.getpid(), signal.SIGKILL)


class StepStore:
    """The real store, with a step around each row."""

    def __init__(self, store: Store, steps: Steps) -> None:
        self._store = store
        self._steps = steps

    @property
    def last_id(self) -> int:
        return self._store.last_id

    @property
    def snapshot(self) -> Snapshot:
        return self._store.snapshot

    def append(self, record: Recorded) -> None:
        name = type(record.event).__name__
        self._steps.reached(f"about to keep {name}")
        self._store.append(record)
        self._steps.reached(f"kept {name}")

    async def flush(self, patience: float, /) -> bool:
        done = await self._store.flush(patience)
        self._steps.reached(f"on disk: {done}")
        return done


class StepMessenger(SystemMessenger):
    def __init__(self, steps: Steps) -> None:
        super().__init__()
        self._steps = steps

    def deliver(self, channel: Channel, message: Message) -> None:
        self._steps.reached("about to deliver")
        super().deliver(channel, message)
        self._steps.reached("delivered")


async def live(state: Path, url: str, kill_at: int) -> None:
    """Be told of an alert, once, and have it told."""
    clock, steps = SystemClock(), Steps(state / "steps", kill_at)
    store = Store.open(state / "healmon.db", host="box", now=clock.read())
    stream = Stream(store, clock)
    if not stream.snapshot.alerts:
        stream.emit(ev.EngineStarted("box", "1", 1, "daemon", False, 60.0, "boot", 0.0))
        stream.emit(ev.AlertOpened(KEY, "CRITICAL", "a", "a is down"))
        assert await store.flush(20.0)
    stream.journal = StepStore(store, steps)
    channel = Channel(name="ops", url=url)
    notify = st.Notify(channels=(channel,), steps=(st.Rung(after=0.0, channels=("ops",)),))
    outlet = Outlet(messenger=StepMessenger(steps), notify=notify, epoch=store.epoch)
    courier = Courier(stream, clock, outlet)
    await courier.once()
    await courier.close(20.0)
    await store.flush(20.0)
    store.close(20.0)


def main() -> None:
    for line in sys.stdin:
        state, url, kill_at = line.split()
        child = os.fork()
        if child == 0:
            try:
                asyncio.run(live(Path(state), url, int(kill_at)))
            except BaseException:  # noqa: BLE001 - the test must see it
                traceback.print_exc()
                os._exit(1)
            os._exit(0)
        _, status = os.waitpid(child, 0)
        steps = Path(state) / "steps"
        told = json.loads(steps.read_text()) if steps.exists() else []
        print(json.dumps([status, told]), flush=True)


if __name__ == "__main__":
    main()
