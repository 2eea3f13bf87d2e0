"""What is told besides the level: files exchanged, places refused, deleted files held. Pure."""

from __future__ import annotations

from typing import Final

import msgspec
from msgspec.structs import replace

from healmon.clock import Reading, Steps, age
from healmon.disks import words
from healmon.disks.culprits import Culprits
from healmon.disks.model import DiskSeen, Gauge, Memory
from healmon.plans import Finding, unpack
from healmon.state import ActionView
from healmon.units import format_size

LASTS: Final = 86_400.0
"""Seconds for which an exchange is told, unless a later cleaning tells another number."""
PINNED: Final = 0.01
"""Share of the whole that deleted files must hold for the alert to name who has them open."""


class _Met(msgspec.Struct, frozen=True):
    """What is read of a cleaning's details: files that stayed, by reason."""

    kept: dict[str, int] = {}


def after(memory: Memory, action: ActionView) -> Memory:
    """Return the memory with what a cleaning met on its way."""
    try:
        number = unpack(action.details, _Met).kept.get("swapped", 0)
    except msgspec.ValidationError:  # another healmon's
        number = 0
    return replace(memory, swapped=number, swapped_at=action.at)


def pinned(memory: Memory, seen: DiskSeen, gauge: Gauge, *, moved: bool) -> Memory:
    """Return the memory with who holds deleted files; other words only when it says something new.

    Args:
        memory: with what was told last.
        seen: this look.
        gauge: how full it is.
        moved: the level that is told has moved, too.
    """
    by, text = "", ""
    if seen.culprits is not None and seen.culprits.pinned_bytes > gauge.capacity * PINNED:
        by, text = _holders(seen.culprits)
    if by == memory.pinned_by and not moved:
        return memory
    return replace(memory, pinned_by=by, pinned=text)


def _holders(found: Culprits) -> tuple[str, str]:
    by = ", ".join(dict.fromkeys(one.by for one in found.pinned[:3]))
    size = format_size(found.pinned_bytes)
    return by, f"{size} of it in deleted files that are still open: {by}"


def findings(seen: DiskSeen, memory: Memory, steps: Steps, now: Reading) -> list[Finding]:
    """Return the warnings on files that were exchanged, and on places that a rule may not have."""
    found: list[Finding] = []
    title = words.title(seen.target)
    if memory.swapped and age(steps, memory.swapped_at, now.wall) < LASTS:
        files = "1 file was" if memory.swapped == 1 else f"{memory.swapped} files were"
        text = (
            f"{title}: {files} exchanged for others while rules cleaned, and put back: "
            "see who may write there"
        )
        found.append(Finding("swapped", "WARNING", text, confirmed=True))
    refused = seen.count.refused if seen.count is not None else ()
    if refused:
        text = f"{title}: not cleaned: {'; '.join(refused[:3])}"
        found.append(Finding("refused", "WARNING", text, confirmed=True))
    return found
