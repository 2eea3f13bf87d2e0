"""The commands about one session: clear, answer, snooze, touch."""

from __future__ import annotations

import argparse
import json
import sqlite3
from collections.abc import Mapping
from pathlib import Path

from healmon.errors import DataError, HolderError
from healmon.plans import Packed, unpack
from healmon.service import instance
from healmon.service.commandline import faces, override, period, say
from healmon.service.statedir import DATABASE
from healmon.sessions.facts import HEALER, SessionFacts
from healmon.state import ComponentView, of_healer
from healmon.store import read, stream
from healmon.text import clean
from healmon.world import visit

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
    if instance.holder(state_dir) is not None and target not in _known(state_dir):
        visit.program()  # it may be there, and nobody can tell
    return override(state_dir, verb, target, arguments, **faces(args))


def session(state_dir: Path, name: str) -> ComponentView:
    """Return what the store says of a session.

    Raises:
        HolderError: there is no store yet.
        MissingPartError: it is not known, and there is no tmux to see it with.
        DataError: no such session; says which there are.
    """
    known = _known(state_dir)
    component = PREFIX + name.removeprefix(PREFIX)
    if component not in known:
        visit.program()
        there = ", ".join(sorted(n.removeprefix(PREFIX) for n in known)) or "none"
        raise DataError(f"there is no session {clean(name)}", remedy=f"there are: {there}")
    return known[component]


def _known(state_dir: Path) -> Mapping[str, ComponentView]:
    connection = reader(state_dir)
    try:
        return of_healer(stream.read_snapshot(connection), HEALER)
    finally:
        connection.close()


def reader(state_dir: Path) -> sqlite3.Connection:
    """Return a connection that reads the store.

    Raises:
        HolderError: there is no store yet.
    """
    database = state_dir / DATABASE
    if not database.exists():
        raise HolderError(f"there is no health store in {state_dir} yet")
    return read.open_reader(database)
