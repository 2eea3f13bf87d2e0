"""What a supervisor costs: memory, processor time and wake-ups of a set of processes."""

from __future__ import annotations

from collections.abc import Iterable
from contextlib import suppress
from pathlib import Path

import msgspec


class Memory(msgspec.Struct, frozen=True, kw_only=True):
    """Bytes of memory of so many processes (smaps_rollup)."""

    processes: int
    rss: int
    pss: int
    uss: int


class Idle(msgspec.Struct, frozen=True, kw_only=True):
    """What was used while nothing happened.

    Attributes:
        seconds: length of the window.
        whole_cycle: it held at least one of the supervisor's own rounds, if it makes any.
        cpu_per_minute: seconds of processor time (schedstat) in a minute.
        wakeups_per_second: voluntary context switches of all threads.
        threads: at the end.
    """

    seconds: float
    whole_cycle: bool
    cpu_per_minute: float
    wakeups_per_second: float
    threads: int


class Used(msgspec.Struct, frozen=True, kw_only=True):
    """Nanoseconds on a processor, and wake-ups, by thread."""

    threads: dict[tuple[int, int], tuple[int, int]]


def memory(pids: Iterable[int]) -> Memory:
    """Return what these processes hold now; one that ended meanwhile counts nothing."""
    count = rss = pss = uss = 0
    for pid in pids:
        with suppress(OSError, ValueError):
            field = _fields(Path(f"/proc/{pid}/smaps_rollup"))
            count += 1
            rss += field["Rss"] << 10
            pss += field["Pss"] << 10
            uss += (field["Private_Clean"] + field["Private_Dirty"]) << 10
    return Memory(processes=count, rss=rss, pss=pss, uss=uss)


def used(pids: Iterable[int]) -> Used:
    """Return what the threads of these processes have used since they began."""
    threads: dict[tuple[int, int], tuple[int, int]] = {}
    for pid in pids:
        with suppress(OSError):
            for task in Path(f"/proc/{pid}/task").iterdir():
                on_processor = int((task / "schedstat").read_text().split()[0])
                switches = _fields(task / "status")["voluntary_ctxt_switches"]
                threads[pid, int(task.name)] = (on_processor, switches)
    return Used(threads=threads)


def between(before: Used, after: Used, seconds: float, *, whole_cycle: bool) -> Idle:
    """Return what was used between two readings; helpers that came and went are not in it."""
    cpu = wakeups = 0
    for thread, (on_processor, switches) in after.threads.items():
        first = before.threads.get(thread, (0, 0))
        cpu += on_processor - first[0]
        wakeups += switches - first[1]
    return Idle(
        seconds=round(seconds, 2),
        whole_cycle=whole_cycle,
        cpu_per_minute=cpu / 1e9 * 60 / seconds,
        wakeups_per_second=wakeups / seconds,
        threads=len(after.threads),
    )


def _fields(path: Path) -> dict[str, int]:
    """Return the lines `Name: number …` of a file of /proc."""
    found: dict[str, int] = {}
    for line in path.read_text().splitlines():
        name, _, rest = line.partition(":")
        words = rest.split()
        if words and words[0].isdecimal():
            found[name] = int(words[0])
    return found
