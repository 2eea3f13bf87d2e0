"""One contestant in a process of its own, as a monitor is: it sleeps, is asked, and answers.

    python -m benchmarks.databases.asker NAME DATABASE

Each line on stdin is asked `BURST` times in a row, as a monitor looks again before it believes; the
answer is a line of JSON: seconds of each, CPU seconds of each, pids.
"""

from __future__ import annotations

import json
import resource
import sys
import time
from pathlib import Path

from benchmarks.databases.contestants import CONTESTANTS, Contestant

BURST = 5


def cpu(one: Contestant) -> float:
    """CPU seconds so far of this process, of the programs it ran and of those that stand by."""
    ended = resource.getrusage(resource.RUSAGE_CHILDREN)
    total = time.process_time() + ended.ru_utime + ended.ru_stime
    for pid in one.standing():
        # nanoseconds on a processor come first
        total += int(Path(f"/proc/{pid}/schedstat").read_text().split()[0]) / 1e9
    return total


def main() -> None:
    name, path = sys.argv[1:3]
    one = next(kind for kind in CONTESTANTS if kind.name == name)()
    one.holders(path)  # the first question pays for what is loaded once
    print("ready", flush=True)
    for _ in sys.stdin:
        pids = set[int]()
        took: list[float] = []
        used = cpu(one)
        for _ in range(BURST):
            began = time.perf_counter()
            pids = one.holders(path)
            took.append(time.perf_counter() - began)
        each = (cpu(one) - used) / BURST
        print(json.dumps([took, [each] * BURST, sorted(pids)]), flush=True)
    one.close()


if __name__ == "__main__":
    main()
