"""A store whose file lost its name while a healer has it open: what is still open is kept whole.

The copy has a name of its own until it takes the place: whatever ends healmon meanwhile, the next
opening finds it and goes on with it. What bears the name by then is set aside, never written.
"""

from __future__ import annotations

import contextlib
import os
import sqlite3
from collections.abc import Generator
from functools import partial
from pathlib import Path
from typing import Final

from healmon.store.asides import BESIDE, free_name, set_aside, size
from healmon.store.backup import backup, copy
from healmon.store.bearers import identify
from healmon.store.faults import Kind, MovedError, kind_of
from healmon.world import dbpairing
from healmon.world.walframes import walk

LOST: Final = "what it alone held is lost"
LARGE: Final = 64 << 20
"""Bytes of a -wal that is not looked through at a start: some seconds."""


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


def hold(path: Path, now: Path | None = None) -> None:
    """Give a database another name while nobody has it open: another may be moved in its place.

    Args:
        path: its name.
        now: what it is called before it gets that.
    """
    with contextlib.suppress(OSError):  # a file system without hard links
        _held(path).unlink(missing_ok=True)
        _held(path).hardlink_to(now or path)


def retake(path: Path, at: str) -> None:
    """Keep whole what was held, if something else bears its name by now.

    Raises:
        sqlite3.Error, OSError: it cannot be copied now.
    """
    held = _held(path)
    if identify(held) in {None, identify(path)}:
        return
    try:
        copy(held, place(path))
    except sqlite3.Error as error:
        if kind_of(error) is not Kind.DAMAGED:
            raise
        held.rename(free_name(path, "damaged", at))
    else:
        held.unlink()


def is_lost(path: Path) -> bool:
    """Return whether what was held has no other name; else it is not held any more.

    Raises:
        OSError: it cannot be removed.
    """
    held = _held(path)
    if identify(held) is None:
        return False
    if held.stat().st_nlink == 1:
        return True
    held.unlink()
    return False


def let_off(path: Path, at: str) -> None:
    """Give what a healmon held that was killed in that another name, if it has no other.

    Raises:
        OSError: it cannot be renamed.
    """
    if is_lost(path):
        _held(path).rename(free_name(path, "orphaned", at))


def _held(path: Path) -> Path:
    return path.with_name(f"{path.name}.held")


def stranger(path: Path) -> bool:
    """Return whether a -wal came beside a database, closed well, that is older than that."""
    wal = Path(f"{path}-wal")
    return size(path, "-wal") > 0 and wal.stat().st_mtime_ns < path.stat().st_mtime_ns


def must_be_alone(conn: sqlite3.Connection, path: Path, at: str) -> None:
    """Return if no older -wal came beside a database while it was opened.

    Args:
        conn: has read it, and written nothing; it is the only one.
        path: the database.
        at: the time now, as the store writes it.

    Raises:
        MovedError: one did; it is set aside, and the connection closed.
    """
    if stranger(path):
        with unnamed(path):
            conn.close()
        set_aside(path, "orphaned", at, BESIDE)
        raise MovedError("an older -wal came beside it while it was opened")


def must_have_its_index(path: Path, at: str, error: sqlite3.Error) -> None:
    """Return if it was not the -shm that kept a database, open nowhere here, from being read.

    Its -wal was truncated, or is another, and who reads on keeps the -shm from being made anew.

    Raises:
        MovedError: it was; it is set aside.
    """
    code = getattr(error, "sqlite_errorcode", 0)
    if code == sqlite3.SQLITE_IOERR_SHORT_READ and size(path, "-shm") > 0:
        set_aside(path, "orphaned", at, ("-shm",))
        raise MovedError("its -shm told of another -wal") from error


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
    hold(path, saved)
    saved.rename(path)
    return f"{told}, and healmon's own goes on"


def widowed(path: Path) -> str:
    """Return why a database is not there whose -wal is; SQLite would delete that, unread.

    Raises:
        OSError: nothing can be put in its place.
    """
    if size(path) > 0 or size(path, "-wal") <= 0:
        return ""
    why = "it is empty" if path.exists() else "it is gone"
    path.touch(0o600)  # so that the two are set aside, and read, as one
    return f"{why}, and its -wal was left: {LOST}"


def misfit(path: Path) -> str:
    """Return why what lies beside a database was not written for it; empty: nothing says so.

    Args:
        path: the database, open nowhere in this process.
    """
    wal = Path(f"{path}-wal")
    try:
        with wal.open("rb", buffering=0) as file:
            read = partial(_pread, file.fileno())
            frames = walk(read, wal.stat().st_size)
        # to be wrong costs nothing here: all of both is gone through
        why = dbpairing.misfit(os.fsencode(path), frames, hot=False, together=0)
    except OSError:
        return ""
    if not why or not frames.kept:
        return ""
    return f"its -wal was not written for it, {why}: what was between the two is lost"


def _pread(fd: int, length: int, offset: int) -> bytes:
    return os.pread(fd, length, offset)
