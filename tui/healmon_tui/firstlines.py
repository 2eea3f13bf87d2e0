"""The lines of the first-run screen: what is seen here, and how to begin. Pure."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING, Final, NamedTuple

from healmon.units import format_size
from healmon_tui import glyphs
from healmon_tui.paint import Line, Span, Spans, breadth, cut_head, fill, fit, heading, wrap
from healmon_tui.rows.disks import meter

if TYPE_CHECKING:
    from healmon.service.starter import Found
    from healmon.service.starter.model import Worker

BESIDE: Final = 110
"""Cells from which on what is seen and how to begin stand beside each other."""
WIDEST: Final = 100
"""Cells of the widest line of what is seen."""
ROOMY: Final = 70
"""Cells from which on it is said where the starter would be written."""
DOES: Final = (
    "workers that end, hang or flap are started again, one copy of each",
    "agent sessions that stand still are interrupted, and their tasks handed back",
    "stale locks on SQLite files are freed, from holders that are proved to be stuck",
    "disks are cleaned by rules that you write, and by nothing else",
    "before each act healmon looks again; after it, it proves what came of it",
    "healmon check reads a configuration, --dry-run decides everything and does nothing",
)
SIDE: Final = 0.4
NAME: Final = 28
USERS: Final = 24
"""Cells that those who have a database open get at least."""


class Begin(NamedTuple):
    """How to begin.

    Attributes:
        path: where a starter configuration would be written.
        there: the configuration that is there by now; empty: none.
        key: writes the starter; empty: nothing can be written here.
        leave: the key that ends.
    """

    path: str
    there: str
    key: str
    leave: str = "q"


class Section(NamedTuple):
    """One sort of what is seen."""

    title: str
    rows: Sequence[Spans]
    none: str


def lines(found: Found | None, begin: Begin, size: tuple[int, int]) -> list[Line]:
    """Return the screen's lines for a size.

    Args:
        found: what was seen; None: it is still being looked for.
        begin: how to begin.
        size: width in cells and height in lines.
    """
    width, height = size
    if width < BESIDE:
        how = _how(begin, width - 1)
        seen = _seen(found, width - 1, height - len(how))
        return [*seen, *[Line()] * (height - len(how) - len(seen)), *how]
    side = int(width * SIDE)
    left = _seen(found, min(width - side - 4, WIDEST), height)
    right = [*_how(begin, side - 1), *_promise(side - 1)]
    used = min(width - side - 3, WIDEST + 1)
    wall = Span(f" {glyphs.WALL} ", "faint")
    return [Line((*fill(_at(left, y), used), wall, *_at(right, y))) for y in range(height)]


def _at(column: Sequence[Line], y: int) -> Spans:
    return column[y].spans if y < len(column) else ()


def _how(begin: Begin, cells: int) -> list[Line]:
    """Return what a person can do now."""
    if begin.there:
        said = [
            (Span("A configuration is there now:", "strong"),),
            *((Span(part, "accent"),) for part in wrap(begin.there, cells)),
            (Span("enter", "accent"), Span(" start again, with it", "text")),
        ]
        return [heading("BEGIN", cells), *(Line((Span(" "), *spans)) for spans in said)]
    ways = [("enter", "look around: all is watched, nothing is touched")]
    if begin.key:
        where = f": {begin.path}" if cells >= ROOMY else ""
        ways.insert(0, (begin.key, f"write a starter configuration (it is shown first){where}"))
    ways.append((begin.leave, "leave; healmon-tui --demo shows real healing"))
    made = [heading("BEGIN", cells)]
    for key, text in ways:
        for number, part in enumerate(wrap(text, cells - 8, most=3)):
            made.append(Line((Span(f" {fit('' if number else key, 6)} ", "accent"), Span(part))))
    return made


def _promise(cells: int) -> list[Line]:
    """Return what a configuration makes of it, where there is room to say so."""
    made = [Line(), heading("WITH A CONFIGURATION", cells)]
    for text in DOES:
        for number, part in enumerate(wrap(text, cells - 4)):
            made.append(Line((Span("   " if number else f" {glyphs.DOT} ", "accent"), Span(part))))
    return made


def _seen(found: Found | None, cells: int, room: int) -> list[Line]:
    """Return what is seen, in at most so many lines; each sort gets its share."""
    head = [
        Line((Span(f" {glyphs.OK} ", "ok"), Span("No configuration yet: ", "strong"),
              Span("healmon looks, and touches nothing.", "text"))),
    ]  # fmt: skip
    if found is None:
        return [*head, Line(), Line((Span("   looking around…", "dim"),))][:room]
    sections = _sections(found, cells)
    if room >= 14:
        head.append(Line())
    counts = _share(room - len(head) - len(sections), [max(len(s.rows), 1) for s in sections])
    made: list[Line] = []
    for section, count in zip(sections, counts, strict=True):
        hidden = len(section.rows) - count
        more = f"+{hidden} more" if hidden > 0 else ""
        title = f"{section.title} {len(section.rows)}" if section.rows else section.title
        made.append(heading(title, cells, "strong", more))
        rows = section.rows or [(Span(section.none, "dim"),)]
        made += [Line((Span("   "), *spans)) for spans in rows[:count]]
    for text in found.unseen[: max(room - len(head) - len(made) - 1, 0)]:
        made.append(Line((Span(f"   not looked at: {text}", "dim"),)))
    return [*head, *made][:room]


def _share(room: int, wants: Sequence[int]) -> list[int]:
    given = [0] * len(wants)
    while room > 0 and given != list(wants):
        for place, want in enumerate(wants):
            if room > 0 and given[place] < want:
                given[place] += 1
                room -= 1
    return given


def _sections(found: Found, cells: int) -> list[Section]:
    name = min(NAME, cells // 3)
    disks: list[Spans] = [
        (
            Span(f"{fit(disk.path, name)} "),
            *meter(disk.percent, 12, "text"),
            Span(f" {disk.percent:3.0f}%", "text"),
            Span(f"  {format_size(disk.free)} free", "dim"),
        )
        for disk in found.disks
    ]
    sessions: list[Spans] = [
        (
            Span(f"{fit(one.name, name)} "),
            Span(f"{fit(one.command, 12)} ", "dim"),
            Span("" if one.socket == "default" else f"{one.socket}  ", "dim"),
            Span("attached" if one.attached else "", "text"),
        )
        for one in found.sessions
    ]
    longest = max((breadth(one.path) for one in found.databases), default=0)
    wide = min(longest, max(cells - 4 - USERS, name))
    databases: list[Spans] = [
        (Span(f"{fit(cut_head(one.path, wide), wide)} "), Span(_users(one.users), "dim"))
        for one in found.databases
    ]
    workers: list[Spans] = [
        (
            Span(f"{fit(_program(one), name)} "),
            Span(f"{one.pid:>8}  ", "dim"),
            Span(one.pid_file or one.unit or one.directory, "dim"),
        )
        for one in found.workers
    ]
    return [
        Section("DISKS", disks, "none that can be measured"),
        Section("TMUX SESSIONS", sessions, "none that healmon may see"),
        Section("SQLITE DATABASES", databases, "none open, and none here"),
        Section("PROGRAMS LIKE WORKERS", workers, "none that run a script or have a pid file"),
    ]


def _program(worker: Worker) -> str:
    path = worker.script or (worker.argv[0] if worker.argv else "")
    return path.rpartition("/")[2] or path


def _users(users: Sequence[tuple[int, str]]) -> str:
    return ", ".join(f"{name} ({pid})" for pid, name in users) or "not open"
