"""The lines of the first-run screen: what is seen here, and how to begin. Pure."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Final, NamedTuple

from rich.cells import cell_len

from healmon.service.firstrun import Sights
from healmon.state import Snapshot, of_healer
from healmon.units import format_size
from healmon_tui import glyphs
from healmon_tui.facts import Facts
from healmon_tui.paint import Line, Span, Spans, cut_head, fill, fit, heading, wrap
from healmon_tui.rows.disks import meter
from healmon_tui.rows.scene import short

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


def lines(
    sights: Sights | None, snapshot: Snapshot, begin: Begin, size: tuple[int, int]
) -> list[Line]:
    """Return the screen's lines for a size.

    Args:
        sights: what was seen; None: it is still being looked for.
        snapshot: the healer's, for the tmux sessions.
        begin: how to begin.
        size: width in cells and height in lines.
    """
    width, height = size
    if width < BESIDE:
        how = _how(begin, width - 1)
        seen = _seen(sights, snapshot, width - 1, height - len(how))
        return [*seen, *[Line()] * (height - len(how) - len(seen)), *how]
    side = int(width * SIDE)
    left = _seen(sights, snapshot, min(width - side - 4, WIDEST), height)
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


def _seen(sights: Sights | None, snapshot: Snapshot, cells: int, room: int) -> list[Line]:
    """Return what is seen, in at most so many lines; each sort gets its share."""
    head = [
        Line((Span(f" {glyphs.OK} ", "ok"), Span("No configuration yet: ", "strong"),
              Span("healmon looks, and touches nothing.", "text"))),
    ]  # fmt: skip
    if sights is None:
        return [*head, Line(), Line((Span("   looking around…", "dim"),))][:room]
    sections = _sections(sights, snapshot, cells)
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
    if sights.hidden and len(head) + len(made) < room - 1:
        text = f"   {sights.hidden} processes of other users cannot be looked into"
        made += [Line(), Line((Span(text, "dim"),))]
    return [*head, *made][:room]


def _share(room: int, wants: Sequence[int]) -> list[int]:
    given = [0] * len(wants)
    while room > 0 and given != list(wants):
        for place, want in enumerate(wants):
            if room > 0 and given[place] < want:
                given[place] += 1
                room -= 1
    return given


def _sections(sights: Sights, snapshot: Snapshot, cells: int) -> list[Section]:
    name = min(NAME, cells // 3)
    disks: list[Spans] = [
        (
            Span(f"{fit(disk.mount, name)} "),
            *meter(disk.percent, 12, "text"),
            Span(f" {disk.percent:3.0f}%", "text"),
            Span(f"  {format_size(disk.free)} free", "dim"),
        )
        for disk in sights.disks
    ]
    sessions: list[Spans] = [
        (
            Span(f"{fit(short(view.name), name)} "),
            Span(f"{fit(_words(view.facts), 18)} ", "dim"),
            Span(Facts(view.facts).text("last_line"), "dim"),
        )
        for view in of_healer(snapshot, "sessions").values()
    ]
    longest = max((cell_len(one.path) for one in sights.databases), default=0)
    wide = min(longest, max(cells - 4 - USERS, name))
    databases: list[Spans] = [
        (Span(f"{_tail(one.path, wide)} "), Span(_users(one.users), "dim"))
        for one in sights.databases
    ]
    daemons: list[Spans] = [
        (Span(f"{fit(one.name, name)} "), Span(f"{one.pid:>8}  ", "dim"), Span(one.path, "dim"))
        for one in sights.daemons
    ]
    return [
        Section("DISKS", disks, "none that can be measured"),
        Section("TMUX SESSIONS", sessions, "none on the default socket"),
        Section("SQLITE FILES OPEN", databases, "none that healmon may see"),
        Section("DAEMONS WITH A PID FILE", daemons, "none in /run, /tmp and here"),
    ]


def _words(facts: dict[str, object]) -> str:
    known = Facts(facts)
    return " ".join(word for word in (known.text("command"), known.text("state")) if word)


def _tail(path: str, cells: int) -> str:
    return fit(cut_head(path, cells), cells)


def _users(users: Sequence[tuple[int, str]]) -> str:
    named = [f"{name} ({pid})" for pid, name in users]
    return ", ".join(named)
