"""Which lines hold for which target: those of `[disk]`, or its own. Pure."""

from __future__ import annotations

from msgspec.structs import replace

from healmon.config.settings import Disk


def disk_of(disk: Disk, path: str) -> Disk:
    """Return the settings as they hold for one path: its own lines in the place of the common."""
    own = next((one for one in disk.thresholds if one.path == path), None)
    if own is None:
        return disk
    return replace(
        disk,
        warning=disk.warning if own.warning is None else own.warning,
        critical=disk.critical if own.critical is None else own.critical,
        target=disk.target if own.target is None else own.target,
    )
