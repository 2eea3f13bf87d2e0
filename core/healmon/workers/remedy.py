"""Starting, restarting and stopping a worker: look again, act step by step, prove it.

A start writes `started.json` before it spawns, when it has spawned and when it knows the outcome;
whoever takes over in between (a healmon that comes after a killed one) finds the process by it.
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from contextlib import suppress
from functools import partial
from typing import Final, TypeVar

from msgspec.structs import replace

from healmon.clock import Clock
from healmon.config.settings import Worker
from healmon.errors import ProbeError, RemedyError, SpawnError, VetoError
from healmon.healer import Hand
from healmon.plans import Proof, pack
from healmon.text import clean
from healmon.units import format_duration
from healmon.workers.model import (
    Desired,
    EndRecord,
    Fault,
    Match,
    Order,
    StartRecord,
    Wish,
    WorkerSeen,
)
from healmon.workers.probe import Probe
from healmon.workers.records import Records
from healmon.world import notes
from healmon.world.hands import Hands
from healmon.world.processes import DEAD, KILL, TERM, Ended, Identity, Launch, Processes

LOG_LIMIT: Final = 10_000_000
"""Bytes of an output log above which the next start sets it aside."""
KILL_TIMEOUT: Final = 5.0
"""Seconds a process may take to end after SIGKILL."""
DAEMON_TIMEOUT: Final = 5.0
"""Seconds to look for a daemon after a start that ended at once, when none was promised."""
STEP: Final = 0.1

T = TypeVar("T")


class Remedy:
    """Carries out the orders for workers.

    Args:
        probe: looks again.
        records: where starts, ends and wishes are written down.
        processes: the door.
        clock: all waiting.
        hands: a thread for calls that may hang.
    """

    def __init__(
        self, probe: Probe, records: Records, processes: Processes, clock: Clock, hands: Hands
    ) -> None:
        self._probe = probe
        self._records = records
        self._processes = processes
        self._clock = clock
        self._hands = hands

    async def carry_out(self, worker: Worker, order: Order, origin: str, hand: Hand) -> Proof:
        """Do what is ordered and prove it.

        Raises:
            VetoError: the world is not as planned; nothing was touched.
            RemedyError: a step failed, or the proof did not come.
        """
        one = await self._look(worker, order.identity)
        alive = _alive(one)
        _refuse(order, one, alive)
        if order.verb == "stop":
            return await self._stop_for_good(worker, order, origin, hand, alive)
        old = order.identity if order.identity in alive else None
        if old is not None:
            await self._stop(worker, old, hand)
            await self._nobody_left(worker, old)
        await hand.about_to(f"start {worker.name}: {clean(' '.join(worker.argv))}")
        if order.wish:
            await self._wish(worker, order, "up", origin)
        return await self._start(worker, order, origin, old)

    # Stopping.

    async def _stop_for_good(
        self, worker: Worker, order: Order, origin: str, hand: Hand, alive: list[Identity]
    ) -> Proof:
        await hand.about_to(f"keep {worker.name} down until somebody starts it")
        await self._wish(worker, order, "down", origin)
        if order.identity not in alive:
            return Proof(f"{worker.name} was not up; healmon leaves it down")
        assert order.identity is not None
        await self._stop(worker, order.identity, hand)
        return Proof(f"pid {order.identity.pid} is gone; healmon leaves {worker.name} down")

    async def _stop(self, worker: Worker, identity: Identity, hand: Hand) -> None:
        pid = identity.pid
        for number, word, patience in (
            (TERM, "SIGTERM", worker.stop_timeout),
            (KILL, "SIGKILL", KILL_TIMEOUT),
        ):
            await hand.about_to(f"send {word} to pid {pid} ({worker.name})")
            try:
                sent = await self._call(partial(self._processes.signal, identity, number))
            except PermissionError:
                message = f"pid {pid} is somebody else's: {word} is not permitted"
                raise RemedyError(message, remedy="run healmon as that user or as root") from None
            if not sent or await self._ends_within(identity, patience):
                await self._note_end(worker, identity)
                return
        raise RemedyError(
            f"pid {pid} survived SIGKILL for {KILL_TIMEOUT:g} s; no second copy is started",
            remedy="it hangs in the kernel, on a dead disk or mount perhaps",
        )

    async def _nobody_left(self, worker: Worker, old: Identity) -> None:
        """Return once no process of the old worker is left (it may have had helpers)."""
        deadline = self._clock.read().steady + worker.stop_timeout
        while left := _alive(await self._look(worker, old)):
            if self._clock.read().steady >= deadline:
                pids = ", ".join(str(identity.pid) for identity in left)
                raise RemedyError(
                    f"pid {old.pid} is gone, but pid {pids} of {worker.name} still runs; "
                    "no second copy is started"
                )
            await self._clock.sleep(STEP)

    async def _note_end(self, worker: Worker, identity: Identity) -> None:
        ended = self._processes.ended(identity) or Ended()
        record = EndRecord(identity=identity, ended=ended, wall=self._clock.read().wall)
        await self._call(partial(self._records.put_end, worker.name, record))

    async def _wish(self, worker: Worker, order: Order, desired: Desired, origin: str) -> None:
        wall = self._clock.read().wall
        wish = Wish(number=order.wish, desired=desired, wall=wall, origin=origin)
        await self._call(partial(self._records.put_wish, worker.name, wish))

    # Starting.

    async def _start(
        self, worker: Worker, order: Order, origin: str, old: Identity | None
    ) -> Proof:
        now = self._clock.read()
        record = StartRecord(
            number=order.number,
            wall=now.wall,
            steady=now.steady,
            trial=order.trial,
            fresh=order.wish > 0,
            origin=origin,
            phase="spawning",
        )
        await self._keep(worker, record)
        beat = await self._beat(worker)
        record = await self._spawn(worker, record)
        record, end = await self._settled(worker, record)
        if record.worker is None:
            assert end is not None
            return await self._ended_at_once(worker, record, end)
        readiness = await self._ready(worker, record, record.worker, beat)
        record = replace(record, outcome="verified")
        await self._keep(worker, record)
        return self._proof(worker, record, old, readiness, healmon=order.wish == 0)

    async def _spawn(self, worker: Worker, record: StartRecord) -> StartRecord:
        log = self._records.log_path(worker.name)
        launch = Launch(
            argv=worker.argv,
            log_path=str(log),
            cwd=worker.cwd,
            env=worker.env,
            user=worker.user,
        )

        def spawn() -> StartRecord:
            if worker.script and not notes.is_file(worker.script):
                raise SpawnError(f"there is no script {clean(worker.script)}")
            with suppress(OSError):
                notes.rotate(log, LOG_LIMIT)
            launched = self._processes.spawn(launch)
            spawned = replace(record, launched=launched, phase="spawned")
            # in the same call: nothing may come between the process and the note of it
            self._records.put_start(worker.name, spawned)
            return spawned

        try:
            return await self._call(spawn)
        except SpawnError as error:
            fault: Fault = "host" if error.host_fault else "command"
            raise await self._failure(worker, record, fault, str(error)) from error

    async def _settled(
        self, worker: Worker, record: StartRecord
    ) -> tuple[StartRecord, Ended | None]:
        """Return the record with the process that stays, or how the launched one ended."""
        launched = record.launched
        assert launched is not None
        if not await self._ends_within(launched, worker.min_uptime):
            forked = worker.forks and await self._ends_within(launched, worker.start_timeout)
            if not forked:
                return replace(record, worker=launched, how="spawned"), None
        end = self._processes.ended(launched) or Ended()
        if worker.forks is False or end.code not in (0, None):
            return record, end
        patience = worker.start_timeout if worker.forks else DAEMON_TIMEOUT
        daemon = await self._daemon(worker, record, min(patience, worker.start_timeout))
        if daemon is None:
            return record, end
        return replace(record, worker=daemon.facts.identity, how=daemon.how), None

    async def _daemon(self, worker: Worker, record: StartRecord, patience: float) -> Match | None:
        """Return the daemon that a start left behind, or the one that was running already.

        Those that end within `min_uptime` were steps on its way (a daemon forks twice).
        """
        deadline = self._clock.read().steady + patience
        while True:
            match = (await self._look(worker, None)).matches[:1]
            now = self._clock.read()
            found = match[0] if match else None
            if found is None:
                found = await self._call(partial(self._probe.newborn, worker, record, now))
            if found is None:
                await self._clock.sleep(STEP)
            elif not await self._ends_within(found.facts.identity, worker.min_uptime):
                return found
            if self._clock.read().steady >= deadline:
                return None

    async def _ended_at_once(self, worker: Worker, record: StartRecord, end: Ended) -> Proof:
        if end.code == 0 and worker.restart != "always" and not worker.forks:
            record = replace(record, outcome="completed", reason=str(end))
            await self._keep(worker, record)
            return Proof(f"{worker.name} did its work: {end}", details={"code": 0})
        missing = ", and no daemon was found" if end.code == 0 else ""
        raise await self._failure(worker, record, "worker", f"{end} at once{missing}")

    async def _ready(
        self, worker: Worker, record: StartRecord, identity: Identity, beat: float | None
    ) -> str:
        """Return what showed that a new process is ready; waits for its first heartbeat."""
        if worker.ready is None or not worker.ready.heartbeat or not worker.heartbeat_file:
            return "alive only"
        deadline = self._clock.read().steady + worker.start_timeout
        while True:
            now = await self._beat(worker)
            if now is not None and now != beat:
                return "heartbeat written"
            if self._clock.read().steady >= deadline:
                waited = format_duration(worker.start_timeout)
                reason = f"pid {identity.pid} is alive but wrote no heartbeat in {waited}"
                record = replace(record, worker=identity)
                raise await self._failure(worker, record, "worker", reason)
            if await self._ends_within(identity, STEP):
                end = self._processes.ended(identity) or Ended()
                reason = f"{end} before its first heartbeat"
                raise await self._failure(worker, record, "worker", reason)

    async def _beat(self, worker: Worker) -> float | None:
        if not worker.heartbeat_file:
            return None
        with suppress(ProbeError):
            return await self._call(partial(notes.changed_at, worker.heartbeat_file))
        return None

    def _proof(
        self,
        worker: Worker,
        record: StartRecord,
        old: Identity | None,
        readiness: str,
        *,
        healmon: bool,
    ) -> Proof:
        assert record.worker is not None
        took = self._clock.read().steady - record.steady
        gone = f", pid {old.pid} gone" if old is not None else ""
        how = "" if record.how == "spawned" else f", found by {record.how}"
        text = f"pid {record.worker.pid} alive after {took:.1f} s{how} ({readiness}){gone}"
        return Proof(
            text=text,
            message=f"{worker.name} was down and is up again: {text}" if healmon else "",
            details={
                "identity": pack(record.worker),
                "old": pack(old) if old is not None else None,
                "how": record.how,
                "readiness": readiness,
                "log": str(self._records.log_path(worker.name)),
            },
        )

    async def _failure(
        self, worker: Worker, record: StartRecord, fault: Fault, reason: str
    ) -> RemedyError:
        """Write down that an attempt failed and return what to raise."""
        reason = clean(reason)
        await self._keep(worker, replace(record, outcome="failed", fault=fault, reason=reason))
        said = notes.tail(self._records.log_path(worker.name), 1)
        return RemedyError(reason, remedy=f"its last words: {said}" if said else "")

    # The doors.

    async def _call(self, call: Callable[[], T]) -> T:
        try:
            return await self._hands.call(call)
        except ProbeError as error:
            raise RemedyError(str(error)) from error

    async def _keep(self, worker: Worker, record: StartRecord) -> None:
        await self._call(partial(self._records.put_start, worker.name, record))

    async def _look(self, worker: Worker, known: Identity | None) -> WorkerSeen:
        now = self._clock.read()
        return await self._call(partial(self._probe.look_at, worker, known, now))

    async def _ends_within(self, identity: Identity, seconds: float) -> bool:
        """Return whether a process ends within so many seconds; told by its pidfd, not by looks."""
        over = asyncio.Event()
        cancel = self._processes.watch(identity, over.set)
        ending = asyncio.ensure_future(over.wait())
        pause = asyncio.ensure_future(self._clock.sleep(seconds))
        try:
            await asyncio.wait({ending, pause}, return_when=asyncio.FIRST_COMPLETED)
        finally:
            cancel()
            for task in (ending, pause):
                task.cancel()
            await asyncio.gather(ending, pause, return_exceptions=True)
        return self._processes.ended(identity) is not None


def _alive(one: WorkerSeen) -> list[Identity]:
    """Return all live processes that are the worker, each once."""
    found = [*one.known, *(m.facts for m in one.matches)]
    return list(dict.fromkeys(f.identity for f in found if f.state not in DEAD))


def _refuse(order: Order, one: WorkerSeen, alive: list[Identity]) -> None:
    """Raise VetoError when the world is not as it was when the plan was made."""
    if one.trouble:
        raise VetoError(f"cannot tell whether it is up: {one.trouble}")
    if one.record is not None and one.record.number >= order.number:
        raise VetoError(f"start {order.number} was made already")
    if not order.wish and one.wish is not None and one.wish.desired == "down":
        raise VetoError(f"stopped by {clean(one.wish.origin) or 'a person'} meanwhile")
    others = [identity for identity in alive if identity != order.identity]
    pids = ", ".join(str(identity.pid) for identity in others)
    if order.verb == "stop":
        if others and order.identity not in alive:
            raise VetoError(f"it is another process now: pid {pids}")
        return
    if others:
        raise VetoError(f"already up as pid {pids}: started by somebody else")
