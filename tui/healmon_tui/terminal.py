"""Manners towards the terminal: when to refuse it, when it is gone, what signals mean.

Textual restores the terminal when it ends, but knows no SIGTERM and no SIGHUP, and takes the
SIGCONT that comes with a hang-up for the end of a suspension.
"""

from __future__ import annotations

import asyncio
import contextlib
import os
import signal
import sys
import termios
from collections.abc import Callable
from typing import Any, Final

from rich.console import Console

from healmon.service import pipes
from healmon_tui.themes import Depth

USUAL: Final = (24, 80)
"""Lines and columns of a terminal that does not tell."""


def in_browser() -> bool:
    """Tell whether the terminal is a browser's tab, at the other end of two pipes."""
    return os.environ.get("TEXTUAL_DRIVER", "").endswith(":WebDriver")


def unfit() -> str:
    """Return why no screen can be drawn here; empty: it can, and the terminal has a size."""
    if in_browser():
        return ""
    streams = (sys.__stdin__, sys.__stdout__, sys.__stderr__)
    if not all(stream is not None and stream.isatty() for stream in streams):
        return "healmon-tui needs a terminal for its screen; without one use --no-ui"
    if os.environ.get("TERM", "dumb") in ("", "dumb"):
        return "healmon-tui cannot draw on a dumb terminal (TERM); use --no-ui"
    _give_size()
    return ""


def _give_size() -> None:
    """Give a terminal without a size one, as on serial lines, in containers and under script(1).

    Textual guesses 24 lines for it and rich 25, so each draws it anew for the other's, for ever.
    """
    with contextlib.suppress(OSError, termios.error):
        if 0 in termios.tcgetwinsize(1):
            termios.tcsetwinsize(1, USUAL)


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
    resume = signal.getsignal(signal.SIGCONT)
    driver: Any = getattr(resume, "__self__", None)
    ending = False

    def ends(how: Callable[[], None]) -> None:
        nonlocal ending
        ending = True
        how()

    def resumed() -> None:
        # a hang-up, and who ends services, send SIGCONT too: there is nothing to draw on again
        if not callable(resume) or ending or is_gone():
            return
        if not driver._must_signal_resume:  # noqa: SLF001 - nothing else tells
            # Stopped from outside it never left the screen. Begun a second time it would have two
            # readers of keys, and give back our own modes in the place of the terminal's.
            driver.suspend_application_mode()
        resume(signal.SIGCONT, None)

    loop.add_signal_handler(signal.SIGTERM, ends, end)
    loop.add_signal_handler(signal.SIGHUP, ends, hung_up)
    # by the loop, not in the middle of a write, whose lock it would wait for
    loop.add_signal_handler(signal.SIGCONT, resumed)
