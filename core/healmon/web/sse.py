"""`/api/v1/stream`: the state as it changes, by server-sent events.

Each viewer is given the newest state when it can take it, and what it missed is left out: nothing
waits for a slow one, and one that takes nothing at all is let go.
"""

from __future__ import annotations

import asyncio
from typing import Final

from aiohttp import hdrs, web

from healmon.web import gatekeeper, live
from healmon.web.context import Context, visitor_of
from healmon.web.guard import Refusal

KIND: Final = "text/event-stream"
BEAT: Final = 5.0
"""Seconds after which the viewer is told that we are there, where nothing changes."""
SLOW: Final = 20.0
"""Seconds for which a viewer may take nothing."""
RETRY: Final = b"retry: 2000\n\n"


class Streams:
    """All viewers.

    Args:
        context: the server's.
    """

    def __init__(self, context: Context) -> None:
        self._context = context
        self._frames: tuple[int, bytes] = (-1, b"")
        self._tasks: set[asyncio.Task[None] | None] = set()

    def frame(self) -> bytes:
        """Return the newest state as an event, made once for all."""
        seen, body = self._context.live.seen, self._context.live.body
        if self._frames[0] != seen.version:
            name = b"state" if seen.holding is not None else b"gone"
            head = b"id: %d\nevent: " % seen.snapshot.last_id
            self._frames = (seen.version, head + name + b"\ndata: " + body + b"\n\n")
        return self._frames[1]

    async def serve(self, request: web.Request) -> web.StreamResponse:
        """Tell one viewer until it leaves."""
        if request.method == hdrs.METH_HEAD:
            return web.Response(content_type=KIND)
        most = self._context.settings.max_viewers
        if self._context.viewers >= most:
            text = f"{most} pages look on already"
            return gatekeeper.refusal(
                Refusal(503, text, "raise web.max_viewers"), **{hdrs.RETRY_AFTER: "10"}
            )
        response = web.StreamResponse(headers={hdrs.CONTENT_TYPE: KIND})
        response.headers["X-Accel-Buffering"] = "no"
        self._context.viewers += 1
        task = asyncio.current_task()
        self._tasks.add(task)
        try:
            await response.prepare(request)
            await self._tell(request, response)
        except (ConnectionError, TimeoutError):
            if request.transport is not None:
                request.transport.abort()
        finally:
            self._context.viewers -= 1
            self._tasks.discard(task)
        return response

    async def leave(self, _app: web.Application) -> None:
        """Let all viewers go: we end."""
        for task in self._tasks:
            if task is not None:
                task.cancel()

    async def _tell(self, request: web.Request, response: web.StreamResponse) -> None:
        known = self._context.live
        version = known.seen.version
        await self._write(response, RETRY + self.frame())
        while request.transport is not None and not request.transport.is_closing():
            try:
                async with asyncio.timeout(BEAT):
                    version = (await known.after(version)).version
                frame = self.frame()
            except TimeoutError:
                frame = b"event: beat\ndata: " + live.beat(known) + b"\n\n"
            if not visitor_of(request).still():
                return
            await self._write(response, frame)

    async def _write(self, response: web.StreamResponse, frame: bytes) -> None:
        async with asyncio.timeout(SLOW):
            await response.write(frame)
