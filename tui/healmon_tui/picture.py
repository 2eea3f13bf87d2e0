"""One moment, ready to be drawn: what every screen is handed."""

from __future__ import annotations

from msgspec import Struct

from healmon_tui import status
from healmon_tui.chronicle import Chronicle
from healmon_tui.paint import Ground, Spans
from healmon_tui.rows.late import made
from healmon_tui.rows.scene import Scene
from healmon_tui.viewmodel import PanelId, PanelView


class Picture(Struct, frozen=True):
    """A scene, its panels, and how it is looked at."""

    scene: Scene
    panels: dict[PanelId, PanelView]
    chronicle: Chronicle
    looking: status.Looking

    def kept(self) -> Picture:
        """Return the picture with all that is in it made now, for one that is shown for longer."""
        for view in self.panels.values():
            for row in view.rows:
                made(row)
        return self

    @property
    def banner(self) -> str:
        """What a person must know before anything else."""
        return status.banner(self.scene.snapshot, self.looking)

    @property
    def ground(self) -> Ground:
        """What the status line is drawn on: it must not be taken for the present."""
        return "bar" if self.looking.history is None else "past"

    @property
    def upto(self) -> float | None:
        """Wall seconds of a frozen view, or of the past that is shown."""
        return self.looking.frozen if self.looking.history is None else self.looking.history

    def status(self, cells: int, selected: str = "") -> Spans:
        """Return the status line for a width, with the component under the cursor."""
        return status.line(self.scene, self.looking, cells, selected)
