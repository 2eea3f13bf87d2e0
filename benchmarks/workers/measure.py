"""One session: one contestant with so many workers, from its start to its end."""

from __future__ import annotations

import os
import random
import shutil
import signal
import time
from collections.abc import Callable
from contextlib import suppress
from pathlib import Path

import msgspec

from benchmarks.workers import gauge
from benchmarks.workers.contestant import Contestant, Place, tail
from benchmarks.workers.gauge import Idle, Memory
from benchmarks.workers.stamps import Birth, Stamps, TroubleError

SETTLED = 1.25
"""Seconds that a worker lives before it is killed: s6 and runit hold back younger ones."""
WARM_UPS = 1
"""Crashes at the beginning that are not counted: code and data come from the disk."""


class Plan(msgspec.Struct, frozen=True, kw_only=True):
    """What is measured.

    Attributes:
        counts: of workers.
        rounds: in which all contestants take turns; repetitions are spread over them.
        crashes: single crashes counted, over all rounds; as many of adopted workers.
        masses: crashes of all workers at once, over all rounds.
        budget: seconds after which a slow contestant has shown enough single crashes.
        idle: seconds of the idle window, at least.
        whole_cycle: lengthen it to a contestant's own period.
        pauses: shortest and longest pause before a crash; by chance, so that nobody's polling
            keeps step with it.
    """

    counts: tuple[int, ...] = (3, 100, 300)
    rounds: int = 2
    crashes: int = 50
    masses: int = 4
    budget: float = 150.0
    idle: float = 30.0
    whole_cycle: bool = True
    pauses: tuple[float, float] = (0.1, 1.1)


class Raw(msgspec.Struct, kw_only=True):
    """What was measured of one contestant with one count of workers, over all rounds.

    Attributes:
        start: seconds until all workers were ready the first time.
        single, adopted, mass: milliseconds from kill to ready.
        memory, memory_after: before the first crash, and after the last.
        surplus: births that nobody asked for: second copies, restarts of the living.
        trouble: why it was not measured to the end.
    """

    start: list[float] = []
    single: list[float] = []
    adopted: list[float] = []
    mass: list[float] = []
    memory: Memory | None = None
    memory_after: Memory | None = None
    idle: Idle | None = None
    surplus: int = 0
    trouble: str = ""


