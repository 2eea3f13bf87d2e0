"""All about one component, on a screen of its own."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import ClassVar, Final

from textual.app import ComposeResult
from textual.binding import Binding, BindingType

from healmon.state import ComponentView
from healmon_tui import about, glyphs, keymap, session
from healmon_tui.context import Subject
from healmon_tui.facts import Facts
from healmon_tui.host import Host, host
from healmon_tui.live import Seen
from healmon_tui.picture import Picture
from healmon_tui.requests import HEALER_OF
from healmon_tui.rows.scene import short
from healmon_tui.screens import travelling
from healmon_tui.screens.help import HelpSheet
from healmon_tui.screens.journal import Journal
from healmon_tui.screens.reading import reading
from healmon_tui.screens.travelling import Travelling
from healmon_tui.timetravel import unkept
from healmon_tui.widgets.bars import Banner, KeyBar, StatusBar
from healmon_tui.widgets.context import Context

_KEYS: Final = (
    "session.jump", "view.explain", "session.replay", "alert.ack", "alert.snooze",
    "session.touch",
)  # fmt: skip
"""What can be done with a session, the most wanted first."""
_ANY: Final = ("view.explain", "alert.ack", "alert.silence", "alert.pause", "view.journal")
"""What can be asked and said of anything."""


ACTS: Final[dict[str, str]] = {
    "worker.restart": "workers", "session.clear": "sessions", "disk.clean": "disks",
    "lock.clear": "databases",
}  # fmt: skip
"""What heals by hand, and whose it is."""


class Detail(Travelling):
    """Facts, alerts, plan, timeline, journal; live."""

    ALLOW_SELECT = False
    BINDINGS: ClassVar[list[BindingType]] = [
        *reading(10),
        Binding("enter", "close", show=False),
        Binding("g,home", "edge(-1)", show=False, id="move.first"),
        Binding("G,end", "edge(1)", show=False, id="move.last"),
        Binding("question_mark", "help", show=False, id="app.help"),
        *travelling.bindings(),
        *(
            Binding(action.keys[0], action.action, show=False, id=action.id)
            for action in keymap.ACTIONS
            if action.id.startswith(("session.", "alert.", "view.explain", "view.journal"))
            or action.id in ACTS
        ),
    ]

    def __init__(self, about: Subject) -> None:
        super().__init__()
        self._about = about
        self._view: ComponentView | None = None
        self._picture: Picture | None = None
        self._status = StatusBar()
        self._banner = Banner()
        self._side = Context()
        self._keys = KeyBar()

    def compose(self) -> ComposeResult:
        """Put the lines in."""
        yield self._status
        yield self._banner
        yield self._side
        yield self._keys

    def show(self, picture: Picture, *, front: bool) -> None:
        """Show another moment; what the front one is about is looked at."""
        opened = self._picture is None
        self._picture = picture
        self._view = picture.scene.snapshot.components.get(self._about.component)
        status = picture.status(self.size.width, self._about.component)
        self._status.show(status, picture.ground)
        self._banner.show(picture.banner)
        watching, app = host(self).watching, host(self)
        self._fill(watching.want if front else watching.newest)
        if opened and front:
            # what the overview saw of it may be a second old
            watching.look()
        acts = travelling.footer(app)[1:-2] if app.travel.then is not None else self._acts()
        self._keys.show(((app.key("app.help"), "help"), ("esc", "back"), *acts))

    def look_again(self) -> None:
        """Show what came of a look at what this is about."""
        self._fill(host(self).watching.newest)

    def _fill(self, look: Callable[[ComponentView | None], Seen]) -> None:
        picture, side = self._picture, self._side
        if picture is None:
            return
        # a frozen view shows no screen: that one would be of now
        seen = look(self._view if picture.upto is None else None)
        if picture.looking.history is not None:
            seen = unkept(self._view, picture.looking.history)
        wide = (side.cells, side.size.width)
        shown = about.screen(picture, self._about, seen, wide, side.size.height - 1)
        side.show(self._title(picture), *shown)

    def _title(self, picture: Picture) -> str:
        alert = picture.scene.snapshot.alerts.get(self._about.alert)
        name = self._about.component
        return name if alert is None else f"alert {alert.id} {glyphs.DOT} {name}"

    def _acts(self) -> list[tuple[str, str]]:
        """Return the keys that do something here, those of a session where it is one."""
        app = host(self)
        usable = {a.id: a for a in app.actions()}
        healer = self._view.healer if self._view is not None else ""
        mine = tuple(name for name, of in ACTS.items() if of == healer)
        wanted: tuple[str, ...] = (*mine, *_ANY)
        if self._view is not None and healer == "sessions":
            asks = session.asks(Facts(self._view.facts))
            wanted = (*(("session.answer",) if asks else mine), *_KEYS)
        found = [usable[name] for name in wanted if name in usable]
        pairs = [(keymap.key_name(a.keys[0]), a.label) for a in found]
        move = f"{app.key('move.down')} {app.key('move.up')}"
        return [*pairs, (move, "scroll"), (app.key("move.last"), "newest")]

    def check_action(self, action: str, parameters: tuple[object, ...]) -> bool | None:
        """Switch acts off where the screen is for reading only."""
        if host(self).read_only and keymap.is_act(action, parameters):
            return None
        return super().check_action(action, parameters)

    def action_act(self, verb: str) -> None:
        """Ask for the plan that heals this by hand."""
        view = self._view
        if view is not None and view.healer == HEALER_OF[verb]:
            host(self).requests.offer(verb, view.name)
        else:
            gone = "it is not there any more" if view is None else "it is of another kind"
            host(self).flash(f"{verb} {short(self._about.component)}: {gone}", "dim")

    def action_explain(self) -> None:
        """Show why this is as it is."""
        if self._about.alert:
            host(self).why.of_alert(self._about.alert, self._view)
        elif self._view is not None:
            host(self).why.of_component(self._view)

    def action_journal(self) -> None:
        """Show everything that healmon did to the world."""
        host(self).open_sheet(Journal(self._about.component))
        self.call_after_refresh(host(self).redraw)

    def action_session(self, what: str) -> None:
        """Do something with this session."""
        if self._view is not None and self._view.healer == "sessions":
            for_session(host(self), what, self._view)

    def action_inbox(self, what: str) -> None:
        """Say something of this component or alert."""
        for_inbox(host(self), what, [self._about], lambda: None)

    def action_scroll(self, by: int) -> None:
        """Scroll by so many lines."""
        self._side.scroll(by)

    def action_help(self) -> None:
        """Show all keys."""
        host(self).open_sheet(HelpSheet("sessions", host(self).actions()))

    def action_edge(self, direction: int) -> None:
        """Go to the first line, or to the last one and stay there."""
        self._side.edge(direction)

    def action_close(self) -> None:
        """Back to the overview."""
        self.dismiss()


def for_session(app: Host, what: str, view: ComponentView) -> None:
    """Do what a key of the group "session" is for."""
    sessions = app.sessions
    known: dict[str, Callable[[ComponentView], None]] = {
        "jump": sessions.jump,
        "answer": sessions.answer,
        "touch": sessions.touch,
        "replay": sessions.replay,
    }
    known[what](view)


def for_inbox(app: Host, what: str, about: Sequence[Subject], done: Callable[[], None]) -> None:
    """Do what a key of the group "alert" is for; `done` is called when it is asked for."""
    inbox = app.inbox
    if what in ("undo", "lift"):
        (inbox.undo if what == "undo" else inbox.lift)()
        return
    known: dict[str, Callable[[Sequence[Subject], Callable[[], None]], None]] = {
        "acknowledge": inbox.acknowledge,
        "note": inbox.note,
        "silence": inbox.silence,
        "pause": inbox.pause,
        "snooze": inbox.snooze,
    }
    known[what](about, done)
