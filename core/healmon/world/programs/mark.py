"""A mark: a name that one process of this host holds at a time.

Healers on two state directories share no lock file, but they share this: an abstract socket. The
kernel gives its name to one of them, and back when that one is gone. Anybody may take such a name,
so one that is held by somebody who could not have done what it stands for is passed over.

    healmon/worker/HASH    a shim, as long as its program is the worker
    healmon/pane/KEY       a healer, while it presses keys there
"""

from __future__ import annotations

import _socket  # socket.py brings a megabyte of Python along
import errno
import os
import sys
import time

from healmon.world.programs.begin import Failed

TRIES = 50
PAUSE = 0.01
"""Seconds between two tries: who is about to end holds it for a moment."""
CALLERS = 4096
"""How many may have asked who holds it; nobody takes their calls."""


def hold(name: bytes, user: int, tries: int = TRIES) -> _socket.socket | None:
    """Return the mark, which is ours until it is closed; None: without one.

    Args:
        name: of the mark; empty: none.
        user: who may hold it besides us and root.
        tries: how often to try, with pauses.

    Raises:
        Failed: somebody holds it: the number is that one's pid.
    """
    holder: tuple[int, int] | None = None
    for number in range(tries if name else 0):
        if number:
            time.sleep(PAUSE)
        try:
            return _bound(name)
        except OSError as error:
            if error.errno != errno.EADDRINUSE:
                return None
        # asked until it is told, no oftener: each who asks takes a place of those that may
        holder = holder or _holder(name)
        if holder is not None and (not holder[0] or holder[1] not in {0, os.geteuid(), user}):
            return None
    if holder is not None:
        raise Failed(b"rival", holder[0])
    return None


def _bound(name: bytes) -> _socket.socket:
    one = _socket.socket(_socket.AF_UNIX, _socket.SOCK_STREAM)
    try:
        one.bind(b"\0" + name)
        one.listen(CALLERS)
    except OSError:
        one.close()
        raise
    return one


def _holder(name: bytes) -> tuple[int, int] | None:
    """Return pid and user of who holds a mark; pid 0: that cannot be told; None: not yet."""
    caller = _socket.socket(_socket.AF_UNIX, _socket.SOCK_STREAM)
    try:
        caller.settimeout(0.0)
        caller.connect(b"\0" + name)
        raw = caller.getsockopt(_socket.SOL_SOCKET, _socket.SO_PEERCRED, 12)
    except ConnectionRefusedError:
        return None  # it is about to hold it, or to be gone
    except OSError:
        return 0, 0
    finally:
        caller.close()
    return int.from_bytes(raw[:4], sys.byteorder), int.from_bytes(raw[4:8], sys.byteorder)
