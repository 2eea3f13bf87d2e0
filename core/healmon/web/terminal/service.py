"""One tab's program, through textual-serve's half of the protocol.

What is used of textual-serve beyond its public face is checked by a contract test
(tests/web/terminal/test_contract.py): `AppService` with `_build_environment`, `_open_app_process`,
`_process`, `_stdin`, `_task`, `run`, `on_meta`, `on_packed`.
"""

from __future__ import annotations

import asyncio
import logging
import os
from asyncio.subprocess import Process
from collections.abc import Sequence
from contextlib import suppress
from typing import Final

import msgspec
from aiohttp import web
from textual_serve.app_service import AppService
from textual_serve.download_manager import DownloadManager

from healmon.text import clean
from healmon.web.terminal import program
from healmon.web.terminal.program import Size
from healmon.world import tabs

_log = logging.getLogger(__name__)

SAID: Final = 4_000
"""Bytes of a program's complaints that are kept: its last ones."""
QUIT: Final = 0.5
"""Seconds that it may take to hear that the tab is closed."""


class _Meta(msgspec.Struct):
    """What a program says beside what it draws."""

    type: str


class Tab(AppService):
    """The program behind one websocket.

    Args:
        argv: what is started; no shell has a hand in it.
        websocket: of the tab.
    """

    def __init__(self, argv: Sequence[str], websocket: web.WebSocketResponse) -> None:
        super().__init__(
            "",
            write_bytes=websocket.send_bytes,
            write_str=websocket.send_str,
            close=self._over,
            download_manager=DownloadManager(),
        )
        self._argv = tuple(argv)
        self._websocket = websocket
        self._complaints: asyncio.Task[bytes] | None = None
        self._ending: asyncio.Task[None] | None = None

    async def _over(self) -> None:
        """Close the tab: its program has said that it is done."""
        await self._websocket.close(message=b"the screen was left")

    async def _open_app_process(self, width: int = 80, height: int = 24) -> Process:
        environ = program.environment(os.environ, self._build_environment(width, height))
        process = await tabs.start(self._argv, environ)
        assert process.stdin is not None
        assert process.stderr is not None
        self._process, self._stdin = process, process.stdin
        self._complaints = asyncio.create_task(_last_of(process.stderr))
        # textual-serve would print all of it as it is
        process.stderr = asyncio.StreamReader()
        process.stderr.feed_eof()
        return process

    async def begin(self, size: Size) -> None:
        """Start the program.

        Raises:
            SpawnError: it cannot be started.
        """
        await self.start(size.width, size.height)

    async def run(self) -> None:
        """Pass on what the program draws, until it ends; then the tab is closed."""
        with suppress(ConnectionError):  # the browser is gone; whoever serves it ends us
            await super().run()
        if not self._websocket.closed:
            await self._websocket.close(message=b"the screen has ended")

    async def stop(self) -> None:
        """Return when the program is gone."""
        await asyncio.shield(self.end())

    def end(self) -> asyncio.Task[None]:
        """Return the task that ends the program, always the same; a few seconds at most."""
        if self._ending is None:
            self._ending = asyncio.create_task(self._stopped())
        return self._ending

    async def _stopped(self) -> None:
        process, task = self._process, self._task
        self._task = None
        if process is None:
            return
        with suppress(TimeoutError, ConnectionError):
            await asyncio.wait_for(self.send_meta({"type": "quit"}), QUIT)
        code = await tabs.end(process)
        if task is not None:
            task.cancel()
            await asyncio.gather(task, return_exceptions=True)
        await self._tell(code)

    async def _tell(self, code: int) -> None:
        complaints, self._complaints = self._complaints, None
        if complaints is None:
            return
        with suppress(TimeoutError):
            said = await asyncio.wait_for(complaints, QUIT)
            if code > 0 and said:
                text = clean(said.decode("utf-8", "replace"), lines=True, limit=SAID)
                _log.warning("a screen in a browser's tab ended with code %d: %s", code, text)

    async def on_meta(self, data: bytes) -> None:
        """Heed that the program has ended; it has no other say in the browser."""
        with suppress(msgspec.MsgspecError):
            if msgspec.json.decode(data, type=_Meta).type == "exit":
                await self._over()

    async def on_packed(self, payload: bytes) -> None:
        """Let no file be delivered: the screen has none to give away."""
        del payload


async def _last_of(stream: asyncio.StreamReader) -> bytes:
    said = b""
    while data := await stream.read(SAID):
        said = (said + data)[-SAID:]
    return said
