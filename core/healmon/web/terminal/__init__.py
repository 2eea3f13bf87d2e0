"""`/tui/`: the terminal screen in a browser's tab, spoken by textual-serve.

    tab ─websocket─▶ guard ─▶ socket ─▶ service ─pipes─▶ python -m healmon_tui.tab
                               cap, checks  textual-serve's protocol    looks on, never heals

Each tab is a process of its own, a viewer of the state directory as `healmon-tui` beside a daemon
is one. It has the rights of who is logged in, and ends with its tab, its login or the server.
"""

from __future__ import annotations

from aiohttp import web

from healmon.web.context import Context


def mount(app: web.Application, context: Context) -> None:
    """Put the pages in."""
    from healmon.web.terminal.page import Page  # noqa: PLC0415 - loaded when it is served
    from healmon.web.terminal.socket import Sockets  # noqa: PLC0415 - likewise

    page, sockets = Page(context), Sockets(context)
    app.router.add_get("/tui", page.moved)
    app.router.add_get("/tui/", page.show)
    app.router.add_get("/tui/ws", sockets.serve)
    app.router.add_get("/tui/static/{name}", page.asset)
    app.on_shutdown.append(sockets.close)
