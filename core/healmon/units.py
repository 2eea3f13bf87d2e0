"""Durations, sizes and percentages, as people write and read them.

Three faces each: `parse_*` reads what a person wrote and says what is allowed when it cannot;
`format_*` is short and rounded, for screens; `*_text` is exact and is read back to the same value.
"""

from __future__ import annotations

import math
import re
from collections.abc import Sequence

TYPE_CHECKING = False
if TYPE_CHECKING:
    from typing import Final

DURATION_ALLOWED: Final = 'a duration such as "5s", "30m", "1h30m", "7d", or whole seconds'
SIZE_ALLOWED: Final = 'a size such as "500MB", "2GiB", or whole bytes'
PERCENT_ALLOWED: Final = "a percentage from 0 to 100"

MAX_DURATION: Final = 36_500 * 86_400
"""Seconds in a hundred years: longer is a slip, and would overflow dates."""
MAX_SIZE: Final = 2**63 - 1
"""Bytes: what SQLite and the kernel can count."""

_NUMBER: Final = r"[0-9]{1,40}(?:\.[0-9]{1,400})?"
_SECONDS: Final = {"w": 604_800, "d": 86_400, "h": 3600, "m": 60, "s": 1}
# as text: `re` compiles and keeps them when they are used, `status` uses none
_DURATION: Final = r"\s*".join(
    rf"(?:({_NUMBER})\s*{unit})?" for unit in ("w", "d", "h", "m(?!s)", "s", "ms")
)
_PARTS: Final = (*((factor, 1) for factor in _SECONDS.values()), (1, 1000))
"""Seconds of each unit, as numerator and denominator."""

_BYTES: Final = {
    "B": 1,
    **{f"{prefix}B": 1000**power for power, prefix in enumerate("kMGTPE", 1)},
    **{f"{prefix}iB": 1024**power for power, prefix in enumerate("KMGTPE", 1)},
}
_BYTES_ANY_CASE: Final = {unit.lower(): factor for unit, factor in _BYTES.items()}
_SIZE: Final = rf"({_NUMBER})\s*([A-Za-z]*)"
_WHOLE: Final = r"[0-9]{1,40}"
_PERCENT: Final = rf"({_NUMBER})\s*%?"


def parse_duration(value: object) -> float:
    """Return the seconds of `"5s"`, `"1h30m"`, `"1.5h"`, `"2w"`, `"250ms"` or whole seconds.

    Raises:
        ValueError: it is something else, negative, or longer than a hundred years.
    """
    seconds: float | None = None
    if isinstance(value, int) and not isinstance(value, bool):
        seconds = value
    elif isinstance(value, str):
        seconds = _duration(value.strip())
    if seconds is None or seconds < 0:
        raise ValueError(DURATION_ALLOWED)
    if seconds > MAX_DURATION:
        raise ValueError(f"a duration up to {duration_text(MAX_DURATION)}")
    return float(seconds)


def duration_text(seconds: float) -> str:
    """Return a duration exactly, so that `parse_duration` gives the same float again.

    Raises:
        ValueError: it is negative or no number.
    """
    if not math.isfinite(seconds) or seconds < 0:
        raise ValueError(DURATION_ALLOWED)
    if seconds != int(seconds):
        text = repr(float(seconds))
        if "e" in text:
            from decimal import Decimal  # noqa: PLC0415 - hardly any duration needs it

            text = f"{Decimal(text):f}"
        return f"{text}s"
    parts: list[str] = []
    left = int(seconds)
    # weeks are read but not written: "7d" is how the contract says it
    for unit in "dhms":
        count, left = divmod(left, _SECONDS[unit])
        if count:
            parts.append(f"{count}{unit}")
    return "".join(parts) or "0s"


def format_duration(seconds: float) -> str:
    """Return a duration for people, at most two units, rounded down: `45s`, `3h12m`, `2d04h`."""
    if math.isnan(seconds):
        return "?"
    if seconds < 0:
        short = format_duration(-seconds)
        return short if short == "0s" else f"-{short}"
    if math.isinf(seconds):
        return "∞"
    if seconds < 1:
        tenths = int(seconds * 10)
        return f"0.{tenths}s" if tenths else "0s"
    return _rounded_down(int(seconds))


