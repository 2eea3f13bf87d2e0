"""The page that holds the terminal: textual-serve's script and fonts, a page of our own around."""

from __future__ import annotations

from html import escape
from importlib.metadata import version
from importlib.resources import files
from typing import Final, NamedTuple

from aiohttp import web

from healmon import __version__
from healmon.web import guard
from healmon.web.context import nonce_of, visitor_of
from healmon.web.gatekeeper import refusal
from healmon.web.guard import Refusal

STYLES: Final = "'self' 'unsafe-inline'"
"""xterm.js writes style elements without a nonce; scripts need theirs all the same."""
KEEP: Final = "private, max-age=86400"
"""A browser need not ask for half a megabyte again: another version has another address."""
NOTHING: Final = Refusal(404, "there is no such file")


class Asset(NamedTuple):
    """A file that is served: where it lies, what it is."""

    package: str
    path: str
    kind: str


_SERVE: Final = "textual_serve"
ASSETS: Final = {
    "textual.js": Asset(_SERVE, "static/js/textual.js", "text/javascript"),
    "xterm.css": Asset(_SERVE, "static/css/xterm.css", "text/css"),
    "mono.ttf": Asset(_SERVE, "static/fonts/RobotoMono-VariableFont_wght.ttf", "font/ttf"),
    "italic.ttf": Asset(_SERVE, "static/fonts/RobotoMono-Italic-VariableFont_wght.ttf", "font/ttf"),
    "screen.js": Asset(__package__ or "", "screen.js", "text/javascript"),
    "screen.css": Asset(__package__ or "", "screen.css", "text/css"),
}
"""All files that there are: no folder is ever listed or walked."""


class Page:
    """The page and its files."""

    def __init__(self) -> None:
        self._mark = f"{__version__}-{version('textual-serve')}"
        self._page = _text("screen.html")
        self._known: dict[str, bytes] = {}

    async def moved(self, request: web.Request) -> web.StreamResponse:
        """Send who forgot the stroke at the end."""
        del request
        raise web.HTTPPermanentRedirect("/tui/")

    async def show(self, request: web.Request) -> web.StreamResponse:
        """Return the page."""
        nonce = nonce_of(request)
        role = "you may act" if visitor_of(request).may_act else "for looking only"
        text = self._page.format(nonce=escape(nonce), mark=escape(self._mark), role=escape(role))
        answer = web.Response(text=text, content_type="text/html", charset="utf-8")
        answer.headers["Content-Security-Policy"] = guard.csp(nonce, styles=STYLES)
        return answer

    async def asset(self, request: web.Request) -> web.StreamResponse:
        """Return one of the page's files."""
        name = request.match_info["name"]
        asset = ASSETS.get(name)
        if asset is None:
            return refusal(NOTHING)
        body = self._known.get(name)
        if body is None:
            body = self._known[name] = files(asset.package).joinpath(asset.path).read_bytes()
        answer = web.Response(body=body, content_type=asset.kind)
        answer.headers["Cache-Control"] = KEEP
        return answer


def _text(name: str) -> str:
    return files(__package__ or "").joinpath(name).read_text("utf-8")
