"""One contract for ports and locks, held by the machine and by its twin in memory."""

from __future__ import annotations

import asyncio
import os
import signal
import socket
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Protocol

import pytest

from healmon.clock import ManualClock, boot_id
from healmon.errors import ProbeError
from healmon.world.ports import Listener, Ports
from healmon.world.processes import Identity
from healmon.world.simulated.ports import SimulatedPorts
from healmon.world.simulated.processes import SimulatedProcesses
from healmon.world.system_ports import SystemPorts, listening
from healmon.world.system_processes import SystemProcesses
from tests.helpers.wait import until

# listens on a free port that it prints; with "lock FILE" it holds that too; a child shares both
LISTENER = """
import fcntl, os, socket, sys, time
address, lock, family = sys.argv[1:4]
sock = socket.socket(getattr(socket, family))
sock.bind((address, 0)); sock.listen()
if lock:
    fd = os.open(lock, os.O_RDWR | os.O_CREAT); fcntl.flock(fd, fcntl.LOCK_EX)
child = os.fork()
if child == 0:
    time.sleep(300)
print(sock.getsockname()[1], child, flush=True)
time.sleep(300)
"""


class World(Protocol):
    ports: Ports
    lock: str

    def listener(self, address: str = "127.0.0.1") -> tuple[int, Identity, Identity]:
        """Let a program and its child listen and hold the lock; return the port and both."""
        ...

    def stranger(self) -> Identity: ...

    def end(self, identity: Identity) -> None: ...


class RealWorld:
    def __init__(self, folder: Path) -> None:
        self.ports = SystemPorts()
        self.lock = str(folder / "lock")
        self._processes = SystemProcesses()
        self._started: list[subprocess.Popen[str]] = []
        self._children: list[Identity] = []

    def _start(self, *argv: str) -> subprocess.Popen[str]:
        started = subprocess.Popen((sys.executable, *argv), stdout=subprocess.PIPE, text=True)
        self._started.append(started)
        return started

    def _who(self, pid: int) -> Identity:
        return until(lambda: self._processes.identify(pid), what="a process")

    def listener(self, address: str = "127.0.0.1") -> tuple[int, Identity, Identity]:
        family = "AF_INET6" if ":" in address else "AF_INET"
        started = self._start("-c", LISTENER, address, self.lock, family)
        assert started.stdout is not None
        port, child = map(int, started.stdout.readline().split())
        self._children.append(self._who(child))
        return port, self._who(started.pid), self._children[-1]

    def stranger(self) -> Identity:
        return self._who(self._start("-c", "import time; time.sleep(300)").pid)

    def end(self, identity: Identity) -> None:
        os.kill(identity.pid, signal.SIGKILL)
        until(lambda: self._processes.ended(identity), what="an end")

    def close(self) -> None:
        for child in self._children:
            self._processes.signal(child, signal.SIGKILL)
        for started in self._started:
            started.kill()
            started.wait(30)
            assert started.stdout is not None
            started.stdout.close()


class SimulatedWorld:
    def __init__(self) -> None:
        self.processes = SimulatedProcesses(ManualClock())
        self.ports = SimulatedPorts(self.processes)
        self.lock = "lock"

    def listener(self, address: str = "127.0.0.1") -> tuple[int, Identity, Identity]:
        one, child = self.stranger(), self.stranger()
        self.ports.listen(8080, one, child, address=address)
        self.ports.lock(self.lock, one, child)
        return 8080, one, child

    def stranger(self) -> Identity:
        return self.processes.add(("/bin/x",))

    def end(self, identity: Identity) -> None:
        self.processes.end(identity)


