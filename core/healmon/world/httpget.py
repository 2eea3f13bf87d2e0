"""A health check over HTTP: one GET, its status, nothing more.

No redirect is followed (a 3xx is an answer), no cookie kept, the body is not read. A worker's
certificate is not verified: nothing secret is sent, and an expired one is no reason to restart it.
"""

from __future__ import annotations

import asyncio
import errno
import os
import re
import urllib.parse
from typing import TYPE_CHECKING, Final

from healmon import lean
from healmon.errors import ProbeError
from healmon.lean import with_tls
from healmon.text import clean

if TYPE_CHECKING:
    import ssl

LINE_LIMIT: Final = 1 << 14
"""Bytes of one line of an answer."""
HEAD_LIMIT: Final = 200
"""Lines of interim answers and their headers that are read until the real one."""
_STATUS: Final = re.compile(rb"HTTP/\d(?:\.\d)? (\d{3})(?: |\r?\n)")
_OURS: Final = frozenset(
    {errno.EMFILE, errno.ENFILE, errno.ENOMEM, errno.ENOBUFS, errno.EADDRNOTAVAIL}
)
"""What a connection lacks on our side; whoever was to answer is not to blame."""
_PLAIN: Final = "/%:=&?~#+!$,;'@()*[]"


class UnaskedError(ProbeError):
    """Nobody could be asked, for want of something on our side: nothing follows from it."""


async def status_of(url: str, timeout: float, *, verified: bool = False) -> int:  # noqa: ASYNC109 - the caller's patience
    """Return the status that a GET of a URL is answered with.

    Args:
        url: `http:` or `https:`.
        timeout: seconds.
        verified: refuse a certificate that is not right; for a URL that is itself a secret.

    Raises:
        UnaskedError: nobody could be asked.
        ProbeError: there is no answer in time, or none that is HTTP; says why.
    """
    try:
        async with asyncio.timeout(timeout):
            return await _get(url, verified=verified)
    except TimeoutError:
        raise ProbeError(f"no answer within {timeout:g} s") from None
    except OSError as error:
        kind = UnaskedError if unasked(error) else ProbeError
        raise kind(reason(error)) from error
    except (ValueError, EOFError) as error:
        raise ProbeError(f"no answer in HTTP: {clean(str(error))}") from error


def unasked(error: OSError) -> bool:
    """Return whether a connection failed before anybody was asked, as where a name is unknown."""
    return error.errno is not None and (error.errno in _OURS or error.errno < 0)


def reason(error: OSError) -> str:
    """Return what the kernel said of a connection; asyncio's own text names its call instead."""
    if hasattr(error, "library"):  # OpenSSL's: its numbers are none of the kernel's
        wrong = getattr(error, "verify_message", "")
        return clean(f"its certificate is refused: {wrong}" if wrong else str(error.strerror))
    if error.errno is not None and error.errno > 0:
        return os.strerror(error.errno)
    return clean(error.strerror or str(error))


async def _get(url: str, *, verified: bool) -> int:
    parts = urllib.parse.urlsplit(url)
    secure = parts.scheme == "https"
    port = parts.port or (443 if secure else 80)
    context = _context(verified=verified) if secure else None
    reader, writer = await asyncio.open_connection(
        parts.hostname, port, ssl=context, limit=LINE_LIMIT
    )
    try:
        target = urllib.parse.quote(parts.path or "/", safe=_PLAIN)
        query = f"?{urllib.parse.quote(parts.query, safe=_PLAIN)}" if parts.query else ""
        host = parts.netloc.rpartition("@")[2].encode("idna" if parts.netloc.isascii() else "utf-8")
        head = f"GET {target}{query} HTTP/1.1\r\nHost: ".encode("ascii")
        writer.write(
            head + host + b"\r\nUser-Agent: healmon\r\nAccept: */*\r\nConnection: close\r\n\r\n"
        )
        return await _status(reader)
    finally:
        writer.transport.abort()


async def _status(reader: asyncio.StreamReader) -> int:
    """Return the final status; interim ones (1xx) are passed over.

    Raises:
        ValueError: that is not HTTP.
        EOFError: it hung up before it answered.
    """
    for _ in range(HEAD_LIMIT):
        line = await reader.readline()
        if not line:
            raise EOFError("it hung up")
        found = _STATUS.match(line)
        if found is None:
            raise ValueError(clean(line.rstrip(b"\r\n"), limit=60))
        if int(found[1]) >= 200:
            return int(found[1])
        while (await reader.readline()).strip():
            pass  # the headers of an interim answer
    raise ValueError("too many interim answers")


def _context(*, verified: bool) -> ssl.SSLContext:
    lean.with_tls()
    import ssl  # noqa: PLC0415 - megabytes that few need

    with_tls()
    context = ssl.create_default_context()
    if not verified:
        context.check_hostname = False
        context.verify_mode = ssl.CERT_NONE
    return context
