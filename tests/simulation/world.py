"""A world that can be cruel: veiled, rebooted, out of processes, with pids that come again."""

from __future__ import annotations

from collections.abc import Container, Iterator

from healmon.clock import Clock
from healmon.errors import ProbeError
from healmon.world.processes import Identity, Launch, ProcessFacts
from tests.helpers.witness import WatchedWorld


class KilledError(BaseException):
    """Healmon itself is killed at this very moment."""


class CruelWorld(WatchedWorld):
    """Processes in memory, with faults.

    Attributes:
        veiled: /proc shows nobody but what healmon started; of others it cannot be told.
        dies_in: calls that change something until healmon is killed in one; 0: it is not.
        dies_after: in that call, what was to be done has been done already.
        blocked: arguments of workers that a stranger keeps from starting.
    """

    def __init__(self, clock: Clock) -> None:
        super().__init__(clock)
        self.veiled = False
        self.dies_in = 0
        self.dies_after = False
        self.blocked: set[tuple[str, ...]] = set()
        self.ours: set[Identity] = set()
        """Whom healmon started, and what those left behind."""

    def add(self, argv: tuple[str, ...], *, by_hand: bool = False, **more) -> Identity:
        identity = super().add(argv, **more)
        if not by_hand:
            self.ours.add(identity)
        return identity

    def reboot(self) -> None:
        """Everybody is gone, and it is another boot."""
        self._world.clear()
        self._ends.clear()
        self._boot += "'"

    def unveil(self) -> None:
        self.veiled = False

    def _step(self, *, done: bool) -> None:
        """Let healmon be killed before or after what it does, if it is time."""
        if not self.dies_in or done != self.dies_after:
            return
        self.dies_in -= 1
        if not self.dies_in:
            raise KilledError

    def stepped(self, _: str) -> None:
        """A step was journaled: a moment to be killed at, like any other."""
        self._step(done=self.dies_after)

    def _hidden(self, identity: Identity) -> bool:
        return self.veiled and self.lives(identity) and identity not in self.ours

    def _told(self, identity: Identity) -> None:
        if self._hidden(identity):
            raise ProbeError(f"/proc does not show pid {identity.pid}")

    def vacant(self, pid: int) -> bool:
        """Return whether nobody has a pid, not even a zombie."""
        return pid not in self._world

    def lives(self, identity: Identity) -> bool:
        """Return whether somebody lives, veil or no veil."""
        process = self._find(identity)
        return process is not None and process.end is None

    def identify(self, pid: int) -> Identity | None:
        identity = super().identify(pid)
        if self.veiled and (identity is None or identity not in self.ours):
            raise ProbeError("/proc does not show it")
        return identity

    def inspect(self, identity: Identity) -> ProcessFacts | None:
        self._told(identity)
        return super().inspect(identity)

    def ended(self, identity: Identity):
        self._told(identity)
        return super().ended(identity)

    def everyone(self, skip: Container[int] = ()) -> Iterator[ProcessFacts]:
        for facts in super().everyone(skip):
            if not self._hidden(facts.identity):
                yield facts

    def spawn(self, launch: Launch) -> Identity:
        assert launch.argv not in self.blocked, "started although a stranger is in its way"
        self._step(done=False)
        identity = super().spawn(launch)
        self._step(done=True)
        return identity

    def signal(self, identity: Identity, number: int) -> bool:
        if not number:
            return super().signal(identity, number)
        assert not self._hidden(identity), "it is not known who that is"
        self._step(done=False)
        reached = super().signal(identity, number)
        self._step(done=True)
        return reached
