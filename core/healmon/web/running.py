"""The server as a whole: opened on an address, served until it is told to end."""

from __future__ import annotations

import asyncio
import contextlib
import errno
import logging
import socket
import ssl
from collections.abc import AsyncGenerator
from pathlib import Path
from typing import Final

from aiohttp import http_exceptions, web

from healmon.config.facesettings import Web
from healmon.config.webkeys import Address
from healmon.errors import ConfigError, MissingPartError
from healmon.text import clean
from healmon.web import app
from healmon.web.context import Context
from healmon.web.live import Live

HEAD: Final = 20.0
"""Seconds that a connection may be open without a whole request: slow ones are let go."""
SPARE: Final = 64
"""Connections beside those of the viewers."""
SHAKE: Final = 10.0
"""Seconds that a TLS handshake may take."""
LEAVE: Final = 2.0
"""Seconds that requests under way get at the end."""


_log = logging.getLogger("healmon.web")


def _speakable(record: logging.LogRecord) -> bool:
    """Let nothing into the log that a broken request holds: it may be somebody's token."""
    error = record.exc_info[1] if record.exc_info else None
    return not isinstance(error, http_exceptions.HttpProcessingError)


class _Full(asyncio.Protocol):
    """Turns a connection away: there are too many."""

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        transport.close()


class Certificate:
    """Certificate and key as they are now: whoever renews them need not end the server.

    Args:
        settings: name their files; or none, then TLS is not spoken.

    Attributes:
        tls: how it is spoken; None: it is not.

    Raises:
        ConfigError: they are not to be used.
    """

    def __init__(self, settings: Web) -> None:
        self._settings = settings
        self._print = self._printed()
        self.tls = tls_of(settings)

    def renew(self) -> None:
        """Take in other files; those that are not to be used (yet) leave the ones before."""
        there = self._printed()
        if self.tls is None or there == self._print:
            return
        self._print = there
        try:
            tls_of(self._settings)  # a half of a new pair would spoil the one that is spoken with
            self.tls.load_cert_chain(self._settings.cert, self._settings.key)
        except (ConfigError, OSError) as error:
            _log.warning("the certificate before stays in force: %s", clean(str(error.args[0])))

    def _printed(self) -> list[tuple[int, int]]:
        found: list[tuple[int, int]] = []
        for path in filter(None, (self._settings.cert, self._settings.key)):
            with contextlib.suppress(OSError):
                at = Path(path).stat()
                found.append((at.st_ino, at.st_mtime_ns))
        return found


class Serving:
    """A server that runs.

    Attributes:
        context: what its parts share.
        address: where it listens; the port is the one it got.
        certificate: that it shows.
    """

    def __init__(
        self, context: Context, address: Address, runner: web.AppRunner, certificate: Certificate
    ) -> None:
        self.context = context
        self.address = address
        self.certificate = certificate
        self._runner = runner

    @property
    def connections(self) -> int:
        """How many are open."""
        server = self._runner.server
        return 0 if server is None else len(server.connections)

    @property
    def url(self) -> str:
        """Where a person finds it."""
        here = self.context.place
        if here.public:
            return here.public
        shown = self.address
        if shown.host in ("0.0.0.0", "::"):  # noqa: S104 - told, not bound
            shown = Address(socket.gethostname(), shown.port)
        return f"{here.scheme}://{shown}"


@contextlib.asynccontextmanager
async def opened(state_dir: Path, settings: Web, address: Address) -> AsyncGenerator[Serving]:
    """Serve within this context.

    Raises:
        MissingPartError: the address cannot be listened on; says why.
        ConfigError: certificate and key are not to be used.
        StateDirError: the tokens cannot be kept.
    """
    _log.addFilter(_speakable)
    certificate = Certificate(settings)
    listening, *more = _listen(address)
    async with contextlib.AsyncExitStack() as stack:
        for one in (listening, *more):
            stack.callback(one.close)
        live = Live(state_dir)
        stack.push_async_callback(live.stop)
        await live.start()
        context = app.context_of(state_dir, settings, address, live)
        stack.callback(context.close)
        runner = web.AppRunner(
            app.make(context), access_log=None, keepalive_timeout=HEAD, lingering_time=LEAVE,
            shutdown_timeout=LEAVE, handler_cancellation=True, logger=_log,
        )  # fmt: skip
        await runner.setup()
        stack.push_async_callback(runner.cleanup)
        for one in (listening, *more):
            server = await _serve(runner, one, certificate.tls, settings.max_viewers + SPARE)
            stack.callback(server.close)
        host, port = listening.getsockname()[:2]
        del host
        yield Serving(context, Address(address.host, port), runner, certificate)


async def _serve(
    runner: web.AppRunner, listening: socket.socket, tls: ssl.SSLContext | None, most: int
) -> asyncio.Server:
    server = runner.server
    assert server is not None

    def connected() -> asyncio.Protocol:
        return _Full() if len(server.connections) >= most else server()

    loop = asyncio.get_running_loop()
    patience = None if tls is None else SHAKE
    return await loop.create_server(
        connected, sock=listening, ssl=tls, backlog=128, ssl_handshake_timeout=patience
    )


def _listen(address: Address) -> list[socket.socket]:
    """Return what listens at an address: what can be asked there, and at its twin.

    `localhost` means 127.0.0.1 and ::1, and browsers try the latter first: whoever listened there
    alone would be sent logins that are ours.

    Raises:
        MissingPartError: the address cannot be listened on.
    """
    if address.host not in ("localhost", "127.0.0.1"):
        return [_bound(address.host, address.port)]
    first = _bound("127.0.0.1", address.port)
    twin = Address("::1", first.getsockname()[1])
    try:
        return [first, _bound(twin.host, twin.port)]
    except (MissingPartError, OSError) as error:
        cause = error.__cause__ or error  # or there is no IPv6 here, and nobody to be mistaken for
        if isinstance(cause, OSError) and cause.errno == errno.EADDRINUSE:
            text = "somebody else listens on %s: ask for 127.0.0.1, not for localhost"
            _log.warning(text, twin)
        return [first]


def _bound(host: str, port: int) -> socket.socket:
    family = socket.AF_INET6 if ":" in host else socket.AF_INET
    listening = socket.socket(family, socket.SOCK_STREAM)
    try:
        listening.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        if family == socket.AF_INET6:
            listening.setsockopt(socket.IPPROTO_IPV6, socket.IPV6_V6ONLY, 1)
        listening.bind((host, port))
    except OSError as error:
        listening.close()
        raise MissingPartError(
            f"cannot listen on {Address(host, port)}: {error.strerror}",
            remedy="name another address or port: web.listen, or healmon serve ADDRESS:PORT",
        ) from error
    return listening


def tls_of(settings: Web) -> ssl.SSLContext | None:
    """Return how TLS is spoken; None: it is not.

    Raises:
        ConfigError: certificate and key are not to be used.
    """
    if not settings.cert:
        return None
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.minimum_version = ssl.TLSVersion.TLSv1_2
    try:
        context.load_cert_chain(settings.cert, settings.key)
    except (OSError, ssl.SSLError) as error:
        raise ConfigError(
            f"web.cert and web.key cannot be used: {clean(str(error))}",
            remedy="both are PEM files; the key belongs to the certificate and has no password",
        ) from None
    return context
