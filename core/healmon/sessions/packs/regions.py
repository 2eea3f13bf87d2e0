"""A screen divided into the parts that rules look at. Pure.

A word means something else in a footer than in a conversation about footers. So patterns never see
a whole screen at once: the title, the footer below the composer, the composer, the last lines of
the turn above it, the last line, the last lines of all, and the screen, each for itself.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from typing import Final

from healmon.sessions.packs.costs import LINE
from healmon.sessions.packs.model import Layout, Region

LINES: Final = 200
"""Lines of a screen that are looked at, the last ones."""
TAIL: Final = 16
FOOTER: Final = 6
"""Lines that may be below a composer; with more of them it is no composer."""
COMPOSER: Final = 12
ABOVE: Final = 12
_BORDER: Final = " \t│┃║"
_HEAD: Final = LINE * 2 // 3


@dataclass(frozen=True, slots=True)
class Regions:
    """The parts of a screen: lines that are not blank, without borders; missing parts are empty."""

    title: tuple[str, ...] = ()
    footer: tuple[str, ...] = ()
    composer: tuple[str, ...] = ()
    above: tuple[str, ...] = ()
    last: tuple[str, ...] = ()
    tail: tuple[str, ...] = ()
    screen: tuple[str, ...] = ()

    def lines(self, region: Region) -> tuple[str, ...]:
        """Return the lines of one part."""
        found: tuple[str, ...] = getattr(self, region)
        return found


def divide(screen: str, title: str, layout: Layout) -> Regions:
    """Return the parts of a screen of a program with this layout."""
    raw = [_cut(line.rstrip()) for line in _last_lines(screen)]
    lines = [line for line in raw if line.strip(_BORDER)]
    top, begin, end = _composer(raw, layout)
    footer = [line for line in raw[end:] if line.strip(_BORDER)] if begin < len(raw) else []
    heading = title.strip()
    bare = _bare(lines)
    return Regions(
        title=(_cut(heading),) if heading else (),
        footer=_bare(footer),
        composer=_bare(line for line in raw[begin:end] if not _fits(layout.bottom, line)),
        above=_bare(_above(raw[:top], layout)),
        last=bare[-1:],
        tail=bare[-TAIL:],
        screen=bare,
    )


def _composer(raw: Sequence[str], layout: Layout) -> tuple[int, int, int]:
    """Return where a composer's frame, its text and the footer begin; len(raw): there is none."""
    none = (len(raw), len(raw), len(raw))
    end = len(raw) if layout.bottom is None else _lowest(raw, layout.bottom, len(raw))
    last = None if end is None else _lowest(raw, layout.composer, end)
    if end is None or last is None or not _is_text(raw[last:end], layout):
        return none
    begin = last
    while begin > 0 and _fits(layout.composer, raw[begin - 1]):
        begin -= 1
    below = last + 1 if layout.bottom is None else end + 1
    top = begin
    if layout.top is not None:
        near = [i for i in range(max(begin - 4, 0), begin) if _fits(layout.top, raw[i])]
        top = near[-1] if near else -1
    return none if top < 0 or _count(raw[below:]) > FOOTER else (top, begin, below)


def _is_text(raw: Sequence[str], layout: Layout) -> bool:
    """Return whether these lines may be what a person typed: not too many, the later indented."""
    framed = layout.bottom is not None
    return _count(raw) <= COMPOSER and not (framed and any(line[:1].strip() for line in raw[1:]))


def _above(raw: Sequence[str], layout: Layout) -> list[str]:
    """Return the last lines of the newest turn."""
    lines = [line for line in raw if line.strip(_BORDER)]
    said = _lowest(lines, layout.user, len(lines))
    turn = lines if said is None else lines[said + 1 :]
    return turn[-ABOVE:]


def _lowest(raw: Sequence[str], pattern: re.Pattern[str] | None, end: int) -> int | None:
    return next((i for i in reversed(range(end)) if _fits(pattern, raw[i])), None)


def _fits(pattern: re.Pattern[str] | None, line: str) -> bool:
    return pattern is not None and pattern.search(line) is not None


def _count(raw: Sequence[str]) -> int:
    return sum(1 for line in raw if line.strip(_BORDER))


def _bare(lines: Iterable[str]) -> tuple[str, ...]:
    """Return lines without borders and blanks around them; empty ones fall away."""
    stripped = (line.strip(_BORDER) for line in lines)
    return tuple(line for line in stripped if line)


def _last_lines(screen: str) -> list[str]:
    # a screen of one endless line costs no more than any other
    tail = screen[-(LINES * LINE * 4) :].replace("\xa0", " ")
    return tail.rstrip().split("\n")[-LINES:]


def _cut(line: str) -> str:
    """Return a line of at most `LINE` characters; of a longer one the beginning and the end."""
    if len(line) <= LINE:
        return line
    return f"{line[:_HEAD]}…{line[-(LINE - _HEAD - 1) :]}"
