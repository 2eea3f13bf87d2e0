"""The door to processes: who is there, start one, watch it end, send it a signal.

A process is named by boot id, pid and start ticks (proc(5), field 22 of `stat`): a pid alone may
be somebody else a moment later. Signals go through a pidfd that was opened first and compared
with the start ticks afterwards, so they cannot reach a stranger.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable
from typing import Protocol

import msgspec


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
        tty: device number of its terminal, 0 for none.
        namespace: inode of its pid namespace, 0 when it cannot be read.
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


class Launch(msgspec.Struct, frozen=True, kw_only=True):
    """How to start a detached process: own session, output appended to a file, no stdin."""

    argv: tuple[str, ...]
    log_path: str
    cwd: str = ""
    env: dict[str, str] = {}
    user: str = ""


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
    """Everything healmon does with processes. All calls are quick and safe from any thread."""

    def identify(self, pid: int) -> Identity | None:
        """Return who has this pid now; None when nobody (or only a zombie) has."""
        ...

    def inspect(self, identity: Identity) -> ProcessFacts | None:
        """Return one look at it; None when it is gone (a zombie is returned, state `Z`)."""
        ...

    def everyone(self) -> Iterable[ProcessFacts]:
        """Return one look at every process that can be read."""
        ...

    def spawn(self, launch: Launch) -> Identity:
        """Start a detached process and return who it is.

        Raises:
            SpawnError: it could not be started; `host_fault` tells whether the host, not the
                command, is to blame (EAGAIN, EMFILE, ENOSPC, ENOMEM).
        """
        ...

    def signal(self, identity: Identity, number: int) -> bool:
        """Send a signal to exactly this process; False when it is gone.

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
