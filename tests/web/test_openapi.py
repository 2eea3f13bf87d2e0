"""The OpenAPI document: kept, true, and walked at random without one answer of 500."""

from __future__ import annotations

import json
from urllib.parse import quote, urlencode

import jsonschema
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from tools import schemas

from healmon.web import openapi
from healmon.web.routes import ROUTES
from tests.helpers.examples import examples, first_fast
from tests.helpers.webstage import Reply

WALK = settings(
    max_examples=examples(25),
    deadline=None,
    suppress_health_check=[HealthCheck.function_scoped_fixture],
)
_text = st.text(max_size=30) | st.sampled_from(
    ["1", "-1", "8h", "0", "true", "nan", "9" * 30, "disk:/", "*", "\x00", "task_worker", "10y"]
)
_json = st.recursive(
    st.none() | st.booleans() | st.integers(-(10**20), 10**20) | st.floats() | _text,
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(_text, inner, max_size=3),
    max_leaves=5,
)
_names = sorted({name for route in ROUTES for name in route.query.__struct_fields__})
_query = st.dictionaries(st.sampled_from([*_names, "x"]), _text, max_size=3)
_verbs = st.sampled_from(
    ["restart", "pause", "silence", "acknowledge", "offer", "apply", "answer", "dry-run", "no"]
)
_override = st.fixed_dictionaries(
    {"verb": _verbs | _text},
    optional={"target": _text, "arguments": st.dictionaries(_text, _json, max_size=3) | _json,
              "dry_run": st.booleans() | _json},
)  # fmt: skip


def test_the_document_is_kept_and_names_every_route() -> None:
    kept = (schemas.SCHEMAS / "openapi.json").read_text("utf-8")
    assert kept == openapi.text(), "make man"
    told = json.loads(kept)
    assert told["openapi"].startswith("3.1")
    there = {(m.upper(), path) for path, item in told["paths"].items() for m in item}
    assert there == {(route.method, route.path) for route in ROUTES}
    assert len({o["operationId"] for i in told["paths"].values() for o in i.values()}) == len(there)


def test_every_reference_leads_somewhere() -> None:
    told = openapi.document()
    known = told["components"]["schemas"]

    def walk(part) -> None:
        if isinstance(part, dict):
            if "$ref" in part:
                assert part["$ref"].rpartition("/")[2] in known
            for value in part.values():
                walk(value)
        elif isinstance(part, list):
            for value in part:
                walk(value)

    walk(told)
    for schema in known.values():
        jsonschema.Draft202012Validator.check_schema(schema)


def fits(path: str, method: str, reply: Reply) -> None:
    """Hold an answer against what the document says of it."""
    status, body = reply.status, reply.body
    told = openapi.document()
    answers = told["paths"][path][method]["responses"]
    assert str(status) in answers, f"{method} {path} answers {status}"
    content = answers[str(status)]["content"]
    assert reply.headers.get_content_type() in content
    if "application/json" in content:
        schema = {**content["application/json"]["schema"], "components": told["components"]}
        jsonschema.Draft202012Validator(schema).validate(json.loads(body))


@pytest.mark.parametrize(
    "route", [r for r in ROUTES if r.method == "GET" and r.handler != "stream"],
    ids=lambda r: r.handler,
)  # fmt: skip
def test_no_question_is_answered_with_a_fault(stage, route) -> None:
    @WALK
    @given(_query, _text)
    def walk(query, name) -> None:
        name = quote(name, safe="") or "x"
        path = route.path.replace("{name}", name)
        reply = stage.get(f"{path}?{urlencode(query)}" if query else path)
        if "{name}" in route.path and reply.status == 404:
            return
        fits(route.path, "get", reply)
        assert reply.status < 500

    reply = stage.get(route.path.replace("{name}", "disk:/"))
    assert reply.status == 200
    fits(route.path, "get", reply)
    walk()


def test_no_override_is_answered_with_a_fault(stage) -> None:
    browser = stage.login()

    @WALK
    @given(_override | _json)
    def walk(body) -> None:
        reply = browser.post("/api/v1/overrides", json.dumps(body))
        assert reply.status < 500, reply.text
        fits("/api/v1/overrides", "post", reply)

    walk()


METHODS = ("POST", "PUT", "PATCH", "DELETE", "TRACE", "OPTIONS", "GET")


@pytest.mark.parametrize("method", first_fast(*METHODS))
def test_every_path_refuses_the_methods_that_it_does_not_have(stage, method) -> None:
    browser = stage.login()
    for path in openapi.document()["paths"]:
        if method.lower() in openapi.document()["paths"][path]:
            continue
        told = {"Origin": stage.url, "X_Healmon_CSRF": browser.csrf}
        reply = stage.ask(method, path, cookie=browser.cookie, **told)
        assert reply.status == 405, path
        assert reply.json["error"]
        assert {"GET", "POST"} & set(reply.headers["Allow"].split(","))


@pytest.mark.parametrize(
    "name", ["X_Healmon_CSRF", "Origin", "Cookie", "Authorization", "Accept", "Upgrade"]
)
def test_bytes_that_are_no_text_are_refused_not_stumbled_over(stage, name) -> None:
    browser = stage.login()
    told = {"Origin": stage.url, "X_Healmon_CSRF": browser.csrf, "Cookie": browser.cookie}
    odd = b"\xff\xfe\x80 version=\xb2"
    for value in (odd, b"Bearer " + odd, f"{browser.cookie}; ".encode() + odd):
        for path in ("/metrics", "/api/v1/overrides", "/login", "/logout", "/tui/ws"):
            reply = stage.ask("POST" if "overrides" in path else "GET", path,
                              **{**told, name: value})  # fmt: skip
            assert reply.status < 500, (path, value, reply.text)


@WALK
@given(data=st.data())
def test_no_path_and_no_header_is_answered_with_a_fault(stage, data) -> None:
    path = "/" + quote(data.draw(st.text(max_size=20)), safe="/%?=&;")
    method = data.draw(st.sampled_from(["GET", "POST", "HEAD", "PUT", "OPTIONS"]))
    plain = st.text(st.characters(min_codepoint=33, max_codepoint=126), max_size=20)
    headers = data.draw(st.dictionaries(
        st.sampled_from(["Origin", "Accept", "Sec_Fetch_Site", "X_Healmon_CSRF", "Upgrade"]),
        plain, max_size=3,
    ))  # fmt: skip
    reply = stage.ask(method, path, token=stage.token(), cookie=data.draw(plain), **headers)
    assert reply.status < 500
