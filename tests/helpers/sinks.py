"""Real ends of channels: a web hook receiver and an SMTP server, which can be down for a while."""

from __future__ import annotations

import contextlib
import email
import email.policy
import json
import socketserver
import threading
from email.message import EmailMessage
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer


class _Sink:
    """One end that can be taken down, and comes up at the same port."""

    port = 0
    _server: _HttpServer | _SmtpServer | None = None

    def _serve(self) -> _HttpServer | _SmtpServer:
        raise NotImplementedError

    def up(self) -> None:
        server = self._server = self._serve()
        self.port = server.server_address[1]
        threading.Thread(
            target=server.serve_forever, kwargs={"poll_interval": 0.02}, daemon=True
        ).start()

    def down(self) -> None:
        if self._server is not None:
            self._server.shutdown()
            self._server.server_close()
            self._server = None

    def close(self) -> None:
        self.down()


class _HttpServer(ThreadingHTTPServer):
    daemon_threads = True
    allow_reuse_address = True
    sink: WebhookSink


class _Hook(BaseHTTPRequestHandler):
    server: _HttpServer

    def do_POST(self) -> None:
        sink = self.server.sink
        body = self.rfile.read(int(self.headers.get("Content-Length", 0)))
        if sink.status < 300:
            sink.got.append((dict(self.headers), json.loads(body)))
        sink.paths.append(self.path)
        if sink.hook is not None:
            sink.hook()
        if sink.hangs:
            sink.freed.wait(30)
            return
        self.send_response(sink.status)
        for name, value in sink.headers.items():
            self.send_header(name, value)
        self.end_headers()

    def log_message(self, *_args) -> None:
        return


class WebhookSink(_Sink):
    """Takes POSTs of JSON.

    Attributes:
        got: headers and body of each POST that was taken, in order.
        status: what is answered.
        hangs: take it and never answer.
    """

    def __init__(self) -> None:
        self.got: list[tuple[dict, dict]] = []
        self.paths: list[str] = []
        self.status = 200
        self.headers: dict[str, str] = {}
        self.hangs = False
        self.hook = None
        self.freed = threading.Event()
        self.up()

    def _serve(self) -> _HttpServer:
        server = _HttpServer(("127.0.0.1", self.port), _Hook)
        server.sink = self
        return server

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self.port}/sesame-path?token=sesame-token"

    @property
    def bodies(self) -> list[dict]:
        return [body for _, body in self.got]

    def close(self) -> None:
        self.freed.set()
        self.down()


class _SmtpServer(socketserver.ThreadingTCPServer):
    daemon_threads = True
    allow_reuse_address = True
    sink: SmtpSink


class _Smtp(socketserver.StreamRequestHandler):
    server: _SmtpServer

    def say(self, text: str) -> None:
        self.wfile.write(f"{text}\r\n".encode())

    def handle(self) -> None:
        with contextlib.suppress(OSError):
            self.say("220 sink ESMTP")
            for line in iter(self.rfile.readline, b""):
                verb = line.split()[0].upper() if line.split() else b""
                if verb == b"QUIT":
                    self.say("221 bye")
                    return
                if verb == b"DATA":
                    self.data()
                elif verb == b"EHLO":
                    self.say("250 sink")
                else:
                    self.say("250 ok")

    def data(self) -> None:
        self.say("354 go on")
        lines = [
            line.removeprefix(b".") if line.startswith(b"..") else line
            for line in iter(self.rfile.readline, b".\r\n")
        ]
        mail = email.message_from_bytes(b"".join(lines), policy=email.policy.default)
        assert isinstance(mail, EmailMessage)
        self.server.sink.got.append(mail)
        self.say("250 taken")


class SmtpSink(_Sink):
    """Takes mail, in order."""

    def __init__(self) -> None:
        self.got: list[EmailMessage] = []
        self.up()

    def _serve(self) -> _SmtpServer:
        server = _SmtpServer(("127.0.0.1", self.port), _Smtp)
        server.sink = self
        return server

    @property
    def url(self) -> str:
        return f"mailto://127.0.0.1:{self.port}?from=healmon@box.test&to=ops@box.test"
