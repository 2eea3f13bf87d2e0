"""What waits for the writer: bounded, in order, and decisions outlive samples.

The engine's thread puts, the writer's thread takes. Putting never blocks longer than it takes to
move a reference. When the writer falls behind for long (a full disk), the oldest samples go first,
because the next look makes new ones; a decision is told once.
"""

from __future__ import annotations

import asyncio
import threading
from collections import OrderedDict, deque
from concurrent.futures import Future
from dataclasses import dataclass, field
from typing import Final, TypeAlias

from healmon import events as ev
from healmon.state import Snapshot

BATCH: Final = 1_000
"""Records written in one transaction at most: about 20 ms under the lock."""
LINGER: Final = 0.02
"""Seconds that a first record waits for company, unless somebody waits for it."""
CALM: Final = 0.25
"""Seconds that samples wait for company, or for the end of their round."""

SAMPLES = (ev.Observed, ev.CycleStarted, ev.CycleFinished)


@dataclass(frozen=True, slots=True)
class Checkpoint:
    """A snapshot to keep; `wounds` is how many losses it makes good."""

    snapshot: Snapshot
    wounds: int


Item: TypeAlias = ev.Recorded | Checkpoint


@dataclass(slots=True)
class Work:
    """What the writer does next.

    Attributes:
        items: to be written, in order.
        serial: of the last of them.
        prune_before: a retention limit in wall seconds.
        look: somebody found the files to be others.
    """

    items: list[Item] = field(default_factory=list[Item])
    serial: int = 0
    prune_before: float | None = None
    look: bool = False


