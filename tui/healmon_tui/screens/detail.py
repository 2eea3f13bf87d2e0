"""All about one component, on a screen of its own."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import ClassVar, Final

from textual.app import ComposeResult
from textual.binding import Binding, BindingType

from healmon.state import ComponentView
from healmon_tui import context, keymap, maintenance, session
from healmon_tui.context import Subject
from healmon_tui.facts import Facts
from healmon_tui.host import Host, host
from healmon_tui.picture import Picture
from healmon_tui.screens import travelling
from healmon_tui.screens.help import HelpSheet
from healmon_tui.screens.reading import reading
from healmon_tui.screens.travelling import Travelling
from healmon_tui.timetravel import unkept
from healmon_tui.widgets.bars import Banner, KeyBar, StatusBar
from healmon_tui.widgets.context import Context

_KEYS: Final = (
    "session.jump", "session.explain", "session.replay", "alert.ack", "alert.snooze",
    "session.touch",
)  # fmt: skip
"""What can be done with a session, the most wanted first."""
_ANY: Final = ("alert.ack", "alert.silence", "alert.pause")
"""What can be said of anything."""


class Detail(Travelling):
    """Facts, alerts, plan, timeline, journal; live."""

    ALLOW_SELECT = False
    BINDINGS: ClassVar[list[BindingType]] = [
        *reading(10),
        Binding("enter", "close", show=False),
        Binding("question_mark", "help", show=False, id="app.help"),
        *travelling.bindings(),
        *(
            Binding(action.keys[0], action.action, show=False, id=action.id)
            for action in keymap.ACTIONS
            if action.id.startswith(("session.", "alert."))
        ),
    ]

    def __init__(self, about: Subject) -> None:
        super().__init__()
        self._about = about
        self._view: ComponentView | None = None
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
        cells = self._side.cells
        self._view = picture.scene.snapshot.components.get(self._about.component)
        # a frozen view shows no screen: that one would be of now
        watching = host(self).watching
        look = watching.want if front else watching.newest
        seen = look(self._view if picture.upto is None else None)
        if picture.looking.history is not None:
            seen = unkept(picture.looking.history)
        self._status.show(picture.status(self.size.width), picture.ground)
        self._banner.show(picture.banner)
        self._side.show(
            self._about.component,
            [
                *maintenance.lines_of_row(picture.scene, self._about.component, cells),
                *context.now(picture.scene, self._about, cells, seen),
            ],
            context.past(picture.chronicle, self._about, cells, picture.upto),
        )
        app = host(self)
        acts = travelling.footer(app)[1:-2] if app.travel.then is not None else self._acts()
        self._keys.show(((app.key("app.help"), "help"), ("esc", "back"), *acts))

    def _acts(self) -> list[tuple[str, str]]:
        """Return the keys that do something here, those of a session where it is one."""
        usable = {a.id: a for a in host(self).actions()}
        move = f"{host(self).key('move.down')} {host(self).key('move.up')}"
        if self._view is None or self._view.healer != "sessions":
            mine = [usable[name] for name in _ANY if name in usable]
            return [*((keymap.key_name(a.keys[0]), a.label) for a in mine), (move, "scroll")]
        asks = session.asks(Facts(self._view.facts))
        wanted = ("session.answer",) if asks else ("session.clear",)
        mine = [usable[name] for name in (*wanted, *_KEYS) if name in usable]
        return [*((keymap.key_name(a.keys[0]), a.label) for a in mine), (move, "scroll")]

    def check_action(self, action: str, parameters: tuple[object, ...]) -> bool | None:
        """Switch acts off where the screen is for reading only."""
        if host(self).read_only and keymap.is_act(action, parameters):
            return None
        return super().check_action(action, parameters)

    def action_act(self, verb: str) -> None:
        """Ask for the plan that clears this session."""
        if self._view is not None and self._view.healer == "sessions":
            host(self).requests.offer(verb, self._view.name)

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
        "explain": sessions.explain,
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
