"""When to draw: events are gathered for a moment, and while they stream they are folded in sips."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from typing import Final

from healmon.clock import process_seconds
from healmon_tui.bridge import Bridge

PAUSE: Final = 0.1
"""Seconds over which events are gathered before they are drawn."""
STREAM: Final = 0.25
"""Seconds between drawings while events stream: no eye follows more, and keys wait for none."""
SIP: Final = 0.04
"""Seconds between two folds while events stream: all at once would keep a key waiting."""


class Pacing:
    """Draws once for many events.

    Args:
        bridge: where they wait.
        draw: folds what waits and draws.

    Attributes:
        gathering: a drawing will come in a moment.
    """

    def __init__(self, bridge: Bridge, draw: Callable[[], None]) -> None:
        self.gathering = False
        self._bridge = bridge
        self._draw = draw
        self._drawn = 0.0
        self._sips = False

    def drawn(self) -> None:
        """Take note that it is drawn now."""
        self._drawn = process_seconds()

    @property
    def since(self) -> float:
        """Seconds since the last drawing."""
        return process_seconds() - self._drawn

    def woken(self) -> None:
        """Gather for a moment, then draw once. From the screen's loop."""
        if not self.gathering:
            self.gathering = True
            self._gather(process_seconds() + max(PAUSE, STREAM - self.since))

    def _gather(self, until: float) -> None:
        left = until - process_seconds()
        if left <= 0:
            self.gathering, self._sips = False, self._bridge.streams
            self._draw()
            return
        if self._bridge.streams:
            self._bridge.fold()
            self._sips = True
        # a timer of Textual's is a task and two messages
        later = min(left, SIP) if self._sips else left
        asyncio.get_running_loop().call_later(later, self._gather, until)
