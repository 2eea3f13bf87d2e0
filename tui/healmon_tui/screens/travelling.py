"""A screen that can show the past: its keys, and what is off in it."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

from textual import events
from textual.binding import Binding, BindingType

from healmon.errors import HealmonError
from healmon.text import clean
from healmon_tui import keymap
from healmon_tui.host import Host, host
from healmon_tui.screens.showing import Showing
from healmon_tui.timetravel import OFF

if TYPE_CHECKING:
    from healmon.service.archive import Entry, Where

NOW_ONLY: Final = frozenset({"view.explain", "view.freeze", "demo.fault"})
"""Ids of what acts on nothing and is about the present all the same."""
_WAYS: Final[dict[str, Where]] = {
    "back": "back", "forward": "forward", "incident_back": "incident-back",
    "incident_forward": "incident-forward",
}  # fmt: skip


class Travelling(Showing):
    """Switches off in the past what would act on the present."""

    def check_action(self, action: str, parameters: tuple[object, ...]) -> bool | None:
        """Switch off what is not for the past."""
        past = host(self).travel.then is not None
        if past and (keymap.is_act(action, parameters) or _of_now(action, parameters)):
            return None
        return super().check_action(action, parameters)

    def action_history(self, what: str) -> None:
        """Go somewhere in time."""
        travel(host(self), what)

    def on_key(self, event: events.Key) -> None:
        """Say why a key does nothing in the past."""
        if host(self).travel.then is None:
            return
        found = self.active_bindings.get(event.key)
        if found is not None and not found.enabled:
            app = host(self)
            app.flash(f"{OFF}; {app.key('history.live')} returns to now", "warn")


def _of_now(action: str, parameters: tuple[object, ...]) -> bool:
    called = f"{action}({', '.join(map(repr, parameters))})" if parameters else action
    return any(a.id in NOW_ONLY and a.action == called for a in keymap.ACTIONS)


def bindings() -> list[BindingType]:
    """Return the keys through time, for screens that have keys of their own."""
    return [
        Binding(",".join(action.keys), action.action, show=False, id=action.id)
        for action in keymap.ACTIONS
        if action.group == "history"
    ]


def footer(app: Host) -> list[tuple[str, str]]:
    """Return (key, word) pairs for the footer of the past."""
    known = {action.id: action for action in app.actions()}
    wanted = (
        "app.help", "history.back", "history.forward", "history.incident_back",
        "history.incident_forward", "history.live", "history.list", "view.detail",
    )  # fmt: skip
    return [
        (keymap.key_name(known[name].keys[0]), known[name].label)
        for name in wanted
        if name in known
    ]


def travel(app: Host, what: str) -> None:
    """Do what a key of the group "history" is for."""
    if what == "live":
        app.travel.live()
    elif what == "list":
        app.spawn(_listed(app))
    else:
        app.travel.step(_WAYS[what])


async def _listed(app: Host) -> None:
    from healmon_tui.screens.history import HistorySheet  # noqa: PLC0415 - loaded when it is opened

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
