"""What workers say about themselves: a FIFO that each writes its name, pid and ready time to.

Their own clock reading is what counts (CLOCK_MONOTONIC is one for all processes), so how late the
benchmark reads it changes nothing, and no supervisor is asked anything.
"""

from __future__ import annotations

import os
import select
import time
from collections.abc import Callable, Collection
from pathlib import Path
from typing import NamedTuple

COARSE = 0.02
"""Seconds between two reads while many workers start: the reader must not take their core."""


class Birth(NamedTuple):
    """One worker that became ready, at `at` nanoseconds of CLOCK_MONOTONIC."""

    name: str
    pid: int
    at: int


class TroubleError(Exception):
    """A contestant did not do what it is there for; the text says what."""


class Stamps:
    """The newest birth of every worker.

    Args:
        path: of the FIFO that is made.

    Attributes:
        newest: by name.
        count: births ever.
    """

    def __init__(self, path: Path) -> None:
        os.mkfifo(path, 0o600)
        self.path = path
        self.newest: dict[str, Birth] = {}
        self.count = 0
        self._rest = b""
        # also for writing: a moment without workers is no end of file
        self._fd = os.open(path, os.O_RDWR | os.O_NONBLOCK)

    def close(self) -> None:
        """Stop reading; workers that live on end by themselves."""
        os.close(self._fd)

    def read(self) -> None:
        """Take in what has been written so far."""
        while True:
            try:
                data = os.read(self._fd, 1 << 16)
            except BlockingIOError:
                return
            *lines, self._rest = (self._rest + data).split(b"\n")
            for line in lines:
                name, pid, at = line.split()
                self.newest[name.decode()] = Birth(name.decode(), int(pid), int(at))
                self.count += 1

    def wait(
        self,
        names: Collection[str],
        since: int,
        limit: float,
        alive: Callable[[], str] = str,
    ) -> list[Birth]:
        """Return the births after `since` of all these workers, in order of time.

        Args:
            names: who must be born.
            since: nanoseconds of CLOCK_MONOTONIC.
            limit: seconds to wait.
            alive: asked once a second; a text means that waiting is in vain, and why.

        Raises:
            TroubleError: they were not, in time.
        """
        end = time.monotonic() + limit
        asked = time.monotonic()
        missing = set(names)
        while True:
            self.read()
            missing = {n for n in missing if n not in self.newest or self.newest[n].at < since}
            if not missing:
                return sorted((self.newest[n] for n in names), key=lambda birth: birth.at)
            now = time.monotonic()
            if now - asked > 1.0:
                asked = now
                if why := alive():
                    raise TroubleError(why)
            if now > end:
                some = ", ".join(sorted(missing)[:3])
                raise TroubleError(f"{len(missing)} not ready in {limit:g} s: {some}")
            if len(missing) > 1:
                time.sleep(COARSE)
            else:
                select.select([self._fd], [], [], 1.0)
