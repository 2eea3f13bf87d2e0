"""From words to cells: spans with a tone, cut and padded by cell width, drawn as segments.

This is the only way text reaches the screen. A `Span` is plain text and the name of a tone; there
is no markup in it, and `printable` has made everything a terminal would act on visible.
"""

from __future__ import annotations

import re
from collections.abc import Iterable
from functools import lru_cache
from typing import Final, Literal, NamedTuple, TypeAlias

from rich.cells import cell_len

from healmon.text import clean
from healmon.text import width as counted
from healmon_tui.glyphs import MORE, RULE, simple

Tone: TypeAlias = Literal[
    "text", "strong", "dim", "faint", "ok", "warn", "bad", "heal", "calm", "accent",
    "chip-warn", "chip-bad", "chip-info", "chip-calm",
]  # fmt: skip
"""What a piece of text is, not how it looks; `themes` says how. `bad` needs a person, `heal` is
healmon at work, `calm` is known about (acknowledged, paused)."""

Ground: TypeAlias = Literal["base", "bar", "cursor", "cursor-away", "alarm", "sheet", "past"]
"""What a line is drawn on."""

LABEL = 12
"""Cells of the label before each fact."""
LONGEST = 2000
"""Characters of one text that are ever looked at: no screen is wider."""


class Ink(NamedTuple):
    """How somebody else's program wanted a piece of its screen, as `world.sgr.Run` has it."""

    fg: str = ""
    bg: str = ""
    style: str = ""


class Span(NamedTuple):
    """A piece of a line in one tone; `ink` is for what was painted elsewhere."""

    text: str
    tone: Tone = "text"
    ink: Ink | None = None


Spans: TypeAlias = tuple[Span, ...]


class Line(NamedTuple):
    """One line of a widget."""

    spans: Spans = ()
    ground: Ground = "base"


_DISPUTED: Final = re.compile(
    "[\ufe0e\ufe0f\U0001f3fb-\U0001f3ff]|\u200d(?=[\u2190-\u2bff\U0001f000-\U0001faff])"
)
"""What makes one sign of several, or a wide one of a narrow one, on some terminals only."""


def printable(text: str) -> str:
    """Return the text with nothing in it that a terminal would act on, in one line.

    Nor that makes a sign as wide as only some think: what is beside it would be painted over.
    """
    text = text[:LONGEST]
    text = text if text.isprintable() else clean(text)
    return text if text.isascii() else _DISPUTED.sub("", text)


@lru_cache(maxsize=4096)
def _widest(char: str) -> int:
    return max(cell_len(char), counted(char))


@lru_cache(maxsize=1024)
def breadth(text: str) -> int:
    """Return how many cells a text fills at most: terminals do not agree on every sign.

    The marks of Indic scripts, say, fill one or none. What were wider than its place would be
    painted over what is beside it, whatever that says.
    """
    return len(text) if text.isascii() else sum(map(_widest, text))


def _head(text: str, cells: int) -> str:
    """Return the beginning of a text that fits into so many cells on any terminal."""
    for index, char in enumerate(text):
        cells -= _widest(char)
        if cells < 0:
            return text[:index]
    return text


def width(spans: Iterable[Span]) -> int:
    """Return how many cells the spans fill."""
    spans = tuple(spans)
    text = "".join([span.text for span in spans])
    return len(text) if simple(text) else sum([breadth(span.text) for span in spans])


def plain(text: str, cells: int) -> bool:
    """Tell whether a text is drawn as it is: most of what is drawn, many times a second."""
    return text.isascii() and len(text) <= cells and text.isprintable()


def cut(text: str, cells: int) -> str:
    """Return as much of the text as fits, an ellipsis marking the rest."""
    return _cut(text[:LONGEST], cells) if cells > 0 else ""


@lru_cache(maxsize=512)
def _cut(text: str, cells: int) -> str:
    text = printable(text)
    if breadth(text) <= cells:
        # a flood of combining characters fills no cells and still costs a terminal dearly
        return text[: 4 * cells]
    return _head(text[: 4 * cells], cells - 1).rstrip() + MORE


def cut_head(text: str, cells: int) -> str:
    """Return as much of the end of the text as fits, an ellipsis marking the beginning."""
    text = printable(text)
    if breadth(text) <= cells:
        return cut(text, cells)
    kept, left = "", cells - 1
    for char in reversed(text):
        left -= breadth(char)
        if left < 0 or len(kept) >= 4 * cells:
            break
        kept = char + kept
    return cut(MORE + kept, cells)


def fit(text: str, cells: int, *, right: bool = False) -> str:
    """Return the text cut or padded to exactly so many cells."""
    if plain(text, cells):
        return text.rjust(cells) if right else text.ljust(cells)
    short = cut(text, cells)
    room = " " * max(cells - breadth(short), 0)
    return room + short if right else short + room


