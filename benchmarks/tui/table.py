"""The results as a table, and the goals: reached or missed."""

from __future__ import annotations

from typing import NamedTuple

from benchmarks.tui.measure import Told, mib

IDLE, ONE, TEN = "healmon, idle", "healmon, 1 Hz", "healmon, 10 Hz"
FLOOD = "healmon, 20,000 events/s"
INSIDE, ATTACHED = "healmon, healer inside", "healmon, attached"


class Goal(NamedTuple):
    """One thing that is to be reached."""

    what: str
    found: str
    reached: bool


def goals(results: dict[str, Told], start: Told, soak: list[Told]) -> list[Goal]:
    """Return what is to be reached, and what was; of what was not measured nothing is said."""
    found = [
        _most("idle: 0.3 % of a core", results, IDLE, "cpu", 0.003, "{:.2%}"),
        _most("10 Hz: 7 % of a core", results, TEN, "cpu", 0.07, "{:.1%}"),
        _most("attached: 45 MiB", results, ATTACHED, "rss", 45 * 2**20, "{:.1f} MiB", 2**20),
        _most("healer inside: 50 MiB", results, INSIDE, "rss", 50 * 2**20, "{:.1f} MiB", 2**20),
        _most("a key in a flood: 50 ms (median)", results, FLOOD, "key_median", 0.05, "{:.1f} ms",
              0.001),
    ]  # fmt: skip
    glances = next((told for name, told in results.items() if name.startswith("glances")), None)
    if glances is not None and ONE in results:
        ratio = results[ONE]["cpu"] / glances["cpu"]
        found.append(Goal("1 Hz: half of glances", f"{ratio:.2f}", ratio <= 0.5))
    if ATTACHED in results:
        times = results[ATTACHED]["paint_cpu"] / start["paint_cpu"]
        found.append(Goal("first picture: 25 x python -c pass (CPU)", f"{times:.0f}", times <= 25))
    if len(soak) > 2:
        middle, end = soak[len(soak) // 2]["rss"], soak[-1]["rss"]
        grown = f"{mib(middle):.1f} to {mib(end):.1f} MiB"
        found.append(Goal("memory from the middle to the end: + 4 %", grown, end <= middle * 1.04))
    return [goal for goal in found if goal is not None]


def _most(
    what: str,
    results: dict[str, Told],
    name: str,
    key: str,
    most: float,
    form: str,
    unit: float = 1,
) -> Goal | None:
    value = results.get(name, {}).get(key)
    return None if value is None else Goal(what, form.format(value / unit), value <= most)


def text(head: Told, results: dict[str, Told], start: Told, soak: list[Told]) -> str:
    """Return everything for people."""
    columns, lines = head["size"]
    rows = [("", "CPU %", "RSS MiB", "PSS MiB", "wakes/s", "KB/s", "first picture s", "x python")]
    for name, told in results.items():
        times = told["paint_cpu"] / start["paint_cpu"]
        rows.append((
            name, f"{told['cpu']:.2%}".rstrip("%"), f"{mib(told['rss']):.1f}",
            f"{mib(told['pss']):.1f}", f"{told['wakeups']:.0f}", f"{told['written'] / 1000:.1f}",
            f"{told['paint_wall']:.2f}", f"{times:.1f}",
        ))  # fmt: skip
    widths = [max(len(row[i]) for row in rows) for i in range(len(rows[0]))]
    load, cpu = head["load"], start["paint_cpu"] * 1000
    said = [
        f"a terminal of {columns}x{lines}; python -c pass: {cpu:.0f} ms of CPU",
        f"{head['cpus']} CPUs, load {load[0]:.1f} to {load[1]:.1f}",
    ]
    for first, *rest in rows:
        cells = [cell.rjust(width) for cell, width in zip(rest, widths[1:], strict=True)]
        said.append("  ".join([first.ljust(widths[0]), *cells]))
    flood = results.get(FLOOD)
    if flood is not None:
        keys = f"{flood['key_median'] * 1000:.1f} ms, 90th percentile {flood['key_p90'] * 1000:.1f}"
        said += ["", f"a key answered at 20,000 events/s: median {keys}"]
    if soak:
        said.append(
            "memory by the hour, MiB: " + " ".join(f"{mib(told['rss']):.1f}" for told in soak)
        )
    said.append("")
    said += [
        f"{'reached' if goal.reached else 'MISSED '}  {goal.what}: {goal.found}"
        for goal in goals(results, start, soak)
    ]
    return "\n".join(said)
