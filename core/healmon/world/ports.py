"""The door to TCP ports and held locks: who listens, who holds, does it answer.

A port belongs to a socket (an inode), a socket to whoever has it open. Whose it is, is asked of a
few named processes first; all are searched only to name a stranger.
"""

from __future__ import annotations

from collections.abc import Collection
from typing import Final, Protocol

import msgspec

from healmon.world.processes import Identity

EVERY_ADDRESS: Final = ("0.0.0.0", "::")  # noqa: S104 - compared with, never bound


class Listener(msgspec.Struct, frozen=True):
    """A socket that waits for connections.

    Attributes:
        address: where it listens, as text; `0.0.0.0` and `::` are every address.
        inode: of the socket.
        uid: whose it is.
    """

    port: int
    address: str
    inode: int
    uid: int = 0

    @property
    def ways(self) -> tuple[str, ...]:
        """The addresses where a connection from this host reaches it, the best first."""
        if self.address == EVERY_ADDRESS[0]:
            return ("127.0.0.1",)
        # `::` takes IPv4 too unless it was told not to, and a host may have no ::1
        return ("::1", "127.0.0.1") if self.address == EVERY_ADDRESS[1] else (self.address,)

    @property
    def local(self) -> bool:
        """Whether it is in the way of a program that listens on this host's own address."""
        return self.ways[0] == "::1" or self.ways[0].startswith(("127.", "::ffff:127."))


class Ports(Protocol):
    """Everything healmon asks about ports and locks. Calls may block for a moment."""

    def listeners(self, port: int) -> tuple[Listener, ...]:
        """Return who waits for connections on a TCP port, in healmon's own network namespace.

        Raises:
            ProbeError: it cannot be told.
        """
        ...

    def owners(self, inodes: Collection[int], among: Collection[Identity]) -> frozenset[Identity]:
        """Return which of these processes have one of these sockets open.

        Raises:
            ProbeError: none of those that could be read has, and one could not be read.
        """
        ...

    def search(self, inodes: Collection[int]) -> frozenset[Identity]:
        """Return who of all processes that can be read has one of these sockets open; slow."""
        ...

    def lock_holders(self, path: str) -> frozenset[Identity]:
        """Return who of all processes holds a lock on a file by a descriptor (flock, OFD); slow.

        Raises:
            ProbeError: the file cannot be looked at.
        """
        ...

    async def connect(self, address: str, port: int, timeout: float) -> str:  # noqa: ASYNC109 - the caller's patience
        """Connect and hang up; return why it failed, or empty.

        Raises:
            ProbeError: nobody could be asked, for want of something on our side.
        """
        ...
