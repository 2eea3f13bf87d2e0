"""Findings of one look against the alerts that are there: what pends, opens, changes, ends."""

from __future__ import annotations

import re
from collections.abc import Collection, Iterable, Mapping
from dataclasses import dataclass, field
from typing import Final, TypeAlias, cast

from msgspec.structs import replace

from healmon.alerts import confirm, flapping, stale
from healmon.alerts.confirm import Clear
from healmon.config.settings import Alerts
from healmon.events import (
    AlertArchived,
    AlertDropped,
    AlertOpened,
    AlertPended,
    AlertReopened,
    AlertResolved,
    AlertSeen,
    AlertUnacknowledged,
    AlertUpdated,
    Event,
)
from healmon.plans import RANK, Finding, Verdict, worse
from healmon.state import AlertView, Snapshot

REFRESH: Final = 600.0
"""Seconds after which an alert of which only the numbers changed is told again."""
SOONEST: Final = 120.0
"""The same of a young one: each time that it is twice as old, and says half of the minutes."""

TOLD: Final = 86400.0
"""Seconds for which an alert that is over is kept in mind at least, if a channel was told of it."""

Ended: TypeAlias = AlertResolved | AlertDropped

_NUMBER: Final = re.compile(r"\d+(?:[.,:]\d+)*")
_NONE: Final[tuple[AlertView, ...]] = ()


def key_of(host: str, healer: str, component: str, condition: str) -> str:
    """Return the name of a cause: one alert is open per key, ever."""
    return f"{host}/{healer}/{component}/{condition}"


@dataclass(frozen=True, slots=True)
class Case:
    """What verdicts of one healer are judged against: the state after one look, before its alerts.

    Attributes:
        snapshot: the state.
        healer: whose look it is.
        rules: `[alerts]` of the configuration.
        now: wall seconds.
        steady: steady seconds, by which looks are told apart.
        clear: looks that no longer found an alert, by key.
        there: the healer's alerts by component.
        over: those that may be opened again.
    """

    snapshot: Snapshot
    healer: str
    rules: Alerts
    now: float
    clear: Mapping[str, Clear] = field(default_factory=dict[str, Clear])
    there: Mapping[str, list[AlertView]] = field(default_factory=dict[str, list[AlertView]])
    over: Mapping[str, list[AlertView]] = field(default_factory=dict[str, list[AlertView]])
    steady: float = 0.0

    @classmethod
    def of(
        cls,
        snapshot: Snapshot,
        healer: str,
        rules: Alerts,
        now: float,
        clear: Mapping[str, Clear] | None = None,
        steady: float = 0.0,
    ) -> Case:
        """Return the case of a healer; the alerts are sorted by component once for all verdicts."""
        prefix = f"{snapshot.engine.host}/{healer}/"
        there = _by_component(snapshot.alerts.values(), prefix) if snapshot.alerts else {}
        over = _by_component(snapshot.ended.values(), prefix) if snapshot.ended else {}
        return cls(snapshot, healer, rules, now, clear or {}, there, over, steady or now)

    @property
    def interval(self) -> float:
        """Seconds between two checks."""
        return self.snapshot.engine.interval

    def has_nothing_of(self, verdict: Verdict) -> bool:
        """Return whether a verdict changes no alert, as nearly all: there is none, and was none."""
        name = verdict.component
        return not (verdict.findings or name in self.there or name in self.over)

    def key(self, component: str, condition: str) -> str:
        """Return the key of a condition."""
        return key_of(self.snapshot.engine.host, self.healer, component, condition)


@dataclass(frozen=True, slots=True)
class Judged:
    """What came of a verdict.

    Attributes:
        events: to be applied in this order.
        clear: looks that no longer found an alert of this component, by key.
    """

    events: list[Event]
    clear: dict[str, Clear]


_QUIET: Final = Judged([], {})


