"""Workers of whom a look at others tells nothing new: their newest judgement stands.

Where hundreds are supervised and one has ended, judging all of them anew would keep the processor
from the one. A judgement stands while nothing that it was made from has changed, and until the
moment at which it changes by itself: a look that comes later is at all of them (`workers.sight`).
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from typing import Final

from healmon.clock import Reading
from healmon.plans import Packed
from healmon.state import Snapshot
from healmon.workers.lifecycle import Judged
from healmon.workers.model import Seen, State

TELLS_NOTHING: Final = frozenset[State]({"healthy", "probation"})
"""States in which nothing is to be told of a worker that was not looked at and has not changed."""


@dataclass(frozen=True, slots=True)
class _Kept:
    """A judgement, what it was made from, and the steady times at which it changes by itself."""

    mine: Judged
    packed: Packed | None
    paused: bool
    run: float
    moments: tuple[float, ...]


class Calm:
    """The judgements that stand; belongs to one judge."""

    def __init__(self) -> None:
        self._kept: dict[str, _Kept] = {}

    def stands(self, name: str, seen: Seen, known: Snapshot, *, paused: bool) -> Judged | None:
        """Return the judgement of a worker that still stands; None: it is to be judged."""
        kept = self._kept.get(name)
        if kept is None or seen.fresh is None or name in seen.fresh or name in known.plans:
            return None
        # the very same objects: whatever changes is another one
        same = (
            kept.mine.look.one is seen.workers[name]
            and kept.packed is known.memory.get(name)
            and kept.paused == paused
            and kept.run == known.engine.started_at
        )
        return kept.mine if same else None

    def keep(
        self, mine: Judged, known: Snapshot, now: Reading, moments: Iterable[float], *, paused: bool
    ) -> None:
        """Take in a new judgement of which nothing needs to be written down.

        Args:
            mine: the judgement.
            known: what it was made from.
            now: when it was made.
            moments: in how many seconds it changes by itself.
            paused: the worker is in maintenance.
        """
        name = mine.look.worker.name
        self._kept[name] = _Kept(
            mine,
            known.memory.get(name),
            paused,
            known.engine.started_at,
            tuple(now.steady + moment for moment in moments),
        )

    def forget(self, name: str) -> None:
        """Have a worker judged anew the next time, whatever is looked at."""
        self._kept.pop(name, None)

    def moments(self, name: str, now: Reading) -> list[float]:
        """Return in how many seconds a judgement that stands changes by itself."""
        return [at - now.steady for at in self._kept[name].moments]
