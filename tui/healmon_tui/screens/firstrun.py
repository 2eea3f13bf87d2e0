"""A first run: what is seen on this host, that nothing is touched, and how to begin."""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING, ClassVar, Final

from textual.app import ComposeResult
from textual.binding import Binding, BindingType

from healmon.errors import HealmonError
from healmon.service.firstrun import FirstRun
from healmon.text import clean
from healmon_tui import firstlines
from healmon_tui.firstlines import Begin
from healmon_tui.host import host
from healmon_tui.paint import Line, Span, Tone, wrap
from healmon_tui.picture import Picture
from healmon_tui.screens.ask import AskSheet, Told
from healmon_tui.screens.help import HelpSheet
from healmon_tui.screens.showing import Showing
from healmon_tui.widgets.bars import Banner, KeyBar, StatusBar
from healmon_tui.widgets.lines import Lines

if TYPE_CHECKING:
    from healmon.service.starter import Found

LONGEST: Final = 2_000
"""Lines of a starter configuration that are shown."""


class Around(Lines):
    """What is seen, and how to begin."""

    def __init__(self) -> None:
        super().__init__(id="around")
        self.found: Found | None = None
        self.begin = Begin("", "", "")

    def build(self, width: int, height: int) -> list[Line]:
        """Return the lines."""
        return firstlines.lines(self.found, self.begin, (width, height))


class FirstRunScreen(Showing):
    """Calm: it only tells, and writes one file when it was shown and wanted."""

    ALLOW_SELECT = False
    BINDINGS: ClassVar[list[BindingType]] = [
        Binding("I", "write", show=False, id="app.first"),
        Binding("enter", "begin", show=False),
        Binding("escape", "close", show=False, id="view.back"),
        Binding("ctrl+r", "look", show=False, id="engine.check"),
        Binding("t", "theme", show=False, id="view.theme"),
        Binding("question_mark", "help", show=False, id="app.help"),
        Binding("q", "app.quit", show=False, id="app.quit"),
        Binding("ctrl+q", "app.quit", show=False, priority=True, id="app.end"),
    ]

    def __init__(self, first: FirstRun) -> None:
        super().__init__()
        self.first = first
        self.around = Around()
        self._status = StatusBar()
        self._banner = Banner()
        self._keys = KeyBar()
        self._looking = False

    def compose(self) -> ComposeResult:
        """Put the lines in."""
        yield self._status
        yield self._banner
        yield self.around
        yield self._keys

    def on_mount(self) -> None:
        """Look around."""
        self.action_look()
        self.call_after_refresh(host(self).redraw)

    def show(self, picture: Picture, *, front: bool) -> None:
        """Show another moment; a configuration that came meanwhile is told."""
        del front
        app = host(self)
        there = self.first.found()
        key = "" if app.read_only or there is not None else app.key("app.first")
        self.around.begin = Begin(
            self.first.where, "" if there is None else str(there), key, app.key("app.quit")
        )
        self._status.show(picture.status(self.size.width))
        self._banner.show(picture.banner)
        self._keys.show(self._pairs(key, there=there is not None))
        self.around.renew()

    def _pairs(self, key: str, *, there: bool) -> list[tuple[str, str]]:
        app = host(self)
        pairs = [(app.key("app.help"), "help")]
        pairs += [(key, "write a configuration")] if key else []
        pairs.append(("enter", "start with it" if there else "look around"))
        pairs += [(app.key("app.quit"), "quit"), (app.key("engine.check"), "look again")]
        return [pair for pair in pairs if pair[0]]

    @property
    def answer(self) -> str:
        """The answer being shown, or empty."""
        return self._keys.answer

    def action_look(self) -> None:
        """Look around, beside the screen."""
        if not self._looking:
            self._looking = True
            host(self).spawn(self._look())

    async def _look(self) -> None:
        try:
            self.around.found = await asyncio.to_thread(self.first.look)
        finally:
            self._looking = False
        self.around.renew()

    def action_write(self) -> None:
        """Show what would be written, and ask."""
        if host(self).read_only or self.first.found() is not None:
            return
        self._keys.flash("looking at what there is, for the starter configuration…", "dim")
        host(self).spawn(self._offer())

    async def _offer(self) -> None:
        try:
            text = await asyncio.to_thread(self.first.preview)
        except HealmonError as error:
            self._keys.flash(clean(str(error)), "bad")
            return
        self._keys.hush()
        where = self.first.where

        def tell(_words: object, cells: int) -> Told:
            head = f"Writes {where}, and nothing else; what is there already is never touched."
            lines = [Line((Span(part, "strong"),)) for part in wrap(head, cells)]
            shown = clean(text, lines=True, limit=200_000).splitlines()[:LONGEST]
            for line in ("", *shown):
                lines += [Line((Span(part, _tone(line)),)) for part in wrap(line, cells)]
            return Told([Line(), *lines])

        def answered(words: object) -> None:
            if words is None:
                self._keys.flash("nothing was written", "dim")
            else:
                host(self).spawn(self._write())

        host(self).open_sheet(
            AskSheet("write a starter configuration", "write it", (), tell), answered
        )

    async def _write(self) -> None:
        try:
            await asyncio.to_thread(self.first.write)
        except HealmonError as error:
            self._keys.flash(clean(str(error)), "bad")
            return
        self._keys.flash(f"written: {self.first.where}", "ok")
        host(self).redraw()

    async def action_begin(self) -> None:
        """Look around; with a configuration: start again."""
        if self.first.found() is None:
            self.dismiss()
            return
        self.first.again = True
        await host(self).action_quit()

    def action_close(self) -> None:
        """Look around."""
        self.dismiss()

    def action_theme(self) -> None:
        """Change the theme."""
        self._keys.flash(f"theme: {host(self).next_theme()}", "dim")

    def action_help(self) -> None:
        """Show all keys."""
        host(self).open_sheet(HelpSheet("workers", host(self).actions()))


def _tone(line: str) -> Tone:
    text = line.strip()
    return "dim" if text.startswith("#") else "accent" if text.startswith("[") else "text"
