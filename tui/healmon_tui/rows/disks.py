"""Rows of the disk panel."""

from __future__ import annotations

from typing import Final

from healmon.state import ComponentView
from healmon.units import format_duration, format_percent, format_size
from healmon_tui import glyphs
from healmon_tui.columns import Column
from healmon_tui.facts import Facts
from healmon_tui.paint import Span, Spans, Tone
from healmon_tui.rows.memory import RowMemory
from healmon_tui.rows.scene import WELL, Row, Scene, short
from healmon_tui.strips import spark

HEALER: Final = "disks"
SOON: Final = 86_400.0
"""Seconds within which an end is shown as a warning."""
HOURS: Final = 24
"""Hours of the past that are drawn."""
LEAST: Final = 5.0
"""Percentage points between an empty and a full bar, at least."""
STEADY: Final = 0.01
"""Percentage points an hour that are no growth."""


def columns(names: int, width: int) -> tuple[Column, ...]:
    """Return the panel's columns."""
    return (
        Column("name", "", names, tail=True),
        Column("meter", "", _meter_cells(width)),
        Column("used", "USED", 6, right=True),
        Column("free", "FREE", 8, right=True),
        Column("size", "SIZE", 8, right=True, drop=3),
        Column("full", "FULL IN", 8, right=True, drop=2),
        *((Column("trend", f"LAST {HOURS} H", HOURS // 2, drop=4),) if width >= 110 else ()),
        Column("why", "WHY", 12, stretch=1, drop=1),
    )


def rows(scene: Scene, memory: RowMemory[ComponentView] | None = None) -> list[Row]:
    """Return one row per file system or budget, in no order."""
    views = scene.views(HEALER)
    return (memory or remembered()).rows(scene, views)


def remembered() -> RowMemory[ComponentView]:
    """Return an empty memory of such rows."""
    return RowMemory(_row, lambda view: (view.name, view.name))


def _meter_cells(width: int) -> int:
    if width < 72:
        return 8
    return min(40, width // 5) if width >= 110 else width // 4


def meter(percent: float, cells: int, tone: Tone) -> Spans:
    """Return a bar of so many cells, filled to `percent`."""
    filled = max(0, min(cells, round(percent / 100 * cells)))
    return (Span(glyphs.FULL * filled, tone), Span(glyphs.EMPTY * (cells - filled), "faint"))


def trend(
    scene: Scene, view: ComponentView, facts: Facts, hours: int = 1
) -> tuple[str, float, float]:
    """Return how full it was, as bars, and the lowest and the highest of them in percent.

    For a day as its healer knows it, else what was seen in the last half hour.

    Args:
        scene: the moment.
        view: the disk.
        facts: its facts.
        hours: that one bar stands for.
    """
    past = facts.inner("outlook").numbers("past")[-HOURS:]
    past = tuple(max(past[n : n + hours]) for n in range(0, len(past), hours))
    known = [value for value in past if value >= 0]
    if len(known) < 2:
        levels = scene.strips.levels(view.name, scene.now)
        return (spark(levels, LEAST), min(levels), max(levels)) if len(levels) > 1 else ("", 0, 0)
    bars = iter(spark(known, LEAST))
    drawn = "".join(next(bars) if value >= 0 else " " for value in past)
    return drawn.lstrip(), min(known), max(known)


def full_in(facts: Facts) -> Spans:
    """Return which way it goes and in what time it is full: `↗ 9h12m`; a dash for nothing told."""
    outlook = facts.inner("outlook")
    eta, rate = outlook.number("eta"), outlook.number("rate") or 0.0
    if eta is None:
        word = glyphs.FALLS if rate <= -STEADY else glyphs.LEVEL
        return (Span(word if outlook.text("way") == "trend" else "-", "faint"),)
    sure = outlook.text("way") != "young"
    tone: Tone = "warn" if sure and eta < SOON else "dim"
    time = format_duration(eta) if eta >= 60 else "now"
    return (Span(f"{glyphs.RISES} {time}", tone),)


def full_text(facts: Facts) -> str:
    """Return `about 9h12m (6h to 14h), +1.40 points an hour`; empty where nothing is known."""
    outlook = facts.inner("outlook")
    eta, rate = outlook.number("eta"), outlook.number("rate") or 0.0
    if eta is None:
        return "" if outlook.text("way") != "trend" else "more than 10 days"
    soonest, latest = outlook.number("soonest"), outlook.number("latest")
    late = "later" if latest is None else format_duration(latest)
    band = "" if soonest is None else f" ({format_duration(soonest)} to {late})"
    guess = ", a guess from little history" if outlook.text("way") == "young" else ""
    about = f"about {format_duration(eta)}" if eta >= 60 else "minutes"
    return f"{about}{band}, {rate:+.2f} points an hour{guess}"


def _row(scene: Scene, view: ComponentView) -> Row:
    facts = Facts(view.facts)
    percent = facts.number("percent")
    mark = scene.mark(view)
    tone: Tone = mark.tone if mark.rank < WELL.rank else "ok"
    free, size = facts.number("free"), facts.number("size")
    cells: dict[str, Spans] = {
        "name": (Span(short(view.name)),),
        "used": _value("" if percent is None else format_percent(percent), tone),
        "free": _value("" if free is None else format_size(free), "text"),
        "size": _value("" if size is None else format_size(size), "dim"),
        "full": full_in(facts),
        "trend": (Span(trend(scene, view, facts, 2)[0].rjust(HOURS // 2), "accent"),),
        "why": _why(scene, view, facts),
    }
    order = (mark.rank, -(percent or 0.0), view.name)
    gauge = None if percent is None else (percent, tone)
    return Row(view.name, view.name, mark, cells, order, meter=gauge)


def _why(scene: Scene, view: ComponentView, facts: Facts) -> Spans:
    state = scene.state(view, "", "text")
    if scene.healing(view.name) is not None or scene.healed(view.name) is not None:
        return (state, Span(f" {glyphs.DOT} ", "dim"), *scene.why(view, "", ""))
    inodes = facts.number("inode_percent")
    notes: list[str] = []
    if facts.text("kind") == "budget":
        notes.append("budget")
    if inodes is not None and inodes >= 80:
        notes.append(f"inodes {format_percent(inodes)}")
    why = scene.why(view, "", facts.text("why"))
    return why or (Span(f" {glyphs.DOT} ".join(notes), "dim"),)


def _value(text: str, tone: Tone) -> Spans:
    return (Span(text, tone),) if text else (Span("-", "faint"),)
