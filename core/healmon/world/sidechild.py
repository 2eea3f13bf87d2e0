"""A program of ours that runs beside a healer, such as the web server: started, heard, ended.

It says how it fares on a pipe, a line each: `up TEXT`, `failed TEXT`, and `beat` now and then. The
end of the pipe is its own end, so that nobody need ask. It does not end with us: whoever looks on
should hear from it that no healer runs any more.
"""

from __future__ import annotations

import os
import select
import signal
import subprocess
from collections.abc import Sequence
from contextlib import suppress
from typing import Final

from healmon.text import clean

LONGEST: Final = 4096
"""Bytes of what it says that are kept."""
TOLD: Final = "{told}"
"""Stands in its arguments for the number of the pipe's descriptor."""


class SideChild:
    """One such program.

    Args:
        argv: the program and its arguments; `TOLD` among them is the pipe to speak on.

    Attributes:
        pid: of the process.
        fd: readable when it says something, or has ended.

    Raises:
        OSError: it cannot be started.
    """

    def __init__(self, argv: Sequence[str]) -> None:
        self.fd, theirs = os.pipe()
        try:
            self._process = subprocess.Popen(
                [str(theirs) if word == TOLD else word for word in argv],
                stdin=subprocess.DEVNULL,
                stdout=subprocess.DEVNULL,
                stderr=subprocess.DEVNULL,
                pass_fds=(theirs,),
                cwd="/",
                # keys typed at healmon's terminal must reach healmon only
                start_new_session=True,
            )
        except BaseException:
            os.close(self.fd)
            raise
        finally:
            os.close(theirs)
        os.set_blocking(self.fd, False)
        self.pid = self._process.pid
        self._pidfd = os.pidfd_open(self.pid)
        self._heard = b""

    def hear(self) -> tuple[list[str], bool]:
        """Return what it has said since, line by line, and whether it says nothing any more."""
        over = False
        while True:
            try:
                part = os.read(self.fd, LONGEST)
            except BlockingIOError:
                break
            if not part:
                over = True
                break
            self._heard = (self._heard + part)[-LONGEST:]
        *lines, self._heard = self._heard.split(b"\n")
        return [clean(line, limit=500) for line in lines], over

    def ask_to_end(self) -> None:
        """Ask it to end."""
        self._signal(signal.SIGTERM)

    def kill(self) -> None:
        """End it at once."""
        self._signal(signal.SIGKILL)

    def _signal(self, number: int) -> None:
        if self._process.returncode is None:
            with suppress(ProcessLookupError):
                signal.pidfd_send_signal(self._pidfd, number)

    def gone(self, patience: float = 0.0) -> bool:
        """Return whether it has ended, waiting for so many seconds; then nothing of it is left."""
        if self._process.returncode is not None:
            return True
        waiter = select.poll()
        waiter.register(self._pidfd, select.POLLIN)
        if not waiter.poll(patience * 1000):
            return False
        self._process.wait()
        os.close(self._pidfd)
        os.close(self.fd)
        return True

    @property
    def how(self) -> str:
        """How it ended, in words; empty while it has not."""
        code = self._process.returncode
        if code is None:
            return ""
        return f"it ended with code {code}" if code >= 0 else f"it was ended by signal {-code}"
