"""Looks at one component again and again while a person looks at it, and never twice at once."""

from __future__ import annotations

from collections.abc import Callable, Coroutine
from typing import Any, Final

from healmon.service.link import Link
from healmon.state import ComponentView
from healmon_tui.live import DEEP, Seen

SESSIONS: Final = "sessions"
WORKERS: Final = "workers"


class Watching:
    """The newest look at the session or worker that is on the screen.

    Args:
        link: where to look through.
        spawn: runs something beside the screen.
        redraw: draws what came of it.
    """

    def __init__(
        self,
        link: Link,
        spawn: Callable[[Coroutine[Any, Any, None]], None],
        redraw: Callable[[], None],
    ) -> None:
        self._link = link
        self._spawn = spawn
        self._redraw = redraw
        self._wanted: ComponentView | None = None
        self._seen: tuple[str, Seen] = ("", Seen())
        self._looking = False

    @property
    def under_way(self) -> bool:
        """Whether a look will be drawn as soon as it is over."""
        return self._looking

    def want(self, view: ComponentView | None) -> Seen:
        """Say which component is on the screen; return the newest look at it, if there is one."""
        wanted = view if view is not None and view.healer in (SESSIONS, WORKERS) else None
        fresh = wanted is not None and (self._wanted is None or self._wanted.name != wanted.name)
        self._wanted = wanted
        if fresh:
            self.look()
        return self.newest(wanted)

    def newest(self, view: ComponentView | None) -> Seen:
        """Return the newest look at a component, if that is what was looked at; want nothing."""
        name, seen = self._seen
        return seen if view is not None and name == view.name else Seen()

    def look(self) -> None:
        """Look again, unless a look is still under way or nothing is wanted."""
        if self._wanted is not None and not self._looking:
            self._looking = True
            self._spawn(self._look(self._wanted))

    async def _look(self, view: ComponentView) -> None:
        try:
            if view.healer == SESSIONS:
                seen = Seen(peek=await self._link.peek(view.facts))
            else:
                seen = Seen(tail=await self._link.tail(view.name, DEEP))
        finally:
            self._looking = False
        self._seen = (view.name, seen)
        if self._wanted is None:
            return
        if self._wanted.name != view.name:
            self.look()
        else:
            self._redraw()
