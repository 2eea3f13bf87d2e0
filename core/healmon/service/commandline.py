"""The short commands: stop, check, overrides."""

from __future__ import annotations

import argparse
import json
import os
import sys
from pathlib import Path
from typing import NoReturn

from healmon.clock import process_seconds
from healmon.errors import DataError, HolderError, RefusedError, UsageError
from healmon.plans import Packed
from healmon.service import instance
from healmon.service.asking import ask_healer
from healmon.service.planned import planned
from healmon.units import parse_duration

STOP_PATIENCE = 45.0
"""Seconds a healer gets to finish its current action and end; longer than `engine.DRAIN`."""
STILL_PATIENCE = 3.0
"""Seconds that one may stand still: a debugger lets go, a stopped one does not by itself."""
SIGTERM = 15


def say(text: str) -> None:
    """Print one answer for the person at the command line."""
    print(text)  # noqa: T201 - this is the command line


def tui(args: argparse.Namespace) -> NoReturn:
    """Become `healmon-tui`, with the words that were given beside `tui`."""
    words = list(sys.argv[1:])
    words.remove(str(args.way))
    argv = [sys.executable, "-P", "-m", "healmon_tui", *words]
    os.execv(sys.executable, argv)  # noqa: S606 - same program, other face


def stop_asked(state_dir: Path, args: argparse.Namespace) -> int:
    """Do what `healmon stop` asks; see `stop`."""
    return stop(state_dir, **faces(args))


def _ended(text: str, pid: int | None, *, json_wanted: bool, dry_run: bool = False) -> int:
    told = {"stopped": pid is not None and not dry_run, "pid": pid, "text": text}
    say(json.dumps(told) if json_wanted else text)
    return 0


def stop(state_dir: Path, *, json_wanted: bool = False, dry_run: bool = False) -> int:
    """Ask the healer to end and wait for it; returns 0, also when none runs.

    A dry run tells who would be asked.

    Raises:
        HolderError: it did not end in time, or is not ours to stop.
    """
    holder = instance.holder(state_dir)
    if holder is None:
        from healmon.service import sides  # noqa: PLC0415 - as below

        left = None if dry_run else sides.make_way(state_dir)
        tail = f"; its web server (pid {left}) has ended" if left else "; nothing to stop"
        return _ended(f"no healer runs{tail}", None, json_wanted=json_wanted)
    holder = _known(holder, state_dir)
    said = f"pid {holder.pid}); workers stay up"
    if dry_run:
        return _ended(f"would stop ({said}", holder.pid, json_wanted=json_wanted, dry_run=True)
    _end(holder, state_dir)
    return _ended(f"stopped ({said}", holder.pid, json_wanted=json_wanted)


def _known(holder: instance.Holder, state_dir: Path) -> instance.Holder:
    """Return who holds the directory, so well known that it may be signalled.

    Raises:
        HolderError: it is not, or another user runs it.
    """
    holder = holder if holder.ticks else instance.proven(holder, state_dir)
    if not holder.ticks:
        raise HolderError(  # a pid alone may be anybody's by now: nobody is signalled for it
            f"who holds {state_dir} cannot be told: its lock file was removed or emptied",
            remedy="a healer makes it anew within a minute: try again then",
        )
    if instance.names_a_stranger(holder, state_dir):
        raise HolderError(
            f"the lock in {state_dir} names pid {holder.pid}, whom another user runs",
            remedy="nothing was signalled; see who has healmon.lock open",
        )
    return holder


