"""Logging in and out: a token becomes a cookie.

The login URL has the token in its fragment, which browsers send to nobody: it stands in no log and
in no Referer. The page's script posts it here, as the form does that a person fills in.
"""

from __future__ import annotations

import asyncio
from typing import Final
from urllib.parse import parse_qs

import msgspec
from aiohttp import hdrs, web

from healmon.web import gatekeeper
from healmon.web.context import Context, nonce_of
from healmon.web.guard import Refusal

READ: Final = 10.0
"""Seconds that a body may take to come."""
LONGEST: Final = 4096
"""Bytes of a login."""


class Door:
    """The handlers.

    Args:
        context: the server's.
    """

    def __init__(self, context: Context) -> None:
        self._context = context

    async def page(self, request: web.Request) -> web.StreamResponse:
        """Ask for a token."""
        return self._shown(request, "")

    def _shown(self, request: web.Request, said: str, status: int = 200) -> web.Response:
        text = self._context.login_page(nonce_of(request), said)
        return web.Response(text=text, content_type="text/html", status=status)

    async def enter(self, request: web.Request) -> web.StreamResponse:
        """Take a token, from a form or as JSON; give the cookie."""
        context, steady = self._context, self._context.live.steady()
        address = gatekeeper.address_of(request, context)
        json = request.content_type == "application/json"
        role = context.keys.tokens.role_of(await _token(request, json=json))
        if role is None:
            wait = context.tries.wait(address, steady)
            if wait:
                return gatekeeper.too_often(wait) if json else self._later(request, wait)
            context.tries.wrong(address, steady)
            if json:
                return gatekeeper.refusal(Refusal(401, "that is no token of this server"))
            return self._shown(request, "That is no token of this server.", 401)
        secret, _ = context.logins.begin(role, context.live.now())
        answer: web.Response = web.json_response({"role": role}) if json else _away("/")
        answer.set_cookie(
            context.cookie, secret, max_age=int(context.settings.session), path="/",
            httponly=True, samesite="Strict", secure=context.place.secure,
        )  # fmt: skip
        return answer

    def _later(self, request: web.Request, wait: float) -> web.Response:
        refused = gatekeeper.too_often(wait)
        told = f"Too many wrong tokens: try again in {refused.headers[hdrs.RETRY_AFTER]} s."
        answer = self._shown(request, told, refused.status)
        answer.headers[hdrs.RETRY_AFTER] = refused.headers[hdrs.RETRY_AFTER]
        return answer

    async def leave(self, request: web.Request) -> web.StreamResponse:
        """End the login."""
        self._context.logins.end(request.cookies.get(self._context.cookie, ""))
        answer = web.json_response({"role": None})
        answer.del_cookie(self._context.cookie, path="/")
        return answer


def _away(path: str) -> web.Response:
    return web.Response(status=303, headers={hdrs.LOCATION: path})


async def _token(request: web.Request, *, json: bool) -> str:
    """Return the token in a body; empty: there is none.

    Raises:
        TimeoutError: it did not come in time.
        web.HTTPRequestEntityTooLarge: it is none by its size.
    """
    async with asyncio.timeout(READ):
        body = await request.content.read(LONGEST + 1)
        while len(body) <= LONGEST and (more := await request.content.read(LONGEST)):
            body += more
    if len(body) > LONGEST:
        raise web.HTTPRequestEntityTooLarge(LONGEST, len(body))
    if json:
        try:
            return msgspec.json.decode(body, type=dict[str, str]).get("token", "")
        except msgspec.MsgspecError:
            return ""
    form = parse_qs(body.decode("utf-8", "replace"), max_num_fields=4)
    return form.get("token", [""])[0]


def mount(app: web.Application, context: Context) -> None:
    """Add the login."""
    door = Door(context)
    app.router.add_get(gatekeeper.LOGIN, door.page)
    app.router.add_post(gatekeeper.LOGIN, door.enter)
    app.router.add_post("/logout", door.leave)
