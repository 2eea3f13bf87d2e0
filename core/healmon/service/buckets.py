"""Time cut into equal pieces, and what each piece saw. Pure.

A piece is known by the second it begins at. What happened falls into exactly one piece, so that the
counts of all pieces add up to what there was. A level holds from the moment it was measured until
the next one, or until nobody looked any more: in a piece through which nobody looked there is no
point, neither a level nor a zero.
"""

from __future__ import annotations

import math
import statistics
from bisect import bisect_left, bisect_right
from collections import Counter, defaultdict
from collections.abc import Iterable, Mapping, Sequence
from typing import Final, NamedTuple, TypeAlias

MOST: Final = 240
"""Pieces of a frame whose step nobody named."""
LIMIT: Final = 500
"""Pieces at most, whatever step was asked for."""
STEPS: Final = (
    1, 2, 5, 10, 15, 30, 60, 120, 300, 600, 900, 1_800, 3_600, 7_200, 10_800, 21_600, 43_200,
    86_400, 172_800, 604_800,
)  # fmt: skip
"""Seconds that a piece may take: those that people count in."""
LONGEST: Final = 3_660 * 86_400.0
"""Seconds of the longest frame: ten years."""

Gap: TypeAlias = tuple[float, float]
"""From when to when nobody looked, in wall seconds."""


