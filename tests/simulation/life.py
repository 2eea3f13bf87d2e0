"""One life of a host with workers, by seed: programs, faults, people, and healmon among them.

Every step is checked (`Life.check`, and the world itself at each start and signal). At the end all
faults cease; then everything must get well by itself, but for what waits for a person.
"""

from __future__ import annotations

import asyncio
import itertools
import random
from collections import deque
from collections.abc import Callable
from pathlib import Path

from msgspec.structs import replace

from healmon import events as ev
from healmon.clock import ManualClock
from healmon.config.settings import Monitor, Worker
from healmon.errors import DataError, ProbeError, SpawnError
from healmon.plans import unpack
from healmon.workers import machine
from healmon.workers.model import Blocker, Check, Order, Seen, WorkerSeen
from healmon.world.processes import Ended, Identity, Launch
from healmon.world.simulated.processes import Program
from tests.helpers.workerbench import Bench
from tests.simulation.world import CruelWorld, KilledError

DAY = 86400.0
MINUTE = 60.0
HUNG = Check(ok=False, failures=3, text="no answer", hard=True)
MOODS = {
    "kind": ["stays"] * 6 + ["day"],
    "harsh": ["at once", "at once", "two seconds", "host", "command", "deaf", "forks"],
    "eleven": ["eleven minutes"],
    "exit 1": ["exit 1"],
    "two": ["two seconds"],
    "mixed": ["stays", "day", "two seconds", "at once", "eleven minutes", "deaf", "forks", "hangs",
              "exit 0", "host"],
}  # fmt: skip
STEPS_TOLD = 60
EACH = 2.0
"""Days of one life, before all faults cease."""


