"""The OpenAPI 3.1 document of `/api/v1`, made from its routes and their types."""

from __future__ import annotations

import json
from typing import Any, Final, cast

import msgspec

from healmon import __version__
from healmon.plans import Packed
from healmon.web import shapes as s
from healmon.web.guard import CSRF
from healmon.web.routes import ROUTES, Query, Route

REF: Final = "#/components/schemas/{name}"
INTRO: Final = (
    "What `healmon serve` answers. Everything but `/healthz`, `/readyz` and `/login` needs a login:"
    " the cookie of a browser, or `Authorization: Bearer TOKEN` with a token of"
    " `healmon web-token`. Times are UTC, RFC 3339."
)
REFUSALS: Final = {
    400: "the request is not understood; says why",
    401: "nobody is logged in",
    403: "this may not be done: another origin, another role, or no CSRF value",
    421: "this server is not known by the name it was asked by",
    429: "too many wrong tokens; Retry-After says when to come back",
    503: "no healer runs, or its store cannot be read now",
}


def document() -> Packed:
    """Return the document."""
    kinds = [route.answer for route in ROUTES if route.answer is not None]
    kinds += [route.body for route in ROUTES if route.body is not None]
    made, schemas = msgspec.json.schema_components([*kinds, s.Refused, s.Beat], ref_template=REF)
    shown: dict[int, Any] = dict(zip(map(id, [*kinds, s.Refused]), made, strict=False))
    paths: Packed = {}
    for route in ROUTES:
        paths.setdefault(route.path, {})[route.method.lower()] = _operation(route, shown)
    return {
        "openapi": "3.1.0",
        "info": {
            "title": "healmon", "version": __version__, "description": INTRO,
            "license": {"name": "MIT", "identifier": "MIT"},
        },
        "servers": [{"url": "/"}],
        "paths": paths,
        "components": {
            "schemas": schemas,
            "securitySchemes": {
                "bearer": {"type": "http", "scheme": "bearer"},
                "cookie": {
                    "type": "apiKey", "in": "cookie", "name": "healmon",
                    "description": "of a browser; its name goes on with a mark of the server",
                },
            },
        },
        "security": [{"bearer": []}, {"cookie": []}],
    }  # fmt: skip


def _operation(route: Route, shown: dict[int, Any]) -> Packed:
    told: Packed = {
        "operationId": route.handler,
        "summary": route.text,
        "description": f"Role: {route.role}.",
        "responses": _responses(route, shown),
    }
    parameters = [*_in_path(route), *_in_query(route.query), *_in_header(route)]
    if parameters:
        told["parameters"] = parameters
    if route.body is not None:
        content = {"application/json": {"schema": shown[id(route.body)]}}
        told["requestBody"] = {"required": True, "content": content}
    return told


def _responses(route: Route, shown: dict[int, Any]) -> Packed:
    good: Packed = {"description": route.text}
    if route.answer is not None:
        good["content"] = {"application/json": {"schema": shown[id(route.answer)]}}
    else:
        good["content"] = {"text/event-stream": {"schema": {"type": "string"}}}
    told: Packed = {"200": good}
    for status, text in sorted({**REFUSALS, **route.refusals}.items()):
        answer = s.Overridden if status == 409 else s.Refused
        content = {"application/json": {"schema": shown[id(answer)]}}
        told[str(status)] = {"description": text, "content": content}
    return told


def _in_path(route: Route) -> list[Packed]:
    if "{name}" not in route.path:
        return []
    text = "a component, such as `task_worker` or `disk:/`"
    schema = {"type": "string", "minLength": 1, "maxLength": 500}
    return [{"name": "name", "in": "path", "required": True, "description": text, "schema": schema}]


def _in_query(query: type[Query]) -> list[Packed]:
    made, components = msgspec.json.schema_components([query], ref_template=REF)
    del made
    fields = cast("dict[str, Packed]", components[query.__name__].get("properties", {}))
    return [
        {"name": name, "in": "query", "required": False, "schema": schema}
        for name, schema in fields.items()
    ]


def _in_header(route: Route) -> list[Packed]:
    if route.method == "GET":
        return []
    text = "the value of `/api/v1/me`; needed with a cookie, not with a token"
    return [
        {"name": CSRF, "in": "header", "required": False, "description": text,
         "schema": {"type": "string"}},
    ]  # fmt: skip


def text() -> str:
    """Return the document as its file's text."""
    return json.dumps(document(), indent=1, ensure_ascii=False) + "\n"
