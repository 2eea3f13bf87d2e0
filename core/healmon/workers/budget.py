"""When a start may happen, for the sake of the host. Pure.

However many workers want to be started, at most `in_flight` starts are under way, two begin at
least `spacing` apart, and never more than `per_minute` within any minute. Who is first in the line:
those that do not fail again and again, of these those that others wait for, then the critical ones,
then whose time came first. Those that do fail leave room: one of the places and a third of the
minute are not for them. So however many of them there are, one that fell for the first time is not
kept down by them.

A moment that was given is kept: the plan that waits for it holds it. Where nothing can be given
because too many starts are under way, nothing is planned; every act that ends brings a new look.
What a person asks passes, but counts for those that come after it.
"""

from __future__ import annotations

from bisect import bisect_right, insort
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Final

from msgspec.structs import replace

from healmon.config.settings import Monitor, Worker
from healmon.state import PlanView, Snapshot
from healmon.workers.attempts import spawned
from healmon.workers.model import NAME, Memory, Seen

MINUTE: Final = 60.0
GRAIN: Final = 1e-6
"""Seconds by which moments may differ and be the same."""
NOBODY: Final = Monitor(
    name="", starts_in_flight=0, start_spacing=0.0, starts_per_minute=0, storm_failures=0
)
"""No budget and no storms."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Ask:
    """A worker that wants to be started.

    Attributes:
        due: steady time before which it need not be.
        rank: how many workers, one upon the other, it builds on.
        failing: its starts have failed again and again.
    """

    name: str
    due: float
    rank: int = 0
    critical: bool = False
    failing: bool = False

    @property
    def place(self) -> tuple[bool, int, bool, float, str]:
        """Where it stands in the line."""
        return self.failing, self.rank, not self.critical, self.due, self.name


@dataclass(frozen=True, slots=True, kw_only=True)
class Taken:
    """What the host's budget is already used for.

    Attributes:
        moments: steady times of the newest starts, and of those that are planned.
        in_flight: how many starts are under way.
    """

    moments: tuple[float, ...] = ()
    in_flight: int = 0


def ranks(workers: Iterable[Worker]) -> dict[str, int]:
    """Return for each worker on how many others, one upon the other, it builds."""
    after = {worker.name: worker.after for worker in workers}
    known: dict[str, int] = {}

    def rank(name: str, line: tuple[str, ...]) -> int:
        if name not in known:
            # a circle is refused when the configuration is read; here it must only end
            below = [n for n in after[name] if n in after and n not in line]
            known[name] = 1 + max((rank(n, (*line, n)) for n in below), default=-1)
        return known[name]

    return {name: rank(name, (name,)) for name in after}


def lesser(limits: Monitor) -> Monitor:
    """Return the part of the budget that is for those, too, that fail again and again."""
    places, starts = limits.starts_in_flight, limits.starts_per_minute
    return replace(
        limits,
        starts_in_flight=max(min(places, 1), places - 1),
        starts_per_minute=max(min(starts, 1), starts - max(1, starts // 3)),
    )


def earliest(limits: Monitor, moments: Sequence[float], due: float) -> float:
    """Return the first moment from `due` on at which one more start fits among `moments`.

    Args:
        limits: the host's budget.
        moments: steady times of other starts, in rising order.
        due: steady time.
    """
    at = due
    while (later := _after_conflict(limits, moments, at)) > at:
        at = later
    return at


def _after_conflict(limits: Monitor, moments: Sequence[float], at: float) -> float:
    """Return the next moment that may do, after one that does not; the same when it does."""
    place = bisect_right(moments, at)
    gap, most = limits.start_spacing, limits.starts_per_minute
    for other in moments[max(0, place - 1) : place + 1]:
        if abs(other - at) < gap - GRAIN:
            return max(other + gap, at + GRAIN)
    if not most:
        return at
    for first in range(max(0, place - most), place + 1):
        window = moments[first : first + most]  # with the new one they are too many for a minute?
        if len(window) == most and max(at, window[-1]) - min(at, window[0]) < MINUTE - GRAIN:
            return max(window[0] + MINUTE, at + GRAIN)
    return at


def moments(
    limits: Monitor, asks: Iterable[Ask], taken: Taken, now: float
) -> dict[str, float | None]:
    """Return when each worker may be started; None: not before a start under way has ended.

    Args:
        limits: the host's budget.
        asks: who wants to be started.
        taken: what is used already.
        now: steady time.
    """
    given: dict[str, float | None] = {}
    line, free = sorted(taken.moments), limits.starts_in_flight - taken.in_flight
    less = lesser(limits)
    for ask in sorted(asks, key=lambda ask: ask.place):
        mine = less if ask.failing else limits
        at = earliest(mine, line, max(now, ask.due))
        if at <= now and limits.starts_in_flight:
            if free <= limits.starts_in_flight - mine.starts_in_flight:
                given[ask.name] = None
                continue
            free -= 1
        given[ask.name] = at
        insort(line, at)
    return given


def taken(
    limits: Monitor, known: Snapshot, seen: Seen, memories: Mapping[str, Memory], now: float
) -> Taken:
    """Return what is used of the budget: newest starts, starts under way, plans that wait."""
    starts = [at for memory in memories.values() for at in memory.starts if at > now - MINUTE]
    plans = {name: view for name, view in known.plans.items() if is_start(view)}
    begun = {
        name: one.record.steady
        for name, one in seen.workers.items()
        if one.record is not None
        and one.record.number > memories[name].attempt
        and one.record.steady not in memories[name].starts
        and (spawned(one.record) or (one.acting and one.record.verb != "stop"))
    }
    planned = [view.due for name, view in plans.items() if name not in begun]
    begun_by_now = {name: view for name, view in plans.items() if under_way(view, now)}
    # of those that fail again and again, whoever has no place waits for one of theirs
    again = sum(1 for view in begun_by_now.values() if view.plan.order.get("again"))
    in_flight = len(begun_by_now) - again + min(again, lesser(limits).starts_in_flight)
    return Taken(moments=(*starts, *begun.values(), *planned), in_flight=in_flight)


def is_start(view: PlanView) -> bool:
    """Return whether a plan in flight starts a worker."""
    return view.plan.healer == NAME and view.plan.action != "stop_worker"


def under_way(view: PlanView, now: float) -> bool:
    """Return whether the time of a plan in flight has come."""
    return view.acting or view.due <= now
