"""What a check is asked about, what it may use, and what it answers."""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from dataclasses import dataclass
from pathlib import Path
from typing import NamedTuple

from healmon.clock import Clock
from healmon.config.settings import Worker
from healmon.workers.beats import Beats
from healmon.world.hands import Hands
from healmon.world.ports import Ports
from healmon.world.processes import Identity, Processes

SLACK = 5.0
"""Seconds beyond its own patience that a check may take: a file system may hang, a thread work."""


class Outcome(NamedTuple):
    """What one check says.

    Attributes:
        ok: whether it passed; None: it cannot be told, and nothing follows from it.
        text: what it showed, for people.
        young: it cannot be told yet, and that is as it should be.
    """

    ok: bool | None
    text: str
    young: bool = False


Checker = Callable[[], Awaitable[Outcome]]
"""Makes one check. It never raises for what it finds, and ends by itself."""


@dataclass(frozen=True, slots=True)
class Subject:
    """A process that is a worker.

    Attributes:
        worker: its settings.
        identity: who it is.
        born: wall seconds since when it is.
        log: its output.
        log_offset: bytes that were in there before.
        beat: wall seconds of the newest sign of life before it was started; None: there was none,
            or it is not known.
    """

    worker: Worker
    identity: Identity
    born: float
    log: Path
    log_offset: int = 0
    beat: float | None = None


@dataclass(frozen=True, slots=True)
class Doors:
    """What a check may use.

    Attributes:
        processes: the door.
        ports: the door; None: nothing is known of ports.
        clock: all time.
        hands: a thread for what may hang.
        beats: heartbeats as they were first seen.
        kin: all that belonged to a worker at the newest look; cheap.
        tree: the same by a look now; may block.
    """

    processes: Processes
    ports: Ports | None
    clock: Clock
    hands: Hands
    beats: Beats
    kin: Callable[[str], frozenset[Identity]]
    tree: Callable[[Identity], frozenset[Identity]]
