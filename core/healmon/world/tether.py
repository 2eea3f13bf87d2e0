"""A program that another one of ours started: it must not outlive it, or not be in its way."""

from __future__ import annotations

import ctypes
import os
import select
import signal
from contextlib import suppress
from pathlib import Path

BEAT = 10.0
"""Seconds between two words of a program beside a healer that is up; see `sidechild`."""
SOONER = 300
"""Of 1000: as if it had so much more of the memory."""
_PDEATHSIG = 1
"""PR_SET_PDEATHSIG of prctl(2)."""


def tether(parent: int) -> None:
    """Have the kernel end this process when the thread that started it ends; at once if it has.

    Only for a program that holds nothing: it is not asked, it is killed.

    Args:
        parent: pid of the process that started us, as that one knows itself.
    """
    ctypes.CDLL(None).prctl(_PDEATHSIG, signal.SIGKILL, 0, 0, 0)
    if os.getppid() != parent:
        os._exit(0)


def expendable() -> None:
    """Have the kernel end this program before its healer when there is no memory left (proc(5))."""
    path = Path("/proc/self/oom_score_adj")
    with suppress(OSError, ValueError):
        path.write_text(str(max(int(path.read_text()), SOONER)))


def let_go(descriptor: int) -> bool:
    """Return whether nobody holds the other end of a pipe any more."""
    poll = select.poll()
    poll.register(descriptor, 0)  # POLLHUP and POLLERR are told in any case (poll(2))
    return any(found & (select.POLLHUP | select.POLLERR) for _, found in poll.poll(0))
