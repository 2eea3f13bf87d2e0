"""Telling the service manager how we are: sd_notify(3), spoken by ourselves.

One datagram each to the socket named in `$NOTIFY_SOCKET`. Nothing here ever fails: a manager that
does not listen is none. The variables are taken out of the environment, for our workers are not
the service: their words must not count as ours.
"""

from __future__ import annotations

import os
import socket
from collections.abc import Callable, MutableMapping
from contextlib import suppress
from typing import Final

from healmon.clock import Clock, process_seconds
from healmon.events import CycleFinished, Recorded
from healmon.state import Snapshot
from healmon.text import clean

VARIABLES: Final = ("NOTIFY_SOCKET", "WATCHDOG_USEC", "WATCHDOG_PID")
HUNG_AFTER: Final = 3
"""Intervals without a finished cycle, and a minute, after which a healer hangs (`--status`)."""
SLACK: Final = 60.0
STATUS: Final = 200
"""Characters of a status line."""


class Notifier:
    """The way to the service manager.

    Args:
        address: of its socket; a leading `@` is the abstract one; empty: nobody listens.
        watchdog: seconds within which it wants to hear of us; 0: it does not.

    Attributes:
        main_pid: the process that is the service, when it is not the one that was started; 0: it
            is.
    """

    def __init__(self, address: str = "", watchdog: float = 0.0) -> None:
        self._address = f"\0{address[1:]}" if address.startswith("@") else address
        self.watchdog = watchdog if address else 0.0
        self.main_pid = 0
        self._status = ""
        self._stopping = False

    @classmethod
    def take(cls, environ: MutableMapping[str, str]) -> Notifier:
        """Return the way that the environment names, and take it out of there."""
        address, period, pid = (environ.pop(name, "") for name in VARIABLES)
        if not address.startswith(("/", "@")):
            return cls()
        mine = not pid or pid == str(os.getpid())
        microseconds = int(period) if mine and period.isascii() and period.isdigit() else 0
        return cls(address, microseconds / 1e6)

    @property
    def listens(self) -> bool:
        """Whether anybody was named."""
        return bool(self._address)

    def send(self, *lines: str) -> None:
        """Say something; never waits, never fails."""
        if not self._address:
            return
        if self.main_pid:
            lines = (*lines, f"MAINPID={self.main_pid}")
        kind = socket.SOCK_DGRAM | socket.SOCK_NONBLOCK | socket.SOCK_CLOEXEC
        with suppress(OSError, ValueError), socket.socket(socket.AF_UNIX, kind) as way:
            way.sendto("\n".join(lines).encode("utf-8", "replace"), self._address)

    def ready(self) -> None:
        """We are up, or have read our configuration again."""
        if not self._stopping:
            self.send("READY=1", *self._told())

    def status(self, text: str) -> None:
        """Say in one line how we are, where that is new."""
        text = clean(text, limit=STATUS)
        if text != self._status and not self._stopping:
            self._status = text
            self.send(*self._told())

    def _told(self) -> tuple[str, ...]:
        return (f"STATUS={self._status}",) if self._status else ()

    def alive(self) -> None:
        """The engine lives."""
        self.send("WATCHDOG=1")

    def reloading(self) -> None:
        """Our configuration is being read again; `ready` follows."""
        if not self._stopping:
            self.send("RELOADING=1", f"MONOTONIC_USEC={int(process_seconds() * 1e6)}")

    def stopping(self) -> None:
        """We end; nothing but that is said any more."""
        self._stopping = True
        self._status = ""
        self.send("STOPPING=1", "STATUS=finishing the current action; workers stay up")


def headline(snapshot: Snapshot) -> str:
    """Return how everything is, in one line. Pure."""
    open_alerts = [a for a in snapshot.alerts.values() if a.state in {"open", "acknowledged"}]
    critical = sum(a.severity == "CRITICAL" for a in open_alerts)
    watched = len(snapshot.components)
    text = f"looks after {watched} component{'s' * (watched != 1)}"
    if snapshot.engine.dry_run:
        text = f"dry run: {text}"
    if not open_alerts:
        return f"{text}, nothing is wrong"
    worst = max(open_alerts, key=lambda a: (a.severity == "CRITICAL", a.id))
    often = f"{len(open_alerts)} alert{'s' * (len(open_alerts) != 1)}"
    level = f" ({critical} CRITICAL)" if critical else ""
    return f"{text}, {often}{level}: {worst.component}: {worst.message}"


def beats(snapshot: Snapshot, since: float, now: float) -> bool:
    """Return whether the engine finishes its cycles. Pure.

    Args:
        snapshot: as the engine has it.
        since: steady seconds at which the newest cycle finished, or the engine began.
        now: steady seconds.
    """
    return now - since <= HUNG_AFTER * snapshot.engine.interval + SLACK


class Pulse:
    """Keeps the watchdog quiet while, and only while, the engine's cycles finish.

    It lives in the engine's own loop: what blocks that keeps it from speaking, too.
    """

    def __init__(self, notifier: Notifier, clock: Clock, snapshot: Callable[[], Snapshot]) -> None:
        self._notifier = notifier
        self._clock = clock
        self._snapshot = snapshot
        self._since = clock.read().steady
        self._up = False

    def heard(self, record: Recorded) -> None:
        """Take in that a cycle has finished; the first one proves that we are up."""
        if not self._notifier.listens or not isinstance(record.event, CycleFinished):
            return
        self._since = self._clock.read().steady
        self._notifier.status(headline(self._snapshot()))
        if not self._up:
            self._up = True
            self._notifier.ready()

    async def run(self) -> None:
        """Speak at half the time that the manager waits, until cancelled."""
        if not self._notifier.watchdog:
            return
        while True:
            if beats(self._snapshot(), self._since, self._clock.read().steady):
                self._notifier.alive()
            await self._clock.sleep(self._notifier.watchdog / 2)
