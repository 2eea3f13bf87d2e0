"""What is looked at, and what is told as it was seen last.

After an end, or an act that is over, a look is at those workers only; all others are as they were
seen last. All are looked at in every cycle, when the judgement of them changes by itself, after a
look that failed, and whenever nothing has happened since the look before.
"""

from __future__ import annotations

from msgspec.structs import replace

from healmon.clock import Reading
from healmon.workers.model import Seen, WorkerSeen
from healmon.workers.records import Records


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
        if self._last is not None and few and not late:
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
        before, self._last = self._last, seen
        if seen.fresh is None or before is None:
            return seen
        workers = {
            name: seen.workers[name] if name in seen.fresh else self._newest(name, one)
            for name, one in before.workers.items()
        }
        self._last = replace(seen, workers=workers)
        return self._last
