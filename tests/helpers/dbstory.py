"""A made-up world with one database, looked after by the real healer."""

from __future__ import annotations

import asyncio
import signal
from collections.abc import Callable

from msgspec.structs import replace

from healmon import events as ev
from healmon.clock import ManualClock
from healmon.config.settings import Database
from healmon.databases.diagnose import diagnose
from healmon.databases.equipment import Equipment
from healmon.databases.healer import DatabasesHealer
from healmon.databases.model import Facts, Seen
from healmon.errors import RemedyError
from healmon.plans import STANDS, Diagnosis, Plan, Proof, Verdict, unpack
from healmon.state import Snapshot, apply
from healmon.world.processes import Identity
from healmon.world.simulated.mending import SimulatedMender
from healmon.world.simulated.processes import HEALER_PID, SimulatedProcesses
from healmon.world.simulated.sqlite import SimulatedLocks

PATH = "/data/architect.db"


class Notebook:
    """A hand that keeps what it was told, and can do something at that moment."""

    def __init__(self, then: Callable[[], object] = lambda: None) -> None:
        self.told: list[str] = []
        self._then = then

    async def about_to(self, text: str) -> None:
        self.told.append(text)
        self._then()


class Machine(SimulatedProcesses):
    """Processes of which a test can set the state, and that do something when signalled."""

    def __init__(self, clock: ManualClock) -> None:
        super().__init__(clock)
        self.on_signal: Callable[[], object] = lambda: None

    def signal(self, identity: Identity, number: int) -> bool:
        sent = super().signal(identity, number)
        self.on_signal()
        return sent

    def change(self, identity: Identity, **facts: object) -> None:
        process = self._world[identity.pid]
        process.facts = replace(process.facts, **facts)


class Records:
    """What the workers of a story wrote down."""

    def __init__(self, story: Story) -> None:
        self._story = story

    def known(self) -> dict[str, tuple[Identity, ...]]:
        return self._story.workers


class Story:
    """Tell what happens with verbs; ask with `look`."""

    def __init__(self, mode: str = "rollback", **settings: object) -> None:
        self.clock = ManualClock()
        self.machine = Machine(self.clock)
        self.machine.add(("init",), pid=1, parent=0)
        self.machine.add(("sh",), pid=90)
        self.machine.add(("healmon",), pid=HEALER_PID, parent=90)
        self.locks = SimulatedLocks(lambda pid: self.machine.identify(pid) is not None)
        self.locks.create(PATH, "wal" if mode == "wal" else "rollback")
        self.database = Database(name="architect", path=PATH, **settings)
        self.mender = SimulatedMender(self.locks)
        self.workers: dict[str, tuple[Identity, ...]] = {}
        self.renew()
        self.known = Snapshot()
        self.rests = 0
        self._events = 0

    def renew(self) -> None:
        """Let another healer follow, as after a change of the configuration or of healmon."""
        self.healer = DatabasesHealer(
            (self.database,), self.locks, self.machine, self.clock, own_pid=HEALER_PID,
            equipment=Equipment(mender=self.mender, supervised=Records(self)),
        )  # fmt: skip

    def employ(self, *identities: Identity, name: str = "w") -> None:
        self.workers[name] = identities

    def somebody(self, *argv: str, **knobs: object) -> Identity:
        return self.machine.add(argv or ("python3", "app.py"), **knobs)

    def holder(self, *argv: str, **knobs: object) -> Identity:
        who = self.somebody(*argv, **knobs)
        self.locks.begin(PATH, who.pid)
        return who

    def stopped_holder(self, *argv: str, **knobs: object) -> Identity:
        who = self.holder(*argv, **knobs)
        self.machine.change(who, state="T")
        return who

    def diagnose(self) -> Diagnosis:
        """Look and judge; what stands must be what would be said. As a room, tell only news."""
        return self.judged(asyncio.run(self.healer.look()))

    def judged(self, seen: Seen) -> Diagnosis:
        """Judge a look, and tell what is new."""
        now = self.clock.read()
        found = self.healer.diagnose(seen, self.known, now)
        if found is STANDS:
            self.rests += 1
            found = diagnose(seen, (self.database,), self.known, now)
            assert all(self._told(one) and not one.findings for one in found.verdicts)
            assert (found.gone, found.look_again) == ((), None)
        for verdict in found.verdicts:
            if not self._told(verdict):
                self.tell(
                    ev.Observed(
                        "databases", verdict.component, verdict.status, verdict.summary,
                        verdict.metric_type, verdict.metric_value, verdict.facts,
                    )
                )  # fmt: skip
            if self.known.memory.get(verdict.component, {}) != verdict.memory:
                self.tell(ev.Remembered(verdict.component, verdict.memory))
        for component in found.gone:
            self.tell(ev.ComponentGone(component))
        return found

    def _told(self, verdict: Verdict) -> bool:
        view = self.known.components.get(verdict.component)
        said = (verdict.status, verdict.summary, verdict.facts)
        return view is not None and said == (view.status, view.summary, view.facts)

    def tell(self, event: ev.Event) -> None:
        self._events += 1
        kept = ev.decode(ev.encode(event))
        self.known = apply(self.known, ev.Recorded(self._events, self.clock.read().wall, kept))

    def look(self, after: float = 0.0) -> Verdict:
        self.clock.advance(after)
        (verdict,) = self.diagnose().verdicts
        return verdict

    def facts(self) -> Facts:
        return unpack(self.known.components["database:architect"].facts, Facts)

    def offer(self, verb: str = "unlock") -> Plan:
        return self.healer.offer(verb, "database:architect", self.known, self.clock.read())

    def carry_out(self, plan: Plan, hand: Notebook | None = None) -> Proof:
        return asyncio.run(self.healer.carry_out(plan, hand or Notebook()))

    def act(self, plan: Plan, hand: Notebook | None = None) -> None:
        """Carry a plan out and tell how it ended, as the engine does."""
        component, action = plan.component, plan.action
        now = self.clock.read()
        self.tell(ev.PlanMade(replace(plan, id="p"), now.steady, now.wall))
        self.tell(ev.ActionStarted("p", component))
        try:
            proof = self.carry_out(plan, hand)
        except RemedyError as error:
            self.tell(ev.ActionFailed("p", component, action, str(error), 1.0, error.details))
        else:
            self.tell(ev.ActionVerified("p", component, action, proof.text, 1.0, "", proof.details))

    def continued(self) -> list[Identity]:
        return [who for who, number in self.machine.signals if number == signal.SIGCONT]

    def report(self) -> list[str]:
        return self.healer.report(self.known)

    def close(self) -> None:
        asyncio.run(self.healer.close())
