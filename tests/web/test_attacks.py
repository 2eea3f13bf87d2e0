"""What strangers send, against the real server. (What their pages do: `test_page_attacks`.)"""

from __future__ import annotations

import contextlib
import errno
import logging
import socket

import pytest

from healmon.config.facesettings import Web
from healmon.config.webkeys import Address
from healmon.web import logins, running, sse
from tests.helpers.wait import until
from tests.helpers.webstage import Stream, staged

EVIL = "http://evil.example"
PATHS = (
    "/", "/api/v1/state", "/api/v1/stream", "/api/v1/alerts", "/api/v1/openapi.json", "/metrics",
    "/api/health/current", "/api/v1/nothing", "/tui/", "/tui/ws", "/static/x",
)  # fmt: skip
RESTART = {"verb": "restart", "target": "task_worker"}


def raw(stage, text: str, wait: float = 60.0) -> bytes:
    """What comes back for bytes that no client library would send; until it hangs up."""
    with socket.create_connection(("127.0.0.1", stage.port), timeout=wait) as line:
        line.sendall(text.replace("\n", "\r\n").encode())
        got = b""
        while part := line.recv(65536):
            got += part
        return got


@pytest.mark.parametrize("path", PATHS)
def test_without_a_login_nothing_is_told(stage, path):
    reply = stage.ask("GET", path)
    assert reply.status in (401, 404)
    for word in ("task_worker", "mail_worker", "atlas", "session"):
        assert word not in reply.text.replace("is logged in", "")
    reply = stage.ask("GET", path, Accept="text/html")
    assert reply.status in (303, 401, 404)
    assert stage.ask("GET", path, cookie=f"{stage.context.cookie}=guessed").status in (401, 404)


@pytest.mark.parametrize("path", ["/", "/login", "/healthz", "/health", "/api/v1/state"])
def test_another_name_is_not_ours(stage, path):
    """DNS rebinding: the page's own name resolves to us, and the browser thinks we are its."""
    reply = stage.ask("GET", path, token=stage.token(), host="evil.example")
    assert reply.status == 421
    assert "task_worker" not in reply.text
    login = {"token": stage.token()}
    assert stage.ask("POST", path, login, host="evil.example", Origin=EVIL).status == 421


def test_two_names_or_none_are_no_name(stage):
    twice = "GET /healthz HTTP/1.1\nHost: 127.0.0.1\nHost: evil.example\nConnection: close\n\n"
    assert raw(stage, twice).split()[1] in (b"400", b"421")
    assert raw(stage, "GET /healthz HTTP/1.1\nConnection: close\n\n").split()[1] in (b"400", b"421")


def test_a_foreign_page_can_change_nothing(stage):
    browser = stage.login()
    for origin in (EVIL, "null", f"http://localhost:{stage.port}", f"{stage.url}.evil.example"):
        reply = browser.post("/api/v1/overrides", RESTART, Origin=origin)
        assert reply.status == 403, origin
        assert browser.post("/logout", {}, Origin=origin).status == 403
        assert stage.ask("POST", "/login", {"token": "x"}, Origin=origin).status == 403
    reply = stage.ask("POST", "/api/v1/overrides", RESTART, cookie=browser.cookie,
                      X_Healmon_CSRF=browser.csrf)  # fmt: skip
    assert reply.status == 403, "without an origin"
    assert stage.asked == []
    assert browser.get("/api/v1/state", Origin=EVIL).status == 403
    assert browser.get("/api/v1/state", Sec_Fetch_Site="cross-site").status == 200, "no mode"
    reply = browser.get("/api/v1/state", Sec_Fetch_Site="same-site", Sec_Fetch_Mode="no-cors")
    assert reply.status == 403
    for name in browser.get("/api/v1/state").headers:
        assert not name.lower().startswith("access-control-"), "nobody else's page may read"


def test_no_preflight_is_answered(stage):
    reply = stage.ask("OPTIONS", "/api/v1/overrides", Origin=EVIL,
                      Access_Control_Request_Method="POST")  # fmt: skip
    assert reply.status == 403
    assert "Access-Control-Allow-Origin" not in reply.headers


