"""Who holds the lock? healmon against lsof, fuser, lslocks and a psutil scan, in one run.

Usage: python -m benchmarks.databases [--quick] [--json FILE]. See ../README.md.
"""

from __future__ import annotations

import argparse
import json
import os
import platform
import sqlite3
import sys
import tempfile
from collections.abc import Sequence
from pathlib import Path

from benchmarks.databases.contestants import CONTESTANTS
from benchmarks.databases.measure import Result, measured, stage
from benchmarks.databases.table import text

EXIT_CANNOT_WRITE = 73


def parser() -> argparse.ArgumentParser:
    made = argparse.ArgumentParser(prog="python -m benchmarks.databases", description=__doc__)
    made.add_argument("--quick", action="store_true", help="fewer questions and processes")
    made.add_argument("--more", type=counts, default=(0, 50, 300), metavar="LIST",
                      help="how many processes more (0,50,300)")  # fmt: skip
    made.add_argument(
        "--n", type=int, default=5, metavar="N", help="bursts of five questions to each (5)"
    )
    made.add_argument("--json", type=Path, metavar="FILE", help="write all results there")
    return made


def counts(words: str) -> tuple[int, ...]:
    try:
        found = tuple(sorted({int(word) for word in words.split(",")}))
    except ValueError as error:
        raise argparse.ArgumentTypeError(f"whole numbers with commas, not {words!r}") from error
    if not found or found[0] < 0 or found[-1] > 2000:
        raise argparse.ArgumentTypeError("from 0 to 2000 processes")
    return found


def main(argv: Sequence[str] | None = None) -> int:
    args = parser().parse_args(argv)
    more, times = ((0, 20), 1) if args.quick else (args.more, args.n)
    able: list[str] = []
    for kind in CONTESTANTS:
        why = kind.missing()
        if why:
            print(f"{kind.name}: skipped: {why}", file=sys.stderr)
        else:
            able.append(kind.name)
    results: list[Result] = []
    load = os.getloadavg()[0]
    with tempfile.TemporaryDirectory(prefix="hmbench") as folder:
        for mode in ("delete", "wal"):
            with stage(Path(folder) / f"{mode}.db", mode) as scene:
                results += measured(able, scene, more, times)
    head = {
        "cpus": os.cpu_count(), "kernel": platform.release(), "python": platform.python_version(),
        "sqlite": sqlite3.sqlite_version, "load": [load, os.getloadavg()[0]],
    }  # fmt: skip
    print(text(head, results))
    if args.json is not None:
        rows = [result.packed() for result in results]
        try:
            args.json.write_text(json.dumps({"format": 1, "host": head, "results": rows}, indent=1))
        except OSError as error:
            print(f"{args.json}: {error.strerror}", file=sys.stderr)
            return EXIT_CANNOT_WRITE
    return 0


if __name__ == "__main__":
    sys.exit(main())
