"""The command that prints the event log, and goes on printing where that is wanted."""

from __future__ import annotations

import argparse
import sqlite3
import sys
import threading
from collections.abc import Iterator
from contextlib import closing, suppress
from pathlib import Path
from typing import Any

import msgspec

from healmon.clock import SystemClock, format_utc, local_time, parse_utc
from healmon.errors import HolderError
from healmon.events import decode
from healmon.service.commandline import period, say
from healmon.service.following import Following
from healmon.service.log import line
from healmon.service.push import Ear
from healmon.service.statedir import DATABASE
from healmon.store import read
from healmon.text import clean

PAGE = 500
COLUMNS = ("id", "timestamp", "kind", "component", "severity", "cause")
"""What names an event, dates it and links it; no field of an event is called the same."""


def events(state_dir: Path, args: argparse.Namespace) -> int:
    """Print the event log since some time ago, and on and on with `--follow`; returns 0.

    Raises:
        HolderError: there is no store yet.
    """
    database = state_dir / DATABASE
    if not database.exists():
        raise HolderError(f"there is no health store in {state_dir} yet")
    since = format_utc(SystemClock().read().wall - (period(args.since, "--since") or 0.0))
    component = clean(args.component or "")
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
    follow = Following(
        database, 0, lambda c, after: _page(c, after, since, component), lambda row: int(row["id"])
    )
    ear = Ear(database.parent)
    try:
        while not ended.is_set():
            with suppress(read.ReadError):
                yield from follow.look()
            ear.wait()
    finally:
        follow.close()
        ear.close()


def _newer(
    connection: sqlite3.Connection, after: int, since: str, component: str
) -> Iterator[read.Row]:
    while batch := _page(connection, after, since, component):
        after = batch[-1]["id"]
        yield from batch


def _page(connection: sqlite3.Connection, after: int, since: str, component: str) -> list[read.Row]:
    return read.events(connection, after, PAGE, since=since, component=component)


def _told(row: read.Row, *, json_wanted: bool) -> str:
    if json_wanted:
        return _as_json(row)
    when = local_time(parse_utc(row["timestamp"]), "%m-%d %H:%M:%S")
    try:
        said = line(decode(row["payload"]))
    except msgspec.MsgspecError:
        said = f"{row['kind']} {row['component']} (of another version)"
    return f"{row['id']:>7}  {when}  {said}"


def _as_json(row: read.Row) -> str:
    """Return an event as one object: its columns, and its own fields beside them."""
    known = {name: row[name] for name in COLUMNS}
    try:
        fields = msgspec.json.decode(row["payload"], type=dict[str, Any])
    except msgspec.MsgspecError:
        fields = {"payload": row["payload"]}  # another program's
    return msgspec.json.encode({**known, **fields}).decode()