def test_the_csrf_value_is_needed_and_bound_to_the_session(stage):
    browser, other = stage.login(), stage.login()
    assert browser.csrf != other.csrf
    for value in ("", "x", other.csrf):
        reply = browser.post("/api/v1/overrides", RESTART, X_Healmon_CSRF=value)
        assert reply.status == 403
    assert stage.asked == []
    assert browser.post("/api/v1/overrides", RESTART).status == 200
    assert [verb for verb, *_ in stage.asked] == ["restart"]


@pytest.mark.parametrize("origin", [None, EVIL, "null"])
def test_websockets_of_others_are_refused(stage, origin):
    browser = stage.login()
    headers = {"Upgrade": "websocket", "Connection": "Upgrade", "Sec_WebSocket_Version": "13",
               "Sec_WebSocket_Key": "dGhlIHNhbXBsZSBub25jZQ=="}  # fmt: skip
    if origin is not None:
        headers["Origin"] = origin
    for path in ("/tui/ws", "/api/v1/stream"):
        assert browser.get(path, **headers).status == 403
        reply = stage.ask("GET", path, **{**headers, "Origin": stage.url})
        assert reply.status in (401, 404), "nobody is logged in"


def test_the_viewer_may_not_act(stage):
    viewer = stage.login("viewer")
    assert viewer.get("/api/v1/state").status == 200
    assert viewer.get("/api/v1/me").json["may_act"] is False
    reply = viewer.post("/api/v1/overrides", RESTART)
    assert reply.status == 403
    assert "operator" in reply.json["remedy"]
    reply = stage.ask("POST", "/api/v1/overrides", RESTART, token=stage.token("viewer"))
    assert reply.status == 403
    assert stage.asked == []


def test_guessing_is_limited_and_keeps_nobody_else_of_the_same_address_out(stage):
    for n in range(logins.TRIES):
        reply = stage.ask("POST", "/login", {"token": f"guess {n}"}, Origin=stage.url)
        assert reply.status == 401
    reply = stage.ask("POST", "/login", {"token": "guess more"}, Origin=stage.url)
    assert reply.status == 429
    assert 0 < int(reply.headers["Retry-After"]) <= 61
    assert stage.ask("GET", "/api/v1/state", token="x").status == 429, "nor as a bearer's"
    assert "Set-Cookie" not in reply.headers
    form = {"Origin": stage.url, "Content_Type": "application/x-www-form-urlencoded"}
    shown = stage.ask("POST", "/login", "token=guess", **form)
    assert (shown.status, shown.headers.get_content_type()) == (429, "text/html")
    assert "try again in" in shown.text, "a person reads it on the page"
    assert stage.ask("GET", "/api/v1/state", token=stage.token("viewer")).status == 200
    assert stage.ask("POST", "/login", {"token": stage.token()}, Origin=stage.url).status == 200


def test_bearers_that_guess_are_limited_and_who_is_logged_in_is_not(stage):
    browser = stage.login()
    found = [stage.ask("GET", "/api/v1/state", token="x").status for _ in range(logins.TRIES + 1)]
    assert found == [401] * logins.TRIES + [429]
    assert browser.get("/api/v1/state").status == 200


def test_the_cookie_is_the_browsers_alone(stage):
    browser = stage.login()
    flags = {part.strip().lower() for part in browser.set_cookie.split(";")[1:]}
    assert {"httponly", "samesite=strict", "path=/"} <= flags
    assert not any(flag.startswith("domain") for flag in flags)
    assert stage.token() not in browser.set_cookie
    again = stage.login()
    assert again.cookie != browser.cookie, "a login is never taken over from before"


def test_over_tls_the_cookie_never_leaves_it(tmp_path):
    settings = Web(public_url="https://health.example.org")
    with staged(tmp_path / "state", settings=settings) as stage:
        reply = stage.ask(
            "POST", "/login", {"token": stage.token()}, host="health.example.org",
            Origin="https://health.example.org", X_Forwarded_For="10.0.0.9, 192.0.2.4",
        )  # fmt: skip
        assert reply.status == 200
        assert "; Secure" in reply.headers["Set-Cookie"]
        assert reply.headers["Set-Cookie"].startswith("__Host-")
        assert "Strict-Transport-Security" in reply.headers
        assert stage.ask("GET", "/health").status == 401, "near is only the proxy"
        for n in range(logins.TRIES + 1):
            reply = stage.ask("GET", "/api/v1/state", token="x", X_Forwarded_For=f"{n}, 192.0.2.4")
        assert reply.status == 429, "what the client says of where it is does not count"
        told = stage.ask("GET", "/api/v1/state", token="x", X_Forwarded_For="192.0.2.5")
        assert told.status == 401


