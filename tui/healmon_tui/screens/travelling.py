"""What the keys of the group "history" do, on any screen."""

from __future__ import annotations

from typing import Final

from textual import events
from textual.screen import Screen

from healmon.errors import HealmonError
from healmon.service.history import Entry, Where
from healmon.text import clean
from healmon_tui.host import Host, host
from healmon_tui.screens.history import HistorySheet
from healmon_tui.timetravel import OFF

_WAYS: Final[dict[str, Where]] = {
    "back": "back", "forward": "forward", "incident_back": "incident-back",
    "incident_forward": "incident-forward",
}  # fmt: skip


def travel(app: Host, what: str) -> None:
    """Do what a key of the group "history" is for."""
    if what == "live":
        app.travel.live()
    elif what == "list":
        app.spawn(_listed(app))
    else:
        app.travel.step(_WAYS[what])


async def _listed(app: Host) -> None:
    try:
        entries, edge = await app.travel.entries()
    except HealmonError as error:
        app.flash(clean(str(error)), "bad")
        return
    then = app.travel.then

    def picked(entry: Entry | None) -> None:
        if entry is not None:
            app.travel.visit(entry)

    here = then.number if then is not None else 0
    app.open_sheet(HistorySheet(entries, edge, app.now, here), picked)


def say_why_not(screen: Screen[None], event: events.Key) -> None:
    """Say why a key does nothing in the past."""
    app = host(screen)
    if app.travel.then is None:
        return
    found = screen.active_bindings.get(event.key)
    if found is not None and not found.enabled:
        app.flash(OFF, "warn")
