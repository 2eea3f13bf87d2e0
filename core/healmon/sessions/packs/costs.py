"""How much work a regular expression can be at worst, told before it is ever used. Pure.

Python's `re` tries all ways to match and cannot be interrupted. So each pattern of a pack is read
here first, and its cost is bounded: the places at which it can begin, times the ways in which its
repeats can share out a line of `LINE` characters. A repeat without end around something that can
itself match in several ways (`(a+)+`, `(a|ab)*`) has no such bound and is refused.
"""

from __future__ import annotations

import re
import warnings
from typing import Final

LINE: Final = 300
"""Characters of a screen's line that patterns see; longer lines lose their middle."""
COST_LIMIT: Final = 30_000_000
"""Steps that one pattern may take on one line in theory; in practice a sixth of it or less."""
_COUNTED: Final = re.compile(r"\{(\d*)(?:(,)(\d*))?\}")
_OPENERS: Final = re.compile(r"\(\?(?:P<\w+>|:|=|!|<=|<!|[aims]+:)|\((?!\?)")
_WORD: Final = re.compile(r"(?:\\b)?([A-Za-z0-9 _-]+)(?![*+?{A-Za-z0-9 _-])")
"""What a pattern begins with: it can begin only where that stands."""
_FLAGS: Final = re.compile(r"\(\?[ims]+\)")
_ESCAPED: Final = re.compile(r"\\(?:x[0-9a-fA-F]{2}|u[0-9a-fA-F]{4}|U[0-9a-fA-F]{8}|[^1-9])")


class CostError(ValueError):
    """A pattern that is refused; the message says what in it and what to write instead."""


def compiled(pattern: str) -> re.Pattern[str]:
    """Return a pattern, compiled.

    Raises:
        CostError: it is no pattern, has parts that packs may not use, or could take too long.
    """
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("error")  # what Python will read otherwise one day
            found = re.compile(pattern)
    except (re.error, OverflowError, RecursionError, Warning) as error:
        raise CostError(f"is no regular expression: {error}") from error
    if cost(pattern) > COST_LIMIT:
        raise CostError("could take too long on one line: use fewer `*` and `+`, begin it with `^`")
    return found


def cost(pattern: str) -> int:
    """Return the steps that a valid pattern takes on one line at worst.

    Raises:
        CostError: that has no bound worth the name, or packs may not use a part of it.
    """
    reader = _Reader(pattern)
    ways = reader.alternatives()
    if reader.at < len(pattern):
        raise CostError(f"cannot be read at character {reader.at + 1}")
    return ways * reader.starts


class _Reader:
    """Goes through a pattern once; every method returns in how many ways its part can match."""

    def __init__(self, pattern: str) -> None:
        self.text = pattern
        self.at = 0
        flags = _FLAGS.match(pattern)
        if flags is not None:
            self.at = flags.end()
        self.starts = LINE
        if "|" not in _top_level(pattern):
            word = _WORD.match(pattern, self.at)
            self.starts = LINE // max(len(word[1]), 1) if word is not None else LINE
            self.starts = 1 if pattern.startswith("^", self.at) else self.starts

    def alternatives(self) -> int:
        ways = self.sequence()
        while self.text.startswith("|", self.at):
            self.at += 1
            ways += self.sequence()
        return ways

    def sequence(self) -> int:
        ways = 1
        while self.at < len(self.text) and self.text[self.at] not in "|)":
            ways = min(ways * self.repeated(), COST_LIMIT * LINE)
        return ways

    def repeated(self) -> int:
        """Read one item with what repeats it."""
        ways = self.item()
        least, most, lazy_or_greedy = self.count()
        if not lazy_or_greedy:
            return ways
        if most is None:
            if ways > 1:
                part = "a repeat without end around another repeat or a choice"
                raise CostError(f"has {part}: say how often at most, as in {{0,4}}")
            return LINE
        choices = most - least + 1
        if most > LINE or (ways > 1 and most > 16):
            raise CostError(f"repeats up to {most} times: at most {LINE}, of a group at most 16")
        total: int = choices * ways**most
        return min(total, COST_LIMIT * LINE)

    def count(self) -> tuple[int, int | None, bool]:
        """Read `*`, `+`, `?` or `{2,5}`: least, most (None: no end), and whether it was there."""
        text = self.text
        found: tuple[int, int | None, bool] = (1, 1, False)
        counted = _COUNTED.match(text, self.at)
        if text.startswith(("*", "+"), self.at):
            found = (0 if text[self.at] == "*" else 1, None, True)
            self.at += 1
        elif text.startswith("?", self.at):
            found = (0, 1, True)
            self.at += 1
        elif counted is not None and (counted[1] or counted[2]):
            least = int(counted[1] or 0)
            most = (int(counted[3]) if counted[3] else None) if counted[2] else least
            found = (least, most, True)
            self.at = counted.end()
        if found[2] and text.startswith(("?", "+"), self.at):
            self.at += 1
        return found

    def item(self) -> int:
        """Read one character, class or group."""
        char = self.text[self.at]
        if char == "(":
            return self.group()
        if char == "[":
            self.at = _class_end(self.text, self.at)
            return 1
        if char == "\\":
            escaped = _ESCAPED.match(self.text, self.at)
            if escaped is None:
                raise CostError("refers back to a group: packs may not")
            self.at = escaped.end()
            return 1
        self.at += 1
        return 1

    def group(self) -> int:
        opener = _OPENERS.match(self.text, self.at)
        if opener is None:
            raise CostError(f"has a group that packs may not use, at character {self.at + 1}")
        self.at = opener.end()
        ways = self.alternatives()
        self.at += 1  # its closing parenthesis: the pattern compiles
        return ways


def _class_end(text: str, at: int) -> int:
    """Return where the class ends that begins at `at`."""
    end = at + (2 if text.startswith("^", at + 1) else 1)
    if text.startswith("]", end):
        end += 1
    while text[end] != "]":
        end += 2 if text[end] == "\\" else 1
    return end + 1


def _top_level(pattern: str) -> str:
    """Return a pattern without its groups and classes."""
    kept, at, depth = "", 0, 0
    while at < len(pattern):
        char = pattern[at]
        if char == "[":
            at = _class_end(pattern, at)
            continue
        if char == "\\":
            at += 2
            continue
        depth += (char == "(") - (char == ")")
        kept += char if depth == 0 else ""
        at += 1
    return kept
