"""Waiting for a condition instead of hoping."""

from __future__ import annotations

import time
from collections.abc import Callable
from typing import TypeVar

T = TypeVar("T")


def until(condition: Callable[[], T], limit: float = 10.0, what: str = "the condition") -> T:
    """Return the first true answer of `condition`; fail the test after `limit` seconds."""
    end = time.monotonic() + limit
    while True:
        answer = condition()
        if answer:
            return answer
        if time.monotonic() > end:
            message = f"{what} did not come true within {limit:g} s"
            raise AssertionError(message)
        time.sleep(0.01)
