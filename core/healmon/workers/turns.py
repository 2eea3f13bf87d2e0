"""Whose turn it is to be acted on, and when. Pure.

Each worker has a time of its own (its backoff, the end of its quarantine). The host's budget and a
storm may put it off, never forward. A plan that waits already keeps its moment unless a storm
forbids it.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Final

from healmon.clock import GRAIN, Reading
from healmon.config.settings import Monitor
from healmon.state import PlanView, Snapshot
from healmon.workers import breaker, budget, machine, planning
from healmon.workers.budget import Ask, Taken
from healmon.workers.lifecycle import Judged
from healmon.workers.model import NAME, StartRecord
from healmon.workers.storm import Storm

LATE: Final = 1.0
"""Seconds of waiting that need no explanation."""
IN_LINE: Final = "it waits for its turn: the host starts only so many at a time"
IN_STORM: Final = "it waits for its turn: after a storm one is started after the other"


@dataclass(frozen=True, slots=True, kw_only=True)
class Turn:
    """When a worker is to be acted on.

    Attributes:
        at: steady time; None: not before something else has ended.
        why: why that is later than it need be for its own sake.
    """

    at: float | None
    why: str = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class Line:
    """All that decides on turns."""

    limits: Monitor
    ranks: Mapping[str, int]
    judged: Mapping[str, Judged]
    known: Snapshot
    taken: Taken
    storm: Storm | None
    now: Reading


def waiting(known: Snapshot, name: str, now: Reading) -> PlanView | None:
    """Return the plan of healmon's own that waits for its moment, if there is one."""
    view = known.plans.get(name)
    if view is None or view.plan.origin != "healmon" or budget.under_way(view, now.steady):
        return None
    return view


def begins_again(view: PlanView, record: StartRecord | None, now: Reading) -> bool:
    """Return whether the moment has come of a plan that goes on with a half-done act."""
    if view.plan.healer != NAME or record is None or record.outcome != "begun":
        return False
    goes_on = view.plan.order.get("number") == record.number
    return goes_on and budget.under_way(view, now.steady + GRAIN)


def turns(line: Line) -> dict[str, Turn]:
    """Return the turn of every worker that is to be acted on."""
    begun = {n for n, v in line.known.plans.items() if budget.under_way(v, line.now.steady)}
    dues = {name: planning.due(mine, line.now) for name, mine in line.judged.items()}
    wants = {name: due for name, due in dues.items() if due is not None and name not in begun}
    given: dict[str, Turn] = {}
    asks: list[Ask] = []
    for name in _in_storm(line, wants, given):
        view = waiting(line.known, name, line.now)
        earliest = _not_before(line, name, wants[name])
        if planning.starts_none(line.judged[name]):
            given[name] = Turn(at=max(wants[name], line.now.steady))  # no budget is needed for that
        elif view is not None and view.due >= earliest - LATE:
            late = view.due > max(wants[name], line.now.steady) + LATE
            given[name] = Turn(at=view.due, why=_why(line, name) if late else "")
        else:
            asks.append(_ask(line, name, earliest))
    moments = budget.moments(line.limits, asks, line.taken, line.now.steady)
    for name, at in moments.items():
        late = at is None or at > max(wants[name], line.now.steady) + LATE
        given[name] = Turn(at=at, why=_why(line, name) if late else "")
    return given


def _in_storm(line: Line, wants: Mapping[str, float], given: dict[str, Turn]) -> list[str]:
    """Return whose turn it may be; of those in a storm that is one at most."""
    if line.storm is None:
        return list(wants)
    members = [name for name in wants if name in line.storm.members]
    others = [name for name in wants if name not in line.storm.members]
    ready = max(line.now.steady, line.storm.held_until)
    members.sort(key=lambda name: (wants[name] > ready, _ask(line, name, wants[name]).place))
    busy = any(_busy(line, name) for name in line.storm.members if name in line.judged)
    chosen = members[: 0 if busy else 1]
    given |= {name: Turn(at=None, why=IN_STORM) for name in members if name not in chosen}
    return [*chosen, *others]


def _busy(line: Line, name: str) -> bool:
    view, mine = line.known.plans.get(name), line.judged[name]
    if view is not None and budget.under_way(view, line.now.steady):
        return True
    return mine.look.one.acting or (mine.state in machine.UNDER_WAY and mine.half is None)


def _not_before(line: Line, name: str, due: float) -> float:
    if line.storm is None or name not in line.storm.members:
        return due
    return max(due, line.storm.held_until)


def _ask(line: Line, name: str, due: float) -> Ask:
    mine = line.judged[name]
    return Ask(
        name=name,
        due=due,
        rank=line.ranks.get(name, 0),
        critical=mine.look.worker.critical,
        failing=breaker.failing(mine.memory),
    )


def _why(line: Line, name: str) -> str:
    return IN_STORM if line.storm is not None and name in line.storm.members else IN_LINE
