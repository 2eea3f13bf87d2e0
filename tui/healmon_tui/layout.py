"""How the overview divides the terminal; pure, so that every size can be reasoned about."""

from __future__ import annotations

from collections.abc import Mapping
from enum import Enum
from typing import Final, NamedTuple

from healmon_tui.viewmodel import PANELS, PanelId

SIDE: Final = 0.36
"""Share of a wide terminal that the right column takes."""


class Mode(Enum):
    """The shapes of the overview."""

    TINY = "tiny"
    """Status line and newest alert only."""
    SINGLE = "single"
    """One panel at a time, with a line of tabs and the newest alert."""
    STACK = "stack"
    """All panels under each other."""
    STRIP = "strip"
    """As STACK, with the context in a strip at the bottom."""
    COLUMN = "column"
    """As STACK, with the context in a column at the right."""


class Size(Enum):
    """How large the focused panel is."""

    NORMAL = 0
    HALF = 1
    """Half of the room that the panels have."""
    FULL = 2
    """The whole screen, and nothing else."""


class Want(NamedTuple):
    """How many rows a panel has, and how many of them are not plainly well."""

    rows: int
    loud: int


def mode(width: int, height: int, *, full: bool = False, context: bool = True) -> Mode:
    """Return the shape for a terminal.

    Args:
        width: in cells.
        height: in lines.
        full: one panel is to fill the screen.
        context: the context is to be shown where there is room.
    """
    if width < 40 or height < 10:
        return Mode.TINY
    if full or width < 72 or height < 20:
        return Mode.SINGLE
    if context and width >= 140 and height >= 24:
        return Mode.COLUMN
    if context and width >= 90 and height >= 32:
        return Mode.STRIP
    return Mode.STACK


def side_cells(width: int) -> int:
    """Return how wide the right column is."""
    return max(50, min(84, int(width * SIDE)))


def share(
    room: int, wants: Mapping[PanelId, Want], focus: PanelId, *, half: bool = False
) -> dict[PanelId, int]:
    """Return how many rows each panel shows, headings apart; `half`: the focused one half of all.

    What is not well comes first, the newest alerts before what is well, free databases last; the
    alerts take what is left.
    """
    given: dict[PanelId, int] = dict.fromkeys(PANELS, 0)
    given[focus] = min(room // 2, wants[focus].rows) if half else 0
    left = room - given[focus]

    def grant(upto: Mapping[PanelId, int]) -> None:
        nonlocal left
        hungry = True
        while left > 0 and hungry:
            hungry = False
            for panel in PANELS:
                goal = min(upto.get(panel, 0), wants[panel].rows)
                if left > 0 and given[panel] < goal:
                    given[panel] += 1
                    left -= 1
                    hungry = True

    loud: dict[PanelId, int] = {panel: want.loud for panel, want in wants.items()}
    rows: dict[PanelId, int] = {panel: want.rows for panel, want in wants.items()}
    grant({focus: 2, "workers": 1, "sessions": 1, "disks": 1, "alerts": 1})
    grant({**{panel: min(n, 4) for panel, n in loud.items()}, "alerts": 3})
    grant({**loud, "alerts": 3})
    grant({**rows, "databases": given["databases"], "alerts": given["alerts"]})
    grant({"alerts": 5})
    grant({"databases": rows["databases"]})
    given["alerts"] += max(left, 0)
    return given


def strip_lines(height: int, wants: Mapping[PanelId, Want]) -> int:
    """Return how many lines the bottom strip takes, its heading included: what rows leave over."""
    rows = sum(want.rows for panel, want in wants.items() if panel in ("workers", "sessions"))
    rows += wants["disks"].rows + wants["databases"].loud + min(wants["alerts"].rows, 5)
    return max(8, min(14, height - 2 - len(PANELS) - rows))
