"""Noticing that the state directory's name leads to another directory, as a cycle begins.

Somebody removed it or moved it away: our locks are on what has no such name any more, so a second
healer can begin under that name. Until one has, the name is taken again; once one has, there is to
be one, and it is that one: its state is what the name leads to. One that does a single thing there
(`once`, an import) is waited for.
"""

from __future__ import annotations

import logging
import os
from collections.abc import Callable
from contextlib import suppress
from pathlib import Path

from healmon.events import CycleStarted, Recorded
from healmon.service import instance
from healmon.service.instance import PASSING

_log = logging.getLogger(__name__)


class Ousted:
    """Ends a healer in whose place another one has begun.

    Args:
        state_dir: of the healer, which has just locked it.
        lock: its right to heal there.
        stop: ends it in order; told why.
    """

    def __init__(self, state_dir: Path, lock: instance.Lock, stop: Callable[[str], object]) -> None:
        self._state_dir = state_dir
        self._lock = lock
        self._stop = stop
        self._place = _place(state_dir)

    def heard(self, record: Recorded) -> None:
        """Look at the name when a cycle begins."""
        if not isinstance(record.event, CycleStarted) or _place(self._state_dir) in {
            self._place, None,
        }:  # fmt: skip
            return
        found = instance.holder(self._state_dir)
        if found is None:
            with suppress(OSError):
                self._lock.mend()
        elif found.pid not in {0, os.getpid()} and found.mode not in {"", *PASSING}:
            why = f"{self._state_dir} was removed or moved away, and {found} heals there now"
            _log.critical("%s: this healer ends, workers stay up", why)
            self._stop(why)


def _place(path: Path) -> tuple[int, int] | None:
    """Return which directory bears a name; None: none does, or that cannot be told now."""
    try:
        found = path.stat()
    except OSError:
        return None
    return found.st_dev, found.st_ino
