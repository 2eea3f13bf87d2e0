"""A private tmux server for tests, and programs to run in it."""

from __future__ import annotations

import contextlib
import os
import pty
import shlex
import signal
import subprocess
import sys
from collections.abc import Sequence
from pathlib import Path

from healmon.world.runner import Finished
from healmon.world.tmux import DEADLINE, SystemTmux
from tests.helpers.wait import until

SHELL = "bash --norc --noprofile"
HANG = "import time\nwhile True: time.sleep(1000)"
DEAF = f"import signal\nsignal.signal(signal.SIGINT, signal.SIG_IGN)\n{HANG}"


def python(code: str) -> str:
    """The command line of a Python program, for a shell."""
    return shlex.join([sys.executable, "-c", code])


LEFT_OUT = {"TMUX", "TMUX_PANE", "COLUMNS", "LINES"}
"""Of the environment: whose tmux we are in, and the size of nobody's terminal."""


STOPPED: set[str] = set()
"""Sockets of servers that stand still."""


class PatientTmux(SystemTmux):
    """The machine's servers: only one that was stopped does not answer, others may be slow to.

    Args:
        deadline: seconds that one call of a stopped server may take.
        program: the tmux to run.
    """

    def __init__(self, *, deadline: float = DEADLINE, program: str | None = None) -> None:
        super().__init__(deadline=60.0, program=program)
        self._hasty = SystemTmux(deadline=deadline, program=program)

    def _ask(self, socket: str, words: Sequence[str], stdin: bytes = b"") -> Finished:
        if socket in STOPPED:
            return self._hasty._ask(socket, words, stdin)
        return super()._ask(socket, words, stdin)

    def _until(self) -> int:
        return self._hasty._until() if STOPPED else super()._until()


class PrivateTmux:
    """One tmux server on a socket of its own, nobody's configuration."""

    def __init__(self, base: Path, name: str = "t") -> None:
        self.base = base
        self.socket = str(base / f"{name}.sock")
        self._clients: list[tuple[int, int]] = []
        self._stopped: int | None = None
        self.program = ["tmux"]

    def run(self, *words: str) -> str:
        env = {k: v for k, v in os.environ.items() if k not in LEFT_OUT}
        # without SHELL tmux runs what nobody logs in with, which ends at once
        env |= {"TERM": "xterm", "PS1": "$ ", "SHELL": "/bin/bash"}
        done = subprocess.run(
            [*self.program, "-u", "-f", "/dev/null", "-S", self.socket, *words],
            capture_output=True, timeout=60, check=False, env=env, cwd=self.base,
        )  # fmt: skip
        return (done.stdout or done.stderr).decode("utf-8", "replace").strip("\n")

    def new(self, name: str, command: str = SHELL, *, width: int = 100, height: int = 30) -> str:
        """Start a session; return its pane's id."""
        size = ("-x", str(width), "-y", str(height))
        return self.run("new-session", "-d", "-P", "-F", "#{pane_id}", "-s", name, *size, command)

    def ask(self, pane: str, what: str) -> str:
        return self.run("display-message", "-p", "-t", pane, f"#{{{what}}}")

    def reap(self) -> None:
        """Have tmux learn how its children ended: of one, it may not before another ends."""
        self.run("run-shell", "true")

    def pid(self) -> int:
        return int(self.run("display-message", "-p", "#{pid}"))

    def screen(self, pane: str) -> str:
        return self.run("capture-pane", "-p", "-J", "-t", pane)

    def type(self, pane: str, line: str) -> None:
        """Type a line at a shell's prompt, once the prompt is there."""
        until(lambda: self.screen(pane).strip(), 60, "a prompt")
        self.run("send-keys", "-t", pane, "-l", line)
        self.run("send-keys", "-t", pane, "Enter")

    def write(self, pane: str, data: str) -> None:
        """Write into a pane's terminal, as another program there would."""
        fd = os.open(self.ask(pane, "pane_tty"), os.O_WRONLY | os.O_NOCTTY)
        try:
            os.write(fd, data.encode())
        finally:
            os.close(fd)

    def start(self, pane: str, code: str) -> None:
        """Run a Python program in a pane's shell; return when it is in the foreground."""
        # what it does before its loop is done when it says so
        head, loop = code[: (at := max(code.find("\nwhile "), 0))], code[at:]
        self.type(pane, python(f"{head}\nprint('be' + 'gun', flush=True)\n{loop}"))
        until(lambda: "\nbegun" in self.screen(pane), 60, "the program running")

    def attach(self, session: str, *words: str) -> None:
        """Attach a client with a terminal of its own; `-r` and `-C` work too."""
        head = ["tmux", "-u", "-f", "/dev/null", "-S", self.socket]
        control = "-C" in words
        argv = [*head, *(["-C"] if control else []), "attach-session"]
        argv += [*(w for w in words if w != "-C"), "-t", f"={session}"]
        before = len(self.run("list-clients").splitlines())
        pid, fd = pty.fork()
        if pid == 0:
            os.environ["TERM"] = "xterm"
            os.environ.pop("TMUX", None)
            os.execvp(argv[0], argv)
        self._clients.append((pid, fd))
        until(lambda: len(self.run("list-clients").splitlines()) > before, 60, "a client")

    def stop(self) -> None:
        """Stop the server; `go_on` and `close` let it go on."""
        self._stopped = os.pidfd_open(self.pid())
        STOPPED.add(self.socket)
        signal.pidfd_send_signal(self._stopped, signal.SIGSTOP)

    def go_on(self) -> None:
        if self._stopped is not None:
            with contextlib.suppress(ProcessLookupError):
                signal.pidfd_send_signal(self._stopped, signal.SIGCONT)
            os.close(self._stopped)
            self._stopped = None
            STOPPED.discard(self.socket)

    def detach(self) -> None:
        """End all clients."""
        for pid, fd in self._clients:
            os.close(fd)
            with contextlib.suppress(ProcessLookupError):
                os.kill(pid, signal.SIGKILL)
            os.waitpid(pid, 0)
        if self._clients:
            until(lambda: not self.run("list-clients"), 60, "no client")
        self._clients = []

    def close(self) -> None:
        self.go_on()
        self.detach()
        self.run("kill-server")
