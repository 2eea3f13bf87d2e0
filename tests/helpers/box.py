"""A small host of one's own: a configuration, workers and the real commands."""

from __future__ import annotations

import contextlib
import io
import json
import os
import signal
import sqlite3
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from types import SimpleNamespace

from healmon.cli import main
from tests.helpers.wait import until

WORKER = """
import os, sys, time, signal
signal.signal(signal.SIGTERM, lambda *_: sys.exit(0))
open({pids!r}, "a").write(f"{{os.getpid()}}\\n")
print("up", flush=True)
while True:
    time.sleep(0.05)
"""
UP = {"log": "up"}
"""What shows that a worker has written its pid down, however slow its start was: `ready=UP`."""


class Box:
    """One state directory, one configuration, and the commands a person would type."""

    def __init__(self, base: Path) -> None:
        self.base = base
        self.state = base / "state"
        self.config = base / "healmon.toml"
        self.pids = base / "pids"
        self.sections: list[str] = []
        self.env = {
            **{
                k: v
                for k, v in os.environ.items()
                if not k.startswith(("HEALMON", "TMUX", "COLUMNS", "LINES"))
            },
            "HOME": str(base),
            "XDG_STATE_HOME": str(base / "xdg-state"),
            "XDG_CONFIG_HOME": str(base / "xdg-config"),
        }

    def write(self, *sections: str, interval: str = "1s") -> None:
        socket = self.base / "no-tmux"
        self.config.write_text(
            f'[monitor]\nname = "box"\ncheck_interval = "{interval}"\n'
            f'[sessions]\nsocket = "{socket}"\n[disk]\npaths = []\n' + "\n".join(sections)
        )

    def worker(self, name: str, code: str | None = None, **keys: object) -> str:
        script = self.base / f"{name}.py"
        script.write_text(code or WORKER.format(pids=str(self.pids)))
        keys = {"script": str(script), "restart_delay": "1s", "critical": True, **keys}
        return f"[workers.{name}]\n" + "\n".join(f"{k} = {toml(v)}" for k, v in keys.items())

    def argv(self, *words: str, program: str = "healmon_tui") -> list[str]:
        where = ["--config", str(self.config), "--state-dir", str(self.state)]
        if program == "healmon_tui":
            return [sys.executable, "-m", program, *where, *words]
        code = "import sys; from healmon.cli import main; sys.exit(main())"
        return [sys.executable, "-c", code, *where, *words]

    def run(self, *words: str, program: str = "healmon_tui", timeout: float = 240.0):
        return subprocess.run(
            self.argv(*words, program=program),
            env=self.env, cwd=self.base, capture_output=True, text=True, timeout=timeout,
            stdin=subprocess.DEVNULL,
        )  # fmt: skip

    def healmon(self, *words: str, timeout: float = 240.0):
        return self.run(*words, program="healmon", timeout=timeout)

    def inside(self, *words: str) -> SimpleNamespace:
        """What `healmon` does, without the half second that a new Python takes."""
        where = ["--config", str(self.config), "--state-dir", str(self.state)]
        out, err = io.StringIO(), io.StringIO()
        with contextlib.redirect_stdout(out), contextlib.redirect_stderr(err):
            code = main([*where, *words])
        return SimpleNamespace(returncode=code, stdout=out.getvalue(), stderr=err.getvalue())

    def rows(self, sql: str, *values: object) -> list[tuple]:
        database = self.state / "healmon.db"
        if not database.exists():
            return []
        connection = sqlite3.connect(f"file:{database}?mode=ro", uri=True, timeout=30)
        try:
            return connection.execute(sql, values).fetchall()
        except sqlite3.OperationalError:
            return []
        finally:
            connection.close()

    def execute(self, sql: str) -> None:
        """Change the store behind the healer's back."""
        connection = sqlite3.connect(self.state / "healmon.db", timeout=30)
        with contextlib.closing(connection), connection:
            connection.execute(sql)

    def events(self, kind: str) -> list[dict]:
        rows = self.rows("SELECT payload FROM events WHERE kind = ? ORDER BY id", kind)
        return [json.loads(payload) for (payload,) in rows]

    def started(self, count: int = 1) -> list[int]:
        """Wait until so many have written their pids down: being up is proved before that."""
        until(lambda: len(self.started_pids()) >= count, 60, f"the start of {count}")
        return self.started_pids()

    def started_pids(self) -> list[int]:
        return [int(p) for p in self.pids.read_text().split()] if self.pids.exists() else []

    def close(self) -> None:
        """End whatever runs out of this directory: our daemons and our workers, by pid."""
        mark = os.fsencode(str(self.base))
        for _ in range(50):
            mine = [pid for pid in _everyone() if pid != os.getpid() and mark in _cmdline(pid)]
            if not mine:
                return
            for pid in mine:
                with contextlib.suppress(OSError):
                    fd = os.pidfd_open(pid)
                    try:
                        if mark in _cmdline(pid):
                            signal.pidfd_send_signal(fd, signal.SIGKILL)
                    finally:
                        os.close(fd)
            with contextlib.suppress(AssertionError):
                until(lambda mine=mine: not any(alive(p) for p in mine), 0.5)


def toml(value: object) -> str:
    """Return a value as TOML; a table in one line."""
    if isinstance(value, dict):
        return "{ " + ", ".join(f"{key} = {toml(one)}" for key, one in value.items()) + " }"
    return json.dumps(value)


def _everyone() -> Iterator[int]:
    return (int(p.name) for p in Path("/proc").iterdir() if p.name.isdigit())


def _cmdline(pid: int) -> bytes:
    try:
        return Path(f"/proc/{pid}/cmdline").read_bytes()
    except OSError:
        return b""


def alive(pid: int) -> bool:
    """Whether a pid is a living process (a zombie is not)."""
    try:
        stat = Path(f"/proc/{pid}/stat").read_text()
    except OSError:
        return False
    return stat.rpartition(")")[2].split()[0] not in {"Z", "X"}
