"""Finding workers among all processes: by pid file and by command line. Touches nothing."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from itertools import chain
from typing import NamedTuple

from msgspec.structs import replace

from healmon.clock import Reading, process_seconds
from healmon.config.settings import Worker
from healmon.errors import ProbeError
from healmon.workers import match
from healmon.workers.beats import CLOCK_GRAIN
from healmon.workers.model import How, Match, StartRecord
from healmon.workers.tree import LINE_LIMIT, Family
from healmon.world import farfiles, launching
from healmon.world.processes import DEAD, Identity, Processes, ProcessFacts

SETTLED_AGE = 10.0
"""Seconds after which a process is taken to be what it will stay; before, it may still exec."""
TIMES = 4.0
"""How many times as long as it took a look at all serves others, beside its moment."""
LONGEST_GLANCE = 2.0
"""Seconds that this adds at most."""

Everyone = dict[Identity, ProcessFacts]
Candidates = dict[str, list[ProcessFacts]]


class Scan(NamedTuple):
    """One look at all processes.

    Attributes:
        began: process seconds (`healmon.clock`) when it began.
        everyone: all of them.
        found: for each worker those that may be it.
        family: whose child is whose.
        good_for: seconds from then on in which it serves others, too.
    """

    began: float
    everyone: Everyone
    found: Candidates
    family: Family
    good_for: float


class Finder:
    """Goes through all processes; remembers only what makes the next time cheap.

    Args:
        workers: who must be up.
        processes: the door.
        own_pid: of healmon itself.
        glance: seconds that one look at all serves those that ask for one; 0: each has its own.

    Attributes:
        boot: id of this boot, once somebody was seen.
        twins: for each worker the others that its command line does not tell it from.
    """

    def __init__(
        self,
        workers: Iterable[Worker],
        processes: Processes,
        own_pid: int,
        glance: float = 0.0,
    ) -> None:
        self.boot = ""
        self.own_pid = own_pid
        self._processes = processes
        workers = tuple(workers)
        index = match.Index(workers)
        self.twins = {worker.name: index.twins(worker) for worker in workers}
        self._index = index
        self._self: ProcessFacts | None = None
        self._uids: dict[str, int | None] = {}
        self._settled: frozenset[int] = frozenset()
        self._glance = glance
        self._newest: Scan | None = None
        self._exact: dict[tuple[str, Identity], tuple[str, ...]] = {}

    def around(self, touched: float = 0.0) -> Scan:
        """Return a look at all processes that began after something was touched.

        Where many ask at once, one look that is a moment old serves several: what it shows of one
        process is read again before anything is done to that. The moment is longer where a look
        takes long, or each would be too old by the time it is done.

        Args:
            touched: process seconds; infinity: look now.
        """
        began = process_seconds()
        newest = self._newest
        if newest is not None and newest.began >= max(touched, began - newest.good_for):
            return newest
        everyone, found = self.scan(full=True)
        family = Family(everyone.values(), self.own_pid)
        good_for = self._glance + min(TIMES * (process_seconds() - began), LONGEST_GLANCE)
        scan = Scan(began, everyone, found, family, good_for)
        self._newest = scan if self._glance else None
        return scan

    def scan(
        self, *, full: bool, kin: frozenset[int] = frozenset(), seen: Iterable[ProcessFacts] = ()
    ) -> tuple[Everyone, Candidates]:
        """Return who was looked at, and for each worker those that may be it.

        Args:
            full: look at all, not only at those that may have changed since the last time.
            kin: pids that are looked at every time.
            seen: who was looked at right now: not once more.
        """
        if full:
            self._exact.clear()
        seen = list(seen)
        skip = frozenset[int]() if full else self._settled - kin
        settled = set(skip)
        everyone: Everyone = {}
        found: Candidates = {}
        others = self._processes.everyone(skip.union([facts.identity.pid for facts in seen]))
        for facts in chain(seen, others):
            everyone[facts.identity] = facts
            hits = self._index.may_be(facts) if facts.state not in DEAD else []
            for worker in hits:
                found.setdefault(worker.name, []).append(facts)
            if not hits and facts.age > SETTLED_AGE:
                settled.add(facts.identity.pid)
        self._settled = frozenset(settled)
        for identity in everyone:
            self.boot = identity.boot
            break
        return everyone, found

    def matches(
        self,
        worker: Worker,
        known: Iterable[Identity],
        candidates: Iterable[ProcessFacts],
        everyone: Everyone,
    ) -> tuple[tuple[Match, ...], str]:
        """Return who is a worker by its pid file or its arguments, and what cannot be told.

        Args:
            worker: its settings.
            known: who is known to be it; then its pid file is not asked.
            candidates: who may be it, from `scan`.
            everyone: from `scan`.
        """
        known, candidates, trouble = set(known), list(candidates), ""
        named: ProcessFacts | None = None
        try:
            named = self._named_by_pid_file(worker) if worker.pid_file and not known else None
        except ProbeError as error:
            trouble = str(error)
        if named is not None and named.identity not in {f.identity for f in candidates}:
            candidates.append(named)
        matches: dict[Identity, Match] = {}
        for facts in candidates:
            by_file = named is not None and facts.identity == named.identity
            like = self._likeness(worker, facts)
            how: How = "pid file" if by_file else "command line"
            if like == "exact" or (by_file and like == "unclear"):
                matches[facts.identity] = Match(facts, how)
            elif like == "unclear" and not self._is_anothers(worker, facts):
                trouble = trouble or self._doubt(worker, facts)
        if len(matches) > 1 or (known and not matches.keys() <= known):
            matches = self._with_lines(matches, everyone)  # whose child is whose: rarely asked
        return _leaders(matches), trouble

    def is_still(self, worker: Worker, facts: ProcessFacts) -> bool:
        """Return whether a process that was a worker by its command line has the same still."""
        # at a look at all that is read again
        return self._exact.get((worker.name, facts.identity)) == facts.command

    def newborn(self, worker: Worker, record: StartRecord, now: Reading) -> Match | None:
        """Return the process that a pid file names, if both are younger than a start.

        For the moment after a start: a daemon may have given itself a title that is no command
        line, but a pid file and a process that came after the start can only come from it.
        """
        if not worker.pid_file:
            return None
        written = farfiles.changed_at(worker.pid_file)
        named = self._named_by_pid_file(worker)
        if written is None or named is None or written < record.wall - CLOCK_GRAIN:
            return None
        young = named.age <= now.steady - record.steady + CLOCK_GRAIN
        return Match(named, "pid file") if young else None

    def veiled(self) -> bool:
        """Return whether /proc hides processes: then absence proves nothing."""
        try:
            self._processes.identify(1)
        except ProbeError:
            return True  # there is always a process 1
        return False

    def _with_lines(
        self, matches: dict[Identity, Match], everyone: Everyone
    ) -> dict[Identity, Match]:
        parents = {f.identity.pid: f.parent for f in everyone.values()}

        def parent_of(pid: int) -> int:
            if pid not in parents:
                parents[pid] = self._parent(pid)
            return parents[pid]

        return {i: replace(m, line=_line(m.facts, parent_of)) for i, m in matches.items()}

    def _named_by_pid_file(self, worker: Worker) -> ProcessFacts | None:
        pid = farfiles.read_pid(worker.pid_file)
        identity = self._processes.identify(pid) if pid is not None else None
        return self._processes.inspect(identity) if identity is not None else None

    def _likeness(self, worker: Worker, facts: ProcessFacts) -> match.Likeness:
        if self.is_still(worker, facts):
            return "exact"
        own = self._own()
        if facts.identity.pid == self.own_pid or (
            own and own.namespace and facts.namespace and facts.namespace != own.namespace
        ):
            return ""  # a container's copy is the container's business
        try:
            origin = self._processes.origin(facts.identity)
        except ProbeError:
            return ""
        like = match.likeness(worker, origin) if origin is not None else ""
        if like and self._is_strangers(worker, facts):
            return "unclear"  # anybody can run these words, so that ours is never started
        if like == "exact" and facts.age > SETTLED_AGE:
            self._exact[worker.name, facts.identity] = facts.command
        return like

    def _parent(self, pid: int) -> int:
        """Return the parent of somebody who was left out of this scan; 0 when it is gone."""
        try:
            identity = self._processes.identify(pid)
            facts = self._processes.inspect(identity) if identity is not None else None
        except ProbeError:
            return 0
        return facts.parent if facts is not None else 0

    def _is_anothers(self, worker: Worker, facts: ProcessFacts) -> bool:
        """Return whether a stranger's process is surely not a worker that runs as one user.

        One that root starts, without a word on whom it becomes, may have become anybody.
        """
        return self._is_strangers(worker, facts) and bool(worker.user or self._uids[worker.user])

    def _is_strangers(self, worker: Worker, facts: ProcessFacts) -> bool:
        """Return whether another user runs a process than would run the worker; or root does."""
        if worker.user not in self._uids:
            own = self._own()
            known = own.uid if own is not None else None
            self._uids[worker.user] = launching.uid_of(worker.user) if worker.user else known
        return self._uids[worker.user] is not None and facts.uid not in {0, self._uids[worker.user]}

    def _own(self) -> ProcessFacts | None:
        if self._self is None:
            identity = self._processes.identify(self.own_pid)
            self._self = self._processes.inspect(identity) if identity is not None else None
        return self._self

    def _doubt(self, worker: Worker, facts: ProcessFacts) -> str:
        """Return why nobody can tell whether a process is a worker, and what would tell."""
        pid = facts.identity.pid
        if self._is_strangers(worker, facts):
            by = f"is run by user id {facts.uid}, not by {worker.user or 'the user of healmon'}"
            return f"pid {pid} may be it, but {by} (set user or pid_file, or end that one)"
        return (
            f"pid {pid} may be it, but the directory it was started in "
            "cannot be told (set pid_file, or start it by its absolute path)"
        )


def _line(facts: ProcessFacts, parent_of: Callable[[int], int]) -> tuple[int, ...]:
    """Return the pids of the ancestors of a process, nearest first, as far as they are known."""
    line: list[int] = []
    pid = facts.parent
    while pid > 1 and len(line) < LINE_LIMIT:
        line.append(pid)
        pid = parent_of(pid)
    return tuple(line)


def _leaders(matches: dict[Identity, Match]) -> tuple[Match, ...]:
    """Return the matches without those that others of them started, oldest first."""
    pids = {identity.pid for identity in matches}
    leaders = [m for m in matches.values() if not pids & set(m.line)]
    return tuple(sorted(leaders, key=lambda m: -m.facts.age))
