"""How healmon itself is: what it costs, what it lost, whether its engine had to begin anew."""

from __future__ import annotations

from typing import Final

from msgspec import Struct

from healmon import events as ev
from healmon.service.link import Usage
from healmon_tui.paint import Tone

WIDE: Final = 140
"""Cells from which on a screen says what healmon costs though nothing is wrong with it."""
MUCH_CPU: Final = 25.0
"""Percent of a core that a healer should never need for long."""
MUCH_MEMORY: Final = 200_000_000
"""Bytes that it should never need."""


class Own(Struct, frozen=True):
    """The healer's own health.

    Attributes:
        usage: what its process costs; None: not known.
        lost: events that did not fit into memory while the store could not be written.
        restarts: how often its engine was started again while this screen looked on.
    """

    usage: Usage | None = None
    lost: int = 0
    restarts: int = 0

    def parts(self, cells: int) -> list[tuple[int, str, Tone]]:
        """Return (drop, text, tone) for a status line so wide; the highest gives way first."""
        parts: list[tuple[int, str, Tone]] = []
        if self.lost:
            parts.append((2, f"{self.lost} {'event' if self.lost == 1 else 'events'} lost", "warn"))
        if self.restarts:
            parts.append((2, f"engine restarted {self.restarts}×", "warn"))
        if self.usage is not None:
            much = (self.usage.percent or 0.0) >= MUCH_CPU or self.usage.rss >= MUCH_MEMORY
            if much:
                parts.append((3, _costs(self.usage), "warn"))
            elif cells >= WIDE:
                parts.append((16, _costs(self.usage), "dim"))
        return parts


def _costs(usage: Usage) -> str:
    cpu = "" if usage.percent is None else f"{usage.percent:.1f}% cpu "
    return f"self {cpu}{usage.rss / 1e6:.0f} MB"


class OwnCount:
    """Counts from the events what the snapshot does not keep.

    Args:
        begun: whether the engine runs already: a start that is seen is a start again.
    """

    def __init__(self, *, begun: bool) -> None:
        self.lost = 0
        self._starts = 1 if begun else 0

    @property
    def restarts(self) -> int:
        """How often the engine was started again."""
        return max(self._starts - 1, 0)

    def forgive(self) -> None:
        """Do not count the start that comes next."""
        self._starts -= 1

    def add(self, event: ev.Event) -> None:
        """Take one event into account."""
        if isinstance(event, ev.StoreRecovered):
            self.lost += event.dropped
        elif isinstance(event, ev.EngineStarted):
            self._starts += 1
