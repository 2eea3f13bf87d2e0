"""Is it only alive, or does it still work? Checked between the looks; the engine hears of changes.

Every worker is checked for one thing: whether its process stands still. One with `liveness` is
checked for that, too. So many failures in a row are hard, and only hard is acted on. Nothing is
judged while an act is under way or a start not proved, while a debugger holds the process, or in
maintenance when somebody stopped it: hands off. After a suspend or a clock that was set, one
failure of each is forgiven.
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, field
from typing import Final

from msgspec.structs import replace

from healmon.clock import Clock, Reading, gap
from healmon.config.settings import Worker
from healmon.waiting import Nap
from healmon.workers.checks.model import Checker, Outcome
from healmon.workers.model import Check
from healmon.world.processes import Identity, Processes, ProcessFacts

PULSE: Final = 10.0
"""Seconds between two looks at whether processes stand still, while one does."""
CALM: Final = 6.0
"""How many times longer that is while none does: a wake-up costs more than it tells, and a minute
is what most hosts let pass between two looks, which tell the same."""
PULSE_GRAIN: Final = 0.5
SLACK: Final = 0.4
"""Seconds by which a calm pulse comes late, below its grain: a look that is due then serves it."""
FAILURES: Final = 3
"""Failures in a row that are hard, where the configuration says nothing."""
AT_ONCE: Final = 16
"""Checks that are made at the same time."""

Make = Callable[[Worker, Identity, float], Checker]
"""From a worker, the process that it is and the wall time of its start to its check."""


@dataclass(slots=True)
class Patient:
    """What is known of one process that is a worker.

    Attributes:
        born: wall seconds since when it is.
        held: it is not judged now.
        halted: its process stands still.
        counted_at: steady time of the newest look that counted as a failure for standing still.
        grace: the next failure is forgiven.
        untold: checks in a row that could not be made.
    """

    identity: Identity
    born: float
    check: Check = field(default_factory=Check)
    held: bool = True
    halted: bool = False
    counted_at: float = float("-inf")
    grace: bool = False
    untold: int = 0
    checker: Checker | None = None


def counted(check: Check, outcome: Outcome, limit: int, *, grace: bool = False) -> Check:
    """Return what a check says after one more outcome. Pure.

    Args:
        check: before.
        outcome: what cannot be told counts neither way.
        limit: failures in a row that are hard.
        grace: a failure is forgiven this time.
    """
    if outcome.ok is None or (not outcome.ok and grace):
        return replace(check, text=outcome.text, blind=False)
    if outcome.ok:
        return Check(ok=True, text=outcome.text)
    failures = check.failures + 1
    return Check(ok=False, failures=failures, text=outcome.text, hard=failures >= limit)


class Liveness:
    """Checks all workers; belongs to one event loop.

    Args:
        workers: all of them.
        processes: the door.
        clock: all time.
        make: makes the check of a worker that has one.
    """

    def __init__(
        self, workers: Iterable[Worker], processes: Processes, clock: Clock, make: Make
    ) -> None:
        self._workers = {worker.name: worker for worker in workers}
        self._processes = processes
        self._clock = clock
        self._make = make
        self._patients: dict[str, Patient] = {}
        self._maintained: frozenset[str] = frozenset()
        self._tasks: list[asyncio.Task[None]] = []
        self._wake: Callable[[], None] = lambda: None
        self._at_once = asyncio.Semaphore(AT_ONCE)
        self._last: Reading | None = None
        self._seen_at = 0.0
        self._nap = Nap(clock)

    def start(self, wake: Callable[[], None]) -> None:
        """Begin to check between the looks; `wake()` is called when hard ones come or go."""
        self._wake = wake
        self._seen_at = self._clock.read().steady
        loops = [self._pulse()]
        loops += [self._rounds(w) for w in self._workers.values() if w.liveness is not None]
        self._tasks = [asyncio.create_task(loop) for loop in loops]

    async def close(self) -> None:
        """Check no more."""
        for task in self._tasks:
            task.cancel()
        await asyncio.gather(*self._tasks, return_exceptions=True)
        self._tasks = []

    def maintain(self, names: frozenset[str]) -> None:
        """Take in which workers are in maintenance."""
        self._maintained = names

    def hold(self, name: str) -> Patient | None:
        """Judge a worker no more until it is seen again: an act on it begins.

        Returns:
            What is known of it, if its failure is hard: that may be what the act is for.
        """
        patient = self._patients.pop(name, None)
        return patient if patient is not None and patient.check.hard else None

    async def fresh_life(self, worker: Worker, patient: Patient) -> str:
        """Return what shows that one whose failure was hard works again; empty: nothing does."""
        who = patient.identity
        state = self._processes.states([who]).get(who)
        if state is None:
            return ""
        if off := _hands_off(who.pid, state, maintained=worker.name in self._maintained):
            return off
        if patient.halted:
            return "" if state == "T" else f"pid {patient.identity.pid} runs again"
        if patient.checker is None:
            return ""
        outcome = await patient.checker()
        return f"it works again: {outcome.text}" if outcome.ok else ""

    def seen(self, up: Mapping[str, ProcessFacts | None], held: frozenset[str]) -> None:
        """Take in a look.

        Args:
            up: the process that is each worker; None: it is not up.
            held: workers that are not judged now.
        """
        now = self._tick()
        if len(up) == len(self._workers):
            self._seen_at = now.steady
            self._nap.end()  # the pulse rests anew, while we are awake anyway
        for name, facts in up.items():
            if facts is None:
                self._patients.pop(name, None)
            else:
                self._meet(name, facts, now)
                self._look_at(name, facts.state, now, held=name in held)

    def told(self, name: str) -> Check | None:
        """Return what is to be told of a worker; None: it has no check, and nothing ails it."""
        patient = self._patients.get(name)
        check = patient.check if patient is not None else Check()
        return check if check.text or self._workers[name].liveness is not None else None

    # One look.

    def _tick(self) -> Reading:
        """Return the time; after a gap, forgive everybody one failure."""
        now = self._clock.read()
        if self._last is not None and gap(self._last, now):
            for patient in self._patients.values():
                patient.grace = True
        self._last = now
        return now

    def _meet(self, name: str, facts: ProcessFacts, now: Reading) -> None:
        """Take in which process a worker is."""
        patient = self._patients.get(name)
        if patient is None or patient.identity != facts.identity:
            self._patients[name] = Patient(facts.identity, born=now.wall - facts.age)

    def _look_at(self, name: str, state: str, now: Reading, *, held: bool) -> bool:
        """Take in one look at one process; return whether its failure became hard, or ended."""
        patient = self._patients[name]
        pid, maintained = patient.identity.pid, name in self._maintained
        hands_off = _hands_off(pid, state, maintained=maintained)
        if held or hands_off:
            patient.held, patient.halted = True, False
            hard, patient.check = patient.check.hard, Check(text=hands_off)
            return hard
        if patient.held:
            patient.held, patient.check = False, Check()
        if state == "T":
            return self._halted(name, patient, now)
        if not patient.halted:
            return False
        hard, patient.halted, patient.check = patient.check.hard, False, Check()
        return hard

    def _halted(self, name: str, patient: Patient, now: Reading) -> bool:
        if not patient.halted:
            patient.halted, patient.check = True, Check()
            self._nap.end()
        elif now.steady - patient.counted_at < PULSE - PULSE_GRAIN:
            return False
        patient.counted_at = now.steady
        text = f"pid {patient.identity.pid} stands still (state T): somebody stopped it"
        return self._count(name, patient, Outcome(ok=False, text=text))

    def _count(self, name: str, patient: Patient, outcome: Outcome) -> bool:
        """Take in the outcome of a check; return whether failure became hard, or ended."""
        liveness = self._workers[name].liveness
        limit = liveness.failures if liveness is not None else FAILURES
        hard, grace = patient.check.hard, patient.grace
        blind = patient.check.blind
        patient.check = counted(patient.check, outcome, limit, grace=grace)
        if outcome.ok is not None:
            patient.grace, patient.untold = False, 0
        elif not outcome.young:
            patient.untold += 1
        if patient.untold >= limit:
            patient.check = replace(patient.check, blind=True)
        return patient.check.hard != hard or patient.check.blind != blind

    # Between the looks.

    async def _pulse(self) -> None:
        """See now and then whether processes stand still: the kernel tells that to parents only."""
        while True:
            await self._rest()
            patients = {n: p for n, p in self._patients.items() if not p.held}
            now = self._tick()
            self._seen_at = now.steady - SLACK  # or the next one came later still
            if not patients:
                continue
            # without a thread, whose waking would cost more than this does
            states = self._processes.states([p.identity for p in patients.values()])
            for name, patient in patients.items():
                state = states.get(patient.identity)
                if state is not None and self._look_at(name, state, now, held=False):
                    self._wake()

    async def _rest(self) -> None:
        """Wait for the next pulse; a look that shows somebody halted lets it come sooner."""
        while True:
            calm = CALM * PULSE - (self._clock.read().steady - self._seen_at)
            halts = self._halts()
            if not halts and calm <= PULSE_GRAIN:
                return
            lasted = await self._nap.take(self._until_next(PULSE) if halts else calm + SLACK)
            if lasted and self._halts():
                return

    def _halts(self) -> bool:
        return any(patient.halted for patient in self._patients.values())

    async def _rounds(self, worker: Worker) -> None:
        assert worker.liveness is not None
        while True:
            await self._clock.sleep(self._until_next(worker.liveness.every))
            patient = self._judged(worker.name)
            if patient is None:
                continue
            if patient.checker is None:
                patient.checker = self._make(worker, patient.identity, patient.born)
            async with self._at_once:
                outcome = await patient.checker()
            self._tick()
            # an act may have begun meanwhile, or it may be another process by now
            same = self._judged(worker.name) is patient
            if same and self._count(worker.name, patient, outcome):
                self._wake()

    def _judged(self, name: str) -> Patient | None:
        patient = self._patients.get(name)
        return patient if patient and not patient.held and not patient.halted else None

    def _until_next(self, every: float) -> float:
        """Return the seconds to the next multiple of a period: all that is due wakes us once."""
        pause = every - self._clock.read().steady % every
        # a sleep may end a little early: that moment is over then
        return pause if pause > every / 20 else pause + every


def _hands_off(pid: int, state: str, *, maintained: bool) -> str:
    """Return why a process must not be judged by what it does now; empty: it may be."""
    if state == "t":
        return f"pid {pid} is held by a debugger: not judged"
    if state == "T" and maintained:
        return f"pid {pid} stands still in maintenance: not judged"
    return ""
