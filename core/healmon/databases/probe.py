"""Looks at databases and at the processes that hold their locks. Touches nothing.

A lock alone says nothing: a healthy database is locked most of the time. So a database with a
write lock is looked at again, a few times within one look, until something moved or not.
"""

from __future__ import annotations

import os
from collections.abc import Iterable
from dataclasses import dataclass
from functools import partial

from msgspec.structs import replace

from healmon.clock import Clock
from healmon.config.settings import Database
from healmon.databases.classify import pin_of, same_hold, stands_still
from healmon.databases.model import DatabaseSeen, Holder, Sample, Seen
from healmon.errors import ProbeError
from healmon.text import clean
from healmon.world.hands import Hands
from healmon.world.processes import Processes, ProcessFacts
from healmon.world.sqlite import Locks, LookError

SAMPLES = 4
"""Looks at a lock that does not move."""
GAP = 0.1
"""Seconds between them."""


@dataclass(frozen=True, slots=True)
class Doors:
    """What looking and acting go through.

    Attributes:
        own_pid: the process that must never be touched; simulated worlds have another.
    """

    locks: Locks
    processes: Processes
    clock: Clock
    hands: Hands
    own_pid: int = 0

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
        looks = [partial(_next, found[name], paths[name], doors) for name in standing]
        for seen in await doors.hands.call(partial(_all, looks)):
            found[seen.name] = seen
        standing = tuple(name for name in standing if stands_still(found[name].samples))
        if not standing:
            break
    looks = [partial(_with_holder, seen, doors) for seen in found.values()]
    return Seen(tuple(await doors.hands.call(partial(_all, looks))))


def _all(looks: list[partial[DatabaseSeen]]) -> list[DatabaseSeen]:
    return [look_at_one() for look_at_one in looks]


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


def _with_holder(seen: DatabaseSeen, doors: Doors) -> DatabaseSeen:
    if not seen.samples:
        return seen
    reading = seen.samples[-1].reading
    pin = pin_of(reading)
    if same_hold(seen.samples) and reading.writer is not None:
        holder = holder_of(reading.writer.pid, doors)
        last = seen.samples[-1].identity
        if holder.identity != last:
            # it ended after the last sample: what is known of the new owner of its pid is no use
            holder = Holder(pid=reading.writer.pid, barred="it has just ended")
        return replace(seen, holder=holder, pin=pin)
    return replace(seen, pin=pin, holder=holder_of(pin.pid, doors) if pin is not None else None)


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
        command=clean(" ".join(facts.command), limit=200),
        user=place.user,
        tty=place.tty,
        cwd=place.cwd,
        started=doors.clock.read().wall - facts.age,
        barred=_barred(facts, place.user, doors),
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
    found: set[int] = set()
    while own is not None and own.parent > 0 and own.parent not in found:
        found.add(own.parent)
        own = facts_of(own.parent, doors)
    return found
