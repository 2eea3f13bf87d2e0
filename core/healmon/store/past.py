"""The state at any stored moment, and which moments are worth a stop. Reads only, in short bites.

The snapshot at an event is folded from the nearest one that is kept before it: a keyframe (one for
every few thousand events), or a checkpoint. Every read is one page of rows, fetched whole, so that
in the healer's own process nobody waits for long for the connection that it shares.
"""

from __future__ import annotations

import sqlite3
import zlib
from bisect import bisect_right
from collections import OrderedDict
from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager
from typing import Any, Final, NamedTuple, TypeAlias

import msgspec

from healmon.clock import parse_utc
from healmon.events import Recorded
from healmon.state import Snapshot, replay
from healmon.store.read import ReadError, reading
from healmon.store.schema import UNTOLD
from healmon.store.stream import recorded
from healmon.store.upkeep import PRUNED_TO

PAGE: Final = 1_000
"""Rows read at once: some 5 ms."""
CACHED: Final = 6
"""Snapshots kept to fold on from."""
FRAME_EVERY: Final = 5_000
"""Events folded in one go before the snapshot is kept in memory, where the store has no frames."""
TOLD: Final = 1_500
"""Events that tell a story, before a moment, that a screen gets with it."""
RAW: Final = 500
"""Events of any kind, before a moment, that a screen gets with it at least."""
SPAN: Final = 1_920.0
"""Seconds before a moment of which it gets all events: half an hour is drawn, and a bit."""
MOST: Final = 5_500
"""Events that it gets of that time at most."""

Use: TypeAlias = Callable[[], AbstractContextManager[sqlite3.Connection]]
_COLUMNS: Final = "id, timestamp, payload, cause"
_decoder = msgspec.json.Decoder(Snapshot)


class Bounds(NamedTuple):
    """Which part of the past can be shown: event ids, and whether older history was pruned."""

    oldest: int
    newest: int
    pruned: bool


