"""What is read from the store for one request: in a thread, one at a time, never for long."""

from __future__ import annotations

import asyncio
import json
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any, Final, TypeVar, cast

from healmon.clock import format_utc
from healmon.plans import Packed
from healmon.service import series
from healmon.service.archive import Reader
from healmon.service.statedir import DATABASE
from healmon.store import read
from healmon.store.past import Past
from healmon.store.read import ReadError
from healmon.text import clean
from healmon.web import shapes as s
from healmon.web.when import stored

T = TypeVar("T")
WAITING: Final = 16
"""Requests that wait for the store at a time; more are told to come back."""


class Stored:
    """The store, for requests. Belongs to one event loop.

    Args:
        state_dir: whose.
    """

    def __init__(self, state_dir: Path) -> None:
        self._reader = Reader(state_dir / DATABASE)
        self._past = Past(self._reader.use)
        self._thread = ThreadPoolExecutor(1, "healmon-reads")
        self._waiting = 0

    async def alerts(self, *, everything: bool, before: int, limit: int) -> s.Inbox:
        """Return a page of the inbox.

        Raises:
            HealmonError: it cannot be read now.
        """
        return await self._read(lambda: self._alerts(everything, before, limit))

    async def events(
        self, *, after: int | None, before: int, since: float, component: str, limit: int
    ) -> s.Events:
        """Return a page of events; see `shapes.Events`.

        Args:
            after: oldest first from behind this one on; None: newest first.
            before: newest first, older than this one; 0: the newest.
            since: wall seconds from which on; with `after` only.
            component: only events about it.
            limit: at most.

        Raises:
            HealmonError: they cannot be read now.
        """
        if after is None and not since:
            return await self._read(lambda: self._older(before, component, limit))
        return await self._read(lambda: self._newer(after or 0, since, component, limit))

    async def history(self, frame: series.Frame) -> series.Sums:
        """Return how things went.

        Raises:
            HealmonError: it cannot be read now.
        """
        return await self._read(lambda: series.sums(self._past, frame))

    async def _read(self, doing: Callable[[], T]) -> T:
        if self._waiting >= WAITING:
            raise ReadError("too many requests wait for the store", remedy="try again")
        self._waiting += 1
        try:
            return await asyncio.get_running_loop().run_in_executor(self._thread, doing)
        finally:
            self._waiting -= 1

    def _alerts(self, everything: bool, before: int, limit: int) -> s.Inbox:  # noqa: FBT001 - asked so
        with self._reader.use() as connection:
            rows = (
                read.all_alerts(connection, limit, before)
                if everything
                else read.open_alerts(connection)[:limit]
            )
        more = everything and len(rows) == limit
        return s.Inbox(
            alerts=tuple(map(inbox_alert, rows)), before=int(rows[-1]["id"]) if more else None
        )

    def _older(self, before: int, component: str, limit: int) -> s.Events:
        with self._reader.use() as connection:
            rows = read.events_before(connection, before, limit, component)
        return _page(rows, limit)

    def _newer(self, after: int, since: float, component: str, limit: int) -> s.Events:
        at = format_utc(since) if since else ""
        with self._reader.use() as connection:
            rows = read.events(connection, after, limit, since=at, component=component)
        return _page(rows, limit)

    def close(self) -> None:
        """Let go."""
        self._thread.submit(self._reader.close)
        self._thread.shutdown(wait=False, cancel_futures=False)


def _page(rows: list[read.Row], limit: int) -> s.Events:
    following = int(rows[-1]["id"]) if len(rows) == limit else None
    return s.Events(events=tuple(map(_event, rows)), next=following)


def _event(row: read.Row) -> s.EventNow:
    return s.EventNow(
        id=int(row["id"]),
        at=stored(row["timestamp"]) or "",
        kind=str(row["kind"]),
        component=str(row["component"] or ""),
        severity=str(row["severity"] or ""),
        cause=row["cause"],
        payload=_object(row["payload"]),
    )


def inbox_alert(row: read.Row) -> s.InboxAlert:
    """Return a row of alerts; rows of another monitor's history have gaps."""
    return s.InboxAlert(
        id=int(row["id"]),
        key=str(row["key"] or ""),
        severity=str(row["severity"]),
        component=clean(str(row["component"] or "")),
        message=clean(str(row["message"] or "")),
        state=str(row["state"] or ""),
        count=int(row["count"] or 0),
        first_seen=stored(row["first_seen"] or row["timestamp"]) or "",
        last_seen=stored(row["last_seen"] or row["timestamp"]) or "",
        resolved=bool(row["resolved"]),
        resolved_at=stored(row["resolved_at"]),
        resolution=clean(str(row.get("resolution") or "")),
        acknowledged_by=clean(str(row["acknowledged_by"] or "")),
        acknowledged_at=stored(row["acknowledged_at"]),
        acknowledged_until=stored(row.get("acknowledged_until")),
        note=clean(str(row["note"] or "")),
        evidence=_object(row.get("evidence")),
        overlays=_object(row.get("overlays")),
    )


def _object(text: Any) -> Packed:  # noqa: ANN401 - a column
    try:
        found: object = json.loads(text or "{}")
    except (ValueError, TypeError):
        return {}
    return cast("Packed", found) if isinstance(found, dict) else {}
