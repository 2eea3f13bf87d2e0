"""What a context tells of disks and databases beyond their rows, and how any of them went."""

from __future__ import annotations

from healmon.clock import local_time
from healmon.state import ComponentView
from healmon.units import format_duration, format_percent, format_size
from healmon_tui import glyphs, strips
from healmon_tui.arrange import Part
from healmon_tui.facts import Facts
from healmon_tui.paint import LABEL, Line, Span, Spans, cut_head, fit, labelled
from healmon_tui.rows import disks
from healmon_tui.rows.databases import locked_for, tree
from healmon_tui.rows.scene import Scene

MINUTES = int(strips.SPAN // 60)


def disk(scene: Scene, view: ComponentView, facts: Facts) -> list[tuple[str, str]]:
    """Return (label, text) of what a person needs to know of a disk first."""
    del scene
    percent, inodes = facts.number("percent"), facts.number("inode_percent")
    free, size = facts.number("free"), facts.number("size")
    return [
        ("used", "" if percent is None else format_percent(percent)),
        ("free", _joined(
            "" if free is None else format_size(free),
            "" if size is None else f"of {format_size(size)}",
            sep=" ",
        )),
        ("inodes", "" if inodes is None else format_percent(inodes)),
        ("full in", disks.full_text(facts)),
        ("can go", _candidates(facts)),
        ("cleaned", facts.text("cleaned")),
        ("kind", facts.text("kind")),
        ("why", facts.text("why") if facts.text("why") != view.summary else ""),
    ]  # fmt: skip


def database(scene: Scene, view: ComponentView, facts: Facts) -> list[tuple[str, str]]:
    """Return (label, text) of what a person needs to know of a database first."""
    held = locked_for(facts, view, scene.now)
    wal, size = facts.number("wal_bytes", "wal_size"), facts.number("size")
    pinned = facts.number("pinned")
    return [
        ("locked", "" if held is None else f"for {format_duration(int(held))}"),
        ("size", "" if size is None else format_size(size)),
        ("wal", "" if wal is None else format_size(wal)),
        ("pinned", format_size(pinned) if pinned else ""),
        ("journal", facts.text("mode")),
        ("hands off", facts.text("why_not")),
        ("reason", facts.text("reason")),
    ]


def parts(view: ComponentView, cells: int) -> list[Part]:
    """Return who holds a disk's space or a database's lock, as far as the healer has found."""
    facts = Facts(view.facts)
    if view.healer == "databases":
        began = facts.inner("holder").number("started")
        started = local_time(began, "%Y-%m-%d %H:%M:%S") if began else ""
        rows = [(label, text) for label, text in tree(facts, started) if text]
        lines = [line for k, v in rows for line in labelled(k, (Span(v, "text"),), cells)]
        return [Part("HOLDER", lines, least=4)] if lines else []
    if view.healer != "disks":
        return []
    return _space(facts.inner("culprits"), cells)


def ahead(scene: Scene, view: ComponentView) -> str:
    """Return what would be done to a component next, without a plan in flight; empty: nothing."""
    facts = Facts(view.facts)
    if scene.paused_until(view.name) is not None:
        return "nothing while it is paused"
    if view.healer == "workers":
        return _start(scene, facts)
    if view.healer == "disks":
        files = _candidates(facts)
        return f"its rules would free {files}; nothing is planned for it now" if files else ""
    if view.healer == "databases":
        deed = _DEEDS.get(facts.inner("order").text("deed"), "")
        return f"asked to unlock it, healmon would {deed}" if deed else ""
    return ""


_DEEDS = {
    "continue": "continue its stopped holder", "end": "end its holder",
    "unpin": "end the reader that pins its -wal", "heal": "take over what a crash left",
    "rollback": "type ROLLBACK into its holder's shell", "rmdir": "remove its dead lock directory",
}  # fmt: skip


def _start(scene: Scene, facts: Facts) -> str:
    at, most = facts.number("next_at"), facts.number("max_failures")
    if at and at > scene.now:
        what = "one trial start" if facts.text("state") == "quarantined" else "a start"
        return f"{what} at {local_time(at)}, in {format_duration(at - scene.now)}"
    if facts.text("state") != "healthy" or not most:
        return ""
    window = facts.number("failure_window")
    within = f" within {format_duration(window)}" if window else ""
    delay = facts.number("delay")
    after = f" after {format_duration(delay)}" if delay else ""
    return f"if it ends, it is started again{after}; {most:.0f} failures{within} quarantine it"


def pictures(scene: Scene, view: ComponentView, room: int) -> list[Line]:
    """Return how it went lately: up and down, processor time, how full."""
    facts, done = Facts(view.facts), list[Line]()
    if view.healer in ("workers", "sessions"):
        cells = scene.strips.uptime(view.name, scene.now)
        # a session is hardly ever stuck: only then there is something to be seen
        if any(cells) and (view.healer == "workers" or "down" in cells):
            done.append(_picture(f"{MINUTES} min", strips.spans(cells), ""))
    if view.healer == "workers":
        used = scene.strips.levels(view.name, scene.now)
        if len(used) > 1:
            bars = (Span(strips.spark(used, 5.0).rjust(strips.CELLS), "accent"),)
            done.append(_picture("cpu", bars, f"up to {max(used):.0f}%"))
    if view.healer == "disks":
        drawn, low, high = disks.trend(scene, view, facts)
        if drawn:
            text = f"{format_percent(low)} to {format_percent(high)}"
            past = f"{disks.HOURS} h" if facts.inner("outlook").items("past") else f"{MINUTES} min"
            done.append(_picture(past, (Span(drawn, "accent"),), text))
    return done if room > LABEL + strips.CELLS else []


def _picture(label: str, spans: Spans, text: str) -> Line:
    return Line((Span(f" {fit(label, LABEL - 2)} ", "dim"), *spans, Span(f"  {text}", "dim")))


def _space(found: Facts, cells: int) -> list[Part]:
    """Return the biggest directories and files with their growth, and deleted ones still open."""
    done: list[Part] = []
    at = found.number("at")
    when = f"found at {local_time(at)}" if at else ""
    for title, key in (("BIGGEST", "directories"), ("FILES", "files")):
        lines = [_holding(one, cells) for one in found.inners(key)]
        if lines:
            done.append(Part(title, lines, when, 3))
    pinned = found.inners("pinned")
    if pinned:
        lines = [
            line
            for one in pinned
            for line in (
                _holding(one, cells),
                *labelled("", (Span(f"{glyphs.THEN} {one.text('remedy')}", "dim"),), cells),
            )
        ]
        held = found.number("pinned_bytes")
        extra = "and still open" + (f": {format_size(held)}" if held else "")
        done.append(Part("DELETED", lines, extra, 2))
    gap = found.number("unexplained")
    if gap:
        done.append(Part("UNCLEAR", labelled("", (Span(format_size(gap), "warn"),), cells)))
    return done


def _holding(one: Facts, cells: int) -> Line:
    growth, by = one.number("growth"), one.text("by")
    grown = "" if not growth else f"{'+' if growth > 0 else ''}{format_size(growth)}/h"
    tail = "  ".join(part for part in (grown, by) if part)
    held = f" {format_size(one.number('held') or 0.0):>9}  "
    path = cut_head(one.text("path"), max(cells - len(held) - len(tail) - 3, 8))
    return Line(
        (
            Span(held, "text"),
            Span(path, "text"),
            Span(f"  {grown}", "warn" if (growth or 0) > 0 else "dim"),
            Span(f"  {by}" if by else "", "dim"),
        )
    )


def _candidates(facts: Facts) -> str:
    files, size = facts.number("candidates"), facts.number("candidate_bytes")
    if files is None:
        return ""
    return f"{files:.0f} files" + (f", {format_size(size)}" if size is not None else "")


def _joined(*parts: str, sep: str = f" {glyphs.DOT} ") -> str:
    return sep.join(part for part in parts if part)
