"""How often one look wakes the thread that asks."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from typing import TypeVar

from healmon.clock import ManualClock
from healmon.config.settings import Database
from healmon.databases.model import Seen
from healmon.databases.probe import SAMPLES, Doors, look
from healmon.world.hands import Hands
from healmon.world.simulated.processes import SimulatedProcesses
from healmon.world.simulated.sqlite import SimulatedLocks

T = TypeVar("T")


class Counting(Hands):
    calls = 0

    async def call(self, call: Callable[[], T], *, patient: bool = False) -> T:
        self.calls += 1
        return await super().call(call, patient=patient)


def looked(locks: SimulatedLocks, pids: tuple[int, ...] = ()) -> tuple[Seen, int]:
    clock = ManualClock()
    processes, hands = SimulatedProcesses(clock), Counting("databases")
    for pid in pids:
        processes.add(("writer",), pid=pid, parent=1)
    databases = [Database(name=name, path=f"/data/{name}.db") for name in ("a", "b")]
    try:
        seen = asyncio.run(look(databases, Doors(locks, processes, clock, hands, own_pid=1)))
    finally:
        hands.close()
    return seen, hands.calls


def test_a_look_at_quiet_databases_wakes_it_once():
    locks = SimulatedLocks()
    locks.create("/data/a.db", "wal")
    locks.create("/data/b.db", "wal")

    seen, calls = looked(locks)

    assert calls == 1
    assert [(one.name, len(one.samples), one.holder) for one in seen.databases] == [
        ("a", 1, None), ("b", 1, None),
    ]  # fmt: skip


def test_a_lock_that_stands_is_looked_at_again_and_its_holder_is_named_at_last():
    locks = SimulatedLocks()
    locks.create("/data/a.db", "wal")
    locks.create("/data/b.db", "wal")
    locks.connect("/data/b.db", 77)
    locks.begin("/data/b.db", 77)

    seen, calls = looked(locks, (77,))

    assert calls == SAMPLES
    quiet, held = seen.databases
    assert (len(quiet.samples), quiet.holder) == (1, None)
    assert len(held.samples) == SAMPLES
    assert held.holder is not None
    assert held.holder.pid == 77
