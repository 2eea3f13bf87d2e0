"""A store whose file lost its name while a healer has it open: what is still open is kept whole.

The copy has a name of its own until it takes the place: whatever ends healmon meanwhile, the next
opening finds it and goes on with it. What bears the name by then is set aside, never written.
"""

from __future__ import annotations

import contextlib
import sqlite3
from collections.abc import Generator
from pathlib import Path

from healmon.store.asides import BESIDE, free_name, set_aside
from healmon.store.backup import backup


def place(path: Path) -> Path:
    """Return where the copy stands until it takes the place of what bears the name."""
    return path.with_name(f"{path.name}.saved")


def save(conn: sqlite3.Connection, path: Path) -> None:
    """Keep whole what a connection still has of a file without a name.

    Raises:
        sqlite3.Error: it cannot be read or written, or is damaged.
        OSError: it cannot be written.
    """
    backup(conn, place(path))


@contextlib.contextmanager
def unnamed(path: Path) -> Generator[None, None, None]:
    """Take a database's name away meanwhile: SQLite closes what has none without a checkpoint.

    Raises:
        OSError: it cannot be renamed.
    """
    path.rename(_lent(path))
    try:
        yield
    finally:
        give_back(path, "")


def _lent(path: Path) -> Path:
    return path.with_name(f"{path.name}.lent")


def give_back(path: Path, at: str) -> None:
    """Give back a name that was taken for a moment, also if healmon was killed in that.

    Raises:
        OSError: it cannot be renamed.
    """
    lent = _lent(path)
    if not lent.exists():
        return
    if path.exists():
        lent.rename(free_name(path, "replaced", at))
    else:
        lent.rename(path)


def take_up(path: Path, at: str) -> str:
    """Give what was saved its name; return what became of what bore it, empty: nothing was saved.

    Raises:
        OSError: it cannot be renamed; the next opening finishes this.
    """
    saved = place(path)
    if not saved.exists():
        return ""
    told = f"{path.name} had lost its name; it was kept whole"
    if path.exists():
        kept = set_aside(path, "replaced", at, ("",))
        told = f"{path.name} had been replaced; what was there is kept as {kept.name}"
    # whose these are cannot be told any more: together they would be taken for one database
    if any(Path(f"{path}{end}").exists() for end in BESIDE):
        set_aside(path, "orphaned", at, BESIDE)
    saved.rename(path)
    return f"{told}, and healmon's own goes on"
