"""`healmon report`: the morning page, from the health store."""

from __future__ import annotations

import argparse
import sqlite3
from pathlib import Path

import msgspec

from healmon.clock import SystemClock, format_utc, parse_utc
from healmon.errors import HolderError
from healmon.report import Morning, Night, morning, morning_text
from healmon.service import instance
from healmon.service.commandline import period, say
from healmon.service.statedir import DATABASE
from healmon.store import read


def report(state_dir: Path, args: argparse.Namespace) -> int:
    """Print the morning page; returns 0.

    Raises:
        HolderError: there is no health store yet.
    """
    database = state_dir / DATABASE
    if not database.exists():
        raise HolderError(
            f"there is no health store in {state_dir} yet",
            remedy="start a healer first, or name its directory with --state-dir",
        )
    running = instance.holder(state_dir) is not None
    page = page_of(database, period(args.since, "--since") or 0.0, running=running)
    if getattr(args, "json", False):
        say(msgspec.json.encode(page).decode())
    else:
        say(morning_text(page))
    return 0


def page_of(database: Path, seconds: float, *, running: bool) -> Morning:
    """Return the page of the last so many seconds.

    Raises:
        ReadError: the store cannot be read now.
    """
    connection = read.open_reader(database)
    try:
        return morning(night_of(connection, seconds, running=running))
    finally:
        connection.close()


def night_of(connection: sqlite3.Connection, seconds: float, *, running: bool) -> Night:
    """Return what a store says of the last so many seconds."""
    now = SystemClock().read().wall
    since = format_utc(now - seconds)
    facts = read.engine_facts(connection)
    started, cycle = facts.get("started", {}), facts.get("cycle", {})
    return Night(
        host=str(started.get("host") or read.meta(connection).get("host", "")),
        since=now - seconds,
        until=now,
        alerts=read.alerts_since(connection, since),
        **read.metrics_since(connection, since),
        reasons=read.reasons_since(connection, since),
        troubles=read.troubles_since(connection, since),
        started=parse_utc(started["timestamp"]) if started else None,
        round_at=parse_utc(cycle["timestamp"]) if cycle else None,
        interval=float(started.get("interval", 60.0)),
        running=running,
    )
