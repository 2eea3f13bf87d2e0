"""Components as `/api/v1/state` tells them: one function for each healer's. Pure."""

from __future__ import annotations

from typing import Any, Final, NamedTuple

from healmon.plans import RANK
from healmon.state import FOREVER, AlertView, ComponentView, Snapshot, paused_until
from healmon.web import shapes as s
from healmon.web.packed import Facts
from healmon.web.when import moment, moment_or_none

NOT_WELL: Final = frozenset({"unhealthy", "error", "critical"})
FREE: Final = frozenset({"free", "missing", "cannot-look", ""})
"""Verdicts of a database without a lock."""


class Around(NamedTuple):
    """A snapshot at a moment, with the confirmed alerts of each component, worst first."""

    snapshot: Snapshot
    now: float
    alerts: dict[str, list[AlertView]]

    @classmethod
    def of(cls, snapshot: Snapshot, now: float) -> Around:
        """Return it for a wall time."""
        alerts: dict[str, list[AlertView]] = {}
        for alert in sorted(snapshot.alerts.values(), key=lambda a: (-RANK[a.severity], a.id)):
            if not alert.pending:
                alerts.setdefault(alert.component, []).append(alert)
        return cls(snapshot, now, alerts)


def is_loud(alert: AlertView) -> bool:
    """Return whether nobody has said that an alert is known, nor that it is not to be told."""
    over = alert.overlays
    hushed = over.silenced_by or over.inhibited_by or over.flapping
    return alert.acknowledged_at is None and not alert.pending and not hushed


def level_of(around: Around, view: ComponentView) -> s.Level:
    """Return how well a component is, by the rules of the screen."""
    alerts = around.alerts.get(view.name, [])
    loud = max((RANK[a.severity] for a in alerts if is_loud(a)), default=0)
    if paused_until(around.snapshot, view.name, around.now) is not None:
        return "paused"
    if loud == RANK["CRITICAL"] or (not alerts and view.status in NOT_WELL):
        return "critical"
    if loud == RANK["WARNING"] or (not alerts and view.status == "warning"):
        return "warning"
    if view.status == "unknown":
        return "unknown"
    return "known" if any(RANK[a.severity] for a in alerts) else "ok"


def looked_at(around: Around, view: ComponentView) -> float:
    """Return when a component was last looked at: what is as it was told is not told again."""
    cycle, failing = around.snapshot.cycle, around.snapshot.failing
    if view.status == "unknown" or view.healer in failing or view.healer in cycle.late:
        return view.seen_at
    return max(view.seen_at, cycle.finished_at)


def _common(around: Around, view: ComponentView, state: str) -> dict[str, Any]:
    kind, colon, rest = view.name.partition(":")
    end = paused_until(around.snapshot, view.name, around.now)
    alerts = [a for a in around.alerts.get(view.name, []) if RANK[a.severity]]
    flight = around.snapshot.plans.get(view.name)
    return {
        "name": rest if colon and kind in ("session", "database", "disk") else view.name,
        "component": view.name,
        "status": view.status,
        "state": state or view.status,
        "level": level_of(around, view),
        "text": view.summary,
        "since": moment(view.since),
        "seen_at": moment(looked_at(around, view)),
        "paused_until": None if end is None else "forever" if end >= FOREVER else moment(end),
        "alert": alerts[0].id if alerts else None,
        "plan": None if flight is None else s.Coming(
            action=flight.plan.action, acting=flight.acting,
            due=moment(flight.due_wall), why=flight.plan.why,
        ),
    }  # fmt: skip


def worker(around: Around, view: ComponentView) -> s.WorkerNow:
    """Return a worker."""
    facts = Facts(view.facts)
    return s.WorkerNow(
        **_common(around, view, facts.text("state")),
        wanted=facts.text("desired"),
        critical=facts.flag("critical"),
        pid=facts.whole("pid"),
        up_since=moment_or_none(facts.number("since")),
        restarts=facts.whole("restarts") or 0,
        restarts_total=facts.whole("restarts_total") or 0,
        failures=facts.whole("failures") or 0,
        max_failures=facts.whole("max_failures") or 0,
        next_at=moment_or_none(facts.number("next_at")),
        cpu=facts.number("cpu"),
        rss_bytes=facts.whole("rss"),
        cause=facts.text("cause", "why"),
    )


def session(around: Around, view: ComponentView) -> s.SessionNow:
    """Return a session. Its own clock is steady; quiet is told from when it was looked at."""
    facts = Facts(view.facts)
    tasks, quiet = facts.texts("tasks"), facts.number("quiet")
    return s.SessionNow(
        **_common(around, view, facts.text("state")),
        agent=facts.text("pack"),
        command=facts.text("command"),
        tasks=tasks,
        quiet_since=moment_or_none(view.seen_at - quiet) if tasks and quiet is not None else None,
        question=facts.text("question"),
        choices=tuple(one.text("text") for one in facts.inners("choices")),
        last_line=facts.text("last_line"),
        held=facts.text("held"),
        hands_off=facts.text("hands_off"),
        attached=facts.whole("attached") or 0,
    )


def database(around: Around, view: ComponentView) -> s.DatabaseNow:
    """Return a database."""
    facts = Facts(view.facts)
    verdict, holder = facts.text("verdict"), facts.inner("holder")
    held = verdict not in FREE
    return s.DatabaseNow(
        **_common(around, view, verdict),
        path=facts.text("path"),
        mode=facts.text("mode"),
        holder=holder.text("name", "command"),
        holder_pid=holder.whole("pid"),
        locked_since=moment_or_none(facts.number("since")) if held else None,
        size_bytes=facts.whole("size"),
        wal_bytes=facts.whole("wal_size"),
        why_not=facts.text("why_not"),
    )


def disk(around: Around, view: ComponentView) -> s.DiskNow:
    """Return a file system or a budget."""
    facts = Facts(view.facts)
    outlook = facts.inner("outlook")
    return s.DiskNow(
        **_common(around, view, facts.text("level")),
        kind=facts.text("kind"),
        path=facts.text("path"),
        used_ratio=_ratio(facts.number("percent")),
        used_bytes=facts.whole("used"),
        free_bytes=facts.whole("free"),
        size_bytes=facts.whole("size"),
        inode_ratio=_ratio(facts.number("inode_percent")),
        full_in_s=outlook.number("eta"),
        cleaned=facts.text("cleaned"),
    )


def _ratio(percent: float | None) -> float | None:
    return None if percent is None else round(percent / 100, 6)


def other(around: Around, view: ComponentView) -> s.Part:
    """Return a component of a healer that this room knows nothing of."""
    return s.Part(**_common(around, view, Facts(view.facts).text("state")))


def any_of(around: Around, view: ComponentView) -> s.Part:
    """Return a component, whichever healer's it is."""
    kinds = {"workers": worker, "sessions": session, "databases": database, "disks": disk}
    return kinds.get(view.healer, other)(around, view)
