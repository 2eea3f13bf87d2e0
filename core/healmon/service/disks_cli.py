"""Why a file system or budget is as full as it is: `healmon explain disk:PATH`."""

from __future__ import annotations

import json
import sqlite3
import sys
from pathlib import Path

from healmon.clock import SystemClock
from healmon.disks.culprits import Culprits, culprits, lines
from healmon.disks.filling import when_text
from healmon.disks.healer import facts_in
from healmon.disks.model import HEALER, DiskFacts
from healmon.errors import DataError
from healmon.plans import pack
from healmon.service.commandline import say
from healmon.state import ComponentView, of_healer
from healmon.store import stream
from healmon.text import clean
from healmon.world.filedata import Limits
from healmon.world.spaceuse import breakdown, opened

PREFIX = "disk:"
PATIENT = Limits(entries=20_000_000, seconds=120.0)
"""How long a person is kept waiting at most."""


def explain(connection: sqlite3.Connection, target: str, *, json_wanted: bool) -> int:
    """Say who holds the space, by a fresh look; progress goes to a terminal's stderr. Returns 0.

    Raises:
        DataError: no such file system or budget is watched.
        ProbeError: it cannot be read.
    """
    known = of_healer(stream.read_snapshot(connection), HEALER)
    view = known.get(target)
    if view is None:
        there = ", ".join(sorted(known)) or "none"
        raise DataError(f"there is no {clean(target)}", remedy=f"there are: {there}")
    facts = facts_in(view)
    found = look(facts)
    if json_wanted:
        say(json.dumps({"facts": pack(facts), "status": view.status, "now": pack(found)}))
    else:
        say("\n".join([*_head(view, facts), *(f"  {text}" for text in lines(found))]))
    return 0


def look(facts: DiskFacts) -> Culprits:
    """Return who holds the space of a target now; growth is since the healer's last look."""
    shown = sys.stderr.isatty()

    def progress(entries: int) -> None:
        sys.stderr.write(f"\r{entries} entries seen …\x1b[K")
        sys.stderr.flush()

    seen = breakdown(facts.path, PATIENT, progress=progress if shown else None)
    if shown:
        sys.stderr.write("\r\x1b[K")
    holders = opened(seen.device, frozenset(part.key for part in seen.files))
    # only from the top of a file system is everything in use below what is walked
    whole = facts.kind == "filesystem" and Path(facts.path).is_mount()
    below = "" if facts.kind == "filesystem" else clean(facts.path)
    now = SystemClock().read().wall
    return culprits(seen, holders, facts.used if whole else 0, now, facts.culprits, below)


def _head(view: ComponentView, facts: DiskFacts) -> list[str]:
    told = [f"{clean(view.name)}: {view.status}, {clean(view.summary)}"]
    outlook = facts.outlook
    if outlook is not None and outlook.eta is not None:
        told.append(f"  full in {when_text(outlook)}, {outlook.rate:+.2f} points an hour")
    if facts.candidates is not None:
        told.append(f"  rules would free: {facts.candidates} files")
    return told
