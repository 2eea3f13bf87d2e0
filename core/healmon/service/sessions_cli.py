"""The commands about one session: clear, answer, snooze, touch, and why it is in its state."""

from __future__ import annotations

import argparse
import json
import os
import sqlite3
from pathlib import Path

from healmon.config import locate
from healmon.config.load import load
from healmon.config.settings import Settings
from healmon.errors import DataError, HolderError
from healmon.plans import Packed, pack, unpack
from healmon.service import disks_cli
from healmon.service.chain import chain, kept_lines, told
from healmon.service.commandline import override, period, say
from healmon.service.host import DATABASE
from healmon.service.peek import Peek, evidence, peek
from healmon.sessions.facts import HEALER, SessionFacts
from healmon.sessions.packs import Packs
from healmon.sessions.packs import explain as lines_of
from healmon.sessions.packs.explaining import saved
from healmon.sessions.packs.user import packs_of
from healmon.state import ComponentView, of_healer
from healmon.store import read, stream
from healmon.text import clean
from healmon.units import format_duration
from healmon.world import packfiles

PREFIX = "session:"


def clear(state_dir: Path, args: argparse.Namespace) -> int:
    """Interrupt a session and settle its tasks; returns 0 when done."""
    arguments: Packed = {} if args.then is None else {"then": args.then}
    return _ask(state_dir, args, "clear", arguments)


def answer(state_dir: Path, args: argparse.Namespace) -> int:
    """Give one of the answers that a session's question offers, or list them; returns 0.

    Raises:
        DataError: no such session, it asks nothing, or it has no such answer.
    """
    facts = unpack(session(state_dir, args.target).facts, SessionFacts)
    if not facts.question and not facts.choices:
        raise DataError(f"{facts.session} asks nothing; it is {facts.state}")
    if args.number is None:
        return _list(facts, json_wanted=getattr(args, "json", False))
    number: int = args.number
    if not 1 <= number <= len(facts.choices):
        offered = "; ".join(choice.text for choice in facts.choices) or "none that can be picked"
        raise DataError(f"{facts.session} has no answer {number}", remedy=f"it has: {offered}")
    arguments: Packed = {
        "number": number,
        "text": facts.choices[number - 1].text,
        "rule": facts.matched,
        "question": facts.question,
    }
    return _ask(state_dir, args, "answer", arguments)


def _list(facts: SessionFacts, *, json_wanted: bool) -> int:
    if json_wanted:
        choices = [choice.text for choice in facts.choices]
        told = {"session": facts.session, "question": facts.question, "rule": facts.matched}
        say(json.dumps({**told, "choices": choices}))
        return 0
    say(facts.question or facts.text)
    for number, choice in enumerate(facts.choices, 1):
        say(f"{number:>3}  {choice.text}")
    if not facts.choices:
        say("no answer can be picked from here: go to the session")
    return 0


def snooze(state_dir: Path, args: argparse.Namespace) -> int:
    """Leave a session alone for a while; returns 0 when done."""
    return _ask(state_dir, args, "snooze", {"for": period(args.period)})


def touch(state_dir: Path, args: argparse.Namespace) -> int:
    """Never touch a session, or touch it again, as `args.way` says; returns 0 when done."""
    return _ask(state_dir, args, str(args.way), {})


def _ask(state_dir: Path, args: argparse.Namespace, verb: str, arguments: Packed) -> int:
    target = PREFIX + args.target.removeprefix(PREFIX)
    wanted = getattr(args, "json", False)
    return override(state_dir, verb, target, arguments, json_wanted=wanted)


def session(state_dir: Path, name: str) -> ComponentView:
    """Return what the store says of a session.

    Raises:
        HolderError: there is no store yet.
        DataError: no such session; says which there are.
    """
    connection = _reader(state_dir)
    try:
        known = of_healer(stream.read_snapshot(connection), HEALER)
    finally:
        connection.close()
    component = PREFIX + name.removeprefix(PREFIX)
    if component not in known:
        there = ", ".join(sorted(n.removeprefix(PREFIX) for n in known)) or "none"
        raise DataError(f"there is no session {clean(name)}", remedy=f"there are: {there}")
    return known[component]


