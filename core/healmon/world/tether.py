"""A program that must not outlive the one that started it."""

from __future__ import annotations

import ctypes
import os
import select
import signal

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


def let_go(descriptor: int) -> bool:
    """Return whether nobody holds the other end of a pipe any more."""
    poll = select.poll()
    poll.register(descriptor, 0)  # POLLHUP and POLLERR are told in any case (poll(2))
    return any(found & (select.POLLHUP | select.POLLERR) for _, found in poll.poll(0))
