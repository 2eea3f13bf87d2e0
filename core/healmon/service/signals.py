"""Signals as calls in an event loop.

Not `loop.add_signal_handler`: to learn whether it was given a coroutine it loads `inspect`, the
parser and the disassembler with it, 1 MiB; and not `signal.signal`, which puts the handler before
into words, and so asyncio's own, by means of `inspect` as well.
"""

from __future__ import annotations

import asyncio
import signal
import socket
from collections.abc import Callable, Generator, Mapping
from contextlib import contextmanager
from importlib import import_module
from types import FrameType
from typing import Final, NoReturn

ENDS: Final = (signal.SIGTERM, signal.SIGHUP)
"""Signals that end a command, beside Ctrl-C."""
_MANY: Final = 4096
_handle: Callable[[int, object], object] = import_module("_signal").signal


@contextmanager
def heeded(calls: Mapping[signal.Signals, Callable[[], object]]) -> Generator[None]:
    """Have calls made in the running loop when signals come; afterwards each is the default again.

    Args:
        calls: by signal. Belongs to the main thread.
    """
    loop = asyncio.get_running_loop()
    ours, kernels = socket.socketpair()

    def heard() -> None:
        for number in ours.recv(_MANY):
            if number in calls:
                calls[signal.Signals(number)]()

    with ours, kernels:
        ours.setblocking(False)  # noqa: FBT003 - positional only
        kernels.setblocking(False)  # noqa: FBT003 - positional only
        loop.add_reader(ours, heard)
        before = signal.set_wakeup_fd(kernels.fileno(), warn_on_full_buffer=False)
        try:
            for number in calls:
                _handle(number, _nothing)
                signal.siginterrupt(number, False)  # noqa: FBT003 - positional only
            yield
        finally:
            for number in calls:
                usual = number is signal.SIGINT
                _handle(number, signal.default_int_handler if usual else int(signal.SIG_DFL))
            signal.set_wakeup_fd(before)
            loop.remove_reader(ours)


@contextmanager
def leaving() -> Generator[None]:
    """Have SIGTERM and SIGHUP unwind the stack, as SIGINT does; once, so that an end is an end.

    Belongs to the main thread. What is ignored (nohup) stays so.
    """

    def leave(number: int, _frame: FrameType | None) -> NoReturn:
        for one in before:
            signal.signal(one, signal.SIG_IGN)
        raise SystemExit(128 + number)

    before = {n: signal.getsignal(n) for n in ENDS if signal.getsignal(n) is not signal.SIG_IGN}
    for number in before:
        signal.signal(number, leave)
    try:
        yield
    finally:
        for number, handler in before.items():
            signal.signal(number, handler)


def _nothing(number: int, frame: FrameType | None) -> None:
    """Be a handler in Python, so that the number is written to the socket."""
