"""Names of databases that are set aside with what lies beside them; nothing is ever removed."""

from __future__ import annotations

from pathlib import Path
from typing import Final

BESIDE: Final = ("-wal", "-shm")
FAMILY: Final = ("", *BESIDE)


def set_aside(path: Path, label: str, at: str, members: tuple[str, ...] = FAMILY) -> Path:
    """Rename a database with its -wal and -shm; return the new name of the database.

    The two keep their place beside it, so that SQLite still finds what belongs together.

    Args:
        path: the database file.
        label: what became of it: `damaged`, `orphaned`, `replaced`.
        at: the time now, as the store writes it.
        members: which of the three.
    """
    target = free_name(path, label, at)
    rename(path, target, members)
    return target


def free_name(path: Path, label: str, at: str) -> Path:
    """Return a name that neither a database nor what lies beside one has."""
    stamp = f"{at[:19].replace('-', '').replace(':', '').replace(' ', 'T')}Z"
    target = path.with_name(f"{path.name}.{label}-{stamp}")
    number = 1
    while any(Path(f"{target}{end}").exists() for end in FAMILY):
        number += 1
        target = path.with_name(f"{path.name}.{label}-{stamp}-{number}")
    return target


def rename(path: Path, target: Path, members: tuple[str, ...] = FAMILY) -> None:
    """Rename those members of a database that there are."""
    for end in members:
        member = Path(f"{path}{end}")
        if member.exists():
            member.rename(f"{target}{end}")


def size(path: Path, end: str = "") -> int:
    """Return the bytes of a member; -1 when there is none."""
    try:
        return Path(f"{path}{end}").stat().st_size
    except FileNotFoundError:
        return -1


def holds_something(path: Path) -> bool:
    """Return whether there is anything to read in the file or beside it."""
    return size(path) > 0 or size(path, "-wal") > 0
