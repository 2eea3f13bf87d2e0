"""Rows of the alerts panel: the chain found · planned · did · verified, one line a story."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Final

from healmon import wording
from healmon.clock import local_time
from healmon.plans import RANK
from healmon.state import AlertView
from healmon_tui import glyphs
from healmon_tui.chronicle import Incident
from healmon_tui.columns import Column
from healmon_tui.paint import Span, Spans, Tone
from healmon_tui.rows.memory import RowMemory
from healmon_tui.rows.scene import (
    ACKNOWLEDGED,
    Mark,
    Row,
    Scene,
    doing,
    is_loud,
    seconds,
    verb,
)

DAY: Final = 86_400.0
MENDED: Final = 8
"""The rank of what was mended and is not over yet: looks must agree on that first."""
_DONE: Final[dict[str, str]] = {
    "restart": "restarted", "clear": "cleared", "clean": "cleaned", "unlock": "unlocked",
    "start": "started", "stop": "stopped", "release": "released",
}  # fmt: skip


def columns(names: int, width: int) -> tuple[Column, ...]:
    """Return the panel's columns: the chain in one where room is short, else in three."""
    head = (Column("time", "", 8), Column("name", "", names))
    if width < 110:
        return (*head, Column("chain", "", 10, stretch=1))
    return (
        *head,
        Column("found", "WHAT HAPPENED", 24, stretch=5),
        Column("did", "DID", 16, stretch=4),
        Column("verified", "VERIFIED", 16, stretch=4),
    )


def rows(
    scene: Scene, incidents: Iterable[Incident], memory: RowMemory[Incident] | None = None
) -> list[Row]:
    """Return one row per story, in no order."""
    return (memory or remembered()).rows(scene, incidents)


def remembered() -> RowMemory[Incident]:
    """Return an empty memory of such rows."""
    return RowMemory(_row, lambda incident: (incident.id, incident.component))


def needs_person(row: Row) -> bool:
    """Tell whether a story is an open alert that nobody is at."""
    return row.mark.rank in (0, 2)


def _row(scene: Scene, incident: Incident) -> Row:
    mark = _mark(scene, incident)
    found, did, verified = _found(incident), _did(scene, incident), _verified(incident)
    known = _known(scene, incident)
    cells: dict[str, Spans] = {
        "time": (Span(_time(incident.at, scene.now), "dim"),),
        "name": (Span(incident.component, "dim" if mark.rank >= 8 else "text"),),
        "found": found,
        "did": _joined([known, did]),
        "verified": verified,
        "chain": _joined([known, _chain(incident, found, did, verified)]),
    }
    order = (mark.rank, -incident.at, -incident.id)
    return Row(
        f"story:{incident.id}", incident.component, mark, cells, order,
        alert=incident.key, at=incident.at,
    )  # fmt: skip


def _mark(scene: Scene, incident: Incident) -> Mark:
    if incident.state == "closed":
        return _mark_of_past(incident)
    alert = scene.snapshot.alerts.get(incident.key)
    quiet = _quiet(incident, alert)
    if quiet is not None:
        return quiet
    if alert is not None and alert.state == "stale":
        return Mark(glyphs.UNKNOWN, "warn", 4)
    handled = scene.healing(incident.component) is not None
    paused = scene.paused_until(incident.component) is not None
    busy: Tone | None = "heal" if handled else "calm" if paused else None
    if RANK[incident.level] == RANK["CRITICAL"]:
        return Mark(glyphs.BAD, busy or "bad", 1 if busy else 0)
    if RANK[incident.level] == RANK["WARNING"]:
        return Mark(glyphs.WARN, busy or "warn", 3 if busy else 2)
    return Mark(glyphs.DOT, busy or "dim", 6)


