"""The machine's processes: /proc to look, pidfds to watch and to signal (Linux 5.3 or newer)."""

from __future__ import annotations

import asyncio
import errno
import os
import signal
import threading
from collections.abc import Callable, Collection, Generator, Iterable, Iterator
from contextlib import contextmanager, suppress

from healmon.clock import SystemClock, boot_id
from healmon.errors import ProbeError
from healmon.world import agentfiles, procfs, sockdiag
from healmon.world.launching import launch as start
from healmon.world.processes import (
    DEAD,
    AgentFile,
    Ended,
    Identity,
    Launch,
    Origin,
    ProcessFacts,
    Work,
)

ENDS_KEPT = 1024
"""How many ends of own children are remembered."""


class SystemProcesses:
    """Everything healmon does with the processes of this machine."""

    def __init__(self) -> None:
        self._boot = boot_id()
        self._clock = SystemClock(0.0)
        self._lock = threading.Lock()
        self._children: set[Identity] = set()
        self._ends: dict[Identity, Ended] = {}
        self._kernels = set[int]()

    @property
    def own_pid(self) -> int:
        """The pid of who asks."""
        return os.getpid()

    def identify(self, pid: int) -> Identity | None:
        """Return who has this pid now; None when nobody (or only a zombie, or a thread) has."""
        with procfs.opened(pid) as directory:
            if directory is None or not procfs.leads(directory):
                return None
            stat = procfs.stat_of(directory)
        if stat is None or stat.state in DEAD:
            return None
        return Identity(self._boot, stat.pid, stat.start_ticks)

    def inspect(self, identity: Identity) -> ProcessFacts | None:
        """Return one look at it; None when it is gone (a zombie is returned, state `Z`)."""
        if identity.boot != self._boot:
            return None
        with procfs.opened(identity.pid) as directory:
            if directory is None:
                return None
            facts = procfs.facts_at(directory, self._boot, self._clock.read().boot)
        return facts if facts is not None and facts.identity == identity else None

    def origin(self, identity: Identity) -> Origin | None:
        """Return what it was started as, for comparing; None when it is gone or a zombie."""
        if identity.boot != self._boot:
            return None
        with procfs.opened(identity.pid) as directory:
            if directory is None:
                return None
            stat = procfs.stat_of(directory)
            if stat is None or stat.start_ticks != identity.ticks:
                return None
            return procfs.origin_at(directory)

    def everyone(self, skip: Collection[int] = ()) -> Iterator[ProcessFacts]:
        """Return one look at every process that can be read, but those with a pid in `skip`.

        Threads of the kernel are no processes, and half of all that stands there. A look at all
        reads each of them; one that skips others does not read those again.

        Raises:
            ProbeError: /proc cannot be read at all.
        """
        self._reap()
        try:
            names = os.listdir("/proc")  # noqa: PTH208 - names, not hundreds of paths
        except OSError as error:
            raise ProbeError(f"/proc: {error.strerror}") from error
        uptime = self._clock.read().boot
        before = self._kernels
        kernels = before if skip else set[int]()
        for pid in map(int, filter(str.isdecimal, names)):
            if pid in skip or pid in kernels:
                continue
            try:
                # without opening its directory, as where others belong to one that was read
                if pid in before and procfs.of_kernel(procfs.raw_stat(pid)):
                    kernels.add(pid)
                    continue
                with procfs.opened(pid) as directory:
                    if directory is None:
                        continue
                    raw = procfs.read(directory, "stat")
                    if procfs.of_kernel(raw):
                        kernels.add(pid)
                        continue
                    facts = procfs.facts_at(directory, self._boot, uptime, raw)
            except ProbeError:
                continue
            if facts is not None:
                yield facts
        self._kernels = kernels

    def work(self, identities: Iterable[Identity]) -> dict[Identity, Work]:
        """Return what each process has done so far; those that are gone are missing."""
        found: dict[Identity, Work] = {}
        for identity in identities:
            with suppress(ProbeError), self._pinned(identity) as directory:
                if directory is not None:
                    found[identity] = procfs.work_at(directory)
        return found

    def states(self, identities: Iterable[Identity]) -> dict[Identity, str]:
        """Return the kernel's letter for the state of each process."""
        found: dict[Identity, str] = {}
        for identity in identities:
            if identity.boot == self._boot:
                with suppress(ProbeError):
                    stat = procfs.stat_by(identity.pid)
                    if stat is not None and stat.start_ticks == identity.ticks:
                        found[identity] = stat.state
        return found

    def received(self, identities: Iterable[Identity]) -> dict[Identity, float]:
        """Return the seconds since any TCP connection of each process last received anything."""
        sockets: dict[Identity, set[int]] = {}
        for identity in identities:
            with suppress(ProbeError), self._pinned(identity) as directory:
                if directory is not None:
                    sockets[identity] = sockdiag.sockets_of(directory)
        ages = sockdiag.last_received() if any(sockets.values()) else {}
        least = {who: [ages[i] for i in some if i in ages] for who, some in sockets.items()}
        return {who: min(some) for who, some in least.items() if some}

    def agent_file(self, identity: Identity, agent: str) -> AgentFile | None:
        """Return what this process wrote down about itself; None when nothing can be believed."""
        with suppress(ProbeError), self._pinned(identity) as directory:
            if directory is not None:
                return agentfiles.look(directory, agent)
        return None

    @contextmanager
    def _pinned(self, identity: Identity) -> Generator[int | None]:
        """Give a descriptor of the directory of exactly this process; None when it is gone."""
        if identity.boot != self._boot:
            yield None
            return
        with procfs.opened(identity.pid) as directory:
            stat = procfs.stat_of(directory) if directory is not None else None
            yield directory if stat is not None and stat.start_ticks == identity.ticks else None

    def spawn(self, launch: Launch) -> Identity:
        """Start a detached process and return who it is.

        Raises:
            SpawnError: it could not be started; `host_fault` tells whether the host, not the
                command, is to blame.
        """
        self._reap()
        pid = start(launch)
        # it cannot be anybody else: until we reap it, it keeps its pid and its place in /proc
        stat = procfs.stat_by(pid)
        if stat is None:
            message = f"started process {pid}, but /proc does not show it"
            raise ProbeError(message, remedy="is SIGCHLD ignored, or /proc mounted with hidepid?")
        identity = Identity(self._boot, pid, stat.start_ticks)
        with self._lock:
            self._children.add(identity)
        return identity

    def signal(self, identity: Identity, number: int) -> bool:
        """Send a signal to exactly this process; False when it is gone.

        Raises:
            PermissionError: it is somebody else's.
        """
        pidfd = self._pin(identity)
        if pidfd is None:
            return False
        try:
            signal.pidfd_send_signal(pidfd, number)
        except ProcessLookupError:
            return False
        finally:
            os.close(pidfd)
        return True

    def _pin(self, identity: Identity) -> int | None:
        """Return a pidfd of this process, or None when it has ended.

        Opened first and compared afterwards: what the descriptor names cannot change any more.
        """
        if identity.boot != self._boot or not 0 < identity.pid <= procfs.PID_MAX:
            return None
        try:
            pidfd = os.pidfd_open(identity.pid)
        except (ProcessLookupError, FileNotFoundError):
            return None
        except OSError as error:
            if error.errno == errno.EINVAL:
                return None  # a thread
            raise ProbeError(f"pidfd of process {identity.pid}: {error.strerror}") from error
        try:
            stat = procfs.stat_by(identity.pid)
        except ProbeError:
            os.close(pidfd)
            raise
        if stat is None or stat.start_ticks != identity.ticks or stat.state in DEAD:
            os.close(pidfd)
            return None
        return pidfd

    def ended(self, identity: Identity) -> Ended | None:
        """Return how it ended (reaping it if it was our child); None while it lives."""
        self._reap(identity)
        with self._lock:
            known = self._ends.get(identity)
            if known is not None:
                return known
            if identity in self._children:
                return None
        facts = self.inspect(identity)
        return Ended() if facts is None or facts.state in DEAD else None

    def _reap(self, only: Identity | None = None) -> None:
        """Take leave of children that have ended, so that none stays a zombie."""
        with self._lock:
            asked = self._children & {only} if only is not None else set(self._children)
            for child in asked:
                end = _wait(child.pid)
                if end is None:
                    continue
                self._children.discard(child)
                self._ends[child] = end
            while len(self._ends) > ENDS_KEPT:
                del self._ends[next(iter(self._ends))]

    def watch(self, identity: Identity, on_end: Callable[[], None]) -> Callable[[], None]:
        """Call `on_end` once, from the running event loop, when it ends; returns a canceller.

        A child is reaped before `on_end` is called.
        """
        loop = asyncio.get_running_loop()
        pidfd = self._pin(identity)
        if pidfd is None:
            return loop.call_soon(self._leave, identity, on_end).cancel
        watch = _Watch(loop, pidfd)
        loop.add_reader(pidfd, watch.fire, lambda: self._leave(identity, on_end))
        return watch.cancel

    def _leave(self, identity: Identity, on_end: Callable[[], None]) -> None:
        self._reap(identity)
        on_end()


class _Watch:
    """A pidfd in an event loop; it leaves the loop before it is closed, and both only once."""

    def __init__(self, loop: asyncio.AbstractEventLoop, pidfd: int) -> None:
        self._loop = loop
        self._pidfd = pidfd

    def fire(self, then: Callable[[], None]) -> None:
        self.cancel()
        then()

    def cancel(self) -> None:
        pidfd, self._pidfd = self._pidfd, -1
        if pidfd < 0:
            return
        if not self._loop.is_closed():
            self._loop.remove_reader(pidfd)
        os.close(pidfd)


def _wait(pid: int) -> Ended | None:
    """Reap a child if it has ended; None while it lives."""
    try:
        result = os.waitid(os.P_PID, pid, os.WEXITED | os.WNOHANG)
    except ChildProcessError:
        return Ended()  # somebody else reaped it: how it ended is lost
    if result is None:
        return None
    if result.si_code == os.CLD_EXITED:
        return Ended(code=result.si_status)
    return Ended(signal=result.si_status)
