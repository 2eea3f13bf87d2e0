"""A standing child: a small program of ours beside us, ended by pidfd and reaped here."""

from __future__ import annotations

import os
import select
import signal
import subprocess
import sys
from contextlib import suppress
from pathlib import Path


class Standing:
    """One child.

    Args:
        program: file of the program, for this Python.
        stdin, stdout: as `subprocess.Popen` takes them.

    Attributes:
        pid: of the child.
        process: for its pipes only: end it with `kill`, reap it with `gone`.

    Raises:
        OSError: it cannot be started.
    """

    def __init__(self, program: Path, *, stdin: int, stdout: int = subprocess.DEVNULL) -> None:
        self.process = subprocess.Popen(
            [sys.executable, "-I", "-S", "-E", str(program)],
            stdin=stdin,
            stdout=stdout,
            stderr=subprocess.DEVNULL,
            bufsize=0,
            cwd="/",
            # keys typed at healmon's terminal must reach healmon only
            start_new_session=True,
        )
        self.pid = self.process.pid
        self._pidfd = os.pidfd_open(self.pid)

    def kill(self) -> None:
        """End it at once; it may take a while to be gone when the kernel holds it."""
        if self.process.returncode is None:
            with suppress(ProcessLookupError):
                signal.pidfd_send_signal(self._pidfd, signal.SIGKILL)

    def hang_up(self) -> None:
        """Close the line to it, upon which it ends by itself."""
        if self.process.stdin is not None:
            self.process.stdin.close()

    def end(self, grace: float) -> bool:
        """Kill and reap it; returns whether it is gone within `grace` seconds."""
        self.kill()
        return self.gone(grace)

    def send_away(self, patience: float, grace: float) -> bool:
        """Let it end by itself within `patience` seconds, else `end` it; returns whether it has."""
        self.hang_up()
        return self.gone(patience) or self.end(grace)

    def gone(self, patience: float = 0.0) -> bool:
        """Return whether it has ended, waiting a little; then nothing of it is left."""
        if self.process.returncode is not None:
            return True
        waiter = select.poll()
        waiter.register(self._pidfd, select.POLLIN)
        if not waiter.poll(patience * 1000):
            return False
        self.process.wait()
        os.close(self._pidfd)
        for pipe in (self.process.stdin, self.process.stdout):
            if pipe is not None:
                pipe.close()
        return True
