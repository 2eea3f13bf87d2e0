"""Programs that hold other people's work: whoever started one does not own it.

A worker that opens a tmux session on a host without a tmux server becomes the server's parent, and
what the server inherits from it says nothing about the worker.
"""

from __future__ import annotations

from typing import Final

from healmon.errors import ProbeError
from healmon.world import procfs

APART: Final = frozenset({"tmux: server", "screen", "SCREEN", "zellij", "dtach", "abduco"})
"""Their names, as the kernel has them."""
_LINE_LIMIT: Final = 64


def apart(pid: int) -> bool:
    """Return whether a process is such a program, or lives below one; False when unknown."""
    for _ in range(_LINE_LIMIT):
        try:
            stat = procfs.stat_by(pid)
        except ProbeError:
            return False
        if stat is None:
            return False
        if stat.name.decode("utf-8", "replace") in APART:
            return True
        pid = stat.parent
        if pid <= 1:
            return False
    return False
