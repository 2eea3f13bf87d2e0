"""`healmon metrics`: the numbers once, as text, as a file, or served for Prometheus."""

from __future__ import annotations

import argparse
import os
import sys
from pathlib import Path

from healmon.clock import SystemClock
from healmon.config import metricskeys, webkeys
from healmon.config.facesettings import Metrics
from healmon.config.paths import typed
from healmon.errors import StateDirError, UsageError
from healmon.metrics import Facts, exposition, families
from healmon.metrics.vitals import Vitals
from healmon.service import instance
from healmon.service.commandline import say
from healmon.service.folding import Folding
from healmon.text import clean
from healmon.world.sharedfile import write_shared


def metrics(state_dir: Path, args: argparse.Namespace) -> int:
    """Print, write or serve the numbers; returns 0. Looks on: nothing is healed or changed.

    Raises:
        UsageError: the address is none, or is open to the network unasked.
        MissingPartError: the extra is missing, or the address cannot be listened on.
        StoreFaultError: the store cannot be read.
        StateDirError: the file cannot be written.
    """
    if args.listen is not None:
        return _serve(state_dir, args)
    text = now(state_dir)
    if args.textfile is None:
        sys.stdout.write(text)
        return 0
    path = typed(args.textfile, os.environ)
    if path.suffix != metricskeys.SUFFIX:
        raise UsageError(
            f"--textfile {clean(args.textfile)}: its name does not end in {metricskeys.SUFFIX}",
            remedy="node_exporter reads no other",
        )
    if getattr(args, "dry_run", False):
        say(f"would write {clean(str(path))}: {len(text.encode())} bytes")
        return 0
    try:
        write_shared(path, text)
    except OSError as error:
        raise StateDirError(
            f"{clean(str(path))} cannot be written: {error.strerror}",
            remedy="its directory must be there, and be ours to write in",
        ) from None
    return 0


def now(state_dir: Path) -> str:
    """Return the numbers of this moment as text, whether a healer runs or not.

    Raises:
        StoreFaultError: the store cannot be read.
    """
    folding = Folding(state_dir)
    try:
        if folding.there:
            folding.look()
    finally:
        folding.close()
    clock = SystemClock()
    holder = instance.holder(state_dir) if state_dir.is_dir() else None
    process = None if holder is None else Vitals(clock).look(holder.pid)
    facts = Facts(holder is not None, clock.read().wall, process)
    return exposition(families(folding.snapshot, facts))


def _serve(state_dir: Path, args: argparse.Namespace) -> int:
    from healmon.service import exporter  # noqa: PLC0415 - who prints needs none
    from healmon.service.foreground import configured  # noqa: PLC0415 - likewise

    try:
        where = webkeys.parse(args.listen)
    except ValueError as error:
        raise UsageError(f"--listen {clean(args.listen)}: {error}") from None
    settings, _ = configured(args)
    network = settings.metrics.network
    fault = metricskeys.exposed(Metrics(listen=str(where), network=network))
    if fault:
        raise UsageError(f"--listen {where}: {fault}")

    def up(address: webkeys.Address) -> None:
        say(f"metrics are at http://{address}/metrics")
        sys.stdout.flush()

    exporter.run(state_dir, where, up, network=network)
    return 0