class Past:
    """Reads the past of one store. Blocks; to be used from one thread at a time.

    Args:
        use: lends a connection; it is given back after each page.

    Raises:
        ReadError, StoreFaultError: from every method: the store cannot be read now.
    """

    def __init__(self, use: Use) -> None:
        self._use = use
        self._cache: OrderedDict[int, Snapshot] = OrderedDict()

    def rows(self, sql: str, *values: int | str) -> list[tuple[Any, ...]]:
        """Return the rows of one short query."""
        with self._use() as conn, reading():
            return conn.execute(sql, values).fetchall()

    def bounds(self) -> Bounds:
        """Return between which events the state is known."""
        # two queries: SQLite finds each end at once, and both together by reading all
        first = self.rows("SELECT min(id) FROM events")[0][0]
        newest = self.rows("SELECT max(id) FROM events")[0][0]
        bases, pruned = self._bases()
        oldest = bases[0] if bases else (newest or 0)
        # nothing happened before the first event: there is nothing to see
        return Bounds(max(oldest, first or 0) if not pruned else oldest, newest or 0, bool(pruned))

    def at(self, number: int) -> Snapshot:
        """Return the snapshot after an event; of what is older than `bounds`, as far as known."""
        known = self._cache.get(number)
        if known is not None:
            self._cache.move_to_end(number)
            return known
        snapshot = self._base(number)
        base = snapshot.last_id
        while snapshot.last_id < number:
            rows = self._page(snapshot.last_id, number)
            if not rows:
                break
            before = snapshot.last_id
            snapshot = replay(recorded(rows), snapshot)
            last = int(rows[-1][0])
            if last // FRAME_EVERY != before // FRAME_EVERY:
                self._keep(snapshot)
            if snapshot.last_id < last:  # of another version, passed over
                snapshot = msgspec.structs.replace(snapshot, last_id=last)
        if base < self._bases()[1]:
            raise ReadError("this moment was pruned just now", remedy="go to a later one")
        self._keep(snapshot)
        return snapshot

    def before(self, number: int) -> tuple[list[Recorded], bool]:
        """Return what a screen that opened at an event would have read of what came before.

        The newest events up to it, oldest first, and whether that is all there ever was.
        """
        raw = self._raw(number)
        edge = int(raw[-1][0]) if raw else 0
        told: list[tuple[Any, ...]] = []
        while len(told) < TOLD:
            page = self.rows(
                f"SELECT {_COLUMNS} FROM events WHERE kind NOT IN {UNTOLD} AND id < ?"  # noqa: S608 - constants
                " ORDER BY id DESC LIMIT ?",
                int(told[-1][0]) if told else edge,
                min(PAGE, TOLD - len(told)),
            )
            told += page
            if len(page) < PAGE:
                break
        whole = len(told) < TOLD and not self._bases()[1]
        return [*recorded(reversed(told)), *recorded(reversed(raw))], whole

    def _raw(self, number: int) -> list[tuple[Any, ...]]:
        """Return the rows up to an event, newest first: some, and all of the last half hour."""
        raw: list[tuple[Any, ...]] = []
        while len(raw) < MOST:
            page = self.rows(
                f"SELECT {_COLUMNS} FROM events WHERE id <= ? ORDER BY id DESC LIMIT ?",  # noqa: S608 - a constant
                int(raw[-1][0]) - 1 if raw else number,
                RAW,
            )
            raw += page
            if len(page) < RAW or wall_of(raw[0][1]) - wall_of(page[-1][1]) > SPAN:
                break
        return raw

    def _keep(self, snapshot: Snapshot) -> None:
        self._cache[snapshot.last_id] = snapshot
        self._cache.move_to_end(snapshot.last_id)
        while len(self._cache) > CACHED:
            self._cache.popitem(last=False)

    def _page(self, after: int, upto: int) -> list[tuple[Any, ...]]:
        return self.rows(
            f"SELECT {_COLUMNS} FROM events WHERE id > ? AND id <= ? ORDER BY id LIMIT ?",  # noqa: S608 - a constant
            after,
            upto,
            PAGE,
        )

    def _bases(self) -> tuple[list[int], int]:
        """Return the events at which a state is kept, and up to which event all were pruned.

        0 among them: the very beginning is there, when nothing was known.
        """
        meta = self.rows("SELECT value FROM meta WHERE key = ?", PRUNED_TO)
        pruned = int(meta[0][0]) if meta else 0
        kept = self.rows("SELECT event_id FROM checkpoints")
        if self._framed():
            kept += self.rows("SELECT event_id FROM keyframes")
        first = self.rows("SELECT min(id) FROM events")[0][0]
        numbers = {int(number) for (number,) in kept if number >= pruned}
        if not pruned and first in (None, 1):
            numbers.add(0)
        return sorted(numbers), pruned

    def _framed(self) -> bool:
        # a healmon of before may be at work on the store that is looked at
        return bool(self.rows("SELECT 1 FROM sqlite_master WHERE name = 'keyframes'"))

    def _base(self, number: int) -> Snapshot:
        """Return the newest state that is kept at or before an event."""
        bases, _ = self._bases()
        found = bases[: bisect_right(bases, number)]
        cached = max((n for n in self._cache if n <= number), default=-1)
        while found and found[-1] > max(cached, 0):
            snapshot = self._stored(found.pop())
            if snapshot is not None:
                return snapshot
        if cached < 0 and bases and bases[0] > 0:
            raise ReadError("what was known then was written by another version of healmon")
        return self._cache[cached] if cached >= 0 else Snapshot()

    def _stored(self, number: int) -> Snapshot | None:
        """Return a state that is kept; None: it is gone, or laid out by another version."""
        for text in self._texts(number):
            try:
                return _decoder.decode(text)
            except msgspec.DecodeError:
                continue
        return None

    def _texts(self, number: int) -> Iterator[bytes | str]:
        if self._framed():
            for (frame,) in self.rows("SELECT snapshot FROM keyframes WHERE event_id = ?", number):
                yield zlib.decompress(frame)
        for (text,) in self.rows("SELECT snapshot FROM checkpoints WHERE event_id = ?", number):
            yield text


def wall_of(timestamp: str) -> float:
    """Return wall seconds of a stored time; 0.0 of one that is none."""
    try:
        return parse_utc(timestamp)
    except ValueError:
        return 0.0
