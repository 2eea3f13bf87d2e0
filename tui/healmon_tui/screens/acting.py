"""The acting part of the overview: what the keys ask of the healer, on rows under the cursor."""

from __future__ import annotations

from typing import cast

from healmon.state import ComponentView
from healmon_tui import context, keymap
from healmon_tui.host import Host, host
from healmon_tui.paint import Tone
from healmon_tui.picture import Picture
from healmon_tui.requests import HEALER_OF
from healmon_tui.rows.scene import Row, short
from healmon_tui.screens.travelling import Travelling
from healmon_tui.viewmodel import PANELS, TITLE, PanelId
from healmon_tui.widgets.bars import KeyBar
from healmon_tui.widgets.panel import Panel, panels


class Acting(Travelling):
    """Panels with a cursor, and the acts on what is under it.

    Attributes:
        panel: the one with the focus.
    """

    def __init__(self) -> None:
        super().__init__()
        self.panel: PanelId = "workers"
        self._picture: Picture | None = None
        self._panels: dict[PanelId, Panel] = {panel.panel: panel for panel in panels()}
        self._keys = KeyBar()

    @property
    def host(self) -> Host:
        """The app."""
        return host(self)

    def row(self) -> Row | None:
        """Return the row under the cursor."""
        return self._panels[self.panel].selected

    def flash(self, text: str, tone: Tone = "text") -> None:
        """Show an answer in the last line for a while."""
        self._keys.flash(text, tone)

    def hush(self) -> None:
        """Show the keys again."""
        self._keys.hush()

    def _view(self) -> ComponentView | None:
        """Return the component that the row under the cursor is about."""
        row = self.row()
        known = self._picture.scene.snapshot.components if self._picture else {}
        return known.get(row.component) if row is not None else None

    def check_action(self, action: str, parameters: tuple[object, ...]) -> bool | None:
        """Switch acts off where the screen is for reading only, and faults outside the demo."""
        if self.hands_off and keymap.is_act(action, parameters):
            return None
        if action == "faults" and not self.host.requests.faults:
            return False
        if action == "first" and self.host.first is None:
            return False
        return super().check_action(action, parameters)

    @property
    def sighted(self) -> bool:
        """Whether the row under the cursor is in sight."""
        return True

    def _unmeant(self) -> bool:
        """Tell, and say, that the key was meant for no row, or for one that just gave way."""
        panel = self._panels[self.panel]
        gone, row = panel.slid, panel.selected
        if not self.sighted:
            self.flash("not done: no room to show the row", "warn")
            return True
        if not gone or row is None or panel.marked:
            return False
        here = short(row.component)
        said = f"not done: {here} came under the cursor just now, where {short(gone)} was"
        self.flash(said if short(gone) != here else "not done: the rows have just moved", "warn")
        return True

    def action_act(self, verb: str) -> None:
        """Ask for the plan of a verb on the row under the cursor, or for those of the marked."""
        if self._unmeant():
            return
        marked = self._panels[self.panel].marked
        known = self.host.snapshot.components
        names = [row.component for row in marked if row.component in known]
        names = [name for name in names if known[name].healer == HEALER_OF[verb]]
        if names:
            note = self.hidden()
            self._panels[self.panel].acted()
            self.host.requests.offer_each(verb, list(dict.fromkeys(names)), note)
            return
        view = self._chosen(verb, HEALER_OF[verb]) if not marked else None
        if marked:
            self.flash(f"{verb}: none of the marked rows is of that kind", "dim")
        elif view is not None:
            self.host.requests.offer(verb, view.name, note=self.hidden())

    def action_session(self, what: str) -> None:
        """Do something with the session under the cursor."""
        from healmon_tui.screens.detail import for_session  # noqa: PLC0415 - loaded when it is opened

        view = None if self._unmeant() else self._chosen(what, "sessions")
        if view is not None:
            for_session(self.host, what, view)

    @property
    def hands_off(self) -> str:
        """Why nothing can be asked of the healer from here; empty: it can."""
        if self.host.travel.then is not None:
            return "this is the past"
        return "read only" if self.host.read_only else ""

    def hidden(self) -> str:
        """Return what is said of marked rows that a filter hides; empty: there are none."""
        count = self._panels[self.panel].hidden_marks
        rows = "1 marked row is" if count == 1 else f"{count} marked rows are"
        return f"{rows} hidden by the filter and left alone" if count else ""

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
        from healmon_tui.screens.detail import for_inbox  # noqa: PLC0415 - loaded when it is opened

        panel = self._panels[self.panel]
        if what not in ("undo", "lift") and self._unmeant():
            return
        rows = panel.marked or ((panel.selected,) if panel.selected is not None else ())
        if panel.marked and panel.hidden_marks:
            self.flash(self.hidden(), "warn")
        for_inbox(self.host, what, [context.subject(row) for row in rows], panel.acted)

    def action_explain(self) -> None:
        """Show why the row under the cursor is as it is."""
        row = self.row()
        if row is None:
            self.flash("nothing selected", "dim")
        else:
            self.host.why.of_row(row, self._view())

    def action_journal(self) -> None:
        """Show everything that healmon did to the world."""
        from healmon_tui.screens.journal import Journal  # noqa: PLC0415 - loaded when it is opened

        row = self.row()
        self.host.open_sheet(Journal(row.component if row is not None else ""))
        self.call_after_refresh(self.host.redraw)

    def action_plots(self) -> None:
        """Show how things went over hours and weeks."""
        from healmon_tui.screens.plots import Plots  # noqa: PLC0415 - loaded when it is opened

        self.host.open_sheet(Plots())
        self.call_after_refresh(self.host.redraw)

    def action_mark(self) -> None:
        """Mark the row under the cursor, or no longer."""
        if self.sighted:
            self._panels[self.panel].mark()

    def action_dry_run(self) -> None:
        """Switch the healer's dry run on, or off after a yes."""
        from healmon_tui import modes  # noqa: PLC0415 - loaded when it is asked for

        modes.switch_dry_run(self.host, self.host.inbox)

    def action_check(self) -> None:
        """Ask for a look at everything; where nobody heals, offer to."""
        if not self.host.take_over.offer(again=True):
            self.host.requests.check()

    def action_faults(self) -> None:
        """Offer the demo's faults."""
        from healmon_tui.screens.menu import MenuSheet  # noqa: PLC0415 - loaded when it is opened

        requests = self.host.requests

        def picked(place: int | None) -> None:
            if place is not None:
                requests.fault(place)

        self.host.open_sheet(
            MenuSheet("make a fault", [name for name, _ in requests.faults]), picked
        )
