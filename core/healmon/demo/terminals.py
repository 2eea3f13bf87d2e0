"""The private tmux server of a demo: its own socket, nobody's configuration.

Calls go through one short-lived tmux client with a deadline. The server is ended by its identity,
not through its socket: a stopped server does not answer.
"""

from __future__ import annotations

import os
import shutil
import subprocess
import sys

from healmon.demo import owned
from healmon.demo.layout import LONGEST_SOCKET, SESSIONS, Layout
from healmon.errors import MissingPartError, SpawnError
from healmon.text import clean
from healmon.world.processes import Identity, Processes

WIDTH, HEIGHT = 110, 40
DEADLINE = 20.0
"""Seconds that a tmux client may take."""


def program() -> str:
    """Return where tmux is.

    Raises:
        MissingPartError: it is not installed.
    """
    found = shutil.which("tmux")
    if found is None:
        raise MissingPartError(
            "the demo needs tmux, which is not on the PATH",
            remedy="install it with the system's package manager",
        )
    return found


def check_socket(layout: Layout) -> None:
    """Refuse a directory that is too deep for a Unix socket.

    Raises:
        MissingPartError: the socket's path would be too long.
    """
    length = len(os.fsencode(layout.socket))
    if length > LONGEST_SOCKET:
        raise MissingPartError(
            f"the demo's socket path would have {length} bytes, more than {LONGEST_SOCKET}:"
            f" {clean(str(layout.socket))}",
            remedy="set TMPDIR to a shorter directory",
        )


def start(processes: Processes, layout: Layout) -> Identity:
    """Start the server with all sessions; return who it is.

    Raises:
        SpawnError: tmux did not start.
    """
    words: list[str] = []
    for name, begins in SESSIONS.items():
        words += [
            *("new-session", "-d", "-s", name, "-x", str(WIDTH), "-y", str(HEIGHT)),
            *("-c", str(layout.root), "--"),
            *(sys.executable, "-I", "-S", *_program(layout, name, begins), ";"),
        ]
    answer = tmux(layout, *words, "display-message", "-p", "#{pid}", config=True).strip()
    who = processes.identify(int(answer)) if answer.isdigit() else None
    if who is None:
        raise SpawnError(f"the demo's tmux server did not start: {clean(answer)}")
    return who


def _program(layout: Layout, name: str, begins: str) -> tuple[str, ...]:
    return (str(layout.build), name) if begins == "building" else (str(layout.agent), name, begins)


def tmux(layout: Layout, *words: str, config: bool = False) -> str:
    """Return what a tmux command on the demo's server prints, errors too.

    Args:
        layout: the demo.
        words: the command; `;` as a word of its own joins several.
        config: name the (empty) configuration: for the call that starts the server.

    Raises:
        SpawnError: no answer within the deadline.
    """
    head = [program(), *owned.TMUX_HEAD, str(layout.socket)]
    env = {k: v for k, v in os.environ.items() if k not in {"TMUX", "TMUX_PANE"}}
    try:
        done = subprocess.run(
            [*head, *(("-f", os.devnull) if config else ()), *words],
            cwd=layout.root, env=env, stdin=subprocess.DEVNULL, stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT, timeout=DEADLINE, check=False, start_new_session=True,
        )  # fmt: skip
    except subprocess.TimeoutExpired as error:
        raise SpawnError(f"tmux gave no answer within {DEADLINE:g} s") from error
    return done.stdout.decode("utf-8", "replace")


def screen(layout: Layout, session: str) -> str:
    """Return what a session shows now."""
    return tmux(layout, "capture-pane", "-p", "-J", "-t", f"={session}:")
