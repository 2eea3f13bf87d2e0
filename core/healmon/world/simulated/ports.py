"""Ports and locks in memory: a test says who listens and who holds."""

from __future__ import annotations

from collections.abc import Collection

from healmon.errors import ProbeError
from healmon.world.ports import Listener
from healmon.world.processes import Identity, Processes


class SimulatedPorts:
    """Everything healmon asks about ports, against a world that a test writes.

    Args:
        processes: who lives; what the dead held is free.

    Attributes:
        deaf: ports that take no connection although somebody listens.
        veiled: processes whose descriptors cannot be read.
    """

    def __init__(self, processes: Processes) -> None:
        self.deaf: set[int] = set()
        self.veiled: set[Identity] = set()
        self._processes = processes
        self._sockets: dict[int, tuple[Listener, set[Identity]]] = {}
        self._locks: dict[str, set[Identity]] = {}

    # The writer's side.

    def listen(self, port: int, *owners: Identity, address: str = "0.0.0.0") -> int:  # noqa: S104 - made up
        """Let processes listen together; return the socket's inode."""
        inode = 5000 + len(self._sockets)
        self._sockets[inode] = (Listener(port, address, inode), set(owners))
        return inode

    def lock(self, path: str, *holders: Identity) -> None:
        """Let processes hold a lock together."""
        self._locks[path] = set(holders)

    # The healer's side.

    def _alive(self, holders: Collection[Identity]) -> set[Identity]:
        return {who for who in holders if self._processes.ended(who) is None}

    def listeners(self, port: int) -> tuple[Listener, ...]:
        """Return who waits for connections on a TCP port."""
        known = self._sockets.values()
        return tuple(one for one, who in known if one.port == port and self._alive(who))

    def owners(self, inodes: Collection[int], among: Collection[Identity]) -> frozenset[Identity]:
        """Return which of these processes have one of these sockets open.

        Raises:
            ProbeError: none of those that could be read has, and one could not be read.
        """
        found = (self.search(inodes) & frozenset(among)) - self.veiled
        if not found and self.veiled & set(among):
            raise ProbeError("/proc/…/fd: Permission denied")
        return found

    def search(self, inodes: Collection[int]) -> frozenset[Identity]:
        """Return who of all processes that can be read has one of these sockets open."""
        found = {who for inode in inodes for who in self._alive(self._sockets[inode][1])}
        return frozenset(found - self.veiled)

    def lock_holders(self, path: str) -> frozenset[Identity]:
        """Return who of all processes holds a lock on a file."""
        return frozenset(self._alive(self._locks.get(path, set())))

    async def connect(self, address: str, port: int, timeout: float) -> str:  # noqa: ASYNC109 - as the door has it
        """Connect and hang up; return why it failed, or empty."""
        if port in self.deaf:
            return f"no connection within {timeout:g} s"
        reached = any(address in one.ways for one in self.listeners(port))
        return "" if reached else "Connection refused"
