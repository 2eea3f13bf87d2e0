"""The hands of the workers' healer, without the judge: look, act, look again."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager

import pytest
from msgspec.structs import replace

from healmon.clock import Clock, SystemClock
from healmon.config.settings import Worker
from healmon.errors import RemedyError, VetoError
from healmon.plans import Proof
from healmon.workers import budget
from healmon.workers.equipment import Equipment
from healmon.workers.healer import WorkersHealer
from healmon.workers.model import Order, Seen, StartRecord, Verb, WorkerSeen
from healmon.workers.records import Records
from healmon.world.host import SystemHost
from healmon.world.processes import Identity
from healmon.world.system_ports import SystemPorts
from healmon.world.system_shims import SystemShims
from tests.helpers.killpoints import plan_of
from tests.helpers.made_up import Noted
from tests.helpers.workerhost import Host

STARTERS = [pytest.param(False, id="plain"), pytest.param(True, id="shims")]
"""For tests that must hold with and without shims: parametrise `shims` with it."""


def play(scene: Callable[[], Awaitable[None]], limit: float = 300.0) -> None:
    async def limited() -> None:
        async with asyncio.timeout(limit):
            await scene()

    asyncio.run(limited())


class Rig:
    """One healer with real doors.

    Attributes:
        steps: everything that was announced.
        wakes: how often it asked for a look.
    """

    def __init__(self, host: Host, healer: WorkersHealer, workers: tuple[Worker, ...]) -> None:
        self.host = host
        self.healer = healer
        self.workers = {worker.name: worker for worker in workers}
        self.steps: list[str] = []
        self.wakes = 0

    def wake(self) -> None:
        self.wakes += 1

    def record(self, name: str = "task_worker") -> StartRecord:
        record = Records(self.host.state).start(name)
        assert record is not None
        return record

    def next_number(self, name: str) -> int:
        record = Records(self.host.state).start(name)
        return record.number + 1 if record is not None else 1

    async def seen(self) -> Seen:
        return await self.healer.look()

    async def look(self, name: str = "task_worker") -> WorkerSeen:
        return (await self.seen()).workers[name]

    async def carry_out(self, verb: Verb, name: str = "task_worker", **order: object) -> Proof:
        """Carry out an order; raises as the remedy does."""
        number = order.pop("number", None) or self.next_number(name)
        made = replace(Order(verb=verb, number=number), **order)
        hand = Noted()
        try:
            return await self.healer.carry_out(plan_of(self.workers[name], made), hand)
        finally:
            self.steps += hand.steps

    async def act(self, verb: Verb, name: str = "task_worker", **order: object) -> str:
        """Carry out an order and return what came of it in words."""
        try:
            return f"proved: {(await self.carry_out(verb, name, **order)).text}"
        except VetoError as error:
            return f"vetoed: {error}"
        except RemedyError as error:
            return f"failed: {error}"

    async def up(self, name: str = "task_worker") -> Identity:
        """Start a worker and return who it is."""
        said = await self.act("restart", name)
        assert said.startswith("proved: "), said
        who = self.record(name).worker
        assert who is not None
        return who

    async def until(self, condition: Callable[[], object], what: str, limit: float = 30.0) -> None:
        loop = asyncio.get_running_loop()
        end = loop.time() + limit
        while not condition():
            assert loop.time() < end, f"{what}: not within {limit:g} s"
            await asyncio.sleep(0.01)


@asynccontextmanager
async def rigged(
    host: Host,
    *workers: Worker,
    shims: bool = False,
    clock: Clock | None = None,
    starts_in_flight: int = 0,
    **more: object,
) -> AsyncIterator[Rig]:
    """Give a healer with real doors; what it starts stays for the host to end."""
    defaults = {"ports": SystemPorts(), "host": SystemHost()}
    means = Equipment(shims=SystemShims() if shims else None, **{**defaults, **more})
    clock = clock or SystemClock()
    limits = replace(budget.NOBODY, starts_in_flight=starts_in_flight)
    healer = WorkersHealer(
        workers, host.state, host.processes, clock, equipment=means, limits=limits
    )
    rig = Rig(host, healer, workers)
    healer.start(rig.wake)
    try:
        yield rig
    finally:
        await healer.close()
