"""Who holds the space, who lets it grow, and what can be done about it. Pure."""

from __future__ import annotations

from collections.abc import Iterable, Sequence

import msgspec

from healmon.units import format_size
from healmon.world.spaceuse import Breakdown, Opened, Part

HOUR = 3600.0
LEAST = 600.0
"""Seconds between two looks below which growth an hour says nothing."""
NOTABLE = 0.05
"""Share of what is in use that may stay unexplained without a word."""
SUSPECTS = "snapshots, data hidden below a mount point, other containers, metadata"


class Holding(msgspec.Struct, frozen=True, kw_only=True):
    """A directory or file: bytes; bytes an hour since the last look (None: not known); by whom."""

    path: str
    held: int
    growth: float | None = None
    by: str = ""


class Pinned(msgspec.Struct, frozen=True, kw_only=True):
    """A deleted file that a process has open, and what frees its bytes."""

    path: str
    held: int
    by: str
    remedy: str


class Culprits(msgspec.Struct, frozen=True, kw_only=True):
    """What was found at `at` (wall seconds); `unexplained` bytes are in none of the lists."""

    at: float
    directories: tuple[Holding, ...] = ()
    files: tuple[Holding, ...] = ()
    pinned: tuple[Pinned, ...] = ()
    pinned_bytes: int = 0
    unexplained: int = 0
    partial: str = ""


def culprits(
    seen: Breakdown,
    opened: Sequence[Opened],
    used: int,
    at: float,
    before: Culprits | None = None,
    below: str = "",
) -> Culprits:
    """Return who holds the space.

    Args:
        seen: the biggest directories and files.
        opened: deleted files that are open, and holders of the biggest files.
        used: bytes in use as the file system says; 0: a budget, which hides nothing.
        at: wall seconds of this look.
        before: the last look, for growth.
        below: a budget's directory: deleted files count that were there; empty: all.
    """
    lay = f"{below.rstrip('/')}/" if below else ""
    users: dict[tuple[int, int], list[str]] = {}
    for one in opened:
        users.setdefault(one.key, []).append(f"{one.command} ({one.pid})")
    pinned = {one.key: one for one in reversed(opened) if one.deleted and one.path.startswith(lay)}
    pinned_bytes = sum(one.held for one in pinned.values())
    gone = [
        Pinned(path=one.path, held=one.held, by=", ".join(users[key][:3]), remedy=remedy(one))
        for key, one in sorted(pinned.items(), key=lambda item: -item[1].held)
        if one.held
    ]
    missing = 0 if seen.partial or not used else used - seen.held - pinned_bytes
    return Culprits(
        at=at,
        directories=_holdings(seen.directories, before.directories if before else (), at, before),
        files=tuple(
            msgspec.structs.replace(held, by=", ".join(users.get(part.key, [])[:3]))
            for held, part in zip(
                _holdings(seen.files, before.files if before else (), at, before),
                seen.files,
                strict=True,
            )
        ),
        pinned=tuple(gone[:10]),
        pinned_bytes=pinned_bytes,
        unexplained=missing if missing > used * NOTABLE else 0,
        partial=seen.partial,
    )


def _holdings(
    parts: Iterable[Part], old: Iterable[Holding], at: float, before: Culprits | None
) -> tuple[Holding, ...]:
    known = {one.path: one.held for one in old}
    span = at - before.at if before is not None else 0.0
    return tuple(
        Holding(
            path=part.path,
            held=part.held,
            growth=(part.held - known[part.path]) / span * HOUR
            if span >= LEAST and part.path in known
            else None,
        )
        for part in parts
    )


def remedy(one: Opened) -> str:
    """Return what frees a deleted file that is open; healmon never does it by itself."""
    return (
        f"restart {one.command} (pid {one.pid}), or empty it, if it is a log:"
        f" truncate -s 0 /proc/{one.pid}/fd/{one.fd}"
    )


def lines(found: Culprits) -> list[str]:
    """Return it for people, the biggest first."""
    told = [f"not all was seen: {found.partial}"] if found.partial else []
    for title, holdings in (("directories", found.directories), ("files", found.files)):
        if holdings:
            told += [f"biggest {title}:", *(f"  {line(one)}" for one in holdings)]
    if found.pinned:
        told.append(f"deleted, but still open: {format_size(found.pinned_bytes)}")
        for one in found.pinned:
            told.append(f"  {format_size(one.held):>9}  {one.path}  held by {one.by}")
            told.append(f"             {one.remedy}")
    if found.unexplained:
        told.append(f"unexplained: {format_size(found.unexplained)} ({SUSPECTS})")
    return told


def line(one: Holding) -> str:
    """Return `1.2 GB  /var/log  +30.0 MB/h  by rsyslogd (123)`."""
    grown = ""
    if one.growth is not None and abs(one.growth) >= 1000:
        grown = f"  {'+' if one.growth > 0 else ''}{format_size(one.growth)}/h"
    by = f"  by {one.by}" if one.by else ""
    return f"{format_size(one.held):>9}  {one.path}{grown}{by}"
