"""Plays that may kill themselves, each in a fork of a process that has everything loaded already.

A module of plays calls `serve` when it is run; a test asks for plays through a `Forks` of it.
"""

from __future__ import annotations

import gc
import os
import signal
import subprocess
import sys
import traceback
from collections.abc import Callable
from pathlib import Path


def serve(play: Callable[[str], None]) -> None:
    """Play each line of the input in a child of its own, and answer with its wait status."""
    gc.freeze()  # what is loaded stays: no child has to walk over it
    for line in sys.stdin:
        pid = os.fork()
        if pid == 0:
            try:
                play(line.strip())
            except BaseException:  # noqa: BLE001 - told, and it is a fork
                traceback.print_exc()
                os._exit(1)
            os._exit(0)
        _, status = os.waitpid(pid, 0)
        print(status, flush=True)


class Forks:
    """The other side: asks for plays of a module.

    Args:
        module: its name; run by itself, it serves.
    """

    def __init__(self, module: str) -> None:
        self._process = subprocess.Popen(
            [sys.executable, "-m", module],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            text=True,
            cwd=Path(__file__).parents[2],
        )

    def play(self, line: str) -> bool:
        """Return whether a play came to its end; False: it killed itself."""
        assert self._process.stdin is not None
        assert self._process.stdout is not None
        self._process.stdin.write(f"{line}\n")
        self._process.stdin.flush()
        status = int(self._process.stdout.readline())
        if os.WIFSIGNALED(status) and os.WTERMSIG(status) == signal.SIGKILL:
            return False
        assert status == 0, f"status {status}"
        return True

    def close(self) -> None:
        self._process.communicate()
