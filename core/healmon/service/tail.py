"""The newest lines that a worker wrote, for a person who looks. Only looking."""

from __future__ import annotations

from pathlib import Path
from typing import Final

from healmon.clock import SystemClock
from healmon.errors import HealmonError
from healmon.service.looks import Tail
from healmon.text import clean
from healmon.workers.records import Records
from healmon.world import logtail, sgr
from healmon.world.sgr import Painted

FOLDER: Final = "workers"
MOST: Final = 1000
"""Lines that are ever handed out."""
LONGEST: Final = 2000
"""Bytes of one line."""


def tail(state_dir: Path, worker: str, lines: int) -> Tail:
    """Return the newest lines of a worker's log; never raises, a reason is an answer too."""
    now = SystemClock().read().wall
    try:
        found = logtail.end_of(Records(state_dir / FOLDER).log_path(worker))
    except (HealmonError, ValueError) as error:
        return Tail(at=now, reason=clean(str(error.args[0] if error.args else error)))
    if found is None:
        return Tail(at=now, reason="it has written nothing that healmon keeps")
    told = told_of(found.data, whole=found.whole)
    wanted = told[-max(min(lines, MOST), 0) :] if lines > 0 else ()
    return Tail(
        lines=tuple(sgr.plain((line,)) for line in wanted),
        runs=wanted,
        at=now,
        written=found.written,
        size=found.size,
        more=not found.whole or len(wanted) < len(told),
        reason="" if told else "its log is empty",
    )


def told_of(data: bytes, *, whole: bool) -> Painted:
    """Return the lines of the end of a log; the first one is left out where it may be cut. Pure.

    Each line stands for itself: a colour that one leaves on colours no other.
    """
    if not whole:
        head, newline, rest = data.partition(b"\n")
        data = rest if newline else head
    # a program that redraws a line in place means what it wrote last
    rows = (row.rstrip(b"\r\x00").rpartition(b"\r")[2] for row in data.lstrip(b"\x00").split(b"\n"))
    lines = [line for row in rows for line in (sgr.parse(row[:LONGEST]) or ((),))]
    while lines and not lines[-1]:
        lines.pop()
    return tuple(lines)
