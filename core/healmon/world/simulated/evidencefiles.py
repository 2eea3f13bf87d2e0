"""Stored evidence in memory."""

from __future__ import annotations

from healmon.clock import Clock
from healmon.world.evidencefiles import (
    COUNT_LIMIT,
    FILE_LIMIT,
    TOTAL_LIMIT,
    EvidenceError,
    file_name,
)


class SimulatedEvidenceFiles:
    """Everything healmon does with stored evidence, against a folder in memory.

    Args:
        clock: when something is written.

    Attributes:
        stored: when each was written, and its bytes, by its id.
        fault: why nothing can be written, or empty.
    """

    def __init__(self, clock: Clock) -> None:
        self._clock = clock
        self.stored: dict[str, tuple[float, bytes]] = {}
        self.fault = ""

    def write(self, ident: str, data: bytes) -> None:
        """Store one evidence, instead of what was stored of it before."""
        file_name(ident)
        if len(data) > FILE_LIMIT:
            raise EvidenceError(f"evidence {ident} has {len(data)} bytes, more than {FILE_LIMIT}")
        if self.fault:
            raise EvidenceError(f"evidence cannot be stored: {self.fault}")
        self.stored.pop(ident, None)
        self.stored[ident] = (self._clock.read().wall, data)

    def read(self, ident: str) -> bytes | None:
        """Return one stored evidence; None when there is none."""
        file_name(ident)
        found = self.stored.get(ident)
        return None if found is None else found[1]

    def idents(self) -> tuple[str, ...]:
        """Return the ids of all stored evidence, the newest first."""
        return tuple(reversed(self.stored))

    def prune(self, before: float) -> None:
        """Remove what is too old, and the oldest of what is too much."""
        total = 0
        for number, ident in enumerate(self.idents()):
            at, data = self.stored[ident]
            total += len(data)
            if at < before or number >= COUNT_LIMIT or total > TOTAL_LIMIT:
                del self.stored[ident]
