"""`healmon restore --backup`: what backup targets keep of a host, and taking it back."""

from __future__ import annotations

import argparse
import json
from collections.abc import Iterator

from healmon.clock import local_time
from healmon.config.depot import is_remote
from healmon.config.settings import Disk
from healmon.errors import DataError
from healmon.service.commandline import say
from healmon.text import clean
from healmon.units import format_size
from healmon.world.depotfetch import FetchError, Kept, fetch, kept
from healmon.world.depotrecord import host_name

MOST = 1000
"""How many files are listed."""


def backups(disk: Disk, args: argparse.Namespace) -> int:
    """List what is kept, or take it back; returns 0 when done.

    Raises:
        DataError: a target does not answer, nothing is named so, or it cannot go back; says why.
    """
    host, wanted = args.host or host_name(), getattr(args, "json", False)
    try:
        found = list(_kept(disk, host))
        if not args.ids:
            return _list(found, host, json_wanted=wanted)
        for name in args.ids:
            one = next((one for one in found if one.id == name), None)
            if one is None:
                remedy = "see: healmon restore --backup"
                raise DataError(f"nothing is kept as {clean(name)}", remedy=remedy)
            if getattr(args, "dry_run", False):
                said = f"would take back {one.path} from {clean(one.target)}"
            else:
                record = fetch(one)
                size = format_size(record.size)
                said = f"{clean(record.path)} is back ({size}), as it was saved"
            told(name, said, json_wanted=wanted)
    except FetchError as error:
        raise DataError(str(error)) from error
    return 0


def told(name: str, said: str, *, json_wanted: bool) -> None:
    """Say what came of taking one back here; as a healer's answer says it, if JSON is wanted."""
    answer = {"ok": True, "verb": "restore", "target": "", "text": said, "arguments": {"id": name}}
    say(json.dumps(answer) if json_wanted else said)


def _kept(disk: Disk, host: str) -> Iterator[Kept]:
    targets = dict.fromkeys(rule.backup for rule in disk.rules if rule.backup)
    if not targets:
        raise DataError("no rule has a backup target", remedy="see: docs/disks.md")
    for target in targets:
        if is_remote(target) or host == host_name():
            yield from kept(target, host)


def _list(found: list[Kept], host: str, *, json_wanted: bool) -> int:
    if json_wanted:
        say(json.dumps([one._asdict() for one in found]))
        return 0
    target = ""
    for one in found[:MOST]:
        if one.target != target:
            target = one.target
            say(f"{clean(target)}, of {clean(host)}")
        when = local_time(one.when, "%Y-%m-%d %H:%M:%S")
        say(f"  {one.id}  {format_size(one.size):>10}  {when}  {one.path}")
    if len(found) > MOST:
        say(f"  … and {len(found) - MOST} more: --json lists all")
    if not found:
        say(f"nothing is kept of {clean(host)}")
    return 0
