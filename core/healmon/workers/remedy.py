"""Starting, restarting and stopping a worker: look again, act step by step, prove it.

    decided ──▶ stopping ──▶ stopped ──▶ spawning ──▶ spawned ──▶ verified

Each phase is written down before its step (`healmon.workers.acting`). An act that a killed healmon
left half done is taken up where it stopped: an order with the number of its record continues it, a
later one ends first what it was about to end.
"""

from __future__ import annotations

import asyncio
from collections.abc import AsyncGenerator
from contextlib import AsyncExitStack, asynccontextmanager, suppress
from functools import partial

from msgspec.structs import replace

from healmon.clock import Reading
from healmon.config.settings import Worker
from healmon.errors import CalledOffError, RemedyError, VetoError
from healmon.healer import Hand
from healmon.plans import Proof, pack
from healmon.redact import command_line
from healmon.text import clean
from healmon.workers import blocking, starting
from healmon.workers.acting import Act, FreshLife, Tools, alive_in
from healmon.workers.model import Order, StartRecord, WorkerSeen
from healmon.workers.proving import Proving, fault_of
from healmon.workers.records import former_of, half_done
from healmon.workers.refusal import followed, goes_on, pids, refuse, veto_of_fresh_life
from healmon.workers.stopping import Stopping
from healmon.workers.yielding import Way
from healmon.world.processes import Ended, Identity


