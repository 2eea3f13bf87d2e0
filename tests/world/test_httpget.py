"""A health check over HTTP against real sockets, also ill-mannered ones."""

from __future__ import annotations

import asyncio
import resource
import socket
import threading
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path

import pytest

from healmon.clock import SystemClock
from healmon.config.settings import Ready, Worker
from healmon.errors import ProbeError
from healmon.workers.beats import Beats
from healmon.workers.checks.build import checker
from healmon.workers.checks.model import Doors, Outcome, Subject
from healmon.world.hands import Hands
from healmon.world.httpget import status_of
from healmon.world.processes import Identity
from healmon.world.system_ports import SystemPorts
from healmon.world.system_processes import SystemProcesses


@contextmanager
def answering(answer: bytes | None) -> Iterator[tuple[str, list[bytes]]]:
    """Serve one request with these bytes; None: take it and say nothing."""
    asked: list[bytes] = []
    done = threading.Event()

    def serve(listener: socket.socket) -> None:
        with listener:
            connection, _ = listener.accept()
            with connection:
                asked.append(connection.recv(65536))
                if answer is None:
                    done.wait(60)
                else:
                    with suppress(ConnectionError):  # who has read enough hangs up
                        connection.sendall(answer)

    listener = socket.create_server(("127.0.0.1", 0))
    thread = threading.Thread(target=serve, args=(listener,))
    thread.start()
    try:
        yield f"http://127.0.0.1:{listener.getsockname()[1]}", asked
    finally:
        done.set()
        thread.join(60)


def get(url: str, timeout: float = 60.0) -> int:
    return asyncio.run(status_of(url, timeout))


@pytest.mark.parametrize("status", [200, 204, 301, 404, 500])
def test_the_status_is_told_and_no_redirect_followed(status: int) -> None:
    head = f"HTTP/1.1 {status} Whatever\r\nLocation: http://127.0.0.1:1/\r\n\r\nbody"
    with answering(head.encode()) as (url, asked):
        assert get(f"{url}/health?a=b c") == status
    first, *headers = asked[0].decode().split("\r\n")
    assert first == "GET /health?a=b%20c HTTP/1.1"
    assert "Connection: close" in headers
    assert f"Host: {url.removeprefix('http://')}" in headers


def test_an_old_server_and_a_bare_path_are_fine() -> None:
    with answering(b"HTTP/1.0 200\r\n\r\n") as (url, asked):
        assert get(url) == 200
    assert asked[0].startswith(b"GET / HTTP/1.1\r\n")


def test_interim_answers_are_passed_over() -> None:
    answer = b"HTTP/1.1 103 Early Hints\r\nLink: x\r\n\r\nHTTP/1.1 200 OK\r\n\r\n"
    with answering(answer) as (url, _):
        assert get(url) == 200


@pytest.mark.parametrize(
    ("answer", "why"),
    [
        (b"SSH-2.0-x\r\n", "no answer in HTTP: SSH-2.0-x"),
        (b"\x1b[2J\r\n", "no answer in HTTP: ␛\\[2J"),
        (b"", "it hung up"),
        (b"x" * 100_000, "no answer in HTTP"),
    ],
)
def test_what_is_no_http_is_named_harmlessly(answer: bytes, why: str) -> None:
    with answering(answer) as (url, _), pytest.raises(ProbeError, match=why):
        get(url)


def test_silence_ends_with_the_patience() -> None:
    with answering(None) as (url, _), pytest.raises(ProbeError, match=r"no answer within 0\.2 s"):
        get(url, 0.2)


def test_nobody_there_is_a_refusal() -> None:
    with pytest.raises(ProbeError, match="refused"):
        get("http://127.0.0.1:1/")


@pytest.mark.parametrize(
    "url", ["http://127.0.0.1:99999999/", "http://[::1/", "http://nö.invalid/"]
)
def test_a_url_that_leads_nowhere_is_an_error_of_ours(url: str) -> None:
    with pytest.raises(ProbeError):
        get(url)


def test_tls_is_spoken_and_no_certificate_asked_for() -> None:
    with answering(b"HTTP/1.1 200 OK\r\n\r\n") as (url, asked), pytest.raises(ProbeError):
        get(url.replace("http://", "https://"))
    assert asked[0][:1] == b"\x16", "a TLS greeting"


@contextmanager
def no_descriptor_left() -> Iterator[None]:
    """Let this process open nothing more."""
    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    with socket.socket() as newest:  # the lowest number that is free
        lowest = newest.fileno()
    resource.setrlimit(resource.RLIMIT_NOFILE, (lowest, hard))
    try:
        yield
    finally:
        resource.setrlimit(resource.RLIMIT_NOFILE, (soft, hard))


def test_what_we_lack_ourselves_is_no_answer_of_anybody() -> None:
    async def asked() -> list[Outcome]:
        loop = asyncio.get_running_loop()
        await loop.run_in_executor(None, int)  # whatever is opened once is open
        url = "http://127.0.0.1:1/"
        worker = Worker(name="w", argv=("/bin/true",))
        subject = Subject(worker=worker, identity=Identity("", 1, 1), born=0.0, log=Path("/none"))
        doors = Doors(
            processes=SystemProcesses(), ports=SystemPorts(), clock=SystemClock(),
            hands=Hands("checks"), beats=Beats(), kin=lambda _: frozenset(),
            tree=lambda _: frozenset(),
        )  # fmt: skip
        http = checker(Ready(http=url), subject, doors)
        command = checker(Ready(command=("/bin/true",)), subject, doors)
        before = await http()
        assert (await command()).ok
        with no_descriptor_left():
            told = [before, await http(), await command()]
            with pytest.raises(ProbeError, match="open files"):
                await SystemPorts().connect("127.0.0.1", 1, 5.0)
        doors.hands.close()
        return told

    refused, *others = asyncio.run(asked())
    assert refused.ok is False, "somebody was asked, and refused"
    assert [one.ok for one in others] == [None, None], others
