"""Progress: has a screen ever shown this before? Pure.

A hung program repaints its spinner and counts its seconds for ever, so "the screen changed" says
nothing. What says something is a line never seen before, once everything that moves by itself is
taken out: durations and clock times, glyphs and bars, numbers that merely follow the clock, lines
that announce the next attempt.
"""

from __future__ import annotations

import re
from functools import lru_cache
from hashlib import blake2b
from typing import Final, NamedTuple

import msgspec

LINES: Final = 200
"""Lines that are remembered of one pane."""
DIGITS: Final = 8
"""Hexadecimal digits that a line is remembered by."""
COUNTERS: Final = 40
"""Lines with numbers whose numbers are remembered."""
SLACK, DRIFT = 2.0, 0.02
"""How far a number may be off and still follow the clock: seconds, and a share of the time."""

READ, SHORT = 1 << 14, 300
"""Lines of all panes that are read once only, and the most characters of such a line."""

_CARET: Final = re.compile(r"\^[A-Z@\[\\\]^_?]")
_UNIT: Final = (
    r"(?:ms|milliseconds?|s|secs?|seconds?|m|mins?|minutes?|h|hrs?|hours?|d|days?)(?![^\W\d_])"
)
_DURATION: Final = re.compile(rf"(?<![\w.,])(?:\d+(?:[.,]\d+)?\s?{_UNIT}[\s,]*)+", re.IGNORECASE)
_CLOCK: Final = re.compile(
    r"(?<!\d)\d{1,3}:\d\d(?::\d\d)?(?:[.,]\d+)?(?:\s?[ap]\.?m\b)?", re.IGNORECASE
)
_NOISE: Final = re.compile(r"(?:[^\w%]|_)+")
_NUMBER: Final = re.compile(r"\d+")
_RETRY: Final = re.compile(
    r"\bretry(?:ing)?\b|\bretries\b|\breconnect|\battempt \d|\boverloaded\b|\brate limit"
    r"|\bconnection (?:refused|failed|reset|timed out|lost)|\bunable to connect|\bcannot connect"
    r"|\bserver is busy|\bwaiting for network",
    re.IGNORECASE,
)
_COSMETIC: Final = re.compile(r"tip\b", re.IGNORECASE)


class Known(msgspec.Struct, frozen=True, omit_defaults=True):
    """What has been seen of one pane, small enough to be kept in every event.

    Attributes:
        lines: the lines' hashes, one after the other, the newest last.
        counters: by the shape of a line, the numbers it had at `at` (steady seconds).
    """

    lines: str = ""
    counters: dict[str, tuple[int, ...]] = {}
    at: float = 0.0


def plain(line: str) -> str:
    """Return what is left of a line without anything that moves by itself."""
    line = _CARET.sub(" ", line)
    line = _CLOCK.sub(" T ", _DURATION.sub(" T ", line))
    line = _NOISE.sub(" ", line).strip()
    return line if len(line) > 1 else ""


def novel(known: Known, screen: str, now: float) -> tuple[str, ...]:
    """Return the lines that this pane has never shown before, as they stand there.

    Args:
        known: what it has shown so far.
        screen: what it shows now.
        now: steady seconds.
    """
    seen = set(_split(known.lines))
    found: list[str] = []
    for line in screen.split("\n"):
        one = _line(line)
        if not one.says or one.mark in seen:
            continue
        if not _follows_clock(known, one, now):
            found.append(line.strip())
    return tuple(found)


def absorb(known: Known, screen: str, now: float) -> Known:
    """Return what is known after this screen was seen too."""
    lines_shown = map(_line, screen.split("\n"))
    shown = {one.mark: one for one in lines_shown if one.says}
    # what stands on the screen is newest, so that it is forgotten last
    older = [seen for seen in _split(known.lines) if seen not in shown]
    lines = [*older, *shown][-LINES:]
    counters: dict[str, tuple[int, ...]] = {}
    for one in list(shown.values())[-COUNTERS:]:
        if one.numbers:
            counters[one.shape] = one.numbers
    return Known("".join(lines), counters, now)


def digest(known: Known) -> str:
    """Return a short name for what is known; it changes with every progress."""
    return _hash(known.lines)


def counts(known: Known, line: str) -> bool:
    """Return whether a new line is one that was known, with other numbers in it."""
    one = _line(line)
    return bool(one.numbers) and one.shape in known.counters


class _Line(NamedTuple):
    """What a line comes down to.

    Attributes:
        mark: what it is remembered by.
        says: it can be progress.
        numbers: those in it, and `shape` the same line whatever its numbers.
    """

    mark: str
    says: bool
    numbers: tuple[int, ...]
    shape: str


def _line(line: str) -> _Line:
    return _kept(line) if len(line) <= SHORT else _read(line)


def _read(line: str) -> _Line:
    bare = plain(line)
    says = bool(bare) and not _idle_talk(line, bare)
    numbers = _numbers(bare)
    return _Line(_hash(bare), says, numbers, _shape(bare) if numbers else "")


# most lines of a screen are those of the look before, and to read one is what a cycle costs
_kept = lru_cache(maxsize=READ)(_read)


def _idle_talk(line: str, bare: str) -> bool:
    # the line as it stands there: `test_retry` is a name, no word about trying again
    return bool(_RETRY.search(line) or _COSMETIC.match(bare))


def _follows_clock(known: Known, line: _Line, now: float) -> bool:
    """Return whether only numbers changed, and each by as much as time went by, up or down."""
    # a line without numbers has no shape of its own: it is another line, or it is the same
    numbers, before = line.numbers, known.counters.get(line.shape)
    if before is None or len(before) != len(numbers):
        return False
    passed = now - known.at
    steps = [abs(new - old) for new, old in zip(numbers, before, strict=True) if new != old]
    return all(abs(step - passed) <= SLACK + DRIFT * passed for step in steps)


def _numbers(bare: str) -> tuple[int, ...]:
    found = _NUMBER.findall(bare)
    return tuple(map(int, found)) if all(len(number) <= 15 for number in found) else ()


def _shape(bare: str) -> str:
    return _hash(_NUMBER.sub("#", bare))


def _split(lines: str) -> list[str]:
    return [lines[i : i + DIGITS] for i in range(0, len(lines), DIGITS)]


def _hash(text: str) -> str:
    return blake2b(text.encode("utf-8", "replace"), digest_size=DIGITS // 2).hexdigest()
