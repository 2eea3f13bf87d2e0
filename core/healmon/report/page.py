"""The morning page as text."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Final

from healmon.clock import local_time
from healmon.report.morning import Item, Morning
from healmon.units import format_duration

SHOWN: Final = 20
"""Lines of one section; what is left out is counted."""


def headline(page: Morning) -> str:
    """Return the night in one line."""
    parts = [
        f"{len(page.needs)} need you" if page.needs else "nothing needs you",
        f"{sum(item.count for item in page.healed)} healed",
    ]
    if page.failed:
        parts.append(f"{sum(item.count for item in page.failed)} failed")
    if page.passed:
        parts.append(f"{len(page.passed)} came and went")
    if page.withheld:
        parts.append(f"{len(page.withheld)} held back")
    return f"{page.host}: {', '.join(parts)}"


def morning_text(page: Morning) -> str:
    """Return the page as text, one screen where the night was calm."""
    span = f"{_when(page.since, page.until)} to {_when(page.until, page.until)}"
    lines = [headline(page), f"from {span} ({format_duration(page.until - page.since)})"]
    lines += _section("NEEDS A PERSON", page.needs, page.until)
    lines += _section("KNOWN", page.known, page.until)
    lines += _section("TRIED AND FAILED", page.failed, page.until)
    lines += _section("HEALED, AND THE PROOF", page.healed, page.until)
    lines += _section("CAME AND WENT", page.passed, page.until)
    lines += _section("WOULD HAVE DONE", page.withheld, page.until)
    lines += ["", "HEALMON ITSELF", *(f"  {line}" for line in page.itself[:SHOWN])]
    return "\n".join([*lines, *_left_out(len(page.itself))])


def _section(title: str, items: Sequence[Item], now: float) -> list[str]:
    if not items:
        return []
    lines = ["", title]
    for item in items[:SHOWN]:
        lines += _lines(item, now)
    return [*lines, *_left_out(len(items))]


def _left_out(count: int) -> list[str]:
    return [f"  … and {count - SHOWN} more: healmon report --json"] if count > SHOWN else []


def _lines(item: Item, now: float) -> list[str]:
    often = f" ({item.count} times)" if item.count > 1 else ""
    level = f"{item.severity} " if item.id else ""
    lines = [f"  {_when(item.at, now)}  {level}{item.component}: {item.text}{often}"]
    if item.why and item.why not in item.text:
        lines.append(f"         because: {item.why}")
    if item.id:
        lines.append(f"         more: healmon explain {item.id}")
    return lines


def _when(wall: float, now: float) -> str:
    year = "" if local_time(wall, "%Y") == local_time(now, "%Y") else "%Y-"
    return local_time(wall, f"{year}%m-%d %H:%M")
