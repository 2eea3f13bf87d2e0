"""Manners towards the terminal: when to refuse it, when it is gone, what signals mean.

Textual restores the terminal when it ends, but knows no SIGTERM and no SIGHUP, and takes the
SIGCONT that comes with a hang-up for the end of a suspension.
"""

from __future__ import annotations

import asyncio
import os
import signal
import sys
import termios
from collections.abc import Callable
from types import FrameType

from rich.console import Console

from healmon.service import pipes
from healmon_tui.themes import Depth


def in_browser() -> bool:
    """Tell whether the terminal is a browser's tab, at the other end of two pipes."""
    return os.environ.get("TEXTUAL_DRIVER", "").endswith(":WebDriver")


def unfit() -> str:
    """Return why no screen can be drawn here; empty: it can."""
    if in_browser():
        return ""
    streams = (sys.__stdin__, sys.__stdout__, sys.__stderr__)
    if not all(stream is not None and stream.isatty() for stream in streams):
        return "healmon-tui needs a terminal for its screen; without one use --no-ui"
    if os.environ.get("TERM", "dumb") in ("", "dumb"):
        return "healmon-tui cannot draw on a dumb terminal (TERM); use --no-ui"
    return ""


def depth(console: Console) -> Depth:
    """Return how many colours the terminal knows, as Textual found out."""
    if console.color_system == "truecolor":
        return "truecolor"
    return "256" if console.color_system == "256" else "16"


def is_gone() -> bool:
    """Tell whether the terminal has vanished under us."""
    if in_browser():
        return pipes.let_go(0)
    try:
        termios.tcgetattr(0)
    except termios.error:
        return True
    return False


def let_go() -> None:
    """Let all that is still written go nowhere: the terminal has vanished.

    Python would end with code 120 where the last of it cannot be written.
    """
    nowhere = os.open(os.devnull, os.O_WRONLY)
    for fd in (1, 2):
        os.dup2(nowhere, fd)
    os.close(nowhere)


def heed_signals(end: Callable[[], None], hung_up: Callable[[], None]) -> None:
    """Call `end` on SIGTERM and `hung_up` on SIGHUP, from the running loop.

    Args:
        end: ends in order.
        hung_up: ends in order without drawing any more.
    """
    loop = asyncio.get_running_loop()
    loop.add_signal_handler(signal.SIGTERM, end)
    loop.add_signal_handler(signal.SIGHUP, hung_up)
    resume = signal.getsignal(signal.SIGCONT)

    def resumed(number: int, frame: FrameType | None) -> None:
        # a hang-up sends SIGCONT too: there is nothing to draw on again
        if callable(resume) and not is_gone():
            resume(number, frame)

    signal.signal(signal.SIGCONT, resumed)
