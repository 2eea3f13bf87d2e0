"""`healmon clean [MOUNT|RULE]`: one file system or budget, all of them, or by one rule alone."""

from __future__ import annotations

import argparse
import os
import sys
from pathlib import Path

from healmon.config import locate
from healmon.config.load import load
from healmon.config.paths import here
from healmon.disks.cover import roots_in, targets_of
from healmon.errors import DataError, HealmonError, HolderError
from healmon.plans import Packed
from healmon.service.asking import INTERRUPTED
from healmon.service.commandline import faces, override

PREFIX = "disk:"
ENDING = (INTERRUPTED, HolderError.exit_code)
"""Codes after which nothing more is asked for: nobody wants it, or nobody is there."""


def clean(state_dir: Path, args: argparse.Namespace) -> int:
    """Have what is meant cleaned, one after the other; returns 0 when all was done.

    Of several that were refused each is told, and the highest code is returned.

    Raises:
        DataError: there is no disk and no rule of this name, or the only one meant was refused.
        HolderError: no healer runs, or not any more: the others are not asked for.
        RefusedError: Ctrl-C was pressed; likewise.
    """
    meant, code = _meant(args), 0
    for component, arguments in meant:
        try:
            done = override(state_dir, "clean", component, arguments, **faces(args))
        except HealmonError as error:
            if len(meant) == 1 or error.exit_code in ENDING:
                raise
            print(f"healmon: {component}: {error}", file=sys.stderr)  # noqa: T201 - this is the command line
            done = error.exit_code
        code = max(code, done)
    return code


def _meant(args: argparse.Namespace) -> list[tuple[str, Packed]]:
    name = (args.target or "").removeprefix(PREFIX)
    if name.startswith(("/", "~")):
        return [(PREFIX + name, {})]
    named = getattr(args, "config", None)
    source = locate.find_config(named, os.environ, here())
    owners = locate.owners(named, os.environ, source, here())
    disk = load(source, os.environ, owners=owners).disk
    targets = targets_of(disk)
    if not name:
        if not targets:
            raise DataError("no disk is configured", remedy="set disk.paths, or name what to clean")
        return [(target.component, {}) for target in targets]
    rule = next((rule for rule in disk.rules if rule.name == name), None)
    if rule is None:
        there = [target.component.removeprefix(PREFIX) for target in targets]
        there += [rule.name for rule in disk.rules]
        said = ", ".join(there) or "none"
        raise DataError(f"no disk and no rule {name!r}", remedy=f"there is: {said}")
    reached = [target.component for target in targets if roots_in(rule, target)]
    if not reached:
        remedy = "name its place in disk.paths or as a budget"
        raise DataError(f"rule {name!r} reaches nothing that is watched", remedy=remedy)
    return [(component, {"rule": name}) for component in reached]
