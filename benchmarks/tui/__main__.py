"""What the screen costs, against glances, btop, htop and bare Textual, in one run.

Usage: python -m benchmarks.tui [--quick] [--install] [--json FILE]. See ../README.md.
"""

from __future__ import annotations

import argparse
import json
import os
import platform
import sys
from collections.abc import Sequence
from pathlib import Path

from benchmarks.tui import contestants, measure
from benchmarks.tui.measure import Told
from benchmarks.tui.table import goals, text
from benchmarks.workers.keeper import kept

EXIT_CANNOT_WRITE = 73
ROWS = 30
"""Workers, and sessions."""


def parser() -> argparse.ArgumentParser:
    made = argparse.ArgumentParser(prog="python -m benchmarks.tui", description=__doc__)
    made.add_argument("--quick", action="store_true", help="one round, short windows, two hours")
    made.add_argument("--size", type=size, default=(200, 50), metavar="CxL", help="(200x50)")
    made.add_argument("--rounds", type=int, default=2, metavar="N", help="of everybody (2)")
    made.add_argument("--seconds", type=float, default=30.0, metavar="S", help="of a window (30)")
    made.add_argument("--hours", type=float, default=12.0, metavar="H", help="lived (12)")
    made.add_argument("--install", action="store_true", help="fetch htop and btop if need be")
    made.add_argument("--no-peers", action="store_true", help="only healmon and bare Textual")
    made.add_argument("--cache", type=Path, metavar="DIR", help="keep fetched programs there")
    made.add_argument("--json", type=Path, metavar="FILE", help="write all results there")
    return made


def size(words: str) -> tuple[int, int]:
    columns, _, lines = words.partition("x")
    if not (columns.isdecimal() and lines.isdecimal()):
        raise argparse.ArgumentTypeError(f"columns x lines, not {words!r}")
    return int(columns), int(lines)


def main(argv: Sequence[str] | None = None) -> int:
    args = parser().parse_args(argv)
    if args.quick:
        args.rounds, args.seconds, args.hours = 1, min(args.seconds, 6.0), min(args.hours, 2.0)
    return kept(lambda folder: run(args, folder))


def run(args: argparse.Namespace, folder: Path) -> int:
    load = os.getloadavg()[0]
    others: list[contestants.Contestant] = []
    skipped: dict[str, str] = {}
    if not args.no_peers:
        others, skipped = contestants.peers(args.cache or folder, install=args.install)
    for name, why in skipped.items():
        print(f"{name}: left out: {why}", file=sys.stderr)
    contestants.compile_ours()
    ours = [contestants.floor(), *contestants.made_up()]
    found: dict[str, list[Told]] = {}
    starts: list[Told] = []
    settle = 3.0 if args.quick else 8.0
    for number in range(args.rounds):
        starts += [measure.python_pass() for _ in range(5)]
        for one in ours:
            told = measure.window(one, args.size, settle, args.seconds)
            found.setdefault(one.name, []).append(told)
        with contestants.company(folder / f"company-{number}", ROWS):
            for one in others:
                told = measure.window(one, args.size, settle, args.seconds)
                found.setdefault(one.name, []).append(told)
        with contestants.real(folder / f"round-{number}", ROWS) as pair:
            if pair:
                inside, viewer = pair
                both = measure.both(inside, viewer, args.size, settle, args.seconds)
                for name, result in both.items():
                    found.setdefault(name, []).append(result)
    soak = measure.twelve_hours(folder, args.size, args.hours)
    head = {
        "cpus": os.cpu_count(), "kernel": platform.release(), "python": platform.python_version(),
        "load": [load, os.getloadavg()[0]], "size": list(args.size),
    }  # fmt: skip
    results = {name: measure.median(rounds) for name, rounds in found.items()}
    start = measure.median(starts)
    print(text(head, results, start, soak))
    if args.json is not None:
        told = {"format": 1, "host": head, "python": start, "results": results, "soak": soak}
        try:
            args.json.write_text(json.dumps({**told, "skipped": skipped}, indent=1))
        except OSError as error:
            print(f"{args.json}: {error.strerror}", file=sys.stderr)
            return EXIT_CANNOT_WRITE
    return 0 if all(goal.reached for goal in goals(results, start, soak)) else 1


if __name__ == "__main__":
    sys.exit(main())
