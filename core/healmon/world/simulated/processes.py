"""A machine's processes in memory: who runs, how each will end, and who was signalled.

Time is the clock's: a program that lives ten seconds is found dead by the first call after them.
Nothing happens between calls; `settle()` makes due ends happen (and watchers hear of them) now.
"""

from __future__ import annotations

import asyncio
import signal
from collections import deque
from collections.abc import Callable, Container, Iterable, Iterator
from dataclasses import dataclass, field

from msgspec.structs import replace

from healmon.clock import Clock
from healmon.errors import SpawnError
from healmon.text import clean
from healmon.world.processes import AgentFile, Ended, Identity, Launch, Origin, ProcessFacts, Work

HEALER_PID = 100
"""The pid of the healer itself in this world: the parent of what it spawns."""
IGNORED = {0, signal.SIGCONT, signal.SIGSTOP, signal.SIGWINCH, signal.SIGCHLD}
DEADLY = Ended(signal=signal.SIGKILL)


@dataclass(frozen=True, slots=True)
class Program:
    """How something that is started will behave.

    Attributes:
        lives: seconds until it ends by itself; None: until it is ended.
        end: how it ends by itself.
        ignores: signals that it does not mind.
        leaves: it starts a daemon of the same arguments as it ends, that behaves like this.
        refuses: it cannot be started at all, and why.
        stuck: it hangs in the kernel: no signal ends it.
    """

    lives: float | None = None
    end: Ended = field(default_factory=lambda: Ended(code=0))
    ignores: frozenset[int] = frozenset()
    leaves: Program | None = None
    refuses: SpawnError | None = None
    stuck: bool = False


@dataclass(slots=True)
class _Process:
    facts: ProcessFacts
    origin: Origin
    program: Program
    born: float
    zombie_of_stranger: bool = False
    somebody_elses: bool = False
    end: Ended | None = None
    watchers: list[Callable[[], None]] = field(default_factory=list[Callable[[], None]])
    pending: int | None = None