def judge(case: Case, verdict: Verdict) -> Judged:
    """Return what a verdict means for the alerts of its component.

    With status `unknown` (nobody could look) its findings are judged, but no alert ends.
    """
    if case.has_nothing_of(verdict):
        return _QUIET
    found = _findings(case, verdict)
    there = {alert.key: alert for alert in case.there.get(verdict.component, _NONE)}
    events = [
        event
        for condition, finding in found.items()
        for event in _found(
            case, verdict, finding, there.pop(case.key(verdict.component, condition), None)
        )
    ]
    if verdict.status == "unknown":
        return Judged([*events, *_unseen(case, verdict, there.values())], {})
    clear: dict[str, Clear] = {}
    for alert in there.values():
        ended = _not_found(case, verdict, alert)
        if isinstance(ended, Clear):
            clear[alert.key] = ended
        else:
            events.append(ended)
    return Judged(events, clear)


def _findings(case: Case, verdict: Verdict) -> dict[str, Finding]:
    found = _worst_per_condition(verdict.findings)
    if flapping.CONDITION in found or verdict.status == "unknown":
        return found
    mine = (*case.over.get(verdict.component, _NONE), *case.there.get(verdict.component, _NONE))
    flaps = flapping.finding(mine, case.rules, case.interval, case.now) if mine else None
    if flaps is not None:
        found[flaps.condition] = replace(flaps, message=f"{verdict.component}: {flaps.message}")
    return found


def _found(
    case: Case, verdict: Verdict, finding: Finding, alert: AlertView | None
) -> Iterable[Event]:
    key = case.key(verdict.component, finding.condition)
    if alert is None:
        if confirm.at_once(finding, case.rules):
            yield _opening(case, key, verdict.component, finding)
        else:
            yield AlertPended(
                key, finding.severity, verdict.component, finding.message, finding.evidence
            )
    elif alert.pending:
        yield from _again(case, verdict, finding, alert)
    elif _worth_telling(alert, finding, case.now) or confirm.proved(case.snapshot, alert, case.now):
        # found in spite of a proof: told once, and that proof vouches for no end any more
        yield AlertUpdated(key, finding.severity, finding.message, finding.evidence)
    elif alert.state == "stale":
        yield AlertSeen(key)


def _again(case: Case, verdict: Verdict, finding: Finding, alert: AlertView) -> Iterable[Event]:
    sure = confirm.at_once(finding, case.rules)
    if not sure and not confirm.another(alert.last_seen, case.now, case.interval):
        return
    if sure or confirm.confirmed(alert, case.rules, case.now):
        yield _opening(case, alert.key, verdict.component, finding)
    else:
        yield AlertUpdated(alert.key, finding.severity, finding.message, finding.evidence)


def _opening(case: Case, key: str, component: str, finding: Finding) -> Event:
    before = case.snapshot.ended.get(key)
    ended = before.resolved_at if before is not None else None
    if before is None or ended is None or abs(case.now - ended) >= case.rules.reopen_within:
        return AlertOpened(key, finding.severity, component, finding.message, finding.evidence)
    return AlertReopened(
        key, finding.severity, component, finding.message, finding.evidence,
        incident=before.id, first_seen=before.first_seen, count=before.count + 1,
        reopened=before.reopened + 1, peak=worse(before.peak, finding.severity),
    )  # fmt: skip


def _not_found(case: Case, verdict: Verdict, alert: AlertView) -> Event | Clear:
    if alert.pending:
        return AlertDropped(alert.key, f"gone before it was confirmed: {verdict.summary}")
    clear = confirm.cleared(case.clear.get(alert.key), case.steady, case.interval)
    enough = clear.checks >= case.rules.clear_checks
    if enough or confirm.proved(case.snapshot, alert, case.now):
        return AlertResolved(alert.key, verdict.summary)
    return clear


def _unseen(case: Case, verdict: Verdict, alerts: Iterable[AlertView]) -> list[Event]:
    view = case.snapshot.components.get(verdict.component)
    if view is None or view.status != "unknown":
        return []
    seconds = case.now - view.since
    return stale.unseen(case.snapshot, alerts, case.rules, seconds, verdict.summary)


