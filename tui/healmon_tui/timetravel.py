"""The screen at an earlier moment: the same panels over the events that were stored by then.

What is shown is folded from the store in a thread; the healer and the live snapshot go on, and
are counted. Nothing newer than the moment is in the picture.
"""

from __future__ import annotations

import asyncio
from collections import deque
from collections.abc import Awaitable, Callable
from typing import TYPE_CHECKING, Final, Protocol, TypeAlias

from msgspec import Struct

from healmon.errors import HealmonError
from healmon.service.link import Link, Peek
from healmon.state import ComponentView, Snapshot
from healmon.text import clean
from healmon_tui.chronicle import Chronicle
from healmon_tui.live import Seen
from healmon_tui.paint import Tone
from healmon_tui.rows.scene import Scene
from healmon_tui.viewmodel import PANELS, PanelId, PanelView, ViewModel

if TYPE_CHECKING:
    from healmon.service.archive import Archive, Entry, Visit, Where
    from healmon.service.series import Sums

OFF: Final = "this is the past: nothing can be done in it"
Way: TypeAlias = "Callable[[Archive, int], Visit | str]"
WAITING: Final = 8
"""Keys that wait for a moment that is being folded; more are dropped."""


Place: TypeAlias = tuple[PanelId, str]
"""A panel, and the key of the row under its cursor."""


class Seat(Protocol):
    """Where the cursor is."""

    def place(self) -> Place:
        """Return where the cursor is."""
        ...

    def put(self, place: Place) -> None:
        """Bring the cursor to a row, if it is there."""
        ...

    def hush(self) -> None:
        """Say nothing more of what was tried before."""
        ...


class Home(Protocol):
    """What this part needs of the app."""

    @property
    def snapshot(self) -> Snapshot:
        """The newest snapshot."""
        ...

    @property
    def received(self) -> int:
        """How many events came so far."""
        ...

    @property
    def overview(self) -> Seat:
        """The screen with the cursor."""
        ...

    def spawn(self, work: Awaitable[None]) -> None:
        """Run something beside the screen."""
        ...

    def redraw(self) -> None:
        """Draw the newest picture."""
        ...

    def flash(self, text: str, tone: Tone = "text") -> None:
        """Show one line for a while."""
        ...


class Then(Struct, frozen=True):
    """One moment of the past, made ready.

    Attributes:
        number: the event after which it is shown.
        place: where the cursor was when the past was entered.
        received: events that had come by then.
        entered: wall seconds of the newest of them.
    """

    number: int
    scene: Scene
    chronicle: Chronicle
    panels: dict[PanelId, PanelView]
    place: Place
    received: int
    entered: float

    @property
    def wall(self) -> float:
        """Wall seconds of the moment."""
        return self.scene.now


class TimeTravel:
    """Where in time the screen is.

    Attributes:
        then: the moment that is shown; None: now.
    """

    def __init__(self, home: Home, link: Link) -> None:
        self.then: Then | None = None
        self._home = home
        self._link = link
        self._views = ViewModel()
        self._wanted: deque[tuple[Way, bool]] = deque(maxlen=WAITING)
        self._going = False
        self._back = False

    def step(self, where: Where) -> None:
        """Go to the stop, or the incident, in a direction."""
        incident = where.startswith("incident")
        self._go(lambda archive, number: archive.go(where, number), point=incident)

    def visit(self, entry: Entry) -> None:
        """Go to where something that is listed began."""
        self._go(lambda archive, _: archive.begin(entry), point=True)

    def live(self) -> None:
        """Return to now."""
        self._wanted.clear()
        then, self.then = self.then, None
        self._back = then is not None
        self._home.redraw()
        if then is not None:
            self._home.overview.put(then.place)
        else:
            self._home.flash("this is now", "dim")

    def arrives(self) -> bool:
        """Tell, once, whether the screen is just back from the past: what is new must show."""
        back, self._back = self._back, False
        return back

    async def entries(self) -> tuple[list[Entry], str]:
        """Return what can be gone to, newest first, and what of it is no longer kept.

        Raises:
            HealmonError: the store cannot be read now.
        """
        return await asyncio.to_thread(self._link.archive().entries)

    async def sums(self, begin: float, end: float) -> Sums:
        """Return how things went from one moment to another (wall seconds).

        Raises:
            HealmonError: the store cannot be read now.
        """
        return await asyncio.to_thread(self._link.archive().sums, begin, end)

    def missed(self) -> tuple[int, int]:
        """Return how many events and new CRITICAL alerts came since the past was entered."""
        then = self.then
        if then is None:
            return 0, 0
        now = self._home.snapshot
        opened = {a.id for a in (*now.alerts.values(), *now.ended.values())
                  if a.opened_at > then.entered and "CRITICAL" in (a.severity, a.peak)}  # fmt: skip
        return self._home.received - then.received, len(opened)

    def _go(self, way: Way, *, point: bool) -> None:
        if len(self._wanted) == WAITING:
            return
        self._wanted.append((way, point))
        if not self._going:
            self._going = True
            self._home.spawn(self._gone())

    async def _gone(self) -> None:
        try:
            while self._wanted:
                await self._one(*self._wanted.popleft())
        finally:
            self._going = False

    async def _one(self, way: Way, point: bool) -> None:  # noqa: FBT001 - out of the queue
        archive, before = self._link.archive(), self.then
        number = before.number if before is not None else 0
        try:
            found = await asyncio.to_thread(_found, archive, way, number)
        except HealmonError as error:
            self._home.flash(clean(str(error)), "bad")
            return
        if isinstance(found, str):
            self._home.flash(found, "dim")
            return
        if self.then is not before:
            return  # back to now meanwhile
        visit, chronicle = found
        self.then = self._ready(visit, chronicle, before)
        self._home.overview.hush()
        self._home.redraw()
        if point:
            self._home.overview.put(_row_of(self.then, visit.component))

    def _ready(self, visit: Visit, chronicle: Chronicle, before: Then | None) -> Then:
        scene = Scene.of(visit.snapshot, visit.wall, chronicle=chronicle)
        place = before.place if before is not None else self._home.overview.place()
        received = before.received if before is not None else self._home.received
        entered = before.entered if before is not None else self._home.snapshot.at
        panels = self._views.panels(scene, chronicle, settled=True)
        return Then(visit.number, scene, chronicle, panels, place, received, entered)


def _row_of(then: Then, component: str) -> Place:
    """Return the row of what an incident is about; of healmon itself, its newest story."""
    for panel in PANELS:
        for row in then.panels[panel].rows:
            if row.component == component:
                return panel, row.key
    return "alerts", ""


def unkept(view: ComponentView | None, at: float) -> Seen:
    """Return what stands for a session's screen in the past."""
    if view is None or view.healer != "sessions":
        return Seen()
    reason = "screens are not kept; b replays the newest act of then, if any"
    return Seen(peek=Peek(at=at, reason=reason))


def told(visit: Visit) -> Chronicle:
    """Return the stories as a screen that opened at this moment would tell them."""
    chronicle = Chronicle()
    for record in visit.events:
        chronicle.add(record)
    if not visit.whole:
        chronicle.seed(visit.snapshot)
    return chronicle


def _found(archive: Archive, way: Way, number: int) -> tuple[Visit, Chronicle] | str:
    visit = way(archive, number)
    return visit if isinstance(visit, str) else (visit, told(visit))