def parse_size(value: object) -> int:
    """Return the bytes of `"500MB"` (decimal), `"2GiB"` (binary), `"1.5 GB"` or whole bytes.

    Raises:
        ValueError: it is something else, negative, or more than can be counted.
    """
    size: int | None = None
    if isinstance(value, int) and not isinstance(value, bool):
        size = value
    elif isinstance(value, str) and (found := re.fullmatch(_SIZE, value.strip())):
        number, unit = found.groups()
        factor = _BYTES_ANY_CASE.get(unit.lower() or "b")
        if factor is not None and (unit or "." not in number):
            numerator, denominator = _exactly(number)
            size, rest = divmod(numerator * factor, denominator)
            size += (2 * rest, size % 2) > (denominator, 0)  # a half goes to the even one
    if size is None or size < 0:
        raise ValueError(SIZE_ALLOWED)
    if size > MAX_SIZE:
        raise ValueError(f"a size up to {MAX_SIZE} bytes")
    return size


def size_text(size: int) -> str:
    """Return a size exactly, in the largest unit that divides it: `500MB`, `2GiB`, `1234B`.

    Raises:
        ValueError: it is negative.
    """
    if size < 0:
        raise ValueError(SIZE_ALLOWED)
    exact = [(factor, unit) for unit, factor in _BYTES.items() if size and size % factor == 0]
    factor, unit = max(exact, default=(1, "B"))
    return f"{size // factor}{unit}"


def format_size(size: float) -> str:
    """Return a size for people: one decimal, decimal units: `121.0 GB`, `512 B`."""
    if not math.isfinite(size):
        return "?"
    sign, left = ("-", -size) if size < 0 else ("", float(size))
    if round(left) < 1000:
        return f"{sign}{round(left)} B" if round(left) else "0 B"
    unit = ""
    for unit in ("kB", "MB", "GB", "TB", "PB", "EB"):  # noqa: B007 - the last one is wanted
        left /= 1000
        # what rounds to 1000.0 belongs to the next unit
        if round(left, 1) < 1000:
            break
    return f"{sign}{left:.1f} {unit}"


def parse_percent(value: object) -> float:
    """Return a percentage of 0 to 100, from a number, `"85"` or `"85.5%"`.

    Raises:
        ValueError: it is something else or outside.
    """
    percent = math.nan
    if isinstance(value, int | float) and not isinstance(value, bool):
        percent = float(min(max(value, -1), 101))
    elif isinstance(value, str) and (found := re.fullmatch(_PERCENT, value.strip())):
        percent = float(found[1])
    if not 0 <= percent <= 100:
        raise ValueError(PERCENT_ALLOWED)
    return percent


def format_percent(percent: float) -> str:
    """Return a percentage for people, with one decimal; compare the number, never this text."""
    return f"{percent:.1f}%" if math.isfinite(percent) else "?"


def _rounded_down(whole: int) -> str:
    for limit, unit, small in ((600, "m", "s"), (86_400, "h", "m"), (14 * 86_400, "d", "h")):
        if whole < _SECONDS[unit]:
            return f"{whole // _SECONDS[small]}{small}"
        if whole < limit:
            rest = whole % _SECONDS[unit] // _SECONDS[small]
            return f"{whole // _SECONDS[unit]}{unit}{rest:02d}{small}"
    return f"{whole // _SECONDS['d']}d"


def _duration(text: str) -> float | None:
    if re.fullmatch(_WHOLE, text):
        return int(text)
    found = re.fullmatch(_DURATION, text)
    if not text or found is None:
        return None
    total, parts = 0, 1
    for number, (seconds, per) in zip(found.groups(), _PARTS, strict=True):
        if number:
            numerator, denominator = _exactly(number)
            numerator, denominator = numerator * seconds, denominator * per
            total, parts = total * denominator + numerator * parts, parts * denominator
    return total / parts if total <= MAX_DURATION * parts else total // parts + 1


def _exactly(number: str) -> tuple[int, int]:
    """Return a decimal number as a fraction: `"1.5"` is 15 over 10.

    Python's own fractions would bring half a MiB of decimal arithmetic along.
    """
    whole, _, decimals = number.partition(".")
    return int(whole + decimals), 10 ** len(decimals)


def median(values: Sequence[float]) -> float:
    """Return the middle one of some numbers, or the mean of the middle two.

    The one of the standard library is loaded with a megabyte of statistics.
    """
    ordered, half = sorted(values), len(values) // 2
    return ordered[half] if len(ordered) % 2 else (ordered[half - 1] + ordered[half]) / 2
