"""The workers' healer: ties probe, diagnosis and remedy to the engine."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from functools import partial
from pathlib import Path

import msgspec
from msgspec.structs import replace

from healmon.clock import Clock, Reading
from healmon.config.settings import Monitor, Worker
from healmon.errors import DataError, HealmonError, VetoError
from healmon.healer import Hand, Instead
from healmon.plans import Diagnosis, Packed, Plan, Proof, unpack
from healmon.state import Snapshot, paused_by
from healmon.text import clean, like
from healmon.workers import breaker, budget, grants, offers, wording
from healmon.workers.calm import alike
from healmon.workers.checks.build import checker
from healmon.workers.checks.model import Checker, Subject
from healmon.workers.diagnose import Judge, recalled
from healmon.workers.equipment import Equipment
from healmon.workers.evidence import main_of
from healmon.workers.grants import Afterwards, Grants
from healmon.workers.liveness import Liveness
from healmon.workers.model import (
    NAME,
    EndRecord,
    Memory,
    Order,
    Seen,
    StartRecord,
    WorkerFacts,
    WorkerSeen,
)
from healmon.workers.places import devices_of
from healmon.workers.probe import Probe
from healmon.workers.records import Records, half_done
from healmon.workers.refusal import goes_on, overtakes
from healmon.workers.remedy import Remedy
from healmon.workers.sight import Sight
from healmon.workers.upkeep import Upkeep
from healmon.workers.yielding import Way
from healmon.world.hands import Hands
from healmon.world.processes import Ended, Identity, Processes

SIGHT = 0.9
"""Part of a cycle after which a look is at all workers, whatever asks for it."""


class WorkersHealer:
    """Keeps workers up: finds them, restarts them with backoff, gives up in time.

    Args:
        workers: `[workers.*]`, in the order of the report.
        folder: `workers` in the state directory: their output logs and records.
        processes: the door to processes.
        clock: all time.
        jitter: spread of the backoff delays; 0.0 makes them exact.
        equipment: what it has besides.
        limits: the host's budget of starts, and what a storm is; default: neither.
    """

    name = NAME
    title = "workers"
    deadline = 10.0
    lasting = False

    def __init__(
        self,
        workers: Sequence[Worker],
        folder: Path,
        processes: Processes,
        clock: Clock,
        *,
        jitter: float = breaker.JITTER,
        equipment: Equipment | None = None,
        limits: Monitor = budget.NOBODY,
    ) -> None:
        equipment = equipment or Equipment()
        self._workers = {worker.name: worker for worker in workers}
        self._processes = processes
        self._clock = clock
        self._records = Records(folder)
        self._equipment = equipment
        self._probe = Probe(
            workers,
            self._records,
            processes,
            processes.own_pid,
            shims=equipment.shims,
            ports=equipment.ports,
            host=equipment.host,
            glance=equipment.glance,
        )
        self._looking, self._doing = Hands("workers-look"), Hands("workers-act")
        self._checking = Hands("workers-check")
        self._checks = equipment.checks(self._probe, processes, clock, self._checking)
        tools = equipment.tools(self._probe, self._records, self._checks, self._doing)
        self._remedy = Remedy(tools, limits.starts_in_flight)
        self._liveness = Liveness(workers, processes, clock, self._live_check)
        # where the host counts starts, or waits in a storm, none may come without being asked for
        granting = equipment.shims if grants.unlimited(limits) else None
        self._grants = Grants(granting, self._records, self._workers)
        self._upkeep = Upkeep(equipment.shims, self._records, workers, clock)
        paths = {worker.name: str(self._records.log_path(worker.name)) for worker in workers}
        devices = {w.name: devices_of(w, self._records.log_path(w.name)) for w in workers}
        self._judge = Judge(tuple(workers), paths, jitter, limits, devices)
        self._wake: Callable[[], None] = lambda: None
        self._sight = Sight(self._records, SIGHT * limits.check_interval)
        self._memories: dict[str, Memory] = {}
        self._told_last: dict[str, tuple[WorkerSeen, WorkerSeen]] = {}
        self._hints: dict[str, Identity] = {}
        self._watches: dict[Identity, tuple[str, Callable[[], None]]] = {}
        self._startable: dict[str, tuple[Memory, WorkerSeen, grants.Start | None]] = {}
        self._afterwards = Afterwards()
        self._acting: dict[str, tuple[Order, Way]] = {}
        self._acts = 0
        self._touched: dict[str, int] = {}

    def _live_check(self, worker: Worker, identity: Identity, born: float) -> Checker:
        """Return the liveness check of a process that is a worker."""
        assert worker.liveness is not None
        record = self._records.start(worker.name)
        ours = record is not None and record.worker == identity
        subject = Subject(
            worker=worker,
            identity=identity,
            born=record.wall if record is not None and ours else born,
            log=self._records.log_path(worker.name),
            beat=record.beat if record is not None and ours else None,
        )
        return checker(worker.liveness, subject, self._checks)

    def start(self, wake: Callable[[], None]) -> None:
        """Begin watching; `wake()` asks the engine for a look as soon as a worker ends."""
        self._wake = wake
        if self._equipment.pulse:
            self._liveness.start(wake)
            self._upkeep.start()

    async def look(self) -> Seen:
        """Return what is there now.

        Raises:
            ProbeError: the processes cannot be seen at all.
        """
        before, acts = frozenset(self._acting), self._acts
        now = self._clock.read()
        few = self._sight.turn(now)
        look = partial(self._probe.look, dict(self._hints), before, now, few, self._clock.steps)
        try:
            seen = self._sight.whole(await self._looking.call(look, patient=few is None))
        except BaseException:
            self._sight.failed()
            raise
        await self._note_ends(seen)
        # what was acted on while we looked was seen half done: the look after the act will tell
        blurred = before | self._acting.keys() | {n for n, at in self._touched.items() if at > acts}
        self._take_in(seen, blurred)
        told = {name: told for name, (_, told) in self._told_last.items()}
        workers = {n: self._told(n, one, acting=n in blurred) for n, one in seen.workers.items()}
        same = {name: one for name, one in told.items() if alike(one, workers[name])}
        seen = replace(seen, workers=workers, alike=same)
        self._watch(seen)
        return seen

    def _told(self, name: str, one: WorkerSeen, *, acting: bool) -> WorkerSeen:
        """Return a look at a worker with what its checks say; the one before, if that said so."""
        liveness, known = self._liveness.told(name), self._told_last.get(name)
        if known is not None and known[0] is one:
            same = known[1].acting == acting and known[1].liveness == liveness
            if same:
                return known[1]
        told = replace(one, acting=acting, liveness=liveness)
        self._told_last[name] = one, told
        return told

    def _take_in(self, seen: Seen, blurred: frozenset[str]) -> None:
        """Let liveness know who is up, and who is not to be judged: acts, and starts not proved."""
        fresh = _fresh(seen)
        begun = {name for name, one in fresh.items() if self._to_be_proved(name, one.record)}
        up = {name: main_of(one) for name, one in fresh.items()}
        self._liveness.seen(up, blurred | begun)

    def _to_be_proved(self, name: str, record: StartRecord | None) -> bool:
        """Return whether what came of the newest act is open.

        One that was cut short is taken in once and never ends on record: it must hold nothing for
        good.
        """
        memory = self._memories.get(name)
        over = memory is not None and record is not None and memory.attempt >= record.number
        return record is not None and record.outcome == "begun" and not over

    def _watch(self, seen: Seen) -> None:
        """Watch every live copy of every worker and its shim, and nobody else."""
        alive: dict[Identity, str] = {}
        fresh = _fresh(seen)
        for name, one in fresh.items():
            for facts in one.known:
                alive[facts.identity] = name
            for match in one.matches:
                alive[match.facts.identity] = name
            if one.shim is not None and one.shim.alive:
                alive[one.shim.shim] = name
        watched = {i for i, (name, _) in self._watches.items() if name in fresh}
        for identity in watched - alive.keys():
            self._watches.pop(identity)[1]()
        for identity in alive.keys() - self._watches.keys():
            on_end = partial(self._on_end, identity, alive[identity])
            try:
                cancel = self._processes.watch(identity, on_end)
            except (OSError, HealmonError):
                continue  # out of descriptors: the next cycle will see its end
            self._watches[identity] = alive[identity], cancel

    def _on_end(self, identity: Identity, name: str) -> None:
        self._watches.pop(identity, None)
        self._sight.touch(name)
        if name in self._acting:
            return  # an act sees it itself, and its end brings a look
        if self._grants.holds(name, identity):
            # its shim starts it again; the processor is left to that
            self._afterwards.ask(self._wake)
        else:
            self._wake()

    async def _note_ends(self, seen: Seen) -> None:
        """Write down how workers ended, for whoever looks after us."""
        notes: list[tuple[str, EndRecord]] = []
        for name, one in _fresh(seen).items():
            known = self._records.end(name)
            told = [end for end in one.ends if end.ended != Ended()]
            fresh = max(told, key=lambda end: end.wall, default=None)
            if fresh is not None and not _same_end(fresh, known):
                notes.append((name, fresh))

        def write() -> None:
            for name, end in notes:
                self._records.put_end(name, end)

        if notes:
            await self._looking.call(write)

    def diagnose(self, seen: Seen, known: Snapshot, now: Reading) -> Diagnosis:
        """Judge all workers."""
        held = frozenset(name for name in self._workers if paused_by(known, name, now.wall))
        self._upkeep.hands_off = known.engine.dry_run
        self._liveness.maintain(held)
        diagnosis = self._judge.diagnose(seen, known, now)
        again = diagnosis.look_again
        self._sight.look_again(now.steady + again if again is not None else None)
        # where to look first next time; it changes no judgement
        self._memories |= {v.component: unpack(v.memory, Memory) for v in diagnosis.verdicts}
        memories = self._memories
        self._hints = {n: m.identity for n, m in memories.items() if m.identity is not None}
        self._sight.judged(self._hints)
        off = known.engine.dry_run
        free = {n: m for n, m in memories.items() if not (off or n in held)}
        self._grants.aim(self._grantable(seen, free, now))
        return diagnosis

    def _grantable(
        self, seen: Seen, memories: Mapping[str, Memory], now: Reading
    ) -> dict[str, grants.Start]:
        """Return the starts that may be granted; an act has taken its own back, if it must."""
        starts = {
            name: self._grants.wanted(name)
            if name in self._acting or seen.workers[name].acting
            else self._start_of(name, memory, seen, now)
            for name, memory in memories.items()
        }
        return {name: start for name, start in starts.items() if start is not None}

    def _start_of(self, name: str, memory: Memory, seen: Seen, now: Reading) -> grants.Start | None:
        """Return the start that may be granted to a worker: as before, while nothing is new."""
        one, known = seen.workers[name], self._startable.get(name)
        partial_look = seen.fresh is not None and name not in seen.fresh
        # without failures, time changes nothing about it
        as_before = one if partial_look else None if memory.failures else seen.alike.get(name)
        if known is not None and known[0] is memory and known[1] is as_before:
            self._startable[name] = memory, one, known[2]
            return known[2]
        start = grants.grantable(self._workers[name], one, memory, now)
        self._startable[name] = memory, one, start
        return start

    def offer(
        self,
        verb: str,
        component: str,
        known: Snapshot,
        now: Reading,  # noqa: ARG002 - the protocol's
        arguments: Packed | None = None,  # noqa: ARG002 - the protocol's
    ) -> Plan:
        """Return the plan for `restart`, `stop`, `start` or `release` of a worker.

        Raises:
            DataError: no such worker, or nothing to do that to.
        """
        worker = self._workers.get(component)
        view = known.components.get(component)
        if worker is None or view is None:
            there = ", ".join(self._workers) or "none"
            raise DataError(f"no such worker: {clean(component)}", remedy=f"there is: {there}")
        try:
            facts = unpack(view.facts, WorkerFacts)
        except msgspec.ValidationError:
            raise DataError(f"{component} has not been looked at yet") from None
        workers = tuple(self._workers.values())
        return offers.offered(verb, worker, facts, recalled(known, component), workers)

    async def carry_out(self, plan: Plan, hand: Hand) -> Proof:
        """Look again, act, prove it.

        Raises:
            VetoError: the world is not as planned; nothing was touched.
            RemedyError: a step failed, or the proof did not come.
            CalledOffError: it gave way to something else.
        """
        worker = self._workers.get(plan.component)
        if worker is None:
            raise VetoError(f"{plan.component} is no longer configured")
        order = unpack(plan.order, Order)
        way = Way()
        self._acting[worker.name] = order, way
        try:
            if self._only_proves(order, worker.name):
                # the next end may come before the proof: leave for its start is given first
                await self._grants.settled()
            else:
                await self._grants.withdraw([worker.name])
            ailing = self._liveness.hold(worker.name)
            fresh_life = partial(self._liveness.fresh_life, worker, ailing) if ailing else None
            return await self._remedy.carry_out(worker, order, plan.origin, hand, fresh_life, way)
        finally:
            del self._acting[worker.name]
            self._acts += 1
            self._touched[worker.name] = self._acts
            self._sight.touch(worker.name)

    def give_way(self, component: str, reason: str, instead: Instead) -> bool:
        """Have the act on a worker end where it waits, since something else is wanted."""
        doing = self._acting.get(component)
        if doing is None:
            return False
        order, way = doing
        if isinstance(instead, Plan):
            record = self._records.start(component)
            wanted, now = unpack(instead.order, Order), self._clock.read()
            if not overtakes(wanted, order, record, self._workers[component], now):
                return False
        way.end(reason, proofs_only=instead == "end")
        return True

    def _only_proves(self, order: Order, name: str) -> bool:
        """Return whether an act neither ends nor starts anything: its shim has done that."""
        half = half_done(self._records.start(name))
        return half is not None and half.granted and goes_on(order, half)

    def report(self, known: Snapshot) -> list[str]:
        """Return the lines of the cycle report."""
        return wording.report(known)

    async def pause(self, component: str) -> None:
        """Take back what was granted: no shim starts these workers by itself any more."""
        await self._grants.withdraw([name for name in self._workers if like(component, name)])

    async def close(self) -> None:
        """Stop watching. Workers stay up."""
        await self._grants.close()
        self._afterwards.cancel()
        for _, cancel in self._watches.values():
            cancel()
        self._watches.clear()
        await self._liveness.close()
        await self._upkeep.close()
        self._checking.close()
        self._looking.close()
        self._doing.close()
        if self._equipment.shims is not None:
            self._equipment.shims.close()


def _fresh(seen: Seen) -> dict[str, WorkerSeen]:
    """Return those workers that were looked at."""
    fresh = seen.fresh
    if fresh is None:
        return seen.workers
    return {name: one for name, one in seen.workers.items() if name in fresh}


def _same_end(one: EndRecord, other: EndRecord | None) -> bool:
    return other is not None and (one.identity, one.ended) == (other.identity, other.ended)
