"""Signals without `signal.py`, whose enumerations would be a sixth of what a shim weighs."""

from __future__ import annotations

_signal = __import__("_signal")

ALL: list[int] = sorted(int(number) for number in _signal.valid_signals())
CHILD: int = _signal.SIGCHLD


def block_all() -> None:
    """Let no signal reach us but the two that always do; what we fork inherits that."""
    _signal.pthread_sigmask(_signal.SIG_BLOCK, ALL)


def unblock_all() -> None:
    """Let every signal reach us."""
    _signal.pthread_sigmask(_signal.SIG_SETMASK, ())


def ignore(number: int) -> None:
    """Ignore a signal."""
    _signal.signal(number, _signal.SIG_IGN)


def restore(*numbers: int) -> None:
    """Let signals do what they do by default."""
    for number in numbers:
        if number not in (_signal.SIGKILL, _signal.SIGSTOP):
            _signal.signal(number, _signal.SIG_DFL)


def wait_for(number: int, seconds: float) -> None:
    """Return when a blocked signal comes, at the latest after so many seconds."""
    _signal.sigtimedwait((number,), seconds)
