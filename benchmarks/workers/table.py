"""The results as text for people."""

from __future__ import annotations

from collections.abc import Sequence

from benchmarks.workers.results import Report, Result, Spread

NONE = "-"
FLOORS = ("floor-c", "floor-py")
ROWS = (
    ("single", "crash -> ready"),
    ("adopted", "the same, adopted"),
    ("mass", "all crash -> all ready"),
    ("pss", "memory (PSS)"),
    ("cpu", "idle CPU"),
    ("wakeups", "idle wake-ups"),
)


def text(report: Report) -> str:
    """Return the whole report as tables."""
    counts = sorted({c for by_count in report.results.values() for c in by_count}, key=int)
    parts = [_head(report)]
    parts += [_costs(report, count) for count in counts]
    parts += [part for count in counts if (part := _ours(report, count))]
    parts += _notes(report)
    return "\n\n".join(parts)


def _head(report: Report) -> str:
    host = report.host
    before, after = host.load
    return (
        f"{host.cpus} CPUs, Linux {host.kernel}, Python {host.python}, {host.worker} workers, "
        f"load {before[0]:.1f} to {after[0]:.1f}, {host.began}, {host.seconds:.0f} s"
    )


def _costs(report: Report, count: str) -> str:
    floor = next((f for f in FLOORS if f in report.results), "")
    head = [
        f"N={count}", "start s", "single ms", "p90", f"x {floor}" if floor else "x floor",
        "adopted", "p90", "mass ms", f"x {floor}" if floor else "x floor",
        "procs", "RSS MB", "PSS MB", "KB/worker", "CPU s/min", "wakes/s",
    ]  # fmt: skip
    rows = [
        _cost_row(report, name, count, floor)
        for name, by_count in report.results.items()
        if count in by_count
    ]
    return _grid([head, *rows])


def _cost_row(report: Report, name: str, count: str, floor: str) -> list[str]:
    one = report.results[name][count]

    def against(measure: str) -> str:
        return _ratio(report.ratios[measure][count].get(name, {}).get(floor))

    per = report.per_worker.get(name)
    return [
        name,
        _number(one.start_s),
        *_spread(one.single_ms),
        against("single"),
        *_spread(one.adopted_ms),
        _spread(one.mass_ms)[0],
        against("mass"),
        *_cost(one),
        _number(max(0.0, per.pss / 1024) if per is not None else _share(one, int(count))),
        *_idle(one),
    ]


def _share(one: Result, count: int) -> float | None:
    """Return KB per worker where there is no second count to tell the growth by."""
    return one.memory.pss / 1024 / count if one.memory is not None else None


def _cost(one: Result) -> list[str]:
    memory = one.memory
    if memory is None:
        return [NONE] * 3
    return [str(memory.processes), _number(memory.rss / 1e6), _number(memory.pss / 1e6)]


def _idle(one: Result) -> list[str]:
    if one.idle is None:
        return [NONE] * 2
    star = "" if one.idle.whole_cycle else "*"
    return [f"{one.idle.cpu_per_minute:.4f}{star}", f"{one.idle.wakeups_per_second:.2f}{star}"]


def _ours(report: Report, count: str) -> str:
    """Return healmon against each of the others: below 1 it is better."""
    others = [n for n, by_count in report.results.items() if n != "healmon" and count in by_count]
    rows = [[f"healmon / other, N={count}", *others]]
    for measure, words in ROWS:
        mine = report.ratios[measure][count].get("healmon", {})
        if mine:
            rows.append([words, *(_ratio(mine.get(other)) for other in others)])
    return _grid(rows) if len(rows) > 1 else ""


def _notes(report: Report) -> list[str]:
    lines = [f"{name} {e.version}: {e.settings}" for name, e in report.contestants.items()]
    lines += [f"{name}: skipped: {why}" for name, why in report.skipped.items()]
    for name, by_count in report.results.items():
        for count, one in by_count.items():
            if one.trouble:
                lines.append(f"{name}, N={count}: NOT MEASURED TO THE END: {one.trouble}")
            if one.surplus:
                lines.append(f"{name}, N={count}: {one.surplus} starts that nothing called for")
            if one.idle is not None and not one.idle.whole_cycle:
                lines.append(f"* {name}, N={count}: the idle window held no cycle of its own")
    return ["\n".join(lines)]


def _spread(one: Spread | None) -> list[str]:
    return [_number(one.median), _number(one.p90)] if one is not None else [NONE, NONE]


def _ratio(ratio: float | None) -> str:
    return NONE if ratio is None else f"{_number(ratio)}x"


def _number(number: float | None) -> str:
    """Return a number with three digits that count."""
    if number is None:
        return NONE
    digits = 0 if abs(number) >= 100 else 1 if abs(number) >= 10 else 2
    return f"{number:.{digits}f}"


def _grid(rows: Sequence[Sequence[str]]) -> str:
    widths = [max(len(row[i]) for row in rows) for i in range(len(rows[0]))]
    lines = [
        "  ".join(
            cell.ljust(width) if i == 0 else cell.rjust(width)
            for i, (cell, width) in enumerate(zip(row, widths, strict=True))
        ).rstrip()
        for row in rows
    ]
    return "\n".join([lines[0], "-" * len(lines[0]), *lines[1:]])
