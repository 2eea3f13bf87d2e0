"""Clears a session: looks again, interrupts its program, proves it, settles its tasks."""

from __future__ import annotations

from collections.abc import Sequence
from functools import partial
from typing import Final

from healmon.clock import Clock
from healmon.errors import ProbeError, RemedyError, VetoError
from healmon.healer import Hand
from healmon.plans import Plan, Proof, unpack
from healmon.sessions import novelty, outcome
from healmon.sessions.facts import Memory, Order, Row
from healmon.sessions.planning import REPEAT_AFTER, key_words, task_words
from healmon.sessions.probe import Probe, Seen, SessionSeen
from healmon.sessions.standing import standing
from healmon.sessions.viewing import View, ended, told, view
from healmon.text import clean
from healmon.world.pane import Pane
from healmon.world.taskdb import Settled, Settlement, Task

POLL: Final = 0.25
"""Seconds between two looks while a key is verified."""
CHORD: Final = 0.4
"""Seconds between the keys of one step: closer, and a program takes them for one."""
MODE_LEFT: Final = 2.0
"""Seconds that leaving a mode may take."""


class Remedy:
    """Carries out the plans of the sessions healer."""

    def __init__(self, probe: Probe, clock: Clock) -> None:
        self._probe = probe
        self._settings = probe.settings
        self._clock = clock

    async def carry_out(self, plan: Plan, hand: Hand) -> Proof:
        """Look again, interrupt, prove, settle the tasks.

        Raises:
            VetoError: the session is not as planned; nothing (more) was touched.
            RemedyError: it ignored its interrupt, or its tasks could not be settled.
        """
        order = unpack(plan.order, Order)
        seen = await self._look()
        one = self._session(seen, order) if order.key else None
        tasks = self._tasks(order, _missing(seen, order) if one is None else one.tasks)
        if one is not None:
            self._check(one, order)
            self._check_life(one, order)
        words = task_words([task.id for task in tasks])
        await hand.about_to(f"Clearing stuck session: {order.session} ({words})")
        how = ""
        if one is not None and order.keys:
            how = await _Interrupt(self, order, one.pane, hand).run(tasks)
        settled = await self.settle(order, tasks, hand, requeue=order.requeue, reason=order.reason)
        return outcome.proof(order, how, settled)

    async def _look(self) -> Seen:
        try:
            return await self._probe.look()
        except ProbeError as error:
            raise VetoError(f"it cannot be looked at: {error.args[0]}") from error

    def _session(self, seen: Seen, order: Order) -> SessionSeen:
        own = order.key.rpartition(".")[0]
        one = next((s for s in seen.sessions if s.pane.key == own), None)
        if one is None:
            raise VetoError(f"pane {order.pane} is not there any more, or cannot be looked at")
        return one

    def _tasks(self, order: Order, now: Sequence[Task]) -> list[Task]:
        """Return the planned tasks that are as they were; all of them, unless a person asked.

        Raises:
            VetoError: one of them is not: somebody works after all.
        """
        found = {Row(task.source, task.id, task.status, task.token): task for task in now}
        there = [found[row] for row in order.rows if row in found]
        changed = [row.id for row in order.rows if row not in found]
        if not there or (changed and not order.by_hand):
            raise VetoError(f"{task_words(changed)} changed since, or cannot be read")
        return there

    def _check(self, one: SessionSeen, order: Order) -> None:
        """Raise VetoError unless keys may still be pressed, and the same ones."""
        pane, now = one.pane, self._clock.read()
        if pane.dead != order.dead:
            raise VetoError(f"its program {pane.status}" if pane.dead else "its program runs again")
        # the person who asked has judged that it is stuck; the rest holds all the same
        stands = standing(one, Memory(known=order.known), self._settings, now)
        if stands.hands_off:
            raise VetoError(stands.hands_off)
        if stands.keys != order.keys:
            raise VetoError("another program is in the foreground, or it became idle")
        ticks = order.key.rpartition(".")[2]
        kin = one.family
        if not pane.dead and (kin is None or str(kin.ticks) != ticks):
            raise VetoError(f"the process of pane {pane.id} is another one")

    def _check_life(self, one: SessionSeen, order: Order) -> None:
        """Raise VetoError when the session shows anything that it had not shown before."""
        if order.by_hand:
            return
        fresh = novelty.novel(order.known, one.screen, self._clock.read().steady)
        if fresh:
            raise VetoError(f"it shows something new: {clean(fresh[0], limit=120)}")

    async def check_again(self, order: Order) -> None:
        """Raise VetoError unless the session is as planned but for what it shows."""
        seen = await self._look()
        one = self._session(seen, order)
        self._tasks(order, one.tasks)
        self._check(one, order)

    async def settle(
        self, order: Order, tasks: Sequence[Task], hand: Hand, *, requeue: bool, reason: str
    ) -> list[Settled]:
        """Requeue or fail tasks that still are as seen, one transaction per database.

        Raises:
            RemedyError: a database could not be written.
        """
        settled: list[Settled] = []
        details = {"session": order.session, "quiet_seconds": order.quiet, "reason": reason}
        for source in dict.fromkeys(task.source for task in tasks):
            some = [task for task in tasks if task.source == source]
            verb = "requeue" if requeue else "fail"
            await hand.about_to(f"{verb} {task_words([t.id for t in some])} in {source}")
            settlement = Settlement(requeue, reason, self._clock.read().wall, details)
            settings = self._probe.tasks[source]
            call = partial(self._probe.taskdb.settle, settings, some, settlement)
            settled += await self._probe.on(f"tasks {source}", call)
        return settled

    async def see(self, pane: Pane) -> View | None:
        """Return how a pane is now (see `viewing.view`)."""
        return await view(self._probe, pane)

    async def do(self, pane: Pane, keys: tuple[str, ...]) -> None:
        """Press keys in a pane; without keys, leave its mode (see `Tmux`)."""
        tmux = self._probe.tmux
        call = partial(tmux.press, pane, keys) if keys else partial(tmux.leave_mode, pane)
        await self._probe.on(f"tmux {pane.socket}", call)

    @property
    def clock(self) -> Clock:
        """The healer's clock."""
        return self._clock

    @property
    def verify_within(self) -> float:
        """Seconds that a key may take to show."""
        return self._settings.verify_within