def clip(spans: Iterable[Span], cells: int) -> Spans:
    """Return the spans cut to at most so many cells."""
    return tuple(_clipped(spans, cells)[0])


def _clipped(spans: Iterable[Span], cells: int) -> tuple[list[Span], int]:
    """Return the spans cut to at most so many cells, and how many cells are left."""
    kept: list[Span] = []
    left = cells
    for span in spans:
        if left <= 0:
            break
        text = span.text
        # as `plain` says, without the call
        if text.isascii() and text.isprintable() and (size := len(text)) <= left:
            kept.append(span)
            left -= size
            continue
        text = cut(text, left)
        kept.append(Span(text, span.tone, span.ink))
        left -= breadth(text)
        if text.endswith(MORE) and not span.text.endswith(MORE):
            break
    return kept, left


def fill(spans: Iterable[Span], cells: int) -> Spans:
    """Return the spans cut or padded to exactly so many cells."""
    spans = tuple(spans)
    text = "".join([span.text for span in spans])
    if (room := cells - len(text)) >= 0 and simple(text):
        # most of what a screen does is this
        return (*spans, Span(" " * room)) if room else spans
    kept, room = _clipped(spans, cells)
    if room > 0:
        kept.append(Span(" " * room))
    return tuple(kept)


def differing(before: Line | None, line: Line, cells: int) -> tuple[int, Spans]:
    """Return what of a line is another than before: its first cell, and the spans from there on.

    What is not sure to fill one cell for each character differs as a whole.
    """
    old, new = before.spans if before is not None else (), line.spans
    texts = "".join([span.text for span in old]), "".join([span.text for span in new])
    sure = simple(texts[0]) and simple(texts[1]) and max(map(len, texts)) <= cells
    if before is None or before.ground != line.ground or not sure:
        return 0, fill(new, cells)
    first = _alike(old, new)
    x = sum([len(span.text) for span in new[:first]])
    old, new = old[first:], new[first:]
    last = _alike(old[::-1], new[::-1])
    changed = new[: len(new) - last]
    moved = sum([len(span.text) for span in changed])
    moved -= sum([len(span.text) for span in old[: len(old) - last]])
    return (x, fill(new, cells - x)) if moved else (x, changed)


def _alike(some: Spans, others: Spans) -> int:
    """Return how many spans are the same, from the first one on."""
    count = 0
    for one, other in zip(some, others, strict=False):
        if one != other:
            break
        count += 1
    return count


def between(left: Spans, right: Spans, cells: int) -> Spans:
    """Return `left` and `right` at the two ends of a line; the left one gives way."""
    right = clip(right, cells)
    return (*fill(left, cells - width(right)), *right)


def wrap(text: str, cells: int, *, most: int = 12) -> list[str]:
    """Return the text broken at spaces into lines of at most so many cells."""
    lines: list[str] = []
    line = ""
    for word in printable(text).split(" "):
        joined = f"{line} {word}" if line else word
        if breadth(joined) <= cells:
            line = joined
            continue
        if line:
            lines.append(line)
        line = word
        # no further than is shown: each step measures all that is left of a word without an end
        while len(lines) <= most and breadth(line) > cells > 0:
            head = _head(line, cells).rstrip()
            lines.append(head)
            line = line[len(head) or 1 :]
        if len(lines) >= most:
            break
    lines.append(line)
    if len(lines) > most:
        lines = [*lines[: most - 1], cut(f"{lines[most - 1]} {MORE}", cells)]
    return lines


def dump(lines: Iterable[Line], cells: int) -> str:
    """Return lines as plain text, for tests and for people without a screen."""
    return "\n".join("".join(s.text for s in fill(line.spans, cells)).rstrip() for line in lines)


def heading(text: str, cells: int, tone: Tone = "accent", extra: str = "") -> Line:
    """Return a heading with a rule to the edge."""
    spans = [Span(f" {text} ", tone)]
    if extra:
        spans.append(Span(f"{cut(extra, max(cells - len(text) - 6, 8))} ", "dim"))
    used = sum(len(span.text) for span in spans)
    return Line((*spans, Span(RULE * max(cells - used - 1, 0), "faint")))


def labelled(label: str, spans: Spans, cells: int) -> list[Line]:
    """Return a fact behind its label, wrapped into at most four lines."""
    text = "".join(span.text for span in spans)
    tone = spans[0].tone if spans else "text"
    head = LABEL if label else 1
    parts = wrap(text, max(cells - head - 1, 8), most=4)
    first = Span(f" {fit(label, LABEL - 2)} " if label else " ", "dim")
    rest = Span(" " * head)
    return [Line((first if n == 0 else rest, Span(part, tone))) for n, part in enumerate(parts)]
