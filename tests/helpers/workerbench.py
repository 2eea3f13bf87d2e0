"""A bench for the workers' healer: an engine in small, with made-up time.

It does what the engine does (look, diagnose, fold, alerts, gate, wait, carry out, look again) in
one thread and in one order, and keeps every event; the world behind it may be real or simulated.
"""

from __future__ import annotations

import sys
from collections.abc import Callable
from pathlib import Path
from typing import TypeVar
from unittest import mock

from msgspec.structs import replace

from healmon import alerts, gate
from healmon import events as ev
from healmon.clock import Clock, ManualClock
from healmon.config.settings import Monitor, Worker
from healmon.errors import RemedyError, VetoError
from healmon.plans import Diagnosis, Plan, Verdict, unpack
from healmon.state import AlertView, Snapshot, apply
from healmon.workers import budget
from healmon.workers.healer import WorkersHealer
from healmon.workers.model import Memory, Seen, WorkerFacts
from healmon.world.processes import Processes
from tests.helpers import inbox

SCRIPT = "/srv/app/workers/task_worker.py"
ARGV = ("/usr/bin/python3", SCRIPT, "--daemon")
T = TypeVar("T")


def a_worker(**more: object) -> Worker:
    """Return the settings of a worker; what is not said is the default."""
    settings: dict[str, object] = {"name": "task_worker", "argv": ARGV, "script": SCRIPT}
    return Worker(**{**settings, **more})


class Inline:
    """Hands that make each call at once: a made-up world never hangs."""

    def __init__(self, name: str) -> None:
        self.name = name

    async def call(self, call: Callable[[], T], *, patient: bool = False) -> T:
        return call()

    def close(self) -> None:
        """Nothing is held."""


class Journaled:
    """The hand of a remedy: journals each step on the bench."""

    def __init__(self, bench: Bench, plan: Plan) -> None:
        self.bench = bench
        self.plan = plan
        self.acting = False

    async def about_to(self, text: str) -> None:
        self.bench.steps.append(text)
        if not self.acting:
            self.acting = True
            self.bench.emit(ev.ActionStarted(self.plan.id, self.plan.component))
        self.bench.emit(ev.StepTaken(self.plan.id, self.plan.component, text))
        self.bench.on_step(text)


