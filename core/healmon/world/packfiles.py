"""Reads directories of detection packs. Touches nothing."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import Final

from healmon.config.source import read_text, shown
from healmon.errors import ConfigError, Problem
from healmon.text import clean

TRIALS: Final = ".test.toml"
SUFFIX: Final = ".toml"
LIMIT: Final = 200
"""Files of one directory at most."""


@dataclass(frozen=True, slots=True)
class PackFile:
    """One file: its path, its name as a person would give it, and its text."""

    path: Path
    name: str
    text: str


@dataclass(frozen=True, slots=True)
class PackFolder:
    """The files of a directory, by name.

    Attributes:
        packs: `NAME.toml`.
        trials: `NAME.test.toml`, screens that a pack must read as they say.
    """

    packs: tuple[PackFile, ...] = ()
    trials: tuple[PackFile, ...] = ()


def read(folder: Path) -> PackFolder:
    """Return the pack files of a directory; other files are not looked at.

    Raises:
        ConfigError: the directory or one of its files cannot be read; all faults at once.
    """
    paths = sorted(_listed(folder))
    files: list[PackFile] = []
    problems: list[Problem] = []
    for path in paths[:LIMIT]:
        try:
            files.append(PackFile(path, shown(path), read_text(path)))
        except ConfigError as error:
            problems += error.problems
    if len(paths) > LIMIT:
        problems.append(Problem(shown(folder), None, "", f"has more than {LIMIT} pack files"))
    if problems:
        raise ConfigError(problems=tuple(problems))
    return PackFolder(
        packs=tuple(one for one in files if not one.path.name.endswith(TRIALS)),
        trials=tuple(one for one in files if one.path.name.endswith(TRIALS)),
    )


def screen(path: Path) -> str:
    """Return a saved screen.

    Raises:
        ConfigError: it cannot be read.
    """
    return read_text(path)


def _listed(folder: Path) -> list[Path]:
    try:
        return [one for one in folder.iterdir() if one.name.endswith(SUFFIX)]
    except (OSError, ValueError) as error:
        reason = clean(getattr(error, "strerror", None) or str(error))
        remedy = "make it, or leave sessions.packs out"
        problem = Problem(shown(folder), None, "", f"packs cannot be read: {reason}; {remedy}")
        raise ConfigError(problems=(problem,)) from error