def explain(state_dir: Path, args: argparse.Namespace) -> int:
    """Say why a session is in its state, by a fresh look; or explain something by its id or path.

    Other things than sessions: a disk (disk:PATH), a saved screen (its path), an alert or event
    (its number), the evidence of an act (its id). Returns 0.

    Raises:
        DataError: there is nothing of this name, or no such pack.
    """
    wanted = getattr(args, "json", False)
    packs = packs_of(_settings(args).sessions.packs)
    if not args.target.startswith(disks_cli.PREFIX) and _is_file(args):
        return _explain_file(packs, args, json_wanted=wanted)
    if kept := evidence(state_dir, args.target):
        say(json.dumps(kept) if wanted else "\n".join(kept_lines(kept)))
        return 0
    if args.target.isdecimal() and len(args.target) < 19:
        return _explain_event(state_dir, int(args.target), json_wanted=wanted)
    if args.target.startswith(disks_cli.PREFIX):
        return _explain_disk(state_dir, args.target, json_wanted=wanted)
    view = session(state_dir, args.target)
    facts, seen = unpack(view.facts, SessionFacts), peek(view.facts, packs)
    if wanted:
        say(json.dumps({"facts": pack(facts), "status": view.status, "now": pack(seen)}))
    else:
        say("\n".join(_reasons(view, facts, seen)))
    return 0


def _explain_event(state_dir: Path, number: int, *, json_wanted: bool) -> int:
    connection = _reader(state_dir)
    try:
        rows = chain(connection, number)
    finally:
        connection.close()
    if not rows:
        raise DataError(f"there is no alert and no event {number}", remedy="see: healmon alerts")
    say(json.dumps(rows) if json_wanted else "\n".join(told(rows)))
    return 0


def _explain_disk(state_dir: Path, target: str, *, json_wanted: bool) -> int:
    connection = _reader(state_dir)
    try:
        return disks_cli.explain(connection, target, json_wanted=json_wanted)
    finally:
        connection.close()


def _reader(state_dir: Path) -> sqlite3.Connection:
    database = state_dir / DATABASE
    if not database.exists():
        raise HolderError(f"there is no health store in {state_dir} yet")
    return read.open_reader(database)


def _settings(args: argparse.Namespace) -> Settings:
    source = locate.find_config(getattr(args, "config", None), os.environ, Path.cwd())
    return load(source, os.environ)


def _is_file(args: argparse.Namespace) -> bool:
    """Return whether a saved screen is meant: no session has a point or a slash in its name."""
    named = bool(args.pack or args.title or set("./") & set(args.target))
    return named and (Path(args.target).is_file() or bool(args.pack or args.title))


def _explain_file(packs: Packs, args: argparse.Namespace, *, json_wanted: bool) -> int:
    if args.pack and packs.get(args.pack) is None:
        known = ", ".join(sorted(one.name for one in packs))
        raise DataError(f"there is no pack {clean(args.pack)}", remedy=f"there are: {known}")
    screen, title = saved(packfiles.screen(Path(args.target)))
    title = args.title or title
    if json_wanted:
        sign = packs.read(args.pack, screen, title, None)
        lines = lines_of(packs, args.pack, screen, title, None)
        say(json.dumps({"sign": pack(sign), "lines": lines}))
        return 0
    say("\n".join(lines_of(packs, args.pack, screen, title, None)))
    return 0


def _reasons(view: ComponentView, facts: SessionFacts, seen: Peek) -> list[str]:
    pack_ = f" (pack {facts.pack} {facts.version})" if facts.pack else ""
    rows = [
        ("state", f"{facts.state.replace('_', ' ')}, {view.status}"),
        ("because", facts.rule),
        ("read as", f"{facts.matched or 'no rule matched'}{pack_}"),
        ("line", facts.text),
        ("asks", facts.question),
        *(("answer", f"{n}: {choice.text}") for n, choice in enumerate(facts.choices, 1)),
        ("tasks", ", ".join(map(str, facts.tasks))),
        ("progress", f"{format_duration(int(facts.quiet))} before the newest look"),
        ("painted", f"{format_duration(int(facts.painted))} before the newest look"),
        ("keys", ", then ".join(" ".join(step) for step in facts.keys) or "none"),
        ("acts at", format_duration(int(facts.act_at)) if facts.act_at else "never"),
        ("held", facts.held),
        ("hands off", facts.hands_off),
        ("evidence", facts.evidence),
    ]
    lines = [f"{facts.session}:", *(f"  {label:<10} {clean(text)}" for label, text in rows if text)]
    lines += ["now:", *(f"  {line}" for line in seen.why)] if seen.why else []
    return lines + ([f"now: {seen.reason}"] if seen.reason else [])