class Bench:
    """One healer, its snapshot and all events.

    Attributes:
        due: plans that wait for their moment, by component.
        on_step: called when a step has been journaled; may raise, to end healmon there.
        on_event: called with every event.
        see: what becomes of each look before it is judged: for what no world here shows.
    """

    def __init__(
        self,
        workers: tuple[Worker, ...],
        folder: Path,
        processes: Processes,
        clock: Clock,
        *,
        jitter: float = 0.0,
        limits: Monitor = Monitor(name="bench"),  # noqa: B008 - frozen
    ) -> None:
        self.clock = clock
        self.processes = processes
        self.workers = workers
        self.folder = folder
        self.jitter = jitter
        self.limits = limits
        self.snapshot = Snapshot()
        self.events: list[ev.Event] = []
        self.outcomes: list[str] = []
        self.steps: list[str] = []
        self.wakes = 0
        self.rounds = (0.0, 0)
        """Steady time of the newest look, and how many there were at that very moment."""
        self.due: dict[str, tuple[float, Plan]] = {}
        self.diagnosis = Diagnosis(())
        self.on_step: Callable[[str], None] = lambda _: None
        self.on_event: Callable[[ev.Event], None] = self.events.append
        self.see: Callable[[Seen], Seen] = lambda seen: seen
        self.healer = self.begin()

    def begin(self, **more: object) -> WorkersHealer:
        """Begin a run of healmon: what was stored stays, everything else is new."""
        self.due = {}
        before = self.snapshot.plans
        dry_run = bool(more.get("dry_run", False))
        self.emit(ev.EngineStarted("bench", "1", 1, "test", dry_run, 60.0, "", 0.0))
        for component, view in before.items():
            self.emit(ev.PlanAbandoned(view.plan.id, component, "healmon ended"))
        with mock.patch.object(sys.modules[WorkersHealer.__module__], "Hands", Inline):
            self.healer = WorkersHealer(
                self.workers,
                self.folder,
                self.processes,
                self.clock,
                jitter=self.jitter,
                limits=self.limits,
            )
        self.healer.start(self._woken)
        return self.healer

    def _woken(self) -> None:
        self.wakes += 1

    def emit(self, event: ev.Event) -> None:
        self.on_event(event)
        wall = self.clock.read().wall
        self.snapshot = apply(self.snapshot, ev.Recorded(self.snapshot.last_id + 1, wall, event))

    async def round(self) -> Diagnosis:
        """Look, judge, fold; plans are made, not carried out."""
        seen = self.see(await self.healer.look())
        now = self.clock.read()
        same = self.rounds[0] == now.steady
        self.rounds = (now.steady, self.rounds[1] + 1 if same else 1)
        self.diagnosis = self.healer.diagnose(seen, self.snapshot, now)
        for component in self.diagnosis.hold:
            if component in self.due:
                _, plan = self.due.pop(component)
                self.emit(ev.PlanAbandoned(plan.id, component, "the newest look says otherwise"))
        self._judge_all()
        for verdict in self.diagnosis.verdicts:
            self._fold(verdict)
            if verdict.plan is not None and verdict.component not in self.diagnosis.hold:
                self._propose(verdict.plan)
        if self.diagnosis.hold:
            return await self.round()  # as the engine: a plan that ends is looked after
        return self.diagnosis

    def _fold(self, v: Verdict) -> None:
        known = self.snapshot.components.get(v.component)
        if known is None or (known.status, known.summary, known.facts) != (
            v.status,
            v.summary,
            v.facts,
        ):
            self.emit(
                ev.Observed(
                    "workers",
                    v.component,
                    v.status,
                    v.summary,
                    v.metric_type,
                    v.metric_value,
                    v.facts,
                )
            )
        if self.snapshot.memory.get(v.component, {}) != v.memory:
            self.emit(ev.Remembered(v.component, v.memory))
        self._judge(v)

    def _judge_all(self) -> None:
        found = self.diagnosis.systemic
        self._judge(Verdict(alerts.ENGINE, "warning", "over", "workers", "", {}, found))

    def _judge(self, v: Verdict) -> None:
        wall = self.clock.read().wall
        for event in inbox.told(self.snapshot, "workers", v, wall):
            self.emit(event)

    def _propose(self, plan: Plan) -> None:
        if plan.component in self.due:
            return
        now, dry_run = self.clock.read(), self.snapshot.engine.dry_run
        reason = gate.refusal(plan, self.snapshot, now.wall, dry_run=dry_run)
        if reason:
            known = self.snapshot.refusals.get(plan.component)
            told = (plan.action, plan.subject, reason)
            if known is None or (known.action, known.subject, known.reason) != told:
                self.emit(ev.PlanRefused(plan, reason))
            return
        plan = self._made(plan)
        self.due[plan.component] = (now.steady + plan.delay, plan)

    def _made(self, plan: Plan) -> Plan:
        plan = replace(plan, id=f"plan {self.snapshot.last_id}")
        now = self.clock.read()
        self.emit(ev.PlanMade(plan, now.steady + plan.delay, now.wall + plan.delay))
        return plan

    async def act(self, plan: Plan) -> str:
        """Carry a plan out, as the engine does, and return the outcome in words."""
        if plan.component not in self.due and plan.component not in self.snapshot.plans:
            plan = self._made(plan)
        now, dry_run = self.clock.read(), self.snapshot.engine.dry_run
        refused = gate.refusal(plan, self.snapshot, now.wall, dry_run=dry_run)
        end: ev.Event
        hand = Journaled(self, plan)
        try:
            proof = None if refused else await self.healer.carry_out(plan, hand)
        except VetoError as error:
            outcome = f"vetoed: {error}"
            end = ev.PlanVetoed(plan.id, plan.component, str(error))
        except RemedyError as error:
            outcome = f"failed: {error}"
            end = ev.ActionFailed(plan.id, plan.component, plan.action, str(error), 0.0)
        else:
            told = proof.text if proof is not None else refused
            outcome = f"proved: {told}" if proof is not None else f"vetoed: {told}"
            end = ev.ActionVerified(plan.id, plan.component, plan.action, told, 0.0)
            if proof is None:
                end = ev.PlanVetoed(plan.id, plan.component, told)
            elif proof.message:
                self.emit(ev.AlertNoted("note", plan.component, proof.message))
        self.outcomes.append(outcome)
        self.due.pop(plan.component, None)
        self.emit(end)
        return outcome

    async def ask(self, verb: str, name: str = "task_worker") -> str:
        """Do what a person asks, at once."""
        self.call_off(name)
        plan = self.healer.offer(verb, name, self.snapshot, self.clock.read())
        outcome = await self.act(replace(plan, origin="a person", delay=0.0))
        await self.round()
        return outcome

    def call_off(self, name: str) -> None:
        """End a plan that waits, as the desk does before a person's own."""
        if name in self.due:
            _, plan = self.due.pop(name)
            self.emit(ev.PlanAbandoned(plan.id, name, "called off"))

    async def heal(self) -> str:
        """Carry out the plan that is due next, after its delay."""
        at, plan = min(self.due.values(), key=lambda entry: entry[0])
        await self.clock.sleep(max(0.0, at - self.clock.read().steady))
        outcome = await self.act(plan)
        await self.round()
        return outcome

    async def run(self, seconds: float, every: float = 60.0) -> None:
        """Let virtual time pass as the engine would: cycles, plans, ends that are noticed."""
        assert isinstance(self.clock, ManualClock)
        end = self.clock.read().steady + seconds
        await self.round()
        while (now := self.clock.read().steady) < end:
            moments = [now + every, end, *(at for at, _ in self.due.values())]
            if self.diagnosis.look_again is not None:
                moments.append(now + self.diagnosis.look_again)
            ends = getattr(self.processes, "next_end", lambda: None)()
            if ends is not None:
                moments.append(ends)
            self.clock.advance(max(0.001, min(moments) - now))
            await self._act_on_what_is_due()
            await self.round()

    async def _act_on_what_is_due(self) -> None:
        """Carry out what is due; here acts come one after the other, so each keeps its distance."""
        for name, (at, plan) in sorted(self.due.items(), key=lambda entry: entry[1][0]):
            now = self.clock.read().steady
            if at > now or name not in self.due:
                continue
            starts = sorted(s for m in self._memories() for s in m.starts)
            later = budget.earliest(self.limits, starts, now) if plan.origin == "healmon" else now
            if later > now:
                self.due[name] = (later, plan)
                continue
            await self.act(plan)
            await self.round()  # what others are about to do may be overtaken by that

    def _memories(self) -> list[Memory]:
        return [unpack(packed, Memory) for packed in self.snapshot.memory.values()]

    def facts(self, name: str = "task_worker") -> WorkerFacts:
        return unpack(self.snapshot.components[name].facts, WorkerFacts)

    def memory(self, name: str = "task_worker") -> Memory:
        return unpack(self.snapshot.memory[name], Memory)

    def status(self, name: str = "task_worker") -> str:
        return self.snapshot.components[name].status

    def alert(self, condition: str = "down", name: str = "task_worker") -> AlertView | None:
        return self.snapshot.alerts.get(f"bench/workers/{name}/{condition}")

    def opened(self) -> list[ev.AlertOpened]:
        return [e for e in self.events if isinstance(e, ev.AlertOpened)]

    def noted(self) -> list[str]:
        return [e.message for e in self.events if isinstance(e, ev.AlertNoted)]

    async def close(self) -> None:
        await self.healer.close()
