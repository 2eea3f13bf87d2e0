"""No more than so many files a second, so that a slow disk has time for others."""

from __future__ import annotations

import threading
from collections.abc import Callable
from typing import Final

from healmon.clock import process_seconds

LEAST: Final = 0.01
"""Seconds below which waiting is put off: sleeping is no more exact than that."""
NAP: Final = 0.1
"""Seconds after which it is asked again whether to stop."""


class Pace:
    """Says how long to wait. Pure.

    Args:
        per_second: how many may go in a second; 0: any number.
    """

    def __init__(self, per_second: int) -> None:
        self._gap = 1 / per_second if per_second else 0.0
        self._next = 0.0

    def after(self, now: float) -> float:
        """Count one that went at `now`; returns seconds to wait before the next may go.

        Time that was lost is not made up for: after a stall they do not come in a rush.
        """
        self._next = max(self._next, now) + self._gap
        wait = self._next - now
        return wait if wait >= LEAST else 0.0


class Pacing:
    """Waits as the pace says, in the thread that takes the files.

    Args:
        per_second: how many may go in a second; 0: any number.
        stop: True ends the waiting, and everything else.
    """

    def __init__(self, per_second: int, stop: Callable[[], bool]) -> None:
        self._pace = Pace(per_second) if per_second else None
        self.stop = stop

    def rest(self) -> None:
        """Wait after a file that went."""
        if self._pace is None:
            return
        now = process_seconds()
        until = now + self._pace.after(now)
        never = threading.Event()
        while now < until and not self.stop():
            never.wait(min(NAP, until - now))
            now = process_seconds()
