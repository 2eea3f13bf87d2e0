"""`healmon init`: a starter configuration from what runs here."""

from __future__ import annotations

import argparse
import json
import os
import sys
from pathlib import Path

from healmon.config import locate
from healmon.config.paths import typed
from healmon.service import starter, systemd_units
from healmon.service.commandline import say
from healmon.text import as_typed, clean


def init(args: argparse.Namespace) -> int:
    """Write the file, or print what it would be; returns 0.

    Raises:
        DataError: there is such a file; it stays as it is.
        StateDirError: it cannot be written.
    """
    path = typed(args.file or getattr(args, "config", None) or locate.NAME, os.environ)
    if args.systemd:
        return _with_unit(path, args)
    only_shown = args.print or getattr(args, "dry_run", False)
    text = (starter.preview if only_shown else starter.write)(path, starter.roots())
    active = sum(line.startswith("[") for line in text.splitlines())
    if getattr(args, "json", False):
        told = {"file": str(path), "tables": active, "text": text, "written": not only_shown}
        say(json.dumps(told))
        return 0
    if only_shown:
        say(text.rstrip("\n"))
        return 0
    shown = clean(str(path))
    say(f"{shown}: written, {active} tables; what is only guessed is commented out")
    say(f"  read it, then: healmon check --config {as_typed(shown)}")
    return 0


def _with_unit(path: Path, args: argparse.Namespace) -> int:
    """Write the unit of systemd, and the configuration if there is none; returns 0.

    Root's is the host's unit, anybody else's the user's own.

    Raises:
        ConfigError: the configuration that is there is wrong.
        DataError: another unit is there; it stays as it is.
        StateDirError: one of them cannot be written.
    """
    system = os.geteuid() == 0
    service = systemd_units.Service(
        command=systemd_units.command(sys.executable), config=str(path), system=system,
        state_dir=_state_dir(args), placed=_placed(path),
    )  # fmt: skip
    target = systemd_units.place(service, os.environ)
    json_wanted = bool(getattr(args, "json", False))
    told = {"file": str(path), "unit": str(target), "text": systemd_units.render(service)}
    if args.print or getattr(args, "dry_run", False):
        unwritten = json.dumps({**told, "written": False, "next": []})
        say(unwritten if json_wanted else told["text"].rstrip("\n"))
        return 0
    fresh = not os.path.lexists(path)
    if fresh:
        starter.write(path, starter.roots())
    unit = systemd_units.write(service, target)
    steps = systemd_units.next_steps(service, unit)
    if json_wanted:
        say(json.dumps({**told, "written": fresh, "next": steps}))
        return 0
    say(f"{clean(str(path))}: {'written; read it first' if fresh else 'was there, left as it is'}")
    say(f"{clean(str(unit))}: written")
    for step in steps:
        say(f"  {step}")
    return 0


def _placed(path: Path) -> str:
    """Return where the configuration that is there says that the state is; empty: it does not.

    Raises:
        ConfigError: it is wrong, and a service would not start with it.
    """
    if not os.path.lexists(path):
        return ""
    from healmon.config.load import load  # noqa: PLC0415 - where a unit is wanted

    # without what overrides keys in this shell: the service has none of it
    return load(path, {"HOME": os.environ.get("HOME", "")}).monitor.state_dir


def _state_dir(args: argparse.Namespace) -> str:
    named = getattr(args, "state_dir", None)
    return str(typed(named, os.environ)) if named else ""
