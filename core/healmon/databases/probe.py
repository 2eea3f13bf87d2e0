"""Looks at databases and at the processes that hold their locks. Touches nothing.

A lock alone says nothing: a healthy database is locked most of the time. So a database with a
write lock is looked at again, a few times within one look, until something moved or not.
"""

from __future__ import annotations

import os
from collections.abc import Iterable, Iterator
from dataclasses import dataclass, field
from functools import partial

from msgspec.structs import replace

from healmon.clock import Clock
from healmon.config.settings import Database
from healmon.databases.classify import pins_of, same_hold, stands_still
from healmon.databases.model import DatabaseSeen, Holder, Pin, Sample, Seen
from healmon.databases.policy import worker_of
from healmon.errors import MissingPartError, ProbeError
from healmon.redact import command_line
from healmon.text import clean
from healmon.world.dbreading import DatabaseReading, LookError
from healmon.world.hands import Hands
from healmon.world.mending import Mender
from healmon.world.pane import Pane
from healmon.world.processes import Processes, ProcessFacts
from healmon.world.sqlite import Locks
from healmon.world.supervised import Supervised
from healmon.world.tmux import Tmux

SAMPLES = 4
"""Looks at a lock that does not move."""
GAP = 0.1
"""Seconds between them."""


@dataclass(frozen=True, slots=True)
class Trace:
    """What was seen of a database's files at the last look.

    Attributes:
        deleted: somebody had a deleted one open then.
    """

    device: int
    inode: int
    wal_inode: int
    deleted: bool = False


@dataclass(frozen=True, slots=True)
class Doors:
    """What looking and acting go through.

    Attributes:
        own_pid: the process that must never be touched; simulated worlds have another.
        mender: takes over what a crash left; None: nothing is taken over.
        supervised: who healmon's workers are; None: it has none.
        tmux, sockets: where shells may stand in panes.
        traces: which files each database had at the last look.
    """

    locks: Locks
    processes: Processes
    clock: Clock
    hands: Hands
    own_pid: int = 0
    mender: Mender | None = None
    supervised: Supervised | None = None
    tmux: Tmux | None = None
    sockets: tuple[str, ...] = ()
    traces: dict[str, Trace] = field(default_factory=dict[str, "Trace"])

    @property
    def self_pid(self) -> int:
        """The pid of healmon itself, also after it forked into the background."""
        return self.own_pid or os.getpid()


async def look(databases: Iterable[Database], doors: Doors) -> Seen:
    """Return what all databases are like now; those under a standing lock looked at repeatedly."""
    paths = {database.name: database.path for database in databases}
    if not paths:
        return Seen(())  # without waking a thread
    found = {name: DatabaseSeen(name=name) for name in paths}
    standing = tuple(found)
    for turn in range(SAMPLES):
        if turn:
            await doors.clock.sleep(GAP)
        last = turn == SAMPLES - 1
        call = partial(_turn, found, standing, paths, doors, last=last)
        found, standing = await doors.hands.call(call, patient=True)
        if not standing:
            break
    return Seen(tuple(found.values()))


def _turn(
    found: dict[str, DatabaseSeen],
    standing: Iterable[str],
    paths: dict[str, str],
    doors: Doors,
    *,
    last: bool,
) -> tuple[dict[str, DatabaseSeen], tuple[str, ...]]:
    """Return all that was seen, with one more look at some, and which of those to look at again.

    Where that is none, the holders are looked at as well: most looks wake the thread only once.
    """
    found = found | {name: _next(found[name], paths[name], doors) for name in standing}
    again = tuple(name for name in standing if stands_still(found[name].samples))
    if again and not last:
        return found, again
    return {name: _with_holder(seen, paths[name], doors) for name, seen in found.items()}, ()


def _next(seen: DatabaseSeen, path: str, doors: Doors) -> DatabaseSeen:
    try:
        sample = take_sample(path, doors)
    except LookError as error:
        return DatabaseSeen(name=seen.name, word=error.word, reason=clean(str(error), limit=300))
    return replace(seen, samples=(*seen.samples, sample))


def take_sample(path: str, doors: Doors) -> Sample:
    """Return one look at a database and at its writer. Blocks.

    Raises:
        LookError: the database cannot be looked at.
    """
    reading = doors.locks.look(path)
    if reading.writer is None:
        return Sample(reading)
    facts = facts_of(reading.writer.pid, doors)
    if facts is None:
        return Sample(reading)
    return Sample(reading, facts.identity, facts.state, facts.cpu_seconds)


def facts_of(pid: int, doors: Doors) -> ProcessFacts | None:
    """Return one look at whoever has this pid; None when it is gone or cannot be read."""
    if pid <= 0:
        return None
    try:
        identity = doors.processes.identify(pid)
        return None if identity is None else doors.processes.inspect(identity)
    except ProbeError:
        return None


