"""Proving a start, rung by rung; the rung that was reached is written down.

    V1 a new process ──▶ V2 it stays, runs, is the only one ──▶ V3 it is ready ──▶ V4 it works on

Without a readiness check V2 is all there is, and it is called what it is: alive only.
"""

from __future__ import annotations

from contextlib import suppress
from functools import partial
from typing import Final

from healmon.config.settings import Ready
from healmon.errors import ProbeError, RemedyError
from healmon.text import clean
from healmon.units import format_duration
from healmon.workers.acting import STEP, Act, alive_in
from healmon.workers.checks.build import checker
from healmon.workers.checks.model import Checker, Subject
from healmon.workers.look import probe_key
from healmon.workers.model import Fault, Match, WorkerSeen
from healmon.workers.tree import Family, heir
from healmon.world import notes
from healmon.world.processes import Ended, Identity, ProcessFacts

DAEMON_TIMEOUT: Final = 5.0
"""Seconds to look for a daemon after a start that ended at once, when none was promised."""
FIRST_PAUSE: Final = 0.05
LONGEST_PAUSE: Final = 1.0
"""Seconds between two readiness checks: they double."""
NOT_RUN: Final = frozenset({126, 127})
"""What a shell exits with when it could not run a command: no start mends that."""
ALIVE_ONLY: Final = "alive only: no readiness check is configured"


