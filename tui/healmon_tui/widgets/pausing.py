"""The blue line of maintenance, below the status line."""

from __future__ import annotations

from healmon_tui.paint import Ground, Line, Spans
from healmon_tui.widgets.lines import Lines


class PauseBar(Lines):
    """Shows the bar made elsewhere; gone when that is empty."""

    GROUND: Ground = "bar"
    spans: Spans = ()

    DEFAULT_CSS = """
    PauseBar { height: 1; display: none; }
    """

    def show(self, spans: Spans) -> None:
        """Show another bar."""
        self.spans = spans
        self.display = bool(spans)
        self.renew()

    def build(self, width: int, height: int) -> list[Line]:
        """Return the one line."""
        del width, height
        return [Line(self.spans, "bar")]
