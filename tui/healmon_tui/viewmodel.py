"""From the snapshot to what the panels show: pure but for the order, which remembers itself.

Worst comes first, but a row never moves under the cursor: while somebody is at the keys the order
stays as it is, and settles when they have been idle for `IDLE` seconds.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from functools import lru_cache
from operator import is_
from typing import Final, Literal, TypeAlias

from msgspec import Struct

from healmon.plans import RANK
from healmon.state import AlertView
from healmon_tui import glyphs
from healmon_tui.chronicle import Chronicle
from healmon_tui.columns import Column, name_cells
from healmon_tui.paint import Span, Spans, width
from healmon_tui.rows import alerts, databases, disks, sessions, workers
from healmon_tui.rows.scene import ACKNOWLEDGED, Row, Scene, is_loud

IDLE: Final = 2.0
"""Seconds without a key after which the order may change."""

PATH: Final = 16
"""Cells that the names of file systems ask for."""

PanelId: TypeAlias = Literal["workers", "sessions", "disks", "databases", "alerts"]
PANELS: Final[tuple[PanelId, ...]] = ("workers", "sessions", "disks", "databases", "alerts")
TITLE: Final[dict[PanelId, str]] = {
    "workers": "Workers", "sessions": "Sessions", "disks": "Disk", "databases": "Locks",
    "alerts": "Alerts",
}  # fmt: skip
SHORT: Final[dict[PanelId, str]] = {
    "workers": "Work", "sessions": "Sess", "disks": "Disk", "databases": "Lock", "alerts": "Alert",
}  # fmt: skip
_EMPTY: Final[dict[PanelId, str]] = {
    "workers": "none configured", "sessions": "none seen", "disks": "none watched",
    "databases": "none configured", "alerts": "nothing has happened yet",
}  # fmt: skip
_Columns: TypeAlias = Callable[[int, int], tuple[Column, ...]]
_COLUMNS: Final[dict[PanelId, _Columns]] = {
    "workers": workers.columns,
    "sessions": sessions.columns,
    "disks": disks.columns,
    "databases": databases.columns,
    "alerts": alerts.columns,
}


class PanelView(Struct, frozen=True):
    """One panel, ready to be drawn.

    Attributes:
        badge: what its heading says beside the title.
        rows: in the order to show.
        loud: how many of them are not plainly well.
        worst: the worst of those.
        newest: of an alert log, the newest open story, else the newest.
        longest: cells of the longest name here, or in any panel that lines up with this one.
    """

    id: PanelId
    badge: Spans
    rows: tuple[Row, ...]
    loud: int = 0
    worst: Row | None = None
    newest: Row | None = None
    longest: int = 0

    @property
    def number(self) -> int:
        """The digit that focuses the panel."""
        return PANELS.index(self.id) + 1

    @property
    def title(self) -> str:
        """The panel's name."""
        return TITLE[self.id]

    def columns(self, width: int) -> tuple[Column, ...]:
        """Return the columns wanted for a width."""
        return _COLUMNS[self.id](name_cells(self.longest, width), width)

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
        self._views: dict[PanelId, PanelView] = {}
        self._made: tuple[object, ...] = ()
        self._workers, self._sessions = workers.remembered(), sessions.remembered()
        self._disks, self._databases = disks.remembered(), databases.remembered()
        self._alerts = alerts.remembered()

    def panels(
        self, scene: Scene, chronicle: Chronicle, *, settled: bool
    ) -> dict[PanelId, PanelView]:
        """Return every panel's view, rows in the order to show."""
        rows: dict[PanelId, list[Row]] = {
            "workers": workers.rows(scene, self._workers),
            "sessions": sessions.rows(scene, self._sessions),
            "disks": disks.rows(scene, self._disks),
            "databases": databases.rows(scene, self._databases),
            "alerts": alerts.rows(scene, chronicle.incidents(), self._alerts),
        }
        made = (scene.snapshot, settled, *rows.values())
        if len(made) == len(self._made) and all(map(is_, made, self._made)):
            return dict(self._views)
        self._made = made
        longest = {panel: _longest(found) for panel, found in rows.items()}
        # paths are long and are cut at their beginning: they do not push the others aside
        longest["disks"] = min(longest["disks"], PATH)
        together = max(cells for panel, cells in longest.items() if panel != "alerts")
        longest = {p: n if p == "alerts" else together for p, n in longest.items()}
        return {
            panel: self._view(scene, panel, rows[panel], longest[panel], settled=settled)
            for panel in PANELS
        }

    def _view(
        self, scene: Scene, panel: PanelId, rows: list[Row], longest: int, *, settled: bool
    ) -> PanelView:
        ordered = self._orders[panel].arrange(rows, settled=settled, hold=panel == "alerts")
        loud = [row for row in rows if row.mark.rank <= ACKNOWLEDGED]
        worst = min(loud, key=lambda row: row.order, default=None)
        badge = _badge(scene, panel, rows)
        view = PanelView(panel, badge, ordered, len(loud), worst, _newest(rows), longest)
        # the same one again: whoever draws it sees at a glance that there is nothing to draw
        view = view if view != self._views.get(panel) else self._views[panel]
        self._views[panel] = view
        return view


