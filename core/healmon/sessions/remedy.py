"""Carries out the plans of the sessions healer: looks again, acts, proves it, writes it down."""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Sequence
from functools import partial
from typing import TypeVar

from msgspec.structs import replace

from healmon.clock import Clock
from healmon.errors import ProbeError, RemedyError, VetoError
from healmon.healer import Hand
from healmon.plans import Plan, Proof, unpack
from healmon.sessions import answering, checks, giveback, outcome, releasing
from healmon.sessions.afterwards import Afterwards
from healmon.sessions.dossier import Archive, Dossier
from healmon.sessions.facts import REQUEUE, Order
from healmon.sessions.interrupt import Interrupt
from healmon.sessions.planning import task_words
from healmon.sessions.probe import Probe, Seen, SessionSeen
from healmon.sessions.rungs import Rungs
from healmon.sessions.verdict import Verdict
from healmon.sessions.viewing import View, view
from healmon.text import clean
from healmon.world.evidencefiles import EvidenceFiles
from healmon.world.pane import Pane
from healmon.world.taskdb import Settled, Settlement, Task

T = TypeVar("T")


class Remedy:
    """Carries out the plans of the sessions healer.

    Args:
        probe: what looks, and the threads for what may hang.
        clock: all time.
        files: where evidence is stored; None: nowhere.
    """

    def __init__(self, probe: Probe, clock: Clock, files: EvidenceFiles | None = None) -> None:
        self.probe = probe
        self._settings = probe.settings
        self._clock = clock
        self._archive = Archive(files, probe.on, clock, probe.settings.evidence)
        self._afterwards = Afterwards(probe, clock)

    async def carry_out(self, plan: Plan, hand: Hand) -> Proof:
        """Look again, act, prove it.

        Raises:
            VetoError: the world is not as planned; nothing (more) was touched.
            RemedyError: it ignored what was pressed, or its tasks could not be settled.
        """
        order = unpack(plan.order, Order)
        if plan.action == REQUEUE:
            return await giveback.give_back(order, self.probe, self._clock, hand)
        dossier = await Dossier.begin(self._archive, hand, self._clock, plan, order)
        try:
            if order.answer:
                return await answering.answer(self, order, dossier)
            if order.release:
                return await releasing.release(self, order, dossier)
            return await self._clear(order, dossier)
        except VetoError as error:
            await dossier.called_off(str(error.args[0]))
            raise

    async def tidy(self) -> None:
        """Remove evidence that is older than it is to be kept."""
        await self._archive.tidy()

    def close(self) -> None:
        """Give up what still watches sessions that were cleared."""
        self._afterwards.close()

    async def _clear(self, order: Order, dossier: Dossier) -> Proof:
        seen = await self.look()
        one = checks.found(seen, order) if order.key else None
        if order.key and one is None:
            raise VetoError(f"pane {order.pane} is not there any more, or cannot be looked at")
        there = one.tasks if one is not None else self._tasks_of_missing(seen, order)
        tasks, changed = checks.still_there(order, there)
        _veto(changed)
        if one is not None:
            self._check(one, order, pressed=False)
            await dossier.saw(one, tasks)
        words = task_words([task.id for task in tasks])
        ended = one is None or order.dead
        doing = "Settling the tasks of" if ended else "Clearing stuck session:"
        await dossier.announce(f"{doing} {order.session} ({words})")
        verdict = Verdict(result="settled", key=order.key)
        if one is not None:
            dossier.before(await self.see(one.pane, one))
            if order.keys:
                with self.probe.tmux.claim(one.pane):
                    verdict = await self._interrupt(one, order, dossier)
        return await self._settle_all(order, tasks, dossier, verdict, one)

    async def _interrupt(self, one: SessionSeen, order: Order, dossier: Dossier) -> Verdict:
        doors = _Doors(self, one)
        check = partial(self.check_again, order)
        ladder = Interrupt(doors, order, one.pane, dossier, check)
        try:
            verdict = await ladder.run()
        except RemedyError as error:
            lost = Verdict(
                result="unknown", how=str(error.args[0]), key=order.key, keys=ladder.pressed
            )
            raise await self._failed(order, dossier, lost) from error
        last = ladder.last
        if verdict.result == "exited" and last is not None:
            # programs say how they can be started again when they end
            hint = self.probe.packs.resume_hint(last.agent, last.screen)
            verdict = replace(verdict, resume=clean(hint, limit=200))
        rungs = Rungs(self.probe, self._clock, one, dossier, partial(check, pressed=True))
        return await rungs.climb(verdict)

    async def _settle_all(
        self,
        order: Order,
        tasks: Sequence[Task],
        dossier: Dossier,
        verdict: Verdict,
        one: SessionSeen | None,
    ) -> Proof:
        """Settle the tasks, store the verdict, return the proof; a program that held is an error.

        Raises:
            RemedyError: the program held, or a database could not be written.
        """
        if verdict.result == "unblocked":
            return outcome.proof(order, await dossier.close(verdict), ())
        held = not verdict.let_go
        reason = outcome.reason(order, verdict, dossier.ident)
        settlement = Settlement(
            order.requeue,
            reason,
            self._clock.read().wall,
            outcome.details(order, verdict, dossier.ident),
            elsewhere=order.elsewhere or held,
        )
        settled: list[Settled] = []
        try:
            await self.settle(tasks, settlement, dossier, settled, outcome.held_words(verdict))
        except (RemedyError, ProbeError) as error:
            done = {str(one.id): one.outcome for one in settled}  # in other sources
            how = f"{verdict.how}; {error.args[0]}".lstrip("; ")
            verdict = replace(verdict, how=how, tasks=done)
            raise await self._failed(order, dossier, verdict, settled) from error
        verdict = replace(
            verdict,
            tasks={str(one.id): one.outcome for one in settled},
            elsewhere=settlement.elsewhere,
        )
        if held:
            raise await self._failed(order, dossier, verdict, settled)
        verdict = await dossier.close(verdict)
        if one is not None and order.keys and verdict.result == "cleared":
            agent = "" if one.family is None else one.family.agent
            self._afterwards.follow(one.pane, agent, one.screen, dossier)
        return outcome.proof(order, verdict, settled)

    async def _failed(
        self, order: Order, dossier: Dossier, verdict: Verdict, settled: Sequence[Settled] = ()
    ) -> RemedyError:
        """Return the error of an attempt that did not work, with its verdict."""
        verdict = await dossier.close(verdict)
        return outcome.failure(order, verdict, settled)

    async def look(self) -> Seen:
        """Return everything there is to see now.

        Raises:
            VetoError: it cannot be looked at.
        """
        try:
            return await self.probe.look(fresh=True)
        except ProbeError as error:
            raise VetoError(f"it cannot be looked at: {error.args[0]}") from error

    def _tasks_of_missing(self, seen: Seen, order: Order) -> tuple[Task, ...]:
        _veto(checks.returned(seen, order))
        return checks.missing(seen, order)

    def _check(self, one: SessionSeen, order: Order, *, pressed: bool) -> None:
        """Raise VetoError unless the session may still be touched, and by the same keys."""
        now = self._clock.read()
        _veto(checks.touchable(one, order, self._settings, now, self.probe.packs))
        if not pressed:
            _veto(checks.other_rule(one.sign, order))
            _veto(checks.new_life(one, order, now))

    async def check_again(self, order: Order, pressed: bool) -> None:  # noqa: FBT001 - the ladder's own word
        """Look at everything again, right before a key.

        Args:
            order: what is planned.
            pressed: something was pressed before: what the screen shows is no sign of life.

        Raises:
            VetoError: the session is not as planned.
        """
        seen = await self.look()
        one = checks.found(seen, order)
        if one is None:
            raise VetoError(f"pane {order.pane} is not there any more, or cannot be looked at")
        if order.rows:
            _veto(checks.still_there(order, one.tasks)[1])
        self._check(one, order, pressed=pressed)

    async def settle(
        self,
        tasks: Sequence[Task],
        settlement: Settlement,
        dossier: Dossier,
        settled: list[Settled],
        why: str = "",
    ) -> None:
        """Requeue or fail tasks that still are as seen, one transaction per database.

        Args:
            tasks: which.
            settlement: what is to become of them.
            dossier: where that is written down first.
            settled: gets what became of each, also where a later database fails.
            why: that the program held, for whoever comes after a healmon that ends in this.

        Raises:
            RemedyError, ProbeError: a database could not be written.
        """
        verb = "requeue" if settlement.requeue else "fail"
        for source in dict.fromkeys(task.source for task in tasks):
            some = [task for task in tasks if task.source == source]
            ids = task_words([task.id for task in some])
            await dossier.about_to("settle", f"{verb} {ids} in {source}{why}")
            at = replace(settlement, at=self._clock.read().wall)
            call = partial(self.probe.taskdb.settle, self.probe.tasks[source], some, at)
            settled += await self.probe.on(f"tasks {source}", call)

    async def see(self, pane: Pane, one: SessionSeen) -> View | None:
        """Return how a pane is now, read as the program that was seen there."""
        agent = "" if one.family is None else one.family.agent
        try:
            return await view(self.probe, pane, agent)
        except ProbeError:
            return None

    async def on(self, what: str, call: Callable[[], T]) -> T:
        """Return what a blocking call returns, made on the thread for `what`."""
        return await self.probe.on(what, call)

    @property
    def clock(self) -> Clock:
        """The healer's clock."""
        return self._clock

    @property
    def verify_within(self) -> float:
        """Seconds that a key may take to show."""
        return self._settings.verify_within


class _Doors:
    """What the ladder sees and touches of one session."""

    def __init__(self, remedy: Remedy, one: SessionSeen) -> None:
        self._remedy = remedy
        self._agent = "" if one.family is None else one.family.agent

    @property
    def clock(self) -> Clock:
        return self._remedy.clock

    @property
    def verify_within(self) -> float:
        return self._remedy.verify_within

    async def see(self, pane: Pane) -> View | None:
        return await view(self._remedy.probe, pane, self._agent)

    async def press(self, pane: Pane, key: str) -> None:
        await self._do(pane, partial(self._remedy.probe.tmux.press, pane, (key,)))

    async def leave_mode(self, pane: Pane) -> None:
        await self._do(pane, partial(self._remedy.probe.tmux.leave_mode, pane))

    def _do(self, pane: Pane, call: Callable[[], None]) -> Awaitable[None]:
        return self._remedy.on(f"tmux {pane.socket}", call)


def _veto(why: str) -> None:
    if why:
        raise VetoError(why)
