"""Whether a store lacks what the last run had written: a sign of that was left beside it.

Who removes a `-wal` or the store itself while no healer runs, or puts an older copy back, leaves a
file that is whole and knows nothing of it. The heartbeat is left only once its row is committed.
"""

from __future__ import annotations

import json
from pathlib import Path
from typing import Final

from healmon.clock import boot_id, parse_utc
from healmon.service.heartbeat import FILE
from healmon.state import Snapshot

NEAR: Final = 5.0
"""Seconds between the end of a round and the newest event that say nothing."""
UNSYNCED: Final = 120.0
"""The same over a boot: what a power cut takes had been left to the kernel for no longer."""


def missing(state_dir: Path, known: Snapshot) -> str:
    """Return what is missing in a store that has just been opened, in words; empty: nothing.

    Args:
        state_dir: where the heartbeat is.
        known: what the store says.
    """
    try:
        sign = json.loads((state_dir / FILE).read_bytes())
        at, number, boot = parse_utc(sign["at"]), int(sign["round"]), str(sign.get("boot", ""))
    except (OSError, ValueError, KeyError, TypeError):
        return ""
    if not known.last_id:
        return (
            f"there was no health store, though a healer had run here until {sign['at']} UTC:"
            " what it knew is lost"
        )
    cycle = known.cycle
    if number == cycle.number - cycle.running:
        return ""
    if at - known.at <= (NEAR if boot == boot_id() else UNSYNCED):
        return ""
    return (
        f"the health store lacks the newest of what had been written, up to {sign['at']} UTC: its"
        " -wal was removed, or an older copy was put in its place"
    )
