"""What the app hands new moments to, so that it need not load the screens that are not open."""

from __future__ import annotations

from textual.screen import Screen

from healmon_tui.paint import Tone
from healmon_tui.picture import Picture
from healmon_tui.widgets.bars import KeyBar


class Showing(Screen[None]):
    """A screen that shows moments."""

    def show(self, picture: Picture, *, front: bool) -> None:
        """Show another moment."""
        raise NotImplementedError

    def flash(self, text: str, tone: Tone = "text") -> None:
        """Show an answer in the last line for a while; empty: the keys again."""
        for bar in self.query(KeyBar):
            if text:
                bar.flash(text, tone)
            else:
                bar.hush()

    def look_again(self) -> None:
        """Show what came of a look at the subject of this screen; without one: nothing."""


class Tended:
    """What is looked after whenever a moment is drawn."""

    def tend(self) -> None:
        """See what became of what it shows."""