def _end(holder: instance.Holder, state_dir: Path) -> None:
    """Ask a healer to end and return once it has.

    Raises:
        HolderError: it did not end in time, or is not ours to stop.
    """
    from healmon.world.processes import Identity  # noqa: PLC0415 - all other commands go without
    from healmon.world.system_processes import SystemProcesses  # noqa: PLC0415 - likewise

    identity = Identity(holder.boot_id, holder.pid, holder.ticks)
    try:
        SystemProcesses().signal(identity, SIGTERM)
    except PermissionError:
        raise HolderError(
            f"the healer (pid {holder.pid}) belongs to somebody else",
            remedy="stop it as its owner or as root",
        ) from None
    began = process_seconds()
    while process_seconds() - began < STOP_PATIENCE:
        if instance.wait_released(state_dir, 1.0):
            return
        if process_seconds() - began > STILL_PATIENCE and instance.stands_still(holder):
            break
    if instance.stands_still(holder):
        raise HolderError(
            f"the healer (pid {holder.pid}) stands still: somebody stopped it (SIGSTOP)",
            remedy=f"let it go on, and it ends: kill -CONT {holder.pid}",
        )
    raise HolderError(
        f"the healer (pid {holder.pid}) did not end within {STOP_PATIENCE:g} s",
        remedy=f"see what it does: healmon status; its log is in {state_dir}",
    )


def check(args: argparse.Namespace) -> int:
    """Validate the configuration and print it as understood, secrets masked; touches nothing.

    Detection packs of one's own are tried on the screens of their test files.
    """
    from healmon.config import locate, trust  # noqa: PLC0415 - this one command reads it
    from healmon.config.load import load  # noqa: PLC0415 - likewise
    from healmon.config.paths import here  # noqa: PLC0415 - likewise
    from healmon.config.show import show  # noqa: PLC0415 - likewise
    from healmon.service.cautions import warn  # noqa: PLC0415 - likewise
    from healmon.sessions.packs import user  # noqa: PLC0415 - the other commands need no packs

    source = locate.find_config(getattr(args, "config", None), os.environ, here())
    settings = load(source, os.environ, screen=True, whole=True)
    user.tried(settings.sessions.packs)
    warn(trust.worries(settings))
    text = show(settings, mask=True)
    if getattr(args, "json", False):
        import tomllib  # noqa: PLC0415 - loaded with what reads the file

        text = json.dumps({"file": settings.source or None, "settings": tomllib.loads(text)})
    say(text)
    return 0


def ask(state_dir: Path, args: argparse.Namespace) -> int:
    """Ask for `args.verb` of one target, whose name may be given without its prefix."""
    target = args.prefix + (args.target or "").removeprefix(args.prefix)
    return override(state_dir, args.verb, target, {}, **faces(args))


def faces(args: argparse.Namespace) -> dict[str, bool]:
    """Return how an override is asked for and answered: `json_wanted`, `dry_run`."""
    return {
        "json_wanted": bool(getattr(args, "json", False)),
        "dry_run": bool(getattr(args, "dry_run", False)),
    }


def override(
    state_dir: Path, verb: str, target: str, arguments: Packed,
    *, json_wanted: bool = False, dry_run: bool = False,
) -> int:  # fmt: skip
    """Ask the running healer for something and print its answer, as one JSON object if wanted.

    Returns 0 when done, 65 when it was refused, else the code of why nobody answered. A dry run
    prints the plan and leaves it there.

    Raises:
        HolderError: no healer runs.
        RefusedError: it was refused, and the answer is wanted as text.
    """
    if instance.holder(state_dir) is None:
        raise HolderError(
            f"no healer runs on {state_dir}",
            remedy="start one: healmon daemon, or healmon-tui; or do just this here: --now",
        )
    if dry_run:
        code, said = planned(state_dir, verb, target, arguments, json_wanted=json_wanted)
        say(said)
        return code
    answer = ask_healer(state_dir, verb, target, arguments)
    if json_wanted:
        told = {"ok": answer.ok, "verb": verb, "target": target, "text": answer.text}
        say(json.dumps({**told, "arguments": arguments}))
        return 0 if answer.ok else answer.code or DataError.exit_code
    if not answer.ok:
        raise RefusedError(answer.text, answer.code)
    say(answer.text)
    return 0


def period(text: str | None, option: str = "--for") -> float | None:
    """Return a duration given on the command line in seconds; None where none was given.

    Raises:
        UsageError: it is no duration.
    """
    if text is None:
        return None
    try:
        return parse_duration(text)
    except ValueError as error:
        raise UsageError(f"{option} {text}: {error}") from None
