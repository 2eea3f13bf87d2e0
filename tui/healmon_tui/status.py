"""The status line: is anything wrong, how much of it needs a person, and is this live."""

from __future__ import annotations

import math
from typing import Final, NamedTuple

from msgspec import Struct, field

from healmon.clock import local_time
from healmon.plans import RANK
from healmon.state import EVERYTHING, Snapshot
from healmon.units import duration_text, format_duration
from healmon_tui import glyphs, maintenance, strips
from healmon_tui.facts import Facts
from healmon_tui.own import Own
from healmon_tui.paint import Span, Spans, Tone, between, width
from healmon_tui.rows import databases, sessions, workers
from healmon_tui.rows.scene import ACKNOWLEDGED, WELL_SO, Scene, is_loud

OVERDUE: Final = 15.0
"""Seconds that a check may be late before it is said."""
SILENT: Final = 3
"""Intervals without a finished check after which nobody can be said to look."""
ALWAYS: Final = 0
ROOMY: Final = 100
"""Cells from which on the severities are said in words."""
DAY: Final = 86_400.0
HUNG: Final = "it keeps its lock and is not taken over; healmon status says more"


class Looking(Struct, frozen=True):
    """How this screen looks at the healer.

    Attributes:
        attached: who is looked at, if not ourselves.
        read_only: acts are off.
        frozen: wall seconds of the view, when it is frozen.
        unseen: events that came since.
        trouble: what is wrong with the healer.
        skipped: stories that fell out of the log unfinished.
        own: how healmon itself is.
        unset: there is no configuration.
        history: wall seconds of the past that is shown; None: this is now.
        now: wall seconds of now.
        missed: events, and new CRITICAL alerts, that came since the past is shown.
        gone: what a person must know of a healer that ended while it was looked at.
        silent: seconds for which a healer that is looked at and lives has told of no check.
    """

    attached: str = ""
    read_only: bool = False
    frozen: float | None = None
    unseen: int = 0
    skipped: int = 0
    trouble: str = ""
    own: Own = field(default_factory=Own)
    unset: bool = False
    history: float | None = None
    now: float = 0.0
    missed: tuple[int, int] = (0, 0)
    gone: str = ""
    silent: float = 0.0


class Part(NamedTuple):
    """A piece of the line; the highest `drop` gives way first, 0 never."""

    drop: int
    spans: Spans


def line(scene: Scene, looking: Looking, cells: int, selected: str = "") -> Spans:
    """Return the status line, filled to exactly so many cells.

    Args:
        scene: the moment.
        looking: how it is looked at.
        cells: how wide.
        selected: the component under the cursor: the pause of it counts down here.
    """
    left, right = _left(scene, looking, cells), _right(scene, looking)
    paused = maintenance.chip(scene, selected, cells)
    left += [Part(ALWAYS, paused)] if paused else []
    costs = looking.own.parts(cells)
    right = [*(Part(drop, (Span(text, tone),)) for drop, text, tone in costs), *right]
    while _cells(left) + _cells(right) + 1 > cells:
        loose = [part for part in (*left, *right) if part.drop]
        if not loose:
            break
        gone = max(loose, key=lambda part: part.drop)
        left = [part for part in left if part is not gone]
        right = [part for part in right if part is not gone]
    return between(_joined(left), (*_joined(right)[1:], Span(" ")), cells)


def banner(snapshot: Snapshot, looking: Looking) -> str:
    """Return what a person must know before anything else; empty: nothing."""
    if looking.gone:
        return looking.gone
    if looking.trouble:
        return f"ENGINE DOWN  {looking.trouble}"
    if looking.silent:
        ago = format_duration(int(looking.silent))
        return f"HEALER HANGS  {looking.attached} lives, and told of no check for {ago}: {HUNG}"
    if snapshot.engine.store_fault:
        return f"STORE FAULT  {snapshot.engine.store_fault}: healing goes on, events wait in memory"
    if snapshot.failing:
        return "CANNOT LOOK  " + "; ".join(f"{k}: {v}" for k, v in sorted(snapshot.failing.items()))
    return ""


def counts(scene: Scene, *, words: bool = False, blind: str = "") -> Spans:
    """Return ✗n ▲n: open alerts nobody has acknowledged; calm while healmon is at all of them.

    Args:
        scene: the moment.
        words: say the severities, too.
        blind: why nobody can say that all is well; empty: it can be said.
    """
    found: dict[str, list[bool]] = {"CRITICAL": [], "WARNING": []}
    for alert in scene.snapshot.alerts.values():
        if is_loud(alert) and not alert.overlays.maintenance and alert.severity in found:
            handled = scene.healing(alert.component) is not None
            found[alert.severity].append(handled)
    if not any(found.values()):
        return _quiet(scene, blind)
    spans: list[Span] = []
    signs: tuple[tuple[str, str, Tone], ...] = (
        ("CRITICAL", glyphs.BAD, "bad"),
        ("WARNING", glyphs.WARN, "warn"),
    )
    for severity, glyph, tone in signs:
        under_way = found[severity]
        if under_way:
            spans += [Span(" ")] if spans else []
            word = f" {severity.lower()}" if words else ""
            spans.append(Span(f"{glyph}{len(under_way)}{word}", "heal" if all(under_way) else tone))
    return tuple(spans)


