"""Charts one below the other over one line of times, with a marker that reads them."""

from __future__ import annotations

from healmon.service.series import Sums
from healmon_tui import plotlines, plots
from healmon_tui.paint import Line, Span
from healmon_tui.widgets.lines import Lines


class Plot(Lines):
    """Draws series.

    Attributes:
        front: the chart that keys are for.
        marker: the column whose values are told; None: there is no marker.
        alone: only the chart in front is drawn, as high as fits.
    """

    def __init__(self) -> None:
        super().__init__(id="plot")
        self.front = 0
        self.marker: int | None = None
        self.alone = False
        self._sums: Sums | None = None
        self._word = "reading the history"
        self._charts: list[plots.Chart] = []
        self._top = 0

    def show(self, sums: Sums) -> None:
        """Show other series; the marker stays at its time."""
        before, width = self._sums, self.size.width
        at = None
        if before is not None and self.marker is not None:
            old = plots.grid(before, width)
            at = old.begin + self.marker * old.step
        self._sums = sums
        if at is not None:
            new = plots.grid(sums, width)
            self.marker = max(0, min(int((at - new.begin) // new.step), new.columns - 1))
        self.renew()

    def say(self, word: str) -> None:
        """Say what stands in the way of drawing anything."""
        self._sums, self._word = None, word
        self.renew()

    def move(self, by: int) -> None:
        """Go to another chart."""
        self.front = max(0, min(self.front + by, len(self._charts) - 1))
        self.renew()

    def mark(self, by: int) -> None:
        """Move the marker; it comes from the newest end, and goes there."""
        if self._sums is None:
            return
        count = plots.grid(self._sums, self.size.width).columns
        here = count if self.marker is None else self.marker
        here = here + by
        self.marker = None if here >= count else max(here, 0)
        self.renew()

    def build(self, width: int, height: int) -> list[Line]:
        """Return the charts that fit, the one in front among them."""
        sums = self._sums
        if sums is None:
            return [Line((Span(f" {self._word}", "dim"),))]
        self._charts = plots.charts(sums, width)
        count = len(self._charts)
        self.front = max(0, min(self.front, count - 1))
        rows = plotlines.shared(1 if self.alone else count, max(height - 1, 2))
        shown = len(rows)
        if self.front >= self._top + shown:
            self._top = self.front - shown + 1
        self._top = max(0, min(self._top, self.front, count - shown))
        where = plots.grid(sums, width)
        if self.marker is not None:
            self.marker = min(self.marker, where.columns - 1)
        lines: list[Line] = []
        for place, lot in zip(range(self._top, count), rows, strict=False):
            front = place == self.front
            lines += plotlines.drawn(self._charts[place], width, lot, self.marker, front=front)
        return [*lines, plotlines.axis(where, sums.end, width, self.marker)]