class Buffer:
    """The queue between the engine and the writer.

    Args:
        capacity: items kept at most, beside those the writer is busy with.
    """

    def __init__(self, capacity: int) -> None:
        self._capacity = capacity
        self._wake = threading.Condition()
        self._items: OrderedDict[int, Item] = OrderedDict()
        self._samples: deque[int] = deque()
        self._round = False  # one goes on, and nothing of it was taken
        self._over = False  # one has ended: nothing more comes for now
        self._news = False  # something waits that the writer was woken for
        self._checkpoint: int | None = None
        self._prune_before: float | None = None
        self._look = False
        self._serial = 0
        self._done = 0
        self._waiters: list[tuple[int, Future[bool]]] = []
        self.dropped = 0
        self.closing = False

    @property
    def pending(self) -> bool:
        """Whether there is something for the writer to do now."""
        asked = bool(self._waiters and self._items)
        ordered = self._look or self._prune_before is not None
        return self._news or asked or ordered or self.closing

    def put(self, record: ev.Recorded) -> None:
        """Add a record; never blocks, never raises."""
        with self._wake:
            sample = isinstance(record.event, SAMPLES)
            if len(self._items) >= self._capacity and not self._make_room(for_sample=sample):
                self.dropped += 1
                return
            self._serial += 1
            self._items[self._serial] = record
            if sample:
                self._samples.append(self._serial)
            news = self._is_news(record.event, sample=sample)
        if news:
            self._wake_soon()

    def _wake_soon(self) -> None:
        """Wake the writer once the loop has nothing else to do: until then it needs the GIL."""
        try:
            loop = asyncio.get_running_loop()
        except RuntimeError:
            self._wake_up()
        else:
            loop.call_soon(loop.call_soon, self._wake_up)  # what follows by itself comes before

    def _wake_up(self) -> None:
        with self._wake:
            self._wake.notify()

    def _is_news(self, event: ev.Event, *, sample: bool) -> bool:
        """Take in what an event means to the writer; return whether it is to be woken.

        It is, once for each thing that it waits for. The samples of a round wake it when that is
        over, not while the engine looks, where the two would wait for each other a dozen times.
        """
        over = isinstance(event, ev.CycleFinished) and not self._over
        decision = not sample and len(self._items) - len(self._samples) == 1
        self._over |= over
        self._round = not over and (self._round or isinstance(event, ev.CycleStarted))
        news = over or decision or not (self._round or self._news)
        self._news |= news
        return news

    def put_checkpoint(self, checkpoint: Checkpoint) -> None:
        """Add a snapshot in its place among the records; a newer one replaces it."""
        with self._wake:
            if self._checkpoint is not None:
                self._items.pop(self._checkpoint, None)
            self._serial += 1
            self._items[self._serial] = checkpoint
            self._checkpoint = self._serial
            self._news = True
            self._wake.notify()

    def put_prune(self, before: float) -> None:
        """Ask for everything older than `before` to be removed."""
        with self._wake:
            self._prune_before = max(before, self._prune_before or before)
            self._wake.notify()

    def put_look(self) -> None:
        """Ask for a look at the files, as before something is written."""
        with self._wake:
            self._look = True
            self._wake.notify()

    def _make_room(self, *, for_sample: bool) -> bool:
        """Give something up; False when a sample would have to push out a decision."""
        while self._samples:
            if self._items.pop(self._samples.popleft(), None) is not None:
                self.dropped += 1
                return True
        if self._checkpoint is not None and self._items.pop(self._checkpoint, None) is not None:
            self._checkpoint = None  # a snapshot can be had again
            return True
        if not for_sample:
            self._items.popitem(last=False)
            self.dropped += 1
        return not for_sample

    def waiter(self) -> Future[bool] | None:
        """Return what is settled once everything put so far is; None when it is already."""
        with self._wake:
            if self._done >= self._serial:
                return None
            future: Future[bool] = Future()
            self._waiters.append((self._serial, future))
            self._wake.notify()
            return future

    def take(self, *, wait: bool) -> Work | None:
        """Return the next work, waiting for it if asked to; None: closing, and nothing is left.

        Work without items and without a limit means that there was nothing and nobody waited.
        """
        with self._wake:
            if wait:
                self._wake.wait_for(lambda: self.pending)
                told = self._told() or self._wake.wait_for(self._told, CALM)
                if told and not self._over and not self._urgent():
                    self._wake.wait_for(self._urgent, LINGER)
            if self.closing and not self._items:
                return None
            work = Work(prune_before=self._prune_before, look=self._look)
            self._prune_before, self._look = None, False
            while self._items and len(work.items) < BATCH:
                work.serial, item = self._items.popitem(last=False)
                work.items.append(item)
            if self._checkpoint is not None and self._checkpoint <= work.serial:
                self._checkpoint = None
            while self._samples and self._samples[0] <= work.serial:
                self._samples.popleft()
            self._round = False
            if not self._items:
                self._news = self._over = False
            return work

    def _told(self) -> bool:
        """Return whether there is more than samples of a round that goes on."""
        return self._over or self._look or self._urgent() or len(self._items) > len(self._samples)

    def _urgent(self) -> bool:
        return self.closing or bool(self._waiters) or len(self._items) >= BATCH

    def done(self, work: Work) -> None:
        """Tell whoever waits that this work is on disk."""
        with self._wake:
            self._done = max(self._done, work.serial)
            ready = [f for serial, f in self._waiters if serial <= self._done]
            self._waiters = [w for w in self._waiters if w[0] > self._done]
        _settle(ready, answer=True)

    def failed(self) -> None:
        """Tell whoever waits that it will take longer than anybody should wait."""
        with self._wake:
            ready = [future for _, future in self._waiters]
            self._waiters = []
        _settle(ready, answer=False)

    def rest(self, seconds: float) -> None:
        """Return after so many seconds, or at once when closing."""
        with self._wake:
            self._wake.wait_for(lambda: self.closing, seconds)

    def close(self) -> None:
        """Let the writer write what there is and end."""
        with self._wake:
            self.closing = True
            self._wake.notify_all()

    def waiting(self) -> list[Item]:
        """Return what waits, in order; it goes on waiting."""
        with self._wake:
            return list(self._items.values())

    def left(self) -> int:
        """Return how many items wait."""
        with self._wake:
            return len(self._items)


def _settle(futures: list[Future[bool]], *, answer: bool) -> None:
    for future in futures:
        if future.set_running_or_notify_cancel():
            future.set_result(answer)
