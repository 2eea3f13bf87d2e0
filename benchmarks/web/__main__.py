"""What 100 pages and 10 scrapes a second cost a daemon, and whether they delay a heal.

Usage: python -m benchmarks.web [--quick]. See ../README.md.
"""

from __future__ import annotations

import argparse
import json
import os
import statistics
import subprocess
import sys
import time
from collections.abc import Generator
from contextlib import contextmanager
from functools import partial
from pathlib import Path

from benchmarks.web.stage import WORKERS, WebStage
from benchmarks.workers import gauge
from benchmarks.workers.keeper import kept
from healmon.web import tokens

VIEWERS, SCRAPES = 100, 10
GOAL_CPU, GOAL_RATIO = 5.0, 1.15
"""Percent of a core that the daemon is to stay below; heals with them against heals without."""


def main(args: argparse.Namespace, folder: Path) -> int:
    window, rounds, kills = (8.0, 2, 10) if args.quick else (30.0, 4, 40)
    print(f"{os.cpu_count()} CPUs, Python {sys.version.split()[0]}, load {os.getloadavg()[0]:.1f}")
    stage = WebStage(folder)
    try:
        stage.build()
        stage.start()
        server = stage.server()
        stage.settled(WORKERS)
        token = tokens.known(stage.state).viewer
        print(f"\n{'':34}{'daemon %':>9}{'server %':>9}{'server MB':>11}{'states/s':>10}")
        daemon = [
            _cost(stage, server, token, name, *crowd, window)
            for name, crowd in (
                ("nobody looks", (0, 0)),
                (f"{VIEWERS} pages", (VIEWERS, 0)),
                (f"{VIEWERS} pages, {SCRAPES} scrapes/s", (VIEWERS, SCRAPES)),
            )
        ]
        alone, watched = _heals(stage, token, rounds, kills)
    finally:
        stage.close()
    print(f"load at the end {os.getloadavg()[0]:.1f}\n")
    ratio = statistics.median(watched) / statistics.median(alone)
    goals = (
        (f"daemon below {GOAL_CPU:g} % of a core", GOAL_CPU, daemon[-1]),
        (f"heals watched / alone below {GOAL_RATIO:g}", GOAL_RATIO, ratio),
    )
    for name, goal, found in goals:
        print(f"{'reached' if found < goal else 'MISSED':8} {name}: {found:.2f}")
    return 0 if all(found < goal for _, goal, found in goals) else 1


@contextmanager
def _crowd(
    stage: WebStage, token: str, viewers: int, scrapes: float
) -> Generator[dict[str, float]]:
    """Let so many look on; what they got is in the answer afterwards."""
    got: dict[str, float] = {}
    if not viewers and not scrapes:
        yield got
        return
    argv = [sys.executable, "-m", "benchmarks.web.crowd",
            *map(str, (stage.port, token, viewers, scrapes))]  # fmt: skip
    with subprocess.Popen(
        argv,
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        text=True,
        cwd=Path(__file__).parents[2],
    ) as crowd:
        assert crowd.stdout is not None
        if crowd.stdout.readline().strip() != "ready":
            raise RuntimeError("the pages are not served")
        yield got
        said, _ = crowd.communicate(timeout=60)
        got.update(json.loads(said))
    if got["failed"]:
        raise RuntimeError(f"{got['failed']} pages or scrapes failed")


def _cost(
    stage: WebStage, server: int, token: str, name: str, viewers: int, scrapes: int, window: float
) -> float:
    """Measure while a worker is healed each second; returns the daemon's percent of a core."""
    with _crowd(stage, token, viewers, scrapes) as got:
        before = gauge.used([stage.daemon]), gauge.used([server])
        began, count = time.monotonic(), stage.verified()
        while time.monotonic() - began < window:
            count += 1
            stage.heal(f"w{count % WORKERS}")
            stage.settled(count)
            time.sleep(1.0)
        seconds = time.monotonic() - began
        after = gauge.used([stage.daemon]), gauge.used([server])
        held = gauge.memory([server]).rss / 2**20
    daemon, web = (
        gauge.between(one, other, seconds, whole_cycle=True).cpu_per_minute / 0.6
        for one, other in zip(before, after, strict=True)
    )
    rate = got.get("states", 0) / got.get("seconds", 1.0) / max(viewers, 1)
    print(f"{name:34}{daemon:9.2f}{web:9.2f}{held:11.1f}{rate:10.2f}", flush=True)
    return daemon


def _heals(stage: WebStage, token: str, rounds: int, kills: int) -> tuple[list[float], list[float]]:
    alone: list[float] = []
    watched: list[float] = []
    for _ in range(rounds):
        with _crowd(stage, token, 0, 0):
            alone += _killed(stage, kills)
        with _crowd(stage, token, VIEWERS, SCRAPES):
            watched += _killed(stage, kills)
    print("\nkill to the successor's first line, ms (50 of them are its pause)")
    for name, took in (("nobody looks", alone), (f"{VIEWERS} pages, {SCRAPES} scrapes/s", watched)):
        nine = statistics.quantiles(took, n=10)[-1]
        print(f"{name:34}median {statistics.median(took):7.1f}   90th {nine:7.1f}   n {len(took)}")
    return alone, watched


def _killed(stage: WebStage, kills: int) -> list[float]:
    took: list[float] = []
    count = stage.verified()
    for number in range(kills):
        took.append(stage.heal(f"w{number % WORKERS}"))
        count += 1
        stage.settled(count)
    return took


def _parser() -> argparse.ArgumentParser:
    made = argparse.ArgumentParser(prog="python -m benchmarks.web", description=__doc__)
    made.add_argument("--quick", action="store_true", help="a minute or so in all")
    return made


if __name__ == "__main__":
    sys.exit(kept(partial(main, _parser().parse_args())))