def _longest(rows: Sequence[Row]) -> int:
    return max([_width(row.cells["name"]) for row in rows], default=0)


@lru_cache(maxsize=256)
def _width(name: Spans) -> int:
    return width(name)


def _newest(rows: Sequence[Row]) -> Row | None:
    opened = [row for row in rows if row.mark.rank < ACKNOWLEDGED]
    return max(opened or rows, key=lambda row: row.at, default=None)


def _badge(scene: Scene, panel: PanelId, rows: list[Row]) -> Spans:
    if not rows:
        waiting = scene.snapshot.cycle.number == 0 and panel != "alerts"
        return (Span("waiting for the first look" if waiting else _EMPTY[panel], "dim"),)
    if panel == "workers":
        up, meant = workers.tally(scene)
        return (Span(f"{up}/{meant} up", "dim" if up == meant else "text"),)
    if panel == "sessions":
        return _sessions_badge(scene)
    if panel == "databases":
        return _databases_badge(scene)
    if panel == "alerts":
        return tuple(span for span in _alerts_badge(scene, rows) if span.text)
    return (Span(f"{len(rows)}", "dim"),)


def _sessions_badge(scene: Scene) -> Spans:
    stuck, waiting, known = sessions.tally(scene)
    if stuck or waiting:
        return (Span(f"{stuck} stuck" if stuck else f"{waiting} waiting", "text"),)
    return (Span(f"{known}", "dim"),)


def _databases_badge(scene: Scene) -> Spans:
    held, unknown, known = databases.tally(scene)
    if held:
        spans = (Span(f"{held} of {known} locked", "text"),)
    else:
        spans = (Span(f"{known - unknown} free", "dim"),)
    return (*spans, Span(f" {glyphs.DOT} {unknown} unknown", "warn")) if unknown else spans


def _alerts_badge(scene: Scene, rows: list[Row]) -> Spans:
    there = scene.snapshot.alerts
    opened = sum(bool(row.alert) and row.mark.rank < ACKNOWLEDGED for row in rows)
    quiet = [row.mark.glyph for row in rows if row.mark.rank == ACKNOWLEDGED]
    # its alert is open until looks agree that it is over, and counts in the status line
    mended = sum(row.mark.rank == alerts.MENDED and _is_open(there.get(row.alert)) for row in rows)
    counts = [("mended", mended), *((word, quiet.count(s)) for s, word in _QUIET.items())]
    tail = "".join(f" {glyphs.DOT} {count} {word}" for word, count in counts if count)
    return (Span(f"{opened} open", "text" if opened else "dim"), Span(tail, "dim"))


def _is_open(alert: AlertView | None) -> bool:
    return alert is not None and is_loud(alert) and RANK[alert.severity] > 0


_QUIET: Final = {
    glyphs.ACKED: "acknowledged", glyphs.SILENCED: "silenced", glyphs.PAUSED: "paused",
    glyphs.DOT: "explained",
}  # fmt: skip
"""What the signs of alerts that nobody need be told of mean."""
