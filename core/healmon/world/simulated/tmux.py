"""tmux servers in memory: sessions, programs that take keys, clients, modes, stopped servers."""

from __future__ import annotations

from collections.abc import Generator, Iterable, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field
from typing import Literal

from msgspec.structs import replace

from healmon.clock import Clock
from healmon.errors import ProbeError, RemedyError, VetoError
from healmon.text import clean
from healmon.world import sgr
from healmon.world.pane import Pane
from healmon.world.processes import Ended, Identity
from healmon.world.sgr import Painted
from healmon.world.simulated.processes import SimulatedProcesses
from healmon.world.terminal import Terminal
from healmon.world.tmux import TmuxAbsentError
from healmon.world.tmux_wire import NAME_LIMIT, press_words, respawn_words

Effect = Literal["end", "cancel", "ignore"]
SHELL = ("-bash",)
PROMPT = "$ "


@dataclass(frozen=True, slots=True)
class Job:
    """A program in the foreground.

    Attributes:
        argv: its arguments.
        raw: it reads keys itself, so that Ctrl-C is no signal.
        keys: what each key does to it; a key that is not here is ignored.
        busy: its title while it works.
        idle: its title after it was cancelled.
        cancelled: what it says then.
    """

    argv: tuple[str, ...] = ("sleep", "1000")
    raw: bool = False
    keys: Mapping[str, Effect] = field(default_factory=lambda: {"C-c": "end"})
    busy: str = ""
    idle: str = ""
    cancelled: str = "Interrupted"


@dataclass(slots=True)
class SimulatedPane:
    """One pane; a test may change anything in it.

    Attributes:
        facts: what tmux tells of it.
        own: the pane's own process, a shell.
        job: what runs in the foreground, and who it is.
        lines: what it shows.
        pressed: every key that reached it, in order.
        held: its output is stopped (Ctrl-S).
        unread: bytes typed that its program does not read.
    """

    facts: Pane
    own: Identity
    clock: Clock
    processes: SimulatedProcesses
    job: Job | None = None
    who: Identity | None = None
    lines: list[str] = field(default_factory=lambda: [PROMPT])
    pressed: list[str] = field(default_factory=list[str])
    secret: bool = False
    reading: bool = False
    held: bool = False
    unread: int = 0

    def say(self, *lines: str) -> None:
        """Print lines."""
        self.lines.extend(lines)
        self.facts = replace(self.facts, window_activity=int(self.clock.read().wall))

    def show(self, screen: str) -> None:
        """Repaint the whole screen."""
        self.lines = []
        self.say(*screen.split("\n"))

    def run(self, job: Job) -> None:
        """Start a program in the foreground."""
        self.job = job
        self.who = self.processes.add(job.argv, parent=self.own.pid)
        self.lines[-1] += " ".join(job.argv)
        self._retitle(job.busy)
        self.say("")

    def end_job(self, how: Ended) -> None:
        """Let the program in the foreground end; the shell has its prompt back."""
        if self.who is not None:
            self.processes.end(self.who, how)
        self.job = self.who = None
        self.say(PROMPT)
        self._retitle("")

    def suspend(self) -> None:
        """Stop the program in the foreground, as Ctrl-Z does; the shell has its prompt back."""
        if self.who is not None:
            self.processes.halt(self.who)
        self.job = self.who = None
        self.say(PROMPT)
        self._retitle("")

    def take(self, key: str) -> None:
        """Let a key have its effect."""
        self.pressed.append(key)
        job = self.job
        if job is None:
            if key == "C-c":
                self.lines[-1] += "^C"
                self.say(PROMPT)
            return
        if not job.raw:
            self.lines[-1] += "^C" if key == "C-c" else key
        effect = job.keys.get(key, "ignore")
        if effect == "end":
            self.end_job(Ended(signal=2))
        elif effect == "cancel":
            self.say(job.cancelled)
            self._retitle(job.idle)

    def _retitle(self, title: str) -> None:
        command = SHELL[0].lstrip("-") if self.job is None else self.job.argv[0]
        self.facts = replace(self.facts, title=title, command=command.rpartition("/")[2])

    def terminal(self) -> Terminal:
        """Return what its terminal tells."""
        group = self.own.pid if self.who is None else self.who.pid
        if self.job is None:  # a shell edits its line key by key
            return Terminal(
                signals=True, canonical=False, echo=False, foreground=group, writable=not self.held
            )
        cooked = not self.job.raw
        return Terminal(
            signals=cooked,
            canonical=cooked,
            echo=cooked and not self.secret,
            foreground=group,
            reading=self.reading,
            unread=self.unread,
            writable=not self.held,
        )


