"""What workers use, from look to look: CPU, and the memory of whole trees."""

from __future__ import annotations

from collections.abc import Iterable, Sequence

from healmon.workers import memory
from healmon.workers.model import Use
from healmon.world.processes import Identity, ProcessFacts


class Gauges:
    """Remembers of each process what it had used at the look before."""

    def __init__(self) -> None:
        self._cpu: dict[Identity, tuple[float, float]] = {}
        self._usage: dict[Identity, memory.Usage] = {}
        self._before: dict[Identity, memory.Usage] = {}

    def turn(self, *, whole: bool = True) -> None:
        """Begin a look; who is not in one at all is forgotten."""
        self._before = self._usage
        self._usage = {} if whole else dict(self._usage)

    def use(
        self, main: Identity, members: Sequence[ProcessFacts], limit: int | None, steady: float
    ) -> Use:
        """Return what a worker and everything below it uses.

        Args:
            main: the process that is the worker.
            members: it, and everything that belongs to it.
            limit: bytes that all of them may have; None: no limit.
            steady: when the look is.
        """
        before = self._before.get(main, memory.Usage())
        usage = memory.taken(before, steady, [facts.rss for facts in members], limit)
        self._usage[main] = usage
        return usage.use

    def cpu_since(
        self, alive: Iterable[ProcessFacts], *, whole: bool = True
    ) -> dict[Identity, int]:
        """Return percent of one core that each used since the last look."""
        before, self._cpu = self._cpu, {} if whole else dict(self._cpu)
        percent: dict[Identity, int] = {}
        for facts in alive:
            spent, age = before.get(facts.identity, (0.0, 0.0))
            self._cpu[facts.identity] = (facts.cpu_seconds, facts.age)
            if facts.age - age >= 1.0:
                percent[facts.identity] = round(
                    100 * (facts.cpu_seconds - spent) / (facts.age - age)
                )
            elif facts.identity in before:
                self._cpu[facts.identity] = before[facts.identity]
        return percent
