"""On whom healmon may act for a lock, and how. Pure.

A stopped holder may be continued, whoever it is: that loses nothing. Ended is only one that healmon
is answerable for (a worker of its own, or what that left behind), or one that the configuration
names (`may_kill`); never one on the keep list, and never where what is seen may be meant so. A
reader that pins the -wal keeps nobody from writing: it is ended only where `end_readers` says so.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from fnmatch import fnmatchcase

from healmon.config.settings import Database
from healmon.databases.model import MOVING, DatabaseSeen, Deed, Holder, Memory, VerdictWord
from healmon.world.apart import APART
from healmon.world.dbreading import WRITE_LOCKS, DatabaseReading
from healmon.world.processes import Identity, ProcessFacts

UNMOVED = {"D": "it waits for its storage", "T": "it is stopped", "t": "a debugger has stopped it"}
SHELLS = frozenset({"sqlite3", "sqlite"})


def worker_of(
    line: tuple[ProcessFacts, ...],
    known: Mapping[str, Iterable[Identity]],
    leader: Identity | None = None,
) -> str:
    """Return the worker that a process is, or belongs to; empty: none.

    Args:
        line: the process, then its ancestors, nearest first.
        known: of each worker, its processes and shims of this run and of those before.
        leader: who has the pid of the process's session now; None: nobody.
    """
    owners = {identity: name for name, identities in known.items() for identity in identities}
    for facts in line:
        if facts.name in APART:
            return ""  # it holds other people's work, whoever started it
        if facts.identity in owners:
            return owners[facts.identity]
    return _by_session(line[0], owners, leader) if line else ""


def _by_session(
    facts: ProcessFacts, owners: Mapping[Identity, str], leader: Identity | None
) -> str:
    """The kernel gives the pid of a session's leader to nobody while one process is left in it."""
    for owner, name in owners.items():
        same = owner.pid == facts.session and owner.boot == facts.identity.boot
        if same and owner.ticks <= facts.identity.ticks and leader in {None, owner}:
            return name
    return ""


def matches(holder: Holder, patterns: Iterable[str]) -> bool:
    """Return whether a pattern is that of a process: of its name or its whole command line."""
    return any(
        fnmatchcase(text, pattern) for pattern in patterns for text in (holder.name, holder.command)
    )


def deed_for(database: Database, seen: DatabaseSeen, word: VerdictWord) -> Deed | None:
    """Return what healmon would do to a holder, were nothing against it; None: nothing."""
    holder = seen.holder
    if holder is None:
        return None
    if word == "stopped":
        return "continue"
    if word != "idle-in-transaction":
        return None
    if database.rollback_shells and holder.name in SHELLS and holder.pane:
        return "rollback"
    return "end" if holder.worker or matches(holder, database.may_kill) else None


def why_not(
    database: Database, seen: DatabaseSeen, word: VerdictWord, memory: Memory, deed: Deed | None
) -> str:
    """Return why the holder is left alone; empty: it may be acted on."""
    holder, last, done = seen.holder, seen.samples[-1], memory.acted
    if word == "working" or holder is None:
        return ""
    network = last.reading.network
    acted = done is not None and done.identity == holder.identity
    again = {
        "continue": "healmon has continued it once and it was stopped again: somebody means it",
    }.get(done.deed if done is not None else "", "healmon has acted on it within ten minutes")
    if deed != "continue" and done is not None and done.deed == "continue":
        again = "healmon has continued it within ten minutes"
    reasons = (
        (deed is None, _nobodys(word)),
        (last.state == "t", "a debugger has stopped it"),
        (bool(network), f"on {network} the locks of other hosts look like ours"),
        (bool(holder.barred), holder.barred),
        (matches(holder, database.keep), "it is on the keep list"),
        (acted, again),
        (deed != "continue" and _may_be_meant(seen), "it may be in exclusive locking mode"),
    )
    return next((text for applies, text in reasons if applies), "")


def why_reader_stays(database: Database, seen: DatabaseSeen, memory: Memory) -> str:
    """Return why a reader that pins the -wal is left alone; empty: it may be ended."""
    holder, pin, done = seen.holder, seen.pin, memory.acted
    if holder is None or pin is None:
        return "it cannot be named"
    reading = seen.samples[-1].reading
    ours = bool(holder.worker) or matches(holder, database.may_kill)
    acted = done is not None and done.identity == holder.identity
    reasons = (
        (not database.end_readers, "healmon ends no reader without end_readers"),
        (not ours, "healmon ends no reader but its own workers and whom may_kill names"),
        (bool(reading.network), f"on {reading.network} the locks of other hosts look like ours"),
        (bool(holder.barred), holder.barred),
        (pin.identity is None or pin.identity != holder.identity, "it has just ended"),
        (matches(holder, database.keep), "it is on the keep list"),
        (acted, "healmon has acted on it within ten minutes"),
        (pin.state not in MOVING, UNMOVED.get(pin.state, "it has just ended")),
        (holder.pid in writers(reading), "it writes, too"),
    )
    return next((text for applies, text in reasons if applies), "")


def writers(reading: DatabaseReading) -> set[int]:
    """Return who holds a lock with which one writes."""
    return {lock.pid for lock in reading.locks if lock.name in WRITE_LOCKS and lock.exclusive}


def _nobodys(word: VerdictWord) -> str:
    if word == "idle-in-transaction":
        return "healmon ends nobody for a lock but its own workers and whom may_kill names"
    return "healmon ends nobody for a lock"


def _may_be_meant(seen: DatabaseSeen) -> bool:
    """A service with locking_mode=EXCLUSIVE holds its lock without a transaction, for good.

    Only a hot journal shows that there is one.
    """
    reading = seen.samples[-1].reading
    return "EXCLUSIVE" in reading.write_locks and not reading.hot
