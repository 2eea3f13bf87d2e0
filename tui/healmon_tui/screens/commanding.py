"""The part of the overview that does what was typed in the palette."""

from __future__ import annotations

from typing import TYPE_CHECKING

from healmon_tui.screens.finding import Finding
from healmon_tui.viewmodel import PanelId

if TYPE_CHECKING:
    from healmon_tui.commands import Command, Run


class Commanding(Finding):
    """Panels that obey what is typed."""

    def __init__(self) -> None:
        super().__init__()
        self._recent: tuple[str, ...] = ()

    def to_panel(self, panel: PanelId) -> None:
        """Bring a panel to the front."""
        raise NotImplementedError

    def action_command(self) -> None:
        """Open the palette."""
        if self._picture is None:
            return
        from healmon_tui import catalog  # noqa: PLC0415 - loaded when it is opened
        from healmon_tui.screens.command import CommandSheet  # noqa: PLC0415 - as above

        row, app = self.row(), self.host
        here = catalog.Here(
            known=app.snapshot,
            now=app.now,
            panels=self._picture.panels,
            selected=row.component if row is not None else "",
            hands_off=self.hands_off,
            themes=app.wardrobe.names,
            demo=bool(app.requests.faults),
            given=app.given_keys,
        )
        app.open_sheet(CommandSheet(catalog.catalog(here), self._recent), self._picked)

    def _picked(self, command: Command | None) -> None:
        if command is None or command.run is None:
            return
        from healmon_tui.commands import remember  # noqa: PLC0415 - loaded by the palette

        self._recent = remember(self._recent, command.words)
        self._run(command.run)

    def _run(self, run: Run) -> None:
        from healmon_tui import modes  # noqa: PLC0415 - loaded when it is asked for
        from healmon_tui.commands import (  # noqa: PLC0415 - loaded by the palette
            Ask,
            Go,
            Look,
            Mode,
            Offer,
            Press,
        )

        app = self.host
        match run:
            case Offer():
                app.requests.offer(run.verb, run.component, run.more)
            case Ask():
                undo = (run.undo,) if run.undo else ()
                app.inbox.at_once([(run.verb, run.target, run.arguments)], undo, "done")
            case Go():
                self._go(run.panel, run.key)
            case Look():
                self.flash(f"theme: {app.use_theme(run.theme)}", "dim")
            case Mode():
                modes.switch_dry_run(app, app.inbox, on=run.on)
            case Press():
                self.call_later(self.run_action, run.action)

    def _go(self, name: PanelId, key: str) -> None:
        panel = self._panels[name]
        self.to_panel(name)
        if not key:
            return
        if panel.view.find(key) is None:
            self.unfilter()
        place = panel.view.find(key)
        if place is not None:
            panel.move_to(place)