class Session:
    """A contestant at work.

    Args:
        contestant: who.
        plan: what is measured.
        count: of workers.
        folder: of its own; it is removed at the end.
        raw: where the measures are added.
    """

    def __init__(
        self, contestant: Contestant, plan: Plan, count: int, folder: Path, raw: Raw
    ) -> None:
        folder.mkdir(mode=0o700)
        self._contestant = contestant
        self._plan = plan
        self._raw = raw
        self._place = Place(
            folder=folder,
            fifo=folder / "fifo",
            names=tuple(f"w{number:03d}" for number in range(count)),
            worker=contestant.tools.worker,
        )
        self._stamps = Stamps(self._place.fifo)
        self._kills = 0
        self._chance = random.Random(count)  # the same pauses for everybody

    def run(self, number: int) -> None:
        """Measure round `number`; trouble is noted, and the contestant ended all the same."""
        try:
            try:
                self._measure(number)
            finally:
                self._contestant.end(self._workers())
        except TroubleError as error:
            said = tail(self._place)
            self._raw.trouble = f"{error}; its last words: {said[-300:]}" if said else str(error)
        finally:
            self._stamps.close()
            shutil.rmtree(self._place.folder, ignore_errors=True)

    def _measure(self, number: int) -> None:
        plan, raw = self._plan, self._raw
        began = time.monotonic_ns()
        self._contestant.start(self._place)
        births = self._births(self._place.names, began, self._long())
        raw.start.append((births[-1].at - began) / 1e9)
        self._settle()
        if number == 0:
            raw.memory = gauge.memory(self._own())
            raw.idle = self._idle()
        self._repeat(_share(plan.crashes, plan.rounds, number), raw.single, self._crash)
        if self._contestant.readopts:
            self._adopt(_share(plan.crashes, plan.rounds, number))
        for _ in range(_share(plan.masses, plan.rounds, number)):
            self._settle()
            self._pause()
            raw.mass.append(self._crash_all())
        self._settle()
        raw.memory_after = gauge.memory(self._own())
        self._stamps.read()
        raw.surplus += self._stamps.count - len(self._place.names) - self._kills

    # Crashes.

    def _repeat(self, times: int, into: list[float], crash: Callable[[], float]) -> None:
        end = time.monotonic() + self._plan.budget / self._plan.rounds
        for turn in range(times + WARM_UPS):
            took = crash()
            if turn >= WARM_UPS:
                into.append(took)
            if time.monotonic() > end:
                return

    def _crash(self) -> float:
        """Kill the worker that has lived longest; return the milliseconds until its successor."""
        victim = min(self._stamps.newest.values(), key=lambda birth: birth.at)
        self._sleep_until_old(victim)
        self._pause()
        since = self._kill(victim)
        (birth,) = self._births([victim.name], since, self._contestant.limit)
        return (birth.at - since) / 1e6

    def _adopt(self, crashes: int) -> None:
        """Crash workers that the supervisor did not start: it was killed and begun again first."""
        left, end = crashes, time.monotonic() + self._plan.budget / self._plan.rounds
        while left > 0 and time.monotonic() < end:
            self._contestant.crash()
            self._contestant.again(self._place)
            self._settle()
            # each worker once: its successor is no adopted one
            for _ in range(min(left, len(self._place.names))):
                self._raw.adopted.append(self._crash())
                left -= 1

    def _crash_all(self) -> float:
        """Kill all workers at once; return the milliseconds until the last successor."""
        victims = list(self._stamps.newest.values())
        since = self._kill(*victims)
        births = self._births(self._place.names, since, self._long())
        return (births[-1].at - since) / 1e6

    def _kill(self, *victims: Birth) -> int:
        """Kill workers and return when that began, in nanoseconds."""
        since = time.monotonic_ns()
        for victim in victims:
            try:
                os.kill(victim.pid, signal.SIGKILL)
            except ProcessLookupError:
                raise TroubleError(f"{victim.name} ended by itself") from None
        self._kills += len(victims)
        return since

    # Waiting.

    def _births(self, names: tuple[str, ...] | list[str], since: int, limit: float) -> list[Birth]:
        return self._stamps.wait(names, since, limit, self._contestant.trouble)

    def _long(self) -> float:
        """Return how many seconds a start of all workers may take."""
        return self._contestant.limit + 0.6 * len(self._place.names)

    def _settle(self) -> None:
        """Return when all workers are old enough and the supervisor has nothing left to do."""
        end = time.monotonic() + self._long()
        while not self._contestant.settled(self._place):
            if why := self._contestant.trouble():
                raise TroubleError(why)
            if time.monotonic() > end:
                raise TroubleError(f"it has not settled within {self._long():.0f} s")
            time.sleep(0.05)
        self._stamps.read()
        self._sleep_until_old(max(self._stamps.newest.values(), key=lambda birth: birth.at))

    def _sleep_until_old(self, birth: Birth) -> None:
        time.sleep(max(0.0, SETTLED - (time.monotonic_ns() - birth.at) / 1e9))

    def _pause(self) -> None:
        time.sleep(self._chance.uniform(*self._plan.pauses))

    # Cost.

    def _workers(self) -> set[int]:
        with suppress(OSError):
            self._stamps.read()
        return {birth.pid for birth in self._stamps.newest.values()}

    def _own(self) -> set[int]:
        return self._contestant.own(self._workers())

    def _idle(self) -> Idle:
        period = self._contestant.period
        window = max(self._plan.idle, period) if self._plan.whole_cycle else self._plan.idle
        own = self._own()
        began, before = time.monotonic(), gauge.used(own)
        time.sleep(window)
        after, ended = gauge.used(own), time.monotonic()
        whole = window >= period
        return gauge.between(before, after, ended - began, whole_cycle=whole)


def _share(all_of_them: int, rounds: int, number: int) -> int:
    """Return how many of so many repetitions belong to round `number`."""
    return all_of_them // rounds + (number < all_of_them % rounds)
