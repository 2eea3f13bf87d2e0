"""From the healer's thread to the screen: one wake-up for many events, nothing lost.

Events land in a queue; the screen is woken once and folds them all when it comes. When it does not
come (a terminal that stopped reading), the queue is folded by whoever fills it, so that memory
stays bounded and the snapshot stays true.
"""

from __future__ import annotations

import threading
from collections import deque
from collections.abc import Callable
from typing import Final

from healmon.events import Recorded
from healmon.service.link import Link
from healmon.state import Snapshot, apply
from healmon_tui.chronicle import Chronicle
from healmon_tui.ledger import Ledger
from healmon_tui.own import OwnCount
from healmon_tui.strips import Strips

HISTORY: Final = 500
"""Events of the past that the log begins with."""
PAGES: Final = 10
"""How many times as many are gone back for what is drawn of the time before."""
MANY: Final = 200
"""Events that wait at once from which on they are said to stream."""


class Bridge:
    """Keeps a snapshot and a chronicle in step with a link.

    Attributes:
        received: events folded so far.
        own: what is counted of the healer itself.
    """

    def __init__(self, link: Link, wake: Callable[[], object], *, limit: int = 10_000) -> None:
        self.link = link
        self.received = 0
        self._wake = wake
        self._limit = limit
        self._queue: deque[Recorded] = deque()
        self._waking = False
        self._folding = threading.Lock()
        self._snapshot = Snapshot()
        self._chronicle = Chronicle()
        self._opened = False
        self.own = OwnCount(begun=bool(link.attached))
        self._oldest = 0

    def open(self) -> None:
        """Begin: take the link's snapshot, its recent past, and then every event."""
        with self._folding:
            self._begin()

    def begin_anew(self) -> None:
        """Begin with what another store knows: numbers of before mean something else there.

        Raises:
            HealmonError, OSError: it cannot be read now; what was known stays.
        """
        with self._folding:
            self._drain()
            self._chronicle, kept = Chronicle(), self._chronicle
            try:
                self._begin()
            except BaseException:
                self._chronicle = kept
                raise

    def _begin(self) -> None:
        self._snapshot = self.link.open(self._sink)
        self._oldest = self._snapshot.last_id + 1
        for record in self.link.history(HISTORY):
            self._oldest = min(self._oldest, record.id)
            # what the sink delivers too comes from there
            if record.id <= self._snapshot.last_id:
                self._chronicle.add(record)
        self._chronicle.seed(self._snapshot)
        self._opened = True

    def resume(self) -> None:
        """Go on with a link that leads to another healer now; what was told stays told."""
        with self._folding:
            self._drain()
            last = self._snapshot.last_id
            self._snapshot = self.link.open(self._sink)
            missed = self._snapshot.last_id - last
            if missed < 0:  # the store was begun anew meanwhile: none of that is in it
                self._chronicle, missed = Chronicle(), self._snapshot.last_id
                last = 0
            for record in self.link.history(missed + HISTORY) if missed > 0 else ():
                if last < record.id <= self._snapshot.last_id:
                    self._chronicle.add(record)
                    self.received += 1
            self._chronicle.seed(self._snapshot)

    def look_back(self, since: float) -> bool:
        """Read older events for strips and journal, page by page; tell whether there were any.

        Blocks: not for the screen's thread. Only what is drawn of them is kept.

        Args:
            since: wall seconds beyond which nobody asks.
        """
        strips, ledger, before = Strips(), Ledger(), self._oldest
        for _ in range(PAGES):
            records = self.link.older(before, HISTORY)
            if not records:
                break
            page = Strips(), Ledger()
            for record in records:
                page[0].add(record)
                page[1].add(record)
            strips.before(page[0])
            ledger.before(page[1])
            before = records[0].id
            if records[0].wall < since:
                break
        if before == self._oldest:
            return False
        with self._folding:
            self._oldest = before
            self._chronicle.strips.before(strips)
            self._chronicle.ledger.before(ledger)
        return True

    @property
    def snapshot(self) -> Snapshot:
        """The snapshot as of the last `fold`."""
        return self._snapshot

    @property
    def chronicle(self) -> Chronicle:
        """The chronicle as of the last `fold`."""
        return self._chronicle

    def trouble(self) -> str:
        """Return what is wrong with the healer; empty: nothing."""
        return self.link.trouble()

    @property
    def streams(self) -> bool:
        """Whether so many events wait that to fold them takes as long as an eye can see."""
        return len(self._queue) > MANY

    def fold(self) -> bool:
        """Fold what waits; tell whether anything did. From the screen's thread."""
        self._waking = False
        return self._absorb()

    def _sink(self, record: Recorded) -> None:
        self._queue.append(record)
        if len(self._queue) >= self._limit and self._opened:
            self._absorb()
        if not self._waking:
            self._waking = True
            self._wake()

    def _absorb(self) -> bool:
        with self._folding:
            return self._drain()

    def _drain(self) -> bool:
        count = len(self._queue)
        for _ in range(count):
            record = self._queue.popleft()
            self._snapshot = apply(self._snapshot, record)
            self._chronicle.add(record)
            self.own.add(record.event)
        self.received += count
        return count > 0
