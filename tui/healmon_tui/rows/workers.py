"""Rows of the workers panel."""

from __future__ import annotations

import math
from collections.abc import Callable
from functools import lru_cache
from typing import Final, NamedTuple

from healmon.clock import local_time
from healmon.state import ComponentView
from healmon.units import format_duration, format_size
from healmon_tui import glyphs, strips
from healmon_tui.columns import Column
from healmon_tui.facts import Facts
from healmon_tui.paint import Span, Spans, Tone
from healmon_tui.rows.late import LateCells
from healmon_tui.rows.memory import RowMemory
from healmon_tui.rows.scene import WELL, Mark, Row, Scene, age, short

HEALER: Final = "workers"
MINUTES: Final = int(strips.SPAN // 60)
UP: Final = frozenset({"healthy", "trial", "starting", "probation"})
ALIVE: Final = UP | {"unhealthy", "stopping", "stop_failed"}
AT_REST: Final = frozenset({"stopped", "completed"})
_WORDS: Final = {"waiting_dependency": "waiting", "stop_failed": "stop failed"}
"""What the column is too narrow for."""
_TONES: Final[dict[str, Tone]] = {
    "healthy": "text", "trial": "heal", "starting": "heal", "probation": "heal", "backoff": "heal",
    "stopping": "heal", "waiting_dependency": "heal", "unhealthy": "bad", "stop_failed": "bad",
    "quarantined": "bad", "blocked": "bad", "down": "bad", "stopped": "dim", "completed": "dim",
    "unknown": "warn",
}  # fmt: skip

PROVED: Final = {
    "V0": "the old one is gone", "V1": "a new process", "V2": "alive", "V3": "ready",
    "V4": "it makes progress",
}  # fmt: skip
"""How far a start was proved, in words."""


def columns(names: int, width: int) -> tuple[Column, ...]:
    """Return the panel's columns; MEM, CPU, PID, NEXT give way first, then UP."""
    lately = (Column("strip", f"LAST {MINUTES} MIN", strips.CELLS, drop=7),)
    used = (Column("used", "CPU THEN", strips.CELLS, drop=8),)
    return (
        Column("name", "", names),
        Column("state", "STATE", 14),
        Column("pid", "PID", 7, right=True, drop=3),
        Column("up", "UP", 6, right=True, drop=1),
        Column("cpu", "CPU", 4, right=True, drop=4),
        Column("mem", "MEM", 6, right=True, drop=5 if width >= 100 else 7),
        Column("rst", "RST", 4, right=True),
        Column("next", "NEXT", 6, right=True, drop=2 if width >= 100 else 6),
        *(lately if width >= 124 else ()),
        *(used if width >= 160 else ()),
        Column("why", "WHY", max(12, min(18, width - 56)), stretch=1),
    )


def rows(scene: Scene, memory: RowMemory[ComponentView] | None = None) -> list[Row]:
    """Return one row per worker, in no order."""
    views = scene.views(HEALER)
    return (memory or remembered()).rows(scene, views)


def remembered() -> RowMemory[ComponentView]:
    """Return an empty memory of such rows."""
    return RowMemory(_row, lambda view: (view.name, view.name))


def tally(scene: Scene) -> tuple[int, int]:
    """Return how many workers are up, of those that are meant to be."""
    return scene.once(_tally)


def _tally(scene: Scene) -> tuple[int, int]:
    states = [state(Facts(view.facts)) for view in scene.views(HEALER)]
    meant = [word for word in states if word not in AT_REST]
    return sum(word in UP for word in meant), len(meant)


def state(facts: Facts) -> str:
    """Return what a worker is doing; `stopped`: it is down because a person wants it so."""
    word = facts.text("state")
    return "stopped" if word == "down" and facts.text("desired") == "down" else word


def say(word: str) -> str:
    """Return the word of a state as people read it."""
    return _WORDS.get(word, word)


class _Seen(NamedTuple):
    """A worker, as its cells need it."""

    scene: Scene
    view: ComponentView
    facts: Facts
    word: str
    tone: Tone
    alive: bool


def _row(scene: Scene, view: ComponentView) -> Row:
    facts = Facts(view.facts)
    word = state(facts) or view.status
    mark = scene.mark(view)
    if mark.rank == WELL.rank and word in AT_REST:
        mark = Mark(glyphs.OFF, "dim", 8)
    tone = _TONES.get(word, "text")
    if tone == "bad":
        tone = mark.tone
    seen = _Seen(scene, view, facts, word, tone, word in ALIVE)
    return Row(view.name, view.name, mark, LateCells(_CELLS, seen), (mark.rank, view.name))


def uptime(facts: Facts, view: ComponentView, now: float) -> float | None:
    """Return for how many seconds a worker runs, as far as is known now."""
    age = facts.number("age")
    if age is not None:
        return max(age + now - view.seen_at, 0.0)
    since = facts.number("since")
    return None if since is None else max(now - since, 0.0)


def _uptime(facts: Facts, view: ComponentView, now: float) -> str:
    up = uptime(facts, view, now)
    return "" if up is None else age(up)


@lru_cache(maxsize=128)
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


def _used(scene: Scene, view: ComponentView) -> str:
    """Return the processor time of the last half hour as bars: a full one is a whole core."""
    levels = scene.strips.levels(view.name, scene.now)
    return strips.spark(levels, 1.0, 100.0).rjust(strips.CELLS) if len(levels) > 1 else ""


def _restarts(facts: Facts) -> Spans:
    failures, most = _fuller(facts)
    if failures and most:
        tone: Tone = "bad" if failures >= most else "warn" if failures == most - 1 else "text"
        return (Span(f"{failures:.0f}/{most:.0f}", tone),)
    restarts = facts.number("restarts")
    return _plain("" if restarts is None else f"{restarts:.0f}")


def _fuller(facts: Facts) -> tuple[float, float]:
    """Return failures and how many are let pass, of the window that is fuller."""
    fast = facts.number("failures") or 0.0, facts.number("max_failures") or 0.0
    slow = facts.number("slow") or 0.0, facts.number("max_slow") or 0.0
    return slow if slow[0] * fast[1] > fast[0] * slow[1] else fast


def _next(facts: Facts, scene: Scene, view: ComponentView) -> str:
    plan = scene.healing(view.name)
    at = plan.due_wall if plan is not None and not plan.acting else facts.number("next_at")
    return format_duration(math.ceil(at - scene.now)) if at is not None and at > scene.now else ""


def _pid(seen: _Seen) -> Spans:
    return _number(seen.facts, "pid") if seen.alive else _plain("")


def _up(seen: _Seen) -> Spans:
    return _plain(_uptime(seen.facts, seen.view, seen.scene.now) if seen.alive else "")


def _lately(seen: _Seen) -> Spans:
    return strips.spans(seen.scene.strips.uptime(seen.view.name, seen.scene.now))


_CELLS: Final[dict[str, Callable[[_Seen], Spans]]] = {
    "name": lambda s: (Span(short(s.view.name), "dim" if s.word in AT_REST else "text"),),
    "state": lambda s: (s.scene.state(s.view, say(s.word), s.tone),),
    "pid": _pid,
    "up": _up,
    "cpu": lambda s: _plain(_percent(s.facts.number("cpu")) if s.alive else ""),
    "mem": lambda s: _plain(_memory(s.facts.number("rss")) if s.alive else ""),
    "rst": lambda s: _restarts(s.facts),
    "next": lambda s: _plain(_next(s.facts, s.scene, s.view)),
    "strip": _lately,
    "used": lambda s: (Span(_used(s.scene, s.view), "accent"),),
    "why": lambda s: s.scene.why(s.view, say(s.word), s.facts.text("why")),
}
"""What makes each cell."""


def details(scene: Scene, view: ComponentView, facts: Facts) -> list[tuple[str, str]]:
    """Return all that is known of a worker, as labels and texts; empty texts are left out."""
    cpu, rss = facts.number("cpu"), facts.number("rss")
    up, next_at = uptime(facts, view, scene.now), facts.number("next_at")
    alive = facts.text("state") in ALIVE
    tree, check = facts.inner("use"), facts.inner("liveness")
    return [
        ("pid", facts.text("pid")),
        ("up", format_duration(int(up)) if alive and up is not None else ""),
        ("uses", _joined(
            f"{cpu:.0f}% cpu" if cpu is not None and alive else "",
            f"{format_size(rss)} memory" if rss and alive else "",
            _tree(tree) if alive else "",
        )),
        ("proved", PROVED.get(facts.text("proved"), facts.text("proved"))),
        ("liveness", _liveness(check)),
        ("restarts", _restarted(facts)),
        ("failures", _joined(_of(facts, "failures", "max_failures", "failure_window"),
                             _of(facts, "slow", "max_slow", "slow_window"))),
        ("quarantine", _quarantine(facts)),
        ("next delay", format_duration(facts.number("delay") or 0) if facts.text("delay") else ""),
        ("next try", local_time(next_at) if next_at and next_at > scene.now else ""),
        ("why", facts.text("why") if facts.text("why") != view.summary else ""),
        ("cause", facts.text("cause") if facts.text("cause") != facts.text("why") else ""),
        ("last end", facts.text("last_end")),
        ("blocked by", ", ".join(_blocker(one) for one in facts.inners("blockers"))),
        ("copies", ", ".join(facts.texts("others"))),
        ("wanted", facts.text("desired") if facts.text("desired") != "up" else ""),
        ("runs", " ".join(facts.texts("command"))),
        ("found by", facts.text("how")),
        ("output", facts.text("log_path")),
    ]  # fmt: skip


def _tree(use: Facts) -> str:
    count, rss, slope = use.number("processes"), use.number("rss"), use.number("slope")
    if not count or count < 2 or rss is None:
        return ""
    grows = f", +{format_size(slope)} an hour" if slope and slope > 0 else ""
    return f"{format_size(rss)} with the {count - 1:.0f} below it{grows}"


def _liveness(check: Facts) -> str:
    failures = check.number("failures") or 0
    failed = f"{failures:.0f} in a row failed" if failures else ""
    return _joined(failed, check.text("text"))


def _of(facts: Facts, count: str, most: str, window: str) -> str:
    number, limit = facts.number(count), facts.number(most)
    if number is None or not limit:
        return ""
    span = facts.number(window)
    return f"{number:.0f} of {limit:.0f}" + (f" in {format_duration(span)}" if span else "")


def _quarantine(facts: Facts) -> str:
    level, trials, most = (facts.number(key) or 0 for key in ("level", "trials", "max_trials"))
    again = f"opened again {level:.0f} times" if level else ""
    of = f" of {most:.0f}" if most else ""
    return _joined(again, f"{trials:.0f}{of} trials failed" if trials else "")


def _blocker(one: Facts) -> str:
    who = one.inner("identity").text("pid")
    named = f"pid {who}" if who else "somebody who cannot be named"
    return f"{named} ({one.text('command')}): {one.text('what')}"


def _restarted(facts: Facts) -> str:
    now, ever = facts.number("restarts"), facts.number("restarts_total")
    if now is None:
        return ""
    return f"{now:.0f}" + (f", {ever:.0f} ever" if ever is not None and ever > now else "")


def _joined(*parts: str) -> str:
    return f" {glyphs.DOT} ".join(part for part in parts if part)
