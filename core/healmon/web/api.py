"""`/api/v1`: what is known and what is asked, as JSON; and two words for who watches us."""

from __future__ import annotations

import asyncio
from collections.abc import Iterable
from functools import cached_property
from typing import Final, TypeVar, cast

import msgspec
from aiohttp import web

from healmon.errors import UsageError
from healmon.plans import Answer, pack
from healmon.service.planned import VERBS
from healmon.service.series import frame
from healmon.state import finished_on
from healmon.text import clean
from healmon.units import parse_duration
from healmon.web import gatekeeper, openapi, parts, statejson
from healmon.web import shapes as s
from healmon.web.context import Context, Handler, visitor_of
from healmon.web.guard import Refusal
from healmon.web.routes import ROUTES, AlertsQuery, EventsQuery, HistoryQuery, Query
from healmon.web.sse import Streams

Q = TypeVar("Q", bound=Query)
READ: Final = 10.0
"""Seconds that a body may take to come."""
DEEPEST: Final = 8
"""Levels of what goes along with an override."""
ACTIONS: Final = 20
"""Newest actions that are told of a component."""
_encoder: Final = msgspec.json.Encoder()


def json_of(value: object, status: int = 200) -> web.Response:
    """Return an answer in JSON."""
    body = _encoder.encode(value)
    return web.Response(status=status, body=body, content_type="application/json")


def query_of(request: web.Request, kind: type[Q]) -> Q:
    """Return the parameters of a request.

    Raises:
        UsageError: they are not what the path takes; says which and why.
    """
    try:
        return msgspec.convert(dict(request.query), kind, strict=False)
    except msgspec.ValidationError as error:
        raise UsageError(clean(str(error), limit=300)) from None


def ago(text: str) -> float:
    """Return the seconds of a duration in a query.

    Raises:
        UsageError: it is none.
    """
    try:
        return parse_duration(text)
    except ValueError as error:
        raise UsageError(f"{clean(text, limit=60)}: {error}") from None


