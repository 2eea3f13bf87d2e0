"""`healmon import`: history of earlier monitors into the store; the original stays as it is."""

from __future__ import annotations

import argparse
import json
import os
import shutil
import sqlite3
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta, timezone, tzinfo
from pathlib import Path
from zoneinfo import ZoneInfo

from healmon import __version__
from healmon.clock import SystemClock, format_utc
from healmon.config import locate
from healmon.config.load import load
from healmon.config.paths import here
from healmon.errors import DataError, ProbeError, StateDirError, StoreFaultError, UsageError
from healmon.service import history, statedir
from healmon.service.commandline import say
from healmon.service.instance import Lock
from healmon.service.statedir import DATABASE
from healmon.store import imported, opening
from healmon.store.faults import words
from healmon.store.read import open_reader
from healmon.store.schema import APPLICATION_ID
from healmon.text import clean
from healmon.units import format_size
from healmon.world.dbprivate import PrivateTables, private_copy, size_of

BAD_SHOWN = 20
"""Rows that could not be placed are told one by one up to so many; `--json` has more."""
BAD_KEPT = 10_000
ROOM = 2
"""How many times its size must be free: for the copy, and for its rows in the store."""
_ENTRY = {history.METRICS: history.metric, history.ALERTS: history.alert}
TABLES = tuple(_ENTRY)


class Source:
    """The tables of a private copy as entries, one at a time.

    Attributes:
        layouts: of the tables that there are.
        bad: table, row and why, of rows that cannot be placed.
        unplaced: how many those are.
        local: how many times were read as this host's own for want of a zone.
        first, last: the earliest and the latest moment as the store writes it; empty: no row.
    """

    def __init__(self, tables: PrivateTables, path: Path, zone: tzinfo | None) -> None:
        self._tables = tables
        self._path = str(path)
        self._zone = zone
        self.layouts = _layouts(tables, path)
        self.bad: list[tuple[str, int, str]] = []
        self.unplaced = self.local = 0
        self.first = self.last = ""

    def entries(self) -> Iterator[tuple[str, history.Entry]]:
        """Yield table and entry of every row that can be placed."""
        for table, layout in self.layouts.items():
            for number, row in self._tables.rows(table):
                try:
                    entry = _ENTRY[table](layout, number, row, self._zone, self._path)
                except history.Bad as error:
                    self.unplaced += 1
                    if len(self.bad) < BAD_KEPT:
                        self.bad.append((table, number, str(error)))
                    continue
                self.local += self._zone is None and history.is_local(row.get("timestamp"))
                at = str(entry.values[0])
                self.first, self.last = min(self.first or at, at), max(self.last, at)
                yield table, entry


def import_history(state_dir: Path, args: argparse.Namespace) -> int:
    """Bring history over, or remove what was; returns 0 when done.

    It holds the state directory meanwhile, so that there is one writer: with a healer on it, it is
    refused.

    Raises:
        UsageError: no file, or no such zone.
        HolderError: a healer runs.
        DataError: the file holds no such history, or cannot be read; nothing was brought over.
        StateDirError: there is no room.
        StoreFaultError: the store cannot be written; nothing was brought over.
    """
    if args.remove == bool(args.file):
        raise UsageError("import: give FILE, or --remove", remedy="see: healmon import --help")
    zone = _zone(args.zone)
    dry_run = bool(getattr(args, "dry_run", False))
    state_dir = statedir.prepare(state_dir)
    lock = Lock.acquire(state_dir, version=__version__, mode="import")
    try:
        if args.remove:
            said = _remove(state_dir, args, dry_run=dry_run)
        else:
            said = _import(state_dir, Path(args.file), zone, args, dry_run=dry_run)
    finally:
        lock.release()
    say(said)  # only here: a reader that has gone is no fault of what was done
    return 0


def _import(
    state_dir: Path, path: Path, zone: tzinfo | None, args: argparse.Namespace, *, dry_run: bool
) -> str:
    try:
        _must_fit(state_dir, path)
        with private_copy(path, state_dir) as copy:
            tables = PrivateTables(copy)
            try:
                return _bring_over(state_dir, Source(tables, path.absolute(), zone), args, dry_run)
            finally:
                tables.close()
    except ProbeError as error:
        shown, said = clean(str(path)), str(error.args[0])
        named = said if said.startswith(shown) else f"{shown}: {said}"
        raise DataError(named, remedy=error.remedy) from error
    except OSError as error:
        raise StateDirError(
            f"no copy can be made in {clean(str(state_dir))}: {error.strerror}",
            remedy="free some space there, or give another --state-dir",
        ) from error


def _bring_over(state_dir: Path, source: Source, args: argparse.Namespace, dry_run: bool) -> str:  # noqa: FBT001 - passed on
    added, known = dict.fromkeys(TABLES, 0), dict.fromkeys(TABLES, 0)
    if dry_run:
        for table, _ in source.entries():
            added[table] += 1
    else:
        conn = _open(state_dir, args)
        try:
            at = format_utc(SystemClock().read().wall)
            work = imported.take_all(conn, source.entries(), at, str(args.file))
            added, known = work.added, work.known
        except sqlite3.Error as error:
            why = words(error, state_dir / DATABASE)
            raise StoreFaultError(f"nothing was imported: {why}") from error
        finally:
            conn.close()
    if getattr(args, "json", False):
        return json.dumps(_told(args, source, added, known, dry_run=dry_run))
    return "\n".join(_lines(args, source, added, known, dry_run=dry_run))