class SimulatedTmux:
    """Everything healmon does with tmux, against servers that a test writes.

    Args:
        clock: all time.
        processes: where the programs in the panes live.
    """

    def __init__(self, clock: Clock, processes: SimulatedProcesses) -> None:
        self._clock = clock
        self._processes = processes
        self._servers: dict[str, list[SimulatedPane]] = {}
        self._pids: dict[str, tuple[int, int]] = {}
        self._stopped: set[str] = set()
        self._serial = 0
        self._claimed: set[str] = set()

    # The writer's side.

    def new(self, name: str, *, socket: str = "default") -> SimulatedPane:
        """Start a session with one pane and a shell in it; the first one starts the server."""
        now = int(self._clock.read().wall)
        if not self._servers.setdefault(socket, []):
            self._pids[socket] = (self._processes.add(("tmux",)).pid, now)
        own = self._processes.add(SHELL, parent=self._pids[socket][0])
        self._processes.seat(own, self._serial + 1)
        server_pid, server_start = self._pids[socket]
        pane = SimulatedPane(
            Pane(
                socket=socket, server_pid=server_pid, server_start=server_start,
                session_id=f"${self._serial}", session_created=now, id=f"%{self._serial}",
                pid=own.pid, name=name, session=clean(name, limit=NAME_LIMIT),
                session_activity=now, window_activity=now, width=80, height=24,
                tty=f"/dev/pts/{self._serial}", command="bash",
            ),
            own, self._clock, self._processes,
        )  # fmt: skip
        self._serial += 1
        self._servers[socket].append(pane)
        return pane

    def kill(self, pane: SimulatedPane) -> None:
        """End a pane, and its server with the last one."""
        for who in (pane.who, pane.own):
            if who is not None:
                self._processes.end(who)
        self._servers[pane.facts.socket].remove(pane)

    def attach(self, pane: SimulatedPane) -> None:
        """Let a person attach to the session."""
        now = int(self._clock.read().wall)
        pane.facts = replace(
            pane.facts, attached=pane.facts.attached + 1,
            client_activity=now, session_activity=now, last_attached=now,
            viewers=(*pane.facts.viewers, f"/dev/pts/{1000 + self._serial}"),
        )  # fmt: skip
        self._serial += 1

    def detach(self, pane: SimulatedPane) -> None:
        """Let all persons leave."""
        pane.facts = replace(pane.facts, attached=0, client_activity=0, viewers=())

    def stop(self, socket: str = "default") -> None:
        """Let a server answer nothing, until `go_on`."""
        self._stopped.add(socket)

    def go_on(self, socket: str = "default") -> None:
        """Let a stopped server answer again."""
        self._stopped.discard(socket)

    # The healer's side.

    def panes(self, socket: str) -> tuple[Pane, ...]:
        """Return every pane of a server."""
        self._answer(socket)
        facts = [pane.facts for pane in self._servers[socket]]
        return tuple(sorted(facts, key=lambda p: (p.name, p.window_index, p.pane_index)))

    def screens(self, socket: str, panes: Iterable[Pane]) -> dict[str, str]:
        """Return what these panes show, by pane id."""
        self._answer(socket)
        keys = {pane.key for pane in panes}
        return {
            pane.facts.id: clean("\n".join(pane.lines), lines=True).rstrip("\n ")
            for pane in self._servers[socket]
            if pane.facts.key in keys
        }

    def painted(self, pane: Pane) -> Painted | None:
        """Return what a pane shows in its colours."""
        self._answer(pane.socket)
        found = self._find(pane)
        return None if found is None else sgr.parse("\n".join(found.lines))

    def terminal(self, pane: Pane) -> Terminal | None:
        """Return what the pane's terminal tells."""
        found = self._find(pane)
        return None if found is None or found.facts.dead else found.terminal()

    @contextmanager
    def claim(self, pane: Pane) -> Generator[None]:
        """Be the one healmon of this host that touches a pane, until this is left."""
        if pane.key in self._claimed:
            raise VetoError(f"another healmon (pid 2) is at pane {pane.id}")
        self._claimed.add(pane.key)
        try:
            yield
        finally:
            self._claimed.discard(pane.key)

    def press(self, pane: Pane, keys: tuple[str, ...]) -> None:
        """Press keys in exactly this pane."""
        press_words(pane, keys, "", 0)  # the same names of keys are wrong
        found = self._reach(pane)
        facts = found.facts
        if facts.mode or facts.input_off or facts.synchronized or facts.dead:
            raise VetoError(f"pane {pane.id} is not what it was, or takes no keys")
        for key in keys:
            found.take(key)

    def leave_mode(self, pane: Pane) -> None:
        """Leave every mode of exactly this pane."""
        found = self._reach(pane)
        found.facts = replace(found.facts, mode=False)

    def respawn(self, pane: Pane, argv: tuple[str, ...]) -> None:
        """Start a program in exactly this pane, whose own has ended and left it there."""
        respawn_words(pane, argv, "", 0)  # the same words are wrong
        found = self._reach(pane)
        if not found.facts.dead:
            raise VetoError(f"pane {pane.id} is not what it was, or takes no keys")
        found.own = self._processes.add(argv, parent=self._pids[pane.socket][0])
        found.facts = replace(
            found.facts, dead=False, status="", pid=found.own.pid,
            command=argv[0].rpartition("/")[2],
        )  # fmt: skip
        found.job = found.who = None
        found.show("")

    def _answer(self, socket: str) -> None:
        if socket in self._stopped:
            raise ProbeError(f"tmux on socket {socket}: no answer within 3 s")
        if not self._servers.get(socket):
            raise TmuxAbsentError(f"no tmux server on socket {socket}")

    def _reach(self, pane: Pane) -> SimulatedPane:
        if pane.socket in self._stopped:
            raise RemedyError(f"pane {pane.id}: no answer; what became of it is not known")
        found = self._find(pane)
        if found is None:
            raise VetoError(f"pane {pane.id} is not what it was, or takes no keys")
        return found

    def _find(self, pane: Pane) -> SimulatedPane | None:
        some = self._servers.get(pane.socket, [])
        return next((one for one in some if one.facts.key == pane.key), None)
