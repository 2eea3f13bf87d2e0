"""Oldest first without a list: a histogram of ages, made finer where the line runs. Pure.

A walk adds every due file; the line is drawn in the bucket in which the sum, from the oldest on,
reaches what is needed. Only that bucket is looked at again in finer steps. However many files
there are, memory holds a few thousand sums.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Final

from healmon.world.filedata import FOREVER, Choice, Need, Tally

WIDTHS: Final = (3_600_000_000_000, 1_000_000_000, 1_000_000)
"""Nanoseconds per bucket: an hour, a second, a millisecond."""

Add = Callable[[int, int], None]
"""Takes the newest time of a due file, in nanoseconds, and the bytes it holds."""


@dataclass(frozen=True, slots=True)
class Line:
    """The bucket in which the sum reaches what is needed; `before` is the sum of all older."""

    low: int
    high: int
    before: Tally
    within: Tally


class Histogram:
    """Sums of files and bytes by age, within a span of time."""

    def __init__(self, width: int, low: int = 0, high: int = FOREVER) -> None:
        self._width = width
        self._low = low
        self._high = high
        self._sums: dict[int, list[int]] = {}

    def add(self, newest: int, held: int) -> None:
        """Count one file, if it is within the span."""
        if not self._low <= newest < self._high:
            return
        bucket = (newest - self._low) // self._width
        sums = self._sums.get(bucket)
        if sums is None:
            self._sums[bucket] = [1, held]
        else:
            sums[0] += 1
            sums[1] += held

    @property
    def total(self) -> Tally:
        """The sum of all within the span."""
        return Tally(
            sum(files for files, _ in self._sums.values()),
            sum(held for _, held in self._sums.values()),
        )

    @property
    def oldest(self) -> int:
        """Begin of the oldest bucket in which there is something; 0: there is nothing."""
        return self._low + min(self._sums) * self._width if self._sums else 0

    def line(self, need: Need, before: Tally) -> Line | None:
        """Return where the sum from the oldest on reaches the need; None: nowhere.

        Args:
            need: what is needed in all.
            before: what is older than the span and already counted on.
        """
        for bucket in sorted(self._sums):
            files, held = self._sums[bucket]
            after = before.plus(held, files)
            if need.less(after.held, after.files).met:
                low = self._low + bucket * self._width
                return Line(low, low + self._width, before, Tally(files, held))
            before = after
        return None


@dataclass(frozen=True, slots=True)
class Chosen:
    """What is due, what of it is needed, and how to find that again; None: nothing is due.

    Attributes:
        oldest: begin of the hour of the oldest, in nanoseconds since the epoch; 0: none is due.
    """

    due: Tally
    chosen: Tally
    choice: Choice | None
    oldest: int = 0


def choose(walk: Callable[[Add], None], need: Need | None) -> Chosen:
    """Return the oldest due files that together meet the need.

    Args:
        walk: passes over all due files, calling back for each; called up to three times.
        need: what is to be freed; None: take all that is due.
    """
    coarse = Histogram(WIDTHS[0])
    walk(coarse.add)
    due = coarse.total
    if not due.files or (need is not None and need.met):
        return Chosen(due, Tally(), None)
    line = coarse.line(need, Tally()) if need is not None else None
    if need is None or line is None:
        return Chosen(due, due, Choice(), coarse.oldest)
    for width in WIDTHS[1:]:
        if line.within.files == 1:
            break
        finer = Histogram(width, line.low, line.high)
        walk(finer.add)
        # the tree may have shrunk meanwhile: then all of the bucket is needed
        line = finer.line(need, line.before) or line
    left = need.less(line.before.held, line.before.files)
    chosen = line.before.plus(line.within.held, line.within.files)
    choice = Choice(line.low, line.high, left.held, left.files)
    return Chosen(due, chosen, choice, coarse.oldest)


class Allowance:
    """Says of each file whether it goes, following a choice; counts what went at the line.

    Attributes:
        over: how many stayed because no more may go at once.
    """

    def __init__(self, choice: Choice) -> None:
        self._sure, self._edge = choice.sure, choice.edge
        self._left_held, self._left_files = choice.held, choice.files
        self._most_held, self._most_files = choice.most_held, choice.most_files
        self._held = self._files = 0
        self.over = 0

    def takes(self, newest: int, held: int = 0) -> bool:
        """Return whether a file whose newest time is this one goes; it holds so many bytes."""
        if newest >= self._sure and not self._at_the_line(newest):
            return False
        if self._files >= self._most_files or self._held + held > self._most_held:
            self.over += 1
            return False
        return True

    def _at_the_line(self, newest: int) -> bool:
        return newest < self._edge and (self._left_held > 0 or self._left_files > 0)

    def spares_none(self, newest: int, files: int, held: int) -> bool:
        """Return whether several files, the newest of this time, all go; counts them as gone."""
        within = self._files + files <= self._most_files and self._held + held <= self._most_held
        if newest >= self._sure or not within:
            return False
        self._files += files
        self._held += held
        return True

    def went(self, newest: int, held: int) -> None:
        """Count a file that is gone."""
        self._files += 1
        self._held += held
        if newest >= self._sure:
            self._left_files -= 1
            self._left_held -= held

    def stayed(self, newest: int, held: int) -> None:
        """Take back that a file is gone: it was put back."""
        self._files -= 1
        self._held -= held
        if newest >= self._sure:
            self._left_files += 1
            self._left_held += held
