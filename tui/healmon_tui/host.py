"""What screens and widgets may ask of the app they are in."""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from typing import TYPE_CHECKING, Protocol, TypeVar, cast

from textual.geometry import Size
from textual.message_pump import MessagePump
from textual.screen import Screen

from healmon.state import Snapshot
from healmon_tui.brush import Brush
from healmon_tui.keymap import Action
from healmon_tui.keywords import Given
from healmon_tui.paint import Tone
from healmon_tui.themes import Palette
from healmon_tui.wardrobe import Wardrobe

if TYPE_CHECKING:
    from healmon.service.firstrun import FirstRun
    from healmon_tui.explaining import Explanations
    from healmon_tui.inbox import InboxRequests
    from healmon_tui.requests import Requests
    from healmon_tui.session_requests import SessionRequests
    from healmon_tui.takeover import TakeOver
    from healmon_tui.timetravel import TimeTravel
    from healmon_tui.watching import Watching

Result = TypeVar("Result")


class Host(Protocol):
    """The app, as its parts see it."""

    palette: Palette
    read_only: bool
    given_keys: Given
    first: FirstRun | None
    wardrobe: Wardrobe
    brush: Brush

    @property
    def snapshot(self) -> Snapshot:
        """The newest snapshot."""
        ...

    @property
    def now(self) -> float:
        """Wall seconds of the screen."""
        ...

    @property
    def size(self) -> Size:
        """The terminal's size."""
        ...

    @property
    def requests(self) -> Requests:
        """What can be asked of the healer."""
        ...

    @property
    def sessions(self) -> SessionRequests:
        """What can be done with one session."""
        ...

    @property
    def inbox(self) -> InboxRequests:
        """What can be said of alerts and pauses."""
        ...

    @property
    def why(self) -> Explanations:
        """Why things are as they are."""
        ...

    @property
    def travel(self) -> TimeTravel:
        """Where in time the screen is."""
        ...

    @property
    def take_over(self) -> TakeOver:
        """The offer to heal from this screen."""
        ...

    @property
    def watching(self) -> Watching:
        """The newest look at the session on the screen."""
        ...

    def actions(self) -> list[Action]:
        """Return the actions that can be used here, with the keys that they have here."""
        ...

    def key(self, action: str) -> str:
        """Return the key of an action as people write it; empty: it has none."""
        ...

    @property
    def occupied(self) -> bool:
        """Whether keys go to something that is answered or typed."""
        ...

    def flash(self, text: str, tone: Tone = "text") -> None:
        """Show one line for a while."""
        ...

    def copy_to_clipboard(self, text: str) -> None:
        """Hand a text to the terminal's clipboard."""
        ...

    def touched(self) -> None:
        """Somebody is at the keys."""
        ...

    def redraw(self) -> None:
        """Draw the newest picture."""
        ...

    def freeze(self) -> None:
        """Freeze the view, or let it go on."""
        ...

    def use_theme(self, name: str) -> str:
        """Change to a theme and return its name."""
        ...

    def next_theme(self) -> str:
        """Change the theme and return its name."""
        ...

    def open_sheet(
        self, sheet: Screen[Result], answered: Callable[[Result | None], None] | None = None
    ) -> None:
        """Put a screen over the others; `answered` gets its result."""
        ...

    def spawn(self, work: Awaitable[None]) -> None:
        """Run something beside the screen."""
        ...

    async def action_quit(self) -> None:
        """End in order."""
        ...


def host(part: MessagePump) -> Host:
    """Return the app that a screen or widget is in."""
    return cast("Host", part.app)  # pyright: ignore[reportUnknownMemberType] - App is generic
