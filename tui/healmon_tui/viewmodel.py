"""From the snapshot to what the panels show: pure but for the order, which remembers itself.

Worst comes first, but a row never moves under the cursor: while somebody is at the keys the order
stays as it is, and settles when they have been idle for `IDLE` seconds.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Final, Literal, TypeAlias

from healmon_tui import glyphs
from healmon_tui.chronicle import Chronicle
from healmon_tui.columns import Column
from healmon_tui.paint import Span, Spans
from healmon_tui.rows import alerts, databases, disks, sessions, workers
from healmon_tui.rows.scene import Row, Scene

IDLE: Final = 2.0
"""Seconds without a key after which the order may change."""

PanelId: TypeAlias = Literal["workers", "sessions", "disks", "databases", "alerts"]
PANELS: Final[tuple[PanelId, ...]] = ("workers", "sessions", "disks", "databases", "alerts")
SHORT: Final[dict[PanelId, str]] = {
    "workers": "Workers", "sessions": "Sessions", "disks": "Disk", "databases": "Locks",
    "alerts": "Alerts",
}  # fmt: skip
_EMPTY: Final[dict[PanelId, str]] = {
    "workers": "none configured", "sessions": "none seen", "disks": "none watched",
    "databases": "none configured", "alerts": "nothing has happened yet",
}  # fmt: skip
_Columns: TypeAlias = Callable[[Sequence[Row], int], tuple[Column, ...]]
_COLUMNS: Final[dict[PanelId, _Columns]] = {
    "workers": workers.columns,
    "sessions": sessions.columns,
    "disks": disks.columns,
    "databases": databases.columns,
    "alerts": alerts.columns,
}


@dataclass(frozen=True, slots=True)
class PanelView:
    """One panel: what its heading says, its rows, and how many of them are not plainly well."""

    id: PanelId
    badge: Spans
    rows: tuple[Row, ...]
    loud: int
    worst: Row | None

    @property
    def number(self) -> int:
        """The digit that focuses the panel."""
        return PANELS.index(self.id) + 1

    @property
    def title(self) -> str:
        """The panel's name."""
        return SHORT[self.id]

    def columns(self, width: int) -> tuple[Column, ...]:
        """Return the columns wanted for a width."""
        return _COLUMNS[self.id](self.rows, width)

    def find(self, key: str) -> int | None:
        """Return the place of the row with this key."""
        return next((i for i, row in enumerate(self.rows) if row.key == key), None)


class Order:
    """Keeps rows where they are until the person at the keys is idle."""

    def __init__(self) -> None:
        self._keys: list[str] = []

    def arrange(self, rows: list[Row], *, settled: bool, hold: bool = False) -> tuple[Row, ...]:
        """Return the rows in the order to show.

        Args:
            rows: in any order.
            settled: nobody is at the keys: worst first.
            hold: while not settled, rows not seen before wait (a log); else they come last.
        """
        ranked = sorted(rows, key=lambda row: row.order)
        if settled or not self._keys:
            self._keys = [row.key for row in ranked]
            return tuple(ranked)
        known = {row.key: row for row in ranked}
        kept = [known.pop(key) for key in self._keys if key in known]
        added = [] if hold else list(known.values())
        self._keys = [row.key for row in (*kept, *added)]
        return (*kept, *added)


class ViewModel:
    """Builds all panels of a scene."""

    def __init__(self) -> None:
        self._orders: dict[PanelId, Order] = {panel: Order() for panel in PANELS}

    def panels(
        self, scene: Scene, chronicle: Chronicle, *, settled: bool
    ) -> dict[PanelId, PanelView]:
        """Return every panel's view, rows in the order to show."""
        rows: dict[PanelId, list[Row]] = {
            "workers": workers.rows(scene),
            "sessions": sessions.rows(scene),
            "disks": disks.rows(scene),
            "databases": databases.rows(scene),
            "alerts": alerts.rows(scene, chronicle.incidents()),
        }
        return {panel: self._view(scene, panel, rows[panel], settled=settled) for panel in PANELS}

    def _view(self, scene: Scene, panel: PanelId, rows: list[Row], *, settled: bool) -> PanelView:
        ordered = self._orders[panel].arrange(rows, settled=settled, hold=panel == "alerts")
        loud = [row for row in rows if row.mark.rank < 7]
        worst = min(loud, key=lambda row: row.order, default=None)
        return PanelView(panel, _badge(scene, panel, rows), ordered, len(loud), worst)


def newest_alert(panel: PanelView) -> Row | None:
    """Return the story to show where there is room for one: an open alert, else the newest."""
    return min(panel.rows, key=lambda row: row.order, default=None)


def _badge(scene: Scene, panel: PanelId, rows: list[Row]) -> Spans:
    if not rows:
        waiting = scene.snapshot.cycle.number == 0 and panel != "alerts"
        return (Span("waiting for the first look" if waiting else _EMPTY[panel], "dim"),)
    counted = _BADGES[panel](rows)
    return tuple(span for span in counted if span.text)


def _workers_badge(rows: list[Row]) -> Spans:
    meant = [row for row in rows if row.mark.rank != 8]
    up = sum(row.cells["state"][0].text in ("up", "starting") or _healed(row) for row in meant)
    return (Span(f"{up}/{len(meant)} up", "dim" if up == len(meant) else "text"),)


def _sessions_badge(rows: list[Row]) -> Spans:
    stuck = stuck_sessions(rows)
    return (Span(f"{stuck} stuck", "text") if stuck else Span(f"{len(rows)}", "dim"),)


def _disks_badge(rows: list[Row]) -> Spans:
    return (Span(f"{len(rows)}", "dim"),)


def _databases_badge(rows: list[Row]) -> Spans:
    held = sum(row.mark.rank < 7 for row in rows)
    if held:
        return (Span(f"{held} of {len(rows)} locked", "text"),)
    return (Span(f"{len(rows)} free", "dim"),)


def _alerts_badge(rows: list[Row]) -> Spans:
    opened = sum(bool(row.alert) and row.mark.rank < 5 for row in rows)
    acked = sum(row.mark.rank == 5 for row in rows)
    tail = f" {glyphs.DOT} {acked} acknowledged" if acked else ""
    return (Span(f"{opened} open", "text" if opened else "dim"), Span(tail, "dim"))


_BADGES: Final[dict[PanelId, Callable[[list[Row]], Spans]]] = {
    "workers": _workers_badge,
    "sessions": _sessions_badge,
    "disks": _disks_badge,
    "databases": _databases_badge,
    "alerts": _alerts_badge,
}


def stuck_sessions(rows: Sequence[Row]) -> int:
    """Return how many sessions are stuck, or are being cleared."""
    return sum(row.mark.rank < 4 for row in rows)


def _healed(row: Row) -> bool:
    return row.mark.glyph == glyphs.DONE
