"""What was held back while something muted it, kept until it has been summed up."""

from __future__ import annotations

from msgspec.structs import replace

from healmon import events as ev
from healmon.plans import RANK, Overlays
from healmon.state.views import AlertView, HeldAlert, HeldView, Snapshot

REMEMBERED = 86400.0
"""Seconds for which what has ended is kept, should nobody have been able to sum it up."""


def fold_held(s: Snapshot, event: ev.Event, at: float) -> Snapshot:  # noqa: PLR0911 - one case per event
    """Return the snapshot after an event with what is held back; the event is folded already."""
    match event:
        case ev.SilenceEnded():
            return _ended(s, f"silence:{event.silence}", at)
        case ev.MaintenanceEnded():
            return _ended(s, f"maintenance:{event.component}", at, event.would)
        case ev.AlertArchived():
            return _ended(s, f"flapping:{event.key}", at)
        case ev.AlertOverlaid():
            return _overlaid(s, event, at)
        case ev.AlertOpened() | ev.AlertReopened():
            return _changed(s, event.key, again=True)
        case ev.AlertUpdated():
            return _changed(s, event.key)
        case ev.AlertResolved():
            return _holds_still(_changed(s, event.key), event.key, at)
        case _:
            return s


def holders(overlays: Overlays, key: str) -> tuple[str, ...]:
    """Return the names of what holds the notices of an alert back; inhibition is explained."""
    names: list[str] = []
    if overlays.silenced_by:
        names.append(f"silence:{overlays.silenced_by}")
    if overlays.maintenance:
        names.append(f"maintenance:{overlays.maintenance}")
    if overlays.flapping:
        names.append(f"flapping:{key}")
    return tuple(names)


def _overlaid(s: Snapshot, event: ev.AlertOverlaid, at: float) -> Snapshot:
    alert = s.alerts.get(event.key)
    if alert is None:
        return s
    held = dict(s.held)
    for name in holders(event.overlays, event.key):
        known = held.get(name)
        if known is None or known.told:
            known = HeldView(at, {})
        known = replace(known, ended_at=0.0)  # it began anew before anybody was told
        if event.key not in known.alerts:
            alerts = {**known.alerts, event.key: _entry(alert, None, again=bool(alert.opened_at))}
            known = replace(known, alerts=alerts)
        held[name] = known
    s = replace(s, held=held)
    return s if event.overlays.flapping else _ended(s, f"flapping:{event.key}", at)


def _changed(s: Snapshot, key: str, *, again: bool = False) -> Snapshot:
    """Tell each that holds an alert back how it stands now."""
    alert = s.alerts.get(key) or s.ended.get(key)
    names = [n for n, view in s.held.items() if key in view.alerts and not view.ended_at]
    if alert is None or not names:
        return s
    held = dict(s.held)
    for name in names:
        view = held[name]
        entry = _entry(alert, view.alerts[key], again=again)
        held[name] = replace(view, alerts={**view.alerts, key: entry})
    return replace(s, held=held)


def _entry(alert: AlertView, known: HeldAlert | None, *, again: bool) -> HeldAlert:
    level = alert.severity
    if known is not None and RANK[known.level] > RANK[level]:
        level = known.level
    return HeldAlert(
        alert.id, alert.component, level, alert.message,
        times=(0 if known is None else known.times) + again,
        over_at=alert.resolved_at or 0.0,
    )  # fmt: skip


def _holds_still(s: Snapshot, key: str, at: float) -> Snapshot:
    """End the flapping of a component whose one alert about that is over."""
    place, _, condition = key.rpartition("/")
    if condition == "flapping":
        for name in [name for name in s.held if name.startswith(f"flapping:{place}/")]:
            s = _ended(s, name, at)
    return s


def _ended(s: Snapshot, name: str, at: float, would: tuple[str, ...] = ()) -> Snapshot:
    """Note the end; what held back nothing that was open, and no act, needs no summary."""
    known = s.held.get(name)
    if not would and (known is None or known.ended_at):
        return s
    known = known or HeldView(at, {})
    if known.told:
        known = HeldView(at, {})
    would = (*known.would, *would)
    held = {
        n: view
        for n, view in s.held.items()
        if not view.ended_at or view.ended_at >= at - REMEMBERED
    }
    opened = {key: alert for key, alert in known.alerts.items() if alert.times}
    if opened or would:
        held[name] = replace(known, alerts=opened, ended_at=at, would=would)
    else:
        held.pop(name, None)
    return replace(s, held=held)
