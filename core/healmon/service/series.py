"""How things went over hours and weeks, as numbers to be drawn: one source for page and screen.

Read from the store in short bites, so that in the healer's own process nobody waits for long for
the connection that it shares. What is read grows with what was measured and done in the stretch
that is asked for, never with the whole history; what comes out is a few hundred points a series.
"""

from __future__ import annotations

import json
from collections import defaultdict
from collections.abc import Iterator, Sequence
from typing import Any, Final, NamedTuple

import msgspec

from healmon.clock import format_utc
from healmon.service import buckets
from healmon.service.buckets import Frame, Gap, Held, Point, Seen, frame
from healmon.service.stood import stood_in
from healmon.store.past import Past, wall_of
from healmon.text import clean

__all__ = ["Frame", "Point", "Series", "Sums", "frame", "sums"]

DISKS: Final = 32
"""Disks and directories with a budget that are drawn at most."""
BITE: Final = 20_000
"""Rows over which one query goes: some 5 ms."""
PAGE: Final = 1_000
STARTS: Final = 2_000
"""Starts of the healer that are looked at at most, the newest first."""
RESTART: Final = "restart_worker"
OUTCOMES: Final = {"recovered": "verified", "error": "failed"}
"""What the rows of actions call their ends, and what people do."""
LATE: Final = 2.5
"""Check intervals after its last sign of life for which what is known of a healer's world holds."""
DISK: Final = "disk:"


class Series(msgspec.Struct, frozen=True):
    """One line of a plot.

    Attributes:
        name: what it is: `disk_used_ratio` `restarts` `stuck_sessions` `heal_seconds`
            `open_alerts`.
        label: which one of its name: a mount, an outcome, a severity; may be empty.
        unit: `ratio` `count` `seconds`.
        points: oldest first; there is none where nothing is known.
    """

    name: str
    label: str
    unit: str
    points: tuple[Point, ...]


class Sums(msgspec.Struct, frozen=True, rename={"begin": "from", "end": "to"}):
    """All series of one stretch of time; `begin` and `end` are wall seconds, `step` seconds."""

    begin: int
    end: float
    step: int
    series: tuple[Series, ...]


class _Ids(NamedTuple):
    """From which id to which the rows of a stretch are, in one table."""

    low: int
    high: int


def sums(past: Past, where: Frame) -> Sums:
    """Return all series of a stretch of time. Blocks.

    Args:
        past: the store.
        where: the stretch, from `frame`.

    Raises:
        ReadError, StoreFaultError: the store cannot be read now.
    """
    blind, until = _gaps(past, where)
    metrics = _ids(past, "health_metrics", where)
    made = [
        *_disks(past, where, metrics, blind, until),
        *_actions(past, where, metrics, blind),
        *_alerts(past, where, blind),
    ]
    return Sums(where.begin, where.end, where.step, tuple(made))


def _ids(past: Past, table: str, where: Frame) -> _Ids | None:
    """Return the ids of the rows of a stretch; exact also where the clock was set back."""
    ((low, high),) = past.rows(
        f"SELECT min(id), max(id) FROM {table} WHERE timestamp >= ? AND timestamp < ? AND +id > 0",  # noqa: S608 - constants
        format_utc(where.begin),
        format_utc(where.end),
    )
    return None if low is None else _Ids(int(low), int(high))


def _gaps(past: Past, where: Frame) -> tuple[list[Gap], float]:
    """Return when nobody looked, and until when what was known last still holds."""
    rows = past.rows(
        "SELECT timestamp, (SELECT timestamp FROM events AS earlier WHERE earlier.id < events.id"
        " ORDER BY earlier.id DESC LIMIT 1) FROM events"
        " WHERE kind = 'enginestarted' AND +timestamp >= ? ORDER BY id DESC LIMIT ?",
        format_utc(where.begin),
        STARTS,
    )
    blind = [(wall_of(before or ""), wall_of(started)) for started, before in rows]
    newest = past.rows("SELECT timestamp, kind FROM events ORDER BY id DESC LIMIT 1")
    if not newest:
        return [(0.0, where.end)], 0.0
    last = wall_of(newest[0][0])
    until = last if newest[0][1] == "enginestopped" else last + LATE * _interval(past)
    return [*blind, (until, max(where.end, until))], until


def _interval(past: Past) -> float:
    """Return the seconds between two looks of the newest healer."""
    rows = past.rows("SELECT value FROM meta WHERE key = 'interval'")
    if rows:
        return float(str(rows[0][0]).rpartition(" ")[2])
    started = past.rows(
        "SELECT payload FROM events WHERE kind = 'enginestarted' ORDER BY id DESC LIMIT 1"
    )
    return float(json.loads(started[0][0]).get("interval", 60.0)) if started else 60.0


# levels of disks


def _disks(
    past: Past, where: Frame, ids: _Ids | None, blind: Sequence[Gap], until: float
) -> Iterator[Series]:
    for component in _named(past, DISK):
        there = past.rows("SELECT 1 FROM components WHERE component = ?", component)
        seen = {} if ids is None else _measured(past, component, where, ids)
        before = _before(past, component, ids)
        last = max((one.at for one in seen.values()), default=0.0)
        points = buckets.levels(seen, before, where, blind, until if there else last)
        if points:
            label = clean(component.removeprefix(DISK))
            yield Series("disk_used_ratio", label, "ratio", points)


