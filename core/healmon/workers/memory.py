"""What a worker uses over time: how much is too much, and where it is heading. Pure.

The slope is Theil–Sen's: the median of the slopes between all pairs of samples. A single peak, a
cache that fills once or a child that came and went does not move it.
"""

from __future__ import annotations

import itertools
from collections.abc import Sequence
from typing import Final

import msgspec
from msgspec.structs import replace

from healmon.units import median
from healmon.workers.model import Use

SPAN: Final = 3600.0
"""Seconds of samples that a slope is made of."""
SAMPLE_EVERY: Final = 54.0
"""Seconds between two samples at least: an hour is at most 67 of them, however often one looks."""
COUNT_EVERY: Final = 10.0
"""Seconds between two looks that count as "in a row": a burst of looks is one."""
LEAST_SAMPLES: Final = 10
LEAST_SPAN: Final = 600.0
"""Seconds. With fewer samples, or over a shorter time, there is no slope."""

Sample = tuple[float, float]
"""Steady seconds and bytes."""


class Usage(msgspec.Struct, frozen=True):
    """What is remembered of one process that is a worker.

    Attributes:
        use: what the newest look says.
        counted_at: steady time of the look that `use.over` was last counted by.
        samples: of the last hour, oldest first.
    """

    use: Use = Use()
    counted_at: float = float("-inf")
    samples: tuple[Sample, ...] = ()


def taken(usage: Usage, steady: float, sizes: Sequence[int], limit: int | None) -> Usage:
    """Return what is known of a worker's memory after one more look.

    Args:
        usage: before.
        steady: when the look was.
        sizes: resident bytes of each process of its tree.
        limit: bytes that all of them may have; None: no limit.
    """
    rss, over, counted = sum(sizes), usage.use.over, usage.counted_at
    if limit is None or rss <= limit:
        over, counted = 0, steady
    elif steady - counted >= COUNT_EVERY or not over:
        over, counted = over + 1, steady
    samples, slope = usage.samples, usage.use.slope
    if not samples or steady - samples[-1][0] >= SAMPLE_EVERY:
        samples = (*(s for s in samples if s[0] > steady - SPAN), (steady, float(rss)))
        slope = theil_sen(samples)
    use = Use(processes=len(sizes), rss=rss, over=over, slope=slope)
    return replace(usage, use=use, counted_at=counted, samples=samples)


def theil_sen(samples: Sequence[Sample]) -> float | None:
    """Return bytes an hour; None with too few samples or over too short a time."""
    if len(samples) < LEAST_SAMPLES or samples[-1][0] - samples[0][0] < LEAST_SPAN:
        return None
    slopes = [
        (later - earlier) / (end - begin)
        for (begin, earlier), (end, later) in itertools.combinations(samples, 2)
        if end > begin
    ]
    return median(slopes) * 3600.0
