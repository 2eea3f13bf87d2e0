"""Rows of the locks panel."""

from __future__ import annotations

from typing import Final

from healmon.state import ComponentView
from healmon.units import format_duration, format_size
from healmon_tui.columns import Column
from healmon_tui.facts import Facts
from healmon_tui.paint import Span, Spans, Tone
from healmon_tui.rows.memory import RowMemory
from healmon_tui.rows.scene import WELL, WELL_SO, Row, Scene, short

HEALER: Final = "databases"
FREE: Final = frozenset({"free", "missing", "cannot-look", ""})
"""Verdicts without a lock."""


def columns(names: int, width: int) -> tuple[Column, ...]:
    """Return the panel's columns."""
    return (
        Column("name", "", names),
        Column("state", "STATE", 19 if width >= 90 else 14),
        Column("holder", "HOLDER", 16, drop=1),
        Column("for", "FOR", 6, right=True),
        Column("wal", "WAL", 8, right=True, drop=2),
        Column("mode", "MODE", 6, drop=4),
        Column("why", "WHY", 10, stretch=1, drop=3),
    )


def rows(scene: Scene, memory: RowMemory[ComponentView] | None = None) -> list[Row]:
    """Return one row per database, in no order."""
    views = scene.views(HEALER)
    return (memory or remembered()).rows(scene, views)


def remembered() -> RowMemory[ComponentView]:
    """Return an empty memory of such rows."""
    return RowMemory(_row, lambda view: (view.name, view.name))


def tally(scene: Scene) -> tuple[int, int, int]:
    """Return how many databases are locked and not well, how many unknown, how many there are."""
    views = scene.views(HEALER)
    seen = [view for view in views if view.status != "unknown"]
    locked = sum(view.status not in WELL_SO and verdict(view) not in FREE for view in seen)
    return locked, len(views) - len(seen), len(views)


def verdict(view: ComponentView) -> str:
    """Return the word for how a database is."""
    return Facts(view.facts).text("verdict", "state") or view.status


def holder(facts: Facts) -> str:
    """Return who holds the lock: name and pid, as far as known."""
    inner = facts.inner("holder")
    pid = facts.number("holder_pid") or inner.number("pid") or 0.0
    name = inner.text("name", "command") or facts.text("holder_command", "holder")
    return " ".join(part for part in (name, f"{pid:.0f}" if pid > 0 else "") if part)


def tree(facts: Facts, started: str) -> list[tuple[str, str]]:
    """Return the holder and all that hangs on its lock, each as label and value.

    Args:
        facts: of the database.
        started: when the holder was started, as it is shown.
    """
    inner = facts.inner("holder")
    user, cwd = inner.text("user"), inner.text("cwd")
    place = " in ".join(part for part in (user, cwd) if part)
    frames = facts.number("pinned_frames")
    return [
        ("holder", holder(facts)),
        ("runs", inner.text("command")),
        ("as", place),
        ("started", started if holder(facts) else ""),
        ("at", inner.text("pane", "tty")),
        ("worker", inner.text("worker")),
        ("holds", ", ".join(facts.texts("locks"))),
        ("pins", f"{frames:.0f} frames of the -wal" if frames else ""),
        ("waits for", _pids(facts, "waits_for", "reader ")),
        ("waiting", _pids(facts, "waiting", "")),
        ("open too", _pids(facts, "others", "")),
        ("deleted", _pids(facts, "deleted", "in use by ")),
        ("sqlite", facts.text("warning")),
        ("copy", facts.text("kept")),
    ]


def _pids(facts: Facts, key: str, before: str) -> str:
    pids = facts.texts(key)
    more = f" and {len(pids) - 8} more" if len(pids) > 8 else ""
    return f"{before}pid {', '.join(pids[:8])}{more}" if pids else ""


def locked_for(facts: Facts, view: ComponentView, now: float) -> float | None:
    """Return for how many seconds the lock has been held; None: it is not."""
    if facts.text("verdict") in FREE:
        return None
    held, since = facts.number("locked_for"), facts.number("since")
    if held is not None:
        return held + max(now - view.seen_at, 0.0)
    return None if since is None else max(now - since, 0.0)


def _row(scene: Scene, view: ComponentView) -> Row:
    facts = Facts(view.facts)
    word = verdict(view)
    mark = scene.mark(view)
    tone: Tone = mark.tone if mark.rank < WELL.rank else "text"
    held, wal = locked_for(facts, view, scene.now), facts.number("wal_bytes", "wal_size")
    cells: dict[str, Spans] = {
        "name": (Span(short(view.name)),),
        "state": (scene.state(view, word, tone),),
        "holder": _dim(holder(facts)),
        "for": _dim("" if held is None else format_duration(int(held))),
        "wal": _dim("" if wal is None else format_size(wal)),
        "mode": _dim(facts.text("mode")),
        "why": scene.why(view, word, facts.text("why", "why_not")),
    }
    return Row(view.name, view.name, mark, cells, (mark.rank, -(held or 0.0), view.name))


def _dim(text: str) -> Spans:
    return (Span(text, "dim"),) if text else (Span("-", "faint"),)
