"""Where healmon lives: its state directory, its store, and what was left lying about."""

from __future__ import annotations

import os
import pwd
import sqlite3
import stat
import tempfile
from collections.abc import Iterator
from contextlib import closing
from pathlib import Path

from healmon.config import locate
from healmon.config.paths import holds_no_store, short
from healmon.errors import HealmonError, ProbeError
from healmon.service import instance
from healmon.service.doctor.model import Finding, Ground
from healmon.service.statedir import DATABASE
from healmon.store import opening, read, schema
from healmon.text import clean
from healmon.units import format_size
from healmon.world import ground as kernel
from healmon.world import notes
from healmon.world.dbprivate import private_copy
from healmon.world.dbreading import NETWORK

LITTLE, LEAST = 200 << 20, 20 << 20
"""Free bytes below which it is a warning, and critical."""
STEPS = (
    "SELECT count(*) FROM events WHERE kind = 'clockjumped'"
    " AND timestamp > datetime('now', '-7 days')"
)


def state_directory(ground: Ground) -> Iterator[Finding]:
    """Look at the state directory: whose it is, where it lies, what is left there."""
    name, path = "state-dir", ground.state_dir
    shown = clean(short(str(path)))
    if why := _unfit(ground):
        yield Finding(name, "critical", f"{shown} {why}", shown, locate.SHORTER)
        return
    there = next(p for p in (path, *path.parents) if p.exists())
    if there != path:
        yield Finding(name, "ok", f"{shown} is not there yet; the first start makes it", shown)
    else:
        yield from _ours(path, shown)
    if not os.access(there, os.W_OK | os.X_OK, effective_ids=True):
        yield Finding(
            name, "critical", f"{clean(str(there))} cannot be written", shown,
            "give another --state-dir, or mend its permissions",
        )  # fmt: skip
        return
    yield from _file_system(there, shown)
    yield from _space(there, shown)


def _unfit(ground: Ground) -> str:
    """Return why nothing of healmon's can be there, whatever is; then nothing more is looked at."""
    return holds_no_store(os.path.realpath(ground.state_dir))


def _ours(path: Path, shown: str) -> Iterator[Finding]:
    found = path.stat()
    if not stat.S_ISDIR(found.st_mode):
        yield Finding("state-dir", "critical", f"{shown} is no directory", shown, "move it away")
    elif found.st_uid != os.geteuid():
        yield Finding(
            "state-dir", "critical", f"{shown} belongs to {_user(found.st_uid)}", shown,
            "run healmon as that user, or give another --state-dir",
        )  # fmt: skip
    elif found.st_mode & 0o022:
        yield Finding(
            "state-dir", "critical",
            f"{shown} can be written by others (mode {found.st_mode & 0o7777:04o})", shown,
            f"chmod 0700 {shown}",
        )  # fmt: skip
    elif found.st_mode & 0o055:
        yield Finding(
            "state-dir", "warning", f"{shown} can be read by others", shown, f"chmod 0700 {shown}"
        )
    else:
        yield Finding("state-dir", "ok", f"{shown} is yours alone", shown)


def _file_system(there: Path, shown: str) -> Iterator[Finding]:
    mount = kernel.mount_of(os.path.realpath(there))
    kind = mount.kind if mount is not None else "unknown"
    if kind in NETWORK or kind.startswith("fuse"):
        yield Finding(
            "state-dir", "critical",
            f"{shown} lies on {kind}: SQLite's log and locks do not hold across hosts", shown,
            "give a --state-dir on a disk of this host",
        )  # fmt: skip
    elif kind in {"tmpfs", "ramfs"}:
        yield Finding(
            "state-dir", "warning", f"{shown} lies in memory ({kind}): a restart of the host"
            " forgets all history", shown, "give a --state-dir on a disk",
        )  # fmt: skip
    works = kernel.locks_work(str(there))
    if works is None:
        yield Finding("state-dir", "unknown", f"locks cannot be tried on {kind}", shown)
    elif works:
        yield Finding("state-dir", "ok", f"locks keep others out there ({kind})", shown)
    else:
        yield Finding(
            "state-dir", "critical", f"locks do not keep others out on {kind}: two healers could"
            " run", shown, "give a --state-dir on another file system",
        )  # fmt: skip


def _space(there: Path, shown: str) -> Iterator[Finding]:
    room = kernel.room(str(there))
    left = f"{format_size(room.free)} free"
    if room.free < LEAST or (room.files and not room.free_files):
        yield Finding(
            "state-dir", "critical", f"{left}, {room.free_files} files: history cannot be kept",
            shown, "free some space, or give another --state-dir",
        )  # fmt: skip
    elif room.free < LITTLE:
        yield Finding("state-dir", "warning", f"only {left}", shown, "free some space")
    else:
        yield Finding("state-dir", "ok", left, shown)


# -- the store


