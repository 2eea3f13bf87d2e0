"""In which order pytest-xdist's workers begin tests: those that wait long first.

With `--dist worksteal` every worker is given one range of the collected list, all of about the same
length, and runs it from its beginning; whoever comes to the end of its own takes half of what is
left at the end of the longest. A test of a minute that stands at the end of a range is begun last,
and the suite lasts that minute longer, while the other processors have nothing to do. So what is
marked `long` is dealt out over every second range and stands at its beginning: the other workers
give the processors something to do meanwhile. All else keeps its order.

The workers are told numbers of tests, not names: each of them must make the same list.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import TypeVar

T = TypeVar("T")


def ranges(count: int, workers: int) -> list[int]:
    """Return how many tests each worker is given at first: as `worksteal` does it."""
    sizes: list[int] = []
    for left in range(workers, 0, -1):
        sizes.append((count - sum(sizes)) // left)
    return sizes


def dealt(tests: Sequence[T], seconds: Sequence[float], workers: int) -> list[T]:
    """Return tests in an order in which the long ones begin first, on all workers alike.

    Args:
        tests: as they were collected.
        seconds: how long each lasts, if it is a long one; 0: it is not.
        workers: how many run them.
    """
    sizes = ranges(len(tests), workers)
    heads: list[list[int]] = [[] for _ in range(workers)]
    lasts = [0.0] * workers
    longest_first = sorted(range(len(tests)), key=lambda n: -seconds[n])
    for number in longest_first:
        if not seconds[number]:
            break
        # whoever has least to do, of those with room: the smallest of runs leave little
        room = [n for n in range(workers) if len(heads[n]) < sizes[n]]
        to = min([n for n in room if n % 2 == 0] or room, key=lambda n: lasts[n])
        heads[to].append(number)
        lasts[to] += seconds[number]
    others = iter([number for number, long in enumerate(seconds) if not long])
    order = [
        number
        for head, size in zip(heads, sizes, strict=True)
        for number in (*head, *(next(others) for _ in range(size - len(head))))
    ]
    return [tests[number] for number in order]
