"""All that is known of one component, as lines: facts, alert, plan, timeline, journal."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, Final, NamedTuple

from healmon.alerts import wording
from healmon.clock import local_time
from healmon.plans import Plan, describe
from healmon.service.link import Peek
from healmon.state import AlertView, ComponentView
from healmon.units import format_duration, format_percent, format_size
from healmon_tui import glyphs, session
from healmon_tui.chronicle import Chronicle, Moment, Touch
from healmon_tui.facts import Facts
from healmon_tui.paint import Line, Span, Spans, Tone, cut, heading, labelled, wrap
from healmon_tui.rows import disks
from healmon_tui.rows.databases import locked_for, tree
from healmon_tui.rows.scene import WELL, Row, Scene, doing, is_loud, short
from healmon_tui.rows.workers import details, say
from healmon_tui.rows.workers import state as worker_state

MOMENTS: Final[dict[str, Tone]] = {
    "found": "text", "plan": "heal", "did": "text", "good": "ok", "bad": "bad", "note": "dim",
}  # fmt: skip
_SIGNS: Final[dict[str, str]] = {
    "found": glyphs.WARN, "plan": glyphs.THEN, "did": glyphs.DOT, "good": glyphs.DONE,
    "bad": glyphs.BAD, "note": glyphs.DOT,
}  # fmt: skip
_SHOWN: Final = frozenset(
    {
        "state", "pid", "since", "age", "cpu", "rss", "restarts", "failures", "max_failures",
        "next_at", "why", "tasks", "quiet", "pane", "window", "command", "last_line", "verdict",
        "holder", "holder_pid", "holder_command", "locked_for", "wal_bytes", "mode", "kind",
        "percent", "free", "size", "level", "inode_percent", "wal_size", "locks", "pinned",
        "why_not", "reason", "still_since",
        "last_end", "restarts_total", "others", "how", "log_path", "pane_index", "rule",
        "question", "hands_off", "attached", "quiet_since", "limit", "session", "key", "rows",
        "keys", "candidates",
        "candidate_bytes", "cleaned", "cleaned_at", "device", "devices", "used", "capacity",
        "rules",
        "identity", "failure_window", "slow", "max_slow", "slow_window", "delay", "trials",
        "max_trials", "cause", "critical", "desired", "proved", "use", "liveness", "blockers",
        "waits_for", "waiting", "deleted", "warning", "kept", "pinned_frames",
        "socket", "painted", "novelty", "pack", "version", "matched", "text",
        "choices", "act_at", "held", "evidence", "outlook", "culprits",
    }
)  # fmt: skip


class Subject(NamedTuple):
    """What the context is about: the component under the cursor, and its alert if that is named."""

    component: str
    alert: str = ""


def subject(row: Row | None) -> Subject:
    """Return what a row is about."""
    return Subject(row.component, row.alert) if row is not None else Subject("")


def now(scene: Scene, about: Subject, cells: int, seen: Peek | None = None) -> list[Line]:
    """Return how the subject is: facts, a session's screen, alerts with evidence, the plan."""
    if not about.component:
        return [Line((Span(" nothing selected", "dim"),))]
    view = scene.snapshot.components.get(about.component)
    facts = _facts(scene, view, cells) if view is not None else []
    if view is not None and view.healer == "sessions":
        facts += _session(view, seen or Peek(), cells)
    return [*facts, *_alerts(scene, about, cells), *_plan(scene, about.component, cells)]


def _session(view: ComponentView, seen: Peek, cells: int) -> list[Line]:
    """Return a session's screen, and what stands below it."""
    lines = session.preview(seen, cells)
    lines += [heading("MORE", cells)] if lines else []
    rows = [*session.more(view), *_others(view.facts)]
    return lines + [line for k, v in rows if v for line in labelled(k, (Span(v, "text"),), cells)]


def past(chronicle: Chronicle, about: Subject, cells: int, upto: float | None) -> list[Line]:
    """Return what happened: the subject's timeline, then everything healmon did.

    Args:
        chronicle: where it stands.
        about: whose timeline.
        cells: how wide the lines may be.
        upto: wall seconds of a frozen view: nothing later is shown.
    """
    moments = chronicle.timeline(about.component) if about.component else ()
    touches = chronicle.journal()
    if upto is not None:
        moments = tuple(m for m in moments if m.at <= upto)
        touches = tuple(t for t in touches if t.at <= upto)
    return [*_timeline(moments, cells), *_journal(touches, cells)]


