"""A host whose healmon gives way midway: what there is, and what must be true of all it does.

What can be seen at a touch is seen to there, what an answer or a proof claims when it is given.
"""

from __future__ import annotations

import asyncio
import re
from collections import defaultdict
from pathlib import Path

from healmon import events as ev
from healmon.config.settings import Monitor, Ready, Worker
from healmon.errors import SpawnError
from healmon.events import Recorded
from healmon.plans import unpack
from healmon.workers.healer import WorkersHealer
from healmon.workers.model import Memory, WorkerFacts
from healmon.world.processes import KILL, TERM, Ended, Identity
from healmon.world.simulated.processes import Program
from tests.simulation.crowd import READY, Crowd, CrowdPorts, CrowdShims, Part
from tests.simulation.journal import CutOffJournal
from tests.simulation.living import Living
from tests.simulation.virtual import KilledError, VirtualLoop


class Host(Living):
    """Workers, their world, and all that healmon has done to them.

    Args:
        seed: of everything.
        folder: for records and logs.
        loop: whose time it lives in.

    Attributes:
        down: workers of which it was answered that they are stopped.
        blames: when something happened that a worker may be charged for, and was not yet.
        kind: nothing goes wrong any more.
    """

    def __init__(self, seed: str, folder: Path, loop: VirtualLoop) -> None:
        super().__init__(seed, loop)
        self.folder = folder
        self.every = {w.name: w for w in self._workers()}
        self.workers = tuple(self.every.values())
        owners = {w.argv: w.name for w in self.workers}
        self.world = Crowd(self.clock, self.part, owners, self.touched)
        self.world.on_end = self.ended
        self.shims = CrowdShims(self.world, self.clock) if self.random.random() < 0.5 else None
        self.ports = CrowdPorts(self.world, self.shims) if self.shims is not None else None
        self.limits = Monitor(
            name="box",
            starts_in_flight=self.random.choice([0, 1, 2]),
            start_spacing=self.random.choice([0.0, 0.0, 2.0]),
            starts_per_minute=self.random.choice([0, 0, 6]),
            storm_failures=self.random.choice([0, 0, 3]),
        )
        self.journal = CutOffJournal(self.hear)
        self.kind = False
        self.down: set[str] = set()
        self.blames: dict[str, list[float]] = defaultdict(list)
        self.begun: dict[str, float] = {}
        self.lives: dict[str, set[int]] = {}
        self.charged: dict[str, int] = {}
        self.by_hand: set[Identity] = set()
        self.handed: dict[Identity, float] = {}
        self.healer: WorkersHealer

    def _workers(self) -> list[Worker]:
        made: list[Worker] = []
        for n in range(self.random.choice([1, 2, 2, 3, 4])):
            made.append(self._worker(f"w{n}", [w.name for w in made]))
        return made

    def _worker(self, name: str, earlier: list[str]) -> Worker:
        pick = self.random.choice
        return Worker(
            name=name,
            argv=(f"/srv/{name}", "--daemon"),
            critical=pick([True, False]),
            restart_delay=pick([0.0, 1.0, 5.0]),
            stop_timeout=pick([1.0, 10.0, 25.0]),
            start_timeout=pick([5.0, 60.0, 300.0]),
            min_uptime=pick([0.3, 1.0, 3.0]),
            forks=pick([None, None, True, False]),
            ready=pick([None, Ready(log=READY), Ready(log=READY)]),
            after=tuple(earlier[:1]) if self.random.random() < 0.2 else (),
        )

    def part(self, name: str) -> Part:
        """Return how the next life of a worker's program goes."""
        if self.kind:
            return Part(Program())
        pick, worker = self.random.choice, self.every[name]
        daemon = Program(lives=pick([None, None, 90.0]), end=Ended(signal=9))
        kind = pick(["stays"] * 8 + ["short", "at once", "deaf", "forks", "forks", "host", "stuck"])
        program = {
            "short": Program(lives=self.random.uniform(0.1, 60.0), end=Ended(code=pick([0, 1]))),
            "at once": Program(lives=0.0, end=Ended(code=1)),
            "deaf": Program(ignores=frozenset({TERM})),
            "forks": Program(lives=pick([0.1, 0.5, 4.0]), end=Ended(code=0), leaves=daemon),
            "host": Program(refuses=SpawnError("out of processes", host_fault=True)),
            "stuck": Program(stuck=self.random.random() < 0.3),
        }.get(kind, Program())
        slow = self.random.uniform(0.0, 1.5 * worker.start_timeout)
        return Part(
            program,
            ready_after=pick([0.0, 0.5, slow, slow, None]),
            grace=pick([0.0, 0.0, 0.5, 0.7 * worker.stop_timeout, 1.4 * worker.stop_timeout]),
            # those of one that ends well would be daemons that it left
            helpers=pick([0, 0, 0, 1, 2]) if program.end.code != 0 or not program.lives else 0,
        )

    # What healmon does is seen to.

    def touched(self, name: str, what: str, who: Identity | None) -> None:
        """See to a touch of the world, right before it happens."""
        self.tell(f"   {what} {name} {who.pid if who else ''}")
        self.must(name, f"{what}: a stranger: {who}")
        known, now = self.engine.snapshot.maintenance, self.clock.read().boot
        # the wall clock may have been set since, and that changes no pause
        paused = (p for p, end in self.off.items() if p in known and now < end)
        hands_off = [p for p in paused if p in ("*", name)]
        self.must(not hands_off, f"{what} {name} after a pause was answered")
        if who is None:
            # what a person starts between the last look and the start cannot be known
            copies = [i for i in self.world.copies(name) if self.now - self.by_hand_at(i) > 0.6]
            self.must(not copies, f"{what} {name}: a second copy beside {copies}")
            self.must(name not in self.down, f"{what} {name}, which a person stopped")
        if what != "grant":
            view = self.engine.snapshot.plans.get(name)
            self.must(view and view.acting and view.plan.why, f"{what} {name}: nobody planned it")
            step = view.steps[-1] if view and view.steps else ""
            told = step.startswith(f"start {name}") if who is None else str(who.pid) in step
            self.must(told, f"{what} {name}: not journaled: {step}")
        if who is not None:
            self._has_its_time(name, what, who)
        if what != "grant":  # that is a shim's own
            self._perhaps_killed()

    def _has_its_time(self, name: str, what: str, who: Identity) -> None:
        """See that whoever was sent SIGTERM has time to end, and gets it before any SIGKILL."""
        patience, asked = self.every[name].stop_timeout, self.world.asked.get(who)
        over = asked is None or self.now - asked >= patience - 0.5
        if what == f"signal {TERM}":
            self.must(over, f"a second SIGTERM to {who}")
        elif what == f"signal {KILL}" and self.now - self.world.born[who] > 2 * patience:
            # who came in the midst of a stop has what is left
            self.must(asked is not None and over, f"SIGKILL to {who}, asked at {asked}")

    def by_hand_at(self, identity: Identity) -> float:
        """Return when a person started a process; one that nobody started by hand: long ago."""
        return self.handed.get(identity, float("-inf"))

    def _perhaps_killed(self) -> None:
        if self.dies_in:
            self.dies_in -= 1
            if not self.dies_in:
                self.lease.alive, self.lease.killed = False, True
                self.killed.set()
                self.loop.call_soon(self.cut_off)
                raise KilledError

    def cut_off(self) -> None:
        """Let nothing of a healmon that was killed run any further."""
        for task in asyncio.all_tasks(self.loop) - self.mine:
            task.cancel()

    def ended(self, name: str, identity: Identity, by_us: bool) -> None:
        self.tell(f"   end of {name} {identity.pid}{' by healmon' if by_us else ''}")
        if not by_us:
            self.blames[name].append(self.now)

    def hear(self, event: ev.Event) -> None:
        """See to an event when it is told."""
        if not isinstance(event, ev.Observed | ev.Remembered | ev.CycleStarted | ev.CycleFinished):
            self.tell(repr(event))
        match event:
            case ev.ActionStarted():
                self.lives[event.component] = self.world.lives(event.component)
                self.begun[event.component] = self.now
            case ev.ActionVerified():
                begun, name = self.begun[event.component], event.component
                self.blames[name] = [at for at in self.blames[name] if at >= begun]
                self._proved(event)
            case ev.ActionFailed():
                self.blames[event.component].append(self.now)
                self.must("crashed" not in event.reason, f"crashed: {event.reason}")
            case ev.HealerFailed():
                self.must("crashed" not in event.reason, f"crashed: {event.reason}")
            case ev.Remembered():
                self._charged(event.component, unpack(event.memory, Memory))
            case ev.AlertResolved() if event.key.endswith("/down"):
                self._over(event)
            case _:
                pass

    def _over(self, event: ev.AlertResolved) -> None:
        """See to the end of an alert: who is said to be up is."""
        name, told = event.key.split("/")[2], re.match(r"pid (\d+)", event.reason)
        if told is not None:
            pids = {i.pid for i in self.world.copies(name)}
            pids |= {i.pid for i, at in self.world.ended_at.items() if self.now - at < 20.0}
            self.must(int(told[1]) in pids, f"resolved although down: {event}")

    def _proved(self, event: ev.ActionVerified) -> None:
        """See to a proof: it tells of what is."""
        name, details = event.component, event.details
        recent = {i for i, at in self.world.ended_at.items() if self.now - at < 20.0}
        if event.action == "stop_worker":
            self._gone(name, "proved")
            return
        if "identity" not in details:
            return
        who = unpack(details["identity"], Identity)
        lives = who in self.world.alive() or who in recent
        self.must(lives, f"proved that {who.pid} lives, which it does not")
        if str(details["readiness"]).startswith("ready"):
            said = self.world.said.get(self.world.life_of.get(who, 0))
            self.must(
                said or who in self.by_hand, f"proved that {who.pid} is ready, which it is not"
            )

    def _gone(self, name: str, how: str) -> None:
        left = [
            i for i in self.world.family(name)
            if self.world.life_of[i] in self.lives.get(name, ()) and i not in self.by_hand
        ]  # fmt: skip
        self.must(not left, f"{how} that {name} is stopped, but {left} live")

    def _charged(self, name: str, memory: Memory) -> None:
        before, now = self.charged.get(name, 0), memory.fell
        self.charged[name] = len(memory.failures)
        if len(memory.failures) > before:
            self.must(self.blames[name], f"{name} is charged for nothing: {memory.why}, {now}")
            del self.blames[name][:1]

    def check(self) -> None:
        """See to what must hold at any moment."""
        super().check()
        for name in self.every:
            assert len([i for i in self.world.copies(name) if i not in self.by_hand]) <= 1, (
                f"two copies of {name}"
            )

    def facts(self, name: str) -> WorkerFacts | None:
        view = self.engine.snapshot.components.get(name)
        return unpack(view.facts, WorkerFacts) if view is not None else None

    def at_last(self) -> None:
        """See that what is wanted has come true, and that nobody holds or keeps anything."""
        for name in self.every:
            facts = self.facts(name)
            copies = self.world.copies(name)
            if facts is not None and facts.desired == "down":
                assert not copies, f"{name} is wanted down, but {copies} live"
                assert facts.state == "down", facts
            else:
                assert facts is not None
                above = self.facts(facts.waits_for) if facts.waits_for else None
                if above is not None and above.desired == "down":
                    continue
                assert facts.state == "healthy", f"{name}: {facts}"
                assert [facts.identity] == copies, f"{name}: {copies}"
        assert not self.engine.snapshot.plans, self.engine.snapshot.plans
        waits = any(f.waits_for for f in map(self.facts, self.every) if f is not None)
        assert waits or not self.engine.snapshot.alerts, self.engine.snapshot.alerts
        acts, healer = self.engine._acts, self.healer
        kept = (acts._acts, acts._held, healer._acting, +acts._reserved)
        assert not any(kept), f"somebody keeps something: {kept}"
        slots = healer._remedy._slots
        assert slots is None or slots._value == self.limits.starts_in_flight, "a place is lost"

    def all(self) -> list[Recorded]:
        """Return all that was told, on disk or not."""
        return [*self.journal.records, *self.journal._pending]
