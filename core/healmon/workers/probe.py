"""Looking for workers: by identity, by pid file, by command line. Touches nothing."""

from __future__ import annotations

from collections.abc import Callable, Iterable

from msgspec.structs import replace

from healmon.clock import Reading
from healmon.config.settings import Worker
from healmon.errors import ProbeError
from healmon.workers import match
from healmon.workers.model import EndRecord, How, Match, Seen, StartRecord, WorkerSeen
from healmon.workers.records import Records
from healmon.world import notes
from healmon.world.processes import DEAD, Identity, Processes, ProcessFacts

SETTLED_AGE = 10.0
"""Seconds after which a process is taken to be what it will stay; before, it may still exec."""
FULL_EVERY = 10
"""Every so many looks all processes are looked at again, whatever was seen before."""
CLOCK_GRAIN = 0.05
"""Seconds that file times and process ages are coarse."""
ANCESTORS = 32
TAIL_LINES = 5


class Probe:
    """Looks at all workers; remembers only what makes the next look cheap.

    Args:
        workers: who must be up.
        records: what healmon wrote about them.
        processes: the door.
        own_pid: of healmon itself.
    """

    def __init__(
        self, workers: Iterable[Worker], records: Records, processes: Processes, own_pid: int
    ) -> None:
        self._workers = tuple(workers)
        self._records = records
        self._processes = processes
        self._own_pid = own_pid
        self._needles: dict[str, list[Worker]] = {}
        for worker in self._workers:
            self._needles.setdefault(match.needle(worker), []).append(worker)
        self._namespace: int | None = None
        self._boot = ""
        self._looks = 0
        self._settled: set[int] = set()
        self._cpu: dict[Identity, tuple[float, float]] = {}
        self._beats: dict[str, tuple[float, float, float]] = {}

    def look(self, hints: dict[str, Identity], acting: frozenset[str], now: Reading) -> Seen:
        """Return what is there. Blocks; call it on a thread of its own.

        Args:
            hints: who each worker was when it was last seen.
            acting: workers that a plan is acting on right now.
            now: the time.

        Raises:
            ProbeError: the processes cannot be seen at all.
        """
        known = {w.name: self._known(w, hints.get(w.name), now) for w in self._workers}
        full = self._looks % FULL_EVERY == 0 or any(not k.known for k in known.values())
        self._looks += 1
        everyone, found = self._scan(full=full)
        cpu = self._cpu_since(f for k in known.values() for f in k.known)
        seen: dict[str, WorkerSeen] = {}
        for worker in self._workers:
            one = self._with_matches(worker, known[worker.name], found, everyone)
            up = bool(one.known or one.matches)
            beat, age = self._beat(worker, now) if up else (None, None)
            log = self._records.log_path(worker.name)
            seen[worker.name] = replace(
                one,
                beat=beat,
                beat_age=age,
                cpu={f.identity.pid: cpu[f.identity] for f in one.known if f.identity in cpu},
                output="" if up else notes.tail(log, TAIL_LINES),
                acting=worker.name in acting,
            )
        return Seen(
            boot=self._boot,
            workers=seen,
            everyone=everyone if full else None,
            veiled=self._veiled() if full else False,
        )

    def look_at(self, worker: Worker, known: Identity | None, now: Reading) -> WorkerSeen:
        """Return a full look at one worker, for the moment before acting and for the proof."""
        one = self._known(worker, known, now)
        everyone, found = self._scan(full=True)
        return self._with_matches(worker, one, found, everyone)

    def newborn(self, worker: Worker, record: StartRecord, now: Reading) -> Match | None:
        """Return the process that a pid file names, if both are younger than a start.

        For the moment after a start: a daemon may have given itself a title that is no command
        line, but a pid file and a process that came after the start can only come from it.
        """
        if not worker.pid_file:
            return None
        written = notes.changed_at(worker.pid_file)
        named = self._named_by_pid_file(worker)
        if written is None or named is None or written < record.wall - CLOCK_GRAIN:
            return None
        young = named.age <= now.steady - record.steady + CLOCK_GRAIN
        return Match(named, "pid file") if young else None

    def _known(self, worker: Worker, hint: Identity | None, now: Reading) -> WorkerSeen:
        """Return what is known of a worker without searching for it."""
        record = self._records.start(worker.name)
        asked = [hint]
        if record is not None:
            asked += [record.worker, record.launched]
        alive: list[ProcessFacts] = []
        recorded = self._records.end(worker.name)
        ends = [recorded] if recorded is not None else []
        trouble = ""
        for identity in dict.fromkeys(i for i in asked if i is not None):
            try:
                facts = self._processes.inspect(identity)
                if facts is not None and facts.state not in DEAD:
                    alive.append(facts)
                    continue
                ended = self._processes.ended(identity)
            except ProbeError as error:
                trouble = str(error)
                continue
            if ended is not None:
                ends.append(EndRecord(identity=identity, ended=ended, wall=now.wall))
        return WorkerSeen(
            known=tuple(alive),
            record=record,
            wish=self._records.wish(worker.name),
            ends=tuple(ends),
            trouble=trouble,
        )

    def _scan(
        self, *, full: bool
    ) -> tuple[dict[Identity, ProcessFacts], dict[str, list[ProcessFacts]]]:
        """Return who was looked at, and for each worker those that may be it."""
        skip = set[int]() if full else self._settled
        settled = set(skip)
        everyone: dict[Identity, ProcessFacts] = {}
        found: dict[str, list[ProcessFacts]] = {}
        needles = set(self._needles)
        for facts in self._processes.everyone(skip):
            everyone[facts.identity] = facts
            hits = match.may_be(facts, needles) if facts.state not in DEAD else set[str]()
            for hit in hits:
                for worker in self._needles[hit]:
                    found.setdefault(worker.name, []).append(facts)
            if not hits and facts.age > SETTLED_AGE:
                settled.add(facts.identity.pid)
        self._settled = settled
        for identity in everyone:
            self._boot = identity.boot
            break
        return everyone, found

    def _with_matches(
        self,
        worker: Worker,
        one: WorkerSeen,
        found: dict[str, list[ProcessFacts]],
        everyone: dict[Identity, ProcessFacts],
    ) -> WorkerSeen:
        matches: dict[Identity, Match] = {}
        trouble = one.trouble
        named: ProcessFacts | None = None
        try:
            named = self._named_by_pid_file(worker) if worker.pid_file and not one.known else None
        except ProbeError as error:
            trouble = trouble or str(error)
        candidates = found.get(worker.name, [])
        if named is not None and named.identity not in {f.identity for f in candidates}:
            candidates = [*candidates, named]
        for facts in candidates:
            by_file = named is not None and facts.identity == named.identity
            like = self._likeness(worker, facts)
            how: How = "pid file" if by_file else "command line"
            if like == "exact" or (by_file and like == "unclear"):
                matches[facts.identity] = Match(facts, how)
            elif like == "unclear":
                trouble = trouble or (
                    f"pid {facts.identity.pid} may be it, but the directory it was started in "
                    "cannot be told (set pid_file, or start it by its absolute path)"
                )
        known = {f.identity for f in one.known}
        if len(matches) > 1 or (known and not matches.keys() <= known):
            matches = self._with_lines(matches, everyone)  # whose child is whose: rarely asked
        return replace(one, matches=_leaders(matches), trouble="" if known or matches else trouble)

    def _with_lines(
        self, matches: dict[Identity, Match], everyone: dict[Identity, ProcessFacts]
    ) -> dict[Identity, Match]:
        parents = {f.identity.pid: f.parent for f in everyone.values()}

        def parent_of(pid: int) -> int:
            if pid not in parents:
                parents[pid] = self._parent(pid)
            return parents[pid]

        return {i: replace(m, line=_line(m.facts, parent_of)) for i, m in matches.items()}

    def _named_by_pid_file(self, worker: Worker) -> ProcessFacts | None:
        pid = notes.read_pid(worker.pid_file)
        identity = self._processes.identify(pid) if pid is not None else None
        return self._processes.inspect(identity) if identity is not None else None

    def _likeness(self, worker: Worker, facts: ProcessFacts) -> match.Likeness:
        own = self._own_namespace()
        if facts.identity.pid == self._own_pid or (
            own and facts.namespace and facts.namespace != own
        ):
            return ""  # a container's copy is the container's business
        try:
            origin = self._processes.origin(facts.identity)
        except ProbeError:
            return ""
        return match.likeness(worker, origin) if origin is not None else ""

    def _parent(self, pid: int) -> int:
        """Return the parent of somebody who was left out of this scan; 0 when it is gone."""
        try:
            identity = self._processes.identify(pid)
            facts = self._processes.inspect(identity) if identity is not None else None
        except ProbeError:
            return 0
        return facts.parent if facts is not None else 0

    def _own_namespace(self) -> int:
        if self._namespace is None:
            identity = self._processes.identify(self._own_pid)
            facts = self._processes.inspect(identity) if identity is not None else None
            self._namespace = facts.namespace if facts is not None else 0
        return self._namespace

    def _veiled(self) -> bool:
        try:
            self._processes.identify(1)
        except ProbeError:
            return True  # there is always a process 1
        return False

    def _cpu_since(self, alive: Iterable[ProcessFacts]) -> dict[Identity, int]:
        """Return percent of one core that each used since the last look."""
        before, self._cpu = self._cpu, {}
        percent: dict[Identity, int] = {}
        for facts in alive:
            spent, age = before.get(facts.identity, (0.0, 0.0))
            self._cpu[facts.identity] = (facts.cpu_seconds, facts.age)
            if facts.age - age >= 1.0:
                percent[facts.identity] = round(
                    100 * (facts.cpu_seconds - spent) / (facts.age - age)
                )
            elif facts.identity in before:
                self._cpu[facts.identity] = before[facts.identity]
        return percent

    def _beat(self, worker: Worker, now: Reading) -> tuple[float | None, float | None]:
        """Return when a worker last showed life, and how long ago that is.

        Once a beat has been seen its age grows with steady time: neither a clock that is set nor
        a suspended host makes a worker look silent.
        """
        if not worker.heartbeat_file:
            return None, None
        try:
            beat = notes.changed_at(worker.heartbeat_file)
        except ProbeError:
            beat = None
        if beat is None:
            self._beats.pop(worker.name, None)
            return None, float("inf")
        known = self._beats.get(worker.name)
        if known is None or known[0] != beat:
            known = (beat, now.steady, max(0.0, now.wall - beat))
            self._beats[worker.name] = known
        return beat, known[2] + (now.steady - known[1])


def _line(facts: ProcessFacts, parent_of: Callable[[int], int]) -> tuple[int, ...]:
    """Return the pids of the ancestors of a process, nearest first, as far as they are known."""
    line: list[int] = []
    pid = facts.parent
    while pid > 1 and len(line) < ANCESTORS:
        line.append(pid)
        pid = parent_of(pid)
    return tuple(line)


def _leaders(matches: dict[Identity, Match]) -> tuple[Match, ...]:
    """Return the matches without those that others of them started, oldest first."""
    pids = {identity.pid for identity in matches}
    leaders = [m for m in matches.values() if not pids & set(m.line)]
    return tuple(sorted(leaders, key=lambda m: -m.facts.age))
