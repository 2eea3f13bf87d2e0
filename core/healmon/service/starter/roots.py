"""Where a host is looked at, and small things about places and people."""

from __future__ import annotations

import os
import pwd
from collections.abc import Callable, Iterable
from dataclasses import dataclass, field
from pathlib import Path
from typing import Final

from healmon.errors import ProbeError
from healmon.text import clean
from healmon.world import survey, surveyfiles
from healmon.world.notes import changed_at
from healmon.world.processes import ProcessFacts

WATCH: Final = 6.0
"""Seconds for which state files are watched at most, to see that somebody writes them."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Roots:
    """Where to look. Tests say otherwise than a person's host.

    Attributes:
        folders: where pid files lie.
        tree: the directory that is searched.
        sockets: tmux's folder; empty: this user's own.
        follow: search the directories that workers run from, too.
        mine: whether a process may be looked at.
        watch: seconds for which state files are watched at most.
        disks: what gives the file systems.
    """

    folders: tuple[str, ...] = ("/tmp", "/run", "/var/run")  # noqa: S108 - where others put them
    tree: str = field(default_factory=os.getcwd)
    sockets: str = ""
    follow: bool = True
    mine: Callable[[ProcessFacts], bool] = lambda _facts: True
    watch: float = WATCH
    disks: Callable[[], tuple[survey.FileSystem, ...]] = survey.file_systems


def outermost(logs: Iterable[surveyfiles.Log]) -> tuple[surveyfiles.Log, ...]:
    """Return the directories of logs, each with those that lie in it."""
    found: list[surveyfiles.Log] = []
    for log in sorted(logs, key=lambda log: log.path):
        if found and log.path.startswith(f"{found[-1].path}/"):
            found[-1] = found[-1].plus(log)
        elif not found or log.path != found[-1].path:
            found.append(log)
    return tuple(found)


def changed(path: str) -> float | None:
    """Return when a file was last written; None where that cannot be told."""
    try:
        return changed_at(path)
    except ProbeError:
        return None


def user_name(uid: int) -> str:
    """Return what a user is called."""
    try:
        return clean(pwd.getpwuid(uid).pw_name, limit=60)
    except KeyError:
        return f"uid {uid}"


def working_directory() -> str:
    """Return where this process is; `/` where that directory is gone."""
    try:
        return str(Path.cwd())
    except OSError:
        return "/"
