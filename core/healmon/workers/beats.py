"""How old a sign of life is, whatever becomes of the wall clock."""

from __future__ import annotations

from healmon.clock import Reading, Steps, age
from healmon.config.settings import Worker
from healmon.world import farfiles

CLOCK_GRAIN = 0.05
"""Seconds that file times and process ages are coarse."""


class Beats:
    """The heartbeat files of workers; remembers when each beat was first seen."""

    def __init__(self) -> None:
        self._seen: dict[str, tuple[float, float, float]] = {}

    def age(
        self, worker: Worker, now: Reading, steps: Steps = ()
    ) -> tuple[float | None, float | None]:
        """Return when a worker last showed life (wall), and how long ago that is; may block.

        `steps` tells when the clock was set.

        Once a beat has been seen its age grows with steady time: neither a clock that is set nor
        a suspended host makes a worker look silent.

        Returns:
            Twice None when it has no heartbeat file; no time and an endless age when there is none.

        Raises:
            ProbeError: it cannot be told.
        """
        if not worker.heartbeat_file:
            return None, None
        beat = farfiles.changed_at(worker.heartbeat_file)
        if beat is None:
            self._seen.pop(worker.name, None)
            return None, float("inf")
        known = self._seen.get(worker.name)
        if known is None or known[0] != beat:
            known = (beat, now.steady, age(steps, beat, now.wall))
            self._seen[worker.name] = known
        return beat, known[2] + (now.steady - known[1])