def test_logging_out_ends_it(stage):
    browser = stage.login()
    assert browser.post("/logout", {}).status == 200
    assert browser.get("/api/v1/state").status == 401


def test_every_answer_has_the_headers(stage):
    replies = [
        stage.ask("GET", "/login"), stage.ask("GET", "/api/v1/state"), stage.get("/api/v1/state"),
        stage.ask("GET", "/healthz"), stage.get("/nothing"), stage.ask("POST", "/login", {}),
        stage.ask("GET", "/login", host="evil.example"), stage.get("/api/v1/events?limit=x"),
    ]  # fmt: skip
    nonces = set()
    for reply in replies:
        headers = reply.headers
        assert "default-src 'none'" in headers["Content-Security-Policy"]
        assert "frame-ancestors 'none'" in headers["Content-Security-Policy"]
        assert headers["X-Content-Type-Options"] == "nosniff"
        assert headers["X-Frame-Options"] == "DENY"
        assert headers["Cache-Control"] == "no-store"
        assert headers["Referrer-Policy"] == "same-origin"
        assert headers["Cross-Origin-Resource-Policy"] == "same-origin"
        assert headers["Server"] == "healmon", "no version of anything"
        nonces.add(headers["Content-Security-Policy"].partition("'nonce-")[2].partition("'")[0])
    assert len(nonces) == len(replies), "a nonce is used once"


def test_the_token_stands_in_no_page_no_header_and_no_log(stage, caplog):
    caplog.set_level(logging.DEBUG)
    browser = stage.login()
    replies = [stage.ask("GET", "/login"), browser.get("/"), browser.get("/api/v1/me"),
               browser.get("/api/v1/state"), stage.get("/api/v1/openapi.json")]  # fmt: skip
    stage.ask("GET", f"/login?token={stage.token()}")
    stage.ask("GET", "/api/v1/state", token=stage.token() + "x")
    for role in ("viewer", "operator"):
        token = stage.token(role)
        assert all(token not in f"{reply.text}{reply.headers}" for reply in replies)
        assert token not in caplog.text
        assert browser.cookie.partition("=")[2] not in caplog.text


@pytest.mark.parametrize(
    "path",
    [
        "/../etc/passwd", "/%2e%2e/%2e%2e/etc/passwd", "/static/..%2f..%2fweb/tokens.json",
        "/assets/../../web/tokens.json", "/api/v1/components/..%2f..%2fhealmon.db", "//etc/passwd",
        "/web/tokens.json", "/tui/static/../../x", "/%00", "/api/v1/components/%00",
        "/api/v1/components/%ff%fe", "/\\..\\x", "/api/v1/components/",
    ],
)  # fmt: skip
def test_no_path_leads_out(stage, path):
    reply = raw(stage, f"GET {path} HTTP/1.1\nHost: 127.0.0.1\nAuthorization: Bearer"
                       f" {stage.token()}\nConnection: close\n\n")  # fmt: skip
    assert reply.split()[1] in (b"400", b"404")
    assert b"root:" not in reply
    assert stage.token("viewer").encode() not in reply


@pytest.mark.parametrize("path", ["/login", "/api/v1/overrides"])
def test_a_big_body_is_not_read(stage, path):
    browser = stage.login()
    big = b'{"token": "' + b"x" * 300_000 + b'"}'
    reply = browser.post(path, big, Content_Type="application/json")
    assert reply.status == 413
    assert stage.asked == []


def test_odd_methods_and_nonsense_are_refused(stage):
    for method in ("TRACE", "PUT", "DELETE", "PROPFIND"):
        reply = stage.ask(method, "/api/v1/state", token=stage.token())
        assert reply.status == 405
        assert "GET" in reply.headers["Allow"]
    for nonsense in ("nonsense\n\n", "GET / HTTP/9.9\n\n", "\x00\x01\x02\n\n"):
        assert raw(stage, nonsense)[:12] in (b"HTTP/1.0 400", b"HTTP/1.1 400")
    huge = f"GET /healthz HTTP/1.1\nHost: 127.0.0.1\nX: {'x' * 40_000}\n\n"
    assert raw(stage, huge).split()[1] == b"400"
    smuggled = ("POST /login HTTP/1.1\nHost: 127.0.0.1\nContent-Length: 5\n"
                "Transfer-Encoding: chunked\n\n0\n\nGET /x HTTP/1.1\n\n")  # fmt: skip
    assert raw(stage, smuggled).split()[1] == b"400"


