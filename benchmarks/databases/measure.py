"""The scene, the bystanders, and the clock."""

from __future__ import annotations

import contextlib
import json
import subprocess
import sys
from collections.abc import Generator, Sequence
from dataclasses import asdict, dataclass, field
from pathlib import Path
from statistics import median
from typing import Any, Final

IDLE: Final = 10
READERS: Final = 2
USER: Final = """
import sqlite3, sys
c = sqlite3.connect(sys.argv[1], isolation_level=None)
c.execute("PRAGMA journal_mode").fetchall()
c.execute("SELECT count(*) FROM rows").fetchall()
if sys.argv[2] == "read":
    c.execute("BEGIN")
    c.execute("SELECT count(*) FROM rows").fetchall()
elif sys.argv[2] == "write":
    c.execute("BEGIN IMMEDIATE")
    c.execute("INSERT INTO rows VALUES ('x')")
print("ready", flush=True)
sys.stdin.read()
"""
MAKE: Final = """
import sqlite3, sys
c = sqlite3.connect(sys.argv[1], isolation_level=None)
c.execute(f"PRAGMA journal_mode={sys.argv[2]}")
c.execute("CREATE TABLE rows(x)")
c.executemany("INSERT INTO rows VALUES (?)", [("x",)] * 100)
"""


@dataclass(frozen=True)
class Scene:
    """A locked database.

    Attributes:
        holder: the one whose lock keeps others from writing.
    """

    path: str
    mode: str
    holder: int


@dataclass(frozen=True)
class Result:
    """One contestant at one number of processes.

    Attributes:
        more: processes beside those of the scene.
        seconds, cpu: of each question, on the clock and on processors.
        named: whom it named at last.
        right: the holder was among them, each time.
    """

    name: str
    mode: str
    more: int
    seconds: list[float] = field(default_factory=list[float])
    cpu: list[float] = field(default_factory=list[float])
    named: int = 0
    right: bool = True

    @property
    def median(self) -> float:
        return median(self.seconds)

    @property
    def median_cpu(self) -> float:
        return median(self.cpu)

    def packed(self) -> dict[str, Any]:
        return {**asdict(self), "median": self.median, "median_cpu": self.median_cpu}


@contextlib.contextmanager
def children(argvs: Sequence[Sequence[str]]) -> Generator[list[subprocess.Popen[bytes]]]:
    """Run programs that wait until their stdin ends; each is ended in the end."""
    with contextlib.ExitStack() as ends:
        started: list[subprocess.Popen[bytes]] = []
        for argv in argvs:
            one = subprocess.Popen(argv, stdin=subprocess.PIPE, stdout=subprocess.PIPE)
            ends.callback(_end, one)
            started.append(one)
        for one in started:
            assert one.stdout is not None
            if argvs[0][0] == sys.executable and one.stdout.readline() != b"ready\n":
                raise RuntimeError("a helper did not come up")
        yield started


def _end(process: subprocess.Popen[bytes]) -> None:
    process.kill()
    process.wait()
    for pipe in (process.stdin, process.stdout):
        if pipe is not None:
            pipe.close()


@contextlib.contextmanager
def stage(path: Path, mode: str) -> Generator[Scene]:
    """A database with ten idle users, two readers and one that holds the write lock."""
    subprocess.run([sys.executable, "-c", MAKE, path, mode], check=True)
    roles = ["idle"] * IDLE + ["read"] * READERS + ["write"]
    with children([[sys.executable, "-c", USER, str(path), role] for role in roles]) as users:
        yield Scene(str(path), mode, users[-1].pid)


def measured(names: Sequence[str], scene: Scene, more: Sequence[int], times: int) -> list[Result]:
    """Ask everybody in turns, with more and more bystanders."""
    results: list[Result] = []
    ask = [sys.executable, "-m", "benchmarks.databases.asker"]
    for count in more:
        with (
            children([["cat"]] * count),
            children([[*ask, name, scene.path] for name in names]) as askers,
        ):
            found = {name: Result(name, scene.mode, count) for name in names}
            for _ in range(times):
                for name, asker in zip(names, askers, strict=True):
                    found[name] = _asked(asker, scene, found[name])
            results += found.values()
    return results


def _asked(asker: subprocess.Popen[bytes], scene: Scene, before: Result) -> Result:
    assert asker.stdin is not None
    assert asker.stdout is not None
    asker.stdin.write(b"who\n")
    asker.stdin.flush()
    took, used, pids = json.loads(asker.stdout.readline())
    return Result(
        before.name, scene.mode, before.more, [*before.seconds, *took], [*before.cpu, *used],
        len(pids), before.right and scene.holder in pids,
    )  # fmt: skip
