"""Raw measures as results: medians, ratios within this run, JSON."""

from __future__ import annotations

import os
import platform
import statistics
from pathlib import Path
from typing import TypeAlias

import msgspec

from benchmarks.workers.gauge import Idle, Memory
from benchmarks.workers.measure import Plan, Raw

Ratios: TypeAlias = dict[str, dict[str, dict[str, dict[str, float]]]]

FORMAT = 1
"""Of the JSON; grows when a name in it changes its meaning."""
MEASURES = ("single", "adopted", "mass", "rss", "pss", "cpu", "wakeups")


class Spread(msgspec.Struct, frozen=True, kw_only=True):
    """Repetitions of one measure, and what they come to."""

    count: int
    median: float
    p90: float
    values: list[float]


class Result(msgspec.Struct, frozen=True, kw_only=True):
    """One contestant with one count of workers; None: not measured.

    Attributes:
        start_s: seconds until all workers were ready the first time, median.
        single_ms, adopted_ms, mass_ms: from kill to (the last) replacement ready.
        surplus: births nobody asked for.
        trouble: why it was not measured to the end.
    """

    start_s: float | None
    single_ms: Spread | None
    adopted_ms: Spread | None
    mass_ms: Spread | None
    memory: Memory | None
    memory_after: Memory | None
    idle: Idle | None
    surplus: int
    trouble: str


class PerWorker(msgspec.Struct, frozen=True, kw_only=True):
    """Bytes of supervisor memory per worker: the slope between two counts of workers."""

    least: int
    most: int
    rss: float
    pss: float


class Entry(msgspec.Struct, frozen=True, kw_only=True):
    """Who took part."""

    version: str
    settings: str


class Host(msgspec.Struct, frozen=True, kw_only=True):
    """Where and when; load averages at begin and end tell how noisy the numbers are."""

    cpus: int
    kernel: str
    python: str
    worker: str
    began: str
    seconds: float
    load: tuple[tuple[float, ...], tuple[float, ...]]


class Report(msgspec.Struct, frozen=True, kw_only=True):
    """The whole run, as it goes into the JSON.

    Attributes:
        results: by contestant and count of workers.
        ratios: by measure, count, contestant and the one it is compared with: median by median,
            within this run; 2.0 means twice as much.
    """

    format: int
    host: Host
    plan: Plan
    contestants: dict[str, Entry]
    skipped: dict[str, str]
    results: dict[str, dict[str, Result]]
    per_worker: dict[str, PerWorker]
    ratios: Ratios


def spread(values: list[float]) -> Spread | None:
    """Return what repetitions come to; None when there are none."""
    if not values:
        return None
    ordered = sorted(values)
    return Spread(
        count=len(values),
        median=statistics.median(values),
        p90=ordered[min(len(ordered) - 1, round(0.9 * (len(ordered) - 1)))],
        values=[round(value, 3) for value in values],
    )


def result(raw: Raw) -> Result:
    """Return the result of raw measures."""
    return Result(
        start_s=statistics.median(raw.start) if raw.start else None,
        single_ms=spread(raw.single),
        adopted_ms=spread(raw.adopted),
        mass_ms=spread(raw.mass),
        memory=raw.memory,
        memory_after=raw.memory_after,
        idle=raw.idle,
        surplus=raw.surplus,
        trouble=raw.trouble,
    )


def value(one: Result, measure: str) -> float | None:
    """Return the one number of a measure that is compared; None: not measured."""
    spreads = {"single": one.single_ms, "adopted": one.adopted_ms, "mass": one.mass_ms}
    if measure in spreads:
        found = spreads[measure]
        return found.median if found is not None else None
    if measure in {"rss", "pss"}:
        return float(getattr(one.memory, measure)) if one.memory is not None else None
    if one.idle is None:
        return None
    return one.idle.cpu_per_minute if measure == "cpu" else one.idle.wakeups_per_second


def ratios(results: dict[str, dict[str, Result]]) -> Ratios:
    """Return every contestant against every other, where both were measured."""
    found: Ratios = {}
    for measure in MEASURES:
        for count in sorted({c for by_count in results.values() for c in by_count}, key=int):
            # an adopted worker's crash is compared with the others' ordinary one
            against = "single" if measure == "adopted" else measure
            mine = {n: value(r[count], measure) for n, r in results.items() if count in r}
            theirs = {n: value(r[count], against) for n, r in results.items() if count in r}
            found.setdefault(measure, {})[count] = {
                name: {o: round(v / w, 3) for o, w in theirs.items() if w and o != name}
                for name, v in mine.items()
                if v is not None
            }
    return found


def per_worker(by_count: dict[str, Result]) -> PerWorker | None:
    """Return the growth of memory from the least to the most workers; None with one count only."""
    known = {int(count): r.memory for count, r in by_count.items() if r.memory is not None}
    if len(known) < 2:
        return None
    least, most = min(known), max(known)
    few, many = known[least], known[most]
    more = most - least
    return PerWorker(
        least=least, most=most, rss=(many.rss - few.rss) / more, pss=(many.pss - few.pss) / more
    )


def host(worker: str, began: str, seconds: float, load: tuple[float, ...]) -> Host:
    """Return where this was measured; `load` is the one at the beginning."""
    return Host(
        cpus=os.cpu_count() or 0,
        kernel=platform.release(),
        python=platform.python_version(),
        worker=worker,
        began=began,
        seconds=round(seconds, 1),
        load=(load, os.getloadavg()),
    )


def write(report: Report, path: Path) -> None:
    """Write the report as JSON.

    Raises:
        OSError: it cannot be written.
    """
    path.write_bytes(msgspec.json.format(msgspec.json.encode(report), indent=1) + b"\n")
