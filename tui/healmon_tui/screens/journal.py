"""Everything healmon did to the world: each command, key, signal and deletion, with its proof."""

from __future__ import annotations

from typing import ClassVar

from textual.app import ComposeResult
from textual.binding import Binding, BindingType

from healmon.clock import local_time
from healmon.text import clean
from healmon_tui import context, glyphs
from healmon_tui.host import host
from healmon_tui.ledger import Entry
from healmon_tui.paint import Span, Spans, cut, fit, width
from healmon_tui.picture import Picture
from healmon_tui.rows.scene import short
from healmon_tui.screens.help import HelpSheet
from healmon_tui.screens.reading import reading
from healmon_tui.screens.showing import Showing
from healmon_tui.widgets.bars import Banner, KeyBar, StatusBar
from healmon_tui.widgets.roll import Roll

NAMES = 24
"""Cells that a name gets at most."""


class Journal(Showing):
    """The journal, the newest last; it follows until somebody scrolls.

    Args:
        component: what was selected: `f` shows only what was done to it.
    """

    ALLOW_SELECT = False
    BINDINGS: ClassVar[list[BindingType]] = [
        *reading("page"),
        Binding("enter", "close", show=False),
        Binding("J", "close", show=False, id="view.journal"),
        Binding("g,home", "edge(-1)", show=False, id="move.first"),
        Binding("G,end", "edge(1)", show=False, id="move.last"),
        Binding("f", "only", show=False),
        Binding("y", "copy", show=False, id="view.copy"),
        Binding("question_mark", "help", show=False, id="app.help"),
    ]

    def __init__(self, component: str = "") -> None:
        super().__init__()
        self._component = component
        self._only = False
        self._picture: Picture | None = None
        self._entries: list[Entry] = []
        self._status = StatusBar()
        self._banner = Banner()
        self._roll = Roll()
        self._keys = KeyBar()

    def compose(self) -> ComposeResult:
        """Put the lines in."""
        yield self._status
        yield self._banner
        yield self._roll
        yield self._keys

    def show(self, picture: Picture, *, front: bool) -> None:
        """Show another moment; nothing is looked at here."""
        if front:
            host(self).watching.want(None)
        self._picture = picture
        self._status.show(picture.status(self.size.width), picture.ground)
        self._banner.show(picture.banner)
        self._fill()

    def _fill(self) -> None:
        picture = self._picture
        if picture is None:
            return
        upto = picture.upto
        known = [e for e in picture.chronicle.ledger.touches() if upto is None or e.at <= upto]
        self._entries = [e for e in known if not self._only or e.component == self._component]
        names = max((width((Span(short(e.component)),)) for e in self._entries), default=0)
        names = min(names, NAMES)
        cells = self.size.width - 1
        rows = [(entry.id, _line(entry, cells, names)) for entry in self._entries]
        title = f"JOURNAL {short(self._component)}" if self._only else "JOURNAL"
        count = f"{len(rows)} of {len(known)}" if self._only else f"{len(rows)}"
        extra = f"{count} {glyphs.DOT} every command, key, signal and deletion"
        self._roll.show(title, extra if rows else "nothing was done to the world yet", rows)
        self._show_keys()

    def _show_keys(self) -> None:
        follow = "" if self._roll.follows else "follow again"
        only = "all" if self._only else f"only {short(self._component)}"
        app = host(self)
        move = f"{app.key('move.down')} {app.key('move.up')}"
        pairs = [(app.key("app.help"), "help"), ("esc", "back"), (move, "scroll")]
        pairs += [(app.key("view.copy"), "copy line")]
        pairs += [("f", only)] if self._component else []
        pairs += [(app.key("move.last"), follow)] if follow else []
        self._keys.show([pair for pair in pairs if pair[0]])

    def action_help(self) -> None:
        """Show all keys."""
        host(self).open_sheet(HelpSheet("alerts", host(self).actions()))

    def action_scroll(self, by: int) -> None:
        """Move the cursor by so many lines."""
        self._roll.move(by)
        self._show_keys()

    def action_page(self, direction: int) -> None:
        """Move the cursor by half a screen."""
        self._roll.page(direction)
        self._show_keys()

    def action_edge(self, direction: int) -> None:
        """Go to the first line, or to the newest one and follow."""
        self._roll.move(direction * len(self._entries))
        self._show_keys()

    def action_only(self) -> None:
        """Show only what was done to the selected component, or everything again."""
        if self._component:
            self._only = not self._only
            self._fill()

    def action_copy(self) -> None:
        """Copy the line under the cursor, whole."""
        place = self._roll.place
        if place is None or place >= len(self._entries):
            return
        host(self).copy_to_clipboard(plain(self._entries[place]))
        self._keys.flash("copied", "ok")

    def action_close(self) -> None:
        """Back to the overview."""
        self.dismiss()


def plain(entry: Entry) -> str:
    """Return a touch as one line of text with nothing left out."""
    proof = context.proof_of(entry)
    when = local_time(entry.at, "%Y-%m-%d %H:%M:%S")
    parts = (when, entry.component, entry.text, proof[0] if proof is not None else "")
    return clean("  ".join(part for part in parts if part))


def _line(entry: Entry, cells: int, names: int) -> Spans:
    """Return a touch in columns: when, to whom, what, and its proof."""
    when = local_time(entry.at) if cells < 100 else local_time(entry.at, "%d %b %H:%M:%S")
    room = max(cells - len(when) - names - 6, 8)
    proved = room * 2 // 5
    proof = context.proof_of(entry) or ("", "dim")
    return (
        Span(f" {when}  ", "dim"),
        Span(f"{fit(short(entry.component), names)}  ", "text"),
        Span(fit(entry.text, room - proved - 2), "strong" if not entry.result else "text"),
        Span(f"  {cut(proof[0], proved)}", proof[1]),
    )
