"""The listener: one path, for reading, by this host's own names."""

from __future__ import annotations

import contextlib
import http.client
import socket

import pytest

from healmon.config.webkeys import Address
from healmon.metrics import Facts, families
from healmon.metrics import listener as listening
from healmon.metrics.listener import Listener
from tests.helpers.everything import NOW, told
from tests.helpers.wait import until

ANY = Address("127.0.0.1", 0)


@contextlib.contextmanager
def listener(where: Address = ANY, *, network: bool = False):
    made = Listener(where, lambda: families(told(), Facts(True, NOW)), network=network)
    try:
        yield made
    finally:
        made.close()


def asked(one: Listener, method: str = "GET", path: str = "/metrics", **headers: str):
    host = one.address.host if one.address.host != "localhost" else "127.0.0.1"
    connection = http.client.HTTPConnection(host, one.address.port, timeout=60)
    with contextlib.closing(connection):
        connection.request(method, path, headers=headers)
        answer = connection.getresponse()
        return answer.status, dict(answer.getheaders()), answer.read()


def test_a_scrape_is_answered_and_nothing_else_is():
    with listener() as one:
        status, headers, body = asked(one)
        assert status == 200
        assert headers["Content-Type"].startswith("text/plain; version=0.0.4")
        assert headers["Server"] == "healmon"
        assert b"\nhealmon_up 1.0\n" in body
        assert asked(one, path="/metrics?a=b")[0] == 200
        assert asked(one, "HEAD")[::2] == (200, b"")
        for path in ("/", "/metrics/", "/healmon.db"):
            assert asked(one, path=path)[0] == 404
        for method in ("POST", "PUT", "DELETE", "OPTIONS"):
            assert asked(one, method)[0] == 501


def test_openmetrics_is_spoken_to_whoever_asks_for_it():
    with listener() as one:
        _, headers, body = asked(one, Accept="application/openmetrics-text; version=1.0.0")
        assert headers["Content-Type"].startswith("application/openmetrics-text")
        assert body.endswith(b"# EOF\n")


@pytest.mark.parametrize(
    "version", ["x", "1.x", "1.0.x", "9.9.9", "", "1.0.0 ", "\u00b2.0.0", "1.0.0\x7f", "1" * 5000]
)
def test_versions_that_there_are_not_are_answered_in_plain_text(version):
    """The client compares a version as it comes: words with numbers, which is a fault."""
    with listener() as one:
        for kind in ("application/openmetrics-text", "text/plain"):
            status, headers, body = asked(one, Accept=f"{kind};version={version};q=0.5,*/*")
            assert status == 200
            assert version == "1.0.0 " or f"version={version};" not in headers["Content-Type"]
            assert b"\nhealmon_up 1.0\n" in body


@pytest.mark.parametrize("name", ["evil.example", "evil.example:80", "", "127.0.0.1.evil.example"])
def test_another_name_for_this_address_is_refused(name):
    with listener() as one:
        assert asked(one, Host=name)[0] == 421


@pytest.mark.parametrize("name", ["localhost", "127.0.0.1:1", "[::1]:9646", "LOCALHOST"])
def test_its_own_names_will_do(name):
    with listener(Address("localhost", 0)) as one:
        assert asked(one, Host=name)[0] == 200


def test_on_the_network_any_name_will_do():
    with listener(network=True) as one:
        assert asked(one, Host="build-box.lan")[0] == 200


def test_who_is_slow_takes_no_place_of_others_for_long(monkeypatch):
    monkeypatch.setattr(listening, "PATIENCE", 0.5)
    with listener() as one, contextlib.ExitStack() as stack:
        address = ("127.0.0.1", one.address.port)
        slow = [
            stack.enter_context(socket.create_connection(address))
            for _ in range(listening.AT_A_TIME)
        ]

        def answered() -> bool:
            for each in slow:  # a byte now and then is not a request
                with contextlib.suppress(OSError):
                    each.send(b"G")
            with contextlib.suppress(OSError, http.client.HTTPException):
                return asked(one)[0] == 200
            return False

        until(answered, 60, "a place is free")
        for each in slow:
            each.settimeout(60)
            with contextlib.suppress(ConnectionError):
                while each.recv(4096):
                    pass  # the end of each comes, or a reset; a time-out fails the test


def test_as_many_as_are_served_keep_the_next_one_out(monkeypatch):
    monkeypatch.setattr(listening, "AT_A_TIME", 2)
    with listener() as one, contextlib.ExitStack() as stack:
        for _ in range(2):
            stack.enter_context(socket.create_connection(("127.0.0.1", one.address.port)))
        with pytest.raises((OSError, http.client.HTTPException)):
            asked(one)


def test_an_address_that_is_taken_is_an_error():
    with listener() as one, pytest.raises(OSError, match="in use"):
        Listener(one.address, tuple)