class Api:
    """The handlers.

    Args:
        context: the server's.
    """

    def __init__(self, context: Context) -> None:
        self._context = context
        self._stored = context.stored
        self._streams = Streams(context)

    async def state(self, _request: web.Request) -> web.StreamResponse:
        """Tell everything that is known now."""
        return web.Response(body=self._context.live.body, content_type="application/json")

    async def stream(self, request: web.Request) -> web.StreamResponse:
        """Tell it as it changes."""
        return await self._streams.serve(request)

    async def me(self, request: web.Request) -> web.StreamResponse:
        """Tell who is logged in."""
        visitor = visitor_of(request)
        return json_of(
            s.Me(
                role=visitor.role, csrf=visitor.csrf, may_act=visitor.may_act,
                tui=self._context.settings.tui,
            )
        )  # fmt: skip

    async def alerts(self, request: web.Request) -> web.StreamResponse:
        """Tell a page of the inbox."""
        asked = query_of(request, AlertsQuery)
        return json_of(
            await self._stored.alerts(everything=asked.all, before=asked.before, limit=asked.limit)
        )

    async def events(self, request: web.Request) -> web.StreamResponse:
        """Tell a page of the event log."""
        asked = query_of(request, EventsQuery)
        since = self._context.live.now() - ago(asked.since) if asked.since else 0.0
        return json_of(
            await self._stored.events(
                after=asked.after, before=asked.before, since=max(since, 0.0),
                component=asked.component, limit=asked.limit,
            )
        )  # fmt: skip

    async def history(self, request: web.Request) -> web.StreamResponse:
        """Tell how things went."""
        asked, now = query_of(request, HistoryQuery), self._context.live.now()
        try:
            stretch = frame(now - ago(asked.since), now - ago(asked.until), asked.step)
        except (ValueError, OverflowError) as error:
            raise UsageError(clean(str(error))) from None
        return json_of(await self._stored.history(stretch))

    async def components(self, _request: web.Request) -> web.StreamResponse:
        """Tell all components."""
        known = self._context.live.state
        return json_of(
            s.Listed(
                workers=known.workers, sessions=known.sessions, databases=known.databases,
                disks=known.disks, others=known.others,
            )
        )  # fmt: skip

    async def component(self, request: web.Request) -> web.StreamResponse:
        """Tell one component."""
        name, known = request.match_info["name"], self._context.live.seen.snapshot
        view, now = known.components.get(name), self._context.live.now()
        if view is None:
            there = ", ".join(sorted(known.components)) or "none"
            remedy = clean(f"there are: {there}", limit=1000)
            return gatekeeper.refusal(Refusal(404, f"there is no component {clean(name)}", remedy))
        around = parts.Around.of(known, now)
        actions = statejson.actions_of(finished_on(known, name)[-ACTIONS:])
        return json_of(
            s.Component(
                now=pack(parts.any_of(around, view)),
                healer=view.healer,
                facts=view.facts,
                alerts=tuple(
                    statejson.alert_of(known, a, now) for a in around.alerts.get(name, ())
                ),
                actions=actions,
            )
        )

    async def override(self, request: web.Request) -> web.StreamResponse:
        """Ask the healer for something, and wait for what becomes of it."""
        visitor = visitor_of(request)
        if not visitor.may_act:
            text = "you may look, not act"
            remedy = "log in with the operator's token: healmon web-token --operator"
            return gatekeeper.refusal(Refusal(403, text, remedy))
        async with asyncio.timeout(READ):
            body = await request.read()
        asked = _override(body)
        if self._context.live.seen.holding is None:
            return gatekeeper.refusal(
                Refusal(503, "no healer runs", "start one: healmon daemon, or healmon-tui")
            )
        verb, arguments = asked.verb, asked.arguments
        if asked.dry_run and verb in VERBS:
            verb, arguments = "offer", {**arguments, "verb": asked.verb}
        if asked.dry_run and verb not in (*VERBS, "offer"):
            answer = Answer(ok=True, text="dry run: nothing was done")
        else:
            answer = await self._context.send(verb, asked.target, arguments, visitor)
        return json_of(_told(asked, answer), 200 if answer.ok else 409)

    async def openapi(self, _request: web.Request) -> web.StreamResponse:
        """Tell what can be asked here."""
        return web.Response(body=self._document, content_type="application/json")

    @cached_property
    def _document(self) -> bytes:
        return _encoder.encode(openapi.document())

    async def alive(self, _request: web.Request) -> web.StreamResponse:
        """Tell that this server answers; nothing of what it knows."""
        return web.Response(text="ok\n")

    async def ready(self, _request: web.Request) -> web.StreamResponse:
        """Tell whether a healer runs and its store can be read."""
        seen = self._context.live.seen
        good = seen.holding is not None and not seen.trouble
        return web.Response(text="ready\n" if good else "not ready\n", status=200 if good else 503)

    async def leave(self, app: web.Application) -> None:
        """Let all viewers go: we end."""
        await self._streams.leave(app)


def _override(body: bytes) -> s.Override:
    """Return what is asked.

    Raises:
        UsageError: it is not understood, or nested deeper than anything that is asked is.
    """
    try:
        asked = msgspec.json.decode(body, type=s.Override)
    except (msgspec.MsgspecError, RecursionError) as error:
        raise UsageError(clean(str(error), limit=300)) from None
    if not _shallow(asked.arguments, DEEPEST):
        raise UsageError(f"arguments: nested deeper than {DEEPEST}")
    return asked


def _shallow(value: object, levels: int) -> bool:
    inner: Iterable[object] = ()
    if isinstance(value, dict):
        inner = cast("dict[str, object]", value).values()
    elif isinstance(value, list):
        inner = cast("list[object]", value)
    return levels > 0 and all(_shallow(one, levels - 1) for one in inner)


def _told(asked: s.Override, answer: Answer) -> s.Overridden:
    return s.Overridden(
        ok=answer.ok,
        verb=asked.verb,
        target=clean(asked.target),
        text=answer.text,
        arguments=asked.arguments,
        plan=answer.plan,
        data=answer.data,
    )


def mount(app: web.Application, context: Context) -> None:
    """Add these paths."""
    api = Api(context)
    app.on_shutdown.append(api.leave)
    app.router.add_get("/healthz", api.alive)
    app.router.add_get("/readyz", api.ready)
    for route in ROUTES:
        handler: Handler = getattr(api, route.handler)
        # a component's name may have slashes in it
        app.router.add_route(route.method, route.path.replace("{name}", "{name:.+}"), handler)
        if route.method == "GET":
            app.router.add_route("HEAD", route.path.replace("{name}", "{name:.+}"), handler)