def _with_holder(seen: DatabaseSeen, path: str, doors: Doors) -> DatabaseSeen:
    seen = _with_users(seen, path, doors)
    if not seen.samples:
        return seen
    reading = seen.samples[-1].reading
    pin = _worst_pin(reading, doors)
    if same_hold(seen.samples) and reading.writer is not None:
        pid = reading.writer.pid
        if pid == -1:
            # the kernel does not say who; whoever has such a lock on it open may be
            pid = next((user.pid for user in seen.users if user.ofd), pid)
            return replace(seen, holder=replace(holder_of(pid, doors), pid=-1), pin=pin)
        holder = holder_of(pid, doors)
        last = seen.samples[-1].identity
        if holder.identity != last:
            # it ended after the last sample: what is known of the new owner of its pid is no use
            holder = Holder(pid=pid, barred="it has just ended")
        return replace(seen, holder=holder, pin=pin)
    return replace(seen, pin=pin, holder=holder_of(pin.pid, doors) if pin is not None else None)


def _worst_pin(reading: DatabaseReading, doors: Doors) -> Pin | None:
    pin = next(iter(pins_of(reading)), None)
    facts = facts_of(pin.pid, doors) if pin is not None else None
    if pin is None or facts is None:
        return pin
    return replace(pin, identity=facts.identity, state=facts.state, cpu=facts.cpu_seconds)


def _with_users(seen: DatabaseSeen, path: str, doors: Doors) -> DatabaseSeen:
    """Look for everybody who has the files open, where something is wrong; it is dear."""
    last = seen.samples[-1].reading if seen.samples else None
    before = doors.traces.get(seen.name)
    ask = seen.word == "missing" or (last is not None and _is_odd(last, before))
    if last is not None and stands_still(seen.samples):
        ask = True
    if not ask:
        return seen
    users = doors.locks.users(path)
    seen = replace(seen, users=users.found, all_seen=users.complete)
    if last is not None:
        doors.traces[seen.name] = Trace(last.device, last.inode, last.wal_inode, bool(seen.deleted))
    elif not seen.deleted:
        doors.traces.pop(seen.name, None)
    return seen


def _is_odd(reading: DatabaseReading, before: Trace | None) -> bool:
    """Return whether somebody may have a deleted file open, or a file has been left behind."""
    if reading.leftover is not None or reading.dotfile is not None or before is None:
        return True
    connected = any(lock.name == "WAL_DMS" for lock in reading.locks)
    files = (before.device, before.inode, before.wal_inode)
    moved = files != (reading.device, reading.inode, reading.wal_inode)
    return before.deleted or moved or (connected and reading.wal is None)


def holder_of(pid: int, doors: Doors) -> Holder:
    """Return who has this pid, for people, and whether healmon must leave it alone. Blocks."""
    facts = facts_of(pid, doors)
    if facts is None:
        return Holder(pid=pid, barred="it cannot be read in /proc")
    place = doors.locks.whereabouts(facts)
    return Holder(
        pid=pid,
        identity=facts.identity,
        name=clean(facts.name, limit=60),
        command=command_line(facts.command),
        user=place.user,
        tty=place.tty,
        cwd=place.cwd,
        started=doors.clock.read().wall - facts.age,
        pane=_pane_at(place.tty, doors),
        sqlite=place.sqlite,
        worker=_worker(facts, doors),
        barred=_barred(facts, place.user, doors),
    )


def pane_of(tty: str, doors: Doors) -> Pane | None:
    """Return the pane of a watched tmux server whose terminal this is (`pts/3`). Blocks."""
    if doors.tmux is None or not tty.startswith("pts/"):
        return None
    for socket in doors.sockets:
        try:
            panes = doors.tmux.panes(socket)
        except (ProbeError, MissingPartError):
            continue
        for pane in panes:
            if pane.tty == f"/dev/{tty}":
                return pane
    return None


def _pane_at(tty: str, doors: Doors) -> str:
    pane = pane_of(tty, doors)
    return f"{pane.session}:{pane.window_index}.{pane.pane_index} ({pane.id})" if pane else ""


def _worker(facts: ProcessFacts, doors: Doors) -> str:
    known = doors.supervised.known() if doors.supervised is not None else {}
    if not known:
        return ""
    leader = facts_of(facts.session, doors)
    return worker_of(
        tuple(_line(facts, doors)), known, leader.identity if leader is not None else None
    )


def _barred(facts: ProcessFacts, user: str, doors: Doors) -> str:
    """Return why this process must never be signalled; empty: it may be."""
    pid = facts.identity.pid
    if pid == 1:
        return "it is pid 1"
    if pid == doors.self_pid:
        return "it is healmon itself"
    own = facts_of(doors.self_pid, doors)
    if pid in _ancestors(own, doors):
        return "healmon runs inside it"
    if facts.namespace != (own.namespace if own is not None else 0):
        return "it is in another pid namespace (a container), or its namespace cannot be read"
    if own is not None and own.uid not in {0, facts.uid}:
        return f"it belongs to {user}, and healmon may not signal it"
    return ""


def _ancestors(own: ProcessFacts | None, doors: Doors) -> set[int]:
    return {facts.identity.pid for facts in _line(own, doors)} - {doors.self_pid}


def _line(facts: ProcessFacts | None, doors: Doors) -> Iterator[ProcessFacts]:
    """Pass over a process and its ancestors, nearest first."""
    found: set[int] = set()
    while facts is not None and facts.identity.pid not in found:
        found.add(facts.identity.pid)
        yield facts
        facts = facts_of(facts.parent, doors)
