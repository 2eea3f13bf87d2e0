"""The packs of a user's folder, beside or instead of the bundled ones."""

from __future__ import annotations

from functools import partial
from pathlib import Path

from healmon.config.trust import must_not_be_open
from healmon.errors import ConfigError, Problem
from healmon.sessions.packs import bundled
from healmon.sessions.packs.catalog import Packs
from healmon.sessions.packs.model import Pack
from healmon.sessions.packs.parser import PackError, parse
from healmon.world import packfiles


def packs_of(folder: str) -> Packs:
    """Return all packs: the bundled ones and those of a folder.

    Args:
        folder: `sessions.packs`; empty: there is none.

    Raises:
        ConfigError: the folder or a pack in it is wrong; `problems` has every fault.
    """
    if not folder:
        return bundled()
    must_not_be_open(Path(folder))  # where anybody can put a pack, it is anybody's
    return bundled().with_user(_parsed(packfiles.read(Path(folder))))


def tried(folder: str) -> int:
    """Try a folder's packs on the screens of their test files; return how many files there were.

    Raises:
        ConfigError: a pack is wrong, or does not read a screen as its test file says.
    """
    if not folder:
        return 0
    packs = packs_of(folder)
    from healmon.sessions.packs.trials import failures  # noqa: PLC0415 - no healer tries packs

    trials = packfiles.read(Path(folder)).trials
    problems = tuple(
        problem
        for one in trials
        for problem in failures(one.text, one.name, packs, partial(_screen, one.path.parent))
    )
    if problems:
        raise ConfigError(problems=problems)
    return len(trials)


def _parsed(folder: packfiles.PackFolder) -> list[Pack]:
    found: dict[str, Pack] = {}
    problems: list[Problem] = []
    for one in folder.packs:
        must_not_be_open(one.path)
        try:
            pack = parse(one.text, one.name)
        except PackError as error:
            problems.append(error.problem)
            continue
        if pack.name in found:
            what = f"is the name of the pack in {found[pack.name].origin} too"
            problems.append(Problem(one.name, None, "name", what, found=pack.name))
        found[pack.name] = pack
    if problems:
        raise ConfigError(problems=tuple(problems))
    return list(found.values())


def _screen(folder: Path, name: str) -> str:
    """Return a saved screen by its name, relative to its test file."""
    return packfiles.screen(folder / name)
