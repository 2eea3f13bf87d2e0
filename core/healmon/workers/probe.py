"""Looking for workers: by their shim, by identity, by pid file, by command line. Touches nothing.

The order of evidence: what the shim wrote down and holds the lock for; who was recorded; a pid file
whose process has the right arguments; the exact arguments. A name that only stands somewhere in a
command line is no evidence at all.
"""

from __future__ import annotations

from collections.abc import Iterable
from contextlib import suppress
from functools import partial

from msgspec.structs import replace

from healmon.clock import Reading, Steps
from healmon.config.settings import Worker
from healmon.errors import ProbeError
from healmon.workers import changes
from healmon.workers.beats import Beats
from healmon.workers.blocking import Blocking, needed_ports
from healmon.workers.evidence import ends_of, main_of, may_have_left_a_daemon
from healmon.workers.finder import Candidates, Everyone, Finder
from healmon.workers.gauges import Gauges
from healmon.workers.model import (
    UNTOLD,
    UNTOLD_END,
    Blocker,
    EndRecord,
    HostSeen,
    Match,
    Seen,
    StartRecord,
    WorkerSeen,
)
from healmon.workers.output import last_lines
from healmon.workers.records import Records, half_done
from healmon.workers.tree import Family, heir
from healmon.workers.twins import Twins
from healmon.world.host import Host
from healmon.world.ports import Ports
from healmon.world.processes import DEAD, Identity, Processes, ProcessFacts
from healmon.world.shims import Shim, Shims

FULL_EVERY = 10
"""Every so many looks all processes are looked at again, whatever was seen before."""
TAIL_LINES = 5
ASKED = 5
"""How often a shim is asked that has started its worker again and has yet to say so."""
YOUNG = 10.0
"""Seconds for which it may fail to, or to tell an end: a busy host lets it wait longer than us."""
NOW = float("inf")


