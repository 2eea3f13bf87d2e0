"""Takes a person to a pane: inside the same tmux by switching, else by attaching here.

Only a person asks for this, and only the person's own terminal is touched. The pane is named by its
id, and the server itself compares who it is at that moment, so that nobody ends up elsewhere.
"""

from __future__ import annotations

import contextlib
import os
import shutil
import signal
import subprocess
from collections.abc import Generator, Mapping, Sequence
from typing import Any, Final

from healmon.errors import MissingPartError, ProbeError, VetoError
from healmon.text import clean
from healmon.world.pane import Pane
from healmon.world.runner import run
from healmon.world.tmux import SystemTmux, Tmux, where

DEADLINE: Final = 3.0
"""Seconds that a switch may take."""


def find(socket: str, key: str, tmux: Tmux | None = None) -> Pane:
    """Return the pane of this key (its process's start may follow) as it is now.

    Raises:
        ProbeError: its tmux server does not answer.
        VetoError: it is not there any more.
    """
    panes = (tmux or SystemTmux()).panes(socket)
    found = next((p for p in panes if p.key == key or key.startswith(f"{p.key}.")), None)
    if found is None:
        raise VetoError("the pane that was judged is not there any more")
    return found


def inside(pane: Pane, environ: Mapping[str, str]) -> bool:
    """Return whether this process itself runs in a pane of the same tmux server."""
    parts = environ.get("TMUX", "").rsplit(",", 2)
    return len(parts) == 3 and parts[1] == str(pane.server_pid)


def switch(pane: Pane) -> None:
    """Show the pane in the tmux client that this process is shown in.

    Raises:
        ProbeError: tmux did not do it; the words of tmux.
    """
    words = [program(), "-u", *where(pane.socket), "switch-client", "-t", pane.id]
    try:
        answer = run(words, timeout=DEADLINE, env=dict(os.environ))
    except (TimeoutError, OSError) as error:
        raise ProbeError(f"tmux did not switch: {clean(str(error))}") from error
    if answer.code:
        raise ProbeError(f"tmux did not switch: {clean(answer.err.strip(), limit=200)}")


def attach(pane: Pane) -> None:
    """Attach this process's terminal to the pane; return when the person has detached.

    Call it from the main thread; a loop there hears of signals when this has returned.

    Raises:
        ProbeError: tmux could not be attached.
    """
    environ = {k: v for k, v in os.environ.items() if k not in {"TMUX", "TMUX_PANE"}}
    try:
        client = subprocess.Popen(attach_words(pane), env=environ)
    except OSError as error:
        raise ProbeError(f"tmux cannot be run: {error.strerror}") from error
    with _told_to_end(client):
        code = client.wait()
    if code:
        raise ProbeError(f"tmux did not attach, or lost its terminal (exit {code})")


@contextlib.contextmanager
def _told_to_end(client: subprocess.Popen[bytes]) -> Generator[None, None, None]:
    """Let a SIGTERM or SIGHUP that comes to us end the client; we hear of it afterwards."""
    before: dict[int, Any] = {}
    for number in (signal.SIGTERM, signal.SIGHUP):
        before[number] = signal.signal(number, lambda _number, _frame: client.terminate())
    try:
        yield
    finally:
        for known, handler in before.items():
            signal.signal(known, handler)


def attach_words(pane: Pane) -> Sequence[str]:
    """Return the command that attaches to a pane."""
    return [program(), "-u", *where(pane.socket), "attach-session", "-t", pane.id]


def program() -> str:
    """Return the tmux to run.

    Raises:
        MissingPartError: it is not installed.
    """
    found = shutil.which("tmux")
    if found is None:
        raise MissingPartError("tmux is not installed")
    return found
