"""A standing judge of workers against one that judges everything anew: both must say the same.

Verdicts stand while nothing that they were made from has changed (`workers/calm`). So at every look
at all workers what was told, now or before, is compared with what would be said by a judge that
remembers nothing, and when it wants to look again.
"""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from copy import copy
from dataclasses import dataclass, field
from unittest import mock

from msgspec.structs import replace

from healmon.clock import Reading
from healmon.plans import Diagnosis, Verdict
from healmon.state import Snapshot
from healmon.workers.calm import Calm
from healmon.workers.diagnose import SOON, Judge
from healmon.workers.model import Seen

GRAIN = 0.01
"""Seconds by which two wishes to look again may differ."""


@dataclass(slots=True)
class Compared:
    """What came of it.

    Attributes:
        looks: how many were compared.
        stood: verdicts that were not told, because they stand.
        wrong: those that are not what would be said anew, in words: raised in a judgement, it would
            be taken for a crash of the healer, which the engine survives.
    """

    looks: int = 0
    stood: int = 0
    wrong: list[str] = field(default_factory=list[str])


@contextmanager
def compared() -> Iterator[Compared]:
    """Have every judgement compared while this lasts."""
    real, both = Judge.diagnose, Compared()

    def diagnose(judge: Judge, seen: Seen, known: Snapshot, now: Reading) -> Diagnosis:
        other = copy(judge)
        other._calm = Calm()
        anew = real(other, replace(seen, alike={}), known, now) if seen.fresh is None else None
        said = real(judge, seen, known, now)
        if anew is not None:
            both.looks += 1
            both.stood += len(anew.verdicts) - len(said.verdicts)
            try:
                _same(said, anew, known)
            except AssertionError as error:
                both.wrong.append(f"{now.steady:.1f} {error}")
        return said

    with mock.patch.object(Judge, "diagnose", diagnose):
        yield both


def _same(said: Diagnosis, anew: Diagnosis, known: Snapshot) -> None:
    told = {verdict.component: verdict for verdict in said.verdicts}
    for verdict in anew.verdicts:
        mine = told.get(verdict.component)
        if mine is not None:
            assert mine == verdict, f"told of {verdict.component} what is not so"
        else:
            _stands(verdict, known)
    assert (said.gone, said.systemic, said.hold) == (anew.gone, anew.systemic, anew.hold)
    if anew.look_again is not None:
        late = (said.look_again or float("inf")) - max(anew.look_again, SOON)
        assert late <= GRAIN, f"{late:g} s too late is looked again"


def _stands(verdict: Verdict, known: Snapshot) -> None:
    view = known.components.get(verdict.component)
    assert view is not None, f"{verdict.component} was never told"
    before = (view.status, view.summary, view.facts, known.memory.get(verdict.component, {}))
    would = (verdict.status, verdict.summary, verdict.facts, verdict.memory)
    assert before == would, f"{verdict.component} stands, and is otherwise by now"
    assert verdict.plan is None, f"{verdict.component} stands, and is to be acted on"
    mine = any(alert.component == verdict.component for alert in known.alerts.values())
    assert not verdict.findings, f"{verdict.component} stands, and there is more to tell"
    assert not mine, f"{verdict.component} stands, and nobody ends its alert"
