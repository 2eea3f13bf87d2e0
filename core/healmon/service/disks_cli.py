"""Why a file system or budget is as full as it is: `healmon explain disk:PATH`."""

from __future__ import annotations

import sys
from pathlib import Path

from healmon.clock import SystemClock, local_time
from healmon.disks.culprits import Culprits, culprits, lines
from healmon.disks.filling import when_text
from healmon.disks.model import DiskFacts
from healmon.state import ComponentView
from healmon.text import clean
from healmon.world.filedata import Limits
from healmon.world.spaceuse import breakdown, opened

PREFIX = "disk:"
PATIENT = Limits(entries=20_000_000, seconds=120.0)
"""How long a person is kept waiting at most."""


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


def told(view: ComponentView, facts: DiskFacts, found: Culprits | None) -> list[str]:
    """Return why it is as full as it is, as lines; `found` is who holds the space."""
    if found is None:
        return [*_head(view, facts), "  who holds the space is looked into when it gets full"]
    at = local_time(found.at, "%m-%d %H:%M:%S")
    return [*_head(view, facts), f"  looked into at {at}", *(f"  {text}" for text in lines(found))]


def _head(view: ComponentView, facts: DiskFacts) -> list[str]:
    told = [f"{clean(view.name)}: {view.status}, {clean(view.summary)}"]
    outlook = facts.outlook
    if outlook is not None and outlook.eta is not None:
        told.append(f"  full in {when_text(outlook)}, {outlook.rate:+.2f} points an hour")
    if facts.candidates is not None:
        told.append(f"  rules would free: {facts.candidates} files")
    return told
