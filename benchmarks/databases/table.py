"""The results as text for people."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from benchmarks.databases.measure import Result

SLOWEST = "lsof"


def text(head: Mapping[str, Any], results: Sequence[Result]) -> str:
    """Return all tables: one for each journal mode, then whom each names and how it grows."""
    before, after = head["load"]
    first = (
        f"{head['cpus']} CPUs, Linux {head['kernel']}, Python {head['python']}, "
        f"SQLite {head['sqlite']}, load {before:.1f} to {after:.1f}"
    )
    modes = dict.fromkeys(result.mode for result in results)
    tables = [_table(mode, [one for one in results if one.mode == mode]) for mode in modes]
    return "\n\n".join([first, *tables])


def ratio(results: Sequence[Result], name: str, more: int, *, cpu: bool = False) -> float | None:
    """Return how many times faster (or thriftier) than lsof a contestant is, by medians."""
    found = {
        (result.name, result.more): result.median_cpu if cpu else result.median
        for result in results
    }
    one, other = found.get((name, more)), found.get((SLOWEST, more))
    return other / one if one and other else None


def growth(results: Sequence[Result], name: str) -> float | None:
    """Return how much longer a question takes with most processes than with fewest."""
    own = [result for result in results if result.name == name]
    return own[-1].median / own[0].median if len(own) > 1 else None


def _table(mode: str, results: Sequence[Result]) -> str:
    counts = list(dict.fromkeys(result.more for result in results))
    names = list(dict.fromkeys(result.name for result in results))
    heads = [f"{mode}: ms at"] + [f"+{count}" for count in counts]
    heads += [f"x lsof +{count}" for count in counts]
    heads += [f"CPU ms +{counts[-1]}", "x lsof CPU", "growth", "names"]
    rows = [heads]
    for name in names:
        own = {result.more: result for result in results if result.name == name}
        last = own[counts[-1]]
        cells = [f"{own[count].median * 1000:.2f}" for count in counts]
        cells += [_times(ratio(results, name, count)) for count in counts]
        cells.append(f"{last.median_cpu * 1000:.2f}")
        cells.append(_times(ratio(results, name, counts[-1], cpu=True)))
        grown = growth(results, name)
        cells.append("-" if grown is None else f"{grown:.1f}")
        cells.append(f"{last.named}" + ("" if last.right else " (not the holder)"))
        rows.append([name, *cells])
    widths = [max(len(row[n]) for row in rows) for n in range(len(heads))]
    return "\n".join(_line(row, widths) for row in rows)


def _times(found: float | None) -> str:
    if found is None:
        return "-"
    return f"{found:.0f}" if found >= 10 else f"{found:.1f}"


def _line(row: Sequence[str], widths: Sequence[int]) -> str:
    cells = [cell.rjust(width) for cell, width in zip(row, widths, strict=True)]
    return "  ".join([row[0].ljust(widths[0]), *cells[1:]]).rstrip()
