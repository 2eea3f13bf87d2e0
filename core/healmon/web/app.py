"""The application: every part is mounted here, behind one guard."""

from __future__ import annotations

import hashlib
import socket
from collections.abc import Callable
from pathlib import Path
from typing import Final, TypeAlias

from aiohttp import web

from healmon.config.facesettings import Web
from healmon.config.webkeys import Address
from healmon.metrics import serve
from healmon.web import api, gatekeeper, guard, login, oldpaths, page, terminal, tokens
from healmon.web.context import Context, Handler
from healmon.web.gatekeeper import Gatekeeper
from healmon.web.live import Live
from healmon.web.logins import Logins
from healmon.web.stored import Stored

OPEN: Final = (gatekeeper.LOGIN, "/favicon.ico", "/favicon.svg")
"""Paths without a login beside those of `guard.OPEN`; they tell nothing of this host."""
Mount: TypeAlias = Callable[[web.Application, Context], None]
PARTS: Final[tuple[Mount, ...]] = (
    login.mount, api.mount, oldpaths.mount, page.mount, terminal.mount, serve.mount,
)  # fmt: skip
BODY: Final = 64 * 1024
"""Bytes of a request's body."""


def context_of(
    state_dir: Path, settings: Web, address: Address, live: Live, *, name: str = ""
) -> Context:
    """Return what the parts share.

    Raises:
        StateDirError: the tokens cannot be kept.
    """
    keys = tokens.Keyring(state_dir)
    here = guard.place(
        address.host,
        tls=bool(settings.cert),
        public_url=settings.public_url,
        hosts=settings.hosts,
        own=name or socket.gethostname(),
    )
    # cookies know no ports: two servers of one host must not take each other's
    mark = hashlib.sha256(str(state_dir).encode()).hexdigest()[:8]
    prefix = "__Host-" if here.secure else ""
    return Context(
        state_dir=state_dir,
        settings=settings,
        live=live,
        stored=Stored(state_dir),
        place=here,
        keys=keys,
        logins=Logins(state_dir, keys.tokens.mark, settings.session),
        cookie=f"{prefix}healmon-{mark}",
    )


def make(context: Context) -> web.Application:
    """Return the application."""
    keeper = Gatekeeper(context)
    keeper.let_in(*OPEN)
    keeper.let_in(*oldpaths.NEAR, near=True)

    @web.middleware
    async def guarded(request: web.Request, handler: Handler) -> web.StreamResponse:
        return await keeper(request, handler)

    app = web.Application(middlewares=[guarded], client_max_size=BODY)
    app.on_response_prepare.append(gatekeeper.dress)
    for mount in PARTS:
        mount(app, context)
    return app