def _named(past: Past, prefix: str) -> Iterator[str]:
    """Pass over the components with a prefix of which there is any sample, by their index."""
    name, beyond = prefix, f"{prefix[:-1]}{chr(ord(prefix[-1]) + 1)}"
    for _ in range(DISKS):
        rows = past.rows(
            "SELECT component FROM health_metrics WHERE component > ? AND component < ?"
            " ORDER BY component LIMIT 1",
            name,
            beyond,
        )
        if not rows:
            return
        name = str(rows[0][0])
        yield name


_SAMPLE: Final = "metric_type IN ('disk_usage', 'check_error')"
"""Rows that say how full it is, or, with no value, that this is not known."""
_RATIO: Final = (
    "CASE WHEN metric_value GLOB '[0-9]*' THEN CAST(metric_value AS REAL) / 100 ELSE NULL END"
)


def _measured(past: Past, component: str, where: Frame, ids: _Ids) -> dict[int, Seen]:
    found: dict[int, Seen] = {}
    low = ids.low
    while low <= ids.high:
        rows = past.rows(
            f"SELECT (CAST(strftime('%s', timestamp) AS INTEGER) - ?) / ?, min({_RATIO}),"  # noqa: S608 - constants
            f" max({_RATIO}), max(printf('%015d', id) || timestamp || ' ' || metric_value)"
            " FROM health_metrics WHERE component = ? AND id >= ? AND id < ?"
            f" AND +timestamp >= ? AND +timestamp < ? AND {_SAMPLE} GROUP BY 1",
            where.begin,
            where.step,
            component,
            low,
            min(low + BITE, ids.high + 1),
            format_utc(where.begin),
            format_utc(where.end),
        )
        for place, least, most, newest in rows:
            timestamp, _, value = str(newest)[15:].rpartition(" ")
            here = Seen(least, most, wall_of(timestamp), _ratio(value))
            known = found.get(int(place))
            found[int(place)] = here if known is None else _joined(known, here)
        low += BITE
    return found


def _joined(earlier: Seen, later: Seen) -> Seen:
    low = [one.low for one in (earlier, later) if one.low is not None]
    high = [one.high for one in (earlier, later) if one.high is not None]
    return Seen(min(low, default=None), max(high, default=None), later.at, later.last)


def _before(past: Past, component: str, ids: _Ids | None) -> tuple[float, float] | None:
    """Return the last level before a stretch: when it was measured, and what it was."""
    rows = past.rows(
        "SELECT timestamp, metric_value FROM health_metrics WHERE component = ? AND id > 0"  # noqa: S608 - constants
        f" AND id < ? AND {_SAMPLE} ORDER BY id DESC LIMIT 1",
        component,
        2**63 - 1 if ids is None else ids.low,
    )
    value = _ratio(str(rows[0][1])) if rows else None
    return None if value is None else (wall_of(rows[0][0]), value)


def _ratio(text: str) -> float | None:
    try:
        return float(text) / 100
    except ValueError:
        return None


# counts and durations of actions


def _actions(past: Past, where: Frame, ids: _Ids | None, blind: Sequence[Gap]) -> Iterator[Series]:
    restarts: dict[str, list[float]] = {word: [] for word in OUTCOMES.values()}
    took: list[tuple[float, float]] = []
    for timestamp, action, status, seconds in _done(past, where, ids):
        at, outcome = wall_of(timestamp), OUTCOMES.get(status, "failed")
        if action == RESTART:
            restarts[outcome].append(at)
        if outcome == "verified" and isinstance(seconds, int | float):
            took.append((at, float(seconds)))
    for outcome, moments in restarts.items():
        points = buckets.counts(buckets.tally(moments, where), where, blind)
        yield Series("restarts", outcome, "count", points)
    yield Series("heal_seconds", "", "seconds", buckets.durations(took, where))


def _done(past: Past, where: Frame, ids: _Ids | None) -> Iterator[tuple[Any, ...]]:
    if ids is None:
        return
    after = ids.low - 1
    while True:
        rows = past.rows(
            # "+": by the index of actions, not by that of the times
            "SELECT id, timestamp, action_taken, status, json_extract(details, '$.seconds')"
            " FROM health_metrics WHERE action_taken <> '' AND id > ? AND id <= ?"
            " AND +timestamp >= ? AND +timestamp < ? ORDER BY id LIMIT ?",
            after,
            ids.high,
            format_utc(where.begin),
            format_utc(where.end),
            PAGE,
        )
        yield from (row[1:] for row in rows)
        if len(rows) < PAGE:
            return
        after = int(rows[-1][0])


# alerts that stand at once


def _alerts(past: Past, where: Frame, blind: Sequence[Gap]) -> Iterator[Series]:
    stood = stood_in(past, where)
    stuck: dict[str, list[Held]] = defaultdict(list)
    for one in stood:
        if one.stuck:
            stuck[one.component].append(one.held)
    each = [held for mine in stuck.values() for held in buckets.union(mine)]
    yield Series("stuck_sessions", "", "count", buckets.standing(each, where, blind))
    for severity in ("CRITICAL", "WARNING"):
        mine = [one.held for one in stood if one.level == severity]
        yield Series("open_alerts", severity, "count", buckets.standing(mine, where, blind))