class _Interrupt:
    """Presses the keys of one order, one step at a time, until one is seen to work."""

    def __init__(self, remedy: Remedy, order: Order, pane: Pane, hand: Hand) -> None:
        self._remedy = remedy
        self._order = order
        self._pane = pane
        self._hand = hand
        self._clock = remedy.clock
        self._pressed: list[str] = []

    async def run(self, tasks: Sequence[Task]) -> str:
        """Return how the interrupt is seen to have worked; else fail the tasks and raise."""
        before = await self._first_view()
        first, *others = self._order.keys
        how = await self._press(first, before)
        for keys in others:
            how = how or await self._press_again(keys, before)
        last = self._clock.read().steady
        if not how:
            await self._clock.sleep(REPEAT_AFTER)
            how = await self._late(before) or await self._press_again(self._order.keys[-1], before)
        if how:
            return how
        seconds = self._clock.read().steady - last
        raise await self._ignored(before, tasks, seconds)

    async def _first_view(self) -> View:
        before = await self._see()
        if before is None:
            raise VetoError(f"pane {self._pane.id} ended by itself")
        if not before.pane.mode:
            return before
        await self._hand.about_to(f"leave the mode that pane {self._pane.id} shows")
        await self._remedy.do(self._pane, ())
        until = self._clock.read().steady + MODE_LEFT
        while (after := await self._see()) is not None and after.pane.mode:
            if self._clock.read().steady > until:
                raise RemedyError(f"pane {self._pane.id} does not leave its mode; nothing pressed")
            await self._clock.sleep(POLL)
        if after is None:
            raise VetoError(f"pane {self._pane.id} ended by itself")
        return after

    async def _press(self, keys: tuple[str, ...], before: View) -> str:
        for number, key in enumerate(keys):
            if number:
                await self._clock.sleep(CHORD)
            text = f"press {key} in pane {self._pane.id} of {self._order.session}"
            await self._hand.about_to(f"{text} ({before.pane.command})")
            try:
                await self._remedy.do(self._pane, (key,))
            except VetoError:
                if not self._pressed:
                    raise
                break  # what was pressed before has worked, or somebody came: the look will tell
            self._pressed.append(key)
        return await self._verified(before)

    async def _verified(self, before: View) -> str:
        began = self._clock.read().steady
        said = ""
        while True:
            after = await self._see()
            seconds = self._clock.read().steady - began
            how = ended(before, after)
            again = told(before, after)
            if how or (again and again == said):
                return f"{' '.join(self._pressed)}: {how or again} after {seconds:.1f} s"
            said = again
            if seconds >= self._remedy.verify_within:
                return ""
            await self._clock.sleep(POLL)

    async def _late(self, before: View) -> str:
        """Return how it worked after all, later than it had time for."""
        after = await self._see()
        how = ended(before, after) or told(before, after)
        return f"{' '.join(self._pressed)}: {how} at last" if how else ""

    async def _press_again(self, keys: tuple[str, ...], before: View) -> str:
        """Press once more, if but for the screen all is as planned."""
        try:
            await self._remedy.check_again(self._order)
            return await self._press(keys, before)
        except VetoError as error:
            pressed = " ".join(self._pressed)
            raise RemedyError(
                f"{pressed} did nothing, and then: {error.args[0]}; nothing more was pressed"
            ) from error

    async def _ignored(self, before: View, tasks: Sequence[Task], seconds: float) -> RemedyError:
        order, after = self._order, await self._see()
        unread = 0 if after is None or after.terminal is None else after.terminal.unread
        said = (
            f"{before.pane.command} in pane {self._pane.id} ignored {key_words(order.keys)}"
            f" and its repeat {seconds:.0f} s later"
        )
        if unread:
            said += f"; {unread} byte(s) typed are unread: it is frozen"
        reason = f"{order.reason.partition(';')[0]}; {said}"
        settled = await self._remedy.settle(order, tasks, self._hand, requeue=False, reason=reason)
        return RemedyError(outcome.after(order.quiet, f"{said}; {outcome.settled_words(settled)}"))

    async def _see(self) -> View | None:
        try:
            return await self._remedy.see(self._pane)
        except ProbeError as error:
            pressed = f"pressed {' '.join(self._pressed)}; " if self._pressed else ""
            raise RemedyError(f"{pressed}it cannot be looked at: {error.args[0]}") from error


def _missing(seen: Seen, order: Order) -> tuple[Task, ...]:
    """Return the tasks of a session that is still gone.

    Raises:
        VetoError: it is there again, or that cannot be told.
    """
    if any(clean(s.pane.name, limit=160) == order.session for s in seen.sessions):
        raise VetoError(f"session {order.session} is there again")
    if any(fault.kind == "tmux" for fault in seen.faults):
        raise VetoError("a tmux socket cannot be read: the session may be there")
    for name, tasks in seen.missing.items():
        if clean(name, limit=160) == order.session:
            return tasks
    return ()
