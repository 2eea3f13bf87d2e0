"""The commands about alerts: list them, acknowledge, silence, and take both back."""

from __future__ import annotations

import argparse
import json
import sys
from collections.abc import Iterable
from pathlib import Path
from typing import Any

import msgspec

from healmon import wording
from healmon.alerts import SILENCED_AT_MOST, matched, one_of, parse, unknown_ids
from healmon.clock import SystemClock, local_time, parse_utc
from healmon.errors import DataError, HolderError, RefusedError, UsageError
from healmon.plans import Answer, Overlays, Packed
from healmon.report import STALE_AFTER
from healmon.service import instance
from healmon.service.asking import ask_healer
from healmon.service.commandline import period, say
from healmon.service.statedir import DATABASE
from healmon.state import AlertView, Snapshot
from healmon.store import read, stream
from healmon.text import clean
from healmon.units import format_duration

NEWEST = 200
"""Alerts that are listed with `--all`."""


def known_state(state_dir: Path) -> Snapshot:
    """Return what the store says now; an empty snapshot where there is no store yet."""
    database = state_dir / DATABASE
    if not database.exists():
        return Snapshot()
    connection = read.open_reader(database)
    try:
        return stream.read_snapshot(connection)
    finally:
        connection.close()


def must_run(state_dir: Path) -> None:
    """Make sure that there is a healer to ask.

    Raises:
        HolderError: none runs.
    """
    if instance.holder(state_dir) is None:
        raise HolderError(
            f"no healer runs on {state_dir}",
            remedy="start one: healmon daemon, or healmon-tui; or do just this here: --now",
        )


# -- what there is


def alerts(state_dir: Path, args: argparse.Namespace) -> int:
    """Print the alert inbox, what lies over it, silences and pauses; returns 0.

    Raises:
        UsageError: an option is for all alerts only.
    """
    if args.before is not None and not args.all:
        raise UsageError("--before pages through all alerts: it goes with --all")
    known, now = Snapshot(), SystemClock().read().wall
    rows: list[read.Row] = []
    pending: list[read.Row] = []
    database = state_dir / DATABASE
    if database.exists():
        connection = read.open_reader(database)
        try:
            known = stream.read_snapshot(connection)
            rows = (
                read.all_alerts(connection, NEWEST, args.before or 0)
                if args.all
                else read.open_alerts(connection)
            )
            pending = [] if args.all else read.pending_alerts(connection)
        finally:
            connection.close()
    if getattr(args, "json", False):
        say(json.dumps([row_data(known, row, now) for row in rows]))
        return 0
    for row in rows:
        say("\n".join(row_lines(known, row, now)))
    if not rows:
        say("no alerts")
    for row in pending:
        say("\n".join(row_lines(known, row, now)))
    if len(rows) == NEWEST and args.all:
        say(f"older ones: healmon alerts --all --before {rows[-1]['id']}")
    for line in in_force(known, now):
        say(line)
    nobody = _nobody_looks(state_dir, known, now)
    if nobody:
        print(f"NOBODY IS LOOKING: {nobody}", file=sys.stderr)  # noqa: T201 - this is the command line; scripts read the list only
    return 0


def _nobody_looks(state_dir: Path, known: Snapshot, now: float) -> str:
    """Return why the list says little about now; empty: it is as new as it should be."""
    if not known.cycle.finished_at:
        nobody = instance.holder(state_dir) is None
        return f"no healer has finished a round on {clean(str(state_dir))} yet" if nobody else ""
    silence = unseen_for(known, now)
    return f"the last round finished {format_duration(silence)} ago" if silence else ""


def unseen_for(known: Snapshot, now: float) -> float:
    """Return for how many seconds nobody has looked; 0.0: the list is as new as it should be."""
    age = now - known.cycle.finished_at
    late = known.cycle.finished_at and age > STALE_AFTER * known.engine.interval
    return age if late else 0.0


