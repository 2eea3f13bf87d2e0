"""What one look at all sessions costs, against three other ways, in one run. See ../README.md."""

from __future__ import annotations

import argparse
import json
import os
import shutil
import stat
import statistics
import subprocess
import sys
import tempfile
from collections.abc import Sequence
from pathlib import Path
from typing import Any, Final, NamedTuple

from benchmarks.sessions.stage import Stage

HERE: Final = Path(__file__).parent
LIBTMUX: Final = "libtmux==0.62.0"
PERIOD: Final = 60.0
"""Seconds of the cycle whose share of a core is told."""
MOVES: Final = (1.0, 0.25, 0.0)
PEERS: Final = ("subprocess", "libtmux-walk", "libtmux-panes", "control-mode")
TYPICAL: Final = "healmon {}, 25% moved"
"""The line that goals and ratios are about: what healmon meets when a quarter of all works."""
WORST: Final = "healmon {}, 100% moved"
PATIENCE: Final = 900

Told = dict[str, Any]


def main(words: Sequence[str] = ()) -> int:
    """Run it, print the table; exit code 1 when a goal was missed."""
    made = argparse.ArgumentParser(prog="python -m benchmarks.sessions cycle", description=__doc__)
    made.add_argument("--sessions", type=int, default=200, metavar="N")
    made.add_argument("--rounds", type=int, default=5, metavar="N", help="of each way (5)")
    made.add_argument("--quick", action="store_true", help="20 sessions, one round")
    made.add_argument("--no-libtmux", action="store_true", help="do not fetch it from PyPI")
    made.add_argument("--json", type=Path, metavar="FILE", help="write all results there")
    chosen = made.parse_args(words)
    if chosen.quick:
        chosen.sessions, chosen.rounds = min(chosen.sessions, 20), 1
    with tempfile.TemporaryDirectory(prefix="hm-bench-") as folder, Stage(chosen.sessions) as stage:
        python = None if chosen.no_libtmux else _libtmux(Path(folder))
        results = _all(stage, chosen.rounds, python)
        calls = {share: _counted(stage, Path(folder), share) for share in (1.0, 0.0)}
    print(table(results, calls, chosen.sessions))
    if chosen.json:
        chosen.json.write_text(json.dumps({"ways": results, "calls": calls}, indent=1, default=str))
    return 0 if all(goal.reached for goal in goals(results, calls)) else 1


def _libtmux(folder: Path) -> str | None:
    venv = folder / "venv"
    python = str(venv / "bin" / "python")
    try:
        subprocess.run([sys.executable, "-m", "venv", str(venv)], check=True, timeout=PATIENCE)
        subprocess.run(
            [python, "-m", "pip", "install", "--quiet", "--disable-pip-version-check", LIBTMUX],
            check=True, timeout=PATIENCE,
        )  # fmt: skip
    except (OSError, subprocess.SubprocessError) as error:
        print(f"libtmux is left out: {error}", file=sys.stderr)
        return None
    return python


def _all(stage: Stage, rounds: int, libtmux: str | None) -> dict[str, Told]:
    """Return what each way cost; slow ways last, so that they disturb nobody."""
    results: dict[str, Told] = {}
    for way in ("tmux", "look", "cycle"):
        for share in MOVES:
            name = f"healmon {way}, {share:.0%} moved"
            results[name] = _run(stage, sys.executable, "ours.py", way, rounds, share)
    for peer in reversed(PEERS):
        python = libtmux if peer.startswith("libtmux") else sys.executable
        if python is not None:
            results[peer] = _run(stage, python, "peers.py", peer, min(rounds, 3), 1.0)
    return results


def _run(
    stage: Stage, python: str, script: str, way: str, rounds: int, share: float, **more: object
) -> Told:
    told = {
        "socket": stage.socket, "server": stage.server, "ttys": stage.ttys, "moved": share,
        "rounds": rounds, "database": stage.database, "program": None, **more,
    }  # fmt: skip
    env = {k: v for k, v in os.environ.items() if not k.startswith("TMUX")}
    done = subprocess.run(
        [python, str(HERE / script), way, json.dumps(told)],
        capture_output=True, text=True, timeout=PATIENCE, check=False, env=env,
    )  # fmt: skip
    if done.returncode != 0:
        raise SystemExit(f"{script} {way} failed:\n{done.stderr}")
    answer = json.loads(done.stdout)
    one: Told = {
        key: statistics.median(r[key] for r in answer["rounds"])
        for key in ("wall", "own", "server")
    }
    one["rss"], one["seen"] = answer["rss"], answer["rounds"][-1]["seen"]
    one["cpu"] = one["own"] + one["server"]
    return one


def _counted(stage: Stage, folder: Path, share: float) -> int:
    """Return how many tmux processes one look of healmon starts, on the one socket there is."""
    calls, wrapper = folder / "calls", folder / "counted-tmux"
    wrapper.write_text(f'#!/bin/sh\necho >> {calls}\nexec {shutil.which("tmux")} "$@"\n')
    wrapper.chmod(wrapper.stat().st_mode | stat.S_IXUSR)
    counts: list[int] = []
    for rounds in (1, 2):
        calls.write_text("")
        _run(stage, sys.executable, "ours.py", "look", rounds, share, program=str(wrapper))
        counts.append(len(calls.read_text().splitlines()))
    return counts[1] - counts[0]


class Goal(NamedTuple):
    """One thing that is to be reached."""

    what: str
    found: str
    reached: bool


def goals(results: dict[str, Told], calls: dict[float, int]) -> list[Goal]:
    """Return what is to be reached, and what was."""
    ours, cycle = results[TYPICAL.format("tmux")], results[WORST.format("cycle")]
    times = results["subprocess"]["cpu"] / ours["cpu"]
    share = cycle["cpu"] / PERIOD
    rss = max(one["rss"] for name, one in results.items() if name.startswith("healmon"))
    return [
        Goal("40 times cheaper than subprocesses", f"{times:.0f} times", times >= 40),
        Goal("less than 1 % of a core, all moved", f"{share:.2%}", share < 0.01),
        Goal("2 tmux processes a look", f"{max(calls.values())}", max(calls.values()) == 2),
        Goal("less than 100 MB", f"{rss / 1e6:.0f} MB", rss < 100e6),
    ]


def table(results: dict[str, Told], calls: dict[float, int], sessions: int) -> str:
    """Return the results for people."""
    base = results[TYPICAL.format("tmux")]
    head = ("way", "wall ms", "CPU ms", "own", "server", "x CPU", "% core", "RSS MB")
    rows: list[tuple[str, ...]] = [head]
    for name, one in results.items():
        times = [f"{one[key] * 1e3:.1f}" for key in ("wall", "cpu", "own", "server")]
        ratio, share = f"{one['cpu'] / base['cpu']:.1f}", f"{one['cpu'] / PERIOD:.2%}"
        rows.append((name, *times, ratio, share, f"{one['rss'] / 1e6:.0f}"))
    widths = [max(len(row[i]) for row in rows) for i in range(len(rows[0]))]
    lines = [f"one look at {sessions} sessions; load {os.getloadavg()[0]:.1f}"]
    for name, *numbers in rows:
        cells = [text.rjust(width) for text, width in zip(numbers, widths[1:], strict=True)]
        lines.append("  ".join([name.ljust(widths[0]), *cells]))
    lines.append("")
    lines += [
        f"{'reached' if goal.reached else 'MISSED '}  {goal.what}: {goal.found}"
        for goal in goals(results, calls)
    ]
    return "\n".join(lines)
