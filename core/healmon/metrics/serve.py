"""`/metrics` of the web server: behind its guard, for whoever has a token.

Prometheus sends one: `authorization: { credentials_file: … }`. Who wants no token has
`metrics.listen` on loopback.
"""

from __future__ import annotations

import asyncio
import contextlib
from collections.abc import AsyncGenerator
from typing import Final, Protocol

from aiohttp import web

from healmon.clock import SystemClock
from healmon.config import extras
from healmon.config.metricskeys import EXTRA, MISSING
from healmon.metrics.families import families
from healmon.metrics.model import Facts, Family, Process
from healmon.metrics.vitals import EVERY, Vitals
from healmon.state import Snapshot

PATH: Final = "/metrics"


class Holding(Protocol):
    """Who heals."""

    @property
    def pid(self) -> int:
        """Its process."""
        ...


class Seen(Protocol):
    """What is known of a healer from outside."""

    @property
    def snapshot(self) -> Snapshot:
        """Its newest state."""
        ...

    @property
    def holding(self) -> Holding | None:
        """Who heals; None: nobody."""
        ...


class Live(Protocol):
    """Knows what is known now."""

    @property
    def seen(self) -> Seen:
        """What is known."""
        ...


class Context(Protocol):
    """What the web server shares with its parts, as far as it is needed here."""

    @property
    def live(self) -> Live:
        """What is known now."""
        ...


class _Source:
    """Families of what the server knows; one look in ten seconds at what the healer costs."""

    def __init__(self, live: Live) -> None:
        self._live = live
        self._clock = SystemClock()
        self._process: Process | None = None

    def families(self) -> tuple[Family, ...]:
        """Return the families of now."""
        seen = self._live.seen
        running = seen.holding is not None
        process = self._process if running else None
        return families(seen.snapshot, Facts(running, self._clock.read().wall, process))

    def marks(self) -> tuple[object, ...]:
        """Return what the families are made of."""
        seen = self._live.seen
        return seen.snapshot, seen.holding, self._process

    async def watch(self) -> None:
        """Look at the healer's process until cancelled."""
        vitals = Vitals(self._clock)
        while True:
            holding = self._live.seen.holding
            self._process = vitals.look(None if holding is None else holding.pid)
            await asyncio.sleep(EVERY)


def mount(app: web.Application, context: Context) -> None:
    """Have `/metrics` answered; without the extra it says what is missing."""
    if not extras.installed(EXTRA):
        app.router.add_get(PATH, _missing)
        return
    from healmon.metrics.collector import Exposition  # noqa: PLC0415 - the extra

    source = _Source(context.live)
    exposition = Exposition(source.families, source.marks)

    async def scraped(request: web.Request) -> web.Response:
        content_type, body = exposition.answer(request.headers.get("Accept", ""))
        return web.Response(body=body, headers={"Content-Type": content_type})

    async def watching(_app: web.Application) -> AsyncGenerator[None]:
        task = asyncio.create_task(source.watch())
        yield
        task.cancel()
        with contextlib.suppress(asyncio.CancelledError):
            await task

    app.cleanup_ctx.append(watching)
    app.router.add_get(PATH, scraped)


async def _missing(_request: web.Request) -> web.Response:
    return web.json_response({"error": MISSING}, status=501)