def _quiet(scene: Scene, blind: str) -> Spans:
    """Return how it is where no alert is loud: what was said of alerts, and what has none yet."""
    snapshot = scene.snapshot
    if not snapshot.cycle.finished_at:
        return (Span("first look", "dim"),)
    quiet = [a for a in snapshot.alerts.values() if RANK[a.severity] > 0 and not a.pending]
    known = sum(a.acknowledged_at is not None for a in quiet)
    still = sum(a.acknowledged_at is None and bool(a.overlays.maintenance) for a in quiet)
    signs = (
        (glyphs.ACKED, known),
        (glyphs.PAUSED, still),
        (glyphs.SILENCED, len(quiet) - known - still),
    )
    told = " ".join(f"{sign}{count}" for sign, count in signs if count)
    parts = [*_unwell(scene), *([Span(told, "calm")] if told else [])]
    if blind:
        parts = [Span(f"{glyphs.UNKNOWN} {blind}", "warn"), *parts]
    parts = parts or [Span(f"{glyphs.DONE} all well", "ok")]
    return tuple(span for part in parts for span in (Span(" "), part))[1:]


def _unwell(scene: Scene) -> list[Span]:
    """Return how many are not well though no alert says so: it is mended first, or not yet sure."""
    views = (v for v in scene.snapshot.components.values() if v.status not in WELL_SO)
    marks = [scene.mark(view) for view in views if view.name not in scene.alerts]
    marks = sorted((mark for mark in marks if mark.rank < ACKNOWLEDGED), key=lambda mark: mark.rank)
    if not marks:
        return []
    word = "not well" if marks[0].glyph != glyphs.UNKNOWN else "unknown"
    return [Span(f"{marks[0].glyph}{len(marks)} {word}", marks[0].tone)]


def _blind(scene: Scene, looking: Looking) -> str:
    """Return why it is not known how things are at this moment; empty: somebody looks."""
    if looking.history is None and (looking.gone or looking.trouble):
        return "nobody looks"
    if not scene.snapshot.engine.running or silence(scene.snapshot, scene.now):
        return "nobody looks"
    return "not all seen" if scene.snapshot.failing else ""


def _left(scene: Scene, looking: Looking, cells: int) -> list[Part]:
    snapshot = scene.snapshot
    said = counts(scene, words=cells >= ROOMY, blind=_blind(scene, looking))
    parts = [Part(9, (Span("healmon", "strong"),)), Part(ALWAYS, said)]
    parts += [Part(ALWAYS, (Span(f" {text} ", tone),)) for text, tone in _flags(scene, looking)]
    parts += _figures(scene)
    if snapshot.engine.host:
        healed = sum(n for name, n in snapshot.tallies.items() if "_" in name)
        failed = snapshot.tallies.get("failed", 0)
        if healed or failed:
            more = f", {failed} failed" if failed else ""
            parts.append(Part(12, (Span(f"healed {healed}{more} since start", "dim"),)))
        every = f"every {duration_text(round(snapshot.engine.interval))}"
        parts.append(Part(13, (Span(every, "dim"),)))
        if snapshot.cycle.finished_at:
            parts.append(Part(15, (Span(f"a look takes {snapshot.cycle.seconds:.1f}s", "dim"),)))
    return parts


def _flags(scene: Scene, looking: Looking) -> list[tuple[str, Tone]]:
    snapshot = scene.snapshot
    flags: list[tuple[str, Tone]] = []
    if snapshot.engine.dry_run:
        flags.append(("DRY RUN", "chip-warn"))
    until = snapshot.maintenance.get(EVERYTHING)
    if until is not None and until > scene.now:
        flags.append((f"PAUSED {format_duration(int(until - scene.now))}", "chip-calm"))
    if looking.attached and not looking.gone:
        flags.append((f"ATTACHED {looking.attached}", "chip-info"))
    if looking.unset:
        flags.append(("NO CONFIGURATION", "chip-calm"))
    if looking.read_only:
        flags.append(("READ ONLY", "chip-calm"))
    return flags


