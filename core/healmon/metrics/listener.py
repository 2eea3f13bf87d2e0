"""An HTTP server with one path, `/metrics`, for reading; needs the extra `metrics`.

Numbers are told to whoever can connect, so who is asked by a name that is not this host's says
nothing: a page in a browser must not read them by having its own name mean 127.0.0.1.
"""

from __future__ import annotations

import socket
import threading
from collections.abc import Callable, Iterable
from contextlib import suppress
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any, Final
from urllib.parse import urlsplit

from healmon.config.webkeys import LOCAL, Address
from healmon.metrics.collector import Exposition
from healmon.metrics.model import Family

PATH: Final = "/metrics"
AT_A_TIME: Final = 16
"""Connections that are served; whoever comes then is turned away."""
PATIENCE: Final = 10.0
"""Seconds that a connection lasts at most: it is for one scrape."""


class Listener:
    """Answers until closed.

    Args:
        where: to listen.
        source: returns the families of now, from any thread.
        marks: what these are made of; see `Exposition`.
        network: any name it is asked by will do.

    Attributes:
        address: where it listens; the port is the one it got.

    Raises:
        OSError: the address cannot be listened on.
    """

    def __init__(
        self,
        where: Address,
        source: Callable[[], Iterable[Family]],
        marks: Callable[[], tuple[object, ...]] = tuple,
        *,
        network: bool = False,
    ) -> None:
        names = None if network else LOCAL | {where.host}
        self._server = _Server(where, Exposition(source, marks), names)
        self.address = Address(where.host, self._server.server_address[1])
        self._closing = False
        self._thread = threading.Thread(target=self._serve, name="healmon-metrics", daemon=True)
        self._thread.start()

    def _serve(self) -> None:
        # `serve_forever` would wake up twice a second to ask whether it is to end
        while not self._closing:
            self._server.handle_request()

    def close(self) -> None:
        """Answer no more."""
        self._closing = True
        with suppress(OSError):  # it is readable from now on: that wakes who waits
            self._server.socket.shutdown(socket.SHUT_RDWR)
        self._thread.join()
        self._server.server_close()


class _Server(ThreadingHTTPServer):
    daemon_threads = True
    request_queue_size = 64
    allow_reuse_address = True

    def __init__(
        self, where: Address, exposition: Exposition, names: frozenset[str] | None
    ) -> None:
        self.exposition = exposition
        self.names = names
        self._free = threading.BoundedSemaphore(AT_A_TIME)
        host = "127.0.0.1" if where.host == "localhost" else where.host
        self.address_family = socket.AF_INET6 if ":" in host else socket.AF_INET
        super().__init__((host, where.port), _Handler)

    def server_bind(self) -> None:
        """Bind, without asking a name server who we are."""
        self.socket.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        self.socket.bind(self.server_address)
        self.server_address = self.socket.getsockname()
        self.server_name, self.server_port = str(self.server_address[0]), self.server_address[1]

    def process_request(self, request: Any, client_address: Any) -> None:  # noqa: ANN401 - socketserver's
        """Serve a connection in a thread of its own, if there is room."""
        if not self._free.acquire(blocking=False):
            self.shutdown_request(request)
            return
        super().process_request(request, client_address)

    def process_request_thread(self, request: Any, client_address: Any) -> None:  # noqa: ANN401 - likewise
        """Serve it to its end; whoever sends a byte now and then has no longer than others."""
        end = threading.Timer(PATIENCE, _hang_up, (request,))
        end.daemon = True
        end.start()
        try:
            super().process_request_thread(request, client_address)
        finally:
            end.cancel()
            self._free.release()

    def handle_error(self, request: object, client_address: object) -> None:
        """Say nothing of who went away, or was too slow."""


class _Handler(BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"
    server: _Server  # pyright: ignore[reportIncompatibleVariableOverride] - it is ours

    def version_string(self) -> str:
        """Return what answers, without its version."""
        return "healmon"

    def do_GET(self) -> None:
        """Answer a scrape."""
        status, content_type, body = self._answer()
        self.send_response(status)
        self.send_header("Content-Type", content_type)
        self.send_header("Content-Length", str(len(body)))
        self.send_header("Cache-Control", "no-store")
        self.send_header("Connection", "close")
        self.send_header("X-Content-Type-Options", "nosniff")
        self.end_headers()
        if self.command != "HEAD":
            self.wfile.write(body)

    do_HEAD = do_GET  # noqa: N815 - likewise

    def _answer(self) -> tuple[int, str, bytes]:
        plain = "text/plain; charset=utf-8"
        names = self.server.names
        if names is not None and _name(self.headers.get("Host", "")) not in names:
            return 421, plain, b"this host does not go by that name\n"
        if self.path.partition("?")[0] != PATH:
            return 404, plain, b"there is /metrics, nothing else\n"
        content_type, body = self.server.exposition.answer(self.headers.get("Accept", ""))
        return 200, content_type, body

    def log_message(self, format: str, *args: object) -> None:  # noqa: A002 - as http.server has it
        """Log nothing: scrapes are many."""


def _hang_up(connection: socket.socket) -> None:
    with suppress(OSError):
        connection.shutdown(socket.SHUT_RDWR)


def _name(host: str) -> str:
    try:
        return urlsplit(f"//{host}").hostname or ""
    except ValueError:
        return ""
