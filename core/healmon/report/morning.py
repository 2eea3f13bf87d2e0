"""The morning page: what broke, what was healed and how that was proved, what needs a person. Pure.

Rows of the health store go in, a page comes out; the screen, the command line and a scheduled
notice all show this one.
"""

from __future__ import annotations

import json
from collections.abc import Iterable, Mapping, Sequence
from typing import Any, TypeAlias, cast

import msgspec

from healmon.clock import local_time, parse_utc
from healmon.events import KeyChange
from healmon.plans import RANK, Severity
from healmon.units import format_duration

Row: TypeAlias = dict[str, Any]
STALE_AFTER = 3
"""Intervals without a finished round after which a healer counts as silent."""


class Night(msgspec.Struct, frozen=True, kw_only=True):
    """What the store says of a stretch of time; rows as `store.read` returns them.

    Attributes:
        host: whose night it was.
        since, until: wall seconds.
        alerts: those unresolved now, and those that ended since then.
        actions: remedies carried out, verified or failed, oldest first.
        refusals: plans that were not carried out, oldest first.
        reasons: why plans were made, by their ids.
        troubles: events of healmon's own health, oldest first; `before` is the time of the event
            before each.
        started: when the newest healer began, wall seconds; None: never.
        round_at: when it last finished a round; None: never.
        interval: seconds between its rounds.
        running: whether a healer runs now.
    """

    host: str
    since: float
    until: float
    alerts: Sequence[Row] = ()
    actions: Sequence[Row] = ()
    refusals: Sequence[Row] = ()
    reasons: Mapping[str, str] = {}
    troubles: Sequence[Row] = ()
    started: float | None = None
    round_at: float | None = None
    interval: float = 60.0
    running: bool = False


class Item(msgspec.Struct, frozen=True, kw_only=True):
    """One line of the page.

    Attributes:
        at: when it was last so, wall seconds.
        count: how often.
        why: what led to it, where that is known.
        id: of the alert, 0 where it is none.
    """

    at: float
    component: str
    text: str
    count: int = 1
    severity: Severity = "INFO"
    why: str = ""
    id: int = 0


class Morning(msgspec.Struct, frozen=True, kw_only=True):
    """The page.

    Attributes:
        needs: what needs a person, worst first.
        known: what a person has acknowledged.
        failed: what healmon tried and could not do, or not prove.
        healed: what it healed, and the proof.
        passed: what came and went without an act of healmon.
        withheld: what it would have done, and what held it back.
        itself: healmon's own health.
        well: whether healmon itself had nothing to complain of.
    """

    host: str
    since: float
    until: float
    needs: tuple[Item, ...]
    known: tuple[Item, ...]
    failed: tuple[Item, ...]
    healed: tuple[Item, ...]
    passed: tuple[Item, ...]
    withheld: tuple[Item, ...]
    itself: tuple[str, ...]
    well: bool


def morning(night: Night) -> Morning:
    """Return the page of a night."""
    waiting = [row for row in night.alerts if not row["resolved"] and _confirmed(row)]
    over = [row for row in night.alerts if row["resolved"] and row["resolution"] != "noted"]
    healed = _deeds(night, "recovered")
    acted = {item.component for item in healed}
    own = _itself(night)
    calm = all(row["kind"] == "configurationchanged" for row in night.troubles)
    return Morning(
        host=night.host,
        since=night.since,
        until=night.until,
        needs=_alerts(row for row in waiting if not row.get("acknowledged_at")),
        known=_alerts(row for row in waiting if row.get("acknowledged_at")),
        failed=_deeds(night, "error"),
        healed=healed,
        passed=_alerts(row for row in over if row["component"] not in acted),
        withheld=_withheld(night.refusals),
        itself=(_alive(night), *own),
        well=calm and not _silent(night),
    )


def _alerts(rows: Iterable[Row]) -> tuple[Item, ...]:
    items = [
        Item(
            at=parse_utc(row["first_seen"]),
            component=row["component"],
            text=_said(row),
            count=int(row["count"]),
            severity=row["severity"],
            id=int(row["id"]),
        )
        for row in rows
    ]
    return tuple(sorted(items, key=lambda item: (-RANK[item.severity], item.at, item.id)))


def _confirmed(row: Row) -> bool:
    """Return whether it is an alert; what is stale before it was confirmed is none either."""
    return row["state"] != "pending" and bool(row.get("opened_at", row["first_seen"]))


def _said(row: Row) -> str:
    text = str(row["message"])
    if row["state"] == "stale":
        return f"{text} (not seen since: nobody could look)"
    if row["state"] == "acknowledged":
        note = f": {row['note']}" if row["note"] else ""
        return f"{text} (known to {row['acknowledged_by']}{note})"
    return text


