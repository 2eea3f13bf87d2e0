"""Carries out plans: one task each, one per component, journaled before every touch."""

from __future__ import annotations

import asyncio
from collections import Counter
from collections.abc import AsyncGenerator, Callable, Generator
from contextlib import asynccontextmanager, contextmanager
from dataclasses import dataclass, field

from msgspec.structs import replace

from healmon import events as ev
from healmon import gate
from healmon.clock import Clock, process_seconds
from healmon.engine.room import Room
from healmon.engine.stream import Stream
from healmon.errors import CalledOffError, HolderError, RemedyError, VetoError
from healmon.healer import Instead
from healmon.plans import Answer, Packed, Plan
from healmon.text import clean, like

VETO_PAUSE = 0.25
"""Seconds before the same plan is tried again after a veto: a look may not see what a veto sees."""
GIVES_WAY = 10.0
"""Seconds that an act may take to end that gives way: it may be in a step."""
CALLED_OFF = HolderError.exit_code
"""What a command ends with whose act was called off, or cut off by healmon's own end."""
JOURNAL_PATIENCE = 2.0
"""Seconds an act waits for its journal row to reach the disk; then it goes on without."""


@dataclass(slots=True)
class _Act:
    """One plan under way."""

    room: Room
    plan: Plan
    task: asyncio.Task[Answer] | None = None
    waiting: bool = False
    queued: bool = False
    withdrawn: bool = False
    begun: bool = False
    called_off: str = ""
    acting: bool = False

    def gives_way(self, reason: str, instead: Instead) -> bool:
        """Have it end where it waits; returns whether it does."""
        return self.room.healer.give_way(self.plan.component, f"called off: {reason}", instead)


class _Hand:
    """Journals each touch of the world before it happens."""

    def __init__(self, acts: Acts, act: _Act) -> None:
        self._acts = acts
        self._act = act

    async def about_to(self, text: str) -> None:
        """Record what is about to be done; returns when the record is on disk, or cannot be."""
        await self._acts.journal(self._act, text)


