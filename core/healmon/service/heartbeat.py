"""The dead-man's switch: each finished round leaves a sign that others can miss.

A row in the store, a file in the state directory, and a ping of a checker outside, if one is
configured. Whoever looks after the box watches the sign's age: a monitor cannot tell of its own
death. The store's thread leaves the file once the row is there: that wakes nobody.
"""

from __future__ import annotations

import asyncio
import json
import logging
import threading
from collections.abc import Awaitable, Callable
from contextlib import suppress
from pathlib import Path
from typing import Final

from healmon import events as ev
from healmon.clock import Clock, boot_id, format_utc
from healmon.errors import ProbeError
from healmon.events import Recorded
from healmon.state.views import CycleView
from healmon.world import httpget, notes
from healmon.world.hands import Hands

_log = logging.getLogger(__name__)

FILE: Final = "healmon.heartbeat"
"""In the state directory: JSON with `at` (UTC), `round`, `interval` (seconds), and of the same
moment `boot` (the id of the boot) and `boot_seconds` (`CLOCK_BOOTTIME`): they tell its age though
the wall clock was set."""
PING_TIMEOUT: Final = 10.0
PING_EVERY: Final = 30.0
"""Seconds between two pings at least: rounds may be closer together."""
MISSED: Final = 3
"""Pings in a row that fail before it is an alert."""

Ping = Callable[[str, float], Awaitable[int]]


async def ping(url: str, timeout: float) -> int:  # noqa: ASYNC109 - the caller's patience
    """Return the status that an outside checker answers with; its certificate must be right.

    Raises:
        ProbeError: there is no answer.
    """
    return await httpget.status_of(url, timeout, verified=True)


class Heartbeat:
    """Beats after each finished round.

    Args:
        state_dir: where the file is.
        url: of the checker outside; empty: none.
        interval: seconds between rounds.
        clock: the engine's.
        complain: called with what is wrong with the checker, and with nothing once it answers.
        cycle: returns the newest round; from any thread.
        ping: asks a URL.
    """

    def __init__(
        self,
        state_dir: Path,
        url: str,
        interval: float,
        clock: Clock,
        complain: Callable[[str], None],
        cycle: Callable[[], CycleView],
        ping: Ping = ping,
    ) -> None:
        self._path = state_dir / FILE
        self._url = url
        self._interval = interval
        self._clock = clock
        self._complain = complain
        self._cycle = cycle
        self._ping = ping
        self._hands = Hands("heartbeat")
        self._boot = boot_id()
        self._missed = 0
        self._pinged = float("-inf")
        self._signing = threading.Lock()
        self._signed = 0.0  # when the round had finished whose sign was left last
        self._faulted = False
        self._beat = asyncio.Event()

    def heard(self, record: Recorded) -> None:
        """Take note of a round, and of a store that stores none; from the engine's loop."""
        event = record.event
        if isinstance(event, ev.StoreFaulted | ev.StoreRecovered):
            self._faulted = isinstance(event, ev.StoreFaulted)
        if self._faulted or (self._url and isinstance(event, ev.CycleFinished)):
            self._beat.set()

    def stored(self) -> None:
        """Leave the sign of the newest round that has finished, if it is not there; may block."""
        cycle = self._cycle()
        with self._signing:
            if cycle.finished_at == self._signed:
                return
            number, now = cycle.number - cycle.running, self._clock.read()
            told = {
                "at": format_utc(cycle.finished_at),
                "round": number,
                "interval": self._interval,
                "boot": self._boot,
                "boot_seconds": round(now.boot - (now.wall - cycle.finished_at), 3),
            }
            try:
                notes.rewrite_record(self._path, json.dumps(told).encode())
            except OSError as error:
                # the old file's age says the same, and a full disk has an alert of its own
                _log.warning("the heartbeat cannot be written: %s", error)
            self._signed = cycle.finished_at

    def amend(self, url: str, interval: float) -> None:
        """Ask another checker, or tell of another interval, from the next round on."""
        if url != self._url:
            self._url, self._missed, self._pinged = url, 0, float("-inf")
            self._complain("")
        self._interval = interval

    async def run(self) -> None:
        """Beat where the store does not, until cancelled: to the checker, and beside a fault."""
        while True:
            await self._beat.wait()
            self._beat.clear()
            if self._faulted:
                with suppress(ProbeError):  # it hangs: the old file's age says the same
                    await self._hands.call(self.stored)
            await self._tell()

    async def _tell(self) -> None:
        now = self._clock.read().steady
        if not self._url or now - self._pinged < PING_EVERY:
            return
        self._pinged = now
        try:
            status = await self._ping(self._url, PING_TIMEOUT)
            wrong = "" if 200 <= status < 300 else f"it answers with status {status}"
        except ProbeError as error:
            wrong = str(error)
        self._missed = self._missed + 1 if wrong else 0
        if not wrong:
            self._complain("")
        elif self._missed >= MISSED:
            self._complain(wrong)
