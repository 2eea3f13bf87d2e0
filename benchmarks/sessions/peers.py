"""How others look at all sessions of a server: each way a program of its own.

`python peers.py` gets the way's name and what `meter.args` understands. They do the tmux part
alone: which panes there are, what each shows.
"""

from __future__ import annotations

import importlib
import subprocess
import sys
from collections.abc import Callable
from typing import TYPE_CHECKING

if TYPE_CHECKING:  # each way is a program of its own, in this directory
    from benchmarks.sessions import meter
else:
    import meter

FIELDS = (
    "session_name", "session_id", "session_created", "session_activity", "session_attached",
    "window_activity", "window_index", "pane_id", "pane_pid", "pane_dead", "pane_in_mode",
    "pane_width", "pane_height", "pane_tty", "pane_current_command", "pane_title",
)  # fmt: skip
FORMAT = "\t".join(f"#{{{name}}}" for name in FIELDS)


def tmux(told: meter.Told, *words: str) -> str:
    return subprocess.run(
        ["tmux", "-u", "-S", told["socket"], *words], capture_output=True, text=True, check=True
    ).stdout


def subprocesses(told: meter.Told) -> Callable[[], int]:
    """One tmux process to ask about each session, and one for its screen."""

    def look() -> int:
        count = 0
        for name in tmux(told, "list-sessions", "-F", "#{session_name}").splitlines():
            tmux(told, "display-message", "-p", "-t", f"={name}:", FORMAT)
            count += bool(tmux(told, "capture-pane", "-p", "-J", "-t", f"={name}:"))
        return count

    return look


def libtmux_walk(told: meter.Told) -> Callable[[], int]:
    """libtmux's objects: sessions, their windows, their panes, what each shows."""
    server = importlib.import_module("libtmux").Server(socket_path=told["socket"])

    def look() -> int:
        count = 0
        for session in server.sessions:
            for window in session.windows:
                for pane in window.panes:
                    count += bool(pane.capture_pane())
        return count

    return look


def libtmux_panes(told: meter.Told) -> Callable[[], int]:
    """libtmux's list of all panes, and what each shows."""
    server = importlib.import_module("libtmux").Server(socket_path=told["socket"])

    def look() -> int:
        return sum(bool(pane.capture_pane()) for pane in server.panes)

    return look


def control_mode(told: meter.Told) -> Callable[[], int]:
    """One client in control mode that stays, all commands at once."""
    client = subprocess.Popen(
        ["tmux", "-u", "-S", told["socket"], "-C", "attach-session", "-r"],
        stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True, errors="replace",
    )  # fmt: skip

    assert client.stdin is not None
    assert client.stdout is not None
    asked, answered = client.stdin, client.stdout

    def ask(commands: list[str]) -> list[list[str]]:
        asked.write("".join(f"{command}\n" for command in commands))
        asked.flush()
        answers: list[list[str]] = []
        lines: list[str] | None = None
        while len(answers) < len(commands):
            line = answered.readline()
            if line.startswith("%begin"):
                lines = []
            elif line.startswith(("%end", "%error")) and lines is not None:
                # the answer to attaching itself has another flag
                if line.split()[3] == "1":
                    answers.append(lines)
                lines = None
            elif lines is not None:
                lines.append(line)
            elif not line:
                raise SystemExit("the client in control mode has ended")
        return answers

    def look() -> int:
        (panes,) = ask([f"list-panes -a -F '{FORMAT}'"])
        ids = [line.split("\t")[FIELDS.index("pane_id")] for line in panes]
        return len(ask([f"capture-pane -p -J -t '{one}'" for one in ids]))

    return look


WAYS = {
    "subprocess": subprocesses,
    "libtmux-walk": libtmux_walk,
    "libtmux-panes": libtmux_panes,
    "control-mode": control_mode,
}

if __name__ == "__main__":
    way = sys.argv.pop(1)
    arguments = meter.args()
    meter.measure(WAYS[way](arguments), arguments)