def _quiet(incident: Incident, alert: AlertView | None) -> Mark | None:
    """Return the mark of what nobody need be told of; None: somebody need."""
    if incident.state == "acknowledged":
        return Mark(glyphs.ACKED, "calm", ACKNOWLEDGED)
    if alert is not None and alert.overlays.silenced_by:
        return Mark(glyphs.SILENCED, "calm", ACKNOWLEDGED)
    if alert is not None and alert.overlays.maintenance:
        return Mark(glyphs.PAUSED, "calm", ACKNOWLEDGED)
    if incident.outcome == "verified":
        return Mark(glyphs.DONE, "ok", MENDED)
    if alert is not None and not is_loud(alert):
        return Mark(glyphs.DOT, "calm", ACKNOWLEDGED)
    return None


def _mark_of_past(incident: Incident) -> Mark:
    if incident.outcome == "failed":
        return Mark(glyphs.BAD, "warn", 9)
    if incident.outcome == "verified" or incident.key:
        return Mark(glyphs.DONE, "ok", 9)
    return Mark(glyphs.DOT, "dim", 9)


def _known(scene: Scene, incident: Incident) -> Spans:
    """Return who knows of it, or why it is not told: the words behind the sign."""
    alert = scene.snapshot.alerts.get(incident.key)
    if alert is None or incident.state == "closed":
        return ()
    said = [wording.acknowledged(alert, scene.now)]
    said += wording.laid_over(scene.snapshot, alert.overlays, scene.now, brief=True)
    if alert.state == "stale":
        said.insert(0, "stale: nobody can look")
    return tuple(Span(text, "calm") for text in said if text)[:1]


def _time(at: float, now: float) -> str:
    return local_time(at) if abs(now - at) < DAY / 2 else local_time(at, "%d %b")


def _found(incident: Incident) -> Spans:
    calm = incident.state != "open" or incident.outcome == "verified"
    return (Span(incident.found, "dim" if calm else "text"),) if incident.found else ()


def _did(scene: Scene, incident: Incident) -> Spans:
    plan = scene.healing(incident.component)
    if plan is not None and incident.state != "closed":
        return (Span(doing(plan, scene.now), "heal"),)
    if incident.outcome == "refused":
        return (Span(f"not done: {incident.result}", "calm"),)
    if incident.outcome in ("vetoed", "abandoned"):
        return (Span(f"not done: {incident.result}", "dim"),)
    if incident.did:
        return (Span(f" {glyphs.DOT} ".join(incident.did), "dim"),)
    return (Span(_past(incident.action), "dim"),) if incident.outcome else ()


def _verified(incident: Incident) -> Spans:
    if incident.outcome == "verified":
        return (
            Span(seconds(incident.seconds), "ok"),
            Span(f" {glyphs.DOT} {incident.result}", "dim"),
        )
    if incident.outcome == "failed":
        return (Span(f"failed: {incident.result}", _alarm(incident)),)
    if incident.state == "closed" and incident.key:
        return (Span(incident.result, "dim"),)
    return ()


def _alarm(incident: Incident) -> Tone:
    return "bad" if incident.state == "open" and incident.level == "CRITICAL" else "warn"


def _past(action: str) -> str:
    word = verb(action)[0]
    return _DONE.get(word, word)


def _chain(incident: Incident, found: Spans, did: Spans, verified: Spans) -> Spans:
    parts: list[Spans]
    if incident.outcome == "verified":
        note = incident.note or _past(incident.action) or incident.found
        proof = Span(f"verified {seconds(incident.seconds)}", "ok")
        parts = [(Span(note, "text" if incident.state == "open" else "dim"),), (proof,)]
        if not incident.note:
            parts.append((Span(incident.result, "dim"),))
    elif incident.outcome == "failed":
        parts = [verified, found]
    else:
        parts = [found, did, verified]
    return _joined(parts)


def _joined(parts: Iterable[Spans]) -> Spans:
    joined: list[Span] = []
    for part in parts:
        if part and joined:
            joined.append(Span(f" {glyphs.DOT} ", "dim"))
        joined.extend(part)
    return tuple(joined)