class Life:
    """A host that lives for some days.

    Args:
        seed: of everything.
        folder: for records and logs.
    """

    def __init__(self, seed: str, folder: Path) -> None:
        self.random = random.Random(seed)
        self.clock = ManualClock()
        self.world = CruelWorld(self.clock)
        self.world.behave = self.program
        self.workers = self._workers()
        limits = Monitor(
            name="bench",
            starts_in_flight=self.random.choice([0, 1, 2]),
            start_spacing=self.random.choice([0.0, 2.0]),
            starts_per_minute=self.random.choice([0, 6]),
            storm_failures=self.random.choice([0, 3]),
        )
        self.bench = Bench(self.workers, folder, self.world, self.clock, jitter=0.2, limits=limits)
        self.world.attend(self.bench)
        self.told: deque[str] = deque(maxlen=STEPS_TOLD)
        inner = self.bench.on_event
        self.bench.events.clear()
        self.bench.on_event = lambda event: self._hear(event, inner)
        self.bench.on_step = self.world.stepped
        self.bench.see = self.see
        self.mood = dict.fromkeys((w.name for w in self.workers), "kind")
        self.hung: set[Identity] = set()
        self.excuses: list[tuple[float, str]] = []
        self.looks_now = (0.0, 0)

    @property
    def now(self) -> float:
        return self.clock.read().steady

    def _workers(self) -> tuple[Worker, ...]:
        made: list[Worker] = []
        for n in range(self.random.choice([1, 2, 3, 3, 4, 6])):
            earlier = [w.name for w in made]
            made.append(
                Worker(
                    name=f"w{n}",
                    argv=(f"/srv/w{n}", "--daemon"),
                    critical=self.random.random() < 0.4,
                    restart=self.random.choice(["always"] * 4 + ["on-failure", "never"]),
                    restart_delay=self.random.choice([0.0, 1.0, 5.0]),
                    stop_timeout=self.random.choice([1.0, 10.0]),
                    start_timeout=self.random.choice([5.0, 60.0]),
                    forks=self.random.choice([None, None, True, False]),
                    after=tuple(self.random.sample(earlier, min(len(earlier), 1)))
                    if self.random.random() < 0.3
                    else (),
                )
            )
        return tuple(made)

    def _hear(self, event: ev.Event, inner: Callable[[ev.Event], None]) -> None:
        if isinstance(event, ev.AlertOpened):
            inner(event)  # the witness looks at it
            self.bench.events.clear()
        if not isinstance(event, ev.Observed | ev.Remembered):
            self.told.append(f"{self.now - 1.7e9:10.1f} {event!r:.200}")

    # What happens.

    def program(self, launch: Launch) -> Program:
        """Return how the next life of a worker goes."""
        name = next(w.name for w in self.workers if w.argv == launch.argv)
        kind = self.random.choice(MOODS[self.mood[name]])
        code = self.random.choice([0, 1, 1, 139, 78])
        long, short = self.random.uniform(0, DAY), self.random.uniform(0, 5000)
        daemon = Program(lives=self.random.choice([None, 500.0]), end=Ended(signal=9))
        return {
            "exit 1": Program(lives=0.0, end=Ended(code=1)),
            "at once": Program(lives=0.0, end=Ended(code=code)),
            "two seconds": Program(lives=2.0, end=Ended(code=1)),
            "eleven minutes": Program(lives=660.0, end=Ended(signal=11)),
            "day": Program(lives=long, end=Ended(code=code)),
            "deaf": Program(ignores=frozenset({15})),
            "exit 0": Program(lives=short, end=Ended(code=0)),
            "forks": Program(lives=0.1, end=Ended(code=0), leaves=daemon),
            "host": Program(refuses=SpawnError("out of processes", host_fault=True)),
            "command": Program(refuses=SpawnError("it is not executable")),
        }.get(kind, Program())

    def see(self, seen: Seen) -> Seen:
        """Show in a look what this world has no means to show: who hangs, who is in the way."""
        return replace(
            seen, workers={w.name: self._see(w, seen.workers[w.name]) for w in self.workers}
        )

    def _see(self, worker: Worker, one: WorkerSeen) -> WorkerSeen:
        alive = [*(f.identity for f in one.known), *(m.facts.identity for m in one.matches)]
        if alive:
            return replace(one, liveness=HUNG) if self.hung & set(alive[:1]) else one
        if worker.argv in self.world.blocked:
            return replace(one, blockers=(Blocker(what="port 1", command="stranger"),))
        return one

    async def happen(self) -> None:
        """Let something happen, or not."""
        deeds: dict[str, tuple[float, Callable]] = {
            "nothing": (30, lambda: None),
            "mood": (8, self.change_mood),
            "kill": (6, lambda: self.kill(self.random.choice(self.workers))),
            "all die": (1, lambda: [self.kill(worker) for worker in self.workers]),
            "by hand": (2, self.start_by_hand),
            "hang": (3, self.hang),
            "recover": (3, self.hung.clear),
            "ask": (6, self.ask),
            "healmon": (2, self.begin_again),
            "killed soon": (6, self.kill_healmon_soon),
            "maintenance": (2, self.maintain),
            "clock": (1, lambda: self.clock.step(self.random.choice([3600.0, -3600.0]))),
            "suspend": (1, lambda: self.clock.suspend(self.random.uniform(1, 8 * 3600))),
            "veil": (1, self.veil),
            "blocked": (2, self.block),
            "free": (4, self.free),
            "pid": (2, self.reuse_a_pid),
            "reboot": (0.3, self.reboot),
        }
        (what,) = self.random.choices(list(deeds), [weight for weight, _ in deeds.values()])
        self.told.append(f"{self.now - 1.7e9:10.1f} -- {what}")
        done = deeds[what][1]()
        if asyncio.iscoroutine(done):
            await done

    def change_mood(self) -> None:
        self.mood[self.random.choice(self.workers).name] = self.random.choice(list(MOODS))

    async def start_by_hand(self) -> None:
        worker = self.random.choice(self.workers)
        if not self.world.copies(worker.argv) and not self.world.veiled:
            self.world.blocked.discard(worker.argv)
            self.world.add(worker.argv, program=self.program_by_hand(), by_hand=True)
            self.excuse("by hand")
            await self.bench.round()

    def hang(self) -> None:
        copies = self.world.copies(self.random.choice(self.workers).argv)
        self.hung |= set(copies[:1])

    def kill_healmon_soon(self) -> None:
        self.world.dies_in = self.random.randint(1, 6)
        self.world.dies_after = self.random.random() < 0.5

    def veil(self) -> None:
        self.world.veiled = not self.world.veiled

    async def block(self) -> None:
        worker = self.random.choice(self.workers)
        # one whose moment has come finds nobody yet, and a look at a veiled world may fail
        at, _ = self.bench.due.get(worker.name, (self.now + 1.0, None))
        if not self.world.copies(worker.argv) and at > self.now and not self.world.veiled:
            self.world.blocked.add(worker.argv)
            await self.bench.round()

    def free(self) -> None:
        self.world.blocked.clear()
        self.world.unveil()

    async def reboot(self) -> None:
        self.world.reboot()
        self.hung.clear()
        self.excuse("reboot")
        await self.begin_again()

    def excuse(self, what: str) -> None:
        """Note what gives a worker a new budget, or starts that cost none."""
        self.excuses.append((self.now, what))

    def program_by_hand(self) -> Program:
        return Program(lives=self.random.choice([None, 100.0, 5000.0]), end=Ended(code=1))

    def kill(self, worker: Worker) -> None:
        for identity in self.world.copies(worker.argv):
            self.world.end(identity, Ended(signal=9))

    def reuse_a_pid(self) -> None:
        """A worker dies, and a stranger gets its pid before anybody looks."""
        worker = self.random.choice(self.workers)
        for identity in self.world.copies(worker.argv)[:1]:
            self.world.end(identity, Ended(signal=9))
            if self.world.vacant(identity.pid):
                thief = Program(lives=self.random.uniform(10, 5000))
                self.world.add(("/bin/thief",), pid=identity.pid, program=thief, by_hand=True)

    def maintain(self) -> None:
        target = self.random.choice(["*", *(w.name for w in self.workers)])
        if target in self.bench.snapshot.maintenance:
            self.bench.emit(ev.MaintenanceEnded(target, "resumed"))
        else:
            until = self.clock.read().wall + self.random.uniform(60, 7200)
            self.bench.emit(ev.MaintenanceStarted(target, until, "me"))
        self.excuse("maintenance")

    async def ask(self) -> None:
        worker = self.random.choice(self.workers)
        verb = self.random.choice(["restart", "stop", "start", "start", "release"])
        if self.world.veiled or worker.argv in self.world.blocked:
            return
        self.excuse("asked")
        try:
            await self.bench.ask(verb, worker.name)
        except DataError:
            return  # there is nothing to do that to

    async def begin_again(self) -> None:
        """End healmon, in whatever it does, and let another one begin."""
        await self.bench.close()
        self.world.dies_in = 0
        self.bench.begin()
        self.excuse("healmon")

    # How it goes on.

    async def live(self, days: float) -> None:
        """Let time pass, with everything that happens in it."""
        await self.tolerant(self.bench.round)
        end = self.now + days * DAY
        while self.now < end:
            pause = self.random.expovariate(1 / 1800.0)
            # ends, plans and wishes of the healer bring a look anyway
            (every,) = self.random.choices([60.0, 600.0, 3600.0], [1, 6, 6])
            await self.tolerant(lambda p=pause, e=every: self.bench.run(min(p, 4 * 3600.0), e))
            self.check()
            await self.tolerant(self.happen)
            self.check()

    async def tolerant(self, call: Callable) -> None:
        """Do something; healmon may be killed in it, and a look may fail."""
        try:
            await call()
        except KilledError:
            self.told.append(f"{self.now - 1.7e9:10.1f} -- healmon was killed")
            self.clock.advance(0.3)  # nothing begins in the moment in which another one is killed
            await self.begin_again()
            await self.tolerant(self.bench.round)
        except ProbeError:
            self.clock.advance(1.0)

    async def calm(self) -> None:
        """Let all faults cease; then everything must get well by itself."""
        self.world.dies_in = 0
        self.world.unveil()
        self.world.blocked.clear()
        self.hung.clear()
        self.world.behave = lambda _: Program()
        for target in list(self.bench.snapshot.maintenance):
            self.bench.emit(ev.MaintenanceEnded(target, "over"))
        for worker in self.workers:
            self.kill(worker)
        await self.bench.run(60.0)
        for worker in self.workers:
            await self._wanted_up(worker)
        await self.bench.run(7 * 3600.0, every=3600.0)
        self.check()
        for name, facts in {w.name: self.bench.facts(w.name) for w in self.workers}.items():
            forsaken = facts.state == "quarantined" and facts.next_at is None
            waits = facts.state == "waiting_dependency"
            assert forsaken or waits or facts.state == "healthy", f"{name}: {facts}"
            if forsaken:
                await self.bench.ask("release", name)
        await self.bench.run(7 * 3600.0, every=3600.0)
        states = {w.name: self.bench.facts(w.name).state for w in self.workers}
        assert set(states.values()) == {"healthy"}, states
        assert not self.bench.snapshot.alerts, self.bench.snapshot.alerts

    async def _wanted_up(self, worker: Worker) -> None:
        """A person starts what a person stopped, and what nobody starts by policy."""
        facts = self.bench.facts(worker.name)
        if facts.desired == "down" or facts.state in ("down", "completed"):
            await self.bench.ask("start", worker.name)

    # What must hold.

    def check(self) -> None:
        """See to the promises that show between two steps."""
        for verdict in self.bench.diagnosis.verdicts:
            facts = self.bench.facts(verdict.component)
            if verdict.plan is not None:
                assert facts.state in machine.ACTIVE, facts
                order = unpack(verdict.plan.order, Order)
                assert facts.desired != "down" or order.verb == "stop", "a wish was overruled"
                assert verdict.plan.why
            assert facts.desired != "down" or facts.state not in machine.WAITING, facts
            conditions = [finding.condition for finding in verdict.findings]
            assert len(conditions) == len(set(conditions)), conditions
        self._check_budget()
        self._check_failures()
        looks = self.bench.rounds
        assert looks[1] < 500, f"{looks[1]} looks in one moment: a circle"

    def _check_budget(self) -> None:
        """Healmon's own starts keep to the host's budget, whoever else started something."""
        limits, line = self.bench.limits, self.world.by_healmon[-20:]
        for (one, _, _), (other, name, asked) in itertools.pairwise(line):
            if not asked:
                assert other - one >= limits.start_spacing - 1e-3, f"too soon: {name}"
        most = limits.starts_per_minute
        for first, last in zip(line, line[most:], strict=False):
            if most and not last[2]:
                assert last[0] - first[0] >= MINUTE - 1e-3, f"too many in a minute: {last[1]}"

    def _check_failures(self) -> None:
        """No worker is started more often than its budget has room for."""
        for worker in self.workers:
            window = worker.failure_window
            times = [at for at, name, asked in self.world.by_healmon if name == worker.name]
            recent = [at for at in times if at > self.now - window]
            excuses = [at for at, _ in self.excuses if at > self.now - 2 * window]
            most = (worker.max_failures + 1) * (1 + len(excuses)) + 1
            assert len(recent) <= most, f"{worker.name}: {len(recent)} starts in ten minutes"
        del self.excuses[:-100]
        del self.world.by_healmon[:-200]
        del self.world.spawned[:-10], self.world.signals[:-10]


async def lived(seed: str, folder: Path, days: float) -> None:
    """Live one life to its end.

    Raises:
        AssertionError: a promise was broken; it says by which seed, and what came before.
    """
    life = Life(seed, folder)
    try:
        try:
            await life.live(days)
            await life.calm()
        finally:
            await life.bench.close()
    except Exception as error:
        before = "\n".join(life.told)
        raise AssertionError(
            f"{type(error).__name__}: {error}\n{before}\n\nreplay: make simulate SEED={seed}"
        ) from error


def simulate(seed: str, folder: Path, days: float) -> int:
    """Live so many days; return in how many lives.

    Args:
        seed: a number, or `number:life` for one life alone.
        folder: for the records of each life.
        days: simulated.
    """
    if ":" in seed:
        (folder / "one").mkdir()
        asyncio.run(lived(seed, folder / "one", EACH))
        return 1
    count = max(1, round(days / EACH))
    for number in range(count):
        place = folder / str(number)
        place.mkdir()
        asyncio.run(lived(f"{seed}:{number}", place, EACH))
    return count
