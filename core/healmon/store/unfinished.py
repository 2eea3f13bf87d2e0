"""Copies of the store that a killed healer was at: what is whole is kept, the rest cleared away.

A copy bears its name once it is whole and on the disk (`backup`). Killed a moment before that, it
may be the only one that has what it holds: the file that it was made of was gone already.
"""

from __future__ import annotations

import contextlib
import re
import sqlite3
import stat
from pathlib import Path
from typing import Final

from healmon.store import begun, rescue, schema
from healmon.store.asides import free_name, holds_something, size
from healmon.store.backup import must_be_whole
from healmon.store.faults import Kind, kind_of
from healmon.store.opening import connect

_BESIDE: Final = ("-journal", "-shm", "-wal")


def clear_away(path: Path, at: str) -> None:
    """Clear away what was begun beside the store and never got its name.

    Args:
        path: the database; healmon's lock is held, so nobody is at a copy for the store itself.
        at: the time now, as the store writes it.

    Raises:
        OSError: something cannot be removed or renamed; the next opening tries again.
    """
    rescue.give_back(path, at)
    name = re.escape(path.name)
    ours = re.compile(rf"\.{name}(?P<kind>|\.saved|\.layout-\d+)\.[0-9a-f]{{8}}\.new")
    for entry in sorted(path.parent.iterdir()):
        match = ours.fullmatch(entry.name)
        if match and _regular(entry):
            try:
                # an older layout's original still stands there
                whole = not match["kind"].startswith(".layout") and _whole(entry)
            except sqlite3.Error:
                continue  # that says nothing about the copy: it stays, the next opening looks again
            if whole:
                entry.rename(_name_of(path, at))
            _remove(entry)


def _regular(file: Path) -> bool:
    try:
        return stat.S_ISREG(file.lstat().st_mode)
    except FileNotFoundError:
        return False


def _whole(copy: Path) -> bool:
    """Return whether all was written. Only what SQLite takes back itself is changed.

    Raises:
        sqlite3.Error: it cannot be told now (no descriptors, no room, a failing disk).
    """
    if size(copy) <= 0 or size(copy, "-wal") > 0:
        return False
    # a journal takes a half copy back to nothing; a whole one, to what it was before a last touch
    how = "mode=rw" if size(copy, "-journal") > 0 else "immutable=1"
    try:
        with contextlib.closing(connect(copy, how)) as conn:
            (application,) = conn.execute("PRAGMA application_id").fetchone()
            must_be_whole(conn)
    except sqlite3.Error as error:
        if kind_of(error) is not Kind.DAMAGED:
            raise
        return False
    return bool(application == schema.APPLICATION_ID)


def _name_of(path: Path, at: str) -> Path:
    """Return the place from where a store is taken up, or, if there is one, a name beside it."""
    saved = rescue.place(path)
    if holds_something(path) or begun.doubted(path) or saved.exists():
        return free_name(path, "orphaned", at)
    return saved


def _remove(copy: Path) -> None:
    for end in ("", *_BESIDE):
        file = Path(f"{copy}{end}")
        if _regular(file):
            file.unlink()