@pytest.fixture(params=["real", "simulated"])
def world(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[World]:
    if request.param == "simulated":
        yield SimulatedWorld()
        return
    real = RealWorld(tmp_path)
    yield real
    real.close()


def inodes(world: World, port: int) -> set[int]:
    return {one.inode for one in world.ports.listeners(port)}


# The contract.


def test_who_listens_is_told_with_its_address(world: World) -> None:
    port, _, _ = world.listener()
    (one,) = world.ports.listeners(port)
    assert (one.port, one.address, one.ways, one.local) == (
        port, "127.0.0.1", ("127.0.0.1",), True,
    )  # fmt: skip


@pytest.mark.parametrize("address", ["0.0.0.0", "::", "::1"])
def test_every_address_is_reached_from_here(world: World, address: str) -> None:
    port, _, _ = world.listener(address)
    (one,) = world.ports.listeners(port)
    assert one.address == address
    assert one.local
    assert asyncio.run(world.ports.connect(one.ways[0], port, 5.0)) == ""


def test_a_port_of_nobody_has_no_listener_and_refuses(world: World) -> None:
    assert world.ports.listeners(1) == ()
    assert asyncio.run(world.ports.connect("127.0.0.1", 1, 5.0)) == "Connection refused"


def test_a_port_is_owned_by_each_that_has_it_open_and_by_nobody_else(world: World) -> None:
    port, parent, child = world.listener()
    stranger = world.stranger()
    found = inodes(world, port)
    assert world.ports.owners(found, [child, stranger]) == {child}
    assert world.ports.owners(found, [parent, child]) == {parent, child}
    assert world.ports.owners(found, [stranger]) == frozenset()
    assert world.ports.owners(found, []) == frozenset()
    assert world.ports.search(found) == {parent, child}


def test_a_recycled_pid_owns_nothing(world: World) -> None:
    port, parent, _ = world.listener()
    former = Identity(parent.boot, parent.pid, parent.ticks - 1)
    elsewhen = Identity("another-boot", parent.pid, parent.ticks)
    assert world.ports.owners(inodes(world, port), [former, elsewhen]) == frozenset()


def test_what_the_parent_leaves_the_child_still_owns(world: World) -> None:
    port, parent, child = world.listener()
    world.end(parent)
    assert world.ports.search(inodes(world, port)) == {child}
    assert world.ports.lock_holders(world.lock) == {child}
    world.end(child)
    assert world.ports.listeners(port) == ()
    assert world.ports.lock_holders(world.lock) == frozenset()


def test_a_lock_is_held_by_each_that_inherited_it(world: World) -> None:
    _, parent, child = world.listener()
    assert world.ports.lock_holders(world.lock) == {parent, child}
    assert world.ports.lock_holders(f"{world.lock}.none") == frozenset()


# The machine alone.


def test_a_file_that_is_only_open_is_not_locked(tmp_path: Path) -> None:
    path = tmp_path / "file"
    with path.open("w"):
        assert SystemPorts().lock_holders(str(path)) == frozenset()


def test_a_full_backlog_is_no_connection() -> None:
    with socket.socket() as deaf:
        deaf.bind(("127.0.0.1", 0))
        deaf.listen(0)
        port = deaf.getsockname()[1]
        waiting = [socket.socket() for _ in range(4)]
        for one in waiting:
            one.setblocking(False)
            one.connect_ex(("127.0.0.1", port))
        try:
            told = asyncio.run(SystemPorts().connect("127.0.0.1", port, 0.3))
        finally:
            for one in waiting:
                one.close()
    assert told == "no connection within 0.3 s"


def test_the_kernels_table_is_read_up_to_the_first_that_does_not_listen() -> None:
    row = "   0: {0}:1F90 00000000:0000 {1} 00000000:00000000 00:00000000 00000000  7  0 42 1 0"
    rows = [row.format("0100007F", "0A"), row.format("0200007F", "01"), "nonsense"]
    assert list(listening(iter(rows), socket.AF_INET, 8080)) == [
        Listener(port=8080, address="127.0.0.1", inode=42, uid=7)
    ]
    assert not list(listening(iter(rows), socket.AF_INET, 80))


def test_descriptors_that_may_not_be_read_are_an_error_unless_another_has_it(
    world: World,
) -> None:
    if isinstance(world, SimulatedWorld):
        port, parent, child = world.listener()
        world.ports.veiled = {child}
        hidden, found = child, inodes(world, port)
    else:
        if os.geteuid() == 0:
            pytest.skip("root reads everybody's descriptors")
        port, parent, _ = world.listener()
        hidden = Identity(boot_id(), 1, SystemProcesses().identify(1).ticks)
        found = inodes(world, port)
    assert world.ports.owners(found, [hidden, parent]) == {parent}
    with pytest.raises(ProbeError, match="fd"):
        world.ports.owners(found, [hidden])