def test_localhost_is_nobody_elses(stage):
    """Browsers ask ::1 first: who listened there alone would be sent our logins."""
    try:
        line = socket.create_connection(("::1", stage.port), timeout=10)
    except OSError as error:
        if error.errno != errno.ECONNREFUSED:
            pytest.skip("no IPv6 here")
        raise
    with line:
        line.sendall(b"GET /healthz HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\n\r\n")
        assert line.recv(4096).startswith(b"HTTP/1.1 200")


def test_who_listens_at_the_other_localhost_is_told_of(tmp_path, caplog):
    with contextlib.ExitStack() as stack:
        taken = stack.enter_context(socket.socket(socket.AF_INET6))
        try:
            taken.bind(("::1", 0))
        except OSError:
            pytest.skip("no IPv6 here")
        taken.listen()
        port = taken.getsockname()[1]
        found = running._listen(Address("127.0.0.1", port))
        for one in found:
            stack.callback(one.close)
    assert len(found) == 1
    assert f"somebody else listens on [::1]:{port}" in caplog.text


@pytest.mark.slow
def test_slow_ones_are_let_go(monkeypatch, tmp_path):
    """A request that trickles in holds its place for a while only, whole bodies as well."""
    monkeypatch.setattr(running, "HEAD", 1.5)
    monkeypatch.setattr("healmon.web.login.READ", 1.0)
    with staged(tmp_path / "state") as stage:
        lines = [socket.create_connection(("127.0.0.1", stage.port)) for _ in range(3)]
        lines[0].sendall(b"GET /healthz HTTP/1.1\r\nHost: ")
        head = b"POST /login HTTP/1.1\r\nHost: 127.0.0.1\r\nOrigin: http://127.0.0.1\r\n"
        lines[1].sendall(head + b"Content-Length: 50\r\n\r\ntoken=")
        lines[2].sendall(b"GET /healthz HTTP/1.1\r\nHost: 127.0.0.1\r\n\r\nGET /hea")
        for line in lines:
            line.settimeout(60)
            got = b""
            while part := line.recv(65536):  # an end, not a time-out
                got += part
            line.close()
        assert stage.ask("GET", "/healthz").status == 200


def test_many_connections_are_bounded(monkeypatch, tmp_path):
    monkeypatch.setattr(running, "SPARE", 3)
    with staged(tmp_path / "state", settings=Web(max_viewers=2)) as stage:
        lines = [socket.create_connection(("127.0.0.1", stage.port)) for _ in range(5)]
        until(lambda: stage.connections() == 5)
        with socket.create_connection(("127.0.0.1", stage.port)) as more:
            more.settimeout(60)
            with contextlib.suppress(ConnectionError):
                assert more.recv(1) == b""
        for line in lines:
            line.close()
        until(lambda: stage.connections() == 0)
        assert stage.ask("GET", "/healthz").status == 200


@pytest.mark.slow
def test_viewers_are_counted_and_slow_ones_dropped(monkeypatch, tmp_path):
    monkeypatch.setattr(sse, "SLOW", 8.0)  # on a busy machine the one that reads is slow, too
    monkeypatch.setattr(sse, "BEAT", 0.1)
    with (
        staged(tmp_path / "state", settings=Web(max_viewers=2)) as stage,
        Stream(stage) as first,
        Stream(stage) as second,
    ):
        assert (first.status, second.status) == (200, 200)
        with Stream(stage) as third:
            assert third.status == 503
            assert "max_viewers" in third.reply.read().decode()
        big = b'"' + b"x" * 400_000 + b'"'
        monkeypatch.setattr("healmon.web.live.beat", lambda _live: big)
        # the first reads on, the second takes nothing any more
        until(lambda: first.until("beat") and stage.viewers() == 1, 60, "one was let go")
        assert first.until("beat")
