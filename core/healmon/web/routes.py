"""Every path of `/api/v1`, once: handlers and the OpenAPI document are made from this table."""

from __future__ import annotations

from typing import Annotated, Any, Final, NamedTuple

import msgspec
from msgspec import Meta

from healmon.service.series import Sums
from healmon.web import shapes as s
from healmon.web.guard import Role

Id = Annotated[int, Meta(ge=0, le=2**53)]
Limit = Annotated[int, Meta(ge=1, le=500)]
Name = Annotated[str, Meta(max_length=500)]
Ago = Annotated[str, Meta(max_length=40, description="a duration such as `8h`, back from now")]


class Query(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """No parameters."""


class AlertsQuery(Query, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """Which alerts: those not over, or with `all` all there ever were, newest first."""

    all: bool = False
    before: Id = 0
    limit: Limit = 200


class EventsQuery(Query, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """Which events: the newest first, or behind `after` the oldest first."""

    after: Id | None = None
    before: Id = 0
    since: Ago = ""
    component: Name = ""
    limit: Limit = 100


class HistoryQuery(Query, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """Which stretch: `since` and `until` are durations back from now; `step` seconds."""

    since: Ago = "24h"
    until: Ago = "0s"
    step: Annotated[float, Meta(ge=0, le=1e9)] = 0.0


class Route(NamedTuple):
    """One path and method.

    Attributes:
        path: with `{name}` for a variable part.
        handler: the method of `api.Api` that serves it.
        text: what it is for, in one line.
        answer: the type of a good answer's JSON; None: it is no JSON.
        query: its parameters.
        body: the type of what is sent.
        role: who may.
        refusals: statuses of its own, and what they mean.
    """

    method: str
    path: str
    handler: str
    text: str
    answer: Any = None
    query: type[Query] = Query
    body: Any = None
    role: Role = "viewer"
    refusals: dict[int, str] = {}  # noqa: RUF012 - nobody writes to it


ROUTES: Final = (
    Route("GET", "/api/v1/state", "state", "everything that is known now", s.State),
    Route("GET", "/api/v1/stream", "stream", "the same as it changes: server-sent events"
          " `state`, `gone` (no healer runs) and `beat`"),
    Route("GET", "/api/v1/me", "me", "who is logged in", s.Me),
    Route("GET", "/api/v1/alerts", "alerts", "the inbox", s.Inbox, AlertsQuery),
    Route("GET", "/api/v1/events", "events", "the event log, page by page", s.Events, EventsQuery),
    Route("GET", "/api/v1/history", "history", "how things went, as series to draw", Sums,
          HistoryQuery),
    Route("GET", "/api/v1/components", "components", "all components", s.Listed),
    Route("GET", "/api/v1/components/{name}", "component", "one component with all its facts",
          s.Component, refusals={404: "there is no such component"}),
    Route("POST", "/api/v1/overrides", "override", "ask the healer for something and wait for what"
          " becomes of it", s.Overridden, body=s.Override, role="operator",
          refusals={
              408: "it did not come whole in time", 409: "the healer refused",
              413: "it is too big",
          }),
    Route("GET", "/api/v1/openapi.json", "openapi", "this document", dict[str, Any]),
)  # fmt: skip
