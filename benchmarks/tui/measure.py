"""What is measured of a screen, in turns: cost, memory, first picture, answers to keys."""

from __future__ import annotations

import json
import os
import statistics
import subprocess
import sys
import time
from collections.abc import Generator
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import Any

from benchmarks.tui.contestants import Contestant
from benchmarks.tui.pane import ROOT, Cost, Pane

CURSOR = "▸"
KEYS = "jjkk\t2jj\r\x1b3\r\x1b5jjj\r\x1b?\x1b55\x1bvtp p1"
"""What a person types during the twelve hours, again and again."""
Size = tuple[int, int]
Told = dict[str, Any]


def window(one: Contestant, size: Size, settle: float, seconds: float) -> Told:
    """Return what a screen costs once it is up and has settled."""
    with Pane(one.argv, size, one.env) as pane:
        painted = _start(pane, one)
        time.sleep(settle)
        return {**painted, **_cost(pane, seconds), **(_answers(pane) if one.flood else {})}


def both(inside: Contestant, viewer: Contestant, size: Size, settle: float, seconds: float) -> Told:
    """Return what healmon costs with its healer inside, and what a second one that is attached."""
    with Pane(inside.argv, size, inside.env) as pane:
        first = _start(pane, inside)
        time.sleep(settle)
        first |= _cost(pane, seconds)
        with Pane(viewer.argv, size, viewer.env) as other:
            second = _start(other, viewer)
            time.sleep(min(settle, 5.0))
            second |= _cost(other, seconds)
    return {inside.name: first, viewer.name: second}


def _start(pane: Pane, one: Contestant) -> Told:
    wall = pane.shows(one.sign)
    return {"paint_wall": wall, "paint_cpu": pane.used()}


def _cost(pane: Pane, seconds: float) -> Told:
    cost: Cost = pane.costs(seconds)
    memory = pane.memory()
    return {
        "cpu": cost.cpu, "wakeups": cost.wakeups, "written": cost.written,
        "rss": memory.rss, "pss": memory.pss,
    }  # fmt: skip


def _answers(pane: Pane, times: int = 40) -> Told:
    """Return how long it takes from a key to the cursor in its new place."""
    found: list[float] = []
    with _first_in_line(pane):
        for number in range(times):
            found.append(pane.answers("jk"[number // 2 % 2], CURSOR))
            time.sleep(0.05 + number % 7 * 0.02)
    ordered = sorted(found)
    return {"key_median": statistics.median(ordered), "key_p90": ordered[round(0.9 * len(ordered))]}


@contextmanager
def _first_in_line(pane: Pane) -> Generator[None]:
    """Let neither the screen nor us wait for other jobs of the machine, where that is allowed."""
    pids = [pane.process.pid, os.getpid()]
    with suppress(OSError):
        for pid in pids:
            for task in os.listdir(f"/proc/{pid}/task"):  # noqa: PTH208 - names
                os.sched_setscheduler(int(task), os.SCHED_RR, os.sched_param(1))
    try:
        yield
    finally:
        with suppress(OSError):
            for pid in pids:
                for task in os.listdir(f"/proc/{pid}/task"):  # noqa: PTH208 - names
                    os.sched_setscheduler(int(task), os.SCHED_OTHER, os.sched_param(0))


def python_pass() -> Told:
    """Return what `python -c pass` costs: the yardstick for first pictures."""
    began = time.perf_counter()
    process = subprocess.Popen([sys.executable, "-c", "pass"])
    _, _, usage = os.wait4(process.pid, 0)
    process.returncode = 0
    return {
        "paint_wall": time.perf_counter() - began,
        "paint_cpu": usage.ru_utime + usage.ru_stime,
    }


def twelve_hours(folder: Path, size: Size, hours: float) -> list[Told]:
    """Return memory and objects by the hour, of hours that are lived as fast as they are drawn."""
    file = folder / "soak.json"
    argv = [sys.executable, str(Path(__file__).parent / "soak.py"), f"{hours:g}", str(file)]
    with Pane(argv, size, {"PYTHONPATH": str(ROOT)}) as pane:
        typed = 0
        while pane.process.poll() is None:
            with suppress(OSError):
                os.write(pane.master, KEYS[typed % len(KEYS)].encode())
            typed += 1
            time.sleep(0.15)
    return [json.loads(line) for line in file.read_text().splitlines()] if file.exists() else []


def median(rounds: list[Told]) -> Told:
    """Return the median of every measure."""
    return {key: statistics.median(one[key] for one in rounds) for key in rounds[0]}


def mib(size: float) -> float:
    """Return bytes as MiB."""
    return size / 2**20
