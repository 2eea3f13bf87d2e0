"""What is dangerous about a database beside its locks. Pure.

| condition | what was seen |
|---|---|
| `wal-growth` | a large -wal that cannot shrink because one reader pins its frames |
| `deleted-open` | somebody writes into a database or -wal that has been deleted |
| `hard-links` | the file has several names: users of another name do not see the -wal |
| `network` | other hosts may share it: their locks cannot be seen, WAL does not work there |
| `mixed-locking` | one user locks with a directory, another with the kernel: both are blind |
"""

from __future__ import annotations

import shlex

from healmon.clock import Reading, format_utc
from healmon.config.settings import Database
from healmon.databases import wording
from healmon.databases.classify import is_large
from healmon.databases.model import DatabaseSeen, Facts, VerdictWord
from healmon.plans import Finding
from healmon.text import as_typed, clean
from healmon.units import format_size


def hazards(
    database: Database, seen: DatabaseSeen, facts: Facts, word: VerdictWord, now: Reading
) -> tuple[Finding, ...]:
    """Return what is dangerous about a database that could be looked at."""
    found = (
        _growth(database, seen, facts) if word == "reader-pins-wal" else None,
        deleted(database, seen),
        _links(database, seen),
        _network(database, seen),
        _mixed(database, seen, now),
    )
    return tuple(finding for finding in found if finding is not None)


def _growth(database: Database, seen: DatabaseSeen, facts: Facts) -> Finding | None:
    pin = seen.pin
    if pin is None or seen.holder is None or not is_large(seen.samples[-1].reading):
        return None
    message = (
        f"{database.name}: reader {seen.holder} keeps the -wal from shrinking: it is large, and"
        f" grows until that read transaction ends"
    )
    advice = wording.advise(facts)
    if facts.order is not None and database.on_stale == "alert":
        advice = f"type: healmon unlock {as_typed(database.name)}"
    message += f"; {advice}" if advice else ""
    holder = facts.holder
    evidence = {
        "path": facts.path, "wal_size": facts.wal_size, "size": facts.size, "pid": pin.pid,
        "pinned_frames": pin.held_back, "pinned": format_size(facts.pinned),
        "command": holder.command if holder is not None else "",
        "user": holder.user if holder is not None else "",
        "tty": holder.tty if holder is not None else "",
        "pane": holder.pane if holder is not None else "",
        "cwd": holder.cwd if holder is not None else "",
    }  # fmt: skip
    if facts.why_not:
        evidence["left_alone"] = facts.why_not
    if holder is not None and holder.started:
        evidence["started"] = format_utc(holder.started)
    return Finding("wal-growth", "WARNING", message, evidence, confirmed=True)


def deleted(database: Database, seen: DatabaseSeen) -> Finding | None:
    """Return the finding about files that are open but have no name any more."""
    pids = list(seen.deleted)
    if not pids:
        return None
    who = f"pid {pids[0]}" + (f" and {len(pids) - 1} more" if len(pids) > 1 else "")
    path = clean(database.path)
    message = (
        f"{database.name}: {who} has {path} or its -wal open, but that file was deleted: what it"
        f" writes is lost when it ends; save it from there first (`.backup`), then restart it"
    )
    command = f"ls -l /proc/{pids[0]}/fd"
    evidence = {"path": path, "pids": pids, "look": command}
    return Finding("deleted-open", "CRITICAL", message, evidence, urgent=True)


def _links(database: Database, seen: DatabaseSeen) -> Finding | None:
    links = seen.samples[-1].reading.links
    if links < 2:
        return None
    path = clean(database.path)
    message = (
        f"{database.name}: {path} has more than one name (hard link): who opens another one misses"
        f" its -wal and journal, and reads old data or destroys it; keep one name"
    )
    find = f"find / -xdev -samefile {shlex.quote(path)}"
    return Finding("hard-links", "WARNING", message, {"path": path, "links": links, "look": find})


def _network(database: Database, seen: DatabaseSeen) -> Finding | None:
    reading = seen.samples[-1].reading
    if not reading.network:
        return None
    wal = "; WAL mode does not work there" if reading.mode == "wal" else ""
    message = (
        f"{database.name}: it is on {reading.network}, where other hosts hold locks that cannot be"
        f" seen here{wal}; healmon only watches it"
    )
    evidence = {"path": clean(database.path), "file_system": reading.network}
    return Finding("network", "WARNING", message, evidence)


def ripens(database: Database, seen: DatabaseSeen, now: Reading) -> float | None:
    """Return in how many seconds what is seen is dangerous if it only stays; None: in none."""
    first, last = seen.samples[0].reading, seen.samples[-1].reading
    lock = last.dotfile
    if lock is None or first.dotfile != lock or not (first.locks and last.locks):
        return None
    return max(0.0, database.busy_for - (now.wall - lock.mtime_ns / 1e9))


def _mixed(database: Database, seen: DatabaseSeen, now: Reading) -> Finding | None:
    if ripens(database, seen, now) != 0.0:
        return None
    path = clean(database.path)
    pids = sorted({held.pid for held in seen.samples[-1].reading.locks})
    message = (
        f"{database.name}: {path}.lock is there (unix-dotfile) while others lock it with the"
        f" kernel: they do not see each other and destroy it; let all use the same VFS"
    )
    evidence = {"path": path, "pids": pids}
    return Finding("mixed-locking", "CRITICAL", message, evidence, urgent=True)
