"""What an error of the database means: whose fault it is, what helps, in words for a person."""

from __future__ import annotations

import enum
import errno
import sqlite3
from pathlib import Path

from healmon.errors import StoreVersionError
from healmon.text import clean


class Kind(enum.Enum):
    """What to do about an error."""

    LOCKED = "wait"
    FULL = "make room, then wait"
    UNWRITABLE = "open again, then wait"
    DAMAGED = "set aside and begin a new file"
    UNFIT = "this record cannot be stored at all"


class MovedError(Exception):
    """The database file, or what is beside it, is no longer what was opened."""


class StrandedError(Exception):
    """What was committed is in a -wal without a name, and cannot be brought home now."""


_KINDS = {
    sqlite3.SQLITE_BUSY: Kind.LOCKED,
    sqlite3.SQLITE_LOCKED: Kind.LOCKED,
    sqlite3.SQLITE_PROTOCOL: Kind.LOCKED,
    sqlite3.SQLITE_FULL: Kind.FULL,
    sqlite3.SQLITE_CORRUPT: Kind.DAMAGED,
    sqlite3.SQLITE_NOTADB: Kind.DAMAGED,
    sqlite3.SQLITE_CONSTRAINT: Kind.UNFIT,
    sqlite3.SQLITE_MISMATCH: Kind.UNFIT,
    sqlite3.SQLITE_TOOBIG: Kind.UNFIT,
    sqlite3.SQLITE_RANGE: Kind.UNFIT,
}

_FULL = (errno.ENOSPC, errno.EDQUOT)

_HELP = {
    Kind.LOCKED: "another process holds a lock on it; `fuser {path}` names who has it open",
    Kind.FULL: "free space on the file system of {path}",
    Kind.UNWRITABLE: "check the file system and the permissions of {path}",
}


def code_of(error: BaseException) -> int:
    """Return SQLite's primary result code, or -1 for an error that is not SQLite's own."""
    code = getattr(error, "sqlite_errorcode", None)
    return code & 0xFF if isinstance(code, int) else -1


def kind_of(error: BaseException) -> Kind:
    """Return what helps against an error. Only CORRUPT and NOTADB ever count as damage."""
    code = code_of(error)
    if code != -1:
        return _KINDS.get(code, Kind.UNWRITABLE)
    if isinstance(error, OSError) and error.errno in _FULL:
        return Kind.FULL
    if isinstance(error, StrandedError):
        return Kind.LOCKED  # whatever keeps it, to let go of it would lose it
    if isinstance(error, sqlite3.OperationalError):
        return Kind.DAMAGED  # Python's own: a text in the file is not UTF-8
    return Kind.UNFIT if isinstance(error, sqlite3.Error) else Kind.UNWRITABLE


def words(error: BaseException, path: Path) -> str:
    """Return the error as one line: what, where, how to mend it."""
    if isinstance(error, MovedError):
        return clean(f"{path.name}: {error}; going on with a new one")
    if isinstance(error, StoreVersionError):
        return clean(str(error).partition("\n")[0])
    name = getattr(error, "sqlite_errorname", type(error).__name__)
    told = _HELP.get(kind_of(error.__cause__ or error), "").format(path=path)
    text = f"{path.name}: {error} ({name})"
    return clean(f"{text}; {told}" if told else text)
