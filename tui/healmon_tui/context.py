"""All that is known of one component, part by part: facts, alerts, plan, timeline, journal."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any, Final, NamedTuple

from healmon import wording
from healmon.clock import local_time
from healmon.plans import Plan, describe
from healmon.state import AlertView, ComponentView
from healmon_tui import glyphs, maintenance, session
from healmon_tui.arrange import Part, flow
from healmon_tui.chronicle import Chronicle, Moment
from healmon_tui.facts import Facts
from healmon_tui.incident import told
from healmon_tui.ledger import Entry
from healmon_tui.paint import Line, Span, Spans, Tone, fit, labelled, wrap
from healmon_tui.rows import more
from healmon_tui.rows.scene import WELL, Row, Scene, doing, is_loud, seconds, short
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


PROVED: Final = 9
"""Cells that say whether a touch was proved."""


class Subject(NamedTuple):
    """What the context is about: the component under the cursor, and its alert if that is named."""

    component: str
    alert: str = ""


def subject(row: Row | None) -> Subject:
    """Return what a row is about."""
    return Subject(row.component, row.alert) if row is not None else Subject("")


def now(scene: Scene, about: Subject, cells: int) -> list[Line]:
    """Return how the subject is: facts, alerts with evidence, the plan."""
    return flow(present(scene, about, cells), cells)


def present(scene: Scene, about: Subject, cells: int) -> list[Part]:
    """Return how the subject is, part by part: facts, alerts with evidence, plan, and the rest."""
    if not about.component:
        return [Part("", [Line((Span(" nothing selected", "dim"),))])]
    view = scene.snapshot.components.get(about.component)
    known = _facts(scene, view, cells) if view is not None else []
    parts = [*_alerts(scene, about, cells), *_plan(scene, about.component, cells)]
    # who is on an alert asks for that alert first
    first = bool(about.alert and about.alert in scene.snapshot.alerts)
    facts = Part(about.component if first else "", known, least=4)
    parts = [*parts, facts] if first else [facts, *parts]
    paused = maintenance.lines_of_row(scene, about.component, cells)
    parts = [Part("", paused, least=1), *parts] if paused else parts
    return parts if view is None else [*parts, *more.parts(view, cells)]


def rest(scene: Scene, about: Subject, cells: int) -> list[Part]:
    """Return what is known of a session beyond what a person needs first."""
    view = scene.snapshot.components.get(about.component)
    if view is None or view.healer != "sessions":
        return []
    rows = [*session.more(view), *_others(view.facts)]
    lines = [line for k, v in rows if v for line in labelled(k, (Span(v, "text"),), cells)]
    return [Part("MORE", lines, late=True)] if lines else []


def lately(
    scene: Scene, chronicle: Chronicle, about: Subject, cells: int, upto: float | None
) -> list[Part]:
    """Return what happened: the subject's timeline, and who was told of its alert.

    Args:
        scene: the moment.
        chronicle: where it stands.
        about: whose timeline.
        cells: how wide the lines may be.
        upto: wall seconds of a frozen view: nothing later is shown.
    """
    moments = chronicle.timeline(about.component) if about.component else ()
    if upto is not None:
        moments = tuple(m for m in moments if m.at <= upto)
    done = told(scene, chronicle, about.alert, cells, upto) if about.alert else []
    if moments:
        done.append(Part("TIMELINE", _moments(moments, cells), "newest first"))
    return done


def journal(
    chronicle: Chronicle, cells: int, upto: float | None, component: str = "", most: int = 40
) -> list[Part]:
    """Return what healmon did to the world, the newest first; to all, or to one component."""
    touches = [
        entry
        for entry in chronicle.ledger.touches()
        if (not component or entry.component == component) and (upto is None or entry.at <= upto)
    ]
    if not touches:
        return []
    lines = [touched(entry, cells, named=not component) for entry in reversed(touches[-most:])]
    extra = "what healmon did here" if component else "every command and signal that healmon ran"
    return [Part("JOURNAL", lines, extra)]


def touched(entry: Entry, cells: int, *, named: bool = True) -> Line:
    """Return one touch of the world as a line: when, to whom, what, and whether it was proved.

    Args:
        entry: the touch.
        cells: how wide the line may be.
        named: say to whom.
    """
    head = f" {local_time(entry.at)} "
    lead = f"{short(entry.component)}: " if named else ""
    proof = proof_of(entry)
    brief, tone = (_brief(entry), proof[1]) if proof is not None else ("", "dim")
    text = fit(lead + entry.text, cells - len(head) - PROVED - 3)
    return Line((Span(head, "dim"), Span(text, "text"), Span(f"  {brief}", tone)))


def _brief(entry: Entry) -> str:
    if entry.result == "verified":
        return f"{glyphs.DONE} {seconds(entry.seconds)}"
    if entry.result == "failed":
        return f"{glyphs.BAD} failed"
    return f"{glyphs.DOT} not done" if entry.result else f"acting{glyphs.MORE}"


def proof_of(entry: Entry) -> tuple[str, Tone] | None:
    """Return how a touch was proved, in words; None: another touch of its plan says it."""
    if not entry.last:
        return None
    if entry.result == "verified":
        return f"{glyphs.DONE} {seconds(entry.seconds)} {glyphs.DOT} {entry.proof}", "ok"
    if entry.result == "failed":
        return f"{glyphs.BAD} failed: {entry.proof}", "warn"
    if entry.result == "abandoned":
        return f"{glyphs.DOT} not done: {entry.proof}", "dim"
    return f"under way{glyphs.MORE}", "heal"


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
        "disks": more.disk,
        "databases": more.database,
    }.get(view.healer)
    if known is not None:
        rows += [(k, (Span(v, "text"),)) for k, v in known(scene, view, facts) if v]
    if view.healer != "sessions":
        rows += [(k, (Span(v, "dim"),)) for k, v in _others(view.facts) if v]
    said = [line for label, spans in rows if not label for line in labelled("", spans, cells)]
    rest_ = [line for label, spans in rows if label for line in labelled(label, spans, cells)]
    # what is drawn stands below what says how it is
    return [*said, *more.pictures(scene, view, cells), *rest_]


def _others(packed: Mapping[str, Any], skip: frozenset[str] = _SHOWN) -> list[tuple[str, str]]:
    facts = Facts(packed)
    known = [(key, _told(facts, key)) for key in packed if key not in skip]
    return [(key.replace("_", " "), value) for key, value in known if value]


def _told(facts: Facts, key: str) -> str:
    """Return a fact as people read it: a moment as its time, the rest as it is."""
    at = facts.number(key) if key.endswith(("_at", "since")) else None
    if at is not None and 1e9 < at < 1e10:
        return local_time(at)
    return ", ".join(facts.texts(key))


def _alerts(scene: Scene, about: Subject, cells: int) -> list[Part]:
    alerts = sorted(
        scene.alerts.get(about.component, []),
        key=lambda alert: (alert.key != about.alert, alert.first_seen),
    )
    handled = scene.healing(about.component) is not None
    return [_alert(scene, alert, cells, handled=handled) for alert in alerts]


def _alert(scene: Scene, alert: AlertView, cells: int, *, handled: bool) -> Part:
    acked, quiet = alert.acknowledged_at is not None, not is_loud(alert)
    tone: Tone = "bad" if alert.severity == "CRITICAL" else "warn"
    if quiet or handled:
        tone = "calm" if quiet else "heal"
    seen = f"since {local_time(alert.first_seen)}"
    if alert.count > 1:
        seen += f" {glyphs.DOT} seen {alert.count} times"
    sign = glyphs.BAD if alert.severity == "CRITICAL" else glyphs.WARN
    if acked or alert.overlays.silenced_by:
        sign = glyphs.ACKED if acked else glyphs.SILENCED
    done = labelled("", (Span(f"{sign} {alert.message}", tone),), cells)
    done += labelled("rule", (Span(rule_of(alert), "text"),), cells)
    said = [
        f"{glyphs.UNKNOWN} stale: nobody can look any more" if alert.state == "stale" else "",
        f"opened again {alert.reopened} times" if alert.reopened > 1 else "",
        wording.acknowledged(alert, scene.now),
        *wording.laid_over(scene.snapshot, alert.overlays, scene.now),
    ]
    done += [line for text in said if text for line in labelled("", (Span(text, "calm"),), cells)]
    for label, value in _others(alert.evidence, frozenset()):
        done += labelled(label, (Span(value, "dim"),), cells)
    return Part(f"ALERT {alert.id}", done, f"{alert.severity} {seen}", 2)


def rule_of(alert: AlertView) -> str:
    """Return the name of the rule that found an alert: what `key` says behind host and name."""
    return alert.key.rpartition("/")[2].replace("_", " ")


def _plan(scene: Scene, component: str, cells: int) -> list[Part]:
    view = scene.healing(component)
    if view is not None:
        lines = [Line((Span(" "), *line.spans)) for line in sheet(view.plan, cells - 2)]
        return [Part("PLAN", lines, doing(view, scene.now), 4)]
    refusal = scene.snapshot.refusals.get(component)
    known = scene.snapshot.components.get(component)
    if refusal is None:
        coming = more.ahead(scene, known) if known is not None else ""
        lines = labelled("", (Span(coming, "dim"),), cells) if coming else []
        return [Part("NEXT", lines, least=1)] if lines else []
    text = f"would {refusal.action}; not done: {refusal.reason}"
    lines = labelled("", (Span(text, "calm"),), cells)
    return [Part("PLAN", lines, local_time(refusal.at), 2)]


def _moments(moments: Sequence[Moment], cells: int) -> list[Line]:
    done: list[Line] = []
    for moment in reversed(moments):
        tone = MOMENTS[moment.kind]
        head = f" {local_time(moment.at)} {_SIGNS[moment.kind]} "
        for number, part in enumerate(wrap(moment.text, cells - len(head) - 1, most=3)):
            lead = head if number == 0 else " " * len(head)
            done.append(Line((Span(lead, "dim"), Span(part, tone))))
    return done
