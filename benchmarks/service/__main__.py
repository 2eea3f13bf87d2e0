"""What the service costs: status, help and once against an empty interpreter, a daemon at rest.

Usage: python -m benchmarks.service [--quick]. See ../README.md.
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
from benchmarks.service.day import day
from benchmarks.service.stage import Stage
from benchmarks.workers import gauge
from benchmarks.workers.keeper import kept
from healmon.service.asking import ask_healer

GOALS = {"status": 4.0, "help": 4.0}
"""Times the CPU time of an interpreter that does nothing."""
RSS, CPU, WAKEUPS = 28.0, 0.006, 0.3
"""MB, seconds a minute and voluntary switches a second that the daemon is to stay below."""


def main(args: argparse.Namespace, folder: Path) -> int:
    times, window = (7, 20.0) if args.quick else (25, 120.0)
    print(f"{os.cpu_count()} CPUs, Python {sys.version.split()[0]}, load {os.getloadavg()[0]:.1f}")
    # as it is once installed: to compile a module anew costs more than to run it
    os.environ.pop("PYTHONDONTWRITEBYTECODE", None)
    for package in healmon.__path__:
        compileall.compile_dir(package, quiet=2)
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


if __name__ == "__main__":
    sys.exit(kept(partial(main, _parser().parse_args())))
