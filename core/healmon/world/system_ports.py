"""The machine's ports: `/proc/net/tcp`, `/proc/net/tcp6` and the descriptors of processes."""

from __future__ import annotations

import asyncio
import os
import socket
import struct
from collections.abc import Callable, Collection, Iterator
from contextlib import suppress
from typing import Final

from healmon.clock import boot_id
from healmon.errors import ProbeError
from healmon.text import clean
from healmon.world import procfs
from healmon.world.httpget import reason, unasked
from healmon.world.ports import Listener
from healmon.world.processes import DEAD, Identity

_TABLES: Final = (("/proc/net/tcp", socket.AF_INET), ("/proc/net/tcp6", socket.AF_INET6))
_LISTEN: Final = "0A"
_FDINFO_LIMIT: Final = 1 << 14

Match = Callable[[int, str], bool]
"""From the directory of a process and the name of a descriptor to whether that one counts."""


class SystemPorts:
    """Everything healmon asks about the ports of this machine."""

    def __init__(self) -> None:
        self._boot = boot_id()

    def listeners(self, port: int) -> tuple[Listener, ...]:
        """Return who waits for connections on a TCP port.

        Raises:
            ProbeError: it cannot be told.
        """
        found: list[Listener] = []
        for path, family in _TABLES:
            try:
                with open(path, encoding="ascii") as table:  # noqa: PTH123 - hot
                    next(table, None)
                    found += listening(table, family, port)
            except FileNotFoundError:
                continue  # no IPv6 here
            except OSError as error:
                raise ProbeError(f"{path}: {error.strerror}") from error
        return tuple(found)

    def owners(self, inodes: Collection[int], among: Collection[Identity]) -> frozenset[Identity]:
        """Return which of these processes have one of these sockets open.

        Raises:
            ProbeError: none of those that could be read has, and one could not be read.
        """
        has = _has_socket(inodes)
        found: set[Identity] = set()
        unread: ProbeError | None = None
        for identity in among:
            try:
                if identity.boot == self._boot and self._holder(identity.pid, has) == identity:
                    found.add(identity)
            except ProbeError as error:
                unread = error
        if unread is not None and not found:
            raise unread
        return frozenset(found)

    def search(self, inodes: Collection[int]) -> frozenset[Identity]:
        """Return who of all processes that can be read has one of these sockets open; slow."""
        return self._all_with(_has_socket(inodes))

    def lock_holders(self, path: str) -> frozenset[Identity]:
        """Return who of all processes holds a lock on a file by a descriptor (flock, OFD); slow.

        Raises:
            ProbeError: the file cannot be looked at.
        """
        try:
            st = os.stat(path)  # noqa: PTH116 - all three fields in one call
        except FileNotFoundError:
            return frozenset()
        except OSError as error:
            raise ProbeError(f"{clean(path)}: {error.strerror}") from error
        return self._all_with(_holds_lock((st.st_dev, st.st_ino)))

    def _all_with(self, has: Match) -> frozenset[Identity]:
        try:
            names = os.listdir("/proc")  # noqa: PTH208 - names, not hundreds of paths
        except OSError as error:
            raise ProbeError(f"/proc: {error.strerror}") from error
        found: set[Identity] = set()
        for name in names:
            if name.isdecimal():
                with suppress(ProbeError):
                    holder = self._holder(int(name), has)
                    found |= {holder} if holder is not None else set()
        return frozenset(found)

    def _holder(self, pid: int, has: Match) -> Identity | None:
        """Return who has this pid, if one of its descriptors counts.

        Raises:
            ProbeError: its descriptors cannot be read.
        """
        with procfs.opened(pid) as directory:
            if directory is None or not any(has(directory, fd) for fd in _descriptors(directory)):
                return None
            stat = procfs.stat_of(directory)
        if stat is None or stat.state in DEAD:
            return None
        return Identity(self._boot, stat.pid, stat.start_ticks)

    async def connect(self, address: str, port: int, timeout: float) -> str:  # noqa: ASYNC109 - the caller's patience
        """Connect and hang up; return why it failed, or empty.

        Raises:
            ProbeError: nobody could be asked, for want of something on our side.
        """
        try:
            async with asyncio.timeout(timeout):
                _, writer = await asyncio.open_connection(address, port)
        except TimeoutError:
            return f"no connection within {timeout:g} s"
        except OSError as error:
            if unasked(error):
                raise ProbeError(reason(error)) from error
            return reason(error)
        writer.transport.abort()  # a reset: nothing of ours stays in TIME_WAIT
        return ""


def listening(lines: Iterator[str], family: int, port: int) -> Iterator[Listener]:
    """Yield the listeners on a port from the lines of a table of the kernel, its title left out.

    The kernel lists those that listen first (tcp_seq in net/ipv4/tcp_ipv4.c): the rest, which may
    be long, is not read.
    """
    for line in lines:
        field = line.split()
        if len(field) < 10 or field[3] != _LISTEN:
            return
        address, _, number = field[1].rpartition(":")
        if int(number, 16) == port:
            yield Listener(port, _address(address, family), int(field[9]), int(field[7]))


def _address(text: str, family: int) -> str:
    # printed as 32-bit words in the order of this machine
    words = (text[at : at + 8] for at in range(0, len(text), 8))
    return socket.inet_ntop(family, b"".join(struct.pack("=I", int(word, 16)) for word in words))


def _descriptors(directory: int) -> list[str]:
    """Return the names of a process's descriptors; none when it has ended.

    Raises:
        ProbeError: they may not be read.
    """
    try:
        fd = os.open("fd", os.O_RDONLY | os.O_DIRECTORY | os.O_CLOEXEC, dir_fd=directory)
        try:
            return os.listdir(fd)  # noqa: PTH208 - a descriptor has no path
        finally:
            os.close(fd)
    except (FileNotFoundError, ProcessLookupError):
        return []
    except OSError as error:
        raise ProbeError(f"/proc/…/fd: {error.strerror}") from error


def _has_socket(inodes: Collection[int]) -> Match:
    names = {f"socket:[{inode}]" for inode in inodes}

    def has(directory: int, fd: str) -> bool:
        try:
            return os.readlink(f"fd/{fd}", dir_fd=directory) in names
        except OSError:
            return False

    return has


def _holds_lock(key: tuple[int, int]) -> Match:
    def has(directory: int, fd: str) -> bool:
        try:
            st = os.stat(f"fd/{fd}", dir_fd=directory)
        except OSError:
            return False
        if (st.st_dev, st.st_ino) != key:
            return False
        with suppress(ProbeError):
            # the locks of this open file, which whoever inherited the descriptor shares
            info = procfs.read(directory, f"fdinfo/{fd}", _FDINFO_LIMIT) or b""
            locks = [line for line in info.split(b"\n") if line.startswith(b"lock:")]
            return any(b" FLOCK " in line or b" OFDLCK " in line for line in locks)
        return False

    return has
