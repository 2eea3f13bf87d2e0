"""The judgement on workers without a world: looks are made up, what follows is folded.

For what only a look can show: liveness, blockers, shims, half-done records. No hands, no files.
"""

from __future__ import annotations

from collections.abc import Iterable

from msgspec.structs import replace

from healmon import alerts
from healmon import events as ev
from healmon.clock import ManualClock
from healmon.config.settings import Monitor, Worker
from healmon.plans import Diagnosis, Plan, Verdict, unpack
from healmon.state import AlertView, Snapshot, apply
from healmon.workers.diagnose import Judge
from healmon.workers.model import (
    Blocker,
    EndRecord,
    HostSeen,
    Memory,
    Order,
    Seen,
    StartRecord,
    WorkerFacts,
    WorkerSeen,
)
from healmon.world.processes import Ended, Identity, ProcessFacts
from healmon.world.shims import Shim, ShimEnd
from tests.helpers import inbox

BOOT = "this boot"


def who(pid: int, boot: str = BOOT) -> Identity:
    return Identity(boot, pid, pid * 10)


def process(identity: Identity, age: float = 100.0, rss: int = 10_000_000) -> ProcessFacts:
    return ProcessFacts(
        identity=identity, parent=1, state="S", name="w", command=("w",), cpu_seconds=0.0,
        rss=rss, age=age, uid=1000,
    )  # fmt: skip


def up(pid: int, age: float = 100.0, **more: object) -> WorkerSeen:
    """A look at a worker that lives."""
    return WorkerSeen(known=(process(who(pid), age),), **more)


FAILED = Ended(code=1)


def gone(pid: int | None = None, how: Ended = FAILED, **more: object) -> WorkerSeen:
    """A look at a worker of which nothing lives; `pid` ended like this."""
    ends = (EndRecord(identity=who(pid), ended=how, wall=0.0),) if pid is not None else ()
    return WorkerSeen(ends=ends, **more)


def record(number: int, **more: object) -> StartRecord:
    return StartRecord(number=number, **{"wall": 0.0, "steady": 0.0, **more})


def verified(number: int, pid: int, steady: float, **more: object) -> StartRecord:
    return record(
        number, launched=who(pid), worker=who(pid), how="spawned", outcome="verified",
        phase="verified", level="V3", steady=steady, wall=steady, **more,
    )  # fmt: skip


def shim(pid: int, *ends: ShimEnd, alive: bool = True, locked: bool = True) -> Shim:
    return Shim(
        number=1, shim=who(pid - 1), worker=who(pid), wall=0.0, alive=alive, locked=locked,
        ends=ends,
    )  # fmt: skip


def stranger(pid: int = 77, what: str = "port 8080") -> Blocker:
    return Blocker(what=what, identity=who(pid), command="nginx: master", orphan=False)