def _deeds(night: Night, status: str) -> tuple[Item, ...]:
    """Return the remedies of one outcome, each kind once: the newest, and how often."""
    found: dict[tuple[str, str], Item] = {}
    for row in night.actions:
        if row["status"] != status:
            continue
        kind = (str(row["component"]), str(row["action_taken"]))
        before = found.get(kind)
        at = parse_utc(row["timestamp"])
        found[kind] = Item(
            at=at,
            component=kind[0],
            text=f"{kind[1].replace('_', ' ')}: {_summary(row)}",
            count=1 + (before.count if before is not None else 0),
            severity="INFO" if status == "recovered" else "WARNING",
            why=night.reasons.get(str(_details(row).get("plan")))
            or _cause(night.alerts, kind[0], at)
            or (before.why if before is not None else ""),
        )
    return tuple(sorted(found.values(), key=lambda item: (item.at, item.component)))


def _summary(row: Row) -> str:
    return str(_details(row).get("summary", ""))


def _details(row: Row) -> Row:
    try:
        found: object = json.loads(row["details"] or "{}")
    except ValueError:
        return {}
    return cast("Row", found) if isinstance(found, dict) else {}


def _cause(alerts: Sequence[Row], component: str, at: float) -> str:
    """Return what was wrong with a component when it was acted on; empty: nobody said so."""
    told = [
        row
        for row in alerts
        if row["component"] == component
        and row["resolution"] != "noted"
        and parse_utc(row["first_seen"]) <= at
        and (not row["resolved_at"] or parse_utc(row["resolved_at"]) >= at)
    ]
    return str(told[-1]["message"]) if told else ""


def _withheld(rows: Sequence[Row]) -> tuple[Item, ...]:
    found: dict[tuple[str, str, str], Item] = {}
    for row in rows:
        details = _details(row)
        reason = str(details.get("not done", ""))
        key = (str(row["component"]), str(row["metric_value"]), reason)
        before = found.get(key)
        found[key] = Item(
            at=parse_utc(row["timestamp"]),
            component=key[0],
            text=f"{details.get('summary') or key[1]} ({reason})",
            count=1 + (before.count if before is not None else 0),
            why=str(details.get("why", "")),
        )
    return tuple(sorted(found.values(), key=lambda item: (item.at, item.component)))


def _alive(night: Night) -> str:
    """Return whether healmon lives and when it last finished a round."""
    if night.round_at is None:
        last = "no round has ever finished"
    else:
        age = max(0.0, night.until - night.round_at)
        last = f"the last round finished {format_duration(age)} ago"
        if _silent(night):
            last += f", more than {STALE_AFTER} intervals: NOBODY IS LOOKING"
    if not night.running:
        return f"no healer runs now; {last}"
    up = "" if night.started is None else f", up {format_duration(night.until - night.started)}"
    return f"a healer runs{up}; {last}"


def _silent(night: Night) -> bool:
    age = None if night.round_at is None else night.until - night.round_at
    return not night.running or age is None or age > STALE_AFTER * night.interval


def _itself(night: Night) -> list[str]:
    """Return what healmon has to complain of about itself, oldest first."""
    lines: list[str] = []
    for row in night.troubles:
        when = local_time(parse_utc(row["timestamp"]), "%H:%M")
        payload: Row = json.loads(row["payload"])
        match row["kind"]:
            case "enginestarted":
                lines.append(f"{when} a healer began{_gap(row)}")
            case "enginestopped":
                lines.append(f"{when} the healer ended: {payload['reason']}")
            case "healerfailed":
                lines.append(f"{when} could not look at {payload['healer']}: {payload['reason']}")
            case "storefaulted":
                lines.append(f"{when} the health store could not be written: {payload['reason']}")
            case "storerecovered":
                lost = f", {payload['dropped']} events did not fit" if payload["dropped"] else ""
                lines.append(f"{when} the health store was written again{lost}")
            case "clockjumped":
                lines.append(f"{when} {_jump(payload)}")
            case "configurationchanged":
                lines += [f"{when} configuration: {one}" for one in _changed(payload)]
            case "configurationrefused":
                told = "; ".join(payload["problems"])
                lines.append(f"{when} the new configuration was refused: {told}")
            case _:
                continue
    return lines


def _changed(payload: Row) -> list[str]:
    """Return what changed in the configuration, a line each."""
    changes = msgspec.convert(payload["changes"], tuple[KeyChange, ...])
    return list(map(str, changes)) or ["it is another one than in the run before"]


def _gap(row: Row) -> str:
    if not row["before"]:
        return ""
    away = parse_utc(row["timestamp"]) - parse_utc(row["before"])
    return f"; nobody looked for {format_duration(max(0.0, away))}"


def _jump(payload: Row) -> str:
    parts: list[str] = []
    if payload["suspended"]:
        parts.append(f"the host slept for {format_duration(payload['suspended'])}")
    if payload.get("off") and payload["stepped"] > 0:
        return f"the host was off, or its clock was set, for {format_duration(payload['stepped'])}"
    if payload["stepped"]:
        parts.append(f"the wall clock was set by {payload['stepped']:+.0f} s")
    return " and ".join(parts) or "the clocks are as they were"
