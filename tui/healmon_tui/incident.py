"""One alert from beginning to end: found, planned, did, verified, and who was told."""

from __future__ import annotations

from healmon.clock import local_time
from healmon_tui import glyphs
from healmon_tui.arrange import Part
from healmon_tui.chronicle import Chronicle, Incident
from healmon_tui.ledger import Notice
from healmon_tui.paint import Line, Span, Tone, labelled
from healmon_tui.rows.scene import Scene, doing, seconds


def told(
    scene: Scene, chronicle: Chronicle, key: str, cells: int, upto: float | None
) -> list[Part]:
    """Return the chain of an alert, and what became of its notices.

    Args:
        scene: the moment.
        chronicle: where both stand.
        key: of the alert.
        cells: how wide the lines may be.
        upto: wall seconds of a frozen view: nothing later is shown.
    """
    stories = [one for one in chronicle.incidents() if one.key == key]
    parts = [Part("CHAIN", _chain(scene, stories[-1], cells), "found, planned, did, verified", 4)
             ] if stories else []  # fmt: skip
    notices = [n for n in chronicle.ledger.notices(key) if upto is None or n.at <= upto]
    lines = [line for notice in reversed(notices) for line in _notice(notice, cells)]
    alert = scene.snapshot.alerts.get(key)
    if not lines and alert is not None:
        lines = [
            line
            for channel, at in sorted(alert.told.items(), key=lambda one: -one[1])
            for line in _notice(Notice(at, channel, "", ""), cells)
        ]
    if lines:
        parts.append(Part("TOLD", lines, "notices sent, newest first"))
    return parts


def _chain(scene: Scene, story: Incident, cells: int) -> list[Line]:
    plan = scene.healing(story.component) if story.state != "closed" else None
    result, tone = _result(story)
    planned = story.action.replace("_", " ")
    if plan is not None:
        planned = f"{planned} {glyphs.DOT} {doing(plan, scene.now)}" if planned else ""
    rows: list[tuple[str, str, Tone]] = [
        ("found", story.found, "text"),
        ("planned", planned or "nothing", "heal" if planned else "dim"),
        *(("did" if number == 0 else " ", text, "text") for number, text in enumerate(story.did)),
        ("verified" if story.outcome == "verified" else "came of it", result, tone),
        ("noted", story.note, "dim"),
    ]
    return [line for k, v, t in rows if v for line in labelled(k, (Span(v, t),), cells)]


def _result(story: Incident) -> tuple[str, Tone]:
    if story.outcome == "verified":
        return f"{glyphs.DONE} {seconds(story.seconds)} {glyphs.DOT} {story.result}", "ok"
    if story.outcome == "failed":
        return f"{glyphs.BAD} failed: {story.result}", "warn"
    if story.outcome:
        return f"not done: {story.result}", "calm"
    return (f"over: {story.result}", "ok") if story.result else ("", "dim")


def _notice(notice: Notice, cells: int) -> list[Line]:
    what = f"{notice.channel}: {notice.topic}" if notice.topic else notice.channel
    tone: Tone = "text"
    if notice.reason:
        what, tone = f"{what} not taken: {notice.reason}", "warn"
    return labelled(local_time(notice.at), (Span(what, tone),), cells)