class Judging:
    """A judge, its snapshot and all events."""

    def __init__(
        self,
        *workers: Worker,
        limits: Monitor = Monitor(name="here"),  # noqa: B008 - frozen
    ) -> None:
        self.workers = workers
        self.clock = ManualClock()
        self.boot = BOOT
        self.host = HostSeen()
        self.limits = limits
        self.snapshot = Snapshot()
        self.events: list[ev.Event] = []
        self.diagnosis = Diagnosis(())
        self.judge = self._judge()
        self.emit(ev.EngineStarted("here", "1", 1, "test", dry_run=False, interval=60.0,
                                   boot=BOOT, steady_offset=0.0))  # fmt: skip

    def _judge(self) -> Judge:
        paths = {worker.name: f"/log/{worker.name}" for worker in self.workers}
        return Judge(self.workers, paths, 0.0, self.limits)

    @property
    def now(self) -> float:
        return self.clock.read().steady

    def emit(self, event: ev.Event) -> None:
        self.events.append(event)
        wall = self.clock.read().wall
        self.snapshot = apply(self.snapshot, ev.Recorded(len(self.events), wall, event))

    def configure(self, *workers: Worker) -> None:
        self.workers = workers
        self.judge = self._judge()

    def look(self, *looks: WorkerSeen, after: float = 0.0, **named: WorkerSeen) -> Diagnosis:
        """Judge a look at all workers: in their order, or by name; who is not named is not up."""
        self.clock.advance(after)
        seen = {w.name: named.get(w.name, WorkerSeen()) for w in self.workers}
        seen |= {w.name: one for w, one in zip(self.workers, looks, strict=False)}
        look = Seen(boot=self.boot, workers=seen, host=self.host)
        self.diagnosis = self.judge.diagnose(look, self.snapshot, self.clock.read())
        self._fold_alerts(
            Verdict(alerts.ENGINE, "warning", "", "workers", "", {}, self.diagnosis.systemic)
        )
        for v in self.diagnosis.verdicts:
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
            self._fold_alerts(v)
        return self.diagnosis

    def _fold_alerts(self, verdict: Verdict) -> None:
        wall = self.clock.read().wall
        for event in inbox.told(self.snapshot, "workers", verdict, wall):
            self.emit(event)

    # What came of it.

    def verdict(self, name: str = "") -> Verdict:
        name = name or self.workers[0].name
        return next(v for v in self.diagnosis.verdicts if v.component == name)

    def plan(self, name: str = "") -> Plan | None:
        return self.verdict(name).plan

    def order(self, name: str = "") -> Order:
        plan = self.plan(name)
        assert plan is not None
        return unpack(plan.order, Order)

    def planned(self) -> dict[str, float]:
        """Return who is to be acted on, and in how many seconds."""
        return {v.component: v.plan.delay for v in self.diagnosis.verdicts if v.plan is not None}

    def facts(self, name: str = "") -> WorkerFacts:
        return unpack(self.verdict(name).facts, WorkerFacts)

    def state(self, name: str = "") -> str:
        return self.facts(name).state

    def states(self) -> dict[str, str]:
        return {v.component: v.metric_value for v in self.diagnosis.verdicts}

    def memory(self, name: str = "") -> Memory:
        return unpack(self.verdict(name).memory, Memory)

    def alert(self, condition: str = "down", name: str = "") -> AlertView | None:
        name = name or self.workers[0].name
        return self.snapshot.alerts.get(f"here/workers/{name}/{condition}")

    def message(self, condition: str = "down", name: str = "") -> str:
        alert = self.alert(condition, name)
        return alert.message if alert is not None else ""

    def open_keys(self) -> set[str]:
        return {key.removeprefix("here/workers/") for key in self.snapshot.alerts}

    def opened(self) -> list[str]:
        opened = (e.key for e in self.events if isinstance(e, ev.AlertOpened))
        return [key.removeprefix("here/workers/") for key in opened]

    # What the engine would do.

    def make(self, name: str = "", *, origin: str = "healmon") -> Plan:
        """Let the plan of a worker be in flight."""
        plan = self.plan(name)
        assert plan is not None
        plan = replace(plan, id=f"plan {len(self.events)}", origin=origin)
        now = self.clock.read()
        self.emit(ev.PlanMade(plan, now.steady + plan.delay, now.wall + plan.delay))
        return plan

    def end(self, plan: Plan) -> None:
        """Let a plan in flight be over."""
        self.emit(ev.ActionVerified(plan.id, plan.component, plan.action, "done", 0.0))

    def restarted(self) -> None:
        """Let healmon end and another one begin."""
        self.clock.advance(1.0)
        self.emit(ev.EngineStarted("here", "1", 2, "test", dry_run=False, interval=60.0,
                                   boot=BOOT, steady_offset=0.0))  # fmt: skip
        for component, view in self.snapshot.plans.items():
            self.emit(ev.PlanAbandoned(view.plan.id, component, "healmon ended"))
        self.judge = self._judge()


def pids(identities: Iterable[Identity]) -> list[int]:
    return [identity.pid for identity in identities]
