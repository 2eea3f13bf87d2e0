"""The command that prints the event log, and goes on printing where that is wanted."""

from __future__ import annotations

import argparse
import sqlite3
import sys
import threading
from collections.abc import Iterator
from contextlib import closing
from pathlib import Path

import msgspec

from healmon.clock import SystemClock, format_utc, local_time, parse_utc
from healmon.errors import HolderError
from healmon.events import decode
from healmon.service.commandline import period, say
from healmon.service.log import line
from healmon.service.statedir import DATABASE
from healmon.store import read

POLL = 0.25
"""Seconds between two looks for newer events."""
PAGE = 500


def events(state_dir: Path, args: argparse.Namespace) -> int:
    """Print the event log since some time ago, and on and on with `--follow`; returns 0.

    Raises:
        HolderError: there is no store yet.
    """
    database = state_dir / DATABASE
    if not database.exists():
        raise HolderError(f"there is no health store in {state_dir} yet")
    since = format_utc(SystemClock().read().wall - (period(args.since) or 0.0))
    component = args.component or ""
    json_wanted = bool(getattr(args, "json", False))
    rows = (
        following(database, since, component, threading.Event())
        if args.follow
        else _stored(database, since, component)
    )
    for row in rows:
        say(_told(row, json_wanted=json_wanted))
        if args.follow:
            sys.stdout.flush()
    return 0


def _stored(database: Path, since: str, component: str) -> Iterator[read.Row]:
    with closing(read.open_reader(database)) as connection:
        yield from _newer(connection, 0, since, component)


def following(
    database: Path, since: str, component: str, ended: threading.Event
) -> Iterator[read.Row]:
    """Give stored events since a time, then each newer one as it comes, until `ended` is set.

    A store that is replaced by a new file is followed there; one that cannot be read for a moment
    is waited for.
    """
    after, file, version = 0, None, -1
    connection: sqlite3.Connection | None = None
    try:
        while not ended.is_set():
            try:
                if connection is None or read.file_id(database) != file:
                    file, version = read.file_id(database), -1
                    if connection is not None:
                        connection.close()
                    connection = read.open_reader(database)
                now = read.data_version(connection)
                found = [] if now == version else list(_newer(connection, after, since, component))
                version = now
            except read.ReadError:
                found = []
            for row in found:
                after = row["id"]
                yield row
            ended.wait(POLL)
    finally:
        if connection is not None:
            connection.close()


def _newer(
    connection: sqlite3.Connection, after: int, since: str, component: str
) -> Iterator[read.Row]:
    while batch := read.events(connection, after, PAGE, since=since, component=component):
        after = batch[-1]["id"]
        yield from batch


def _told(row: read.Row, *, json_wanted: bool) -> str:
    if json_wanted:
        return str(row["payload"])
    when = local_time(parse_utc(row["timestamp"]), "%m-%d %H:%M:%S")
    try:
        said = line(decode(row["payload"]))
    except msgspec.MsgspecError:
        said = f"{row['kind']} {row['component']} (of another version)"
    return f"{row['id']:>7}  {when}  {said}"
