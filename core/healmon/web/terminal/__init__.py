"""`/tui/`: the terminal screen in a browser's tab, spoken by textual-serve.

    tab ─websocket─▶ guard ─▶ socket ─▶ service ─pipes─▶ python -m healmon_tui.tab
                               cap, checks  textual-serve's protocol    looks on, never heals

Each tab is a process of its own, a viewer of the state directory as `healmon-tui` beside a daemon
is one. It has the rights of who is logged in, and ends with its tab, its login or the server.
"""

from __future__ import annotations

from importlib.util import find_spec
from typing import Final

from aiohttp import web

from healmon.errors import MissingPartError
from healmon.web.context import Context
from healmon.web.gatekeeper import refusal
from healmon.web.guard import Refusal

SERVE: Final = "textual_serve"
OFF: Final = Refusal(
    404, "the terminal screen is not served here", "set tui = true under [web] in healmon.toml"
)


def mount(app: web.Application, context: Context) -> None:
    """Put the pages in; where they are switched off, nothing of textual-serve is loaded.

    Raises:
        MissingPartError: they are wanted, and textual-serve is not installed.
    """
    if not context.settings.tui:
        app.router.add_get("/tui{rest:(/.*)?}", _off)
        return
    if find_spec(SERVE) is None:
        raise MissingPartError("web.tui needs textual-serve: pip install 'healmon[web]'")
    from healmon.web.terminal.page import Page  # noqa: PLC0415 - loaded when it is served
    from healmon.web.terminal.socket import Sockets  # noqa: PLC0415 - likewise

    page, sockets = Page(), Sockets(context)
    app.router.add_get("/tui", page.moved)
    app.router.add_get("/tui/", page.show)
    app.router.add_get("/tui/ws", sockets.serve)
    app.router.add_get("/tui/static/{name}", page.asset)
    app.on_shutdown.append(sockets.close)


async def _off(request: web.Request) -> web.StreamResponse:
    del request
    return refusal(OFF)
