"""What is to be seen of a component right now: a session's screen, the end of a worker's log."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Final, NamedTuple

from healmon.clock import local_time
from healmon.service.link import Peek, Run, Tail
from healmon.units import format_duration, format_size
from healmon_tui import glyphs
from healmon_tui.arrange import Part
from healmon_tui.paint import Ink, Line, Span, Spans, clip, cut, labelled

DEEP: Final = 200
"""Lines of a log that are asked for."""


class Seen(NamedTuple):
    """The newest look at what is on the screen; at most one of them has been made."""

    peek: Peek = Peek()
    tail: Tail = Tail()


def part(seen: Seen, now: float, cells: int) -> Part | None:
    """Return what was seen, as its part of a context; None: nothing was looked at.

    Args:
        seen: by `Watching`.
        now: wall seconds of the screen.
        cells: how wide the lines may be.
    """
    if seen.peek.at:
        return _pane(seen.peek, cells)
    if seen.tail.at:
        return _log(seen.tail, now, cells)
    return None


def _pane(seen: Peek, cells: int) -> Part:
    ago = "" if seen.painted is None else f", painted {format_duration(int(seen.painted))} before"
    lines: list[Line] = []
    if seen.reason:
        lines += labelled("", (Span(seen.reason, "calm"),), cells)
    shown = [_inked(runs) for runs in seen.runs] or [(Span(line),) for line in seen.lines]
    return Part("PANE", lines + _framed(shown, cells), f"captured {local_time(seen.at)}{ago}", 5,
                end=True)  # fmt: skip


def _log(seen: Tail, now: float, cells: int) -> Part:
    told = [f"read {local_time(seen.at)}"]
    if seen.written is not None:
        told.append(f"written {_ago(now - seen.written)}")
        told.append(format_size(seen.size))
    lines: list[Line] = []
    if seen.reason:
        lines += labelled("", (Span(seen.reason, "dim"),), cells)
    shown = [_inked(runs) for runs in seen.runs] or [(Span(line),) for line in seen.lines]
    lines += _framed(shown, cells)
    return Part("LOG", lines, f" {glyphs.DOT} ".join(told), 5, end=True)


def _ago(seconds: float) -> str:
    return f"{format_duration(int(seconds))} ago" if seconds >= 1 else "just now"


def _framed(lines: Sequence[Spans], cells: int) -> list[Line]:
    """Return foreign lines behind a wall, so that none of them passes for one of ours."""
    wall = Span(f" {glyphs.WALL} ", "faint")
    room = max(cells - 4, 1)
    return [Line((wall, *clip(_ruled(line, room), room))) for line in _squeezed(lines)]


def _ruled(line: Spans, cells: int) -> Spans:
    """Return a line that is one long rule without what does not fit: nothing is missing of it."""
    if len(line) == 1 and len(line[0].text) > cells and len(set(line[0].text)) == 1:
        return (line[0]._replace(text=line[0].text[:cells]),)
    return line


def _squeezed(lines: Sequence[Spans]) -> list[Spans]:
    """Return lines without blank ones at the edges, and one where there are several in a row."""
    done: list[Spans] = []
    for line in lines:
        if _says(line) or (done and _says(done[-1])):
            done.append(line)
    while done and not _says(done[-1]):
        done.pop()
    return done


def _says(line: Spans) -> bool:
    return any(span.text.strip() for span in line)


def _inked(runs: Sequence[Run]) -> Spans:
    """Return a line of a screen in the colours that its program chose."""
    return tuple(
        Span(
            cut(run.text, 2000) if len(run.text) > 2000 else run.text,
            "text",
            Ink(run.fg, run.bg, run.style) if run.fg or run.bg or run.style else None,
        )
        for run in runs
    )
