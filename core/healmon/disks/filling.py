"""The one warning that something will be full soon. Never an action. Pure."""

from __future__ import annotations

from typing import Final

from msgspec.structs import replace

from healmon.config.settings import Disk
from healmon.disks import words
from healmon.disks.model import DiskSeen, Memory, Outlook, Target
from healmon.plans import Finding
from healmon.units import format_duration, format_percent, format_size

TWICE: Final = 2
"""Outlooks in a row that must agree, to warn and to end the warning."""
AGAIN: Final = 1.5
"""How many times the horizon away the end must be for the warning to end."""


def remember(memory: Memory, seen: DiskSeen, disk: Disk) -> Memory:
    """Return the memory with the newest outlook counted in, once."""
    outlook = seen.outlook
    if not disk.horizon:
        return replace(memory, filling=0, filling_told="")
    if outlook is None or outlook.at == memory.filling_at:
        return memory
    line = disk.horizon * (AGAIN if memory.filling_told else 1.0)
    sure = outlook.way != "young" or bool(memory.filling_told)
    soon = sure and outlook.eta is not None and outlook.eta < line
    count = min(TWICE, memory.filling + 1) if soon else max(0, memory.filling - 1)
    if not soon and not memory.filling_told:
        count = 0
    told = memory.filling_told if count else ""
    if count == TWICE and not told:
        told = text(seen, outlook)
    return replace(memory, filling=count, filling_at=outlook.at, filling_told=told)


def text(seen: DiskSeen, outlook: Outlook) -> str:
    """Return what the warning says: when, how full, how fast, and what cleaning would give."""
    gauge = seen.gauge
    assert gauge is not None
    level = gauge.inode_percent if outlook.inodes else gauge.percent
    of = " of inodes" if outlook.inodes else ""
    from_what = "from day to day" if outlook.way == "trend" else "just now"
    used = f"{format_percent(level or 0.0)}{of} used"
    rate = f"{outlook.rate:+.2f} points an hour {from_what}"
    parts = [f"will be full in {when_text(outlook)}: {used}, {rate}"]
    due = seen.count.due if seen.count is not None else None
    if due is not None and due.held and gauge.capacity and not outlook.inodes:
        parts.append(f"cleaning by rule would give {format_size(due.held)}")
    return "; ".join(parts)


def when_text(outlook: Outlook) -> str:
    """Return `about 9h (6h to 14h)`."""
    if outlook.eta is None:
        return "more than 10 days"
    about = f"about {format_duration(outlook.eta)}" if outlook.eta >= 60 else "minutes"
    if outlook.soonest is None:
        return about
    late = "later" if outlook.latest is None else format_duration(outlook.latest)
    return f"{about} ({format_duration(outlook.soonest)} to {late})"


def finding(target: Target, memory: Memory) -> Finding:
    """Return the warning; the same for as long as it lasts."""
    text = f"{words.title(target)} {memory.filling_told}"
    return Finding("filling", "WARNING", text, confirmed=True)