def row_data(known: Snapshot, row: read.Row, now: float) -> Packed:
    """Return an alert's row for machines: its columns, with what lies over it as objects."""
    over = _overlays(row)
    silence = known.silences.get(over.silenced_by)
    until = known.maintenance.get(over.maintenance)
    return {
        **row,
        "overlays": msgspec.to_builtins(over),
        "evidence": json.loads(row["evidence"] or "{}"),
        "age": round(max(0.0, now - parse_utc(row["first_seen"])), 3),
        "silence": None if silence is None else msgspec.to_builtins(silence),
        "maintenance": None if until is None else {"name": over.maintenance, "until": until},
    }


def row_lines(known: Snapshot, row: read.Row, now: float) -> list[str]:
    """Return an alert's row for people: one line, and below it what lies over it."""
    age = format_duration(int(max(0.0, now - parse_utc(row["first_seen"]))))
    times = f" (seen {row['count']} times)" if row["count"] > 1 else ""
    first = (
        f"{row['id']:>6}  {row['severity']:<8}  {row['state']:<12}  {age:>6}  "
        f"{row['component']}: {row['message']}{times}"
    )
    over = [] if row["resolved"] else wording.laid_over(known, _overlays(row), now)
    return [first, *(f"{'':8}{line}" for line in (*_said(row, now), *over))]


def _said(row: read.Row, now: float) -> list[str]:
    """Return how an alert ended, or who acknowledged it."""
    if row["resolved"]:
        at = local_time(parse_utc(row["resolved_at"]), "%m-%d %H:%M:%S")
        return [f"over since {at}: {row['resolution']}"]
    if row["acknowledged_by"]:
        until = row.get("acknowledged_until")
        till = f" till {wording.till(parse_utc(until), now)}" if until else ""
        note = f": {row['note']}" if row["note"] else ""
        return [f"acknowledged by {row['acknowledged_by']}{till}{note}"]
    return []


def _overlays(row: read.Row) -> Overlays:
    text = row.get("overlays")
    try:
        return msgspec.json.decode(text, type=Overlays) if text else Overlays()
    except msgspec.MsgspecError:
        return Overlays()  # another version of healmon has written it


def in_force(known: Snapshot, now: float) -> list[str]:
    """Return all silences and pauses in force, in words."""
    silences = [s for s in known.silences.values() if s.until > now]
    pauses = [name for name, until in known.maintenance.items() if until > now]
    return [
        *(wording.silence(one, now) for one in silences),
        *(wording.pause(known, name, now) for name in pauses),
    ]


def silences(state_dir: Path, args: argparse.Namespace) -> int:
    """Print the silences in force; returns 0."""
    now = SystemClock().read().wall
    there = [s for s in known_state(state_dir).silences.values() if s.until > now]
    if getattr(args, "json", False):
        say(json.dumps(msgspec.to_builtins(there)))
        return 0
    say("\n".join(wording.silence(one, now) for one in there) or "no silences")
    return 0


# -- what is asked


def acknowledge(state_dir: Path, args: argparse.Namespace) -> int:
    """Acknowledge each alert named; returns 0 when all were, 65 when some could not be."""
    arguments: Packed = {"note": args.note}
    seconds = period(args.period)
    if seconds is not None:
        arguments["for"] = seconds
    return _each(state_dir, args, "acknowledge", arguments)


def unacknowledge(state_dir: Path, args: argparse.Namespace) -> int:
    """Take acknowledgements back; returns 0 when all were, 65 when some could not be."""
    return _each(state_dir, args, "unacknowledge", {})


def _each(state_dir: Path, args: argparse.Namespace, verb: str, arguments: Packed) -> int:
    must_run(state_dir)
    # a verb of its own: a healer of before, which would not see a mere argument, refuses it
    dry_run = bool(getattr(args, "dry_run", False))
    asked = ("rehearse", {**arguments, "verb": verb}) if dry_run else (verb, arguments)
    answers = [(name, ask_healer(state_dir, asked[0], name, asked[1])) for name in args.ids]
    if getattr(args, "json", False):
        told = [{"id": name, "ok": a.ok, "text": a.text} for name, a in answers]
        say(json.dumps({"ok": all(a.ok for _, a in answers), "verb": verb, "answers": told}))
    else:
        for _, answer in answers:
            if answer.ok:
                say(answer.text)
            else:
                print(f"healmon: {answer.text}", file=sys.stderr)  # noqa: T201 - this is the command line
    codes = [answer.code or DataError.exit_code for _, answer in answers if not answer.ok]
    return max(codes, default=0)


