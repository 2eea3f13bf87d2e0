"""`make simulate SEED=… DAYS=…`: days of made-up hosts with all their faults, each step checked.

`make midway SEED=… LIVES=… WHAT=…`: shorter ones, in which anything comes between two effects of
an act: on workers (acts are called off midway), on disks, or between an alert and who is told.

A seed that breaks a promise says how to live it again: `make simulate SEED=7:123`.
"""

from __future__ import annotations

import argparse
import sys
import tempfile
import time
from pathlib import Path

from tests.simulation import cleaning, midway, telling
from tests.simulation.life import EACH, simulate


def main() -> int:
    parser = argparse.ArgumentParser(prog="make simulate", description=__doc__)
    parser.add_argument("--seed", default="1", help="a number, or number:life for one life alone")
    parser.add_argument("--days", type=float, default=100.0, help="simulated days")
    parser.add_argument("--midway", type=int, default=0, help="so many lives with acts called off")
    parser.add_argument("--what", default="workers", choices=["workers", "disks", "notices"])
    given = parser.parse_args()
    began = time.monotonic()
    shm = "/dev/shm" if Path("/dev/shm").is_dir() else None  # a disk would be waited for
    with tempfile.TemporaryDirectory(prefix="healmon-simulation-", dir=shm) as folder:
        try:
            if given.midway and given.what == "disks":
                lives = cleaning.simulate(given.seed, given.midway)
            elif given.midway and given.what == "notices":
                lives = telling.simulate(given.seed, given.midway)
            elif given.midway:
                lives = midway.simulate(given.seed, Path(folder), given.midway)
            else:
                lives = simulate(given.seed, Path(folder), given.days)
        except AssertionError as error:
            print(error, file=sys.stderr)
            return 1
    took = time.monotonic() - began
    days = given.days if ":" not in given.seed else EACH
    lived = "" if given.midway else f"{days:g} days in "
    print(f"{lived}{lives} lives held all promises; it took {took:.0f} s")
    return 0


sys.exit(main())
