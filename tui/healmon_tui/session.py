"""What is known of one session, as lines: facts, its screen right now, what became of an act."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Final

from healmon.clock import local_time
from healmon.plans import Packed
from healmon.service.link import Peek
from healmon.state import ComponentView
from healmon.units import format_duration
from healmon_tui import glyphs, live
from healmon_tui.facts import Facts
from healmon_tui.paint import Line, Span, Tone, cut, heading, labelled
from healmon_tui.rows.scene import Scene
from healmon_tui.rows.sessions import painted_for, place_of, quiet_for, spark

MOST: Final = 14
"""Lines of a screen that are shown beside other things."""
_GOOD: Final = frozenset(
    {"cleared", "exited", "unblocked", "settled", "answered", "given_back", "released"}
)


def details(scene: Scene, view: ComponentView, facts: Facts) -> list[tuple[str, str]]:
    """Return (label, text) of what a person needs to know of a session first."""
    return [
        ("task", ", ".join(facts.texts("tasks"))),
        ("asks", facts.text("question")),
        *((f"answer {number}", text) for number, text in enumerate(choices(facts), 1)),
        ("progress", _progress(scene, view, facts)),
        ("painted", _ago(painted_for(facts, view, scene.now))),
        ("will", will(scene, view, facts)),
    ]


def more(view: ComponentView) -> list[tuple[str, str]]:
    """Return (label, text) of the rest that is known of a session."""
    facts = Facts(view.facts)
    why = facts.text("why", "rule")
    return [
        ("why", why if why != view.summary else ""),
        ("read as", _read_as(facts)),
        ("line", facts.text("text")),
        ("pane", place_of(facts)),
        ("runs", facts.text("command")),
        ("last line", facts.text("last_line")),
        ("clients", facts.text("attached") if facts.number("attached") else ""),
        ("evidence", facts.text("evidence")),
    ]


def choices(facts: Facts) -> tuple[str, ...]:
    """Return the answers that its question offers, verbatim."""
    return tuple(choice.text("text") for choice in facts.inners("choices"))


def asks(facts: Facts) -> bool:
    """Return whether it asks something, or offers something to be pressed."""
    return bool(facts.text("question") or choices(facts))


def will(scene: Scene, view: ComponentView, facts: Facts) -> str:
    """Return what healmon will do about a session, and when, or why it does not."""
    if facts.text("held"):
        return f"not act: {facts.text('held')}"
    if facts.text("hands_off"):
        return f"not touch it: {facts.text('hands_off')}"
    act_at, quiet = facts.number("act_at"), quiet_for(facts, view, scene.now)
    if not act_at or quiet is None:
        return ""
    how = f"press {keys}" if (keys := _keys(facts)) else "settle its tasks, no key"
    if quiet >= act_at:
        return f"{how}, when a last look agrees"
    left = format_duration(int(act_at - quiet))
    return f"{how} after {format_duration(int(act_at))} without progress: in {left}"


def _framed(lines: Sequence[str], cells: int) -> list[Line]:
    wall = Span(f" {glyphs.WALL} ", "faint")
    return [Line((wall, Span(cut(text, max(cells - 4, 1)), "text"))) for text in lines]


def reading(facts: Facts, seen: Peek, cells: int) -> list[Line]:
    """Return why a session is in its state: the rule, the line it matched, all rules tried."""
    rows = [
        ("state", facts.text("state").replace("_", " ")),
        ("because", facts.text("rule", "why")),
        ("read as", _read_as(facts)),
        ("line", facts.text("text")),
        ("title", seen.title),
        ("keys", _keys(facts) or "none that is safe to press"),
    ]
    done = [line for k, v in rows if v for line in labelled(k, (Span(v, "text"),), cells)]
    if seen.why:
        done += [Line(), heading("RULES", cells, extra="tried on its screen just now")]
        marks: dict[str, Tone] = {glyphs.DONE: "ok", glyphs.BAD: "dim"}
        for text in seen.why:
            done.append(Line((Span(f" {text}", marks.get(text.strip()[:1], "text")),)))
        return done
    shown = live.part(live.Seen(peek=seen), 0.0, cells)
    return [*done, *shown.drawn(cells, MOST)] if shown is not None else done


def replayed(kept: Packed, cells: int) -> tuple[list[Line], list[Line]]:
    """Return what was kept of an act: the screen before, and why; the screen after, what came."""
    facts = Facts(kept)
    before = _screen("BEFORE", facts.inner("before"), cells)
    before += [heading("WHY", cells, extra=_when(facts, "opened"))]
    told = (
        ("act", facts.text("action").replace("_", " ")),
        ("why", facts.text("why", "reason")),
        ("state", facts.text("state").replace("_", " ")),
        ("rule", facts.text("rule")),
        ("asked by", facts.text("origin")),
    )
    before += [line for k, v in told if v for line in labelled(k, (Span(v, "text"),), cells)]
    after = _screen("AFTER", facts.inner("after"), cells)
    return before, [*after, *_verdict(facts, cells), *_touches(facts, cells)]


def _screen(title: str, shown: Facts, cells: int) -> list[Line]:
    done = [heading(title, cells, extra=_when(shown, "at"))]
    lines = _squeezed(shown.text("screen").split("\n"))
    done += _framed(lines, cells)
    return done if lines else [*done, Line((Span(" nothing was kept of the screen", "dim"),))]


def _verdict(facts: Facts, cells: int) -> list[Line]:
    verdict = facts.inner("verdict")
    result = verdict.text("result") or "not known: it was under way when this was written"
    tone: Tone = "ok" if result in _GOOD else "warn"
    rows: list[tuple[str, str, Tone]] = [
        ("verdict", result, tone),
        ("seen", verdict.text("how"), "text"),
        ("keys", " ".join(verdict.texts("keys")), "text"),
        ("it ended", verdict.text("status"), "text"),
        ("resume", verdict.text("resume"), "text"),
        *(("task", f"{one}: {what}", "text") for one, what in verdict.pairs("tasks")),
    ]
    done = [heading("WHAT CAME OF IT", cells, extra=_when(facts, "closed"))]
    return done + [line for k, v, t in rows if v for line in labelled(k, (Span(v, t),), cells)]


def _touches(facts: Facts, cells: int) -> list[Line]:
    touches = facts.inners("touches")
    done = [heading("WHAT WAS DONE", cells)] if touches else []
    for touch in touches:
        held = f" {glyphs.DOT} not done: {touch.text('held')}" if touch.text("held") else ""
        text = f"{_when(touch, 'at')} {touch.text('text', 'work')}{held}"
        done += labelled("", (Span(text, "calm" if held else "text"),), cells)
    return done


def _squeezed(lines: Sequence[str]) -> list[str]:
    """Return lines without blank ones at the edges and in a row."""
    done: list[str] = []
    for line in lines:
        if line.strip() or (done and done[-1].strip()):
            done.append(line.rstrip())
    while done and not done[-1]:
        done.pop()
    return done


def _progress(scene: Scene, view: ComponentView, facts: Facts) -> str:
    quiet = quiet_for(facts, view, scene.now)
    if quiet is None:
        return ""
    counts = facts.numbers("novelty")
    bars = f" {glyphs.DOT} {spark(counts, 12)} new lines a minute" if counts else ""
    return f"{_ago(quiet)}{bars}"


def _read_as(facts: Facts) -> str:
    rule, pack = facts.text("matched"), facts.text("pack")
    if not rule and not pack:
        return ""
    version = f" {facts.text('version')}" if facts.text("version") else ""
    return f"{rule or 'no rule matched'} (pack {pack}{version})" if pack else rule


def _keys(facts: Facts) -> str:
    return ", then ".join(" ".join(Facts({"": step}).texts("")) for step in facts.items("keys"))


def _when(facts: Facts, key: str) -> str:
    at = facts.number(key)
    return local_time(at) if at is not None and 0 < at < 1e10 else ""


def _ago(seconds: float | None) -> str:
    return "" if seconds is None else f"{format_duration(int(seconds))} ago"
