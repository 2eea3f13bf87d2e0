"""The door to processes: who is there, start one, watch it end, send it a signal.

A process is named by boot id, pid and start ticks (proc(5), field 22 of `stat`): a pid alone may
be somebody else a moment later. Signals go through a pidfd that was opened first and compared
with the start ticks afterwards, so they cannot reach a stranger.
"""

from __future__ import annotations

from collections.abc import Callable, Collection, Iterable
from typing import Final, Protocol

import msgspec

TERM: Final = 15
KILL: Final = 9
CONT: Final = 18
ASK: Final = 0
"""Signals, so that nobody but the doors needs the module of that name."""
DEAD: Final = frozenset("ZXx")
"""States of a process that has ended and only waits for its parent to notice."""


class Identity(msgspec.Struct, frozen=True):
    """Who a process is, for ever: no other process has all three."""

    boot: str
    pid: int
    ticks: int


class ProcessFacts(msgspec.Struct, frozen=True):
    """One look at a process.

    Attributes:
        state: the kernel's letter: R, S, D, T (stopped), t (traced), Z (zombie), …
        command: argv, cleaned for display; empty for kernel threads and zombies.
        cpu_seconds: user and system time so far.
        rss: resident bytes.
        age: seconds since it started, on the boot clock.
        uid: the effective user; 0 also for a process that may not be dumped.
        tty: device number of its terminal, 0 for none.
        namespace: inode of its pid namespace, 0 when it cannot be read.
        group: its process group: the pid of the one that leads it, or led it.
        session: its session, likewise. The kernel gives neither pid to anybody else while one
            process is left in them.
    """

    identity: Identity
    parent: int
    state: str
    name: str
    command: tuple[str, ...]
    cpu_seconds: float
    rss: int
    age: float
    uid: int
    tty: int = 0
    namespace: int = 0
    group: int = 0
    session: int = 0


class Origin(msgspec.Struct, frozen=True):
    """What a process was started as, for comparing; never for showing, it is not cleaned.

    Attributes:
        argv: its arguments as they stand there now; bytes that are not UTF-8 are surrogates.
        directories: what relative arguments may be relative to: where the process is now and
            where it was started. Empty when neither can be read.
    """

    argv: tuple[str, ...]
    directories: tuple[str, ...] = ()


class Work(msgspec.Struct, frozen=True):
    """What a process has done so far, and what it waits for.

    Attributes:
        io: bytes that it read from anywhere and wrote to storage. What it wrote to its terminal
            is not in it (a spinner would count as work), nor what it received with recv(2).
            None: it may not be read.
        waits: where in the kernel it waits (`do_wait`, `futex_wait_queue`), empty when it runs or
            that may not be read.
    """

    io: int | None = None
    waits: str = ""


class AgentFile(msgspec.Struct, frozen=True, kw_only=True):
    """What an agent writes down about itself; all of it undocumented by its makers, so a hint.

    Attributes:
        status: the agent's own word (`busy`, `idle`, `waiting`, `shell`), or empty.
        waiting_for: what it says it waits for, or empty.
        changed: wall seconds when any of its files last changed; 0.0 unknown.
        size: bytes of its transcript so far.
        version: the agent's own version, or empty.
    """

    status: str = ""
    waiting_for: str = ""
    changed: float = 0.0
    size: int = 0
    version: str = ""


class Launch(msgspec.Struct, frozen=True, kw_only=True):
    """How to start a detached process: own session, output appended to a file, no stdin.

    Attributes:
        umask: its file mode mask; None: that with which we were started.
        limits: its soft resource limits, by name in lower case without `RLIMIT_`.
    """

    argv: tuple[str, ...]
    log_path: str
    cwd: str = ""
    env: dict[str, str] = {}
    user: str = ""
    umask: int | None = None
    limits: dict[str, int] = {}


class Ended(msgspec.Struct, frozen=True):
    """How a process ended; both None when it was not our child and nobody recorded it."""

    code: int | None = None
    signal: int | None = None

    def __str__(self) -> str:
        """Return it in words: `exit 1`, `killed by SIGKILL`, `ended, code unknown`."""
        import signal  # noqa: PLC0415 - a slow import for a rare word

        if self.signal is not None:
            try:
                return f"killed by {signal.Signals(self.signal).name}"
            except ValueError:
                return f"killed by signal {self.signal}"
        return f"exit {self.code}" if self.code is not None else "ended, code unknown"


class Processes(Protocol):
    """Everything healmon does with processes. All calls are quick and safe from any thread.

    Those that look raise `ProbeError` when a process is there but /proc does not show it
    (`hidepid`): nothing may be concluded then.
    """

    @property
    def own_pid(self) -> int:
        """The pid of who asks."""
        ...

    def identify(self, pid: int) -> Identity | None:
        """Return who has this pid now; None when nobody (or only a zombie, or a thread) has."""
        ...

    def inspect(self, identity: Identity) -> ProcessFacts | None:
        """Return one look at it; None when it is gone (a zombie is returned, state `Z`)."""
        ...

    def origin(self, identity: Identity) -> Origin | None:
        """Return what it was started as, for comparing; None when it is gone or a zombie."""
        ...

    def everyone(self, skip: Collection[int] = ()) -> Iterable[ProcessFacts]:
        """Return one look at every process that can be read, but those with a pid in `skip`."""
        ...

    def work(self, identities: Iterable[Identity]) -> dict[Identity, Work]:
        """Return what each process has done so far; those that are gone are missing."""
        ...

    def states(self, identities: Iterable[Identity]) -> dict[Identity, str]:
        """Return the kernel's letter for the state of each process; see proc_pid_stat(5).

        Those that are gone, or cannot be seen, are missing. Never raises and never waits: a process
        that hangs, or a disk, does not keep the kernel from telling.
        """
        ...

    def received(self, identities: Iterable[Identity]) -> dict[Identity, float]:
        """Return the seconds since any TCP connection of each process last received anything.

        Those that are gone, have no connection, or cannot be seen are missing. Never raises.
        """
        ...

    def agent_file(self, identity: Identity, agent: str) -> AgentFile | None:
        """Return what this process wrote down about itself; None when nothing can be believed.

        Args:
            identity: the process.
            agent: which program it is (see `agentfiles`). Never raises.
        """
        ...

    def spawn(self, launch: Launch) -> Identity:
        """Start a detached process and return who it is.

        Raises:
            SpawnError: it could not be started; `host_fault` tells whether the host, not the
                command, is to blame (EAGAIN, EMFILE, ENOSPC, ENOMEM).
        """
        ...

    def signal(self, identity: Identity, number: int) -> bool:
        """Send a signal to exactly this process; False when it is gone. 0 only asks.

        Raises:
            PermissionError: it is somebody else's.
        """
        ...

    def ended(self, identity: Identity) -> Ended | None:
        """Return how it ended (reaping it if it was our child); None while it lives."""
        ...

    def watch(self, identity: Identity, on_end: Callable[[], None]) -> Callable[[], None]:
        """Call `on_end` once, from the running event loop, when it ends; returns a canceller."""
        ...
