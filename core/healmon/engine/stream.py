"""The one stream of events: numbered, folded, stored and handed to whoever listens."""

from __future__ import annotations

import threading
from collections.abc import Callable
from typing import Protocol

from healmon.clock import Clock, Gap, Reading, gap
from healmon.events import ClockJumped, Event, Recorded
from healmon.state import Snapshot, apply
from healmon.state.stepping import missed

Sink = Callable[[Recorded], None]


class Journal(Protocol):
    """Where events are kept; the health store is one."""

    @property
    def last_id(self) -> int:
        """The id of the newest event ever kept."""
        ...

    @property
    def snapshot(self) -> Snapshot:
        """What all events kept so far fold into."""
        ...

    def append(self, record: Recorded) -> None:
        """Keep one more event. Never blocks, never raises."""
        ...

    async def flush(self, patience: float, /) -> bool:
        """Return True once all events are on disk; False when they cannot be, or not in time."""
        ...


class Stream:
    """Gives every event its number, folds it, keeps it and passes it on."""

    def __init__(self, journal: Journal, clock: Clock) -> None:
        self.journal = journal
        self.snapshot = journal.snapshot
        self._clock = clock
        self._next = max(journal.last_id, self.snapshot.last_id) + 1
        self._sinks: list[Sink] = []
        self._heeded: Reading | None = None
        # screens subscribe from other threads; snapshot and stream must not drift apart meanwhile
        self._lock = threading.Lock()

    def heed_clock(self) -> None:
        """Tell it if the host slept or the wall clock was set since the last time.

        Whoever compares now with when something ends calls it before: the ends move along.
        """
        before, now = self._heeded, self._clock.read()
        if now is before:
            return
        self._heeded = now
        if before is not None and (jump := gap(before, now)):
            self._jumped(jump, now.boot - before.boot)

    def heed_absence(self, boot: str, offset: float) -> float:
        """Tell what became of the clocks while no healmon ran, before anything else is told.

        Returns:
            By how many seconds the wall clock was set.

        Args:
            boot: the id of this boot.
            offset: of the clock (`SystemClock.offset`).
        """
        last, now = self.snapshot.engine, self._clock.read()
        self._heeded = now
        jump = missed(last, self.snapshot.at, now, boot, offset)
        if jump:
            within = now.wall - jump.stepped - self.snapshot.at
            self._jumped(jump, within, off=last.boot != boot)
        return jump.stepped

    def _jumped(self, jump: Gap, within: float, *, off: bool = False) -> None:
        suspended, stepped = round(jump.suspended, 3), round(jump.stepped, 3)
        self.emit(ClockJumped(suspended, stepped, off, round(within, 3)))

    def emit(self, event: Event, cause: int | None = None) -> int:
        """Record an event and return its id.

        A clock that was set is told before: else the moments in the event moved along with it.
        """
        if not isinstance(event, ClockJumped):
            self.heed_clock()
        with self._lock:
            record = Recorded(self._next, round(self._clock.read().wall, 3), event, cause)
            self._next += 1
            self.snapshot = apply(self.snapshot, record)
            self.journal.append(record)
            for sink in self._sinks:
                sink(record)
        return record.id

    def subscribe(self, sink: Sink) -> Snapshot:
        """Deliver all later events to `sink`; return the snapshot that they continue."""
        with self._lock:
            self._sinks.append(sink)
            return self.snapshot

    def unsubscribe(self, sink: Sink) -> None:
        """Deliver nothing more to `sink`."""
        with self._lock:
            self._sinks = [s for s in self._sinks if s is not sink]
