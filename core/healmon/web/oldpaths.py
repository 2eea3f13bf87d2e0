"""The old dashboard's addresses; see `oldshapes`."""

from __future__ import annotations

import re
from collections.abc import Callable
from typing import Any, Final

from aiohttp import web

from healmon.service.series import frame
from healmon.web import gatekeeper, oldshapes
from healmon.web import shapes as s
from healmon.web.api import json_of
from healmon.web.context import Context, Handler
from healmon.web.guard import Refusal

NEAR: Final = ("/health", "/api/workers/health")
"""Asked without a login before; now by who sits at this very host only."""
INTERVALS: Final = {"minute": 60.0, "hour": 3600.0, "day": 86_400.0}
LONGEST: Final = 24 * 365


class Old:
    """The handlers.

    Args:
        context: the server's.
    """

    def __init__(self, context: Context) -> None:
        self._live = context.live
        self._stored = context.stored

    async def health(self, _request: web.Request) -> web.StreamResponse:
        """Tell how it all is, in the status too."""
        told, status = oldshapes.health(self._live.state, self._live.now())
        return json_of(told, status)

    def of(self, make: Callable[[s.State, float], dict[str, Any]]) -> Handler:
        """Return what answers with a shape of the state."""

        async def tell(_request: web.Request) -> web.StreamResponse:
            return json_of(make(self._live.state, self._live.now()))

        return tell

    async def system(self, request: web.Request) -> web.StreamResponse:
        """Tell how it went."""
        text, interval = request.query.get("hours", "24"), request.query.get("interval", "hour")
        hours = int(text) if re.fullmatch("[0-9]{1,5}", text) else 0
        if not 0 < hours <= LONGEST or interval not in INTERVALS:
            said = f"hours: 1 to {LONGEST}; interval: {', '.join(INTERVALS)}"
            return gatekeeper.refusal(Refusal(400, said))
        now = self._live.now()
        stretch = frame(now - hours * 3600.0, now, INTERVALS[interval])
        return json_of(oldshapes.system(await self._stored.history(stretch), hours, interval))

    async def component(self, request: web.Request) -> web.StreamResponse:
        """Tell one check."""
        name = request.match_info["name"]
        told = oldshapes.component(self._live.state, name, self._live.now())
        if told is None:
            there = ", ".join(oldshapes.CHECKS)
            return gatekeeper.refusal(Refusal(404, "there is no such check", f"there are: {there}"))
        return json_of(told)

    async def session(self, request: web.Request) -> web.StreamResponse:
        """Tell how a session is."""
        name = request.match_info["name"]
        for one in self._live.state.sessions:
            if one.name == name:
                return json_of(oldshapes.session(one))
        return gatekeeper.refusal(Refusal(404, "there is no such session"))


def mount(app: web.Application, context: Context) -> None:
    """Add these paths."""
    old = Old(context)
    for path, handler in (
        ("/health", old.health),
        ("/api/workers/health", old.of(oldshapes.workers)),
        ("/api/health/current", old.of(oldshapes.current)),
        ("/api/health/system", old.system),
        ("/api/health/deep", old.of(oldshapes.deep)),
        ("/api/health/components", old.of(oldshapes.deep)),
        ("/api/health/component/{name}", old.component),
        ("/api/tmux/sessions/{name}/health", old.session),
    ):
        app.router.add_get(path, handler)
