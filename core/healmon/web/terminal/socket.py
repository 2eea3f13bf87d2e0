"""The websocket of a tab: who may have one, how many at a time, and what may be said on it."""

from __future__ import annotations

import asyncio
import os
from contextlib import suppress
from typing import Any, Final, TypeAlias

import msgspec
from aiohttp import WSCloseCode, WSMsgType, web

from healmon.errors import HealmonError
from healmon.text import clean
from healmon.web.context import Context, Visitor, visitor_of
from healmon.web.gatekeeper import refusal
from healmon.web.guard import Refusal
from healmon.web.terminal import program
from healmon.web.terminal.program import Size
from healmon.web.terminal.service import Tab

BEAT: Final = 15.0
"""Seconds between two signs of life; a browser that gives none for half of it is gone."""
MESSAGE: Final = 64 * 1024
"""Bytes of one message: what a person pastes."""
AGAIN: Final = 3.0
"""Seconds between two looks whether the login still holds."""
LOGGED_OUT: Final = 4001
"""Close codes of our own."""
FAULT: Final = 4002
Message: TypeAlias = tuple[str, Any]
_decoder = msgspec.json.Decoder(list[Any])


class Sockets:
    """All open tabs of one server.

    Args:
        context: the server's.
    """

    def __init__(self, context: Context) -> None:
        self._context = context
        self._open: dict[Tab, web.WebSocketResponse] = {}
        self._coming = 0

    async def serve(self, request: web.Request) -> web.StreamResponse:
        """Serve one tab until it is closed."""
        refused = self._refused(request)
        if refused is not None:
            return refusal(refused)
        websocket = web.WebSocketResponse(heartbeat=BEAT, max_msg_size=MESSAGE)
        self._coming += 1
        try:
            await websocket.prepare(request)
            tab = Tab(self._words(visitor_of(request)), websocket)
            self._open[tab] = websocket
        finally:
            self._coming -= 1
        watching = asyncio.create_task(self._watch(request, websocket))
        try:
            await self._served(request, websocket, tab)
        finally:
            watching.cancel()
            await self._end(tab)
        return websocket

    async def _end(self, tab: Tab) -> None:
        """Return when a tab's program is gone, and its place free."""
        ending = tab.end()
        ending.add_done_callback(lambda _: self._open.pop(tab, None))
        # whoever waits may be cancelled; the end goes on, and `close` waits for it, too
        await asyncio.shield(ending)

    def _refused(self, request: web.Request) -> Refusal | None:
        settings = self._context.settings
        if not _holds(request):
            return Refusal(403, "the terminal screen is for browsers that are logged in")
        taken = len(self._open) + self._coming
        if taken >= settings.tui_tabs:
            text = f"{taken} terminal screens are open, and no more may be"
            return Refusal(503, text, "close one of them, or raise web.tui_tabs")
        if request.headers.get("Upgrade", "").lower() != "websocket":
            return Refusal(426, "this is a websocket")
        return None

    async def _served(
        self, request: web.Request, websocket: web.WebSocketResponse, tab: Tab
    ) -> None:
        size = program.size_of(request.query.get("width"), request.query.get("height"))
        try:
            await tab.begin(size)
            await _listen(websocket, tab)
        except HealmonError as error:
            text = clean(str(error.args[0] if error.args else error), limit=100)
            await websocket.close(code=FAULT, message=text.encode())

    def _words(self, visitor: Visitor) -> tuple[str, ...]:
        context = self._context
        asker = f"web operator from {visitor.address}" if visitor.may_act else ""
        return program.words(context.state_dir, context.config, asker, os.getpid())

    async def _watch(self, request: web.Request, websocket: web.WebSocketResponse) -> None:
        """Close the tab of who is logged in no more."""
        while _holds(request):  # noqa: ASYNC110 - a login ends by time, not by an event
            await asyncio.sleep(AGAIN)
        await websocket.close(code=LOGGED_OUT, message=b"you are logged out")

    async def close(self, app: web.Application) -> None:
        """Close all tabs, and return when their programs are gone: the server ends."""
        del app
        tabs = dict(self._open)
        for websocket in tabs.values():
            with suppress(ConnectionError):
                await websocket.close(code=WSCloseCode.GOING_AWAY, message=b"the server has ended")
        await asyncio.gather(*map(self._end, tabs))


def _holds(request: web.Request) -> bool:
    """Tell whether the login behind a request still holds, by the tokens of now."""
    visitor = visitor_of(request)
    return bool(visitor.csrf) and visitor.still()


async def _listen(websocket: web.WebSocketResponse, tab: Tab) -> None:
    """Pass on what is typed, until the tab is closed or says what is no message."""
    async for message in websocket:
        if message.type is not WSMsgType.TEXT:
            return
        said = read(message.data)
        if said is None:
            await websocket.close(code=WSCloseCode.POLICY_VIOLATION, message=b"that is no message")
            return
        await _heed(tab, websocket, *said)


def read(text: str) -> Message | None:
    """Return what a tab says, checked; None: it is no message of the protocol. Pure."""
    try:
        kind, *rest = _decoder.decode(text)
    except (msgspec.MsgspecError, ValueError, RecursionError):
        return None
    match (kind, *rest):
        case ("stdin", str(keys)):
            return "stdin", keys.encode("utf-8", "replace")
        case ("resize", {"width": int(width), "height": int(height)}):
            return "resize", program.size_of(width, height)
        case ("ping", str(mark)) if len(mark) <= 40:
            return "ping", mark
        case ("focus" | "blur" as word,):
            return word, None
        case _:
            return None


async def _heed(tab: Tab, websocket: web.WebSocketResponse, kind: str, said: Any) -> None:  # noqa: ANN401 - by kind
    match kind:
        case "stdin":
            await tab.send_bytes(said)
        case "resize":
            size: Size = said
            await tab.set_terminal_size(size.width, size.height)
        case "ping":
            await websocket.send_json(["pong", said])
        case "focus":
            await tab.focus()
        case _:
            await tab.blur()
