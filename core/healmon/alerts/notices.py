"""What notices say: what, the evidence, what was done, how it was proved, what to do. Pure.

The id of a notice is that of the event that makes it, so that it is added when the notice leaves
(`message`): the same one however often it is tried.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator, Mapping, Sequence
from typing import Final, NamedTuple, cast

from healmon.clock import local_time
from healmon.plans import RANK, Packed, Severity, worse
from healmon.state import AlertView, HeldAlert, HeldView, NoticeView, Snapshot, finished_on
from healmon.text import as_typed, clean
from healmon.units import format_duration
from healmon.world.notifying import Message

LONGEST_TITLE: Final = 200
LISTED: Final = 40
"""Lines of one list; what is more is counted."""
DETAILED: Final = 100
"""Alerts that a notice has as data."""
_EVIDENCE: Final = 8
_DEEDS: Final = 5
_MOMENT: Final = "%Y-%m-%d %H:%M:%S %z"
_HAND: Final = {"session": "clear", "database": "unlock", "disk": "clean"}
_POINT: Final = "· "
_MORE: Final = re.compile(r"· and (\d+) more")
_TOGETHER: Final = "These had to wait, and are told together:"


class Words(NamedTuple):
    """What a notice says; `level` is the worst of it."""

    title: str
    body: str
    level: Severity


def opened(snapshot: Snapshot, alerts: Sequence[AlertView], now: float) -> Words:
    """Return what is said of alerts that need somebody."""
    level = worst_of(a.severity for a in alerts)
    head = f"[{level}] {snapshot.engine.host}: "
    if len(alerts) == 1:
        (alert,) = alerts
        again = f" (still open after {_since(alert.opened_at, now)})" if alert.told else ""
        return Words(_title(head + _subject(alert) + again), _story(snapshot, alert, now), level)
    title = f"{head}{len(alerts)} alerts: {', '.join(_components(alerts))}"
    lines = _listed(_line(alert) for alert in _by_need(alerts))
    lines.append("To do: healmon alerts; healmon explain ID; healmon ack ID")
    return Words(_title(title), "\n".join(lines), level)


def recovered(snapshot: Snapshot, alerts: Sequence[AlertView], *, untold: bool = False) -> Words:
    """Return what is said of alerts that are over.

    Args:
        snapshot: the state.
        alerts: those that ended.
        untold: what they were about could not be told while it lasted.
    """
    level = worst_of(a.peak for a in alerts)
    head = f"[RECOVERED] {snapshot.engine.host}: "
    late = ["This was not told while it lasted: the channel did not take it."] if untold else []
    if len(alerts) == 1:
        (alert,) = alerts
        return Words(
            _title(f"{head}over after {_lasted(alert)}: {_subject(alert)}"),
            "\n".join([*_ending(snapshot, alert), *late]),
            level,
        )
    title = f"{head}{len(alerts)} alerts are over: {', '.join(_components(alerts))}"
    lines = _listed(f"{_line(alert)}; over after {_lasted(alert)}" for alert in _by_need(alerts))
    return Words(_title(title), "\n".join([*lines, *late]), level)


def summed_up(snapshot: Snapshot, held: Mapping[str, HeldView]) -> Words:
    """Return what was held back by silences, maintenance and flapping that have ended."""
    alerts = {key: alert for view in held.values() for key, alert in view.alerts.items()}
    still = [key for key in alerts if key in snapshot.alerts]
    level = worst_of(["WARNING", *(a.level for a in alerts.values())])
    title = (
        f"[SUMMARY] {snapshot.engine.host}: {_named(held)} ended:"
        f" {len(alerts)} held back, {len(still)} still open"
    )
    body: list[str] = []
    for name, view in held.items():
        lasted = format_duration(view.ended_at - view.since) if view.since < view.ended_at else ""
        body.append(f"{_holder(name)} {f'lasted {lasted}' if lasted else 'ended'}.")
        if view.alerts:
            body.append("Held back meanwhile:")
        body += _listed(
            f"[{a.level}] {_subject(a)} (alert {a.id}, opened {_times(a.times)};"
            f" {'still open' if key in snapshot.alerts else 'over'})"
            for key, a in view.alerts.items()
        )
        if view.would:
            body += ["Not done meanwhile:", *_listed(view.would)]
    if still:
        body.append("To do: healmon alerts; what is still open and unanswered is told again")
    return Words(_title(title), "\n".join(body), level)


def together(snapshot: Snapshot, notices: Sequence[NoticeView]) -> Words:
    """Return one notice that says what several say that had to wait."""
    level = worst_of(notice.level for notice in notices)
    lines: list[str] = []
    unlisted = 0
    for notice in notices:
        known = notice.body.split("\n") if notice.body.startswith(_TOGETHER) else []
        told = [line.removeprefix(_POINT) for line in known if line.startswith(_POINT)]
        unlisted += sum(int(m[1]) for line in known if (m := _MORE.fullmatch(line)))
        lines += [line for line in told if not _MORE.fullmatch(_POINT + line)] or [
            f"{local_time(notice.made_at, '%m-%d %H:%M')} {notice.title}"
        ]
    keys = {key for notice in notices for key in notice.keys}
    still = [snapshot.alerts[key] for key in sorted(keys) if key in snapshot.alerts]
    count = len(lines) + unlisted
    title = f"[{level}] {snapshot.engine.host}: {count} notices together, {len(still)} still open"
    body = [_TOGETHER, *_listed(lines[-LISTED:], count - min(len(lines), LISTED))]
    if still:
        body += ["Still open:", *_listed(_line(alert) for alert in _by_need(still))]
    body.append("All of it: healmon alerts --all")
    return Words(_title(title), "\n".join(body), level)


def message(snapshot: Snapshot, notice: NoticeView, epoch: str) -> Message:
    """Return a notice as it leaves, with its id.

    Args:
        snapshot: the state, for what its alerts are like now.
        notice: which one.
        epoch: the store's; with it the id names the notice for ever. The moment it was made is a
            part of that name: an id that never reached the disk may be given again.
    """
    host = snapshot.engine.host
    known = {**snapshot.ended, **snapshot.alerts}
    stamp = notice.stamp or notice.made_at  # a healmon of before kept none
    return Message(
        id=f"{epoch}-{notice.id}-{round(stamp * 1000)}", notice=notice.id, host=host,
        channel=notice.channel, topic=notice.topic, level=notice.level, title=notice.title,
        body="\n".join(
            [
                notice.body,
                *_meanwhile(snapshot, notice),
                "",
                f"Notice {notice.id} of healmon on {host}, {local_time(notice.made_at, _MOMENT)}",
            ]
        ),
        at=notice.made_at,
        alerts=tuple(_packed(known[key]) for key in notice.keys[:DETAILED] if key in known),
    )  # fmt: skip


def _meanwhile(snapshot: Snapshot, notice: NoticeView) -> list[str]:
    """Return what became of the alerts of a notice that had to wait."""
    if notice.topic not in {"opened", "reminder"}:
        return []
    lines: list[str] = []
    for key in notice.keys:
        alert, over = snapshot.alerts.get(key), snapshot.ended.get(key)
        if alert is not None and alert.acknowledged_by:
            lines.append(f"alert {alert.id} was acknowledged by {alert.acknowledged_by}")
        elif alert is None and over is not None:
            lines.append(f"alert {over.id} is over, {local_time(over.resolved_at or 0.0)}")
    return ["Meanwhile:", *_listed(lines)] if lines else []


def worst_of(levels: Iterable[Severity]) -> Severity:
    """Return the worst of some severities; INFO when there are none."""
    worst: Severity = "INFO"
    for level in levels:
        worst = worse(worst, level)
    return worst


def _story(snapshot: Snapshot, alert: AlertView, now: float) -> str:
    since = local_time(alert.first_seen, _MOMENT)
    lines = [
        f"What: {_subject(alert)}",
        f"Since: {since} ({_since(alert.first_seen, now)}), seen {_times(alert.count)}",
    ]
    if alert.reopened:
        lines.append(f"It was over and came back {_times(alert.reopened)}.")
    if alert.state == "stale":
        lines.append("Nobody has been able to look at it lately: it may be otherwise by now.")
    lines += [f"Evidence: {line}" for line in _evidence(alert.evidence)]
    lines += _done(snapshot, alert) or ["Done: nothing by healmon"]
    return "\n".join([*lines, _to_do(alert)])


def _ending(snapshot: Snapshot, alert: AlertView) -> list[str]:
    lines = [
        f"What: {_subject(alert)}",
        f"From {local_time(alert.first_seen, _MOMENT)} for {_lasted(alert)}",
    ]
    lines += _done(snapshot, alert)
    view = snapshot.components.get(alert.component)
    proof = alert.resolution or (view.summary if view is not None else "")
    return [*lines, f"Proof: {proof}"] if proof else lines


def _evidence(evidence: Packed) -> Iterator[str]:
    for name, value in list(evidence.items())[:_EVIDENCE]:
        if value not in (None, "", [], {}):
            yield clean(f"{name.replace('_', ' ')}: {_plain(value)}", limit=300)


def _plain(value: object) -> str:
    if isinstance(value, dict):
        pairs = cast("dict[str, object]", value)
        return ", ".join(f"{name} {_plain(part)}" for name, part in pairs.items())
    if isinstance(value, list | tuple):
        return ", ".join(map(_plain, cast("Sequence[object]", value)))
    return f"{value:g}" if isinstance(value, float) else str(value)


def _done(snapshot: Snapshot, alert: AlertView) -> list[str]:
    lines = [
        f"Done: {local_time(one.at)} {one.action}"
        + (f"; proved: {one.outcome}" if one.ok else f" failed: {one.outcome}")
        for one in finished_on(snapshot, alert.component)
        if one.at >= alert.first_seen
    ][-_DEEDS:]
    plan = snapshot.plans.get(alert.component)
    if plan is not None:
        when = "under way" if plan.acting else f"at {local_time(plan.due_wall)}"
        lines.append(f"Next: {plan.plan.action} {when}; proof: {plan.plan.proof}")
    refusal = snapshot.refusals.get(alert.component)
    if refusal is not None:
        lines.append(f"Not done: {refusal.action}: {refusal.reason}")
    return lines


def _to_do(alert: AlertView) -> str:
    kind, _, name = alert.component.partition(":")
    hand = f"healmon {_HAND[kind]} {as_typed(name)}" if kind in _HAND and name else ""
    if not hand and f"/workers/{alert.component}/" in alert.key:
        hand = f"healmon restart {as_typed(alert.component)}"
    steps = [f"healmon explain {alert.id}", hand, f"I know: healmon ack {alert.id}"]
    return f"To do: {'; '.join(step for step in steps if step)}"


def _subject(alert: AlertView | HeldAlert) -> str:
    if alert.component in alert.message:
        return alert.message
    return f"{alert.component}: {alert.message}"


def _line(alert: AlertView) -> str:
    return f"[{alert.severity}] {_subject(alert)} (alert {alert.id})"


def _packed(alert: AlertView) -> Packed:
    return {
        "id": alert.id, "key": alert.key, "component": alert.component,
        "severity": alert.severity, "state": alert.state, "message": alert.message,
    }  # fmt: skip


def _listed(lines: Iterable[str], unlisted: int = 0) -> list[str]:
    every = list(lines)
    more = len(every) - LISTED + unlisted if len(every) > LISTED else unlisted
    shown = [_POINT + clean(line, limit=300) for line in every[:LISTED]]
    return [*shown, f"{_POINT}and {more} more"] if more > 0 else shown


def _by_need(alerts: Iterable[AlertView]) -> list[AlertView]:
    return sorted(alerts, key=lambda alert: (-RANK[alert.severity], alert.first_seen))


def _components(alerts: Iterable[AlertView]) -> list[str]:
    return sorted({alert.component for alert in alerts})


def _named(held: Mapping[str, HeldView]) -> str:
    return _holder(next(iter(held))) if len(held) == 1 else f"{len(held)} silences and pauses"


def _holder(name: str) -> str:
    kind, _, what = name.partition(":")
    if kind == "flapping":
        return f"flapping of {what.rpartition('/')[0].split('/', 2)[-1]}"
    return f"{kind} of everything" if what == "*" else f"{kind} {what}"


def _title(text: str) -> str:
    return clean(text, limit=LONGEST_TITLE)


def _times(count: int) -> str:
    return "once" if count == 1 else f"{count} times"


def _since(then: float, now: float) -> str:
    return format_duration(max(0.0, now - then))


def _lasted(alert: AlertView) -> str:
    return _since(alert.first_seen, alert.resolved_at or alert.last_seen)