def gone(snapshot: Snapshot, component: str, reason: str = "it exists no more") -> list[Ended]:
    """Return the end of every alert of a component that exists no more."""
    return [
        _end(alert, reason) for alert in snapshot.alerts.values() if alert.component == component
    ]


def strays(snapshot: Snapshot, host: str, healers: Collection[str]) -> list[Ended]:
    """Return the end of alerts that nobody will ever look after again.

    A host that was given another name, a healer that was taken out: their keys can no longer be
    found or not found.
    """
    looked_after = tuple(f"{host}/{healer}/" for healer in healers)
    return [
        _end(alert, "no healer looks after this any more")
        for alert in snapshot.alerts.values()
        if not alert.key.startswith(looked_after)
    ]


def _end(alert: AlertView, reason: str) -> Ended:
    kind = AlertDropped if alert.pending else AlertResolved
    return kind(alert.key, reason)


def expire(snapshot: Snapshot, now_wall: float) -> list[Event]:
    """Return the end of every acknowledgement whose time is over."""
    return [
        AlertUnacknowledged(alert.key, "the acknowledgement ran out")
        for alert in snapshot.alerts.values()
        # also of one that nobody can look at
        if alert.acknowledged_at is not None and alert.until is not None and alert.until <= now_wall
    ]


def archive(snapshot: Snapshot, rules: Alerts, now_wall: float) -> list[Event]:
    """Return the end of the memory of alerts that were over too long ago to come back."""
    seconds = flapping.remembered(rules, snapshot.engine.interval)
    return [
        AlertArchived(key)
        for key, alert in snapshot.ended.items()
        if _forgotten(alert, now_wall - (alert.resolved_at or 0.0), seconds)
    ]


def _forgotten(alert: AlertView, age: float, seconds: float) -> bool:
    # whoever was told of it must still be told that it is over
    return abs(age) >= (max(seconds, TOLD) if alert.told else seconds)


def _by_component(alerts: Iterable[AlertView], prefix: str) -> dict[str, list[AlertView]]:
    found: dict[str, list[AlertView]] = {}
    for alert in alerts:
        # a component's name may go on after a slash
        if alert.key.startswith(f"{prefix}{alert.component}/"):
            found.setdefault(alert.component, []).append(alert)
    return found


def _worst_per_condition(findings: tuple[Finding, ...]) -> dict[str, Finding]:
    worst: dict[str, Finding] = {}
    for finding in findings:
        known = worst.get(finding.condition)
        if known is None or RANK[finding.severity] > RANK[known.severity]:
            worst[finding.condition] = finding
    return worst


def _worth_telling(alert: AlertView, finding: Finding, now_wall: float) -> bool:
    """Return whether there is something new to say: worse, other words, or other numbers at last.

    A finding whose level fell says nothing new by that; a percentage that wanders by a tenth in
    every cycle must not fill the log.
    """
    if RANK[finding.severity] > RANK[alert.severity]:
        return True
    if (finding.message, finding.evidence) == (alert.message, alert.evidence):
        return False
    if not (_alike(finding.message, alert.message) and _alike(finding.evidence, alert.evidence)):
        return True
    age = alert.last_seen - alert.first_seen
    return abs(now_wall - alert.last_seen) >= min(REFRESH, max(SOONEST, age))


def _alike(one: object, other: object) -> bool:
    """Return whether two pieces of evidence differ in numbers only, also in those within texts."""
    if one is other or _shape(one) == _shape(other):
        return True
    if isinstance(one, dict) and isinstance(other, dict):
        mine, its = cast("dict[str, object]", one), cast("dict[str, object]", other)
        return mine.keys() == its.keys() and all(_alike(mine[name], its[name]) for name in mine)
    if isinstance(one, list | tuple) and isinstance(other, list | tuple):
        parts, others = cast("list[object]", one), cast("list[object]", other)
        return len(parts) == len(others) and all(map(_alike, parts, others))
    return False


def _shape(value: object) -> object:
    """Return a single value; all numbers are one, also those within a text."""
    if isinstance(value, str):
        return _NUMBER.sub("#", value)
    return "#" if isinstance(value, int | float) and not isinstance(value, bool) else value
