"""The overview: is anything wrong, what is healmon doing about it, what must I do."""

from __future__ import annotations

from typing import ClassVar, cast

from textual import events
from textual.binding import BindingType

from healmon_tui import about, context, keymap, maintenance, session
from healmon_tui.facts import Facts
from healmon_tui.layout import Mode, Size
from healmon_tui.picture import Picture
from healmon_tui.rows.scene import Row
from healmon_tui.screens import travelling
from healmon_tui.screens.laid import Laid
from healmon_tui.timetravel import Place, unkept
from healmon_tui.viewmodel import PANELS, TITLE, PanelId
from healmon_tui.widgets.bars import Tabs
from healmon_tui.widgets.panel import Panel

SOON = 1.5
"""Seconds for which the context may wait for a look that is under way."""


class Overview(Laid):
    """All panels, or one, and the context of the row under the cursor."""

    ALLOW_SELECT = False
    BINDINGS: ClassVar[list[BindingType]] = keymap.bindings()

    def __init__(self) -> None:
        super().__init__()
        self._digit: PanelId | None = None
        self._front = True
        self._context_of: tuple[object, ...] = ()
        self._context_at = 0.0

    @property
    def answer(self) -> str:
        """The answer being shown, or empty."""
        return self._keys.answer

    # drawing

    def show(self, picture: Picture, *, front: bool) -> None:
        """Show another moment; what the front one is about is looked at."""
        self._picture = picture
        self._front = front
        self._show_pause()
        self._lay_out()
        if self.focused is None and self.mode is not Mode.TINY:
            # the focus is lost where nothing can have it, and where a click went beside
            self._panels[self.panel].focus()
        for name, panel in self._panels.items():
            panel.show(picture.panels[name])
        self._show_status()
        self._banner.show(picture.banner)
        self._tabs.show(picture.panels, self.panel)
        alerts = picture.panels["alerts"]
        one = alerts.newest if self.mode is not Mode.TINY else None
        self._newest.show([one] if one is not None else sorted(alerts.rows, key=_by_order))
        if not self._context_comes(picture):
            self._show_context()
        self._show_keys()

    def look_again(self) -> None:
        """Show what came of a look at the row under the cursor."""
        self._show_context()

    def _show_status(self) -> None:
        row, picture = self.row(), self._picture
        if picture is not None:
            selected = row.component if row is not None else ""
            self._status.show(picture.status(self.host.size.width, selected), picture.ground)

    def _show_pause(self) -> None:
        if self._picture is not None:
            width, height = self.host.size
            self._pause.show(maintenance.bar(self._picture.scene, width, height))

    def _context_comes(self, picture: Picture) -> bool:
        """Tell whether a look that is under way is about to draw the same context anew."""
        row = context.subject(self.row())
        what = (picture.scene.snapshot, row, self.mode, self._side.size, picture.upto, self._front)
        before, self._context_of = self._context_of, what
        late = picture.scene.now - self._context_at
        return self.host.watching.under_way and 0 <= late < SOON and _same(what, before)

    def _show_context(self) -> None:
        picture = self._picture
        self._context_at = picture.scene.now if picture is not None else 0.0
        if picture is None or not self._side.display:
            if self._front:
                self.host.watching.want(None)
            return
        subject, side = context.subject(self.row()), self._side
        # a frozen view shows no screen: that one would be of now
        view = self._view() if picture.upto is None else None
        watching = self.host.watching
        look = watching.want if self._front else watching.newest
        seen = look(view)
        if picture.looking.history is not None:
            seen = unkept(self._view(), picture.looking.history)
        lay = about.column if self.mode is Mode.COLUMN else about.strip
        room = max(side.size.height - 1, 0)
        shown = lay(picture, subject, seen, side.cells, room)
        side.show(subject.component or TITLE[self.panel], *shown)

    def _show_keys(self) -> None:
        if self.host.travel.then is not None:
            self._keys.show(travelling.footer(self.host))
            return
        usable = self.host.actions()
        view = self._view()
        kind = cast("PanelId", view.healer) if view is not None else self.panel
        asks = kind == "sessions" and view is not None and session.asks(Facts(view.facts))
        self._keys.show(keymap.footer(self.panel, kind, usable, asks=asks))

    def on_resize(self, event: events.Resize) -> None:
        """Divide another size."""
        del event
        self.host.redraw()
        self.call_after_refresh(self.host.redraw)

    def on_key(self, event: events.Key) -> None:
        """Remember that somebody is at the keys, and bind the cursor to its row."""
        if not event.key.isdigit():
            self._digit = None
        self._panels[self.panel].pin()
        self.host.touched()

    def on_descendant_focus(self, event: events.DescendantFocus) -> None:
        """Follow the focus to its panel."""
        if isinstance(event.widget, Panel) and event.widget.panel != self.panel:
            self.leave_panel()
            self.panel = event.widget.panel
            self.host.redraw()

    def on_panel_moved(self, message: Panel.Moved) -> None:
        """Follow the cursor with the context."""
        message.stop()
        self.host.touched()
        self._show_status()
        self._show_context()
        self._show_keys()

    def on_panel_opened(self, message: Panel.Opened) -> None:
        """Show all about a row that was clicked twice."""
        message.stop()
        self.action_detail()

    def on_tabs_picked(self, message: Tabs.Picked) -> None:
        """Bring a clicked tab to the front."""
        message.stop()
        self.to_panel(message.panel)

    # moving

    def action_move(self, by: int) -> None:
        """Move the cursor."""
        self._panels[self.panel].move(by)

    def action_page(self, direction: int) -> None:
        """Move the cursor by half a panel."""
        self._panels[self.panel].page(direction)

    def action_edge(self, direction: int) -> None:
        """Move the cursor to the first or last row."""
        panel = self._panels[self.panel]
        panel.move_to(len(panel.view.rows) if direction > 0 else 0)

    def action_panel(self, panel: PanelId) -> None:
        """Go to a panel; twice: let it fill the screen."""
        if panel == self._digit:
            self._zooms = [Size.NORMAL] if self._zoom is Size.FULL else [Size.NORMAL, Size.FULL]
        self._digit = panel
        self.to_panel(panel)

    def action_panel_next(self, by: int) -> None:
        """Go to the next panel."""
        self.to_panel(PANELS[(PANELS.index(self.panel) + by) % len(PANELS)])

    def to_panel(self, panel: PanelId) -> None:
        """Bring a panel to the front."""
        if panel != self.panel:
            self.leave_panel()
        self.panel = panel
        self._lay_out()
        self._panels[panel].focus()
        self.host.redraw()
        # heights take effect with the next layout; what is drawn depends on them
        self.call_after_refresh(self.host.redraw)

    def place(self) -> Place:
        """Return where the cursor is."""
        row = self.row()
        return self.panel, row.key if row is not None else ""

    def put(self, place: Place) -> None:
        """Bring the cursor to a row, if it is there."""
        self._go(*place)

    # looking

    def action_help(self) -> None:
        """Show all keys."""
        from healmon_tui.screens.help import HelpSheet  # noqa: PLC0415 - loaded when it is opened

        self.host.open_sheet(HelpSheet(self.panel, self.host.actions()))

    def action_detail(self) -> None:
        """Show all about the row under the cursor; where nobody heals, offer to."""
        if self.host.take_over.offer():
            return
        row = self.row()
        if row is None:
            self.flash("nothing selected", "dim")
            return
        from healmon_tui.screens.detail import Detail  # noqa: PLC0415 - loaded when it is opened

        self.host.open_sheet(Detail(context.subject(row)))
        self.call_after_refresh(self.host.redraw)

    def action_bigger(self) -> None:
        """Give the panel half of the screen, then all of it."""
        if self._zoom is Size.FULL or self.mode is Mode.SINGLE:
            self.flash("larger than this it cannot be", "dim")
            return
        normal = self._zoom is Size.NORMAL
        self._zooms.append(Size.HALF if normal and self._half_helps() else Size.FULL)
        self.to_panel(self.panel)

    def action_smaller(self) -> None:
        """Make the panel smaller again."""
        half = self._zoom is Size.FULL and self._half_helps()
        self._zooms = [Size.NORMAL, Size.HALF] if half else [Size.NORMAL]
        self.to_panel(self.panel)

    def action_context(self) -> None:
        """Show the context, or not."""
        self._with_context = not self._with_context
        self.to_panel(self.panel)
        if self.mode in (Mode.STACK, Mode.SINGLE) and self._with_context:
            self.flash("no room for the context here: enter shows it", "dim")

    def _shrink(self) -> bool:
        """Make the panel as large as it was before; tell whether it was larger."""
        larger = len(self._zooms) > 1
        if larger:
            self._zooms.pop()
            self.to_panel(self.panel)
        return larger

    def action_freeze(self) -> None:
        """Freeze this view, or let it go on."""
        self.host.freeze()

    def action_theme(self) -> None:
        """Change the theme."""
        self.flash(f"theme: {self.host.next_theme()}", "dim")

    def action_back(self) -> None:
        """Go one step back: no marks, no filter, a smaller panel, out of the past."""
        panel = self._panels[self.panel]
        if panel.marked:
            panel.unmark()
        elif not self.unfilter() and not self._shrink() and self.host.travel.then is not None:
            self.host.travel.live()

    async def action_leave(self) -> None:
        """Leave a larger panel, the past, or healmon."""
        if self._shrink():
            return
        if self.host.travel.then is not None:
            self.host.travel.live()  # whoever wants out of the past does not want healing to end
        else:
            await self.host.action_quit()

    def action_first(self) -> None:
        """Show how to begin, where there is no configuration."""
        if self.host.first is not None:
            from healmon_tui.screens.firstrun import FirstRunScreen  # noqa: PLC0415 - loaded when it is opened

            self.host.open_sheet(FirstRunScreen(self.host.first))


def _same(what: tuple[object, ...], before: tuple[object, ...]) -> bool:
    return bool(before) and what[0] is before[0] and what[1:] == before[1:]


def _by_order(row: Row) -> tuple[object, ...]:
    return row.order
