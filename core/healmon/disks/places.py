"""What the next run must know of places: where something may lie aside, what was mounted. Pure.

The directories of the rules are remembered with each target. One that no rule names any more is
looked through until nothing of a killed run is left there.
"""

from __future__ import annotations

from msgspec.structs import replace

from healmon.config.settings import Disk
from healmon.disks.cover import digest_of, roots_in
from healmon.disks.model import DiskSeen, Gauge, Memory, Mounted, Target


def remember(memory: Memory, seen: DiskSeen, gauge: Gauge, disk: Disk) -> Memory:
    """Return the memory with the directories of today's rules, and of earlier ones not yet done."""
    today = _today(disk, seen.target)
    earlier = set(memory.places) - set(seen.emptied)
    mounted = memory.mounted
    if gauge.mount and seen.view:
        mounted = Mounted(gauge.mount, gauge.device, seen.view, digest_of(disk))
    return replace(memory, places=tuple(sorted(today | earlier)), mounted=mounted)


def earlier(memory: Memory, disk: Disk, target: Target) -> tuple[str, ...]:
    """Return the directories where only rules that are gone may have set something aside."""
    today = _today(disk, target)
    return tuple(place for place in memory.places if place not in today)


def mounted(memory: Memory, disk: Disk, view: str) -> Mounted | None:
    """Return where a target is to be mounted, by what an earlier run saw; None: that says nothing.

    Args:
        memory: of that run.
        disk: rules and lines.
        view: the mounts that are seen now.
    """
    seen = memory.mounted
    if seen is None or (seen.view, seen.rules) != (view, digest_of(disk)):
        return None
    return seen


def _today(disk: Disk, target: Target) -> set[str]:
    return {root for rule in disk.rules for root in roots_in(rule, target)}
