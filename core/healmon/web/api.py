"""`/api/v1`: what is known, as JSON; and the two words for whoever watches over this server."""

from __future__ import annotations

from aiohttp import web

from healmon.web.context import Context
from healmon.web.sse import Streams


class Api:
    """The handlers that only look.

    Args:
        context: the server's.
    """

    def __init__(self, context: Context) -> None:
        self._context = context

    async def state(self, _request: web.Request) -> web.StreamResponse:
        """Tell everything that is known now."""
        return web.Response(body=self._context.live.body, content_type="application/json")

    async def alive(self, _request: web.Request) -> web.StreamResponse:
        """Tell that this server answers; nothing of what it knows."""
        return web.Response(text="ok\n")

    async def ready(self, _request: web.Request) -> web.StreamResponse:
        """Tell whether a healer runs and its store can be read."""
        seen = self._context.live.seen
        good = seen.holding is not None and not seen.trouble
        return web.Response(text="ready\n" if good else "not ready\n", status=200 if good else 503)


def mount(app: web.Application, context: Context) -> None:
    """Add these paths."""
    api, streams = Api(context), Streams(context)
    app.on_shutdown.append(streams.leave)
    app.router.add_get("/healthz", api.alive)
    app.router.add_get("/readyz", api.ready)
    app.router.add_get("/api/v1/state", api.state)
    app.router.add_get("/api/v1/stream", streams.serve)
