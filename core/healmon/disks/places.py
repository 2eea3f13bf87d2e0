"""What the next run must know of places: where something may lie aside. Pure.

The directories of the rules are remembered with each target. One that no rule names any more is
looked through until nothing of a killed run is left there.
"""

from __future__ import annotations

from msgspec.structs import replace

from healmon.config.settings import Disk
from healmon.disks.cover import roots_in
from healmon.disks.model import DiskSeen, Memory, Target


def remember(memory: Memory, seen: DiskSeen, disk: Disk) -> Memory:
    """Return the memory with the directories of today's rules, and of earlier ones not yet done."""
    today = _today(disk, seen.target)
    earlier = set(memory.places) - set(seen.emptied)
    return replace(memory, places=tuple(sorted(today | earlier)))


def earlier(memory: Memory, disk: Disk, target: Target) -> tuple[str, ...]:
    """Return the directories where only rules that are gone may have set something aside."""
    today = _today(disk, target)
    return tuple(place for place in memory.places if place not in today)


def _today(disk: Disk, target: Target) -> set[str]:
    return {root for rule in disk.rules for root in roots_in(rule, target)}
