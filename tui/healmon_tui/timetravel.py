"""The screen at an earlier moment: the same panels over the events that were stored by then.

What is shown is folded from the store in a thread; the healer and the live snapshot go on, and
are counted. Nothing newer than the moment is in the picture.
"""

from __future__ import annotations

import asyncio
from collections import deque
from collections.abc import Awaitable, Callable
from dataclasses import dataclass
from typing import Final, Protocol

from healmon.errors import HealmonError
from healmon.service.history import Archive, Entry, Visit, Where
from healmon.service.link import Link
from healmon.state import Snapshot
from healmon.text import clean
from healmon_tui.chronicle import Chronicle
from healmon_tui.paint import Tone
from healmon_tui.rows.scene import Scene
from healmon_tui.viewmodel import PanelId, PanelView, ViewModel

OFF: Final = "this is the past: nothing can be done in it; L returns to now"
WAITING: Final = 8
"""Keys that wait for a moment that is being folded; more are dropped."""


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

    def spawn(self, work: Awaitable[None]) -> None:
        """Run something beside the screen."""
        ...

    def redraw(self) -> None:
        """Draw the newest picture."""
        ...

    def flash(self, text: str, tone: Tone = "text") -> None:
        """Show one line for a while."""
        ...


@dataclass(frozen=True, slots=True)
class Then:
    """One moment of the past, made ready.

    Attributes:
        number: the event after which it is shown.
        received: events that had come when the past was entered.
        entered: wall seconds of the newest event then.
    """

    number: int
    scene: Scene
    chronicle: Chronicle
    panels: dict[PanelId, PanelView]
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
        self._wanted: deque[Callable[[Archive, int], Visit | str]] = deque(maxlen=WAITING)
        self._going = False

    def step(self, where: Where) -> None:
        """Go to the stop, or the incident, in a direction."""
        self._go(lambda archive, number: archive.go(where, number))

    def visit(self, entry: Entry) -> None:
        """Go to where something that is listed began."""
        self._go(lambda archive, _: archive.begin(entry))

    def live(self) -> None:
        """Return to now."""
        self._wanted.clear()
        if self.then is None:
            self._home.flash("this is now", "dim")
        self.then = None
        self._home.redraw()

    async def entries(self) -> tuple[list[Entry], str]:
        """Return what can be gone to, newest first, and what of it is no longer kept.

        Raises:
            HealmonError: the store cannot be read now.
        """
        return await asyncio.to_thread(self._link.archive().entries)

    def missed(self) -> tuple[int, int]:
        """Return how many events and new CRITICAL alerts came since the past was entered."""
        then = self.then
        if then is None:
            return 0, 0
        now = self._home.snapshot
        opened = {a.id for a in (*now.alerts.values(), *now.ended.values())
                  if a.opened_at > then.entered and "CRITICAL" in (a.severity, a.peak)}  # fmt: skip
        return self._home.received - then.received, len(opened)

    def _go(self, way: Callable[[Archive, int], Visit | str]) -> None:
        if len(self._wanted) == WAITING:
            return
        self._wanted.append(way)
        if not self._going:
            self._going = True
            self._home.spawn(self._gone())

    async def _gone(self) -> None:
        try:
            while self._wanted:
                await self._one(self._wanted.popleft())
        finally:
            self._going = False

    async def _one(self, way: Callable[[Archive, int], Visit | str]) -> None:
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
        self._home.redraw()

    def _ready(self, visit: Visit, chronicle: Chronicle, before: Then | None) -> Then:
        scene = Scene.of(visit.snapshot, visit.wall)
        received = before.received if before is not None else self._home.received
        entered = before.entered if before is not None else self._home.snapshot.at
        panels = self._views.panels(scene, chronicle, settled=True)
        return Then(visit.number, scene, chronicle, panels, received, entered)


def told(visit: Visit) -> Chronicle:
    """Return the stories as a screen that opened at this moment would tell them."""
    chronicle = Chronicle()
    for record in visit.events:
        chronicle.add(record)
    if not visit.whole:
        chronicle.seed(visit.snapshot)
    return chronicle


def _found(
    archive: Archive, way: Callable[[Archive, int], Visit | str], number: int
) -> tuple[Visit, Chronicle] | str:
    visit = way(archive, number)
    return visit if isinstance(visit, str) else (visit, told(visit))
