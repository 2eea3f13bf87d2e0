"""What is looked at, and what is told as it was seen last.

After an end, or an act that is over, a look is at those workers only; all others are as they were
seen last. All are looked at in every cycle, when the judgement of them changes by itself, after a
look that failed or was never judged, and whenever nothing has happened since the look before.
"""

from __future__ import annotations

from collections.abc import Mapping

from msgspec.structs import replace

from healmon.clock import Reading
from healmon.workers.model import Seen, WorkerSeen
from healmon.workers.records import Records
from healmon.world.processes import DEAD, Identity, ProcessFacts


class Sight:
    """Remembers the newest look at each worker; belongs to one event loop.

    Args:
        records: what healmon wrote about them; always as it is now.
        every: seconds after which all are looked at, whatever asks.
    """

    def __init__(self, records: Records, every: float) -> None:
        self._records = records
        self._every = every
        self._touched: set[str] = set()
        self._whole_at = float("-inf")
        self._again_at = float("inf")
        self._last: Seen | None = None
        self._judged = False

    def touch(self, name: str) -> None:
        """Have a worker looked at the next time: something has happened to it."""
        self._touched.add(name)

    def look_again(self, at: float | None) -> None:
        """Take in at which steady time the judgement of all changes by itself."""
        self._again_at = at if at is not None else float("inf")

    def turn(self, now: Reading) -> frozenset[str] | None:
        """Return whom to look at now; None: all. What comes of it goes to `whole`."""
        few, self._touched = frozenset(self._touched), set()
        late = now.steady >= min(self._whole_at + self._every, self._again_at)
        if self._last is not None and self._judged and few and not late:
            return few
        self._whole_at = now.steady
        return None

    def failed(self) -> None:
        """Take in that nothing came of a look: the next one is at all."""
        self._last = None

    def _newest(self, name: str, one: WorkerSeen) -> WorkerSeen:
        """Return a worker as it was seen last, with what is written down of it; itself, if so."""
        record, wish = self._records.start(name), self._records.wish(name)
        if record is one.record and wish is one.wish:
            return one
        return replace(one, record=record, wish=wish)

    def whole(self, seen: Seen) -> Seen:
        """Return a look with what it left out as that was seen last."""
        before, self._last, self._judged = self._last, seen, False
        if seen.fresh is None or before is None:
            return seen
        workers = {
            name: seen.workers[name] if name in seen.fresh else self._newest(name, one)
            for name, one in before.workers.items()
        }
        self._last = replace(seen, workers=workers)
        return self._last

    def judged(self, who: Mapping[str, Identity]) -> None:
        """Take in that the newest look was judged, and who each worker is by that.

        Whom only memory named was found among all processes, and stands in no look at the worker:
        shown again without all of them, it would be taken for gone, and started a second time.
        """
        self._judged = True
        if self._last is None or self._last.everyone is None:
            return
        workers = dict(self._last.workers)
        for name, identity in who.items():
            facts = self._last.everyone.get(identity)
            if facts is not None and facts.state not in DEAD and name in workers:
                workers[name] = _with(workers[name], facts)
        self._last = replace(self._last, workers=workers)


def _with(one: WorkerSeen, facts: ProcessFacts) -> WorkerSeen:
    """Return a look at a worker in which a process of its stands; itself, if it does."""
    seen = (*one.known, *(match.facts for match in one.matches))
    if any(other.identity == facts.identity for other in seen):
        return one
    return replace(one, known=(facts, *one.known))
