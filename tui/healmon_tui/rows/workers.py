"""Rows of the workers panel."""

from __future__ import annotations

import math
from typing import Final

from healmon.state import ComponentView, of_healer
from healmon.units import format_duration
from healmon_tui import glyphs
from healmon_tui.columns import Column
from healmon_tui.facts import Facts
from healmon_tui.paint import Span, Spans, Tone
from healmon_tui.rows.scene import WELL, Mark, Row, Scene, short

HEALER: Final = "workers"
ALIVE: Final = frozenset({"up", "starting"})
AT_REST: Final = frozenset({"stopped", "completed"})
_TONES: Final[dict[str, Tone]] = {
    "up": "text", "starting": "heal", "backoff": "heal", "quarantined": "bad", "down": "bad",
    "stopped": "dim", "completed": "dim", "unknown": "warn",
}  # fmt: skip


def columns(names: int, width: int) -> tuple[Column, ...]:
    """Return the panel's columns; MEM, CPU, PID, NEXT give way first, then UP."""
    return (
        Column("name", "", names),
        Column("state", "STATE", 14),
        Column("pid", "PID", 7, right=True, drop=3),
        Column("up", "UP", 6, right=True, drop=1),
        Column("cpu", "CPU", 4, right=True, drop=4),
        Column("mem", "MEM", 6, right=True, drop=5),
        Column("rst", "RST", 4, right=True),
        Column("next", "NEXT", 6, right=True, drop=2 if width >= 100 else 6),
        Column("why", "WHY", max(12, min(18, width - 56)), stretch=1),
    )


def rows(scene: Scene) -> list[Row]:
    """Return one row per worker, in no order."""
    return [_row(scene, view) for view in of_healer(scene.snapshot, HEALER).values()]


def tally(scene: Scene) -> tuple[int, int]:
    """Return how many workers are up, of those that are meant to be."""
    states = [
        Facts(view.facts).text("state") for view in of_healer(scene.snapshot, HEALER).values()
    ]
    meant = [state for state in states if state not in AT_REST]
    return sum(state in ALIVE for state in meant), len(meant)


def _row(scene: Scene, view: ComponentView) -> Row:
    facts = Facts(view.facts)
    word = facts.text("state") or view.status
    mark = scene.mark(view)
    if mark.rank == WELL.rank and word in AT_REST:
        mark = Mark(glyphs.OFF, "dim", 8)
    alive = word in ALIVE
    tone = _TONES.get(word, "text")
    if tone == "bad":
        tone = mark.tone
    cells: dict[str, Spans] = {
        "name": (Span(short(view.name), "dim" if word in AT_REST else "text"),),
        "state": (scene.state(view, word, tone),),
        "pid": _number(facts, "pid") if alive else (Span("-", "faint"),),
        "up": _plain(_uptime(facts, view, scene.now) if alive else ""),
        "cpu": _plain(_percent(facts.number("cpu")) if alive else ""),
        "mem": _plain(_memory(facts.number("rss")) if alive else ""),
        "rst": _restarts(facts),
        "next": _plain(_next(facts, scene, view)),
        "why": scene.why(view, word, facts.text("why")),
    }
    return Row(view.name, view.name, mark, cells, (mark.rank, view.name))


def uptime(facts: Facts, view: ComponentView, now: float) -> float | None:
    """Return for how many seconds a worker runs, as far as is known now."""
    age = facts.number("age")
    if age is not None:
        return max(age + now - view.seen_at, 0.0)
    since = facts.number("since")
    return None if since is None else max(now - since, 0.0)


def _uptime(facts: Facts, view: ComponentView, now: float) -> str:
    up = uptime(facts, view, now)
    return "" if up is None else format_duration(int(up))


def _plain(text: str) -> Spans:
    return (Span(text, "dim"),) if text else (Span("-", "faint"),)


def _number(facts: Facts, key: str) -> Spans:
    value = facts.number(key)
    return _plain("" if value is None else f"{value:.0f}")


def _percent(value: float | None) -> str:
    return "" if value is None else f"{min(value, 99999):.0f}%"


def _memory(value: float | None) -> str:
    if value is None:
        return ""
    for unit in ("B", "K", "M", "G", "T"):
        if value < 999.5:
            return f"{value:.0f}{unit}" if value >= 10 or unit == "B" else f"{value:.1f}{unit}"
        value /= 1000
    return f"{value:.0f}P"


def _restarts(facts: Facts) -> Spans:
    failures, most = facts.number("failures"), facts.number("max_failures")
    if failures and most:
        tone: Tone = "bad" if failures >= most else "warn" if failures == most - 1 else "text"
        return (Span(f"{failures:.0f}/{most:.0f}", tone),)
    restarts = facts.number("restarts")
    return _plain("" if restarts is None else f"{restarts:.0f}")


def _next(facts: Facts, scene: Scene, view: ComponentView) -> str:
    plan = scene.healing(view.name)
    at = plan.due_wall if plan is not None and not plan.acting else facts.number("next_at")
    return format_duration(math.ceil(at - scene.now)) if at is not None and at > scene.now else ""
