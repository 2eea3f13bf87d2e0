"""How full is full: percentages as df has them, levels with hysteresis, what is to go. Pure."""

from __future__ import annotations

import math
from typing import Final

from healmon.config.settings import Disk
from healmon.disks.model import Gauge, Level
from healmon.world.filedata import Need, Space, Usage

NEAR: Final = 0.0001
"""Share of its size by which a file system may change while it is read through two paths."""


def of_space(space: Space) -> Gauge:
    """Return the gauge of a file system.

    100 % is what is used and available together: reserved blocks are nobody's who is not root, so
    used by size would show 92 % when a user cannot write a byte any more.
    """
    capacity = space.used + space.available
    inodes_used = space.inodes - space.inodes_free
    skip = "read-only" if space.readonly else ""
    return Gauge(
        used=space.used,
        free=space.available,
        size=space.size,
        capacity=capacity,
        percent=100 * space.used / capacity if capacity else 0.0,
        inodes=space.inodes,
        inodes_used=inodes_used,
        inode_percent=100 * inodes_used / space.inodes if space.inodes else None,
        device=space.device,
        fsid=space.fsid,
        kind=space.kind,
        mount=space.mount,
        real=space.real,
        readonly=space.readonly,
        skip=skip if capacity else "has no size of its own",
    )


def of_usage(usage: Usage, limit: int) -> Gauge:
    """Return the gauge of a directory with a budget of `limit` bytes."""
    full = 100 * usage.held / limit if limit else 100.0
    return Gauge(
        used=usage.held,
        free=max(0, limit - usage.held),
        size=limit,
        capacity=limit,
        percent=full,
        device=usage.device,
        mount=usage.mount,
        real=usage.real,
        partial=usage.partial,
    )


def same_disk(one: Gauge, other: Gauge) -> bool:
    """Return whether two paths are on one file system.

    An overlay has a device of its own and passes on the numbers of the file system below it, on
    older kernels its id too. Elsewhere the id says nothing: clones and snapshots carry the same.
    """
    if one.device == other.device:
        return True
    overlaid = "overlay" in {one.kind, other.kind}
    if not overlaid or (one.size, one.inodes) != (other.size, other.inodes):
        return False
    # both are read within a moment, in which little is written
    near = (
        abs(one.used - other.used) <= one.size * NEAR
        and abs(one.inodes_used - other.inodes_used) <= one.inodes * NEAR
    )
    return near or (one.fsid != 0 and one.fsid == other.fsid)


def level_of(percent: float, before: Level, disk: Disk) -> Level:
    """Return the level; one that was reached is left only `hysteresis` points below its line.

    Args:
        percent: not rounded.
        before: the level until now.
        disk: warning and critical lines.
    """
    slack = disk.hysteresis
    if percent >= disk.critical or (before == "critical" and percent >= disk.critical - slack):
        return "critical"
    if percent >= disk.warning or (before != "ok" and percent >= disk.warning - slack):
        return "warning"
    return "ok"


def need_of(gauge: Gauge, target: float) -> Need:
    """Return what must be freed to get below `target` percent, in bytes and in inodes."""
    return Need(
        _excess(gauge.used, gauge.capacity, target),
        _excess(gauge.inodes_used, gauge.inodes, target) if gauge.inodes else 0,
    )


def _excess(used: int, capacity: int, target: float) -> int:
    allowed = capacity * target / 100
    return max(0, math.floor(used - allowed) + 1) if used >= allowed else 0