def store(ground: Ground) -> Iterator[Finding]:
    """Look whether the health store is whole, without changing a byte of it."""
    path = ground.state_dir / DATABASE
    shown = clean(str(path))
    if _unfit(ground):
        return
    if not path.exists():
        yield Finding("store", "ok", "there is no health store yet", shown)
        return
    if instance.holder(ground.state_dir) is not None:
        # it is open already: one more reader changes nothing
        with closing(read.open_reader(path)) as conn:
            yield from _judged(conn, shown)
    elif Path(f"{path}-wal").exists() or Path(f"{path}-journal").exists():
        # a reader would take up what a killed healer left, and remove it
        with (
            tempfile.TemporaryDirectory(prefix="healmon-doctor-") as folder,
            private_copy(path, Path(folder)) as copy,
            closing(_open(copy, "mode=rw")) as conn,
        ):
            yield from _judged(conn, shown)
    else:
        with closing(_open(path, "immutable=1")) as conn:
            yield from _judged(conn, shown)


def _open(path: Path, how: str) -> sqlite3.Connection:
    return opening.connect(path, how)


def _judged(conn: sqlite3.Connection, shown: str) -> Iterator[Finding]:
    try:
        (application,) = conn.execute("PRAGMA application_id").fetchone()
        version = schema.version_of(conn)
        (verdict,) = conn.execute("PRAGMA quick_check(1)").fetchone()
        steps = conn.execute(STEPS).fetchone()[0] if version and verdict == "ok" else 0
    except sqlite3.Error as error:
        said = f"it cannot be read: {clean(str(error))}"
        remedy = "the next start sets a damaged store aside and goes on with what can be read"
        yield Finding("store", "critical", said, shown, remedy)
        return
    if application != schema.APPLICATION_ID or version > schema.VERSION:
        what = (
            "is no store of this version" if application == schema.APPLICATION_ID else "is no store"
        )
        yield Finding(
            "store", "critical", f"{shown} {what} (layout {version})", shown,
            "update healmon, or give another --state-dir",
        )  # fmt: skip
    elif verdict != "ok":
        yield Finding(
            "store", "critical", f"it is damaged: {clean(str(verdict), limit=200)}", shown,
            "the next start sets it aside and goes on with what can be read",
        )  # fmt: skip
    else:
        yield Finding("store", "ok", f"it is whole (layout {version})", shown)
    if steps:
        yield Finding(
            "clock", "warning", f"the clock was set, or the host slept, {steps} times in a week",
            shown, "see: healmon events --since 7d",
        )  # fmt: skip


# -- what was left


def leftovers(ground: Ground) -> Iterator[Finding]:
    """Look for what earlier runs left behind."""
    home, name = ground.state_dir, "leftovers"
    if _unfit(ground) or not home.is_dir():
        return
    found = sorted(entry.name for entry in home.iterdir())
    aside = [n for n in found if n.startswith(f"{DATABASE}.") and not n.endswith((".new",))]
    aside = [n for n in aside if any(w in n for w in ("damaged", "orphaned", "replaced"))]
    if aside:
        size = sum((home / n).stat().st_size for n in aside)
        yield Finding(
            name, "warning", f"{len(aside)} files of stores set aside, {format_size(size)}",
            clean(str(home / aside[0])), "remove them once you miss nothing",
        )  # fmt: skip
    halves = [n for n in found if n.startswith("import-") or n.endswith(".new")]
    if halves and instance.holder(home) is None:
        yield Finding(
            name, "warning", f"left by something that was killed: {clean(', '.join(halves[:5]))}",
            clean(str(home)),
            "the next start and the next import remove their own; the others may be removed",
        )  # fmt: skip
    yield from _pid_file(home)
    if ground.settings is not None:
        yield from _folders(ground, home)


def _pid_file(home: Path) -> Iterator[Finding]:
    path = home / "healmon.pid"
    try:
        pid = notes.read_pid(str(path))
    except ProbeError:
        return
    if pid is not None and instance.holder(home) is None:
        yield Finding(
            "leftovers", "ok", f"healmon.pid names pid {pid}, which heals nothing; it blocks no"
            " start", clean(str(path)),
        )  # fmt: skip


def _folders(ground: Ground, home: Path) -> Iterator[Finding]:
    assert ground.settings is not None
    try:
        there = {entry.name for entry in (home / "workers").iterdir() if entry.is_dir()}
    except OSError:
        return
    known = {notes.folder_name(worker.name) for worker in ground.settings.workers}
    strange = sorted(there - known)
    if strange:
        shown = clean(", ".join(strange[:8]))
        yield Finding(
            "leftovers", "ok", f"logs of workers that are not configured: {shown}",
            clean(str(home / "workers")),
        )  # fmt: skip


def holder(ground: Ground) -> Iterator[Finding]:
    """Tell who heals here now."""
    try:
        found = instance.holder(ground.state_dir)
    except HealmonError as error:
        yield Finding("healer", "unknown", clean(str(error)))
        return
    yield Finding("healer", "ok", f"a healer runs: {found}" if found else "no healer runs here now")


def _user(uid: int) -> str:
    try:
        return clean(pwd.getpwuid(uid).pw_name, limit=60)
    except KeyError:
        return f"uid {uid}"