class Remedy:
    """Carries out the orders for workers.

    Args:
        tools: what all acts use.
        starts_in_flight: starts at the same time that healmon makes by itself; 0: any number.
    """

    def __init__(self, tools: Tools, starts_in_flight: int = 0) -> None:
        self._tools = tools
        self._slots = asyncio.Semaphore(starts_in_flight) if starts_in_flight else None
        self._lesser = asyncio.Semaphore(max(1, starts_in_flight - 1))

    async def carry_out(
        self,
        worker: Worker,
        order: Order,
        origin: str,
        hand: Hand,
        fresh_life: FreshLife | None = None,
        way: Way | None = None,
    ) -> Proof:
        """Do what is ordered and prove it.

        Args:
            worker: its settings.
            order: what is to be done.
            origin: who asked.
            hand: journals.
            fresh_life: what shows that one that seemed to hang works again; then it is left alone.
            way: tells when something else is wanted meanwhile.

        Raises:
            VetoError: the world is not as planned; nothing was touched.
            RemedyError: a step failed, or the proof did not come.
            CalledOffError: something else is wanted by now; how far it came is on record.
        """
        act = Act(
            self._tools, worker, order, hand, _new_record(order, origin, self._tools.clock.read()),
            fresh_life=fresh_life if not order.wish else None, way=way or Way(),
        )  # fmt: skip
        try:
            if order.verb == "stop":
                return await self._stop_for_good(act, await self._begin(act))
            return await self._start(act)
        except CalledOffError as error:
            if not self._records_other(act):
                now = self._tools.clock.read().steady
                with suppress(RemedyError):
                    await act.keep(reason=clean(str(error)), called_off=now)
            raise

    def _records_other(self, act: Act) -> bool:
        """Return whether the journal row is not this act's: it has touched nothing."""
        newest = self._tools.records.start(act.worker.name)
        return newest is None or newest.number != act.record.number

    async def _start(self, act: Act) -> Proof:
        async with self._slot(act.order):
            one = await self._begin(act)
            old = act.record.old
            await self._replace(act, one)
            proving = Proving(act)
            end = await proving.settled() or await proving.sole()
            if end is not None:
                return await _ended_at_once(act, end)
            readiness = await proving.ready()
            await act.keep(phase="verified", outcome="verified")
        moved = ""
        with suppress(CalledOffError):  # it is proved already
            moved = await proving.progressing() if act.record.level == "V3" else ""
        return self._proof(act, old, f"{readiness}; {moved}" if moved else readiness)

    @asynccontextmanager
    async def _slot(self, order: Order) -> AsyncGenerator[None]:
        """Give a place among the starts in flight; a person need not wait for one."""
        async with AsyncExitStack() as places:
            if self._slots is not None and not order.wish:
                if order.again:  # one that hangs in each start must not take all of them
                    await places.enter_async_context(self._lesser)
                await places.enter_async_context(self._slots)
            yield

    async def _begin(self, act: Act) -> WorkerSeen:
        """Look again; return what the act begins from.

        Raises:
            VetoError: the world is not as it was when the plan was made.
        """
        now = self._tools.clock.read()
        one = await act.look(act.order.identity)
        act.order = order = followed(act.order, one)
        act.record = replace(
            act.record, number=order.number, wall=now.wall, steady=now.steady,
            former=former_of(one.record),
            asked=one.record.asked if one.record is not None else None,
        )  # fmt: skip
        alive, half = alive_in(one), half_done(one.record)
        refuse(order, one, alive)
        old = order.identity if order.identity in alive else None
        if half is None:
            act.record = replace(act.record, old=old)
        elif goes_on(order, half):
            act.record = replace(half, verb=order.verb, reason="", called_off=0.0)
        else:
            # what that act was about to end is ended first
            tree = (*filter(None, [half.old]), *half.tree)
            if order.wish:  # with what it had begun: a daemon on its way is found by its session
                tree = (*tree, *filter(None, [half.launched, half.worker]))
            act.record = replace(act.record, old=old, tree=tuple(dict.fromkeys(tree)))
        return one

    # Stopping.

    async def _stop_for_good(self, act: Act, one: WorkerSeen) -> Proof:
        name, old = act.worker.name, act.record.old
        await act.about_to(f"keep {name} down until somebody starts it")
        await act.keep()
        await act.wish("down")
        gone = await self._stop(act, one)
        if gone or old is not None:
            await self._nobody_left(act)  # a daemon may have been on its way
        await act.keep(phase="stopped", outcome="verified")
        if old is None and not gone:
            return Proof(f"{name} was not up; healmon leaves it down")
        with_it = sum(1 for who in gone if who != old)
        who = f"pid {old.pid}" if old is not None else f"what was left of {name}"
        more = f" and {with_it} more of its processes" if old is not None and with_it else ""
        verb = "are" if more else "is"
        return Proof(f"{who}{more} {verb} gone; healmon leaves {name} down")

    async def _stop(self, act: Act, one: WorkerSeen) -> tuple[Identity, ...]:
        """End the old process with all that belongs to it, and the orphans; return who that was."""
        old, order = act.record.old, act.order
        shim = one.shim.shim if one.shim is not None and one.shim.alive else None
        orphans = await self._orphans(act, one) if order.orphans else ()
        roots = (*filter(None, [old]), *act.record.tree, *orphans)
        if not roots:
            return ()
        stopping = Stopping(act, roots, shim)
        await stopping.all()
        act.record = replace(act.record, asked=None)
        if old is not None:
            await act.note_end(old)
        return stopping.known

    async def _orphans(self, act: Act, one: WorkerSeen) -> tuple[Identity, ...]:
        """Return which of the orphans that are to be stopped live.

        Raises:
            VetoError: one of them is not shown to be the worker's own.
        """
        family = await act.family()
        shim = one.shim.shim if one.shim is not None and one.shim.alive else None
        kin = {f.identity for f in family.tree(blocking.roots(one.record, one.shim), shim)}
        blockers = await act.call(partial(act.tools.probe.blockers, act.worker, one, family))
        kin |= {b.identity for b in blockers if b.orphan and b.identity is not None}
        alive = tuple(who for who in act.order.orphans if family.find(who) is not None)
        for orphan in alive:
            if orphan not in kin:
                raise VetoError(
                    f"pid {orphan.pid} is not shown to be left over from {act.worker.name}"
                )
        return alive

    # Starting.

    async def _replace(self, act: Act, one: WorkerSeen) -> None:
        """Bring about that exactly one new process was spawned, and is on record.

        Raises:
            VetoError: there is none, and none may be started.
        """
        if act.record.phase in ("spawning", "spawned"):
            if await self._found_again(act, one):
                return
            if act.order.proves:
                raise VetoError("what was to be proved is gone; the next start is planned anew")
        else:
            await veto_of_fresh_life(act)
            taken_over = act.record.old is not None and act.order.wish
            if taken_over and one.wish is not None and one.wish.desired == "down":
                await act.about_to(f"keep {act.worker.name} up from now on")
                await act.wish("up")
            gone = await self._stop(act, one)
            if act.record.phase == "stopping":
                await act.keep(phase="stopped")
            if gone or act.record.old is not None:
                one = await self._nobody_left(act)
        looked = self._tools.clock.read().steady
        await starting.clean_ground(act, one)
        name = act.worker.name
        await act.about_to(f"start {name}: {command_line(act.worker.argv, 10_000)}")
        looked = await self._still_nobody(act, looked)
        await act.wish("up")
        await starting.spawn(act, looked)

    async def _still_nobody(self, act: Act, looked: float) -> float:
        """Look again if the last look has grown old; return when the newest one was."""
        now = self._tools.clock.read().steady
        if now - looked <= starting.FRESH:
            return looked
        if others := alive_in(await act.look(None, now=True)):
            reason = f"already up as pid {pids(others)}: started by somebody else"
            if act.record.phase == "decided":
                raise VetoError(reason)
            raise await act.failure("blocked", reason)
        return now

    async def _found_again(self, act: Act, one: WorkerSeen) -> bool:
        """Return whether a start that was cut short had spawned something; it is on record then."""
        record, launched = act.record, act.record.launched
        if launched is None and one.shim is not None and one.shim.number == record.number:
            launched = one.shim.worker
        if launched is None:
            found = [who for who in alive_in(one) if who != record.old]
            launched = found[0] if found else None
        if launched is None:
            return False
        name = act.worker.name
        await act.about_to(f"go on with start {record.number} of {name}: pid {launched.pid}")
        await act.wish("up")
        await act.keep(phase="spawned", launched=launched)
        return True

    async def _nobody_left(self, act: Act) -> WorkerSeen:
        """Return a look that shows nobody; whoever is there now is somebody else's."""
        one = await act.look(None, now=True)
        if left := alive_in(one):
            old = f"pid {act.record.old.pid} is gone, but " if act.record.old is not None else ""
            reason = f"{old}pid {pids(left)} of {act.worker.name} still runs"
            reason += "" if act.order.verb == "stop" else "; no second copy is started"
            raise await act.failure("blocked", reason)
        return one

    def _proof(self, act: Act, old: Identity | None, readiness: str) -> Proof:
        record = act.record
        assert record.worker is not None
        took = self._tools.clock.read().steady - record.steady
        gone = f", pid {old.pid} gone" if old is not None else ""
        how = "" if record.how == "spawned" else f", found by {record.how}"
        text = f"pid {record.worker.pid} alive after {took:.1f} s{how} ({readiness}){gone}"
        healmon, name = act.order.wish == 0, act.worker.name
        return Proof(
            text=text,
            message=f"{name} was down and is up again: {text}" if healmon else "",
            details={
                "identity": pack(record.worker),
                "old": pack(old) if old is not None else None,
                "how": record.how,
                "level": record.level,
                "readiness": readiness,
                "log": str(self._tools.records.log_path(name)),
            },
        )


async def _ended_at_once(act: Act, end: Ended) -> Proof:
    worker = act.worker
    if end.code == 0 and worker.restart != "always" and not worker.forks:
        await act.keep(outcome="completed", reason=str(end))
        return Proof(f"{worker.name} did its work: {end}", details={"code": 0})
    missing = ", and no daemon was found" if end.code == 0 else ""
    raise await act.failure(fault_of(end), f"{end} at once{missing}")


def _new_record(order: Order, origin: str, now: Reading) -> StartRecord:
    return StartRecord(
        number=order.number,
        wall=now.wall,
        steady=now.steady,
        trial=order.trial,
        fresh=order.wish > 0,
        origin=origin,
        verb=order.verb,
        wish=order.wish,
    )