class Proving:
    """Proves one start.

    Args:
        act: the act that this is a part of; its program was spawned.
    """

    def __init__(self, act: Act) -> None:
        self._act = act

    # V2.

    async def settled(self) -> Ended | None:
        """Find out which process stays: the launched one, or a daemon that it left.

        Returns:
            None when one stays, which is on record then; else how the launched one ended.
        """
        worker, launched = self._act.worker, self._act.record.launched
        assert launched is not None
        if not await self._act.ends_within(launched, worker.min_uptime):
            patience = worker.start_timeout
            if not (worker.forks and await self._act.ends_within(launched, patience)):
                await self._act.keep(worker=launched, how="spawned")
                return None
        return await self._unless_daemon(await self._act.how_ended(launched))

    async def _unless_daemon(self, end: Ended) -> Ended | None:
        """Return how the launched process ended; None: it left a daemon, which is on record now."""
        worker = self._act.worker
        # one that was killed left nothing on purpose: what lives below it is no daemon
        crashed = end.signal is not None or end.code not in (0, None)
        if worker.forks is False or crashed or await self._again():
            return end
        patience = worker.start_timeout if worker.forks else DAEMON_TIMEOUT
        daemon = await self._daemon(min(patience, worker.start_timeout))
        if daemon is None:
            return end
        await self._act.keep(worker=daemon.facts.identity, how=daemon.how)
        return None

    async def _again(self) -> bool:
        """Return whether the shim has started it once more since."""
        shim = await self._act.shim()
        return shim is not None and shim.number > self._act.record.number

    async def _daemon(self, patience: float) -> Match | None:
        """Return the daemon that a start left behind, or the one that was running already.

        Those that end within `min_uptime` were steps on its way (a daemon forks twice).
        """
        clock = self._act.tools.clock
        deadline = clock.read().steady + patience
        while True:
            found = await self._candidate()
            if found is None:
                await self._act.unless_called_off(clock.sleep(STEP))
            elif not await self._act.ends_within(found.facts.identity, self._act.worker.min_uptime):
                return found
            if clock.read().steady >= deadline:
                return None

    async def _candidate(self) -> Match | None:
        act = self._act
        shim = await act.shim()
        if shim is not None and shim.alive and shim.number == act.record.number:
            # something lives below it: that is it, or a step on its way
            daemon = heir(await act.family(now=True), shim.shim)
            return Match(daemon, "spawned") if daemon is not None else None
        matches = (await act.look(None, now=True)).matches
        if matches:
            return matches[0]
        now = act.tools.clock.read()
        return await act.call(partial(act.tools.probe.newborn, act.worker, act.record, now))

    async def sole(self) -> Ended | None:
        """Find out whether the one that stays runs, and is the only one.

        Returns:
            None when it is; else how it has ended since. One that took its time to fork is followed
            by its daemon, which is on record then.

        Raises:
            RemedyError: it stands still, or is not alone.
        """
        act, identity = self._act, self._act.record.worker
        assert identity is not None
        judge = partial(_beside, identity)
        facts, others = await act.judged(identity, judge)
        if facts is None:
            # a look that serves several may be older than this process
            facts, others = await act.judged(identity, judge, now=True)
        if facts is None:
            end = await act.how_ended(identity)
            if identity == act.record.launched and await self._unless_daemon(end) is None:
                return await self.sole()
            return end
        if facts.state == "T":
            reason = f"pid {identity.pid} stands still (state T): somebody stopped it"
            raise await act.failure("worker", reason)
        if others:
            reason = f"a second copy of {act.worker.name} lives as pid {', '.join(others)}"
            raise await act.failure("blocked", f"pid {identity.pid} is up, but {reason}")
        await act.keep(level="V2")
        return None

    async def _ended(self, identity: Identity, when: str) -> RemedyError:
        end = await self._act.how_ended(identity)
        return await self._act.failure(fault_of(end), f"{end} {when}")

    # V3.

    async def ready(self) -> str:
        """Return what showed that the one on record is ready, in words.

        Raises:
            RemedyError: it is not within `start_timeout`, or ended before it was.
        """
        act, ready, identity = self._act, self._act.worker.ready, self._act.record.worker
        assert identity is not None
        if ready is None:
            return ALIVE_ONLY
        check, clock = self._checker(ready, identity), act.tools.clock
        deadline, pause = clock.read().steady + act.worker.start_timeout, FIRST_PAUSE
        while not (outcome := await act.unless_called_off(check())).ok:
            if clock.read().steady >= deadline:
                waited = format_duration(act.worker.start_timeout)
                if outcome.ok is None and not outcome.young:
                    return await self._untold(ready, outcome.text)
                reason = f"pid {identity.pid} is alive but not ready after {waited}"
                reason = f"{reason}: {outcome.text}"
                raise await act.failure("worker", reason, unproved_by=probe_key(ready))
            if await act.ends_within(identity, pause):
                if await self._followed(identity):
                    return await self.ready()
                raise await self._ended(identity, f"before it was ready: {outcome.text}")
            pause = min(2 * pause, LONGEST_PAUSE)
        await act.keep(level="V3")
        return f"ready: {outcome.text}"

    async def _followed(self, identity: Identity) -> bool:
        """Return whether one that has ended took its time to fork, and its daemon is the one."""
        act = self._act
        if identity != act.record.launched:
            return False
        end = await act.how_ended(identity)
        return await self._unless_daemon(end) is None and await self.sole() is None

    async def _untold(self, ready: Ready, text: str) -> str:
        """Write down that the check cannot be made, which says nothing of the worker."""
        await self._act.keep(unproved=clean(text), unproved_by=probe_key(ready))
        return f"alive only: its readiness cannot be told: {text}"

    def _checker(self, ready: Ready, identity: Identity) -> Checker:
        record, records = self._act.record, self._act.tools.records
        subject = Subject(
            worker=self._act.worker,
            identity=identity,
            born=record.wall,
            log=records.log_path(self._act.worker.name),
            log_offset=record.log_offset,
            beat=record.beat,
        )
        return checker(ready, subject, self._act.tools.checks)

    # V4.

    async def progressing(self) -> str:
        """Return what moved after a process was ready, in words; empty: nothing was seen to.

        It is waited for only where a beat was promised, and never longer than two of its periods.

        Raises:
            RemedyError: it ended.
        """
        identity = self._act.record.worker
        assert identity is not None
        promised = [p for p in (self._act.worker.ready, self._act.worker.liveness) if p is not None]
        beats = [probe.every for probe in promised if probe.heartbeat]
        patience = min(2 * min(beats), self._act.worker.start_timeout) if beats else 0.0
        clock, before = self._act.tools.clock, await self._signs()
        deadline = clock.read().steady + patience
        while clock.read().steady < deadline:
            now = await self._signs()
            if now[0] != before[0]:
                await self._act.keep(level="V4")
                return "heartbeat moved"
            if await self._act.ends_within(identity, STEP):
                raise await self._ended(identity, "just after it was ready")
        if (await self._signs())[1] > before[1]:
            await self._act.keep(level="V4")
            return "output moved"
        return ""

    async def _signs(self) -> tuple[float | None, int]:
        """Return when it last beat, and how much it has written."""
        worker, tools = self._act.worker, self._act.tools

        def look() -> tuple[float | None, int]:
            beat = None
            with suppress(ProbeError):
                beat, _ = tools.checks.beats.age(worker, tools.clock.read())
            return beat, notes.size_of(tools.records.log_path(worker.name))

        return await self._act.call(look)


def _beside(
    identity: Identity, one: WorkerSeen, family: Family
) -> tuple[ProcessFacts | None, list[str]]:
    """Return what a process does, and the pids of other copies than it and its kin."""
    kin = {member.identity for member in family.tree([identity])}
    return family.find(identity), [str(who.pid) for who in alive_in(one) if who not in kin]


def fault_of(end: Ended) -> Fault:
    """Return whose fault it is that a program ended at once."""
    return "command" if end.code in NOT_RUN else "worker"
