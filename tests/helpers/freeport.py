"""A port to listen on later."""

from __future__ import annotations

import secrets
import socket
from contextlib import suppress

FIRST, COUNT = 20_000, 12_000
"""Ports that the kernel gives nobody who asks for any: it begins at 32768."""


def free_port() -> int:
    """Return a port of this host that nobody has.

    One that the kernel chose, and that was let go of, is anybody's until it is bound again: the
    tests beside this one ask for hundreds.
    """
    while True:
        port = FIRST + secrets.randbelow(COUNT)
        with suppress(OSError), socket.socket() as one:
            one.bind(("127.0.0.1", port))
            return port
