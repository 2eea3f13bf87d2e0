"""How an estimator fares on made-up histories: what it misses, and how often it cries wolf."""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field

from healmon.disks.forecast import KEPT, Forecast, Sample, foresee
from tests.helpers.diskhistories import PER_DAY, SLOT, START, History

HOUR = 3600.0
EVERY = 3
"""Slots between two questions: a quarter of an hour."""
SETTLED = 2 * PER_DAY
"""Before two days of history nothing is asked to alarm."""

Estimator = Callable[[Sequence[Sample], float], Forecast]


@dataclass(slots=True)
class Score:
    """Of histories that filled, how many were missed; of all, the false alarms a machine-week."""

    fills: int = 0
    missed: list[str] = field(default_factory=list)
    false: list[str] = field(default_factory=list)
    weeks: float = 0.0
    leads: list[float] = field(default_factory=list)

    @property
    def false_a_week(self) -> float:
        return len(self.false) / self.weeks if self.weeks else 0.0


def alarms(
    history: History, horizon: float, estimate: Estimator = foresee, begin: int = SETTLED
) -> list[int]:
    """Return the slots at which an alarm begins: two answers in a row below the horizon.

    Args:
        history: what is foreseen.
        horizon: seconds.
        estimate: what foresees.
        begin: the first slot in which it is asked.
    """
    samples: list[Sample] = []
    begun: list[int] = []
    low = 0
    for slot, level in enumerate(history.levels):
        if math.isnan(level):
            continue
        at = START + slot * SLOT
        samples.append(Sample(at, level))
        if slot < begin or slot % EVERY:
            continue
        told = estimate(samples[-KEPT:], at)
        soon = told.way != "young" and told.eta is not None and told.eta < horizon
        low = low + 1 if soon else 0
        if low == 2:
            begun.append(slot)
    return begun


def score(histories: Sequence[History], horizon: float, estimate: Estimator = foresee) -> Score:
    """Return how an estimator fares; false: the truth is more than twice the horizon away."""
    found = Score()
    for history in histories:
        begun = alarms(history, horizon, estimate)
        found.weeks += (len(history.levels) - SETTLED) / PER_DAY / 7
        end = history.full
        right = [s for s in begun if end is not None and (end - s) * SLOT <= 2 * horizon]
        found.false += [history.kind for s in begun if s not in right]
        if end is None or end <= SETTLED:
            continue
        found.fills += 1
        if right:
            found.leads.append((end - right[0]) * SLOT)
        else:
            found.missed.append(history.kind)
    return found
