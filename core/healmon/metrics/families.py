"""Snapshot in, families of numbers out. Pure."""

from __future__ import annotations

from healmon.metrics import engine, told, watched
from healmon.metrics.model import Facts, Family
from healmon.state import Snapshot


def families(snapshot: Snapshot, facts: Facts) -> tuple[Family, ...]:
    """Return all families that have anything to say, in a fixed order.

    Without a healer nobody knows how things are: what was counted stays, and when the last cycle
    was; all that is only true as long as somebody looks is left out.
    """
    parts = [engine.always(snapshot, facts), told.always(snapshot)]
    if facts.running:
        parts += [
            engine.now(snapshot, facts),
            watched.workers(snapshot, facts.now),
            watched.sessions(snapshot),
            watched.databases(snapshot, facts.now),
            watched.disks(snapshot, facts.now),
            told.now(snapshot),
        ]
    return tuple(family for part in parts for family in part if family.samples)
