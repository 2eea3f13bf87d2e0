"""A made-up world that sees to the promises while healmon works in it.

At every start: nobody lives who runs the same. At every signal: it goes to a worker, or to what a
worker started. Both: a plan with a reason is being carried out, and the step was journaled before.
At every alert: none is open for the same cause.
"""

from __future__ import annotations

from healmon import events as ev
from healmon.clock import Clock
from healmon.state import PlanView
from healmon.world.processes import Ended, Identity, Launch
from healmon.world.simulated.processes import SimulatedProcesses
from tests.helpers.workerbench import Bench


class WatchedWorld(SimulatedProcesses):
    """Processes in memory, with an eye on who starts and signals whom."""

    def __init__(self, clock: Clock, boot: str = "simulated-boot") -> None:
        super().__init__(clock, boot)
        self.bench: Bench | None = None
        self.argv_of: dict[Identity, tuple[str, ...]] = {}
        self.foreign: set[Identity] = set()
        self.by_healmon: list[tuple[float, str, bool]] = []
        """Steady time of each start, whose it was, and whether a person asked for it."""

    def attend(self, bench: Bench) -> None:
        """Watch what this bench does from now on."""
        self.bench = bench
        inner = bench.on_event

        def on_event(event: ev.Event) -> None:
            if isinstance(event, ev.AlertOpened):
                known = bench.snapshot.alerts.get(event.key)
                assert known is None or known.pending, f"open already: {event.key}"
            inner(event)

        bench.on_event = on_event

    def copies(self, argv: tuple[str, ...]) -> list[Identity]:
        """Return who lives and was started as this, in our own namespace."""
        return [i for i in self.alive() if self.argv_of.get(i) == argv and i not in self.foreign]

    def add(self, argv: tuple[str, ...], **more) -> Identity:
        identity = super().add(argv, **more)
        self.argv_of[identity] = tuple(argv)
        if more.get("namespace", 1) != 1:
            self.foreign.add(identity)
        return identity

    def spawn(self, launch: Launch) -> Identity:
        copies = self.copies(launch.argv)
        assert not copies, f"a second copy: {launch.argv} while {copies} live"
        if self.bench is not None:
            view = self._plan(launch.argv)
            assert view.steps[-1].startswith("start "), f"not journaled: {view.steps}"
            identity = super().spawn(launch)
            asked = view.plan.origin != "healmon"
            self.by_healmon.append((self._clock.read().steady, view.plan.component, asked))
            return identity
        return super().spawn(launch)

    def signal(self, identity: Identity, number: int) -> bool:
        if self.bench is not None and number:  # 0 only asks whether it is permitted
            argv = self.argv_of.get(identity, ())
            view = self._plan(argv)
            assert str(identity.pid) in view.steps[-1], f"not journaled: {view.steps}"
        return super().signal(identity, number)

    def _plan(self, argv: tuple[str, ...]) -> PlanView:
        assert self.bench is not None
        names = [w.name for w in self.bench.workers if w.argv == argv]
        assert names, f"a stranger: {argv}"
        view = self.bench.snapshot.plans.get(names[0])
        assert view is not None, f"nobody planned anything for {names[0]}"
        assert view.acting
        assert view.plan.why, "no reason"
        return view


def ended(code: int | None = None, signal: int | None = None) -> Ended:
    return Ended(code=code, signal=signal)
