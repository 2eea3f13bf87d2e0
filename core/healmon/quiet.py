"""Standard output whose reader has gone: `healmon status | head -1` is no fault.

Standard library only: `--status` comes through here and must be instant.
"""

from __future__ import annotations

import os
import sys


def now() -> None:
    """Let what is still written to standard output go nowhere; Python flushes once more at exit."""
    null = os.open(os.devnull, os.O_WRONLY)
    os.dup2(null, sys.stdout.fileno())
    os.close(null)


def verdict(text: str) -> None:
    """Print an answer whose exit code says something, too: that is kept if nobody reads it."""
    try:
        print(text, flush=True)  # noqa: T201 - this is the command line
    except BrokenPipeError:
        now()
