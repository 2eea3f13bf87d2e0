"""`healmon backup`: a whole copy of the health store, while a healer runs or none does."""

from __future__ import annotations

import argparse
import json
import os
import sqlite3
from contextlib import closing
from pathlib import Path

from healmon.clock import SystemClock, format_utc
from healmon.errors import DataError, HolderError, StoreFaultError
from healmon.service.commandline import say
from healmon.service.statedir import DATABASE
from healmon.store import read
from healmon.store.backup import backup as copy_to
from healmon.store.faults import words
from healmon.text import clean
from healmon.units import format_size

FAMILY = ("", "-wal", "-shm", "-journal")


def backup(state_dir: Path, args: argparse.Namespace) -> int:
    """Copy the health store as it is at this moment; returns 0.

    Raises:
        HolderError: there is none yet.
        DataError: there is something at the copy's name; it stays.
        StoreFaultError: the store cannot be read, or the copy not be written.
    """
    database = state_dir / DATABASE
    if not database.exists():
        raise HolderError(f"there is no health store in {clean(str(state_dir))} yet")
    target = _target(args.file)
    shown = clean(str(target))
    own = {os.path.realpath(f"{database}{end}") for end in FAMILY}
    if os.path.lexists(target) or os.path.realpath(target) in own:
        raise DataError(f"{shown} is there, or is the store's own", remedy="give another name")
    if getattr(args, "dry_run", False):
        say(f"would copy {clean(str(database))} to {shown}")
        return 0
    last = _copy(database, target)
    size = target.stat().st_size
    if getattr(args, "json", False):
        say(json.dumps({"file": str(target), "bytes": size, "last_event": last}))
    else:
        say(f"{shown}: {format_size(size)}, up to event {last}, quick_check ok")
    return 0


def _target(given: str | None) -> Path:
    stamp = format_utc(SystemClock().read().wall)[:19].replace("-", "").replace(":", "")
    name = f"healmon-{stamp.replace(' ', 'T')}Z.db"
    target = Path(given) if given else Path(name)
    return (target / name if target.is_dir() else target).absolute()


def _copy(database: Path, target: Path) -> int:
    """Make the copy; returns the id of the newest event in it."""
    try:
        with closing(read.open_reader(database)) as conn:
            conn.execute("BEGIN")
            last = read.last_event_id(conn)
            copy_to(conn, target, replace=False)
    except FileExistsError:
        raise DataError(f"{clean(str(target))} is there", remedy="give another name") from None
    except sqlite3.Error as error:
        raise StoreFaultError(f"no copy was made: {words(error, target)}") from error
    except OSError as error:
        why = error.strerror or str(error)
        raise StoreFaultError(
            f"no copy can be written to {clean(str(target))}: {why}",
            remedy="name a place that can be written, with room for it",
        ) from error
    return last
