"""Rows of the sessions panel."""

from __future__ import annotations

from typing import Final

from healmon.state import ComponentView, of_healer
from healmon.units import format_duration
from healmon_tui import glyphs
from healmon_tui.columns import Column
from healmon_tui.facts import Facts
from healmon_tui.paint import Span, Spans, Tone
from healmon_tui.rows.scene import WELL, Mark, Row, Scene, short

HEALER: Final = "sessions"
SILENT: Final = frozenset({"quiet", "stuck", "waiting", "idle", "attached", "protected", "unknown"})
"""States in which a session has said nothing since it was looked at, so its quiet time grows."""
_TONES: Final[dict[str, Tone]] = {
    "working": "text", "quiet": "text", "stuck": "bad", "waiting": "warn", "idle": "dim",
    "attached": "text", "protected": "dim", "typing": "text", "mode": "text", "dead": "bad",
    "gone": "dim", "unknown": "warn",
}  # fmt: skip


def columns(names: int, width: int) -> tuple[Column, ...]:
    """Return the panel's columns."""
    del width
    return (
        Column("name", "", names),
        Column("state", "STATE", 14),
        Column("quiet", "QUIET", 6, right=True, drop=1),
        Column("task", "TASK", 5, right=True),
        Column("pane", "PANE", 10, drop=2),
        Column("command", "CMD", 9, drop=4),
        Column("why", "WHY", 20, drop=3, stretch=1),
        Column("line", "LAST LINE", 12, stretch=2),
    )


def rows(scene: Scene) -> list[Row]:
    """Return one row per session, in no order."""
    return [_row(scene, view) for view in of_healer(scene.snapshot, HEALER).values()]


def tally(scene: Scene) -> tuple[int, int, int]:
    """Return how many sessions are stuck, how many wait for a person, how many there are."""
    states = [
        Facts(view.facts).text("state") for view in of_healer(scene.snapshot, HEALER).values()
    ]
    return states.count("stuck"), states.count("waiting"), len(states)


def quiet_for(facts: Facts, view: ComponentView, now: float) -> float | None:
    """Return for how many seconds a session has said nothing."""
    quiet = facts.number("quiet")
    if quiet is None:
        return None
    grown = now - view.seen_at if facts.text("state") in SILENT else 0.0
    return max(quiet + grown, 0.0)


def _row(scene: Scene, view: ComponentView) -> Row:
    facts = Facts(view.facts)
    word = facts.text("state") or view.status
    mark = scene.mark(view)
    tone = _TONES.get(word, "text")
    if mark.rank == WELL.rank and word in ("idle", "gone"):
        mark = Mark(glyphs.OFF, "dim", 8)
    if tone in ("bad", "warn"):
        tone = mark.tone if mark.rank < WELL.rank else "text"
    quiet = quiet_for(facts, view, scene.now)
    cells: dict[str, Spans] = {
        "name": (Span(short(view.name), "dim" if mark.rank == 8 else "text"),),
        "state": (scene.state(view, word, tone),),
        "quiet": _dim("" if quiet is None else format_duration(int(quiet))),
        "task": _tasks(facts.texts("tasks")),
        "pane": _dim(place_of(facts)),
        "command": _dim(facts.text("command")),
        "why": scene.why(view, word, facts.text("why", "rule") if mark.rank < WELL.rank else ""),
        "line": (Span(facts.text("question", "last_line"), "dim"),),
    }
    return Row(view.name, view.name, mark, cells, (mark.rank, -(quiet or 0.0), view.name))


def place_of(facts: Facts) -> str:
    """Return where a session's pane is: window, index and id, as far as known."""
    pane, window, index = facts.text("pane"), facts.text("window"), facts.text("pane_index")
    if not pane:
        return window
    where = f"{window}.{index}" if window and index else window
    return f"{where} {pane}" if where else pane


def _tasks(tasks: tuple[str, ...]) -> Spans:
    more = f"+{len(tasks) - 1}" if len(tasks) > 1 else ""
    return (Span(tasks[0] + more),) if tasks else (Span("-", "faint"),)


def _dim(text: str) -> Spans:
    return (Span(text, "dim"),) if text else (Span("-", "faint"),)
