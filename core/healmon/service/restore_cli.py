"""`healmon restore`: what cleaning put aside, and taking it back."""

from __future__ import annotations

import argparse
import json
import os
from pathlib import Path

import msgspec

from healmon.clock import local_time
from healmon.config import locate
from healmon.config.load import load
from healmon.config.paths import here
from healmon.config.settings import Disk
from healmon.disks.cover import targets_of
from healmon.disks.undo import selections
from healmon.disks.words import restored_text
from healmon.errors import DataError, UsageError
from healmon.service import instance
from healmon.service.commandline import override, say
from healmon.service.fetch_cli import backups, told
from healmon.units import format_size
from healmon.world.filedata import Tally, Trashed
from healmon.world.files import SystemFiles

MOST = 1000
"""How many files are listed."""


def restore(state_dir: Path, args: argparse.Namespace) -> int:
    """List what can be taken back, or take it back; returns 0 when all of it was done.

    From a backup target it is done here. From the trash the running healer does it, so that it is
    in the event log; without one it is done here, under the lock that keeps cleaners out.

    Raises:
        DataError: nothing is named so, or it cannot go back; says why.
        UsageError: an option is for backups only.
    """
    if args.host and not args.backup:
        raise UsageError("--host says whose files of a backup: it goes with --backup")
    named = getattr(args, "config", None)
    source = locate.find_config(named, os.environ, here())
    owners = locate.owners(named, os.environ, source, here())
    disk = load(source, os.environ, owners=owners).disk
    if args.backup:
        return backups(disk, args)
    wanted = getattr(args, "json", False)
    if not args.ids:
        return _list(listed(disk, state_dir), json_wanted=wanted)
    targets, code = targets_of(disk), 0
    for name in args.ids:
        if getattr(args, "dry_run", False):
            told(name, _named(disk, state_dir, name), json_wanted=wanted)
        elif targets and instance.holder(state_dir) is not None:
            asked = ("restore", targets[0].component, {"id": name})
            code = max(code, override(state_dir, *asked, json_wanted=wanted))
        else:
            told(name, _take_back(disk, state_dir, name), json_wanted=wanted)
    return code


def listed(disk: Disk, state_dir: Path) -> tuple[Trashed, ...]:
    """Return what can be taken back, the newest first."""
    found: dict[tuple[str, str], Trashed] = {}
    files = SystemFiles()
    for selection in selections(disk, str(state_dir)):
        for one in files.trashed(selection, MOST):
            found[one.place, one.id] = one
    return tuple(sorted(found.values(), key=lambda one: (-one.when, one.path))[:MOST])


def _list(found: tuple[Trashed, ...], *, json_wanted: bool) -> int:
    if json_wanted:
        say(json.dumps([msgspec.to_builtins(one) for one in found]))
        return 0
    run = ""
    for one in found:
        if one.run != run:
            run = one.run
            say(f"{run}  put aside {local_time(one.when, '%Y-%m-%d %H:%M:%S')}, rule {one.rule}")
        say(f"  {one.id}  {format_size(one.held):>10}  {one.path or 'from where is not known'}")
    if not found:
        say("nothing lies in the trash")
    return 0


def _named(disk: Disk, state_dir: Path, name: str) -> str:
    found = [one for one in listed(disk, state_dir) if name in {one.id, one.run}]
    if not found:
        raise DataError(f"nothing lies in the trash as {name}", remedy="see: healmon restore")
    return "\n".join(f"would take back {one.path}" for one in found)


def _take_back(disk: Disk, state_dir: Path, name: str) -> str:
    files, back = SystemFiles(), Tally()
    paths, troubles = list[str](), list[str]()
    for selection in selections(disk, str(state_dir)):
        done = files.restore(selection, name)
        back = back.plus(done.back.held, done.back.files)
        paths += done.paths
        troubles += [t for t in done.troubles if t not in troubles]
    said = restored_text(back, paths) if back.files else ""
    if troubles:
        stays = f"stays in the trash: {'; '.join(troubles[:3])}"
        raise DataError(f"{said}; but {stays}" if said else stays)
    if not back.files:
        raise DataError(f"nothing lies in the trash as {name}", remedy="see: healmon restore")
    return said
