"""A healer that weighs little: OpenSSL is loaded when it is needed, and threads share one heap.

asyncio and hashlib import OpenSSL's bindings where they find them, megabytes that a healer without
an `https` address never uses. Both work without: hashlib with Python's own digests.
"""

from __future__ import annotations

import ctypes
import sys
from contextlib import suppress
from importlib import import_module, reload
from typing import Final

_OPENSSL: Final = ("ssl", "_hashlib")
_ARENA_MAX: Final = -8
"""`M_ARENA_MAX` of mallopt(3)."""


def without_openssl() -> None:
    """Import asyncio and hashlib without OpenSSL; of no effect on what is imported already."""
    away = [name for name in _OPENSSL if name not in sys.modules]
    sys.modules.update(dict.fromkeys(away))  # type: ignore[arg-type]  # pyright: ignore[reportArgumentType, reportCallIssue] - None means: not to be found
    try:
        for name in ("asyncio", "hashlib", "hmac"):
            import_module(name)
    finally:
        for name in away:
            del sys.modules[name]


def with_tls() -> None:
    """Give asyncio what `without_openssl` kept from it; call it before a connection over TLS."""
    from asyncio import base_events, selector_events, sslproto  # noqa: PLC0415 - not at the start

    if getattr(sslproto, "ssl", None) is not None:
        return
    ssl = import_module("ssl")
    reload(sslproto)
    for module in (base_events, selector_events):
        module.ssl = ssl  # type: ignore[attr-defined]  # pyright: ignore[reportAttributeAccessIssue] - as its own import does


def one_heap() -> None:
    """Have all threads share one heap; call it before there is a second one.

    glibc gives each thread an arena of its own: good for those that compute side by side, and here
    none does.
    """
    with suppress(OSError, AttributeError):  # another libc has its own ways
        ctypes.CDLL(None).mallopt(_ARENA_MAX, 1)
