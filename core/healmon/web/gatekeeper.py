"""The guard at work: every request passes here first, every answer leaves with its headers."""

from __future__ import annotations

import secrets
from functools import partial
from typing import Final

import msgspec
from aiohttp import hdrs, web

from healmon.config.webkeys import LOCAL
from healmon.errors import HealmonError, UsageError
from healmon.text import clean
from healmon.web import guard, shapes
from healmon.web.context import NONCE, VISITOR, Context, Handler, Visitor
from healmon.web.guard import Asked, Refusal

BEARER: Final = "Bearer "
LOGIN: Final = "/login"
HEADERS: Final = web.RequestKey("headers", dict[str, str])


def refusal(refused: Refusal, **headers: str) -> web.Response:
    """Return a refusal as an answer."""
    body = msgspec.json.encode(shapes.Refused(error=refused.error, remedy=refused.remedy))
    return web.Response(
        status=refused.status, body=body, content_type="application/json", headers=headers
    )


def too_often(seconds: float) -> web.Response:
    """Return the answer to who guesses."""
    wait = max(1, round(seconds + 0.5))
    text = f"too many wrong tokens; try again in {wait} s"
    return refusal(Refusal(429, text), **{hdrs.RETRY_AFTER: str(wait)})


def asked_of(request: web.Request) -> Asked:
    """Return what the guard looks at of a request."""
    told = request.headers
    hosts = told.getall(hdrs.HOST, [])
    return Asked(
        method=request.method,
        path=request.path,
        host=hosts[0] if len(hosts) == 1 else "",
        origin=told.get(hdrs.ORIGIN),
        websocket=told.get(hdrs.UPGRADE, "").lower() == "websocket",
        bearer=told.get(hdrs.AUTHORIZATION, "").startswith(BEARER),
        fetch_site=told.get("Sec-Fetch-Site", ""),
        fetch_mode=told.get("Sec-Fetch-Mode", ""),
    )


def address_of(request: web.Request, context: Context) -> str:
    """Return where a request came from; behind a proxy what the proxy says of that."""
    near = request.remote or ""
    if context.place.public:
        told = request.headers.getall("X-Forwarded-For", [])
        # the last one is the proxy's own word, all before it the client's
        near = told[-1].rpartition(",")[2].strip() if told else near
    return clean(near, limit=60)


class Gatekeeper:
    """The middleware.

    Args:
        context: the server's.
    """

    def __init__(self, context: Context) -> None:
        self._context = context
        self._open = set(guard.OPEN)
        self._near_only: set[str] = set()

    def let_in(self, *paths: str, near: bool = False) -> None:
        """Let paths be asked for without a login.

        Args:
            paths: which.
            near: only by who sits at this very host.
        """
        (self._near_only if near else self._open).update(paths)

    async def __call__(self, request: web.Request, handler: Handler) -> web.StreamResponse:
        """Serve a request, or refuse it."""
        nonce = secrets.token_urlsafe(18)
        request[NONCE] = nonce
        request[HEADERS] = guard.headers(nonce, strict=self._context.place.strict)
        return await self._served(request, handler)

    async def _served(self, request: web.Request, handler: Handler) -> web.StreamResponse:
        asked = asked_of(request)
        refused = guard.refused(asked, self._context.place)
        if refused is not None:
            return refusal(refused)
        answer = self._enter(request, asked)
        return await _handled(request, handler) if answer is None else answer

    def _enter(self, request: web.Request, asked: Asked) -> web.Response | None:
        """Find out who asks; returns the refusal of whom we do not know."""
        self._context.renewed()
        known = self._bearer(request) if asked.bearer else self._session(request)
        if isinstance(known, web.Response):
            return known
        if known is not None:
            still = partial(self._still, request, bearer=asked.bearer)
            request[VISITOR] = known._replace(still=still)
            refused = guard.csrf_fault(asked, request.headers.get(guard.CSRF, ""), known.csrf)
            free = asked.path == LOGIN
            return None if refused is None or free else refusal(refused)
        if asked.path in self._open or (asked.path in self._near_only and self._near(request)):
            return None
        if _wants_page(request):
            raise web.HTTPSeeOther(LOGIN)
        remedy = "log in, or send a token: healmon web-token"
        return refusal(
            Refusal(401, "nobody is logged in", remedy), **{"WWW-Authenticate": "Bearer"}
        )

    def _still(self, request: web.Request, *, bearer: bool) -> bool:
        self._context.renewed()
        if not bearer:
            return self._session(request) is not None
        return self._context.keys.tokens.role_of(_token_of(request)) is not None

    def _near(self, request: web.Request) -> bool:
        return not self._context.place.public and (request.remote or "") in LOCAL

    def _session(self, request: web.Request) -> Visitor | None:
        context = self._context
        login = context.logins.find(request.cookies.get(context.cookie, ""), context.live.now())
        if login is None:
            return None
        role = login.role if context.settings.operator else "viewer"
        return Visitor(role, login.csrf, address_of(request, context))

    def _bearer(self, request: web.Request) -> Visitor | web.Response:
        context, steady = self._context, self._context.live.steady()
        address = address_of(request, context)
        role = context.keys.tokens.role_of(_token_of(request))
        if role is None:
            wait = context.tries.wait(address, steady)
            if wait:
                return too_often(wait)
            context.tries.wrong(address, steady)
            return refusal(Refusal(401, "that is no token of this server"))
        return Visitor(role if context.settings.operator else "viewer", "", address)


def _token_of(request: web.Request) -> str:
    return request.headers[hdrs.AUTHORIZATION][len(BEARER) :]


async def _handled(request: web.Request, handler: Handler) -> web.StreamResponse:
    """Serve a request that was let in; whatever goes wrong on purpose is told."""
    try:
        return await handler(request)
    except web.HTTPException as error:
        if error.status < 400:
            raise
        allowed = error.headers.get(hdrs.ALLOW, "")
        told = Refusal(error.status, clean(error.reason))
        return refusal(told, **({hdrs.ALLOW: allowed} if allowed else {}))
    except HealmonError as error:
        status = 400 if isinstance(error, UsageError) else 503
        text = clean(str(error.args[0] if error.args else error))
        told = Refusal(status, text, clean(error.remedy))
    except TimeoutError:
        told = Refusal(408, "the request did not come whole in time")
    return refusal(told)


async def dress(request: web.Request, response: web.StreamResponse) -> None:
    """Give an answer the headers that each one has, but for those that it has itself."""
    for name, value in request.get(HEADERS, {}).items():
        if name not in response.headers or name == "Server":
            response.headers[name] = value


def _wants_page(request: web.Request) -> bool:
    page = "text/html" in request.headers.get(hdrs.ACCEPT, "")
    return page and request.method in guard.SAFE and not request.path.startswith("/api/")