@dataclass(slots=True)
class Acts:
    """All plans in flight.

    Attributes:
        once: act at most once on each component (for `--once`).
        asked_only: carry out what a person asks for, and no plan of a diagnosis.
    """

    stream: Stream
    clock: Clock
    dry_run: bool
    once: bool = False
    asked_only: bool = False
    on_settled: Callable[[], None] | None = None
    _acts: dict[str, _Act] = field(default_factory=dict[str, _Act])
    _done: set[str] = field(default_factory=set[str])
    _vetoed: dict[str, str] = field(default_factory=dict[str, str])
    _held: dict[Room, asyncio.Event] = field(default_factory=dict[Room, asyncio.Event])
    _reserved: Counter[str] = field(default_factory=Counter[str])
    _serial: int = 0
    _closing: bool = False

    def new_id(self) -> str:
        """Return a plan id that no other plan of this store has."""
        self._serial += 1
        return f"{self.stream.snapshot.engine.pid}.{self.stream.snapshot.last_id}.{self._serial}"

    def propose(self, room: Room, plan: Plan, cause: int) -> None:
        """Take a plan of a diagnosis: gate it, then pursue it unless one is in flight already."""
        component = plan.component
        if (
            self._closing
            or self.asked_only
            or component in self._acts
            or self._reserved[component]
            or (self.once and component in self._done)
        ):
            return
        if room in self._held:
            return  # whoever follows plans anew
        self.stream.heed_clock()
        snapshot = self.stream.snapshot
        reason = gate.refusal(plan, snapshot, self.clock.read().wall, dry_run=self.dry_run)
        if reason:
            known = snapshot.refusals.get(component)
            if known is None or (known.action, known.subject, known.reason) != (
                plan.action,
                plan.subject,
                reason,
            ):
                self.stream.emit(ev.PlanRefused(replace(plan, id=self.new_id()), reason), cause)
            return
        if self._vetoed.get(component) == plan.subject:
            plan = replace(plan, delay=max(plan.delay, VETO_PAUSE))
        self.pursue(room, replace(plan, id=plan.id or self.new_id()), cause)

    def pursue(self, room: Room, plan: Plan, cause: int | None) -> asyncio.Task[Answer]:
        """Begin a plan that the gate let pass; the task returns what became of it."""
        now = self.clock.read()
        act = _Act(room, plan, queued=room in self._held)
        self._acts[plan.component] = act
        made = self.stream.emit(
            ev.PlanMade(plan, due=now.steady + plan.delay, due_wall=now.wall + plan.delay), cause
        )
        act.task = asyncio.create_task(self._run(act, made), name=f"plan {plan.id}")
        return act.task

    def begin(self) -> None:
        """Begin anew: what a run before left, which failed, is over."""
        self._closing = False
        self._acts.clear()
        self._held.clear()

    @property
    def closing(self) -> bool:
        """Whether nothing is begun any more."""
        return self._closing

    def busy(self, component: str) -> Plan | None:
        """Return the plan that is being carried out on a component right now."""
        act = self._acts.get(component)
        return act.plan if act is not None and act.acting else None

    def withdraw(self, component: str, reason: str) -> None:
        """Have a plan end that still waits for its moment; one whose moment has come goes on."""
        act = self._acts.get(component)
        if act is not None and act.waiting and act.task is not None:
            act.withdrawn = True
            act.task.cancel(reason)

    async def call_off(self, component: str, reason: str) -> None:
        """End a plan that still waits for its moment; one that acts is left to finish.

        There is none then, or one that acts: while we waited, somebody may have begun another.
        """
        while (act := self._acts.get(component)) is not None and not act.acting:
            if act.task is None:
                return
            if act.begun:
                act.task.cancel(reason)
            else:
                act.called_off = reason  # cancelled before its first step, it would tell of no end
            await asyncio.wait({act.task})

    @contextmanager
    def reserved(self, component: str) -> Generator[None]:
        """Keep a component for what a person is about to have done: no diagnosis comes first."""
        self._reserved[component] += 1
        try:
            yield
        finally:
            self._reserved[component] -= 1

    async def give_way(self, component: str, reason: str, instead: Instead) -> None:
        """Have what is under way on a component end for something else that is wanted.

        What waits for its moment is called off. What acts ends where it waits, if its healer lets
        it; else it is left to finish: see `busy`.
        """
        end = process_seconds() + GIVES_WAY
        while True:
            await self.call_off(component, reason)
            act = self._acts.get(component)
            if act is None or act.task is None or process_seconds() >= end:
                return
            if not act.gives_way(reason, instead):
                return
            await asyncio.wait({act.task}, timeout=end - process_seconds())

    async def hands_off(self, component: str, reason: str) -> list[Plan]:
        """Have all that acts on these components (a pattern) end where it waits.

        Returns:
            What is in the midst of something that it must finish.
        """
        acts = [act for name, act in self._acts.items() if like(component, name)]
        past = [act for act in acts if not (act.waiting or act.queued)]  # the gate
        # all at once: while one ends another may begin to touch something
        ending = {a.task for a in past if a.task and a.gives_way(reason, "pause") and a.acting}
        early = [self.call_off(a.plan.component, reason) for a in past if not a.acting]
        await asyncio.gather(*early)
        if ending:
            await asyncio.wait(ending, timeout=GIVES_WAY)
        return [
            act.plan for act in past if act.acting and self._acts.get(act.plan.component) is act
        ]

    async def journal(self, act: _Act, text: str) -> None:
        """Record a step durably before it is taken."""
        plan = act.plan
        if not act.acting:
            act.acting = True
            self.stream.emit(ev.ActionStarted(plan.id, plan.component))
        self.stream.emit(
            ev.StepTaken(plan.id, plan.component, clean(text), lasting=act.room.healer.lasting)
        )
        await self.stream.journal.flush(JOURNAL_PATIENCE)

    async def _run(self, act: _Act, cause: int) -> Answer:
        plan, act.begun = act.plan, True
        try:
            self._go_on(act)
            if plan.delay > 0:
                act.waiting = True
                await self.clock.sleep(plan.delay)
                act.waiting = False
            if act.queued:
                await self.free(act.room)
                act.queued = False
            answer, event = await self._attempt(act)
        except asyncio.CancelledError as error:
            reason = str(error) or "healmon stopped"
            # whoever asked for it must not take it for done
            answer = _over(f"{'failed: cut off' if act.acting else 'not done'}: {reason}")
            event = ev.PlanAbandoned(plan.id, plan.component, reason)
        self._acts.pop(plan.component, None)
        if not act.withdrawn:
            self._done.add(plan.component)
        self._vetoed.pop(plan.component, None)
        if isinstance(event, ev.PlanVetoed):
            self._vetoed[plan.component] = plan.subject
        self.stream.emit(event, cause)
        if isinstance(event, ev.ActionVerified) and event.message:
            self.stream.emit(self._note(event), cause)
        act.room.act_ended(tried=act.acting or not isinstance(event, ev.PlanAbandoned))
        if self.on_settled is not None:
            self.on_settled()
        return answer

    @staticmethod
    def _go_on(act: _Act) -> None:
        """Raise CancelledError in the place of one that came before the first step."""
        if act.called_off:
            raise asyncio.CancelledError(act.called_off)

    def _note(self, event: ev.ActionVerified) -> ev.AlertNoted:
        host = self.stream.snapshot.engine.host
        key = f"{host}/{event.component}/{event.action}/recovered"
        return ev.AlertNoted(key, event.component, event.message, {"proof": event.proof})

    async def _attempt(self, act: _Act) -> tuple[Answer, ev.Event]:
        plan = act.plan
        self.stream.heed_clock()
        wall = self.clock.read().wall
        reason = gate.refusal(plan, self.stream.snapshot, wall, dry_run=self.dry_run)
        if reason:
            return _refused(reason), ev.PlanVetoed(plan.id, plan.component, reason)
        began = process_seconds()
        try:
            proof = await act.room.healer.carry_out(plan, _Hand(self, act))
        except VetoError as error:
            reason = clean(error.line)
            return _refused(reason), ev.PlanVetoed(plan.id, plan.component, reason)
        except CalledOffError as error:
            reason = clean(error.line)
            return _over(f"failed: {reason}"), ev.PlanAbandoned(plan.id, plan.component, reason)
        except RemedyError as error:
            return self._failed(plan, error.line, began, error.details)
        except Exception as error:  # noqa: BLE001 - a remedy's crash must not end the engine
            return self._failed(plan, f"crashed: {type(error).__name__}: {error}", began)
        seconds = round(process_seconds() - began, 3)
        return Answer(ok=True, text=proof.text), ev.ActionVerified(
            plan.id, plan.component, plan.action, proof.text, seconds, proof.message, proof.details
        )

    def _failed(
        self, plan: Plan, reason: str, began: float, details: Packed | None = None
    ) -> tuple[Answer, ev.Event]:
        reason, seconds = clean(reason), round(process_seconds() - began, 3)
        event = ev.ActionFailed(
            plan.id, plan.component, plan.action, reason, seconds, details or {}
        )
        return Answer(ok=False, text=f"failed: {reason}"), event

    async def free(self, room: Room) -> None:
        """Return when nobody is to follow the healer of a room any more."""
        while (held := self._held.get(room)) is not None:
            await held.wait()

    @asynccontextmanager
    async def held(self, room: Room, reason: str) -> AsyncGenerator[None]:
        """Keep a room without acts: what waits is called off, what acts ends, none begins."""
        await self.free(room)
        self._held[room] = over = asyncio.Event()
        try:
            await asyncio.sleep(0)  # what was begun in this very turn is under way after it
            for act in self._of(room):
                self.withdraw(act.plan.component, reason)
                # the one that follows goes on with it; one that only looks as yet hears of it later
                act.gives_way(reason, "end")
            while tasks := [act.task for act in self._of(room) if act.task is not None]:
                await asyncio.wait(tasks)
            yield
        finally:
            del self._held[room]
            over.set()

    def _of(self, room: Room) -> list[_Act]:
        """Return what is under way in a room; what waits until it is free again is not."""
        return [act for act in self._acts.values() if act.room is room and not act.queued]

    def told(self, room: Room) -> str:
        """Return what is under way in a room, in words."""
        plans = [act.plan for act in self._of(room)]
        return ", ".join(f"{p.action} {p.component}" for p in plans) or "a look"

    @property
    def in_flight(self) -> list[asyncio.Task[Answer]]:
        """The tasks of all plans that wait or act."""
        return [act.task for act in self._acts.values() if act.task is not None]

    async def drain(self, patience: float) -> bool:
        """Call off what waits, let what acts finish; False when something did not in time."""
        self._closing = True
        for component in list(self._acts):
            await self.call_off(component, "healmon stopped")
        for act in self._acts.values():  # the next healmon goes on with those that only wait
            act.gives_way("healmon stopped", "end")
        tasks = self.in_flight
        if not tasks:
            return True
        _, pending = await asyncio.wait(tasks, timeout=patience)
        for task in pending:
            task.cancel("healmon stopped")
        if pending:
            await asyncio.wait(pending, timeout=1.0)
        return not pending


def _refused(reason: str) -> Answer:
    return Answer(ok=False, text=f"not done: {reason}")


def _over(text: str) -> Answer:
    """Return the answer to who asked for what came to no end: nothing was wrong with the asking."""
    return Answer(ok=False, text=text, code=CALLED_OFF)
