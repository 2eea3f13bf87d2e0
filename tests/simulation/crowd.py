"""A made-up world for acts that end midway: programs that take their time, and who owns them.

It sees to what can be seen at a touch: who is started, who is signalled, and that it may be.
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Generator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from msgspec.structs import replace

from healmon.clock import Clock
from healmon.world import notes
from healmon.world.processes import TERM, Ended, Identity, Launch
from healmon.world.shims import Shim, ShimEnd, ShimOrder
from healmon.world.simulated.ports import SimulatedPorts
from healmon.world.simulated.processes import Program, SimulatedProcesses
from healmon.world.simulated.shims import SimulatedShims

READY = "ready to serve"
HELPER = "/srv/helper"


@dataclass(frozen=True, slots=True)
class Part:
    """How a life of a program goes, beside what `Program` says.

    Attributes:
        program: what it does.
        ready_after: seconds until it says that it is ready; None: it never is.
        grace: seconds that it takes to end after SIGTERM.
        helpers: processes that it starts, which outlive it.
    """

    program: Program
    ready_after: float | None = 0.0
    grace: float = 0.0
    helpers: int = 0


class Crowd(SimulatedProcesses):
    """Processes in memory, with an owner each.

    Args:
        clock: all time.
        script: how the next life of a program goes, by its arguments.
        owners: names of workers by their arguments.
        touched: told of each touch before it happens: whose, what, who.
    """

    def __init__(
        self,
        clock: Clock,
        script: Callable[[str], Part],
        owners: dict[tuple[str, ...], str],
        touched: Callable[[str, str, Identity | None], None],
    ) -> None:
        super().__init__(clock)
        self.script, self.owners, self.touched = script, owners, touched
        self.owner: dict[Identity, str] = {}
        self.argv: dict[Identity, tuple[str, ...]] = {}
        self.life_of: dict[Identity, int] = {}
        """Which start each came of: the pid of what was started."""
        self.said: dict[int, float] = {}
        """When the program of a start said that it is ready."""
        self.asked: dict[Identity, float] = {}
        """When each was sent its newest SIGTERM."""
        self.born: dict[Identity, float] = {}
        self.ended_by_us: set[Identity] = set()
        self.ended_at: dict[Identity, float] = {}
        self.on_end: Callable[[str, Identity, bool], None] = lambda *_: None
        self._parts: dict[Identity, Part] = {}
        self._leaving: dict[str, int] = {}
        self.by_grant = True
        self.reports.insert(0, lambda facts, how: self._gone(facts.identity, how))

    def copies(self, name: str) -> list[Identity]:
        """Return who lives and runs the program of a worker."""
        return [i for i in self.alive() if self.owners.get(self.argv.get(i, ())) == name]

    def family(self, name: str) -> list[Identity]:
        """Return who lives of all that a worker's starts have come to."""
        return [i for i in self.alive() if self.owner.get(i) == name]

    def add(self, argv: tuple[str, ...], **more) -> Identity:
        identity = super().add(argv, **more)
        self.argv[identity] = argv
        self.born[identity] = asyncio.get_running_loop().time()
        above = self._world.get(more.get("parent", 1))
        parent = above.facts.identity if above is not None else None
        owner = self.owners.get(argv) or self.owner.get(parent) if parent else self.owners.get(argv)
        if owner:
            self.owner[identity] = owner
            self.life_of[identity] = self.life_of.get(parent) or self._newest(owner, identity)
        program = more.get("program")
        if program is not None and program.lives is not None:
            self._later(program.lives, self.settle)
        return identity

    def _later(self, seconds: float, call: Callable[[], object]) -> None:
        asyncio.get_running_loop().call_later(seconds, call)

    def _newest(self, name: str, identity: Identity) -> int:
        """Return the start that a daemon came of; one of its own: itself."""
        return self._leaving.pop(name, identity.pid)

    def lives(self, name: str) -> set[int]:
        """Return which starts the live copies of a worker came of."""
        return {self.life_of[i] for i in self.copies(name)}

    def end(self, identity: Identity, how: Ended = Ended(signal=9)) -> None:  # noqa: B008 - frozen
        process = self._find(identity)
        leaves = process is not None and process.end is None and process.program.leaves is not None
        if leaves and how.code == 0 and (name := self.owner.get(identity)):
            self._leaving[name] = self.life_of[identity]
        super().end(identity, how)

    def spawn_below(self, parent: int, launch: Launch) -> Identity:
        name = self.owners[launch.argv]
        self.touched(name, "grant" if self.by_grant else "spawn", None)
        part = self.script(name)
        self.behave = lambda _: part.program
        identity = super().spawn_below(parent, launch)
        self._parts[identity] = part
        if part.ready_after is not None:
            self._later(part.ready_after, lambda: self._says(identity, launch.log_path))
        for _ in range(part.helpers):
            child = self.add((HELPER, name), parent=identity.pid)
            self._parts[child] = Part(Program(), grace=part.grace)
        return identity

    def by_hand(self, name: str, argv: tuple[str, ...], program: Program) -> Identity:
        """Let a person start a worker's program."""
        identity = self.add(argv, program=program)
        self.lead(identity)
        self.owner[identity] = name
        return identity

    def _says(self, identity: Identity, log: str) -> None:
        life = self.life_of[identity]
        if any(self.life_of.get(i) == life for i in self.copies(self.owner[identity])):
            self.said[life] = asyncio.get_running_loop().time()
            with Path(log).open("a") as file:
                file.write(f"{READY}\n")

    def signal(self, identity: Identity, number: int) -> bool:
        if not number or identity not in self.alive():
            return super().signal(identity, number)
        name = self.owner.get(identity, "")
        self.touched(name, f"signal {number}", identity)
        part = self._parts.get(identity)
        grace = part.grace if part is not None else 0.0
        self.ended_by_us.add(identity)
        if number == TERM:
            self.asked[identity] = asyncio.get_running_loop().time()
            if grace and TERM not in (part.program.ignores if part else ()):
                self._later(grace, lambda: self.end(identity, Ended(signal=TERM)))
                return True
        return super().signal(identity, number)

    def _gone(self, identity: Identity, how: Ended) -> None:
        self.ended_at[identity] = asyncio.get_running_loop().time()
        name = self.owners.get(self.argv.get(identity, ()))
        if name:
            self.on_end(name, identity, identity in self.ended_by_us)

    def spawn(self, launch: Launch) -> Identity:
        with self.asked_for():
            return super().spawn(launch)

    @contextmanager
    def asked_for(self) -> Generator[None]:
        """Tell a start that healmon makes from one that a shim makes by itself."""
        self.by_grant = False
        try:
            yield
        finally:
            self.by_grant = True


class CrowdShims(SimulatedShims):
    """Shims above such a crowd."""

    def __init__(self, processes: Crowd, clock: Clock) -> None:
        super().__init__(processes, clock)
        self._offsets: dict[Identity, int] = {}

    def look(self, folder: str) -> Shim | None:
        shim = super().look(folder)
        if shim is None:
            return None
        return replace(shim, log_offset=self._offsets.get(shim.worker, 0))

    def _again(self, box: Any, end: ShimEnd) -> bool:
        size = notes.size_of(Path(box.launch.log_path))
        again = super()._again(box, end)
        self._offsets[box.worker] = size
        return again

    def start(self, order: ShimOrder) -> Shim:
        assert isinstance(self._processes, Crowd)
        with self._processes.asked_for():
            return super().start(order)


class CrowdPorts(SimulatedPorts):
    """Whose lock is whose: whatever lives below a shim holds its worker's."""

    def __init__(self, processes: Crowd, shims: CrowdShims) -> None:
        super().__init__(processes)
        self._shims = shims

    def lock_holders(self, path: str) -> frozenset[Identity]:
        box = self._shims._boxes.get(path.rpartition("/")[0])
        return frozenset(self._shims._alive_in(box) if box is not None else ())
