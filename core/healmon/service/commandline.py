"""The short commands: stop, check, alerts, acknowledgements, overrides, the event log."""

from __future__ import annotations

import argparse
import json
import os
from pathlib import Path

from healmon.clock import SystemClock, format_utc, local_time, parse_utc, process_seconds
from healmon.config import locate
from healmon.config.load import load
from healmon.config.show import show
from healmon.errors import DataError, HolderError, UsageError
from healmon.events import decode
from healmon.plans import Packed
from healmon.service import instance
from healmon.service.host import DATABASE
from healmon.service.links import ask_healer
from healmon.service.log import line
from healmon.store import read
from healmon.units import parse_duration
from healmon.world.processes import Identity
from healmon.world.system_processes import SystemProcesses

STOP_PATIENCE = 45.0
"""Seconds a healer gets to finish its current action and end; longer than `engine.DRAIN`."""
SIGTERM = 15


def say(text: str) -> None:
    """Print one answer for the person at the command line."""
    print(text)  # noqa: T201 - this is the command line


def stop(state_dir: Path) -> int:
    """Ask the healer to end and wait for it; returns 0, also when none runs.

    Raises:
        HolderError: it did not end in time, or is not ours to stop.
    """
    holder = instance.holder(state_dir)
    if holder is None:
        say("no healer runs; nothing to stop")
        return 0
    identity = Identity(holder.boot_id, holder.pid, holder.ticks)
    try:
        SystemProcesses().signal(identity, SIGTERM)
    except PermissionError:
        raise HolderError(
            f"the healer (pid {holder.pid}) belongs to somebody else",
            remedy="stop it as its owner or as root",
        ) from None
    began = process_seconds()
    while process_seconds() - began < STOP_PATIENCE:
        if instance.wait_released(state_dir, 1.0):
            say(f"stopped (pid {holder.pid}); workers stay up")
            return 0
    raise HolderError(
        f"the healer (pid {holder.pid}) did not end within {STOP_PATIENCE:g} s",
        remedy=f"see what it does: healmon status; its log is in {state_dir}",
    )


def check(args: argparse.Namespace) -> int:
    """Validate the configuration and print it as understood, secrets masked; touches nothing.

    Detection packs of one's own are tried on the screens of their test files.
    """
    from healmon.sessions.packs import user  # noqa: PLC0415 - the other commands need no packs

    source = locate.find_config(getattr(args, "config", None), os.environ, Path.cwd())
    settings = load(source, os.environ)
    user.tried(settings.sessions.packs)
    say(show(settings, mask=True))
    return 0


def override(
    state_dir: Path, verb: str, target: str, arguments: Packed, *, json_wanted: bool = False
) -> int:
    """Ask the running healer for something and print its answer, as one JSON object if wanted.

    Returns 0 when done, 65 when it was refused.

    Raises:
        HolderError: no healer runs.
        DataError: it was refused, and the answer is wanted as text.
    """
    if instance.holder(state_dir) is None:
        raise HolderError(
            f"no healer runs on {state_dir}", remedy="start one: healmon daemon, or healmon-tui"
        )
    answer = ask_healer(state_dir, verb, target, arguments)
    if json_wanted:
        told = {"ok": answer.ok, "verb": verb, "target": target, "text": answer.text}
        say(json.dumps({**told, "arguments": arguments}))
        return 0 if answer.ok else DataError.exit_code
    if not answer.ok:
        raise DataError(answer.text)
    say(answer.text)
    return 0


def period(text: str | None) -> float | None:
    """Return a duration given on the command line in seconds; None where none was given.

    Raises:
        UsageError: it is no duration.
    """
    if text is None:
        return None
    try:
        return parse_duration(text)
    except ValueError as error:
        raise UsageError(f"--for {text}: {error}") from None


def acknowledge(state_dir: Path, args: argparse.Namespace) -> int:
    """Acknowledge each alert named; returns 0 when all were."""
    arguments: Packed = {"note": args.note}
    seconds = period(args.period)
    if seconds is not None:
        arguments["for"] = seconds
    for name in args.ids:
        override(state_dir, "acknowledge", name, arguments)
    return 0


def unacknowledge(state_dir: Path, args: argparse.Namespace) -> int:
    """Take acknowledgements back; returns 0 when all were."""
    for name in args.ids:
        override(state_dir, "unacknowledge", name, {})
    return 0


def pause(state_dir: Path, args: argparse.Namespace) -> int:
    """Begin maintenance with an end time; returns 0."""
    return override(state_dir, "pause", args.target, {"for": period(args.period)})


def alerts(state_dir: Path, args: argparse.Namespace) -> int:
    """Print the alert inbox; returns 0."""
    database = state_dir / DATABASE
    rows = []
    if database.exists():
        connection = read.open_reader(database)
        try:
            rows = read.all_alerts(connection, 200) if args.all else read.open_alerts(connection)
        finally:
            connection.close()
    if getattr(args, "json", False):
        say(json.dumps(rows))
        return 0
    for row in rows:
        said = f" ({row['state']} by {row['acknowledged_by']})" if row["acknowledged_by"] else ""
        say(
            f"{row['id']:>6}  {row['severity']:<8}  {row['timestamp'][:19]}  "
            f"{row['component']}: {row['message']}{said}"
        )
    if not rows:
        say("no alerts")
    return 0


def events(state_dir: Path, args: argparse.Namespace) -> int:
    """Print the event log since some time ago; returns 0."""
    json_wanted = getattr(args, "json", False)
    database = state_dir / DATABASE
    if not database.exists():
        raise HolderError(f"there is no health store in {state_dir} yet")
    since = SystemClock().read().wall - (period(args.since) or 0.0)
    connection = read.open_reader(database)
    try:
        after = 0
        while batch := read.events(
            connection, after, 500, since=format_utc(since), component=args.component or ""
        ):
            after = batch[-1]["id"]
            for row in batch:
                when = local_time(parse_utc(row["timestamp"]), "%m-%d %H:%M:%S")
                text = row["payload"] if json_wanted else line(decode(row["payload"]))
                say(text if json_wanted else f"{row['id']:>7}  {when}  {text}")
    finally:
        connection.close()
    return 0