def sheet(plan: Plan, cells: int) -> list[Line]:
    """Return a plan's own words (`plans.describe`), wrapped, as they stand in every other place."""
    done: list[Line] = []
    for text in describe(plan)[1:]:
        head, colon, rest = text.partition(":")
        command = text.startswith("  ")
        if command or not colon:
            head, rest = "", text
        label, rest = f"{head}{colon}".ljust(7) if head else " " * 7, rest.strip()
        tone: Tone = "accent" if command else "text"
        for number, part in enumerate(wrap(rest, cells - 7)):
            lead = label if number == 0 else " " * 7
            done.append(Line((Span(lead, "dim"), Span(part, tone))))
    return done


def _facts(scene: Scene, view: ComponentView, cells: int) -> list[Line]:
    mark = scene.mark(view)
    facts = Facts(view.facts)
    word = facts.text("state", "verdict") or view.status
    if view.healer == "workers":
        word = say(worker_state(facts)) or view.status
    if view.healer == "sessions":
        word = word.replace("_", " ")
    since = f"{word} since {local_time(view.since)}"
    if word != view.status:
        since += f" {glyphs.DOT} {view.status}"
    rows: list[tuple[str, Spans]] = [
        ("", (Span(f"{mark.glyph} {since}", mark.tone if mark.rank < WELL.rank else "text"),)),
    ]
    if view.summary and view.summary != word:
        rows.append(("", (Span(view.summary, "text"),)))
    known = {
        "workers": details,
        "sessions": session.details,
        "disks": _disk,
        "databases": _database,
    }.get(view.healer)
    if known is not None:
        rows += [(k, (Span(v, "text"),)) for k, v in known(scene, view, facts) if v]
    if view.healer != "sessions":
        rows += [(k, (Span(v, "dim"),)) for k, v in _others(view.facts) if v]
    return [line for label, spans in rows for line in labelled(label, spans, cells)]


def _disk(scene: Scene, view: ComponentView, facts: Facts) -> list[tuple[str, str]]:
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
        ("can go", _candidates(facts)),
        ("full in", disks.full_text(facts)),
        *_holders(facts),
        ("cleaned", facts.text("cleaned")),
        ("kind", facts.text("kind")),
        ("why", facts.text("why") if facts.text("why") != view.summary else ""),
    ]  # fmt: skip


def _holders(facts: Facts) -> list[tuple[str, str]]:
    """Return who holds a disk's space: the biggest first, then deleted files that are open."""
    found = facts.inner("culprits")
    rows: list[tuple[str, str]] = []
    for label, key, most in (("biggest", "directories", 5), ("files", "files", 3)):
        for number, one in enumerate(found.inners(key)[:most]):
            rows.append((label if number == 0 else " ", _holding(one)))
    for number, one in enumerate(found.inners("pinned")[:3]):
        rows.append(("deleted" if number == 0 else " ", f"{_holding(one)}: {one.text('remedy')}"))
    gap = found.number("unexplained")
    rows.append(("unclear", format_size(gap) if gap else ""))
    return rows


def _holding(one: Facts) -> str:
    held, growth, by = one.number("held") or 0.0, one.number("growth"), one.text("by")
    grown = "" if not growth else f" {'+' if growth > 0 else ''}{format_size(growth)}/h"
    return f"{format_size(held)} {one.text('path')}{grown}" + (f", {by}" if by else "")


def _candidates(facts: Facts) -> str:
    files, size = facts.number("candidates"), facts.number("candidate_bytes")
    if files is None:
        return ""
    return f"{files:.0f} files" + (f", {format_size(size)}" if size is not None else "")


def _database(scene: Scene, view: ComponentView, facts: Facts) -> list[tuple[str, str]]:
    held = locked_for(facts, view, scene.now)
    wal, size = facts.number("wal_bytes", "wal_size"), facts.number("size")
    pinned = facts.number("pinned")
    began = facts.inner("holder").number("started")
    return [
        ("locked", "" if held is None else f"for {format_duration(int(held))}"),
        *tree(facts, local_time(began, "%Y-%m-%d %H:%M:%S") if began else ""),
        ("size", "" if size is None else format_size(size)),
        ("wal", "" if wal is None else format_size(wal)),
        ("pinned", format_size(pinned) if pinned else ""),
        ("journal", facts.text("mode")),
        ("hands off", facts.text("why_not")),
        ("reason", facts.text("reason")),
    ]


