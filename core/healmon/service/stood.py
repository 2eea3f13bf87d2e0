"""When alerts were open, from what happened to them and from what the table says of them now."""

from __future__ import annotations

import math
from collections import defaultdict
from collections.abc import Iterator, Mapping, Sequence
from typing import Final, NamedTuple

from healmon.clock import format_utc
from healmon.service.buckets import Frame, Held
from healmon.store.past import Past, wall_of
from healmon.store.schema import UNTOLD

PAGE: Final = 1_000
STUCK: Final = frozenset({"stuck", "idle"})
"""Conditions under which a session stands still with a task: those that healmon acts on."""
_BEGUN: Final = frozenset({"alertopened", "alertreopened", "alertacknowledged"})
_OVER: Final = frozenset({"alertresolved", "alertdropped"})
_OPEN_BEFORE: Final = frozenset({"alertresolved", "alertupdated", "alertacknowledged"})
"""Kinds of which the first one for an alert tells that it was open before; but one that was not
confirmed yet is opened by whoever acknowledges it."""
_NAMED: Final = frozenset({"alertopened", "alertreopened"})
"""Kinds that say what the alert is about; the others name it by its key alone."""
_KINDS: Final = ", ".join(f"'{kind}'" for kind in sorted(_BEGUN | _OVER | _OPEN_BEFORE))


class Turn(NamedTuple):
    """An event in the life of an alert; `component` and `level` are empty where it tells none."""

    at: float
    kind: str
    component: str
    level: str


class Known(NamedTuple):
    """What the table of alerts says of one now; `since`: when it was opened first."""

    component: str
    level: str
    open: bool
    since: float


class Stood(NamedTuple):
    """An alert that was open, under the highest level that it had meanwhile."""

    key: str
    component: str
    level: str
    held: Held

    @property
    def stuck(self) -> bool:
        """Whether it tells of a session that stands still with a task."""
        return self.component.startswith("session:") and self.key.rpartition("/")[2] in STUCK


def stood_in(past: Past, where: Frame) -> list[Stood]:
    """Return the alerts that were open in a stretch of time; also some that were not. Blocks.

    Raises:
        ReadError, StoreFaultError: the store cannot be read now.
    """
    # the table before the events: what opens in between is then told by its event
    known = _known(past, where)
    turns = _turns(past, where)
    return [one for key in {**known, **turns} for one in stretches(key, turns[key], known)]


def stretches(key: str, turns: Sequence[Turn], known: Mapping[str, Known]) -> Iterator[Stood]:
    """Pass over the stretches in which an alert was open. Pure.

    Args:
        key: the alert's.
        turns: what happened to it since the stretch of time began, until now, in order.
        known: what the table of alerts says, by key.
    """
    component, level, still, opened = known.get(key, Known("", "", open=False, since=-math.inf))
    if not turns:
        if still:
            yield Stood(key, component, level, Held(-math.inf, math.inf))
        return
    before = turns[0].kind in _OPEN_BEFORE and opened < turns[0].at
    since = -math.inf if before else None
    top = level if since is not None else ""
    for turn in turns:
        component = turn.component or component
        if turn.kind in _OVER:
            if since is not None:
                yield Stood(key, component, top or level, Held(since, turn.at))
            since, top = None, ""
            continue
        if since is None and turn.kind in _BEGUN:
            since = turn.at
        top = max(top, turn.level, key=_rank)
    if since is not None:
        yield Stood(key, component, top or level, Held(since, math.inf if still else since))


def _rank(level: str) -> int:
    return {"CRITICAL": 3, "WARNING": 2, "INFO": 1}.get(level, 0)


def _known(past: Past, where: Frame) -> dict[str, Known]:
    """Return what is open now, and the level of what ended since the beginning."""
    found: dict[str, Known] = {}
    over = past.rows(
        "SELECT key, component, peak, severity, opened_at FROM health_alerts"
        " WHERE resolved_at >= ? AND resolved = 1 AND +id > 0",
        format_utc(where.begin),
    )
    waiting = past.rows(
        "SELECT key, component, peak, severity, opened_at FROM health_alerts"
        " WHERE resolved = 0 AND opened_at IS NOT NULL"
    )
    for rows, still in ((over, False), (waiting, True)):
        for key, component, peak, severity, opened in rows:
            since = wall_of(opened) if opened is not None else math.inf
            if key in found:
                since = min(since, found[key].since)
            found[key] = Known(component, max(peak, severity, key=_rank), still, since)
    return found


def _turns(past: Past, where: Frame) -> dict[str, list[Turn]]:
    """Return what happened to each alert since the beginning of a stretch, until now."""
    found: dict[str, list[Turn]] = defaultdict(list)
    rows = past.rows(
        # "+": by the index of the times, not by a walk through all ids to the first that fits
        "SELECT min(+id) FROM events WHERE timestamp >= ? AND +id > 0",
        format_utc(where.begin),
    )
    after = None if rows[0][0] is None else int(rows[0][0]) - 1
    while after is not None:
        page = past.rows(
            "SELECT id, timestamp, kind, component, json_extract(payload, '$.key'),"  # noqa: S608 - constants
            f" json_extract(payload, '$.level') FROM events WHERE kind NOT IN {UNTOLD}"
            f" AND kind IN ({_KINDS}) AND id > ? ORDER BY id LIMIT ?",
            after,
            PAGE,
        )
        for _, timestamp, kind, component, key, level in page:
            about = component if kind in _NAMED else ""
            found[str(key)].append(Turn(wall_of(timestamp), kind, about, level or ""))
        after = int(page[-1][0]) if len(page) == PAGE else None
    return found
