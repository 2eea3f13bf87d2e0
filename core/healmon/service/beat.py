"""`healmon beat`: whoever works on a task tells that it does, whether a healer runs or not."""

from __future__ import annotations

import argparse
import json
import os
import sys
from collections.abc import Sequence
from pathlib import Path

import msgspec

from healmon.clock import SystemClock
from healmon.config import locate
from healmon.config.load import load
from healmon.config.paths import here
from healmon.config.settings import Tasks
from healmon.errors import DataError, ProbeError
from healmon.service.commandline import say
from healmon.service.statedir import prepare
from healmon.text import clean
from healmon.world.beats import Beat, BeatFiles
from healmon.world.taskdb import SystemTaskDatabases, Task, TaskDatabases

TOKEN = 100
"""Characters of a token that are looked at."""


class Found(msgspec.Struct, frozen=True):
    """Whom a beat is for.

    Attributes:
        source: name of the source of tasks.
        id: of the task, as text.
        token: of its attempt; empty: it could not be told.
        unread: why the source could not be read, or empty.
    """

    source: str
    id: str
    token: str = ""
    unread: str = ""


def beat(state_dir: Path, args: argparse.Namespace) -> int:
    """Keep a sign of life for one task and print its token; returns 0.

    Raises:
        DataError: there is no such active task, or the token is one of another attempt.
        StateDirError: it cannot be kept.
    """
    config = locate.find_config(getattr(args, "config", None), os.environ, here())
    sources = load(config, os.environ).tasks
    token = clean(args.token or "", limit=TOKEN)
    found = find(SystemTaskDatabases(), sources, args.target, args.source)
    check_token(found, token)
    at = SystemClock().read().wall
    if not getattr(args, "dry_run", False):
        kept = Beat(found.source, found.id, at, found.token or token, args.note)
        BeatFiles(prepare(state_dir)).note(kept)
    name = f"{found.source}:{clean(found.id, limit=100)}"
    if found.unread:
        text = f"healmon: {found.unread}\n  the beat is kept; whether it is in time is not known"
        print(text, file=sys.stderr)  # noqa: T201 - this is the command line
    if getattr(args, "json", False):
        told = {"source": found.source, "task": found.id, "token": found.token, "at": at}
        say(json.dumps(told))
    else:
        say(f"beat of {name} kept" + (f"; token {found.token}" if found.token else ""))
    return 0


def find(door: TaskDatabases, sources: Sequence[Tasks], word: str, source: str | None) -> Found:
    """Return the one active task that is meant; or, where it cannot be read, what must be it.

    Args:
        door: reads them.
        sources: all of the configuration.
        word: an id, or `SOURCE:ID`.
        source: the name of the source; None: the word says it, or any may have it.

    Raises:
        DataError: there is none, or several, or nothing tells which.
    """
    named = {one.name: one for one in sources}
    first, colon, rest = word.partition(":")
    if source is None and colon and first in named:
        source, word = first, rest
    if source is not None and source not in named:
        names = ", ".join(named) or "none is configured"
        raise DataError(f"no source of tasks {clean(source)}", remedy=f"there are: {names}")
    if not named:
        raise DataError(
            "no source of tasks is configured", remedy="add a table [tasks.NAME] to healmon.toml"
        )
    some = list(named.values()) if source is None else [named[source]]
    found: list[Found] = []
    unread: list[Found] = []
    for one in some:
        try:
            found += [_found(task) for task in door.read(one) if str(task.id) == word]
        except ProbeError as error:
            unread.append(Found(one.name, word, unread=str(error.args[0])))
    return _only(word, found, unread, some)


def _found(task: Task) -> Found:
    return Found(task.source, str(task.id), task.token)


def _only(
    word: str, found: Sequence[Found], unread: Sequence[Found], some: Sequence[Tasks]
) -> Found:
    # who cannot be read now may have it as well; where it is found, it is worked on
    fit = found or unread
    if len(fit) == 1:
        return fit[0]
    shown, names = clean(word, limit=100), ", ".join(one.source for one in fit)
    if fit:
        raise DataError(f"task {shown} may be one of {names}", remedy="say which: --source NAME")
    where = ", ".join(one.name for one in some)
    raise DataError(
        f"no active task {shown} in {where}",
        remedy="it is done, was taken away, or was never given out: do not work on it",
    )


def check_token(found: Found, token: str) -> None:
    """Raise DataError when a token is known to be of another attempt."""
    if token and found.token and token != found.token:
        raise DataError(
            f"task {clean(found.id, limit=100)} of {found.source} is at another attempt now",
            remedy="this one was taken away: stop, and keep its result to yourself",
        )
