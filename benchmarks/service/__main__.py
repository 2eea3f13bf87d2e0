"""What the service costs: status, help and once against an empty interpreter, a daemon at rest.

Usage: python -m benchmarks.service [--quick | --beside MINUTES]. See ../README.md.
"""

from __future__ import annotations

import argparse
import compileall
import os
import resource
import statistics
import subprocess
import sys
import time
from collections.abc import Sequence
from functools import partial
from pathlib import Path

import healmon
from benchmarks.service.beside import minutes
from benchmarks.service.day import day
from benchmarks.service.stage import Stage
from benchmarks.workers import gauge
from benchmarks.workers.keeper import kept
from healmon.service.asking import ask_healer

GOALS = {"status": 4.0, "help": 4.0}
"""Times the CPU time of an interpreter that does nothing."""
RSS, CPU, WAKEUPS = 28.0, 0.006, 0.3
"""MB, seconds a minute and voluntary switches a second that the daemon is to stay below."""
SHARE = 0.6
"""Of supervisord's processor time in the same minutes: where it takes 0.010 s, that is 0.006."""


def main(args: argparse.Namespace, folder: Path) -> int:
    times, window = (7, 20.0) if args.quick else (25, 120.0)
    print(f"{os.cpu_count()} CPUs, Python {sys.version.split()[0]}, load {os.getloadavg()[0]:.1f}")
    # as it is once installed: to compile a module anew costs more than to run it
    os.environ.pop("PYTHONDONTWRITEBYTECODE", None)
    for package in healmon.__path__:
        compileall.compile_dir(package, quiet=2)
    if args.beside:
        return _beside(folder, args.beside)
    stage = Stage(folder, "10s" if args.quick else "60s")
    try:
        stage.build()
        print(f"\n3 workers, 10 sessions, 2 databases, 2 disks; up after {stage.start():.2f} s")
        time.sleep(5 if args.quick else 20)
        _commands(stage, times)
        _answers(stage, times)
        _rest(stage, window)
    finally:
        stage.close()
    hours = 2 if args.quick else 24
    print(f"\na simulated day, {hours} h at 60 s: engine and store, simulated doors")
    for hour, kilobytes in day(folder, hours):
        print(f"  after {hour:>4.1f} h  {kilobytes / 1024:6.1f} MB")
    return 0


def _parser() -> argparse.ArgumentParser:
    made = argparse.ArgumentParser(prog="python -m benchmarks.service", description=__doc__)
    made.add_argument("--quick", action="store_true", help="a minute in all")
    made.add_argument(
        "--beside", type=int, default=0, metavar="MINUTES",
        help="only the daemon at rest, so many minutes beside a supervisord (10: all it does)",
    )  # fmt: skip
    return made


def _cpu(argv: Sequence[str], times: int, environ: dict[str, str] | None = None) -> float:
    """Return the median of a program's CPU milliseconds."""
    took: list[float] = []
    for _ in range(times):
        before = resource.getrusage(resource.RUSAGE_CHILDREN)
        subprocess.run(argv, check=False, capture_output=True, timeout=120, env=environ)
        after = resource.getrusage(resource.RUSAGE_CHILDREN)
        took.append(after.ru_utime + after.ru_stime - before.ru_utime - before.ru_stime)
    return statistics.median(took) * 1000


def _commands(stage: Stage, times: int) -> None:
    program = str(Path(sys.executable).parent / "healmon")
    where = ["--state-dir", str(stage.state)]
    empty = stage.state.parent / "empty.toml"
    empty.write_text("[sessions]\nsockets = []\n[disk]\npaths = []\n")
    idle = ["--config", str(empty), "--state-dir", str(stage.state.parent / "once")]
    nothing = _cpu([sys.executable, "-c", "pass"], times)
    print(f"\n{'':28}{'CPU ms':>8}{'x pass':>8}{'goal':>6}")
    print(f"{'python -c pass':28}{nothing:8.1f}")
    for name, goal, words in (
        ("status", "status", ["status", *where]),
        ("status --json", "status", ["status", "--json", *where]),
        ("--help", "help", ["--help"]),
        ("restart --help", "help", ["restart", "--help"]),
        ("alerts", "", ["alerts", *where]),
        ("once, nothing to look at", "", ["once", *idle]),
    ):
        took = _cpu([program, *words], times)
        shown = f"{GOALS[goal]:6.1f}" if goal else ""
        print(f"{name:28}{took:8.1f}{took / nothing:8.2f}{shown}")


def _answers(stage: Stage, times: int) -> None:
    took: list[float] = []
    for _ in range(times):
        began = time.monotonic()
        ask_healer(stage.state, "resume", "nothing", {})
        took.append((time.monotonic() - began) * 1000)
    print(
        f"\nan override's answer: median {statistics.median(took):.1f} ms, worst {max(took):.1f} ms"
    )


def _rest(stage: Stage, window: float) -> None:
    parts = stage.parts()
    before = {pid: gauge.used([pid]) for pid in parts}
    began = time.monotonic()
    time.sleep(window)
    seconds = time.monotonic() - began
    print(f"\n{'at rest':28}{'RSS MB':>8}{'PSS':>7}{'USS':>7}{'CPU s/min':>11}{'wakes/s':>9}")
    for pid, name in parts.items():
        memory = gauge.memory([pid])
        idle = gauge.between(before[pid], gauge.used([pid]), seconds, whole_cycle=True)
        sizes = "".join(
            f"{size / 2**20:{width}.1f}"
            for size, width in ((memory.rss, 8), (memory.pss, 7), (memory.uss, 7))
        )
        print(f"{name:28}{sizes}{idle.cpu_per_minute:11.4f}{idle.wakeups_per_second:9.2f}")
    print(f"{'goal (daemon)':28}{RSS:8.1f}{'':14}{CPU:11.4f}{WAKEUPS:9.2f}")


def _beside(folder: Path, count: int) -> int:
    """Show the daemon's minutes at rest; returns 1 where it takes more than its share."""
    stage, spent = Stage(folder), [0.0, 0.0]
    print(f"\n{'minute, CPU ms':20}{'daemon':>8}{'supervisord':>13}{'share':>7}{'wakes/s':>9}")
    try:
        stage.build()
        stage.start()
        for number, (ours, theirs) in enumerate(minutes(stage, folder, count), 1):
            spent[0] += ours.cpu_per_minute
            spent[1] += theirs.cpu_per_minute
            _share(f"{number}", ours.cpu_per_minute, theirs.cpu_per_minute)
            print(f"{ours.wakeups_per_second:9.2f}", flush=True)
        rss = gauge.memory([stage.daemon]).rss / 2**20
    finally:
        stage.close()
    _share("mean", spent[0] / count, spent[1] / count)
    print(f"   goal {SHARE}, RSS {rss:.1f} MB (goal {RSS:.0f})")
    return int(spent[0] > SHARE * spent[1])


def _share(name: str, ours: float, theirs: float) -> None:
    numbers = f"{ours * 1000:8.1f}{theirs * 1000:13.1f}{ours / theirs:7.2f}"
    print(f"{name:20}{numbers}", end="")


if __name__ == "__main__":
    sys.exit(kept(partial(main, _parser().parse_args())))
