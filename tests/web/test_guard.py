"""What the guard refuses, as decisions: no server in sight."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from healmon.web import guard
from healmon.web.guard import Asked, Place

HERE = guard.place("127.0.0.1", tls=False)
PROXIED = guard.place("127.0.0.1", tls=False, public_url="https://health.example.org")
OWN = "http://127.0.0.1:8080"


def asked(method: str = "GET", host: str = "127.0.0.1:8080", **more) -> Asked:
    return Asked(method=method, path="/api/v1/state", host=host, **more)


def status(what: Asked, here: Place = HERE) -> int:
    refused = guard.refused(what, here)
    return 200 if refused is None else refused.status


@pytest.mark.parametrize(
    "host", ["127.0.0.1:8080", "localhost:8080", "LOCALHOST", "[::1]:8080", "localhost:9000"]
)
def test_our_names_are_ours_with_any_port(host):
    assert status(asked(host=host)) == 200


@pytest.mark.parametrize(
    "host",
    [
        "", "evil.example", "evil.example:8080", "127.0.0.1.evil.example", "localhost.evil.example",
        "127.0.0.1@evil.example", "localhost/", "127.0.0.1:8080#", "192.168.0.7:8080", "[::1",
        "::1", "localhost:port", "localhost:999999", "127.0.0.2", "0.0.0.0", "build-box",
    ],
)  # fmt: skip
def test_other_names_are_refused(host):
    """Also those that resolve to us: that is how a page gets past the same-origin rule."""
    assert status(asked(host=host)) == 421
    assert status(asked("POST", host, origin=f"http://{host}")) == 421


def test_names_of_the_network_must_be_known():
    here = guard.place("192.168.0.7", tls=True, hosts=("box.lan",), own="Build-Box")
    for host in ("192.168.0.7:443", "box.lan", "build-box:8080"):
        assert status(asked(host=host), here) == 200
    assert status(asked(host="192.168.0.8"), here) == 421
    everywhere = guard.place("0.0.0.0", tls=True)
    assert status(asked(host="192.168.0.8:8080"), everywhere) == 200
    assert status(asked(host="evil.example"), everywhere) == 421


@pytest.mark.parametrize(
    "origin",
    [
        None, "null", "", "http://evil.example", "https://127.0.0.1:8080", "http://127.0.0.1",
        "http://127.0.0.1:8081", "http://localhost:8080", f"{OWN}/", f"{OWN}.evil.example",
        "HTTP://127.0.0.1:8080",
    ],
)  # fmt: skip
def test_what_changes_something_needs_our_own_origin_exactly(origin):
    for method in ("POST", "PUT", "DELETE", "PATCH", "OPTIONS"):
        assert status(asked(method, origin=origin)) == 403
    assert status(asked(origin=origin, websocket=True)) == 403
    assert status(asked(origin=origin)) == (200 if origin is None else 403), "nor may it be read"


def test_our_own_origin_may():
    assert status(asked("POST", origin=OWN)) == 200
    assert status(asked(origin=OWN, websocket=True)) == 200
    tunnel = asked("POST", host="localhost:9000", origin="http://localhost:9000")
    assert status(tunnel) == 200, "through ssh -L 9000:localhost:8080"


def test_a_program_with_a_token_has_no_origin_but_no_websocket_either():
    assert status(asked("POST", bearer=True)) == 200
    assert status(asked("POST", bearer=True, origin="http://evil.example")) == 403
    assert status(asked(bearer=True, websocket=True)) == 403


def test_behind_a_proxy_its_origin_is_ours():
    through = asked("POST", "health.example.org", origin="https://health.example.org")
    assert status(through, PROXIED) == 200
    assert PROXIED.secure
    plain = asked("POST", "health.example.org", origin="http://health.example.org")
    assert status(plain, PROXIED) == 403, "the network could have sent it"


@pytest.mark.parametrize(
    ("site", "mode", "good"),
    [
        ("same-origin", "cors", True), ("none", "navigate", True), ("", "", True),
        ("cross-site", "navigate", True), ("cross-site", "no-cors", False),
        ("same-site", "cors", False), ("cross-site", "websocket", False),
    ],
)  # fmt: skip
def test_requests_of_other_sites_pages_are_refused(site, mode, good):
    assert (status(asked(fetch_site=site, fetch_mode=mode)) == 200) is good


def test_the_csrf_value_must_be_the_sessions():
    post = asked("POST", origin=OWN)
    for sent, known in (("", "a"), ("b", "a"), ("", ""), ("ä", "a")):
        assert guard.csrf_fault(post, sent, known) is not None
    assert guard.csrf_fault(post, "a", "a") is None
    assert guard.csrf_fault(asked(), "", "a") is None
    assert guard.csrf_fault(asked("POST", bearer=True), "", "") is None


@given(st.text(max_size=40))
def test_no_host_header_surprises(text):
    name = guard.host_of(text)
    assert name == name.lower()
    assert not set(name) & set("/@ \\?#")
    assert status(asked(host=f"{text}.evil.example")) in (200, 421)


def test_the_policy_lets_nothing_in_from_elsewhere():
    policy = guard.csp("n0nce")
    assert "default-src 'none'" in policy
    assert "script-src 'nonce-n0nce'" in policy
    assert "frame-ancestors 'none'" in policy
    assert "unsafe" not in policy
    assert "http" not in policy


def test_browsers_keep_to_tls_only_for_a_name_that_is_ours_alone():
    """They would for every port of that name, and other servers of the host may have none."""
    assert PROXIED.strict
    assert "Strict-Transport-Security" in guard.headers("n", strict=True)
    shared = guard.place("127.0.0.1", tls=False, public_url="https://box.example.org:8443")
    for here in (shared, guard.place("0.0.0.0", tls=True), HERE):
        assert not here.strict
    assert "Strict-Transport-Security" not in guard.headers("n", strict=False)


def test_bytes_that_are_no_text_are_no_csrf_value():
    """A header comes with whatever bytes were sent, as lone surrogates."""
    refused = guard.csrf_fault(asked("POST", origin=OWN), "\udcff", "known")
    assert refused is not None
    assert refused.status == 403
