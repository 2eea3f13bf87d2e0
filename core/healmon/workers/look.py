"""One worker at one moment: all that judging it needs. Data only."""

from __future__ import annotations

from dataclasses import dataclass

import msgspec

from healmon.clock import Reading
from healmon.config.settings import Ready, Worker
from healmon.workers.causes import Configured
from healmon.workers.model import Goal, Match, WorkerSeen
from healmon.world.processes import Identity


@dataclass(frozen=True, slots=True, kw_only=True)
class Look:
    """A look at one worker.

    Attributes:
        configured: its settings, and digests of them.
        one: what was seen.
        now: when.
        boot: id of this boot.
        run: when this run of healmon began, to count restarts by.
        jitter: spread of the delays.
        goal: what is wanted of it.
        match: the process that is the worker.
    """

    configured: Configured
    one: WorkerSeen
    now: Reading
    boot: str
    run: float
    jitter: float
    goal: Goal = "up"
    match: Match | None = None

    @property
    def worker(self) -> Worker:
        """Its settings."""
        return self.configured.worker

    @property
    def identity(self) -> Identity | None:
        """Who the worker is; None when none lives."""
        return self.match.facts.identity if self.match is not None else None


def probe_key(probe: Ready) -> str:
    """Return what tells one check from another, as it may be written down."""
    return msgspec.json.encode(probe).decode()
