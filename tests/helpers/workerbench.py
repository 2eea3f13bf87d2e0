"""A bench for the workers' healer: an engine in small, with made-up time.

It does what the engine does (look, diagnose, fold, alerts, wait, carry out, look again) in one
thread and in one order, and keeps every event; the world behind it may be real or simulated.
"""

from __future__ import annotations

from pathlib import Path

from healmon import alerts
from healmon import events as ev
from healmon.clock import Clock, ManualClock
from healmon.config.settings import Worker
from healmon.errors import RemedyError, VetoError
from healmon.plans import Diagnosis, Plan, Verdict, unpack
from healmon.state import AlertView, Snapshot, apply
from healmon.workers.healer import WorkersHealer
from healmon.workers.model import Memory, WorkerFacts
from healmon.world.processes import Processes

SCRIPT = "/srv/app/workers/task_worker.py"
ARGV = ("/usr/bin/python3", SCRIPT, "--daemon")


def a_worker(**more: object) -> Worker:
    """Return the settings of a worker; what is not said is the default."""
    settings: dict[str, object] = {"name": "task_worker", "argv": ARGV, "script": SCRIPT}
    return Worker(**{**settings, **more})


class Journaled:
    """The hand of a remedy, which remembers what was announced."""

    def __init__(self) -> None:
        self.steps: list[str] = []

    async def about_to(self, text: str) -> None:
        self.steps.append(text)


class Bench:
    """One healer, its snapshot and all events."""

    def __init__(
        self,
        workers: tuple[Worker, ...],
        folder: Path,
        processes: Processes,
        clock: Clock,
        *,
        jitter: float = 0.0,
    ) -> None:
        self.clock = clock
        self.processes = processes
        self.workers = workers
        self.folder = folder
        self.jitter = jitter
        self.snapshot = Snapshot()
        self.events: list[ev.Event] = []
        self.outcomes: list[str] = []
        self.steps: list[str] = []
        self.wakes = 0
        self.due: dict[str, tuple[float, Plan]] = {}
        self.diagnosis = Diagnosis(())
        self.healer = self.begin()

    def begin(self, **more: object) -> WorkersHealer:
        """Begin a run of healmon: what was stored stays, everything else is new."""
        self.due = {}
        self.emit(
            ev.EngineStarted("bench", "1", 1, "test", more.get("dry_run", False), 60.0, "", 0.0)
        )
        self.healer = WorkersHealer(
            self.workers, self.folder, self.processes, self.clock, jitter=self.jitter
        )
        self.healer.start(self._woken)
        return self.healer

    def _woken(self) -> None:
        self.wakes += 1

    def emit(self, event: ev.Event) -> None:
        self.events.append(event)
        wall = self.clock.read().wall
        self.snapshot = apply(self.snapshot, ev.Recorded(len(self.events), wall, event))

    async def round(self) -> Diagnosis:
        """Look, judge, fold; plans are made, not carried out."""
        seen = await self.healer.look()
        now = self.clock.read()
        self.diagnosis = self.healer.diagnose(seen, self.snapshot, now)
        for verdict in self.diagnosis.verdicts:
            self._fold(verdict)
            plan = verdict.plan
            if plan is not None and verdict.component not in self.due:
                self.due[verdict.component] = (now.steady + plan.delay, plan)
        return self.diagnosis

    def _fold(self, v: Verdict) -> None:
        self.emit(
            ev.Observed(
                "workers", v.component, v.status, v.summary, v.metric_type, v.metric_value, v.facts
            )
        )
        if self.snapshot.memory.get(v.component, {}) != v.memory:
            self.emit(ev.Remembered(v.component, v.memory))
        wall = self.clock.read().wall
        for event in alerts.judge(self.snapshot, "bench", "workers", v, wall):
            self.emit(event)

    async def act(self, plan: Plan) -> str:
        """Carry a plan out, as the engine does, and return the outcome in words."""
        hand = Journaled()
        try:
            proof = await self.healer.carry_out(plan, hand)
        except VetoError as error:
            outcome = f"vetoed: {error}"
        except RemedyError as error:
            outcome = f"failed: {error}"
        else:
            outcome = f"proved: {proof.text}"
            if proof.message:
                self.emit(ev.AlertNoted("note", plan.component, proof.message))
        self.steps += hand.steps
        self.outcomes.append(outcome)
        self.due.pop(plan.component, None)
        return outcome

    async def ask(self, verb: str, name: str = "task_worker") -> str:
        """Do what a person asks, at once."""
        self.due.pop(name, None)
        plan = self.healer.offer(verb, name, self.snapshot, self.clock.read())
        outcome = await self.act(plan)
        await self.round()
        return outcome

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
            for at, plan in list(self.due.values()):
                if at <= self.clock.read().steady:
                    await self.act(plan)
            await self.round()

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
