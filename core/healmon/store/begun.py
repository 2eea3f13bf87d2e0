"""The file that takes the place of a damaged one: whole under a name of its own before any rename.

Whatever ends healmon meanwhile (a kill, a full disk), what was known is in one of the two: in the
damaged file, as long as that bears the name, or in this one, which then only has to be given it.
"""

from __future__ import annotations

import contextlib
import json
import os
import sqlite3
from pathlib import Path
from typing import Final

from healmon.store import schema
from healmon.store.salvage import RESTORE
from healmon.text import quoted

_BESIDE: Final = ("-journal", "-shm", "-wal")


def place(path: Path) -> Path:
    """Return where the file is made that will be at `path`."""
    return path.with_name(f"{path.name}.begun")


def begin(path: Path) -> None:
    """Have an empty file there. As long as it is there, the one at `path` is known to be damaged.

    It cannot be told from the -wal any more that was left with it: looking has taken that over.

    Raises:
        OSError: it cannot be made.
    """
    _remove(path, _BESIDE)
    flags = os.O_WRONLY | os.O_CREAT | os.O_TRUNC | os.O_NOFOLLOW | os.O_CLOEXEC
    os.close(os.open(place(path), flags, 0o600))


def doubted(path: Path) -> bool:
    """Return whether damage was found in the file at `path`, and healmon ended before the rest."""
    return place(path).exists()


def remove(path: Path) -> None:
    """Remove what was begun and not finished: nothing in it is the only one of its kind."""
    with contextlib.suppress(OSError):
        _remove(path, (*_BESIDE, ""))


def _remove(path: Path, ends: tuple[str, ...]) -> None:
    for end in ends:
        Path(f"{place(path)}{end}").unlink(missing_ok=True)


def successor_of(path: Path) -> str:
    """Return what the damaged file is to be called that a whole one succeeds; empty: there is none.

    Looks without leaving a byte.
    """
    file = place(path)
    wal = Path(f"{file}-wal")
    if not file.exists() or (wal.exists() and wal.stat().st_size):
        return ""  # its last words come last, and then it is closed
    try:
        uri = f"file:{quoted(str(file))}?immutable=1"
        with contextlib.closing(sqlite3.connect(uri, uri=True)) as conn:
            if schema.version_of(conn) != schema.VERSION:
                return ""
            return kept_of(conn)
    except sqlite3.Error:
        return ""


def kept_of(conn: sqlite3.Connection) -> str:
    """Return the name of the damaged file whose rows this one still takes; empty: there is none.

    Raises:
        sqlite3.Error: it cannot be read.
    """
    row = conn.execute("SELECT value FROM meta WHERE key = ?", (RESTORE,)).fetchone()
    try:
        return str(json.loads(row[0])["file"]) if row else ""
    except (ValueError, KeyError, TypeError):
        return ""
