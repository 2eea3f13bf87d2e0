"""How things went over hours and weeks: disks, restarts, stuck sessions, heal times, alerts."""

from __future__ import annotations

from typing import ClassVar, Final

from textual.app import ComposeResult
from textual.binding import Binding, BindingType

from healmon.errors import HealmonError
from healmon.text import clean
from healmon_tui.host import host
from healmon_tui.picture import Picture
from healmon_tui.screens.help import HelpSheet
from healmon_tui.screens.reading import reading
from healmon_tui.screens.showing import Showing
from healmon_tui.widgets.bars import Banner, KeyBar, StatusBar
from healmon_tui.widgets.plot import Plot

HOUR: Final = 3_600.0
RANGES: Final = (
    ("1 h", HOUR), ("8 h", 8 * HOUR), ("24 h", 24 * HOUR), ("7 d", 168 * HOUR),
    ("30 d", 720 * HOUR),
)  # fmt: skip
"""What the digits are for."""
FIRST: Final = 2
"""The range it begins with: a day."""
FRESH: Final = 10.0
"""Seconds for which a picture of the last hour holds; longer ones hold longer."""


class Plots(Showing):
    """Charts of one stretch of time: until now, or the moment that is frozen or gone to."""

    ALLOW_SELECT = False
    BINDINGS: ClassVar[list[BindingType]] = [
        *reading("page"),
        Binding("P", "close", show=False, id="view.plots"),
        Binding("enter", "alone", show=False),
        Binding("left", "mark(-1)", show=False),
        Binding("right", "mark(1)", show=False),
        Binding("shift+left", "mark(-10)", show=False),
        Binding("shift+right", "mark(10)", show=False),
        Binding("question_mark", "help", show=False, id="app.help"),
        *(
            Binding(str(number), f"range({number - 1})", show=False)
            for number in range(1, len(RANGES) + 1)
        ),
    ]

    def __init__(self) -> None:
        super().__init__()
        self._range = FIRST
        self._end = 0.0
        self._asked = 0.0
        self._asking = False
        self._picture: Picture | None = None
        self._status = StatusBar()
        self._banner = Banner()
        self._plot = Plot()
        self._keys = KeyBar()

    def compose(self) -> ComposeResult:
        """Put the charts in."""
        yield self._status
        yield self._banner
        yield self._plot
        yield self._keys

    def show(self, picture: Picture, *, front: bool) -> None:
        """Show another moment: read on once what is drawn is too old for it."""
        if front:
            host(self).watching.want(None)
        self._picture = picture
        self._status.show(picture.status(self.size.width), picture.ground)
        self._banner.show(picture.banner)
        self._show_keys()
        if front:
            self._ask()

    def _ask(self) -> None:
        """Have the series read, unless they were a moment ago."""
        picture = self._picture
        if picture is None or self._asking:
            return
        now = picture.scene.now if picture.upto is None else picture.upto
        holds = max(FRESH, RANGES[self._range][1] / 240)
        if 0 <= now - self._asked < (holds if picture.upto is None else 1e-3):
            return
        self._asking, self._asked = True, now
        host(self).spawn(self._read(now, self._range))

    async def _read(self, now: float, place: int) -> None:
        try:
            sums = await host(self).travel.sums(now - RANGES[place][1], now)
        except HealmonError as error:
            self._plot.say(clean(str(error.args[0] if error.args else error)))
            return
        finally:
            self._asking = False
        if place != self._range:
            self._again()
        elif self.is_attached:
            self._plot.show(sums)

    def _again(self) -> None:
        self._asked = 0.0
        self._ask()

    def _show_keys(self) -> None:
        app = host(self)
        ranges = " ".join(
            f"[{word}]" if place == self._range else word for place, (word, _) in enumerate(RANGES)
        )
        move = f"{app.key('move.down')} {app.key('move.up')}"
        pairs = [
            (app.key("app.help"), "help"), ("esc", "back"), (f"1-{len(RANGES)}", ranges),
            (move, "chart"), ("enter", "all" if self._plot.alone else "larger"), ("← →", "read"),
        ]  # fmt: skip
        self._keys.show([pair for pair in pairs if pair[0]])

    def action_range(self, place: int) -> None:
        """Show another stretch of time."""
        self._range = place
        self._plot.marker = None
        self._show_keys()
        self._again()

    def action_scroll(self, by: int) -> None:
        """Go to the next chart, or to the one before."""
        self._plot.move(by)

    def action_page(self, direction: int) -> None:
        """Go a few charts on."""
        self._plot.move(3 * direction)

    def action_mark(self, by: int) -> None:
        """Move the marker."""
        self._plot.mark(by)

    def action_alone(self) -> None:
        """Let the chart in front have all the room, or show all again."""
        self._plot.alone = not self._plot.alone
        self._plot.renew()
        self._show_keys()

    def action_help(self) -> None:
        """Show all keys."""
        host(self).open_sheet(HelpSheet("disks", host(self).actions()))

    def action_close(self) -> None:
        """Show all charts again, without a marker; then back to where it was asked for."""
        if self._plot.marker is not None or self._plot.alone:
            self._plot.marker, self._plot.alone = None, False
            self._plot.renew()
            self._show_keys()
        else:
            self.dismiss()
