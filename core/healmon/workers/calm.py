"""Workers of whom a look tells nothing new: their newest judgement stands.

Where hundreds are supervised and one has ended, judging all of them anew would keep the processor
from the one. A judgement stands while nothing that it was made from has changed, and until the
moment at which it changes by itself: a look that comes later is at all of them (`workers.sight`).

So it does after a look at the worker itself that shows what the one before showed: of one that is
simply up, with no failure that grows old and no alert that waits for its end.
"""

from __future__ import annotations

from collections.abc import Container, Iterable
from typing import Final

import msgspec
from msgspec.structs import replace

from healmon.clock import Reading, Steps
from healmon.plans import Packed
from healmon.state import Snapshot
from healmon.workers.lifecycle import Judged
from healmon.workers.model import Seen, State, WorkerSeen
from healmon.world.processes import ProcessFacts

TELLS_NOTHING: Final = frozenset[State]({"healthy", "probation"})
"""States in which nothing is to be told of a worker that was not looked at and has not changed."""


class _Kept(msgspec.Struct, frozen=True):
    """A judgement, what it was made from, and the steady times at which it changes by itself.

    Attributes:
        newest: the newest look at the worker, all of which show the same.
        told: it was; what was judged anew in a look at others is told by the next one at all.
    """

    mine: Judged
    newest: WorkerSeen
    packed: Packed | None
    paused: bool
    run: float
    steps: Steps
    moments: tuple[float, ...]
    told: bool


class Calm:
    """The judgements that stand; belongs to one judge."""

    def __init__(self) -> None:
        self._kept: dict[str, _Kept] = {}

    def stands(
        self,
        name: str,
        seen: Seen,
        known: Snapshot,
        now: Reading,
        *,
        paused: bool,
        alarmed: Container[str] = (),
    ) -> Judged | None:
        """Return the judgement of a worker that still stands; None: it is to be judged.

        Args:
            name: the worker.
            seen: the look.
            known: everything known before it.
            now: the time.
            paused: it is in maintenance.
            alarmed: workers with alerts, which a look at them may have to end.
        """
        kept = self._kept.get(name)
        if kept is None or name in known.plans:
            return None
        one = seen.workers[name]
        if seen.fresh is None or name in seen.fresh:
            alike = seen.alike.get(name) is kept.newest and name not in alarmed
            if not (kept.told and alike and _lasts(kept, name, known, now)):
                return None
        # the very same objects: whatever changes is another one
        elif kept.newest is not one:
            return None
        same = (
            kept.packed is known.memory.get(name)
            and kept.paused == paused
            and kept.run == known.engine.started_at
        )
        if not same:
            return None
        self._kept[name] = replace(kept, newest=one)
        return kept.mine

    def keep(
        self,
        mine: Judged,
        known: Snapshot,
        now: Reading,
        moments: Iterable[float],
        *,
        paused: bool,
        told: bool,
    ) -> None:
        """Take in a new judgement of which nothing needs to be written down.

        Args:
            mine: the judgement.
            known: what it was made from.
            now: when it was made.
            moments: in how many seconds it changes by itself.
            paused: the worker is in maintenance.
            told: it is told now.
        """
        name = mine.look.worker.name
        self._kept[name] = _Kept(
            mine,
            mine.look.one,
            known.memory.get(name),
            paused,
            known.engine.started_at,
            known.steps,
            tuple(now.steady + moment for moment in moments),
            told,
        )

    def forget(self, name: str) -> None:
        """Have a worker judged anew the next time, whatever is looked at."""
        self._kept.pop(name, None)

    def moments(self, name: str, now: Reading) -> list[float]:
        """Return in how many seconds a judgement that stands changes by itself."""
        return [at - now.steady for at in self._kept[name].moments]


def _lasts(kept: _Kept, name: str, known: Snapshot, now: Reading) -> bool:
    """Return whether no time that has passed since a judgement changes it, or what was told."""
    memory = kept.mine.memory
    return (
        kept.mine.state == "healthy"
        and not (memory.failures or memory.row)
        and name in known.components
        and kept.steps is known.steps
        and all(at > now.steady for at in kept.moments)
    )


def alike(before: WorkerSeen, one: WorkerSeen) -> bool:
    """Return whether a look at a worker shows nothing new but the age of its processes."""
    if len(one.known) != len(before.known) or len(one.matches) != len(before.matches):
        return False
    matches = tuple(
        replace(match, facts=_aged(match.facts, old.facts))
        for match, old in zip(one.matches, before.matches, strict=True)
    )
    known = map(_aged, one.known, before.known)
    return replace(one, known=tuple(known), matches=matches) == before


def _aged(facts: ProcessFacts, before: ProcessFacts) -> ProcessFacts:
    """Return one look at a process with what time alone changes as it was before."""
    return replace(facts, cpu_seconds=before.cpu_seconds, age=before.age)