class SimulatedProcesses:
    """Everything healmon does with processes, against a world that a test writes.

    Args:
        clock: gives every process its age and its end.
        boot: id of this boot.

    Attributes:
        behave: asked for the program behind everything that is spawned.
        spawned: every start, in order, with the steady time of it.
        signals: every signal that reached somebody, in order.
        reapers: pids of those that inherit what those below them leave behind.
        reports: are told of every end, once it has happened.
        works: what a process has done so far; default: nothing.
        receipts: the steady second at which a process last received anything.
        agent_files: what an agent wrote down, with the name of the agent.
    """

    def __init__(self, clock: Clock, boot: str = "simulated-boot") -> None:
        self.behave: Callable[[Launch], Program] = lambda _: Program()
        self.spawned: list[tuple[float, Identity, Launch]] = []
        self.signals: list[tuple[Identity, int]] = []
        self.reapers: set[int] = set()
        self.reports: list[Callable[[ProcessFacts, Ended], None]] = []
        self.works: dict[Identity, Work] = {}
        self.receipts: dict[Identity, float] = {}
        self.agent_files: dict[Identity, tuple[str, AgentFile]] = {}
        self._clock = clock
        self._boot = boot
        self._world: dict[int, _Process] = {}
        self._ends: dict[Identity, Ended] = {}
        self._serial = 1000

    @property
    def own_pid(self) -> int:
        """The pid of who asks: nobody in this world, whoever that is in the real one."""
        return 999

    # The writer's side.

    def add(
        self,
        argv: tuple[str, ...],
        *,
        program: Program | None = None,
        pid: int | None = None,
        parent: int = 1,
        directories: tuple[str, ...] = ("/",),
        namespace: int = 1,
        somebody_elses: bool = False,
        zombie: bool = False,
    ) -> Identity:
        """Let a process that healmon did not start appear, in its parent's session and terminal.

        Args:
            argv: its arguments.
            program: how it will behave; default: it stays.
            pid: its pid; default: the next free one. A pid whose owner has ended may be reused.
            parent: its parent.
            directories: what relative arguments may mean.
            namespace: inode of its pid namespace.
            somebody_elses: signalling it is not permitted.
            zombie: nobody will reap it when it ends.
        """
        self._serial += 1
        pid = self._serial if pid is None else pid
        now = self._clock.read()
        above = self._world.get(parent)
        session = pid if above is None else above.facts.session
        facts = ProcessFacts(
            identity=Identity(self._boot, pid, round(now.boot * 100) + self._serial),
            parent=parent,
            state="D" if program is not None and program.stuck else "S",
            name=clean(argv[0].rpartition("/")[2], limit=15) if argv else "",
            command=tuple(clean(part) for part in argv),
            cpu_seconds=0.0,
            rss=10_000_000,
            age=0.0,
            uid=1000,
            tty=0 if above is None else above.facts.tty,
            namespace=namespace,
            group=session,
            session=session,
        )
        self._world[pid] = _Process(
            facts, Origin(argv, directories), program or Program(), now.steady, zombie,
            somebody_elses,
        )  # fmt: skip
        return facts.identity

    def end(self, identity: Identity, how: Ended = DEADLY) -> None:
        """Let a process end now, in any way."""
        process = self._find(identity)
        if process is None or process.end is not None:
            return
        process.end = how
        heir = self._orphan(identity.pid)
        child = process.facts.parent == HEALER_PID
        if child:
            self._ends[identity] = how
        elif not process.zombie_of_stranger:
            del self._world[identity.pid]
        if process.program.leaves is not None and how.code == 0:
            leaves, where = process.program.leaves, process.origin.directories
            self.lead(self.add(process.origin.argv, program=leaves, directories=where, parent=heir))
        for watcher in process.watchers:
            watcher()
        process.watchers.clear()
        for report in self.reports:
            report(process.facts, how)

    def _orphan(self, pid: int) -> int:
        """Give the children of one that ends to the nearest reaper above it, as the kernel does.

        Returns:
            The heir's pid.
        """
        above = self._world[pid].facts.parent
        while above in self._world and above not in self.reapers:
            above = self._world[above].facts.parent
        heir = above if above in self._world else 1
        for process in self._world.values():
            if process.facts.parent == pid:
                process.facts = replace(process.facts, parent=heir)
        return heir

    def lead(self, identity: Identity) -> None:
        """Let a process begin a session of its own, as setsid does."""
        process = self._world[identity.pid]
        process.facts = replace(process.facts, session=identity.pid, group=identity.pid)

    def seat(self, identity: Identity, tty: int) -> None:
        """Give a process a terminal by its device number; what it starts has it too."""
        process = self._world[identity.pid]
        process.facts = replace(process.facts, tty=tty)

    def grow(self, identity: Identity, rss: int) -> None:
        """Let a process hold so many bytes from now on."""
        process = self._world[identity.pid]
        process.facts = replace(process.facts, rss=rss)

    def halt(self, identity: Identity, state: str = "T") -> None:
        """Let a process stand still (`T`), be traced (`t`), or run again (`S`)."""
        process = self._world[identity.pid]
        process.facts = replace(process.facts, state=state)

    def retitle(self, identity: Identity, argv: tuple[str, ...]) -> None:
        """Let a process change what it is called, as setproctitle does."""
        process = self._world[identity.pid]
        process.origin = Origin(argv, process.origin.directories)

    def next_end(self) -> float | None:
        """Return the steady time at which the next process ends by itself; None: none will."""
        ends = [
            process.born + process.program.lives
            for process in self._world.values()
            if process.end is None and process.program.lives is not None
        ]
        return min(ends, default=None)

    def settle(self) -> None:
        """Let all ends that are due happen."""
        now = self._clock.read().steady
        for process in list(self._world.values()):
            lives = process.program.lives
            if process.end is None and lives is not None and now >= process.born + lives:
                self.end(process.facts.identity, process.program.end)

    def alive(self) -> list[Identity]:
        """Return everybody who lives."""
        self.settle()
        return [p.facts.identity for p in self._world.values() if p.end is None]

    # The healer's side.

    def _find(self, identity: Identity) -> _Process | None:
        process = self._world.get(identity.pid)
        return process if process is not None and process.facts.identity == identity else None

    def identify(self, pid: int) -> Identity | None:
        """Return who has this pid now."""
        self.settle()
        process = self._world.get(pid)
        return process.facts.identity if process is not None and process.end is None else None

    def inspect(self, identity: Identity) -> ProcessFacts | None:
        """Return one look at it; None when it is gone."""
        self.settle()
        process = self._find(identity)
        return self._look(process) if process is not None else None

    def _look(self, process: _Process) -> ProcessFacts:
        facts = process.facts
        age = max(0.0, self._clock.read().steady - process.born)
        if process.end is not None:
            return replace(facts, state="Z", command=(), age=age)
        return replace(facts, command=tuple(map(clean, process.origin.argv)), age=age)

    def origin(self, identity: Identity) -> Origin | None:
        """Return what it was started as."""
        self.settle()
        process = self._find(identity)
        return process.origin if process is not None and process.end is None else None

    def everyone(self, skip: Container[int] = ()) -> Iterator[ProcessFacts]:
        """Return one look at every process but those with a pid in `skip`."""
        self.settle()
        for pid, process in sorted(self._world.items()):
            if pid not in skip:
                yield self._look(process)

    def work(self, identities: Iterable[Identity]) -> dict[Identity, Work]:
        """Return what each process has done so far; those that are gone are missing."""
        self.settle()
        return {who: self.works.get(who, Work(0)) for who in identities if self._find(who)}

    def states(self, identities: Iterable[Identity]) -> dict[Identity, str]:
        """Return the kernel's letter for the state of each process."""
        looks = ((who, self.inspect(who)) for who in identities)
        return {who: facts.state for who, facts in looks if facts is not None}

    def received(self, identities: Iterable[Identity]) -> dict[Identity, float]:
        """Return the seconds since any TCP connection of each process last received anything."""
        self.settle()
        now = self._clock.read().steady
        there = [who for who in identities if who in self.receipts and self._find(who)]
        return {who: now - self.receipts[who] for who in there}

    def agent_file(self, identity: Identity, agent: str) -> AgentFile | None:
        """Return what this process wrote down about itself; None when nothing can be believed."""
        self.settle()
        name, file = self.agent_files.get(identity, ("", None))
        return file if name == agent and self._find(identity) else None

    def spawn(self, launch: Launch) -> Identity:
        """Start a process that behaves as `behave` says, in a session of its own.

        Raises:
            SpawnError: `behave` says so.
        """
        identity = self.spawn_below(HEALER_PID, launch)
        self.lead(identity)
        return identity

    def spawn_below(self, parent: int, launch: Launch) -> Identity:
        """Start such a process as the child of another one, in that one's session.

        Raises:
            SpawnError: `behave` says so.
        """
        self.settle()
        if not launch.argv:
            raise SpawnError("nothing to run: the command is empty")
        program = self.behave(launch)
        if program.refuses is not None:
            raise program.refuses
        directories = (launch.cwd,) if launch.cwd else ()
        identity = self.add(launch.argv, program=program, parent=parent, directories=directories)
        self.spawned.append((self._clock.read().steady, identity, launch))
        return identity

    def signal(self, identity: Identity, number: int) -> bool:
        """Send a signal; False when the process is gone.

        Raises:
            PermissionError: it was added as somebody else's.
        """
        self.settle()
        process = self._find(identity)
        if process is None or process.end is not None:
            return False
        if process.somebody_elses:
            raise PermissionError(1, "Operation not permitted")
        if number == 0:
            return True
        if number:
            self.signals.append((identity, number))
        if process.program.stuck:
            return True
        stands = process.facts.state in "Tt"
        if number in (signal.SIGSTOP, signal.SIGCONT):
            state = "T" if number == signal.SIGSTOP else "S"
            process.facts = replace(process.facts, state=state)
            if number == signal.SIGCONT and process.pending is not None:
                number, process.pending = process.pending, None
        elif stands and number not in IGNORED | {signal.SIGKILL}:
            process.pending = number  # it hears of it once it runs again
            return True
        if number == signal.SIGKILL or number not in IGNORED | process.program.ignores:
            self.end(identity, Ended(signal=number))
        return True

    def ended(self, identity: Identity) -> Ended | None:
        """Return how it ended; None while it lives."""
        self.settle()
        process = self._find(identity)
        if process is not None and process.end is None:
            return None
        if process is not None and process.facts.parent == HEALER_PID:
            del self._world[identity.pid]
        return self._ends.get(identity, Ended())

    def watch(self, identity: Identity, on_end: Callable[[], None]) -> Callable[[], None]:
        """Call `on_end` once, from the running event loop, when it ends; returns a canceller."""
        self.settle()
        loop = asyncio.get_running_loop()
        process = self._find(identity)
        watch = _Watch(loop, on_end)
        if process is None or process.end is not None:
            watch.fire()
        else:
            process.watchers.append(watch.fire)
        return watch.cancel


class _Watch:
    """Passes the end of a process on to an event loop, once, unless cancelled."""

    def __init__(self, loop: asyncio.AbstractEventLoop, on_end: Callable[[], None]) -> None:
        self._loop = loop
        self._on_end: deque[Callable[[], None]] = deque([on_end])

    def fire(self) -> None:
        if not self._loop.is_closed():
            self._loop.call_soon_threadsafe(self._tell)

    def _tell(self) -> None:
        if self._on_end:
            self._on_end.pop()()

    def cancel(self) -> None:
        self._on_end.clear()