def _told(
    args: argparse.Namespace, source: Source, added: dict[str, int], known: dict[str, int],
    *, dry_run: bool,
) -> dict[str, object]:  # fmt: skip
    bad = [{"table": table, "row": row, "why": why} for table, row, why in source.bad]
    return {
        "file": str(args.file), "layouts": source.layouts, "added": added, "known": known,
        "bad": bad, "bad_rows": source.unplaced, "local_times": source.local,
        "first": source.first, "last": source.last,
        "dry_run": dry_run,
    }  # fmt: skip


def _lines(
    args: argparse.Namespace, source: Source, added: dict[str, int], known: dict[str, int],
    *, dry_run: bool,
) -> Iterator[str]:  # fmt: skip
    shown = clean(str(args.file))
    for table, layout in source.layouts.items():
        would = "would be imported" if dry_run else "imported"
        here = f", {known[table]} were here already" if known[table] else ""
        yield f"{shown}: {table} (layout {layout}): {added[table]} rows {would}{here}"
    if source.first:
        yield f"from {source.first[:19]} to {source.last[:19]} UTC"
    if history.ALERTS in source.layouts and added[history.ALERTS]:
        yield "its alerts are kept as resolved: nobody is told of them"
    if source.local:
        yield f"{source.local} times say no zone and were read as this host's; --zone says another"
    for table, row, why in source.bad[:BAD_SHOWN]:
        yield f"left out: {table} row {row}: {why}"
    if source.unplaced > BAD_SHOWN:
        yield f"left out: {source.unplaced - BAD_SHOWN} more (--json names them)"


def _layouts(tables: PrivateTables, path: Path) -> dict[str, history.Layout]:
    """Return the layout of each table of history that there is.

    Raises:
        DataError: there is none, or one that is not known; names its columns.
    """
    if tables.application == APPLICATION_ID:
        raise DataError(
            f"{clean(str(path))} is a health store of healmon already",
            remedy="copies of it are made by `healmon backup`; use it with --state-dir",
        )
    found: dict[str, history.Layout] = {}
    for table in TABLES:
        columns = tables.columns(table)
        if not columns:
            continue
        layout = history.layout_of(table, columns)
        if layout is None:
            there = clean(", ".join(columns))
            known = "; or ".join(", ".join(sorted(n)) for _, n in history.LAYOUTS[table])
            raise DataError(
                f"{clean(str(path))}: table {table} has columns that are not known: {there}",
                remedy=f"known are tables with: {known}",
            )
        found[table] = layout
    if not found:
        raise DataError(
            f"{clean(str(path))} has no table {' or '.join(TABLES)}",
            remedy="name the database that an earlier monitor wrote into",
        )
    return found


def _open(state_dir: Path, args: argparse.Namespace) -> sqlite3.Connection:
    source = locate.find_config(getattr(args, "config", None), os.environ, here())
    name = load(source, os.environ).monitor.name
    database = state_dir / DATABASE
    try:
        return opening.open_store(database, name, format_utc(SystemClock().read().wall)).conn
    except sqlite3.Error as error:
        raise StoreFaultError(f"nothing was imported: {words(error, database)}") from error


def _must_fit(state_dir: Path, path: Path) -> None:
    need, free = ROOM * size_of(path), shutil.disk_usage(state_dir).free
    if need > free:
        raise StateDirError(
            f"{clean(str(state_dir))} has {format_size(free)} free;"
            f" importing {clean(str(path))} takes up to {format_size(need)}",
            remedy="free some space there, or give another --state-dir",
        )


def _remove(state_dir: Path, args: argparse.Namespace, *, dry_run: bool) -> str:
    gone = 0
    if (state_dir / DATABASE).exists():
        conn = open_reader(state_dir / DATABASE) if dry_run else _open(state_dir, args)
        try:
            gone = imported.count(conn) if dry_run else imported.forget(conn)
        except sqlite3.Error as error:
            raise StoreFaultError(f"nothing was removed: {words(error, state_dir)}") from error
        finally:
            conn.close()
    if getattr(args, "json", False):
        return json.dumps({"removed": 0 if dry_run else gone})
    if not gone:
        return "nothing was ever imported"
    return f"{gone} imported rows {'would be' if dry_run else 'were'} removed"


def _zone(text: str | None) -> tzinfo | None:
    """Return the zone of times that name none; None: this host's own.

    Raises:
        UsageError: there is no such zone.
    """
    if not text:
        return None
    if text.upper() in {"UTC", "Z"}:
        return UTC
    if text[0] in "+-":
        try:
            offset = datetime.fromisoformat(f"2000-01-01T00:00:00{text}").utcoffset()
            return timezone(offset or timedelta())
        except ValueError:
            pass
    try:
        return ZoneInfo(text)
    except (OSError, ValueError, LookupError):
        raise UsageError(
            f"--zone {clean(text, limit=60)}: no such time zone",
            remedy="give a name such as America/Los_Angeles, or an offset such as --zone=-08:00",
        ) from None