def _others(packed: Mapping[str, Any], skip: frozenset[str] = _SHOWN) -> list[tuple[str, str]]:
    facts = Facts(packed)
    known = [(key, ", ".join(facts.texts(key))) for key in packed if key not in skip]
    return [(key.replace("_", " "), value) for key, value in known if value]


def _alerts(scene: Scene, about: Subject, cells: int) -> list[Line]:
    alerts = sorted(
        scene.alerts.get(about.component, []),
        key=lambda alert: (alert.key != about.alert, alert.first_seen),
    )
    handled = scene.healing(about.component) is not None
    return [line for alert in alerts for line in _alert(scene, alert, cells, handled=handled)]


def _alert(scene: Scene, alert: AlertView, cells: int, *, handled: bool) -> list[Line]:
    acked, quiet = alert.acknowledged_at is not None, not is_loud(alert)
    tone: Tone = "bad" if alert.severity == "CRITICAL" else "warn"
    if quiet or handled:
        tone = "calm" if quiet else "heal"
    seen = f"since {local_time(alert.first_seen)}"
    if alert.count > 1:
        seen += f" {glyphs.DOT} seen {alert.count} times"
    done = [heading(f"ALERT {alert.id}", cells, extra=f"{alert.severity} {seen}")]
    sign = glyphs.BAD if alert.severity == "CRITICAL" else glyphs.WARN
    if acked or alert.overlays.silenced_by:
        sign = glyphs.ACKED if acked else glyphs.SILENCED
    done += labelled("", (Span(f"{sign} {alert.message}", tone),), cells)
    said = [
        f"{glyphs.UNKNOWN} stale: nobody can look any more" if alert.state == "stale" else "",
        f"opened again {alert.reopened} times" if alert.reopened > 1 else "",
        wording.acknowledged(alert, scene.now),
        *wording.laid_over(scene.snapshot, alert.overlays, scene.now),
    ]
    done += [line for text in said if text for line in labelled("", (Span(text, "calm"),), cells)]
    for label, value in _others(alert.evidence, frozenset()):
        done += labelled(label, (Span(value, "dim"),), cells)
    return done


def _plan(scene: Scene, component: str, cells: int) -> list[Line]:
    view = scene.healing(component)
    if view is not None:
        done = [heading("PLAN", cells, extra=doing(view, scene.now))]
        done += [Line((Span(" "), *line.spans)) for line in sheet(view.plan, cells - 2)]
        return done
    refusal = scene.snapshot.refusals.get(component)
    if refusal is None:
        return []
    text = f"would {refusal.action}; not done: {refusal.reason}"
    when = local_time(refusal.at)
    return [heading("PLAN", cells, extra=when), *labelled("", (Span(text, "calm"),), cells)]


def _timeline(moments: tuple[Moment, ...], cells: int) -> list[Line]:
    if not moments:
        return []
    done = [heading("TIMELINE", cells, extra="newest first")]
    for moment in reversed(moments[-14:]):
        tone = MOMENTS[moment.kind]
        head = f" {local_time(moment.at)} {_SIGNS[moment.kind]} "
        for number, part in enumerate(wrap(moment.text, cells - len(head) - 1, most=3)):
            lead = head if number == 0 else " " * len(head)
            done.append(Line((Span(lead, "dim"), Span(part, tone))))
    return done


def _journal(touches: tuple[Touch, ...], cells: int) -> list[Line]:
    if not touches:
        return []
    done = [heading("JOURNAL", cells, extra="all that healmon did")]
    for touch in reversed(touches[-20:]):
        head = f" {local_time(touch.at)} "
        who = f"{short(touch.component)}: "
        text = cut(who + touch.text, cells - len(head) - 1)
        done.append(Line((Span(head, "dim"), Span(text, "text"))))
    return done


def _joined(*parts: str, sep: str = f" {glyphs.DOT} ") -> str:
    return sep.join(part for part in parts if part)