def silence(state_dir: Path, args: argparse.Namespace) -> int:
    """Say which alerts match now, then mute them for a while; returns 0 when done.

    Raises:
        UsageError: the match is not in the language.
        DataError: it names an alert that is not open, or was refused.
        HolderError: no healer runs.
    """
    match = parse(clean(" ".join(_in_quotes(state_dir, word) for word in args.match)))
    arguments = with_end(args, SILENCED_AT_MOST)
    must_run(state_dir)
    known = known_state(state_dir)
    unknown = unknown_ids(known, match)
    if unknown:
        raise DataError(f"no open alert {', '.join(unknown)}", remedy="see: healmon alerts")
    found = matched(known, match)
    listed = [{"id": a.id, "component": a.component, "message": a.message} for a in found]
    shown = list(_matched_lines(str(match), found))
    return shown_first(state_dir, args, ("silence", str(match), arguments), shown, listed)


def _in_quotes(state_dir: Path, word: str) -> str:
    """Return a word of the shell's as the language has it: a name with blanks is one name.

    What has an `=`, a quote or a number in front may be several terms in one word, unless there is
    a component of that very name.
    """
    if not any(letter.isspace() or letter in ',="' for letter in word):
        return word
    terms = any(letter in word for letter in '="') or word[:1].isdecimal()
    plain = len(word.split()) > 1 and not terms
    name = plain or word in known_state(state_dir).components
    return str(one_of("component", (word,))) if name else word


def with_end(args: argparse.Namespace, at_most: float) -> Packed:
    """Return how long something is to last, and why.

    Raises:
        UsageError: that is no duration, or too long.
    """
    seconds = period(args.period) or 0.0
    if not 0 < seconds <= at_most:
        longest = format_duration(at_most)
        raise UsageError(f"--for {args.period}: at most {longest}, and more than nothing")
    return {"for": seconds, "note": args.note}


def _matched_lines(match: str, found: list[AlertView]) -> Iterable[str]:
    yield f"{match} matches {_count(len(found), 'alert')} now{':' if found else ''}"
    for alert in found:
        yield f"{alert.id:>6}  {alert.severity:<8}  {alert.component}: {alert.message}"


def _count(number: int, what: str) -> str:
    return f"{number or 'no'} {what}{'' if number == 1 else 's'}"


def shown_first(
    state_dir: Path,
    args: argparse.Namespace,
    asked: tuple[str, str, Packed],
    shown: list[str],
    matches: list[dict[str, Any]],
) -> int:
    """Say what something is about now, then ask for it, but for a dry run; returns 0 when done.

    Args:
        state_dir: whose healer is asked.
        args: the command line's.
        asked: verb, target and arguments.
        shown: what it is about, for people.
        matches: the same for machines.

    Raises:
        RefusedError: it was refused, and the answer is wanted as text.
    """
    json_wanted = bool(getattr(args, "json", False))
    if not json_wanted:
        say("\n".join(shown))
    verb, target, arguments = asked
    if getattr(args, "dry_run", False):
        answer = Answer(ok=True, text="dry run: nothing was saved")
    else:
        answer = ask_healer(state_dir, verb, target, arguments)
    if json_wanted:
        told = {"ok": answer.ok, "verb": verb, "target": target, "text": answer.text}
        say(json.dumps({**told, "arguments": arguments, "matches": matches}))
        return 0 if answer.ok else answer.code or DataError.exit_code
    if not answer.ok:
        raise RefusedError(answer.text, answer.code)
    say(answer.text)
    return 0


def unsilence(state_dir: Path, args: argparse.Namespace) -> int:
    """End silences before their time; returns 0 when all were, 65 when some could not be."""
    return _each(state_dir, args, "unsilence", {})
