"""The overview: is anything wrong, what is healmon doing about it, what must I do."""

from __future__ import annotations

from typing import ClassVar, cast

from textual import events
from textual.app import ComposeResult
from textual.binding import BindingType
from textual.containers import Container
from textual.screen import Screen

from healmon.state import ComponentView
from healmon_tui import context, keymap, layout, session
from healmon_tui.facts import Facts
from healmon_tui.host import Host, host
from healmon_tui.layout import Mode, Want
from healmon_tui.paint import Tone
from healmon_tui.picture import Picture
from healmon_tui.requests import HEALER_OF
from healmon_tui.rows.scene import Row
from healmon_tui.screens.detail import Detail, for_inbox, for_session
from healmon_tui.screens.firstrun import FirstRunScreen
from healmon_tui.screens.help import HelpSheet
from healmon_tui.screens.menu import MenuSheet
from healmon_tui.viewmodel import PANELS, TITLE, PanelId
from healmon_tui.widgets.bars import Banner, KeyBar, Newest, StatusBar, Tabs
from healmon_tui.widgets.context import Context
from healmon_tui.widgets.panel import Panel, panels


class Overview(Screen[None]):
    """All panels, or one, and the context of the row under the cursor."""

    ALLOW_SELECT = False
    BINDINGS: ClassVar[list[BindingType]] = keymap.bindings()

    def __init__(self) -> None:
        super().__init__()
        self.panel: PanelId = "workers"
        self._full = False
        self._digit: PanelId | None = None
        self._with_context = True
        self._picture: Picture | None = None
        self._front = True
        self._panels: dict[PanelId, Panel] = {panel.panel: panel for panel in panels()}
        self._status = StatusBar()
        self._banner = Banner()
        self._tabs = Tabs()
        self._newest = Newest()
        self._side = Context(id="context")
        self._keys = KeyBar()

    def compose(self) -> ComposeResult:
        """Put everything in; `_lay_out` says what is seen and how large."""
        yield self._status
        yield self._banner
        yield self._tabs
        with Container(id="body"):
            with Container(id="panels"):
                yield from self._panels.values()
            yield self._side
        yield self._newest
        yield self._keys

    @property
    def host(self) -> Host:
        """The app."""
        return host(self)

    @property
    def mode(self) -> Mode:
        """The shape of the screen at this size."""
        width, height = self.host.size
        return layout.mode(width, height, full=self._full, context=self._with_context)

    def row(self) -> Row | None:
        """Return the row under the cursor."""
        return self._panels[self.panel].selected

    def flash(self, text: str, tone: Tone = "text") -> None:
        """Show an answer in the last line for a while."""
        self._keys.flash(text, tone)

    def hush(self) -> None:
        """Show the keys again."""
        self._keys.hush()

    @property
    def answer(self) -> str:
        """The answer being shown, or empty."""
        return self._keys.answer

    # drawing

    def show(self, picture: Picture, *, front: bool) -> None:
        """Show another moment; what the front one is about is looked at."""
        self._picture = picture
        self._front = front
        self._lay_out()
        if self.focused is None and self.mode is not Mode.TINY:
            # the focus is lost where nothing can have it, and where a click went beside
            self._panels[self.panel].focus()
        for name, panel in self._panels.items():
            panel.show(picture.panels[name])
        width, _ = self.host.size
        self._status.show(picture.status(width))
        self._banner.show(picture.banner)
        self._tabs.show(picture.panels, self.panel)
        alerts = picture.panels["alerts"]
        one = alerts.newest if self.mode is not Mode.TINY else None
        self._newest.show([one] if one is not None else sorted(alerts.rows, key=_by_order))
        self._show_context()
        self._show_keys()

    def _show_context(self) -> None:
        picture = self._picture
        if picture is None or not self._side.display:
            if self._front:
                self.host.watching.want(None)
            return
        about, cells = context.subject(self.row()), self._side.cells
        view = self._view()
        live = self.mode is Mode.COLUMN and picture.upto is None
        watching = self.host.watching
        look = watching.want if self._front else watching.newest
        seen = look(view if live else None)
        self._side.show(
            about.component or TITLE[self.panel],
            context.now(picture.scene, about, cells, seen),
            context.past(picture.chronicle, about, cells, picture.upto),
        )

    def _show_keys(self) -> None:
        usable = self.host.actions()
        view = self._view()
        kind = cast("PanelId", view.healer) if view is not None else self.panel
        asks = kind == "sessions" and view is not None and session.asks(Facts(view.facts))
        self._keys.show(keymap.footer(self.panel, kind, usable, asks=asks))

    def _view(self) -> ComponentView | None:
        """Return the component that the row under the cursor is about."""
        row = self.row()
        known = self._picture.scene.snapshot.components if self._picture else {}
        return known.get(row.component) if row is not None else None

    def _lay_out(self) -> None:
        width, height = self.host.size
        mode = self.mode
        single = mode is Mode.SINGLE
        for name, panel in self._panels.items():
            panel.display = mode is not Mode.TINY and (not single or name == self.panel)
            panel.bare = single
            if single:
                panel.styles.height = "1fr"
        self._tabs.display = single
        self._keys.display = mode is not Mode.TINY
        self._newest.display = mode is Mode.TINY or (single and self.panel != "alerts")
        self._newest.styles.height = "1fr" if mode is Mode.TINY else 2
        self.query_one("#body").display = mode is not Mode.TINY
        self.query_one("#body").set_class(mode is Mode.COLUMN, "-column")
        self._side.display = mode in (Mode.COLUMN, Mode.STRIP)
        self._side.walled = mode is Mode.COLUMN
        strip = layout.strip_lines(height, self._wants()) if mode is Mode.STRIP else 0
        self._side.styles.width = layout.side_cells(width) if mode is Mode.COLUMN else "1fr"
        self._side.styles.height = strip or "1fr"
        if mode in (Mode.STACK, Mode.STRIP, Mode.COLUMN):
            self._share(height - 2 - strip - bool(self._picture and self._picture.banner))

    def _share(self, lines: int) -> None:
        if self._picture is None:
            return
        rows = layout.share(max(lines - len(PANELS), 0), self._wants(), self.panel)
        for name, panel in self._panels.items():
            panel.styles.height = rows[name] + 1

    def _wants(self) -> dict[PanelId, Want]:
        views = self._picture.panels if self._picture else {}
        return {
            n: Want(len(views[n].rows), views[n].loud) if n in views else Want(0, 0) for n in PANELS
        }

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
            self.panel = event.widget.panel
            self.host.redraw()

    def on_panel_moved(self, message: Panel.Moved) -> None:
        """Follow the cursor with the context."""
        message.stop()
        self.host.touched()
        self._show_context()
        self._show_keys()

    def on_tabs_picked(self, message: Tabs.Picked) -> None:
        """Bring a clicked tab to the front."""
        message.stop()
        self._to_panel(message.panel)

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
            self._full = not self._full
        self._digit = panel
        self._to_panel(panel)

    def action_panel_next(self, by: int) -> None:
        """Go to the next panel."""
        self._to_panel(PANELS[(PANELS.index(self.panel) + by) % len(PANELS)])

    def _to_panel(self, panel: PanelId) -> None:
        self.panel = panel
        self._lay_out()
        self._panels[panel].focus()
        self.host.redraw()
        # heights take effect with the next layout; what is drawn depends on them
        self.call_after_refresh(self.host.redraw)

    # looking

    def action_help(self) -> None:
        """Show all keys."""
        self.host.open_sheet(HelpSheet(self.panel, self.host.actions()))

    def action_detail(self) -> None:
        """Show all about the row under the cursor."""
        row = self.row()
        if row is None:
            self.flash("nothing selected", "dim")
            return
        self.host.open_sheet(Detail(context.subject(row)))
        self.call_after_refresh(self.host.redraw)

    def action_bigger(self) -> None:
        """Let the panel fill the screen."""
        self._resize_panel(full=True)

    def action_smaller(self) -> None:
        """Show all panels again."""
        self._resize_panel(full=False)

    def action_context(self) -> None:
        """Show the context, or not."""
        self._with_context = not self._with_context
        self._to_panel(self.panel)
        if self.mode in (Mode.STACK, Mode.SINGLE) and self._with_context:
            self.flash("no room for the context here: enter shows it", "dim")

    def _resize_panel(self, *, full: bool) -> None:
        self._full = full
        self._to_panel(self.panel)

    def action_freeze(self) -> None:
        """Freeze this view, or let it go on."""
        self.host.freeze()

    def action_theme(self) -> None:
        """Change the theme."""
        self.flash(f"theme: {self.host.next_theme()}", "dim")

    def action_back(self) -> None:
        """Take the marks away, or leave a full panel."""
        if self._panels[self.panel].marked:
            self._panels[self.panel].unmark()
        elif self._full:
            self._resize_panel(full=False)

    async def action_leave(self) -> None:
        """Leave a full panel, or healmon."""
        if self._full:
            self._resize_panel(full=False)
        else:
            await self.host.action_quit()

    # acting

    def check_action(self, action: str, parameters: tuple[object, ...]) -> bool | None:
        """Switch acts off where the screen is for reading only, and faults outside the demo."""
        if self.host.read_only and keymap.is_act(action, parameters):
            return None
        if action == "faults":
            return bool(self.host.requests.faults)
        if action == "first":
            return self.host.first is not None
        return super().check_action(action, parameters)

    def action_act(self, verb: str) -> None:
        """Ask for the plan of a verb on the row under the cursor, or for those of the marked."""
        marked = self._panels[self.panel].marked
        known = self.host.snapshot.components
        names = [row.component for row in marked if row.component in known]
        names = [name for name in names if known[name].healer == HEALER_OF[verb]]
        if names:
            self._panels[self.panel].unmark()
            self.host.requests.offer_each(verb, list(dict.fromkeys(names)))
            return
        view = self._chosen(verb, HEALER_OF[verb])
        if view is not None:
            self.host.requests.offer(verb, view.name)

    def action_session(self, what: str) -> None:
        """Do something with the session under the cursor."""
        view = self._chosen(what, "sessions")
        if view is not None:
            for_session(self.host, what, view)

    def _chosen(self, what: str, healer: str) -> ComponentView | None:
        """Return the component under the cursor, if it is of this kind; else say so."""
        view = self._view()
        if view is not None and view.healer == healer:
            return view
        panel = TITLE[cast("PanelId", healer)].lower()
        number = PANELS.index(cast("PanelId", healer)) + 1
        self.flash(f"{what}: select a row of panel {number} ({panel}) first", "dim")
        return None

    def action_inbox(self, what: str) -> None:
        """Say something of the marked rows, or of the one under the cursor."""
        panel = self._panels[self.panel]
        rows = panel.marked or ((panel.selected,) if panel.selected is not None else ())
        for_inbox(self.host, what, [context.subject(row) for row in rows], panel.unmark)

    def action_mark(self) -> None:
        """Mark the row under the cursor, or no longer."""
        self._panels[self.panel].mark()

    def action_check(self) -> None:
        """Ask for a look at everything."""
        self.host.requests.check()

    def action_first(self) -> None:
        """Show how to begin, where there is no configuration."""
        if self.host.first is not None:
            self.host.open_sheet(FirstRunScreen(self.host.first))

    def action_faults(self) -> None:
        """Offer the demo's faults."""
        requests = self.host.requests

        def picked(place: int | None) -> None:
            if place is not None:
                requests.fault(place)

        self.host.open_sheet(
            MenuSheet("make a fault", [name for name, _ in requests.faults]), picked
        )


def _by_order(row: Row) -> tuple[object, ...]:
    return row.order
