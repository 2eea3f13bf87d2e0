"""How a cleaning ends before its time: after the file in hand, and what went is on record."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(slots=True)
class Halt:
    """What an act is told while it goes on; read by the thread that takes files.

    Attributes:
        reason: why it is to end, in words; empty: it goes on.
        begun: it has said what it is about to do.
    """

    reason: str = ""
    begun: bool = False

    def end(self, reason: str) -> None:
        """Have the act end; the first reason is the one that is told."""
        self.reason = self.reason or reason

    def asked(self) -> bool:
        """Return whether it is to end; asked before each file."""
        return bool(self.reason)
