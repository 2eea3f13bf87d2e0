"""A farm of real shims: programs for them to start, and the end of everything that came of it.

The mark is an environment variable: the nursery, all shims, all workers and whatever these leave
behind inherit it, and nobody else has it.
"""

from __future__ import annotations

import os
import signal
import subprocess
import sys
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

from healmon.clock import boot_id
from healmon.world.processes import Identity, Launch
from healmon.world.procfs import children_of, opened, stat_of
from healmon.world.shims import Shim, ShimOrder
from healmon.world.system_processes import SystemProcesses
from healmon.world.system_shims import SystemShims
from tests.helpers.wait import until

MARK = "HEALMON_TEST_FARM"
PYTHON = (sys.executable, "-I", "-S", "-E", "-c")
SLEEP = "import time; time.sleep(600)"
DAEMON = """
import os, time
if os.fork(): os._exit(0)
os.setsid()
if os.fork(): os._exit(0)
os.chdir("/")
os.closerange(0, 1024)
time.sleep(600)
"""


@contextmanager
def farming(folder: Path, setenv: Callable[[str, str], None]) -> Iterator[Farm]:
    farm = Farm(folder, setenv)
    try:
        yield farm
    finally:
        farm.close()


class Farm:
    """A folder, a door to shims, and a mark on all that comes of it.

    Args:
        folder: where all of it is.
        setenv: sets a variable of this process for the time of the test.
    """

    def __init__(self, folder: Path, setenv: Callable[[str, str], None]) -> None:
        self.folder = folder
        self.processes = SystemProcesses()
        self.shims = SystemShims()
        self._doors = [self.shims]
        self.groups: list[Path] = []
        self._mounts: list[Path] = []
        setenv(MARK, str(folder))

    def door(self, deadline: float = 10.0) -> SystemShims:
        """Return another healmon's door."""
        door = SystemShims(deadline)
        self._doors.append(door)
        return door

    def place(self, name: str = "w") -> str:
        return str(self.folder / "workers" / name)

    def log(self, name: str = "w") -> Path:
        return self.folder / f"{name}.log"

    def output(self, name: str = "w") -> str:
        return self.log(name).read_text("utf-8", "surrogateescape")

    def order(self, *argv: str, name: str = "w", number: int = 1, **more: object) -> ShimOrder:
        launch = Launch(argv=argv, log_path=str(self.log(name)), **{"cwd": "/", **more})
        return ShimOrder(launch=launch, folder=self.place(name), number=number)

    def order_of(self, launch: Launch, place: str = "", number: int = 1) -> ShimOrder:
        return ShimOrder(launch=launch, folder=place or self.place(), number=number)

    def mount_small(self, size: str) -> Path:
        """Return a small file system of its own; skips where none can be mounted."""
        place = self.folder / "small"
        place.mkdir()
        argv = ["mount", "-t", "tmpfs", "-o", f"size={size}", "healmon-test", str(place)]
        done = subprocess.run(argv, capture_output=True, text=True)
        if done.returncode:
            pytest.skip(f"nothing can be mounted here: {done.stderr.strip()}")
        self._mounts.append(place)
        return place

    def start(self, *argv: str, name: str = "w", number: int = 1, **more: object) -> Shim:
        return self.shims.start(self.order(*argv, name=name, number=number, **more))

    def run(self, code: str, *, name: str = "w", number: int = 1, **more: object) -> Shim:
        """Start a program in Python."""
        return self.start(*PYTHON, code, name=name, number=number, **more)

    def look(self, name: str = "w") -> Shim:
        shim = self.shims.look(self.place(name))
        assert shim is not None
        return shim

    def over(self, name: str = "w") -> Shim:
        """Wait until nothing of a worker lives, and return what stands there then."""
        until(lambda: not self.look(name).locked, what="the end of all of it")
        return self.look(name)

    def lives(self, identity: Identity) -> bool:
        return self.processes.ended(identity) is None

    def kill(self, identity: Identity, number: int = signal.SIGKILL) -> None:
        self.processes.signal(identity, number)

    def below(self, shim: Shim) -> list[Identity]:
        """Return who has the shim for a parent."""
        return [f.identity for f in self.processes.everyone() if f.parent == shim.shim.pid]

    def daemon(self, shim: Shim, *, once: bool = False) -> Identity | None:
        """Return who is left below a shim once all forks are over, or the one; None before."""
        if len(alone := self.below(shim)) != 1:
            return None
        facts = self.processes.inspect(alone[0])
        # one that is on its way has yet to leave the shim's session, or leads one for the next fork
        on_its_way = facts is None or (
            not once and facts.session in {shim.shim.pid, facts.identity.pid}
        )
        return None if on_its_way or self.below(shim) != alone else alone[0]

    def nursery(self, door: SystemShims | None = None) -> int:
        """Return the pid of a door's nursery."""
        pid = (door or self.shims)._line.pid
        assert pid is not None
        return pid

    def in_waiting(self, door: SystemShims | None = None) -> int:
        """Return the pid of the shim that waits for an order."""
        nursery = self.nursery(door)

        def found() -> list[int]:
            waiting = [pid for pid in children_of(nursery) if not holds_lock(pid)]
            return [pid for pid in waiting if name_of(pid) == "healmon-shim"]

        return until(found, what="a shim in waiting")[-1]

    def marked(self) -> list[int]:
        """Return the pids of all that came of this farm and live."""
        mark = f"{MARK}={self.folder}".encode()
        found: list[int] = []
        for process in Path("/proc").iterdir():
            if process.name.isdecimal() and int(process.name) != os.getpid():
                try:
                    environ = (process / "environ").read_bytes()
                except OSError:
                    continue
                if mark in environ.split(b"\0") and alive(int(process.name)):
                    found.append(int(process.name))
        return found

    def sleepers(self) -> list[int]:
        """Return the pids of all workers that run `SLEEP`."""
        found: list[int] = []
        for pid in self.marked():
            try:
                argv = Path(f"/proc/{pid}/cmdline").read_bytes().split(b"\0")
            except OSError:
                continue
            found += [pid] if SLEEP.encode() in argv else []
        return found

    def close(self) -> None:
        for door in self._doors:
            door.close()

        def ended() -> bool:
            left = self.marked()
            for pid in left:
                try:
                    os.kill(pid, signal.SIGKILL)
                except ProcessLookupError:
                    continue
            return not left

        until(ended, what="the end of the farm")
        for place in self._mounts:
            subprocess.run(["umount", str(place)], check=True)
        for group in self.groups:
            until(lambda group=group: removed(group), what="the end of a control group")


def removed(group: Path) -> bool:
    try:
        group.rmdir()
    except OSError:
        return not group.exists()
    return True


def alive(pid: int) -> bool:
    with opened(pid) as directory:
        stat = stat_of(directory) if directory is not None else None
    return stat is not None and stat.state not in "ZXx"


def name_of(pid: int) -> str:
    try:
        return Path(f"/proc/{pid}/comm").read_text().strip()
    except OSError:
        return ""


def holds_lock(pid: int) -> bool:
    try:
        links = [fd.readlink() for fd in Path(f"/proc/{pid}/fd").iterdir()]
    except OSError:
        return False
    return any(link.name == "instance.lock" for link in links)


def identity_of(pid: int) -> Identity:
    with opened(pid) as directory:
        stat = stat_of(directory) if directory is not None else None
    assert stat is not None
    return Identity(boot_id(), pid, stat.start_ticks)