class Probe:
    """Looks at all workers; remembers only what makes the next look cheap, and their growth.

    Args:
        workers: who must be up.
        records: what healmon wrote about them.
        processes: the door.
        own_pid: of healmon itself.
        shims: the door to what lives above them; None: they are started without.
        ports: the door to ports and locks; None: nothing is known of them.
        host: the door to the host; None: nothing is known of it.
        glance: seconds that one look at all processes serves several acts.
    """

    def __init__(
        self,
        workers: Iterable[Worker],
        records: Records,
        processes: Processes,
        own_pid: int,
        *,
        shims: Shims | None = None,
        ports: Ports | None = None,
        host: Host | None = None,
        glance: float = 0.0,
    ) -> None:
        self._workers = tuple(workers)
        self._records = records
        self._processes = processes
        self._shims = shims
        self._blocking = Blocking(ports, processes.inspect) if ports is not None else None
        self._host = host
        self.finder = Finder(self._workers, processes, own_pid, glance)
        self._beats = Beats()
        self._looks = 0
        self._steps: Steps = ()
        self._gauges = Gauges()
        self._kin: dict[str, frozenset[Identity]] = {}
        self._untold: dict[str, float] = {}

    def look(
        self,
        hints: dict[str, Identity],
        acting: frozenset[str],
        now: Reading,
        few: frozenset[str] | None = None,
        steps: Steps = (),
    ) -> Seen:
        """Return what is there. Blocks; call it on a thread of its own.

        Args:
            hints: who each worker was when it was last seen.
            acting: workers that a plan is acting on right now.
            now: the time.
            few: the workers to look at; None: all.
            steps: when the clock was set.

        Raises:
            ProbeError: the processes cannot be seen at all.
        """
        self._steps = steps
        whole = few is None
        workers = [w for w in self._workers if few is None or w.name in few]
        known = {w.name: self._known(w, hints.get(w.name), now) for w in workers}
        lost = [name for name, one in known.items() if not one.known]
        full = bool(lost) or (whole and self._looks % FULL_EVERY == 0)
        self._looks += whole
        everyone, found, family = self._around(known.values(), full=full)
        cpu = self._gauges.cpu_since([f for k in known.values() for f in k.known], whole=whole)
        seen: dict[str, WorkerSeen] = {}
        self._gauges.turn(whole=whole)
        twins = Twins(self.finder.twins, known, lambda name: self._known_by_name(name, now), family)
        for worker in workers:
            one = self._found(worker, known[worker.name], found, everyone, family, twins, now)
            one = replace(
                one,
                cpu={f.identity.pid: cpu[f.identity] for f in one.known if f.identity in cpu},
                acting=worker.name in acting,
            )
            main = main_of(one)
            if main is None:
                seen[worker.name] = self._of_the_absent(worker, one, family, now)
            else:
                seen[worker.name] = self._of_the_living(worker, one, main, family, now)
        return Seen(
            boot=self.finder.boot,
            workers=seen,
            everyone=everyone if full else None,
            veiled=self.finder.veiled() if full else False,
            host=self._host_seen(),
            fresh=few,
        )

    def _around(
        self, known: Iterable[WorkerSeen], *, full: bool
    ) -> tuple[Everyone, Candidates, Family]:
        if full:
            scan = self.finder.around(NOW)
            return scan.everyone, scan.found, scan.family
        kin = frozenset([i.pid for kin in self._kin.values() for i in kin])
        seen = {f.identity: f for one in known for f in one.known}
        everyone, found = self.finder.scan(full=False, kin=kin, seen=seen.values())
        return everyone, found, Family(everyone.values(), self.finder.own_pid)

    def look_at(
        self, worker: Worker, known: Identity | None, now: Reading, touched: float = NOW
    ) -> tuple[WorkerSeen, Family]:
        """Return a full look at one worker, and all processes, for an act and its proof.

        Args:
            worker: its settings.
            known: who it is to be.
            now: the time.
            touched: process seconds that the look at all must have begun after.
        """
        one = self._known(worker, known, now)
        scan = self.finder.around(touched)
        mine = {worker.name: one}
        twins = Twins(
            self.finder.twins, mine, lambda name: self._known_by_name(name, now), scan.family
        )
        found = self._found(worker, one, scan.found, scan.everyone, scan.family, twins, now)
        return found, scan.family

    def family(self, touched: float = NOW) -> Family:
        """Return all processes there are."""
        return self.finder.around(touched).family

    def blockers(self, worker: Worker, one: WorkerSeen, family: Family) -> tuple[Blocker, ...]:
        """Return who holds what a worker needs that is not up.

        Raises:
            ProbeError: it cannot be told.
        """
        if self._blocking is None:
            return ()
        lock = str(self._records.lock_path(worker.name))
        locked = partial(self._locked, worker)
        return self._blocking.blockers(worker, one, family, lock, locked)

    def may_be_blocked(self, worker: Worker, one: WorkerSeen) -> bool:
        """Return whether it takes a look at all processes to tell that nothing is in the way."""
        locked = one.shim is not None and one.shim.locked
        return self._blocking is not None and (locked or bool(needed_ports(worker)))

    def newborn(self, worker: Worker, record: StartRecord, now: Reading) -> Match | None:
        """Return the process that a pid file names, if both are younger than a start."""
        return self.finder.newborn(worker, record, now)

    def kin(self, name: str) -> frozenset[Identity]:
        """Return everything that belonged to a worker when it was last looked at."""
        return self._kin.get(name, frozenset())

    def tree(self, identity: Identity) -> frozenset[Identity]:
        """Return everything that belongs to a process that is a worker now; looks at all."""
        family = self.family()
        return frozenset(facts.identity for facts in family.tree([identity]))

    def shim(self, worker: Worker) -> Shim | None:
        """Return what a worker's shim wrote down; None when it has none.

        Raises:
            ProbeError: it cannot be read.
        """
        if self._shims is None:
            return None
        return self._shims.look(str(self._records.folder(worker.name)))

    def _locked(self, worker: Worker) -> bool:
        shim = self.shim(worker)
        return shim is not None and shim.locked

    def _known_by_name(self, name: str, now: Reading) -> WorkerSeen:
        worker = next(worker for worker in self._workers if worker.name == name)
        return self._known(worker, None, now)

    def _known(self, worker: Worker, hint: Identity | None, now: Reading) -> WorkerSeen:
        """Return what is known of a worker without searching for it."""
        recorded = self._records.end(worker.name)
        trouble, shim = "", None
        try:
            shim = self.shim(worker)
        except ProbeError as error:
            trouble = str(error)
        record = self._records.taken_up(worker.name, shim, now)
        asked = [shim.worker if shim is not None else None, hint]
        if record is not None:
            asked += [record.worker, record.launched, record.old]
        ends = [recorded] if recorded is not None else []
        ends += ends_of(shim)
        alive: list[ProcessFacts] = []
        for identity in dict.fromkeys(filter(None, asked)):
            try:
                facts = self._processes.inspect(identity)
                if facts is not None and facts.state not in DEAD:
                    alive.append(facts)
                    continue
                ended = self._processes.ended(identity)
            except ProbeError as error:
                trouble = str(error)
                continue
            if ended is not None and not any(e.identity == identity for e in ends):
                ends.append(EndRecord(identity=identity, ended=ended, wall=now.wall))
        return WorkerSeen(
            known=tuple(alive),
            record=record,
            wish=self._records.wish(worker.name),
            ends=tuple(ends),
            trouble=trouble,
            shim=shim,
        )

    def _found(
        self,
        worker: Worker,
        one: WorkerSeen,
        found: Candidates,
        everyone: Everyone,
        family: Family,
        twins: Twins,
        now: Reading,
    ) -> WorkerSeen:
        """Return a look at a worker with all that a search adds to it."""
        if not one.known and may_have_left_a_daemon(worker, one.record, one.shim):
            daemon = self._left(worker, one.shim, family)
            one = replace(one, known=(daemon,) if daemon is not None else ())
        candidates = found.get(worker.name, [])
        alone = len(one.known) == 1 and one.known[0] in candidates
        if (
            alone
            and twins.are_plain(worker.name, candidates)
            and self.finder.is_still(worker, one.known[0])
        ):
            return replace(one, matches=(Match(one.known[0], "command line"),), trouble="")
        known = [f.identity for f in one.known]
        candidates = twins.left_to(worker.name, candidates)
        matches, trouble = self.finder.matches(worker, known, candidates, everyone)
        if not known:
            matches, doubt = twins.certain(worker.name, matches)
            trouble = trouble or doubt
        anew = () if known else [match for match in matches if _begun_anew(one.shim, match)]
        if anew:
            newer = self._told_late(worker, one, now)
            if newer.known:
                return self._found(worker, newer, found, everyone, family, twins, now)
            if any(match.facts.age < YOUNG for match in anew):
                return replace(one, matches=(), trouble=UNTOLD)
        certain = known or matches
        return replace(one, matches=matches, trouble="" if certain else one.trouble or trouble)

    def _told_late(self, worker: Worker, one: WorkerSeen, now: Reading) -> WorkerSeen:
        """Return what is known of a worker once its shim has told that it has started it again.

        Taken for a process that somebody else has started, the end before it would count for none.
        """
        for _ in range(ASKED):  # each time the shim is given a moment; a full disk tells nothing
            newer = self._known(worker, None, now)
            if newer.shim is None or one.shim is None or newer.shim.number != one.shim.number:
                return newer
        return one

    def _left(self, worker: Worker, shim: Shim | None, family: Family) -> ProcessFacts | None:
        """Return the daemon that a start left behind: below its shim, else by the lock it holds."""
        if shim is not None and shim.alive:
            return heir(family, shim.shim)
        if self._blocking is None:
            return None
        try:
            holders = self._blocking.lock_holders(str(self._records.lock_path(worker.name)))
        except ProbeError:
            return None
        found = [facts for facts in map(family.find, holders) if facts is not None]
        return min(found, key=lambda facts: facts.identity.ticks, default=None)

    def _of_the_living(
        self,
        worker: Worker,
        one: WorkerSeen,
        main: ProcessFacts,
        family: Family,
        now: Reading,
    ) -> WorkerSeen:
        self._untold.pop(worker.name, None)
        shim = one.shim.shim if one.shim is not None and one.shim.alive else None
        members = family.tree([main.identity], shim) or (main,)
        self._kin[worker.name] = frozenset([f.identity for f in members])
        use = self._gauges.use(main.identity, members, worker.memory_limit, now.steady)
        beat, age, unheard = None, None, ""
        try:
            beat, age = self._beats.age(worker, now, self._steps)
        except ProbeError as error:
            unheard = str(error)
        spawned = one.record is not None and one.record.worker == main.identity
        # the wall clock may have been set since: what was written down then is compared with then
        started = one.record.wall if spawned and one.record else now.wall - main.age
        changed = changes.since(worker, started, now)
        return replace(one, use=use, beat=beat, beat_age=age, unheard=unheard, changed=changed)

    def _of_the_absent(
        self, worker: Worker, one: WorkerSeen, family: Family, now: Reading
    ) -> WorkerSeen:
        self._kin.pop(worker.name, None)
        if not one.trouble and not one.acting and self._end_untold(worker.name, one, now):
            one = replace(one, trouble=UNTOLD_END)
        blockers: tuple[Blocker, ...] = ()
        # whose shim has yet to tell of its start is there itself
        if not one.acting and one.trouble != UNTOLD:
            with suppress(ProbeError):  # the start looks again, and tells
                blockers = self.blockers(worker, one, family)
        started = one.record.wall if one.record is not None and one.record.worker else None
        half = half_done(one.record)
        tree = half.tree if half is not None and half.phase == "stopping" else ()
        return replace(
            one,
            left=tuple(identity for identity in tree if family.find(identity) is not None),
            output=last_lines(self._records, worker, TAIL_LINES),
            blockers=blockers,
            changed=changes.since(worker, started, now) if started is not None else "",
        )

    def _end_untold(self, name: str, one: WorkerSeen, now: Reading) -> bool:
        """Return whether its shim may still write down how a worker ended."""
        shim = one.shim
        if shim is None or not shim.alive or any(e.identity == shim.worker for e in shim.ends):
            self._untold.pop(name, None)
            return False
        return now.steady - self._untold.setdefault(name, now.steady) < YOUNG

    def _host_seen(self) -> HostSeen:
        if self._host is not None:
            with suppress(ProbeError):
                total, available = self._host.memory()
                return HostSeen(memory_total=total, memory_available=available)
        return HostSeen()


def _begun_anew(shim: Shim | None, match: Match) -> bool:
    """Return whether a shim has started its worker again, and has not written that down yet."""
    if shim is None or not shim.alive or match.facts.parent != shim.shim.pid:
        return False
    # what a worker left behind at its end came to its shim, too: then that end is written down
    told = any(end.identity == shim.worker for end in shim.ends)
    return match.facts.identity != shim.worker and not told
