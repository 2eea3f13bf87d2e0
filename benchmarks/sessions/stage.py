"""A private tmux server with many sessions, and a task for each of them. All of it goes away."""

from __future__ import annotations

import os
import shutil
import sqlite3
import subprocess
import tempfile
import time
from pathlib import Path
from typing import Self

WIDTH, HEIGHT = 120, 40
READY_WITHIN = 60.0
SCHEMA = """
CREATE TABLE prompts (id INTEGER PRIMARY KEY, content TEXT, status TEXT, assigned_session TEXT,
  assigned_at TIMESTAMP, completed_at TIMESTAMP, error TEXT, retry_count INTEGER DEFAULT 0,
  max_retries INTEGER DEFAULT 3);
CREATE TABLE assignment_history (id INTEGER PRIMARY KEY, prompt_id INTEGER, session_name TEXT,
  action TEXT, created_at TIMESTAMP DEFAULT CURRENT_TIMESTAMP, details TEXT);
"""
FOOT = (
    "✻ Brewing… (1m 53s · ↓ 10 tokens)",
    "─" * (WIDTH - 2),
    "❯ ",
    "─" * (WIDTH - 2),
    "  esc to interrupt",
)


class Stage:
    """A server with `count` sessions; every other one is an agent by name.

    Attributes:
        ttys: the terminals of all panes.
        server: the server's pid.
    """

    def __init__(self, count: int) -> None:
        self.folder = Path(tempfile.mkdtemp(prefix="hm-"))
        self.socket = str(self.folder / "s")
        self.database = str(self.folder / "tasks.db")
        self.count = count

    def __enter__(self) -> Self:
        try:
            self._build()
        except BaseException:
            self.close()
            raise
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    def close(self) -> None:
        self.run("kill-server", check=False)
        shutil.rmtree(self.folder, ignore_errors=True)

    def run(self, *words: str, stdin: str = "", check: bool = True) -> str:
        env = {k: v for k, v in os.environ.items() if not k.startswith("TMUX")}
        return subprocess.run(
            ["tmux", "-u", "-f", "/dev/null", "-S", self.socket, *words],
            input=stdin, capture_output=True, text=True, check=check, env=env | {"TERM": "xterm"},
        ).stdout  # fmt: skip

    def _build(self) -> None:
        sleep = shutil.which("sleep")
        assert sleep is not None
        agent = self.folder / "claude"
        shutil.copy(sleep, agent)
        lines = ["set-option -g status off"]
        for number in range(self.count):
            screen = self.folder / f"screen-{number}"
            screen.write_text("\n".join([*_words(number, HEIGHT - len(FOOT) - 2), *FOOT, ""]))
            program = agent if number % 2 else sleep
            command = f"cat {screen}; exec {program} 1000000"
            size = f"-x {WIDTH} -y {HEIGHT}"
            lines.append(f"new-session -d -s work-{number} {size} '{command}'")
        first = f"exec {sleep} 1000000"
        self.run("new-session", "-d", "-s", "first", "-x", str(WIDTH), "-y", str(HEIGHT), first)
        self.run("source-file", "-", stdin="\n".join([*lines, ""]))
        self._wait()
        self.run("kill-session", "-t", "=first")
        self.server = int(self.run("display-message", "-p", "#{pid}"))
        self.ttys = self.run("list-panes", "-a", "-F", "#{pane_tty}").split()
        assert len(self.ttys) == self.count
        self._tasks()

    def _wait(self) -> None:
        """Wait until every session's program runs."""
        until = time.monotonic() + READY_WITHIN
        while time.monotonic() < until:
            commands = self.run("list-panes", "-a", "-F", "#{pane_current_command}").split()
            ready = commands.count("claude") + commands.count("sleep")
            if ready == len(commands) == self.count + 1:
                return
            time.sleep(0.2)
        raise SystemExit(f"{self.count} sessions were not ready within {READY_WITHIN:g} s")

    def _tasks(self) -> None:
        now = time.strftime("%Y-%m-%d %H:%M:%S", time.gmtime())
        connection = sqlite3.connect(self.database)
        connection.executescript("PRAGMA journal_mode=WAL;" + SCHEMA)
        connection.executemany(
            "INSERT INTO prompts (content, status, assigned_session, assigned_at)"
            " VALUES ('work', 'assigned', ?, ?)",
            [(f"work-{number}", now) for number in range(self.count)],
        )
        connection.commit()
        connection.close()


def _words(seed: int, count: int) -> list[str]:
    """Return lines as agents write them, each screen its own."""
    return [
        f"● Reading src/module_{seed}_{line}.py, line {line * 7 + seed}: "
        f"{'the quick brown fox jumps over the lazy dog ' * 2}"[: WIDTH - 4]
        for line in range(count)
    ]
