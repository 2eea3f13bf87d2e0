"""The command that tells why something is as it is: a component, an alert, an act, a screen."""

from __future__ import annotations

import argparse
import json
import os
from pathlib import Path

from healmon.config import locate
from healmon.config.load import load
from healmon.config.paths import here
from healmon.config.settings import Settings
from healmon.errors import DataError
from healmon.plans import pack
from healmon.service import disks_cli, explaining
from healmon.service.chain import kept_lines
from healmon.service.commandline import say
from healmon.service.peek import evidence
from healmon.service.sessions_cli import reader
from healmon.sessions.packs import Packs
from healmon.sessions.packs import explain as lines_of
from healmon.sessions.packs.explaining import saved
from healmon.sessions.packs.user import packs_of
from healmon.text import clean
from healmon.world import packfiles


def explain(state_dir: Path, args: argparse.Namespace) -> int:
    """Say why something is as it is; returns 0.

    That is a component by its name (a session by a fresh look), an alert or event by its number,
    the evidence of an act by its id, or a saved screen by its path.

    Raises:
        DataError: there is nothing of this name, or no such pack.
    """
    wanted = bool(getattr(args, "json", False))
    packs = packs_of(_settings(args).sessions.packs)
    if _is_file(args):
        return _explain_file(packs, args, json_wanted=wanted)
    if kept := evidence(state_dir, args.target):
        say(json.dumps(kept) if wanted else "\n".join(kept_lines(kept)))
        return 0
    connection = reader(state_dir)
    try:
        found = explaining.find(connection, args.target)
    finally:
        connection.close()
    told = explaining.tell(found, packs, disks_cli.look)
    say(json.dumps(told.data) if wanted else "\n".join(told.lines))
    return 0


def _settings(args: argparse.Namespace) -> Settings:
    source = locate.find_config(getattr(args, "config", None), os.environ, here())
    return load(source, os.environ)


def _is_file(args: argparse.Namespace) -> bool:
    """Return whether a saved screen is meant: no session has a point or a slash in its name."""
    if args.target.startswith(disks_cli.PREFIX):
        return False
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
