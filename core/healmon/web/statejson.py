"""The state as `/api/v1/state` tells it: snapshot in, `shapes.State` out. Pure.

Words and figures are those that the screen and the command line show; nothing is judged anew here.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from typing import NamedTuple

from msgspec.structs import replace

from healmon import wording
from healmon.report import exit_code
from healmon.state import (
    FOREVER,
    ActionView,
    AlertView,
    ComponentView,
    Snapshot,
    of_healer,
    open_alerts,
    pending_alerts,
)
from healmon.web import parts
from healmon.web import shapes as s
from healmon.web.parts import Around
from healmon.web.when import moment, moment_or_none

KNOWN = frozenset({"workers", "sessions", "databases", "disks"})
HUNG_AFTER = 3
"""Intervals without a finished look after which a healer hangs, as `healmon status` counts."""
LEVELS: Mapping[int, s.Level] = {0: "ok", 1: "warning", 2: "critical", 3: "unknown"}


class Holding(NamedTuple):
    """Who holds the state directory now."""

    pid: int
    version: str
    mode: str
    since: str
    still: bool = False
    """Somebody stopped it."""


class Seen(NamedTuple):
    """All that is known of a healer from outside.

    Attributes:
        snapshot: its newest state.
        holding: None: no healer runs.
        epoch: which store it is.
        trouble: why the store cannot be read; empty: it can.
        version: grows with each change.
    """

    snapshot: Snapshot = Snapshot()
    holding: Holding | None = None
    epoch: str = ""
    trouble: str = ""
    version: int = 0


def state_of(seen: Seen, now: float) -> s.State:
    """Return the state at a wall time."""
    known = seen.snapshot
    around = Around.of(known, now)
    healer = healer_of(seen, now)
    return s.State(
        host=known.engine.host,
        at=moment(known.at),
        epoch=seen.epoch,
        last_id=known.last_id,
        healer=healer,
        verdict=verdict_of(known, healer),
        workers=tuple(parts.worker(around, view) for view in _of(known, "workers")),
        sessions=tuple(parts.session(around, view) for view in _of(known, "sessions")),
        databases=tuple(parts.database(around, view) for view in _of(known, "databases")),
        disks=tuple(parts.disk(around, view) for view in _of(known, "disks")),
        others=tuple(
            parts.other(around, view)
            for view in known.components.values()
            if view.healer not in KNOWN
        ),
        alerts=_alerts(known, open_alerts(known), now),
        pending=_alerts(known, pending_alerts(known), now),
        actions=actions_of(known.recent),
        pauses=_pauses(known, now),
        silences=_silences(known, now),
        channels=_channels(known),
        tallies=dict(known.tallies),
    )


def out_of_order(state: s.State, reason: str) -> s.State:
    """Return the last state that could be told, and that it is not to be trusted any more."""
    return replace(
        state,
        healer=replace(state.healer, trouble=reason),
        verdict=s.VerdictNow(level="unknown", text=reason),
    )


def healer_of(seen: Seen, now: float) -> s.HealerNow:
    """Return how the healer itself is."""
    known, holding = seen.snapshot, seen.holding
    engine, cycle = known.engine, known.cycle
    ended = ""
    if holding is None and engine.host:
        ended = f"ended: {engine.stopped}" if engine.stopped else "was killed or crashed"
    return s.HealerNow(
        running=holding is not None,
        hung=_hung(known, holding, now),
        pid=None if holding is None else holding.pid,
        version=engine.version if holding is None else holding.version,
        since=None if holding is None else holding.since or moment_or_none(engine.started_at),
        mode=engine.mode if holding is None else holding.mode,
        dry_run=engine.dry_run,
        ended=ended,
        ended_at=moment_or_none(known.at) if ended else None,
        trouble=seen.trouble or engine.store_fault,
        failing=dict(known.failing),
        cycle=s.CycleNow(
            number=cycle.number,
            at=moment_or_none(cycle.finished_at),
            seconds=cycle.seconds,
            interval=engine.interval,
        ),
    )


def _hung(known: Snapshot, holding: Holding | None, now: float) -> bool:
    if holding is None:
        return False
    last = max(known.cycle.finished_at, known.engine.started_at)
    late = now - last > HUNG_AFTER * known.engine.interval + 60.0
    return holding.still or bool(last and late)


def verdict_of(known: Snapshot, healer: s.HealerNow) -> s.VerdictNow:
    """Return how it all is. What nobody looks at any more is unknown, whatever it was."""
    if not healer.running:
        tail = f": it {healer.ended}" if healer.ended else ""
        return s.VerdictNow(level="unknown", text=f"no healer runs{tail}")
    if healer.hung:
        return s.VerdictNow(level="critical", text="the healer hangs: no look has finished")
    level = LEVELS[exit_code(known)]
    counts = {"CRITICAL": 0, "WARNING": 0}
    for alert in open_alerts(known):
        if alert.severity in counts:
            counts[alert.severity] += 1
    said = [f"{count} {name.lower()}" for name, count in counts.items() if count]
    if not said and level == "unknown":
        said = ["something cannot be looked at"]
    if not known.cycle.finished_at:
        said = said or ["first look"]
    if not said and (count := _unwell(known)):
        said = [f"{count} not well"]
    return s.VerdictNow(level=level, text=", ".join(said) or "all well")


def _unwell(known: Snapshot) -> int:
    """Return how many are not well though no alert says so: mended first, or not yet sure."""
    told = {alert.component for alert in known.alerts.values() if not alert.pending}
    return sum(
        view.status in parts.NOT_WELL or view.status == "warning"
        for view in known.components.values()
        if view.name not in told
    )


def _of(known: Snapshot, healer: str) -> Iterable[ComponentView]:
    return of_healer(known, healer).values()


def alert_of(known: Snapshot, alert: AlertView, now: float) -> s.AlertNow:
    """Return one alert."""
    return s.AlertNow(
        id=alert.id,
        key=alert.key,
        severity=alert.severity,
        component=alert.component,
        message=alert.message,
        state=alert.state,
        count=alert.count,
        first_seen=moment(alert.first_seen),
        last_seen=moment(alert.last_seen),
        acknowledged_by=alert.acknowledged_by,
        acknowledged_at=moment_or_none(alert.acknowledged_at),
        acknowledged_until=moment_or_none(alert.until),
        note=alert.note,
        overlays=alert.overlays,
        over=tuple(wording.laid_over(known, alert.overlays, now)),
    )


def _alerts(known: Snapshot, alerts: Iterable[AlertView], now: float) -> tuple[s.AlertNow, ...]:
    return tuple(alert_of(known, alert, now) for alert in alerts)


def actions_of(finished: Sequence[ActionView]) -> tuple[s.ActionNow, ...]:
    """Return finished actions as they are told, the newest first."""
    return tuple(
        s.ActionNow(
            at=moment(one.at),
            component=one.component,
            action=one.action,
            outcome="verified" if one.ok else "failed",
            proved_by=one.outcome,
            seconds=one.seconds,
        )
        for one in reversed(finished)
    )


def until(wall: float) -> str:
    """Return an end as it is told: a moment, or `forever`."""
    return "forever" if wall >= FOREVER else moment(wall)


def _pauses(known: Snapshot, now: float) -> tuple[s.PauseNow, ...]:
    found: list[s.PauseNow] = []
    for name, end in known.maintenance.items():
        if end <= now:
            continue
        view = known.pauses.get(name)
        found.append(
            s.PauseNow(
                name=name,
                since=None if view is None else moment_or_none(view.since),
                until=until(end),
                by="" if view is None else view.by,
                note="" if view is None else view.note,
                would={} if view is None else dict(view.would),
                text=wording.pause(known, name, now),
            )
        )
    return tuple(found)


def _silences(known: Snapshot, now: float) -> tuple[s.SilenceNow, ...]:
    return tuple(
        s.SilenceNow(
            id=one.id,
            match=one.match,
            since=moment(one.since),
            until=moment(one.until),
            by=one.by,
            note=one.note,
            muted=len(one.muted),
            text=wording.silence(one, now),
        )
        for one in known.silences.values()
        if one.until > now
    )


def _channels(known: Snapshot) -> tuple[s.ChannelNow, ...]:
    waiting: dict[str, int] = {}
    for notice in known.notices.values():
        waiting[notice.channel] = waiting.get(notice.channel, 0) + 1
    return tuple(
        s.ChannelNow(
            name=name,
            waiting=waiting.get(name, 0),
            failing_since=moment_or_none(view.failing_since),
            reason=view.reason,
        )
        for name, view in known.channels.items()
        if view.failing_since
    )
