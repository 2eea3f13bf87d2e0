"""Keeps OpenSSL out of a process until somebody speaks TLS: 8 MiB that asyncio and hashlib take.

Both run without it: asyncio has no TLS then, and hashlib has Python's own digests.
"""

from __future__ import annotations

import sys
from importlib import import_module
from importlib.util import find_spec
from typing import Final

_OPENSSL: Final = ("ssl", "_hashlib")
_DIGESTS: Final = ("_md5", "_sha1", "_sha3", "_blake2")
"""Python's own; a Python that was built without them needs OpenSSL's."""
_TLS: Final = ("base_events", "selector_events", "sslproto")
"""The modules of asyncio that know TLS."""


def without_openssl() -> None:
    """Load asyncio, hashlib and hmac without OpenSSL, unless one of them is loaded already."""
    known = {"asyncio", "hashlib", "hmac", *_OPENSSL} & set(sys.modules)
    if known or not all(find_spec(name) for name in _DIGESTS):
        return
    hidden = dict.fromkeys(_OPENSSL)
    sys.modules.update(hidden)  # type: ignore[arg-type] # pyright: ignore - None: there is none
    try:
        for name in ("asyncio", "hashlib", "hmac"):
            import_module(name)
    finally:
        for name in hidden:
            del sys.modules[name]


def with_tls() -> None:
    """Let asyncio speak TLS, however it was loaded. Whoever opens such a connection calls it."""
    import ssl  # noqa: PLC0415 - this is the moment

    for name in _TLS:
        vars(import_module(f"asyncio.{name}"))["ssl"] = ssl
    again = (ssl.SSLWantReadError, ssl.SSLSyscallError)
    vars(import_module("asyncio.sslproto"))["SSLAgainErrors"] = again