def _figures(scene: Scene) -> list[Part]:
    snapshot = scene.snapshot
    figures: list[tuple[int, str, Tone]] = []
    up, meant = workers.tally(scene)
    if meant:
        figures.append((5, f"up {up}/{meant}", "text" if up == meant else "strong"))
    stuck, _, known = sessions.tally(scene)
    if known:
        figures.append((6, f"stuck {stuck}", "strong" if stuck else "text"))
        past = sessions.stuck_lately(scene)
        if any(past):
            figures.append((16, strips.spark(past, 1.0, max(past)), "dim"))
    disks = scene.views("disks")
    fullest = max((Facts(v.facts).number("percent") or 0.0 for v in disks), default=None)
    if fullest is not None:
        tones: list[Tone] = [scene.mark(v).tone for v in disks if scene.mark(v).rank < 4]
        figures.append((7, f"disk {fullest:.0f}%", tones[0] if tones else "text"))
    locks, _, watched = databases.tally(scene)
    if watched:
        figures.append((8, f"locks {locks}", "strong" if locks else "text"))
    figures += _untold(snapshot)
    return [Part(drop, (Span(text, tone),)) for drop, text, tone in figures]


def _untold(snapshot: Snapshot) -> list[tuple[int, str, Tone]]:
    """Return how many notices wait for channels that do not take them."""
    failing = {name for name, channel in snapshot.channels.items() if channel.failing_since}
    waiting = sum(notice.channel in failing for notice in snapshot.notices.values())
    return [(3, f"untold {waiting}", "warn")] if waiting else []


def _right(scene: Scene, looking: Looking) -> list[Part]:
    snapshot, parts = scene.snapshot, list[Part]()
    if looking.skipped:
        parts.append(Part(11, (Span(f"{looking.skipped} dropped from the log", "warn"),)))
    if snapshot.engine.host:
        parts.append(Part(14, (Span(snapshot.engine.host, "dim"),)))
    silent = silence(snapshot, scene.now)
    if silent:
        said = f" NO CHECK FOR {format_duration(int(silent))} "
        parts.append(Part(ALWAYS, (Span(said, "chip-bad"),)))
    elif looking.history is not None or not (looking.trouble or looking.gone):
        parts.append(Part(4, _cycle(scene)))
    if looking.history is not None:
        parts.append(Part(ALWAYS, _history(looking, looking.history)))
    elif looking.frozen is not None:
        unseen = f" +{looking.unseen}" if looking.unseen else ""
        frozen = f" FROZEN {local_time(looking.frozen)}{unseen} "
        parts.append(Part(ALWAYS, (Span(frozen, "chip-warn"),)))
    elif looking.trouble or looking.gone:
        parts.append(
            Part(ALWAYS, (Span(" DOWN ", "chip-bad"), Span(f" {local_time(looking.now)}")))
        )
    elif snapshot.engine.running:
        parts.append(Part(ALWAYS, (Span("LIVE ", "ok"), Span(local_time(scene.now), "text"))))
    else:
        stopped = snapshot.engine.stopped
        word = f"ENDED {stopped}" if stopped else "NO HEALER"
        parts.append(Part(ALWAYS, (Span(f" {word} ", "chip-warn"),)))
    return parts


def _history(looking: Looking, at: float) -> Spans:
    """Return when this is, how long ago that was, and what has come since."""
    events, critical = looking.missed
    day = "" if looking.now - at < DAY / 2 else local_time(at, "%d %b ")
    ago = format_duration(max(0, int(looking.now - at)))
    new = f" +{events}" if events else ""
    spans = (Span(f" HISTORY {day}{local_time(at)} (-{ago}){new} ", "chip-warn"),)
    return (*spans, Span(f" {glyphs.BAD}{critical} new ", "chip-bad")) if critical else spans


def silence(snapshot: Snapshot, now: float) -> float:
    """Return for how many seconds a healer that runs has finished no check; 0.0: not for long."""
    if not snapshot.engine.running:
        return 0.0
    silent = now - max(snapshot.cycle.finished_at, snapshot.engine.started_at)
    return silent if silent > SILENT * snapshot.engine.interval else 0.0


def _cycle(scene: Scene) -> Spans:
    cycle = scene.snapshot.cycle
    if not scene.snapshot.engine.running:
        return ()
    late = scene.now - cycle.next_at if cycle.next_at else 0.0
    if cycle.running and scene.now - cycle.started_at < OVERDUE:
        return (Span("checking", "dim"),)
    if late > OVERDUE:
        return (Span(f"check overdue {format_duration(int(late))}", "warn"),)
    if not cycle.next_at:
        return ()
    return (Span(f"next {format_duration(max(math.ceil(-late), 0))}", "dim"),)


def _joined(parts: list[Part]) -> Spans:
    spans: list[Span] = []
    for part in parts:
        if part.spans:
            spans += [Span(" " if not spans else "  "), *part.spans]
    return tuple(spans)


def _cells(parts: list[Part]) -> int:
    return width(_joined(parts))
