"""Waiting for a condition instead of hoping."""

from __future__ import annotations

import time
from collections.abc import Callable
from typing import TypeVar

T = TypeVar("T")
PAUSE = 0.01
"""Seconds between two questions that cost nothing."""
SPARED = 0.1
"""Seconds between two questions at most, whatever they cost."""


def until(condition: Callable[[], T], limit: float = 30.0, what: str = "the condition") -> T:
    """Return the first true answer of `condition`; fail the test after `limit` seconds.

    The limit is for what hangs, not for what is slow: it costs a test that passes nothing.

    A question that starts a process or reads all of them is asked less often: what is waited for
    needs the processor, too.
    """
    end = time.monotonic() + limit
    while True:
        asked = time.monotonic()
        answer = condition()
        if answer:
            return answer
        now = time.monotonic()
        if now > end:
            message = f"{what} did not come true within {limit:g} s"
            raise AssertionError(message)
        time.sleep(min(max(PAUSE, 3 * (now - asked)), SPARED))
