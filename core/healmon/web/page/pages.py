"""Serves the page: what each visitor is told differs by nonce, role and CSRF value alone."""

from __future__ import annotations

from functools import cache
from html import escape
from importlib.resources import files
from typing import Final

from aiohttp import web

from healmon.web.context import Context, Visitor, nonce_of, visitor_of

ASSETS: Final = {
    "page.css": "text/css",
    **dict.fromkeys(
        (
            "acts.js", "charts.js", "dom.js", "keys.js", "kinds.js", "lists.js", "live.js",
            "page.js", "words.js",
        ),
        "text/javascript",
    ),
}  # fmt: skip
"""All that there is under `/assets`, with its type; no other name is ever looked up."""
ICONS: Final = {"ok": "#3fa35c", "warning": "#d99a1c", "critical": "#d3352f", "unknown": "#7b8794"}
"""The sign in the browser's tab, by level."""
ICON: Final = (
    '<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 16 16"><rect width="16" height="16"'
    ' rx="4" fill="{colour}"/><path d="M2 8.5h3l1.5-4 2.5 7 1.6-3H14" fill="none" stroke="#fff"'
    ' stroke-width="1.6" stroke-linejoin="round" stroke-linecap="round"/></svg>'
)


@cache
def text(name: str) -> str:
    """Return one of this folder's files."""
    return files("healmon.web.page").joinpath(name).read_text("utf-8")


def filled(template: str, **values: str) -> str:
    """Return a document with its `{{names}}` replaced; what is put in is never markup."""
    for name, value in values.items():
        template = template.replace("{{" + name + "}}", escape(value))
    return template


def document(nonce: str, visitor: Visitor, *, tui: bool) -> str:
    """Return the page for one visitor; `tui`: the terminal's screen is to be had, too."""
    told = {"role": visitor.role, "csrf": visitor.csrf, "tui": "" if tui else "hidden"}
    return filled(text("page.html"), nonce=nonce, **told)


def login(nonce: str, said: str = "") -> str:
    """Return the page where one signs in; `said` is why it did not work."""
    return filled(text("login.html"), nonce=nonce, said=said)


async def _asset(request: web.Request) -> web.StreamResponse:
    name = request.match_info["name"]
    if name in ASSETS:
        return web.Response(text=text(f"assets/{name}"), content_type=ASSETS[name])
    level, dot, kind = name.partition(".")
    if dot and kind == "svg" and level in ICONS:
        return web.Response(text=ICON.format(colour=ICONS[level]), content_type="image/svg+xml")
    raise web.HTTPNotFound


async def _icon(_request: web.Request) -> web.StreamResponse:
    return web.Response(text=ICON.format(colour=ICONS["ok"]), content_type="image/svg+xml")


def mount(app: web.Application, context: Context) -> None:
    """Add the page, what it is made of, and the icon that browsers ask for by themselves."""

    async def page(request: web.Request) -> web.StreamResponse:
        body = document(nonce_of(request), visitor_of(request), tui=context.settings.tui)
        return web.Response(text=body, content_type="text/html")

    context.login_page = login
    app.router.add_get("/", page)
    app.router.add_get("/assets/{name}", _asset)
    app.router.add_get("/favicon.svg", _icon)
    app.router.add_get("/favicon.ico", _icon)