class Frame(NamedTuple):
    """A stretch of time in pieces.

    Attributes:
        begin: wall seconds; a multiple of `step`.
        end: wall seconds; the last piece ends here, however short it is.
        step: seconds of a piece.
    """

    begin: int
    end: float
    step: int

    @property
    def pieces(self) -> int:
        """How many pieces there are."""
        return max(1, math.ceil((self.end - self.begin) / self.step))

    def place(self, at: float) -> int | None:
        """Return which piece a moment falls into; None: none of them."""
        if not self.begin <= at < self.end:
            return None
        return min(int((at - self.begin) // self.step), self.pieces - 1)

    def edges(self, place: int) -> tuple[float, float]:
        """Return from when to when a piece goes."""
        start = self.begin + place * self.step
        return start, min(start + self.step, self.end)


class Point(NamedTuple):
    """What a piece saw.

    Attributes:
        at: wall seconds at which it begins.
        low: the lowest value in it.
        high: the highest.
        value: of a level the last, of durations the median, of a count the count itself.
    """

    at: int
    low: float
    high: float
    value: float


class Seen(NamedTuple):
    """What was measured in one piece.

    Attributes:
        low, high: the lowest and the highest level; None: all that was found was that it could not
            be measured.
        at: wall seconds of the last look.
        last: what that one measured; None: that it could not be.
    """

    low: float | None
    high: float | None
    at: float
    last: float | None


class Held(NamedTuple):
    """Something that was so from one moment to another (wall seconds; `inf`: still)."""

    since: float
    until: float


def frame(begin: float, end: float, step: float = 0.0) -> Frame:
    """Return a stretch of time in pieces whose length people count in.

    Args:
        begin: wall seconds; the first piece may begin a little before.
        end: wall seconds.
        step: seconds of a piece as wished for; 0.0: as short as `MOST` pieces allow.

    Raises:
        ValueError: there is no such stretch; it says what is wrong with it.
    """
    if not all(map(math.isfinite, (begin, end, step))):
        raise ValueError("begin, end and step must be numbers")
    if not 0 <= begin < end:
        raise ValueError("the end must be after the beginning, and both after 1970")
    if end - begin > LONGEST or end > 32_503_680_000:  # the year 3000
        raise ValueError("that is longer ago than healmon can look: ten years at most")
    if step < 0:
        raise ValueError("a step is not below zero seconds")
    wanted = max(step, (end - begin) / (LIMIT - 1 if step else MOST - 1))
    whole = next((one for one in STEPS if one >= wanted), 0)
    whole = whole or STEPS[-1] * math.ceil(wanted / STEPS[-1])
    return Frame(int(begin // whole) * whole, end, whole)


def tally(moments: Iterable[float], where: Frame) -> Counter[int]:
    """Return how many moments fall into each piece; what is outside is left out."""
    places = (where.place(at) for at in moments)
    return Counter(place for place in places if place is not None)


def counts(found: Mapping[int, int], where: Frame, blind: Sequence[Gap]) -> tuple[Point, ...]:
    """Return a point for each piece: how many there were, also none; none where nobody looked."""
    unseen = blinded(where, blind)
    return tuple(
        Point(where.begin + place * where.step, number, number, number)
        for place in range(where.pieces)
        if (number := found.get(place, 0)) or place not in unseen
    )


def durations(found: Iterable[tuple[float, float]], where: Frame) -> tuple[Point, ...]:
    """Return shortest, longest and median of each piece in which there was any.

    Args:
        found: the moment (wall seconds) and how long it took (seconds).
        where: the pieces.
    """
    pieces: dict[int, list[float]] = defaultdict(list)
    for at, seconds in found:
        place = where.place(at)
        if place is not None:
            pieces[place].append(seconds)
    return tuple(
        Point(where.begin + place * where.step, min(took), max(took), statistics.median(took))
        for place, took in sorted(pieces.items())
    )


def levels(
    seen: Mapping[int, Seen],
    before: tuple[float, float] | None,
    where: Frame,
    blind: Sequence[Gap],
    until: float,
) -> tuple[Point, ...]:
    """Return the level in each piece in which it was known.

    Args:
        seen: what was measured, by piece.
        before: when (wall seconds) the level before all of them was measured, and what it was.
        where: the pieces.
        blind: when nobody looked.
        until: wall seconds after which a level is not known any more.
    """
    points: list[Point] = []
    starts = sorted(start for start, end in blind if end > start)
    known = before
    for place in range(where.pieces):
        start, _ = where.edges(place)
        found = seen.get(place)
        if found is not None:
            known = None if found.last is None else (found.at, found.last)
            if found.low is not None and found.high is not None:
                value = found.high if found.last is None else found.last
                points.append(Point(int(start), found.low, found.high, value))
            continue
        if known is not None and (start > until or _parted(starts, known[0], start)):
            known = None
        if known is not None:
            points.append(Point(int(start), known[1], known[1], known[1]))
    return tuple(points)


def standing(held: Iterable[Held], where: Frame, blind: Sequence[Gap]) -> tuple[Point, ...]:
    """Return how many things stood at once in each piece; none where nobody looked.

    Something that began and ended within a piece counts there.
    """
    steps: dict[int, list[tuple[float, int]]] = defaultdict(list)
    count = 0
    for one in held:
        if one.until <= where.begin or one.since >= where.end or one.until < one.since:
            continue
        if one.since < where.begin:
            count += 1
        else:
            steps[where.place(one.since) or 0].append((one.since, 1))
        if one.until < where.end:
            steps[where.place(one.until) or 0].append((one.until, -1))
    unseen, points = blinded(where, blind), list[Point]()
    for place in range(where.pieces):
        low = high = count
        # who comes counts before who goes at the same moment: both were there
        for _, change in sorted(steps[place], key=lambda step: (step[0], -step[1])):
            count += change
            low, high = min(low, count), max(high, count)
        if place not in unseen:
            points.append(Point(where.begin + place * where.step, low, high, count))
    return tuple(points)


def union(held: Iterable[Held]) -> list[Held]:
    """Return the stretches in which at least one of them held."""
    done: list[Held] = []
    for one in sorted(held):
        if done and one.since <= done[-1].until:
            done[-1] = Held(done[-1].since, max(done[-1].until, one.until))
        else:
            done.append(one)
    return done


def blinded(where: Frame, blind: Sequence[Gap]) -> frozenset[int]:
    """Return the pieces through all of which nobody looked."""
    gaps = union(Held(start, end) for start, end in blind if end > start)
    starts = [gap.since for gap in gaps]
    found: set[int] = set()
    for place in range(where.pieces):
        start, end = where.edges(place)
        gap = bisect_right(starts, start) - 1
        if gap >= 0 and gaps[gap].until >= end:
            found.add(place)
    return frozenset(found)


def _parted(starts: Sequence[float], since: float, until: float) -> bool:
    """Tell whether a gap began from one moment to another."""
    return bisect_right(starts, until) > bisect_left(starts, since)
