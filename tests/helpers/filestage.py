"""The same files, real in a directory and simulated in memory, with ages that tests can choose.

Nobody can set a file's ctime, so real files are made now and judged as if it were a month later;
their modification times lie in that month.
"""

from __future__ import annotations

import os
import subprocess
import sys
import time
from pathlib import Path

from healmon.world.filedata import Selection
from healmon.world.files import Files, SystemFiles
from healmon.world.simulated.files import SimulatedFiles

KB = 1024
HOUR, DAY = 3600.0, 86_400.0
SIZE = 64 * KB

HOLD = """
import fcntl, mmap, sys
how, path = sys.argv[1:]
file = open(path, "rb" if how in ("read", "mmap") else "ab")
if how == "mmap":
    held = mmap.mmap(file.fileno(), 0, access=mmap.ACCESS_READ)
    file.close()
if how == "flock":
    fcntl.flock(file, fcntl.LOCK_EX)
print("up", flush=True)
sys.stdin.read()
"""


class RealStage:
    """Files below a directory; other processes hold them."""

    def __init__(self, base: Path) -> None:
        self.base = base
        self.files: Files = SystemFiles()
        self.now = time.time() + 30 * DAY
        self._holders: list[subprocess.Popen[bytes]] = []
        self.root = str(base / "logs")
        self.state = str(base / "state")
        Path(self.root).mkdir()
        Path(self.state).mkdir(mode=0o700)

    def selection(self, **keys: object) -> Selection:
        given = {
            "rule": "logs", "roots": (self.root,), "patterns": ("*.log",), "older_than": DAY,
            "protected": (self.state,), "trash": f"{self.state}/trash",
        }  # fmt: skip
        return Selection(**{**given, **keys})

    def write(self, name: str, age: float, size: int = SIZE) -> None:
        path = Path(self.root) / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(os.urandom(size))
        os.utime(path, (self.now - age, self.now - age))

    def hold(self, name: str, how: str) -> None:
        child = subprocess.Popen(
            [sys.executable, "-c", HOLD, how, f"{self.root}/{name}"],
            stdin=subprocess.PIPE, stdout=subprocess.PIPE,
        )  # fmt: skip
        self._holders.append(child)
        assert child.stdout is not None
        assert child.stdout.readline() == b"up\n"

    def own(self, name: str, user: int) -> None:
        os.chown(f"{self.root}/{name}", user, -1)

    def link(self, name: str, other: str) -> None:
        os.link(f"{self.root}/{name}", f"{self.root}/{other}")

    def make_special(self, name: str) -> None:
        Path(self.root, name).unlink()
        os.mkfifo(f"{self.root}/{name}")

    def names(self) -> set[str]:
        found = set()
        for folder, folders, names in os.walk(self.root):
            folders[:] = [f for f in folders if not f.startswith(".healmon-trash-")]
            found |= {os.path.relpath(Path(folder, name), self.root) for name in names}
        return found

    def close(self) -> None:
        for child in self._holders:
            child.communicate()


class MadeUpStage:
    """The same in memory."""

    def __init__(self) -> None:
        self._world = SimulatedFiles()
        self._world.add_disk("/", 10**9)
        self.files: Files = self._world
        self.now = 1_700_000_000.0
        self.root = "/logs"
        self.state = "/state"

    selection = RealStage.selection

    def write(self, name: str, age: float, size: int = SIZE) -> None:
        self._world.write(f"{self.root}/{name}", size, self.now - age)

    def hold(self, name: str, how: str) -> None:
        self._world.use(f"{self.root}/{name}", "locked" if how == "flock" else "open")

    def own(self, name: str, user: int) -> None:
        self._world.own(f"{self.root}/{name}", user)

    def link(self, name: str, other: str) -> None:
        self._world.link(f"{self.root}/{name}", f"{self.root}/{other}")

    def make_special(self, name: str) -> None:
        self._world.make_special(f"{self.root}/{name}")

    def names(self) -> set[str]:
        return {path.removeprefix("/logs/") for path in self._world.paths}

    def close(self) -> None:
        return None
