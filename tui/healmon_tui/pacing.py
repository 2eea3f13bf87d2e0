"""When to draw: events are gathered for a moment, and while they stream they are folded in sips.

When nothing happens it is drawn once a second, for ages and countdowns. That second is counted
from the last drawing: what happens once a second is then all there is to draw, not half of it. The
look at what is on the screen goes along with a drawing, too, so that one drawing shows it all.
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from contextlib import suppress
from contextvars import Context, copy_context
from typing import Final

from healmon.clock import process_seconds
from healmon_tui.bridge import Bridge

PAUSE: Final = 0.1
"""Seconds over which events are gathered before they are drawn."""
STREAM: Final = 0.25
"""Seconds between drawings while events stream: no eye follows more, and keys wait for none."""
SIP: Final = 0.04
"""Seconds between two folds while events stream: all at once would keep a key waiting."""
TICK: Final = 1.0
"""Seconds between drawings when nothing happens: ages and countdowns."""
LATE: Final = 0.05
"""Seconds by which a loop may be late and the seconds still be counted from when they were due."""


class Pacing:
    """Draws once for many events, and once a second.

    Args:
        bridge: where they wait.
        draw: folds what waits and draws.
        look: looks again at what is on the screen; about once a second.

    Attributes:
        gathering: a drawing will come in a moment.
    """

    def __init__(
        self, bridge: Bridge, draw: Callable[[], None], look: Callable[[], None] = lambda: None
    ) -> None:
        self.gathering = False
        self._bridge = bridge
        self._draw = draw
        self._look = look
        self._drawn = 0.0
        self._looked = 0.0
        self._sips = False
        self._loop: asyncio.AbstractEventLoop | None = None
        self._context: Context | None = None
        self._next: asyncio.TimerHandle | None = None

    def begin(self) -> None:
        """Draw once a second from now on, and let `wake` be heard. From the screen's loop."""
        self._loop, self._context = asyncio.get_running_loop(), copy_context()
        self._again(process_seconds() + TICK)

    def end(self) -> None:
        """Draw no more by itself."""
        self._loop = None
        if self._next is not None:
            self._next.cancel()

    def drawn(self) -> None:
        """Take note that it is drawn now."""
        self._drawn = process_seconds()

    @property
    def since(self) -> float:
        """Seconds since the last drawing."""
        return process_seconds() - self._drawn

    def wake(self) -> None:
        """Let `woken` be called. From any thread."""
        # a message of Textual's is a queue, a task and a search for who handles it
        with suppress(RuntimeError):  # the loop has ended: nobody draws any more
            if self._loop is not None:
                self._loop.call_soon_threadsafe(self.woken, context=self._context)

    def woken(self) -> None:
        """Gather for a moment, then draw once. From the screen's loop."""
        if not self.gathering:
            self.gathering = True
            self._look_if(TICK - LATE)
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

    def _again(self, due: float) -> None:
        if self._loop is not None:
            wait = max(due - process_seconds(), 0.0)
            self._next = self._loop.call_later(wait, self._tick, due)

    def _tick(self, due: float) -> None:
        if self.gathering:
            self._look_if(TICK - LATE)
            self._again(due + TICK + PAUSE)
        elif self._drawn + TICK > due + LATE:
            # the look goes along with what is drawn next, unless that is far off
            self._look_if(TICK + PAUSE)
            self._again(self._drawn + TICK)
        else:
            self._look_if(TICK - LATE)
            late = process_seconds() - due
            self._again((due if late < LATE else process_seconds()) + TICK)
            self._draw()

    def _look_if(self, since: float) -> None:
        now = process_seconds()
        if now - self._looked >= since:
            self._looked = now
            self._look()
